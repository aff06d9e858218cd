/* read.c: statements of a graph's text, versions 1 and 2: one function per kind, from one table.
 *
 * The tree takes memory in proportion to the text. Only what stands in the text is checked here; what names mean is for
 * those who expand it. */
#include "graph/text.h"

#include "graph/guess.h"
#include "graph/text/place.h"
#include "graph/text/read.h"

#include <stdlib.h>
#include <string.h>

typedef weft_status take_fn(weft__reader *r, weft__stmt *s);

static weft_status take_body(weft__reader *r, weft__stmt **first, weft__comments *end);

/* "what 'word'", with the nearest of the words there are. */
static weft_status fail_unknown(const weft__reader *r, const weft__ident *word, const char *what,
                                const char *(*known)(uint32_t i))
{
    weft__guess guess = { .word = word->text };
    char hint[80];
    const char *candidate;
    for (uint32_t i = 0; (candidate = known(i)); i++) weft__guess_try(&guess, candidate, strlen(candidate));
    return weft__text_fail(r->in.t, word->at, r->in.err, WEFT_FORMAT, "%s '%s'%s", what, word->text,
                           weft__guess_text(&guess, hint, sizeof hint));
}

/* ---- parts of statements ---- */

/* A name that the text gives. */
static weft_status take_name(weft__reader *r, const char *wanted, weft__ident *out)
{
    WEFT_TRY(weft__lex_word(&r->in, wanted, out));
    if (r->in.t->version == 1 || !weft__is_reserved(out->text)) return WEFT_OK;
    return weft__lex_fail_word(&r->in, out->at, "a word of the language cannot be a name:", out->text);
}

/* %a, %b */
static weft_status take_values(weft__reader *r, weft__ident **out, uint32_t *n)
{
    size_t begin = r->pile_size;
    do {
        weft__ident v;
        WEFT_TRY(weft__lex_value(&r->in, &v));
        WEFT_TRY(weft__read_push(r, &v, sizeof v));
    } while (weft__lex_accept(&r->in, ","));
    return weft__read_pop(r, begin, sizeof **out, out, n);
}

/* lo .. hi */
static weft_status take_range(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_expr(r, LEVEL_SUM, &s->lo));
    if (!weft__lex_accept(&r->in, "..")) return weft__lex_fail(&r->in, "expected '..'");
    return weft__read_expr(r, LEVEL_SUM, &s->hi);
}

static weft_status push_plain(weft__reader *r)
{
    const char *text;
    WEFT_TRY(weft__read_plain(r, &text));
    return weft__read_push(r, &text, sizeof text);
}

/* {a = 1, b = 2} */
static weft_status take_attrs(weft__reader *r, weft__stmt *s)
{
    size_t begin = r->pile_size;
    const char *opened;
    WEFT_TRY(weft__lex_open(&r->in, '{', &opened));
    do {
        weft__named_expr a;
        WEFT_TRY(weft__lex_word(&r->in, "expected an attribute", &a.name));
        WEFT_TRY(weft__lex_expect(&r->in, '='));
        WEFT_TRY(weft__read_expr(r, LEVEL_COND, &a.value));
        WEFT_TRY(weft__read_push(r, &a, sizeof a));
    } while (weft__lex_accept(&r->in, ","));
    WEFT_TRY(weft__lex_close(&r->in, '}', opened));
    return weft__read_pop(r, begin, sizeof *s->attrs, &s->attrs, &s->n_attrs);
}

/* f32[tokens, 8], i32[tokens] */
static weft_status take_types(weft__reader *r, weft__stmt *s)
{
    size_t begin = r->pile_size;
    do {
        weft__type t;
        WEFT_TRY(weft__read_type_word(r, &t.dtype));
        WEFT_TRY(weft__read_list(r, &t.dims));
        WEFT_TRY(weft__read_push(r, &t, sizeof t));
    } while (weft__lex_accept(&r->in, ","));
    return weft__read_pop(r, begin, sizeof *s->types, &s->types, &s->n_types);
}

static weft_status take_data(weft__reader *r, weft__stmt *s)
{
    size_t begin = r->pile_size;
    do {
        weft__expr *e;
        WEFT_TRY(weft__read_expr(r, LEVEL_COND, &e));
        WEFT_TRY(weft__read_push(r, &e, sizeof e));
    } while (weft__lex_accept(&r->in, ","));
    return weft__read_pop(r, begin, sizeof *s->items, &s->items, &s->n_items);
}

