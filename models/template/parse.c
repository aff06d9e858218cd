/* parse.c: statements of a template. */
#include <string.h>

#include "parser.h"

static void expect_finish(jinja_parser *p)
{
    if (jinja_now(p)->kind != JINJA_T_FINISH) jinja_unexpected(p, "the end of the tag");
    jinja_next(p);
}

/* ---- bodies ---- */

static jinja_node *parse_statement(jinja_parser *p);

static bool is_any(const jinja_token *t, const char *const *words)
{
    for (; *words; words++)
        if (jinja_is_word(t, *words)) return true;
    return false;
}

/* In jinja2 a filter that there is not is a fault of the template even where it is never reached, but not in an if. */
static void check_known(jinja_parser *p)
{
    if (!p->unknown) return;
    p->r->line = p->unknown->line;
    jinja_fail(p->r, "No %s named '%s'.", p->unknown_what, jinja_c(p->r, p->unknown->value.text));
}

/* Statements up to one of the words, which is then the current token; NULL: up to the end. */
static jinja_nodes parse_until(jinja_parser *p, const char *const *ends)
{
    jinja_nodes body = { 0 };
    jinja_enter(p->r);
    for (;;) {
        const jinja_token *t = jinja_now(p);
        if (t->kind == JINJA_T_END) {
            if (ends) jinja_fail(p->r, "Unexpected end of template: '%s' is missing", ends[0]);
            break;
        }
        if (t->kind == JINJA_T_DATA) {
            jinja_node *n = jinja_node_new(p, JINJA_DATA);
            n->value = jinja_from_text(jinja_text_of(p->r, t->s, t->n));
            jinja_add_node(p, &body, n);
            jinja_next(p);
        } else if (t->kind == JINJA_T_SHOW) {
            jinja_next(p);
            jinja_node *n = jinja_node_new(p, JINJA_PRINT); /* list */
            jinja_add_node(p, &n->list, jinja_parse_tuple(p, true, NULL, false));
            if (jinja_now(p)->kind != JINJA_T_SHOWN) jinja_unexpected(p, "'}}'");
            jinja_next(p);
            jinja_add_node(p, &body, n);
            check_known(p);
        } else {
            jinja_next(p);
            if (ends && is_any(jinja_now(p), ends)) break;
            jinja_add_node(p, &body, parse_statement(p));
            check_known(p);
            expect_finish(p);
        }
    }
    jinja_leave(p->r);
    return body;
}

#define ENDS(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static jinja_nodes parse_body(jinja_parser *p, const char *const *ends)
{
    jinja_skip_sign(p, ':');
    expect_finish(p);
    return parse_until(p, ends);
}

/* The same, and the word that ends it is passed, too. */
static jinja_nodes parse_whole(jinja_parser *p, const char *end)
{
    jinja_nodes body = parse_body(p, ENDS(end));
    jinja_next(p);
    return body;
}

/* A body that is a function of its own in jinja2: no loop around it can be left from within. */
static jinja_nodes parse_function(jinja_parser *p, const char *end, uint32_t *mentioned)
{
    const uint32_t loops = p->loops, before = p->mentioned;
    p->loops = 0;
    p->mentioned = 0;
    jinja_nodes body = parse_whole(p, end);
    if (mentioned) *mentioned = p->mentioned;
    p->mentioned |= before;
    p->loops = loops;
    return body;
}

/* ---- statements ---- */

/* for a in b if c: body, else other; flag: recursive */
static jinja_node *parse_for(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_FOR);
    n->a = jinja_parse_target(p, false, "in");
    if (!jinja_skip_word(p, "in")) jinja_unexpected(p, "'in'");
    n->b = jinja_parse_tuple(p, false, "recursive", false);
    if (jinja_skip_word(p, "if")) n->c = jinja_parse_expression(p, true);
    n->flag = jinja_skip_word(p, "recursive");
    p->loops++;
    n->body = parse_body(p, ENDS("endfor", "else"));
    p->loops--;
    if (jinja_is_word(jinja_next(p), "else")) n->other = parse_whole(p, "endfor");
    return n;
}

