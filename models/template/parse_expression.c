/* parse_expression.c: expressions of a template, with jinja2's precedences. */
#include <string.h>

#include "parser.h"

static jinja_node *parse_unary(jinja_parser *p, bool filters);

/* A node of two operands. */
static jinja_node *pair(jinja_parser *p, jinja_op op, int sign, jinja_node *a, jinja_node *b)
{
    jinja_node *n = jinja_node_new(p, op);
    n->sign = sign;
    n->a = a;
    n->b = b;
    if (a) n->line = a->line;
    return n;
}

static jinja_node *constant(jinja_parser *p, jinja_value v)
{
    jinja_node *n = jinja_node_new(p, JINJA_CONST);
    n->value = v;
    return n;
}

/* ---- brackets ---- */

static jinja_node *parse_list(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_MAKE_LIST);
    jinja_expect_sign(p, '[');
    while (!jinja_is_sign(jinja_now(p), ']')) {
        if (n->list.n) jinja_expect_sign(p, ',');
        if (jinja_is_sign(jinja_now(p), ']')) break;
        jinja_add_node(p, &n->list, jinja_parse_expression(p, true));
    }
    jinja_expect_sign(p, ']');
    return n;
}

/* list: key, value, key, value... */
static jinja_node *parse_dict(jinja_parser *p)
{
    jinja_node *n = jinja_node_new(p, JINJA_MAKE_DICT);
    jinja_expect_sign(p, '{');
    while (!jinja_is_sign(jinja_now(p), '}')) {
        if (n->list.n) jinja_expect_sign(p, ',');
        if (jinja_is_sign(jinja_now(p), '}')) break;
        jinja_add_node(p, &n->list, jinja_parse_expression(p, true));
        jinja_expect_sign(p, ':');
        jinja_add_node(p, &n->list, jinja_parse_expression(p, true));
    }
    jinja_expect_sign(p, '}');
    return n;
}

static bool ends_tuple(const jinja_parser *p, const char *end)
{
    const jinja_token *t = jinja_now(p);
    return t->kind == JINJA_T_SHOWN || t->kind == JINJA_T_FINISH || jinja_is_sign(t, ')') ||
           (end && jinja_is_word(t, end));
}

/* The elements are expressions, or with `targets` names, and there ns.name where `spaces` is set. */
static jinja_node *parse_primary(jinja_parser *p, bool spaces);
static jinja_node *tuple_of(jinja_parser *p, bool condition, const char *end, bool in_brackets, bool targets,
                            bool spaces)
{
    jinja_node *n = jinja_node_new(p, JINJA_MAKE_TUPLE);
    bool is_tuple = false;
    while (!ends_tuple(p, end)) {
        jinja_add_node(p, &n->list, targets ? parse_primary(p, spaces) : jinja_parse_expression(p, condition));
        if (!jinja_skip_sign(p, ',')) break;
        is_tuple = true;
    }
    if (is_tuple) return n;
    if (n->list.n) return n->list.v[0];
    if (!in_brackets) jinja_unexpected(p, "an expression");
    return n;
}

jinja_node *jinja_parse_tuple(jinja_parser *p, bool condition, const char *end, bool in_brackets)
{
    return tuple_of(p, condition, end, in_brackets, false, false);
}

static void check_target(jinja_parser *p, const jinja_node *n)
{
    if (n->op == JINJA_MAKE_TUPLE) {
        for (size_t i = 0; i < n->list.n; i++) check_target(p, n->list.v[i]);
    } else if (n->op != JINJA_NAME && n->op != JINJA_SPACE_NAME) {
        jinja_fail(p->r, "can't assign to what is no name");
    }
}

jinja_node *jinja_parse_target(jinja_parser *p, bool spaces, const char *end)
{
    jinja_node *n = tuple_of(p, true, end, false, true, spaces);
    check_target(p, n);
    return n;
}

/* ---- arguments ---- */

static void parse_argument(jinja_parser *p, jinja_arguments *a)
{
    const jinja_token *t = jinja_now(p);
    if (jinja_skip_sign(p, '*')) {
        if (a->rest || a->rest_named) jinja_fail(p->r, "invalid syntax for function call expression");
        a->rest = jinja_parse_expression(p, true);
    } else if (jinja_skip_sign(p, JINJA_S_POW)) {
        if (a->rest_named) jinja_fail(p->r, "invalid syntax for function call expression");
        a->rest_named = jinja_parse_expression(p, true);
    } else if (t->kind == JINJA_T_WORD && jinja_is_sign(t + 1, '=')) {
        if (a->rest_named) jinja_fail(p->r, "invalid syntax for function call expression");
        jinja_node *n = jinja_node_new(p, JINJA_NAME);
        n->value = jinja_expect_name(p);
        jinja_next(p);
        n->a = jinja_parse_expression(p, true);
        jinja_add_node(p, &a->named, n);
    } else {
        if (a->rest || a->rest_named || a->named.n) jinja_fail(p->r, "invalid syntax for function call expression");
        jinja_add_node(p, &a->plain, jinja_parse_expression(p, true));
    }
}