static weft_status take_origins(weft__reader *r, weft__stmt *s)
{
    size_t begin = r->pile_size;
    do {
        uint32_t id;
        WEFT_TRY(weft__lex_whole(&r->in, &id));
        WEFT_TRY(weft__read_push(r, &id, sizeof id));
    } while (weft__lex_accept(&r->in, ","));
    return weft__read_pop(r, begin, sizeof *s->origins, &s->origins, &s->n_origins);
}

/* ---- ends of lines ---- */

/* Of a statement without a body. */
static weft_status end_line(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__lex_end_line(&r->in, &s->remark));
    return weft__lex_take(&r->in, false, &s->before);
}

/* { body }, the rest of the line not yet taken. */
static weft_status take_braces(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__lex_expect(&r->in, '{'));
    WEFT_TRY(end_line(r, s));
    return take_body(r, &s->body, &s->body_end);
}

/* The line of a closing brace; what is remarked there stands above the next statement. */
static weft_status end_braces(weft__reader *r)
{
    const char *remark;
    WEFT_TRY(weft__lex_end_line(&r->in, &remark));
    return weft__lex_keep(&r->in, remark);
}

static weft_status take_block_body(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_braces(r, s));
    return end_braces(r);
}

/* ---- statements about the whole ---- */

static weft_status take_model(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_label(r, &s->label));
    if (!weft__lex_at_line_end(&r->in)) WEFT_TRY(weft__lex_word(&r->in, "expected a head", &s->word));
    return end_line(r, s);
}

static weft_status take_files(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    size_t begin = r->pile_size;
    WEFT_TRY(weft__lex_word(l, "expected a word such as spelled", &s->word));
    const weft__files_row *row = weft__files_row_get(s->word.text);
    if (!row) return fail_unknown(r, &s->word, "nothing that is said of files is called", weft__files_word);
    for (uint32_t i = 0; i < row->min || (i < row->max && weft__lex_is(l, ",")); i++) {
        const char *between = i == 1 ? row->between : ",";
        if (i && !weft__lex_accept(l, between))
            return weft__text_fail(l->t, l->at, l->err, WEFT_FORMAT, "expected '%s'", between);
        WEFT_TRY(push_plain(r));
    }
    WEFT_TRY(weft__read_pop(r, begin, sizeof *s->strings, &s->strings, &s->n_strings));
    return end_line(r, s);
}

static weft_status take_param_type(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    const char *opened = NULL, *known;
    if (weft__lex_peek(l) == '[') WEFT_TRY(weft__lex_open(l, '[', &opened));
    WEFT_TRY(weft__lex_word(l, "expected a type", &s->word));
    s->list = opened;
    for (uint32_t i = 0; (known = weft__param_type(i)); i++)
        if (!strcmp(known, s->word.text)) return opened ? weft__lex_close(l, ']', opened) : WEFT_OK;
    return fail_unknown(r, &s->word, "no type of parameters is called", weft__param_type);
}

static weft_status take_param(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    size_t begin = r->pile_size;
    WEFT_TRY(take_name(r, "expected a parameter's name", &s->name));
    WEFT_TRY(weft__lex_expect(l, ':'));
    WEFT_TRY(take_param_type(r, s));
    if (weft__lex_accept(l, "=")) WEFT_TRY(weft__read_expr(r, LEVEL_SUM, &s->value));
    if (weft__lex_accept(l, "in")) WEFT_TRY(take_range(r, s));
    if (weft__lex_accept(l, "from")) {
        do WEFT_TRY(push_plain(r));
        while (weft__lex_accept(l, ","));
    }
    WEFT_TRY(weft__read_pop(r, begin, sizeof *s->strings, &s->strings, &s->n_strings));
    if (weft__lex_accept(l, "else")) WEFT_TRY(weft__read_expr(r, LEVEL_SUM, &s->absent));
    return end_line(r, s);
}

static weft_status take_require(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_label(r, &s->label));
    WEFT_TRY(weft__lex_expect(&r->in, '='));
    s->list = weft__lex_accept(&r->in, "none");
    if (s->list) return end_line(r, s);
    WEFT_TRY(weft__read_expr(r, LEVEL_AND, &s->value));
    s->list = weft__lex_accept(&r->in, "or");
    if (s->list && !weft__lex_accept(&r->in, "none")) return weft__lex_fail(&r->in, "expected 'none'");
    return end_line(r, s);
}