/* list: the conditions with their bodies, as nodes IF; other: else */
static jinja_node *parse_if(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_IF);
    for (;;) {
        jinja_node *branch = jinja_node_new(p, JINJA_IF);
        branch->a = jinja_parse_tuple(p, false, NULL, false);
        p->lazy++;
        branch->body = parse_body(p, ENDS("endif", "elif", "else"));
        jinja_add_node(p, &n->list, branch);
        const jinja_token *t = jinja_next(p);
        if (jinja_is_word(t, "else")) n->other = parse_whole(p, "endif");
        p->lazy--;
        if (!jinja_is_word(t, "elif")) return n;
    }
}

/* a = b; or a, and what body prints goes through the filters of b, which may be NULL */
static jinja_node *parse_set(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_SET);
    n->a = jinja_parse_target(p, true, NULL);
    if (jinja_skip_sign(p, '=')) {
        n->b = jinja_parse_tuple(p, true, NULL, false);
        return n;
    }
    n->op = JINJA_SET_BLOCK;
    n->b = jinja_parse_filters(p, NULL, false);
    n->body = parse_whole(p, "endset");
    return n;
}

/* list: targets, each with its value in b... as nodes SET */
static jinja_node *parse_with(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_WITH);
    while (jinja_now(p)->kind != JINJA_T_FINISH) {
        if (n->list.n) jinja_expect_sign(p, ',');
        jinja_node *set = jinja_node_new(p, JINJA_SET);
        set->a = jinja_parse_target(p, false, NULL);
        jinja_expect_sign(p, '=');
        set->b = jinja_parse_expression(p, true);
        jinja_add_node(p, &n->list, set);
    }
    n->body = parse_whole(p, "endwith");
    return n;
}

/* list: parameters, as names with their default in a */
static void parse_signature(jinja_parser *p, jinja_node *n)
{
    bool defaults = false;
    jinja_expect_sign(p, '(');
    while (!jinja_is_sign(jinja_now(p), ')')) {
        if (n->list.n) jinja_expect_sign(p, ',');
        jinja_node *name = jinja_node_new(p, JINJA_NAME);
        name->value = jinja_expect_name(p);
        if (jinja_skip_sign(p, '=')) {
            name->a = jinja_parse_expression(p, true);
            defaults = true;
        } else if (defaults) {
            jinja_fail(p->r, "non-default argument follows default argument");
        }
        jinja_add_node(p, &n->list, name);
    }
    jinja_expect_sign(p, ')');
}

/* value(list): body; sign: what of JINJA_SAYS it mentions */
static jinja_node *parse_macro(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_MACRO_DEF);
    uint32_t mentioned;
    n->value = jinja_expect_name(p);
    parse_signature(p, n);
    n->body = parse_function(p, "endmacro", &mentioned);
    n->sign = (int)mentioned;
    return n;
}

/* a: the call; b: the caller, a macro without a name */
static jinja_node *parse_call_block(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_CALL_BLOCK);
    uint32_t mentioned;
    n->b = jinja_node_new(p, JINJA_MACRO_DEF);
    n->b->value = jinja_from_text(&jinja_word_caller);
    if (jinja_is_sign(jinja_now(p), '(')) parse_signature(p, n->b);
    n->a = jinja_parse_expression(p, true);
    if (n->a->op != JINJA_CALL) jinja_fail(p->r, "expected call");
    n->b->body = parse_function(p, "endcall", &mentioned);
    n->b->sign = (int)mentioned;
    return n;
}

/* a: the filters; body */
static jinja_node *parse_filter_block(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_FILTER_BLOCK);
    n->a = jinja_parse_filters(p, NULL, true);
    n->body = parse_whole(p, "endfilter");
    return n;
}