static jinja_arguments *parse_arguments(jinja_parser *p)
{
    jinja_arguments *a = jinja_alloc(p->r, 1, sizeof *a);
    bool first = true;
    jinja_expect_sign(p, '(');
    while (!jinja_is_sign(jinja_now(p), ')')) {
        if (!first) jinja_expect_sign(p, ',');
        if (jinja_is_sign(jinja_now(p), ')')) break;
        parse_argument(p, a);
        first = false;
    }
    jinja_expect_sign(p, ')');
    return a;
}

/* a(args) */
static jinja_node *parse_call(jinja_parser *p, jinja_node *a)
{
    jinja_node *n = jinja_node_new(p, JINJA_CALL);
    n->a = a;
    n->args = parse_arguments(p);
    return n;
}

/* ---- primaries ---- */

static jinja_node *parse_name(jinja_parser *p, bool spaces)
{
    const jinja_token *t = jinja_now(p);
    if (jinja_is_word(t, "true") || jinja_is_word(t, "True")) return jinja_next(p), constant(p, jinja_bool(true));
    if (jinja_is_word(t, "false") || jinja_is_word(t, "False")) return jinja_next(p), constant(p, jinja_bool(false));
    if (jinja_is_word(t, "none") || jinja_is_word(t, "None")) return jinja_next(p), constant(p, jinja_none());
    if (jinja_is_word(t, "varargs")) p->mentioned |= JINJA_SAYS_VARARGS;
    if (jinja_is_word(t, "kwargs")) p->mentioned |= JINJA_SAYS_KWARGS;
    if (jinja_is_word(t, "caller")) p->mentioned |= JINJA_SAYS_CALLER;
    jinja_node *n = jinja_node_new(p, JINJA_NAME);
    n->value = jinja_expect_name(p);
    if (!spaces || !jinja_skip_sign(p, '.')) return n;
    jinja_node *space = jinja_node_new(p, JINJA_SPACE_NAME); /* a.value */
    space->a = n;
    space->value = jinja_expect_name(p);
    return space;
}

static jinja_node *parse_primary(jinja_parser *p, bool spaces)
{
    const jinja_token *t = jinja_now(p);
    if (t->kind == JINJA_T_WORD) return parse_name(p, spaces);
    if (t->kind == JINJA_T_INT || t->kind == JINJA_T_FLOAT) return jinja_next(p), constant(p, t->value);
    if (t->kind == JINJA_T_TEXT) {
        const jinja_text *text = t->value.text;
        for (jinja_next(p); jinja_now(p)->kind == JINJA_T_TEXT; jinja_next(p))
            text = jinja_text_join(p->r, text, jinja_now(p)->value.text);
        return constant(p, jinja_from_text(text));
    }
    if (jinja_is_sign(t, '[')) return parse_list(p);
    if (jinja_is_sign(t, '{')) return parse_dict(p);
    if (!jinja_skip_sign(p, '(')) jinja_unexpected(p, "an expression");
    jinja_node *n = jinja_parse_tuple(p, true, NULL, true);
    jinja_expect_sign(p, ')');
    return n;
}

/* a[...]: one index, a slice, or a tuple of them. SLICE: a, b, c, each of which may be NULL. */
static jinja_node *parse_subscribed(jinja_parser *p)
{
    jinja_node *part[3] = { NULL, NULL, NULL };
    const jinja_token *t = jinja_now(p);
    if (!jinja_is_sign(t, ':')) {
        part[0] = jinja_parse_expression(p, true);
        if (!jinja_is_sign(jinja_now(p), ':')) return part[0];
    }
    for (int i = 1; i < 3 && jinja_skip_sign(p, ':'); i++) {
        t = jinja_now(p);
        if (!jinja_is_sign(t, ':') && !jinja_is_sign(t, ']') && !jinja_is_sign(t, ','))
            part[i] = jinja_parse_expression(p, true);
    }
    jinja_node *n = jinja_node_new(p, JINJA_SLICE);
    n->a = part[0], n->b = part[1], n->c = part[2];
    return n;
}