static weft_status take_let(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_name(r, "expected a name", &s->name));
    WEFT_TRY(weft__lex_expect(&r->in, '='));
    WEFT_TRY(weft__read_expr(r, LEVEL_COND, &s->value));
    return end_line(r, s);
}

static weft_status take_extent(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_name(r, "expected an extent's name", &s->name));
    WEFT_TRY(weft__read_expr(r, LEVEL_COND, &s->value));
    return end_line(r, s);
}

/* ---- statements that make nodes and outputs ---- */

/* What version 1 says besides: the scope, and ids. */
static weft_status take_flat_clauses(weft__reader *r, weft__stmt *s)
{
    if (r->in.t->version > 1) return WEFT_OK;
    if (weft__lex_accept(&r->in, "@")) WEFT_TRY(weft__read_string(r, &s->scope));
    if (weft__lex_accept(&r->in, "node")) WEFT_TRY(weft__lex_whole(&r->in, &s->node_id));
    return weft__lex_accept(&r->in, "from") ? take_origins(r, s) : WEFT_OK;
}

/* %a = %b has no word. */
static weft_status take_op(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    if (l->t->version > 1 && weft__lex_peek(l) == '%') return take_values(r, &s->inputs, &s->n_inputs);
    WEFT_TRY(weft__lex_word(l, "expected an op", &s->word));
    if (weft__lex_peek(l) == '"') WEFT_TRY(weft__read_string(r, &s->label));
    if (weft__lex_peek(l) == '%') WEFT_TRY(take_values(r, &s->inputs, &s->n_inputs));
    if (weft__lex_peek(l) == '{') WEFT_TRY(take_attrs(r, s));
    if (weft__lex_accept(l, ":")) WEFT_TRY(take_types(r, s));
    WEFT_TRY(take_flat_clauses(r, s));
    return weft__lex_accept(l, "data") ? take_data(r, s) : WEFT_OK;
}

static weft_status take_node(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_values(r, &s->results, &s->n_results));
    WEFT_TRY(weft__lex_expect(&r->in, '='));
    WEFT_TRY(take_op(r, s));
    return end_line(r, s);
}

static weft_status take_output(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_string(r, &s->label));
    WEFT_TRY(weft__lex_expect(&r->in, '='));
    WEFT_TRY(take_values(r, &s->inputs, &s->n_inputs));
    if (s->n_inputs > 1) return weft__lex_fail_at(&r->in, s->inputs[1].at, "an output is one value");
    return end_line(r, s);
}

static weft_status take_fail(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_string(r, &s->label));
    return end_line(r, s);
}

/* ---- statements with bodies ---- */

static weft_status take_scope(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_string(r, &s->label));
    return take_block_body(r, s);
}

static weft_status take_repeat(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_name(r, "expected a counter's name", &s->name));
    if (!weft__lex_accept(&r->in, "in")) return weft__lex_fail(&r->in, "expected 'in'");
    WEFT_TRY(take_range(r, s));
    return take_block_body(r, s);
}

static weft_status take_chain(weft__reader *r, weft__stmt *s);

/* else { .. }, or else if: a statement of its own in `other`. */
static weft_status take_else(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    weft__lex_blanks(l);
    const char *at = l->at;
    if (weft__lex_accept(l, "if")) {
        s->other = weft__lex_alloc(l, 1, sizeof *s->other);
        if (!s->other) return weft__lex_oom(l);
        *s->other = (weft__stmt){ .kind = STMT_IF, .at = at };
        WEFT_TRY(weft__read_deeper(r));
        WEFT_TRY(take_chain(r, s->other));
        r->depth--;
        return WEFT_OK;
    }
    WEFT_TRY(weft__lex_expect(l, '{'));
    WEFT_TRY(end_braces(r));
    return take_body(r, &s->other, &s->other_end);
}

/* Up to the last brace. */
static weft_status take_chain(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(weft__read_expr(r, LEVEL_COND, &s->value));
    WEFT_TRY(take_braces(r, s));
    return weft__lex_accept(&r->in, "else") ? take_else(r, s) : WEFT_OK;
}

static weft_status take_if(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_chain(r, s));
    return end_braces(r);
}