/* {% generation %}, a function of its own whose text transformers counts; {% autoescape %} */
static jinja_node *parse_generation(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_SCOPE);
    n->body = parse_function(p, "endgeneration", NULL);
    return n;
}

static jinja_node *parse_autoescape(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_SCOPE);
    n->a = jinja_parse_expression(p, true);
    if (n->a->op != JINJA_CONST || n->a->value.kind != JINJA_BOOL || n->a->value.yes)
        jinja_fail(p->r, "autoescape is not supported");
    n->body = parse_whole(p, "endautoescape");
    return n;
}

/* flag: scoped */
static jinja_node *parse_block(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_BLOCK);
    n->value = jinja_expect_name(p);
    n->flag = jinja_skip_word(p, "scoped");
    if (jinja_skip_word(p, "required")) jinja_fail(p->r, "required blocks are not supported");
    n->body = parse_function(p, "endblock", NULL);
    if (jinja_now(p)->kind == JINJA_T_WORD && jinja_expect_name(p).text != n->value.text)
        jinja_fail(p->r, "the end of a block has another name");
    return n;
}

static jinja_node *parse_print(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_PRINT);
    while (jinja_now(p)->kind != JINJA_T_FINISH) {
        if (n->list.n) jinja_expect_sign(p, ',');
        jinja_add_node(p, &n->list, jinja_parse_expression(p, true));
    }
    return n;
}

static jinja_node *parse_break(jinja_parser *p)
{
    if (!p->loops) jinja_fail(p->r, "break outside of a loop");
    return jinja_node_new(p, JINJA_BREAK);
}

static jinja_node *parse_continue(jinja_parser *p)
{
    if (!p->loops) jinja_fail(p->r, "continue outside of a loop");
    return jinja_node_new(p, JINJA_CONTINUE);
}

/* Other templates: there are none. Only reaching such a statement is a fault. */
static jinja_node *parse_other_template(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_REFUSED);
    while (jinja_now(p)->kind != JINJA_T_FINISH && jinja_now(p)->kind != JINJA_T_END) jinja_next(p);
    return n;
}

static const struct {
    const char *word;
    jinja_node *(*parse)(jinja_parser *);
} statements[] = {
    { "for", parse_for },
    { "if", parse_if },
    { "set", parse_set },
    { "with", parse_with },
    { "macro", parse_macro },
    { "call", parse_call_block },
    { "filter", parse_filter_block },
    { "generation", parse_generation },
    { "autoescape", parse_autoescape },
    { "block", parse_block },
    { "print", parse_print },
    { "break", parse_break },
    { "continue", parse_continue },
    { "include", parse_other_template },
    { "import", parse_other_template },
    { "from", parse_other_template },
    { "extends", parse_other_template },
};

static jinja_node *parse_statement(jinja_parser *p)
{
    const jinja_token *t = jinja_now(p);
    if (t->kind != JINJA_T_WORD) jinja_unexpected(p, "the name of a tag");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (jinja_is_word(t, statements[i].word)) {
            jinja_next(p);
            return statements[i].parse(p);
        }
    jinja_fail(p->r, "Encountered unknown tag '%.*s'", t->n > 40 ? 40 : (int)t->n, t->s);
}

static void know(jinja_parser *p, const jinja_text *word)
{
    jinja_dict_set(p->r, p->names, jinja_from_text(word), jinja_none());
}

jinja_nodes *jinja_parse(jinja_run *r, const char *text, size_t n)
{
    jinja_parser p = { .r = r };
    jinja_nodes *body = jinja_alloc(r, 1, sizeof *body);
    p.names = jinja_dict_new(r);
    know(&p, &jinja_word_loop);
    know(&p, &jinja_word_caller);
    know(&p, &jinja_word_varargs);
    know(&p, &jinja_word_kwargs);
    p.tokens = jinja_lex(r, text, n);
    r->line = jinja_now(&p)->line;
    *body = parse_until(&p, NULL);
    return body;
}