static jinja_node *parse_subscript(jinja_parser *p, jinja_node *a)
{
    if (jinja_skip_sign(p, '.')) {
        const jinja_token *t = jinja_now(p);
        jinja_node *n = jinja_node_new(p, t->kind == JINJA_T_INT ? JINJA_ITEM : JINJA_ATTRIBUTE);
        n->a = a;
        if (t->kind == JINJA_T_INT)
            n->b = constant(p, jinja_next(p)->value);
        else
            n->value = jinja_expect_name(p);
        return n;
    }
    jinja_expect_sign(p, '[');
    jinja_node *n = jinja_node_new(p, JINJA_ITEM), *tuple = jinja_node_new(p, JINJA_MAKE_TUPLE);
    n->a = a;
    while (!jinja_is_sign(jinja_now(p), ']')) {
        if (tuple->list.n) jinja_expect_sign(p, ',');
        jinja_add_node(p, &tuple->list, parse_subscribed(p));
    }
    jinja_expect_sign(p, ']');
    n->b = tuple->list.n == 1 ? tuple->list.v[0] : tuple;
    if (tuple->list.n != 1)
        for (size_t i = 0; i < tuple->list.n; i++)
            if (tuple->list.v[i]->op == JINJA_SLICE) jinja_fail(p->r, "a tuple of slices is not supported");
    return n;
}

static jinja_node *parse_postfix(jinja_parser *p, jinja_node *n)
{
    for (;;) {
        const jinja_token *t = jinja_now(p);
        if (jinja_is_sign(t, '.') || jinja_is_sign(t, '['))
            n = parse_subscript(p, n);
        else if (jinja_is_sign(t, '('))
            n = parse_call(p, n);
        else
            return n;
    }
}

/* ---- filters and tests ---- */

/* The name, with dots, of a filter or test; sets row. */
static void find_row(jinja_parser *p, jinja_node *n, const jinja_row *(*find)(const jinja_run *, const char *, size_t),
                     const char *what)
{
    jinja_buffer b = { 0 };
    const jinja_text *word = jinja_expect_name(p).text;
    jinja_put(p->r, &b, word->s, word->n);
    while (jinja_skip_sign(p, '.')) {
        word = jinja_expect_name(p).text;
        jinja_puts(p->r, &b, ".");
        jinja_put(p->r, &b, word->s, word->n);
    }
    n->value = jinja_buffer_value(p->r, &b);
    n->row = find(p->r, b.s, b.n);
    if (n->row || p->lazy || p->unknown) return;
    p->unknown = n;
    p->unknown_what = what;
}

/* a|value(args) */
jinja_node *jinja_parse_filters(jinja_parser *p, jinja_node *a, bool inside)
{
    while (inside || jinja_is_sign(jinja_now(p), '|')) {
        if (!inside) jinja_next(p);
        jinja_node *n = jinja_node_new(p, JINJA_FILTER);
        find_row(p, n, jinja_find_filter, "filter");
        n->a = a;
        n->args = jinja_is_sign(jinja_now(p), '(') ? parse_arguments(p) : NULL;
        a = n;
        inside = false;
    }
    return a;
}

static bool begins_test_argument(const jinja_token *t)
{
    if (t->kind == JINJA_T_WORD)
        return !jinja_is_word(t, "else") && !jinja_is_word(t, "or") && !jinja_is_word(t, "and");
    return t->kind == JINJA_T_TEXT || t->kind == JINJA_T_INT || t->kind == JINJA_T_FLOAT || jinja_is_sign(t, '[') ||
           jinja_is_sign(t, '{');
}

/* a is value(args) */
static jinja_node *parse_test(jinja_parser *p, jinja_node *a)
{
    jinja_next(p);
    const bool negated = jinja_skip_word(p, "not");
    jinja_node *n = jinja_node_new(p, JINJA_TEST);
    find_row(p, n, jinja_find_test, "test");
    n->a = a;
    if (jinja_is_sign(jinja_now(p), '(')) {
        n->args = parse_arguments(p);
    } else if (begins_test_argument(jinja_now(p))) {
        if (jinja_is_word(jinja_now(p), "is")) jinja_fail(p->r, "You cannot chain multiple tests with is");
        n->args = jinja_alloc(p->r, 1, sizeof *n->args);
        jinja_add_node(p, &n->args->plain, parse_postfix(p, parse_primary(p, false)));
    }
    return negated ? pair(p, JINJA_NOT, 0, n, NULL) : n;
}

static jinja_node *parse_filters_and_tests(jinja_parser *p, jinja_node *n)
{
    for (;;) {
        const jinja_token *t = jinja_now(p);
        if (jinja_is_sign(t, '|'))
            n = jinja_parse_filters(p, n, false);
        else if (jinja_is_word(t, "is"))
            n = parse_test(p, n);
        else if (jinja_is_sign(t, '('))
            n = parse_call(p, n);
        else
            return n;
    }
}