/* What a block takes: values, then names, which may have defaults. */
static weft_status take_takes(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    size_t begin = r->pile_size;
    bool more = true;
    const char *opened;
    WEFT_TRY(weft__lex_open(l, '(', &opened));
    if (weft__lex_accept_close(l, ')')) return WEFT_OK;
    for (weft__ident v; more && weft__lex_peek(l) == '%'; more = weft__lex_accept(l, ",")) {
        WEFT_TRY(weft__lex_value(l, &v));
        WEFT_TRY(weft__read_push(r, &v, sizeof v));
    }
    WEFT_TRY(weft__read_pop(r, begin, sizeof *s->inputs, &s->inputs, &s->n_inputs));
    for (weft__named_expr a; more; more = weft__lex_accept(l, ",")) {
        a.value = NULL;
        WEFT_TRY(take_name(r, "expected a name", &a.name));
        if (weft__lex_accept(l, "=")) WEFT_TRY(weft__read_expr(r, LEVEL_COND, &a.value));
        WEFT_TRY(weft__read_push(r, &a, sizeof a));
    }
    WEFT_TRY(weft__lex_close(l, ')', opened));
    return weft__read_pop(r, begin, sizeof *s->attrs, &s->attrs, &s->n_attrs);
}

static weft_status take_block(weft__reader *r, weft__stmt *s)
{
    WEFT_TRY(take_name(r, "expected a block's name", &s->name));
    WEFT_TRY(take_takes(r, s));
    r->in_block = true;
    WEFT_TRY(take_block_body(r, s));
    r->in_block = false;
    return WEFT_OK;
}

static weft_status take_return(weft__reader *r, weft__stmt *s)
{
    if (!r->in_block) return weft__lex_fail_at(&r->in, s->at, "return stands in blocks only");
    WEFT_TRY(take_values(r, &s->inputs, &s->n_inputs));
    return end_line(r, s);
}

/* ---- any statement ---- */

static take_fn *const take[STMT_KINDS] = {
    [STMT_MODEL] = take_model,   [STMT_FILES] = take_files,   [STMT_PARAM] = take_param, [STMT_REQUIRE] = take_require,
    [STMT_LET] = take_let,       [STMT_EXTENT] = take_extent, [STMT_NODE] = take_node,   [STMT_OUTPUT] = take_output,
    [STMT_SCOPE] = take_scope,   [STMT_REPEAT] = take_repeat, [STMT_IF] = take_if,       [STMT_BLOCK] = take_block,
    [STMT_RETURN] = take_return, [STMT_FAIL] = take_fail,
};

/* Which statement begins at the cursor, whose word is taken. */
static weft_status take_kind(weft__reader *r, weft__stmt *s)
{
    weft__lex *l = &r->in;
    bool full = l->t->version > 1;
    const char *wanted = full ? "expected a statement" : "expected a node, an extent or an output";
    weft__ident word;
    s->kind = STMT_NODE;
    if (weft__lex_peek(l) == '%') return WEFT_OK;
    WEFT_TRY(weft__lex_word(l, wanted, &word));
    bool known = weft__statement_parse(word.text, &s->kind);
    const weft__statement *row = weft__statement_get(s->kind);
    if (!known && full) return fail_unknown(r, &word, "no statement is called", weft__statement_word);
    if (!known || (!full && !row->flat)) return weft__lex_fail_at(l, word.at, wanted);
    if (r->depth && !row->inner)
        return weft__lex_fail_word(l, word.at, "stands in the text itself, not in a body:", word.text);
    return WEFT_OK;
}

static weft_status take_statement(weft__reader *r, weft__stmt **out)
{
    weft__stmt *s = weft__lex_alloc(&r->in, 1, sizeof *s);
    if (!s) return weft__lex_oom(&r->in);
    weft__lex_blanks(&r->in);
    s->at = r->in.at;
    *out = s;
    WEFT_TRY(take_kind(r, s));
    return take[s->kind](r, s);
}

/* Statements up to the closing brace, which is taken. `end`: comments before that. */
static weft_status take_body(weft__reader *r, weft__stmt **first, weft__comments *end)
{
    weft__lex *l = &r->in;
    const char *opened = l->at - 1; /* the end of the line with the brace */
    WEFT_TRY(weft__read_deeper(r));
    for (weft__stmt **next = first;; next = &(*next)->next) {
        WEFT_TRY(weft__lex_above(l, next == first));
        if (weft__lex_accept(l, "}")) break;
        if (l->at == l->end)
            return weft__text_fail(l->t, l->at, l->err, WEFT_FORMAT, "expected '}' for the '{' of line %u",
                                   weft__text_line(l->t, opened));
        WEFT_TRY(take_statement(r, next));
    }
    r->depth--;
    return weft__lex_take(l, true, end);
}

/* weft-graph 2; before it what some editors put there to say that this is UTF-8 */
static weft_status take_head(weft__reader *r)
{
    static const char mark[] = "\xef\xbb\xbf";
    weft__lex *l = &r->in;
    weft_graph_text *t = l->t;
    if (t->size >= sizeof mark - 1 && !memcmp(l->at, mark, sizeof mark - 1)) l->at += sizeof mark - 1;
    WEFT_TRY(weft__lex_above(l, true));
    if (!weft__lex_accept(l, "weft-graph")) return weft__lex_fail(l, "this is not a weft-graph text");
    weft__lex_blanks(l);
    const char *at = l->at;
    WEFT_TRY(weft__lex_whole(l, &t->version));
    if (t->version > WEFT__TEXT_VERSION)
        return weft__text_fail(t, at, l->err, WEFT_UNSUPPORTED, "only versions 1 and %d of the text form are known",
                               WEFT__TEXT_VERSION);
    WEFT_TRY(weft__lex_end_line(l, &t->head_remark));
    return weft__lex_take(l, false, &t->head);
}

static weft_status take_text(weft__reader *r)
{
    weft__lex *l = &r->in;
    const char *zero = memchr(l->t->text, 0, l->t->size);
    if (zero) return weft__lex_fail_at(l, zero, "a byte is 0: this is not a text");
    WEFT_TRY(take_head(r));
    for (weft__stmt **next = &l->t->body;; next = &(*next)->next) {
        WEFT_TRY(weft__lex_above(l, false));
        if (l->at == l->end) break;
        WEFT_TRY(take_statement(r, next));
    }
    return weft__lex_take(l, true, &l->t->end);
}

/* ---- the tree ---- */

/* An empty tree with copies of the text and its origin. */
static weft_graph_text *create(const char *text, size_t n, const char *origin)
{
    weft_graph_text *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->origin = weft__arena_strdup(&t->arena, origin ? origin : "graph");
    t->text = n < SIZE_MAX ? weft__arena_alloc(&t->arena, n + 1, 1) : NULL;
    t->size = n;
    if (t->text && n) memcpy(t->text, text, n);
    if (t->text && t->origin) return t;
    weft_graph_text_destroy(t);
    return NULL;
}

weft_status weft_graph_text_read(const char *text, size_t n, const char *origin, weft_graph_text **out,
                                 weft_error *err)
{
    weft_graph_text *t = create(text, n, origin);
    *out = NULL;
    if (!t) return WEFT_OOM_FAIL(err, "a graph's text");
    weft__reader r = { .in = { .t = t, .at = t->text, .end = t->text + n, .err = err } };
    weft_status s = take_text(&r);
    free(r.pile);
    free(r.in.above.lines);
    if (s == WEFT_OK)
        *out = t;
    else
        weft_graph_text_destroy(t);
    return s;
}

void weft_graph_text_destroy(weft_graph_text *t)
{
    if (!t) return;
    weft__arena_free(&t->arena);
    free(t);
}

/* ---- what a text says of itself ---- */

uint32_t weft_graph_text_version(const weft_graph_text *t)
{
    return t->version;
}

const char *weft_graph_text_model(const weft_graph_text *t, const char **head)
{
    const weft__stmt *s = t->body;
    while (s && s->kind != STMT_MODEL) s = s->next;
    if (head) *head = s ? s->word.text : NULL;
    return s ? weft__expr_plain(s->label) : NULL;
}

const char *weft_graph_text_files(const weft_graph_text *t, uint32_t i, const char *const **strings, uint32_t *n)
{
    for (const weft__stmt *s = t->body; s; s = s->next) {
        if (s->kind != STMT_FILES || i--) continue;
        *strings = s->strings;
        *n = s->n_strings;
        return s->word.text;
    }
    *strings = NULL;
    *n = 0;
    return NULL;
}