/* ---- operators ---- */

static jinja_node *parse_unary(jinja_parser *p, bool filters)
{
    const jinja_token *t = jinja_now(p);
    jinja_node *n;
    jinja_enter(p->r);
    if (jinja_is_sign(t, '-') || jinja_is_sign(t, '+')) {
        jinja_next(p);
        n = pair(p, JINJA_UNARY, t->sign, parse_unary(p, false), NULL);
    } else {
        n = parse_primary(p, false);
    }
    n = parse_postfix(p, n);
    if (filters) n = parse_filters_and_tests(p, n);
    jinja_leave(p->r);
    return n;
}

/* Operators of one level, from the left. */
static jinja_node *parse_chain(jinja_parser *p, const char *signs, jinja_node *(*operand)(jinja_parser *))
{
    jinja_node *a = operand(p);
    for (;;) {
        const jinja_token *t = jinja_now(p);
        if (t->kind != JINJA_T_SIGN || !strchr(signs, t->sign)) return a;
        jinja_next(p);
        a = pair(p, JINJA_BINARY, t->sign, a, operand(p));
    }
}

static jinja_node *parse_operand(jinja_parser *p)
{
    return parse_unary(p, true);
}

static jinja_node *parse_pow(jinja_parser *p)
{
    return parse_chain(p, "p", parse_operand);
}

static jinja_node *parse_product(jinja_parser *p)
{
    return parse_chain(p, "*/f%", parse_pow);
}

/* list[0] ~ list[1] ~ ... */
static jinja_node *parse_concat(jinja_parser *p)
{
    jinja_node *a = parse_product(p);
    if (!jinja_is_sign(jinja_now(p), '~')) return a;
    jinja_node *n = jinja_node_new(p, JINJA_CONCAT);
    jinja_add_node(p, &n->list, a);
    while (jinja_skip_sign(p, '~')) jinja_add_node(p, &n->list, parse_product(p));
    return n;
}

static jinja_node *parse_sum(jinja_parser *p)
{
    return parse_chain(p, "+-", parse_concat);
}

/* The sign of a comparison: 'i' in, 'o' not in; 0: there is none. */
static int comparison(jinja_parser *p)
{
    const jinja_token *t = jinja_now(p);
    if (t->kind == JINJA_T_SIGN && strchr("enlg<>", t->sign)) return jinja_next(p)->sign;
    if (jinja_skip_word(p, "in")) return 'i';
    if (!jinja_is_word(t, "not") || !jinja_is_word(t + 1, "in")) return 0;
    p->at += 2;
    return 'o';
}

/* a sign b: a chain of COMPARE nodes in list, each with an operand in a. */
static jinja_node *parse_compare(jinja_parser *p)
{
    jinja_node *a = parse_sum(p), *n = NULL;
    for (int sign; (sign = comparison(p));) {
        if (!n) n = pair(p, JINJA_COMPARE, 0, a, NULL);
        jinja_add_node(p, &n->list, pair(p, JINJA_COMPARE, sign, parse_sum(p), NULL));
    }
    return n ? n : a;
}

static jinja_node *parse_not(jinja_parser *p)
{
    if (!jinja_skip_word(p, "not")) return parse_compare(p);
    jinja_enter(p->r);
    jinja_node *n = pair(p, JINJA_NOT, 0, parse_not(p), NULL);
    jinja_leave(p->r);
    return n;
}

static jinja_node *parse_and(jinja_parser *p)
{
    jinja_node *a = parse_not(p);
    while (jinja_skip_word(p, "and")) a = pair(p, JINJA_AND, 0, a, parse_not(p));
    return a;
}

static jinja_node *parse_or(jinja_parser *p)
{
    jinja_node *a = parse_and(p);
    while (jinja_skip_word(p, "or")) a = pair(p, JINJA_OR, 0, a, parse_and(p));
    return a;
}

/* a if b else c; c may be NULL. */
static jinja_node *parse_condition(jinja_parser *p)
{
    const jinja_node *unknown = p->unknown;
    jinja_enter(p->r);
    jinja_node *a = parse_or(p);
    while (jinja_skip_word(p, "if")) {
        a = pair(p, JINJA_IF_ELSE, 0, a, parse_or(p));
        if (jinja_skip_word(p, "else")) a->c = parse_condition(p);
        p->unknown = unknown;
    }
    jinja_leave(p->r);
    return a;
}

jinja_node *jinja_parse_expression(jinja_parser *p, bool condition)
{
    return condition ? parse_condition(p) : parse_or(p);
}
