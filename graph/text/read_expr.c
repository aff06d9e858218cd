/* read_expr.c: expressions of a graph's text: literals, names, operators by their levels, strings with braces. */
#include "graph/text/place.h"
#include "graph/text/read.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists and depth ---- */

weft_status weft__read_push(weft__reader *r, const void *element, size_t size)
{
    if (!weft__grow(&r->pile, &r->pile_cap, r->pile_size + size, 1)) return weft__lex_oom(&r->in);
    memcpy(r->pile + r->pile_size, element, size);
    r->pile_size += size;
    return WEFT_OK;
}

weft_status weft__read_pop(weft__reader *r, size_t begin, size_t size, void *array, uint32_t *n)
{
    size_t bytes = r->pile_size - begin;
    void *elements = weft__lex_alloc(&r->in, bytes, 1);
    if (!elements) return weft__lex_oom(&r->in);
    if (bytes) memcpy(elements, r->pile + begin, bytes);
    memcpy(array, &elements, sizeof elements);
    *n = (uint32_t)(bytes / size);
    r->pile_size = begin;
    return WEFT_OK;
}

weft_status weft__read_deeper(weft__reader *r)
{
    if (++r->depth <= WEFT__TEXT_DEPTH) return WEFT_OK;
    return weft__text_fail(r->in.t, r->in.at, r->in.err, WEFT_LIMIT, "nested more than %d deep", WEFT__TEXT_DEPTH);
}

/* ---- making expressions ---- */

/* With the parts that lie on the pile from `begin` on. */
static weft_status make(weft__reader *r, weft__expr_kind kind, const char *at, const char *text, size_t begin,
                        weft__expr **out)
{
    weft__expr *e = weft__lex_alloc(&r->in, 1, sizeof *e);
    if (!e) return weft__lex_oom(&r->in);
    *e = (weft__expr){ .kind = kind, .at = at, .text = text };
    WEFT_TRY(weft__read_pop(r, begin, sizeof *e->args, &e->args, &e->n));
    for (uint32_t i = 0; i < e->n; i++)
        if (e->args[i]->height > e->height) e->height = e->args[i]->height;
    if (++e->height > WEFT__TEXT_HEIGHT)
        return weft__text_fail(r->in.t, at, r->in.err, WEFT_LIMIT, "the expression is too long");
    *out = e;
    return WEFT_OK;
}

static weft_status push_expr(weft__reader *r, weft__level level)
{
    weft__expr *e;
    WEFT_TRY(weft__read_expr(r, level, &e));
    return weft__read_push(r, &e, sizeof e);
}

/* Expressions up to the closing bracket; the opening one was taken. */
static weft_status push_until(weft__reader *r, char close, const char *opened)
{
    if (weft__lex_accept_close(&r->in, close)) return WEFT_OK;
    do WEFT_TRY(push_expr(r, LEVEL_COND));
    while (weft__lex_accept(&r->in, ","));
    return weft__lex_close(&r->in, close, opened);
}

/* ---- strings ---- */

/* Characters up to the end of the string or the next brace. *left: how many more the string may have. */
static weft_status take_characters(weft__reader *r, size_t *left, const char **out)
{
    weft__lex *l = &r->in;
    char text[WEFT__MAX_NAME + 1];
    bool braces = l->t->version > 1;
    size_t n = 0;
    for (; l->at < l->end && *l->at != '"' && !(braces && *l->at == '{'); l->at++) {
        char c = *l->at;
        if (c == '\\') {
            c = ++l->at < l->end ? *l->at : 0;
            if (c != '"' && c != '\\' && !(braces && c == '{'))
                return weft__lex_fail_at(l, l->at, braces ? "only \\\", \\\\ and \\{ are known here"
                                                          : "only \\\" and \\\\ are known here");
        }
        if ((unsigned char)c < ' ' || c == 127) break;
        if (n == *left) return weft__lex_fail_at(l, l->at, "the string is too long");
        text[n++] = c;
    }
    if (l->at == l->end || (*l->at != '"' && *l->at != '{'))
        return weft__lex_fail_at(l, l->at, "the string does not end");
    *left -= n;
    *out = weft__lex_copy(l, text, n);
    return *out ? WEFT_OK : weft__lex_oom(l);
}

static weft_status push_characters(weft__reader *r, size_t *left)
{
    const char *at = r->in.at, *text;
    weft__expr *e;
    WEFT_TRY(take_characters(r, left, &text));
    if (!*text) return WEFT_OK;
    WEFT_TRY(make(r, EXPR_TEXT, at, text, r->pile_size, &e));
    return weft__read_push(r, &e, sizeof e);
}

/* {expression} */
static weft_status push_hole(weft__reader *r)
{
    bool in_string = r->in.in_string;
    r->in.at++;
    r->in.in_string = true;
    WEFT_TRY(push_expr(r, LEVEL_COND));
    WEFT_TRY(weft__lex_expect(&r->in, '}'));
    r->in.in_string = in_string;
    return WEFT_OK;
}

weft_status weft__read_string(weft__reader *r, weft__expr **out)
{
    weft__lex *l = &r->in;
    size_t begin = r->pile_size, left = WEFT__MAX_NAME;
    WEFT_TRY(weft__lex_expect(l, '"'));
    const char *at = l->at - 1;
    WEFT_TRY(push_characters(r, &left));
    while (*l->at == '{') {
        WEFT_TRY(push_hole(r));
        WEFT_TRY(push_characters(r, &left));
    }
    l->at++;
    return make(r, EXPR_STRING, at, NULL, begin, out);
}

const char *weft__expr_plain(const weft__expr *e)
{
    if (e->kind != EXPR_STRING || e->n > 1 || (e->n && e->args[0]->kind != EXPR_TEXT)) return NULL;
    return e->n ? e->args[0]->text : "";
}

weft_status weft__read_label(weft__reader *r, weft__expr **out)
{
    WEFT_TRY(weft__read_string(r, out));
    if (weft__expr_plain(*out)) return WEFT_OK;
    return weft__lex_fail_at(&r->in, (*out)->at, "nothing is put in here: \\{ is a brace");
}

weft_status weft__read_plain(weft__reader *r, const char **out)
{
    weft__expr *e;
    WEFT_TRY(weft__read_label(r, &e));
    *out = weft__expr_plain(e);
    return WEFT_OK;
}

/* ---- atoms ---- */

weft_status weft__read_list(weft__reader *r, weft__expr **out)
{
    size_t begin = r->pile_size;
    const char *opened;
    WEFT_TRY(weft__lex_open(&r->in, '[', &opened));
    WEFT_TRY(push_until(r, ']', opened));
    return make(r, EXPR_LIST, opened, NULL, begin, out);
}

/* (a, b) is a tuple, as are () and (a,); (a) is a. In version 1, which has no expressions, (a) is a tuple, too. */
static weft_status take_parens(weft__reader *r, weft__expr **out)
{
    weft__lex *l = &r->in;
    size_t begin = r->pile_size;
    bool comma = l->t->version == 1;
    const char *opened;
    WEFT_TRY(weft__lex_open(l, '(', &opened));
    if (weft__lex_accept_close(l, ')')) return make(r, EXPR_TUPLE, opened, NULL, begin, out);
    WEFT_TRY(push_expr(r, LEVEL_COND));
    while (weft__lex_accept(l, ",")) {
        comma = true;
        if (l->t->version > 1 && weft__lex_peek(l) == ')') break;
        WEFT_TRY(push_expr(r, LEVEL_COND));
    }
    WEFT_TRY(weft__lex_close(l, ')', opened));
    if (comma) return make(r, EXPR_TUPLE, opened, NULL, begin, out);
    memcpy(out, r->pile + begin, sizeof *out);
    r->pile_size = begin;
    return WEFT_OK;
}

static weft_status take_number(weft__reader *r, const char *start, bool minus, weft__expr **out)
{
    *out = weft__lex_alloc(&r->in, 1, sizeof **out);
    return *out ? weft__lex_number(&r->in, start, minus, *out) : weft__lex_oom(&r->in);
}

/* A name, or a call of a function. */
static weft_status take_name(weft__reader *r, weft__expr **out)
{
    weft__ident name;
    size_t begin = r->pile_size;
    const char *opened;
    WEFT_TRY(weft__lex_word(&r->in, "expected an expression", &name));
    if (r->in.t->version == 1 || weft__lex_peek(&r->in) != '(')
        return make(r, EXPR_NAME, name.at, name.text, begin, out);
    WEFT_TRY(weft__lex_open(&r->in, '(', &opened));
    WEFT_TRY(push_until(r, ')', opened));
    return make(r, EXPR_CALL, name.at, name.text, begin, out);
}

static weft_status take_atom(weft__reader *r, weft__expr **out)
{
    int c = weft__lex_peek(&r->in);
    bool full = r->in.t->version > 1;
    if (weft__lex_is_digit(c)) return take_number(r, r->in.at, false, out);
    if (c == '[') return weft__read_list(r, out);
    if (c == '(') return take_parens(r, out);
    if (c == '"' && full) return weft__read_string(r, out);
    return take_name(r, out);
}

weft_status weft__read_type_word(weft__reader *r, weft__expr **out)
{
    if (weft__lex_peek(&r->in) == '(' && r->in.t->version > 1) return take_parens(r, out);
    weft__ident name;
    WEFT_TRY(weft__lex_word(&r->in, "expected a type", &name));
    return make(r, EXPR_NAME, name.at, name.text, r->pile_size, out);
}

/* a[i][j] */
static weft_status take_indexed(weft__reader *r, weft__expr **out)
{
    weft__lex *l = &r->in;
    WEFT_TRY(take_atom(r, out));
    while (l->t->version > 1 && weft__lex_peek(l) == '[') {
        size_t begin = r->pile_size;
        const char *opened;
        WEFT_TRY(weft__read_push(r, out, sizeof *out));
        WEFT_TRY(weft__lex_open(l, '[', &opened));
        WEFT_TRY(push_expr(r, LEVEL_COND));
        WEFT_TRY(weft__lex_close(l, ']', opened));
        WEFT_TRY(make(r, EXPR_INDEX, opened, NULL, begin, out));
    }
    return WEFT_OK;
}

/* ---- operators ---- */

static weft_status take_unary(weft__reader *r, const char *sign, weft__level level, weft__expr **out)
{
    const char *at = r->in.at - strlen(sign);
    size_t begin = r->pile_size;
    WEFT_TRY(weft__read_deeper(r));
    WEFT_TRY(push_expr(r, level));
    r->depth--;
    return make(r, EXPR_UNARY, at, sign, begin, out);
}

/* A minus before a number is a part of it. */
static weft_status take_operand(weft__reader *r, weft__level level, weft__expr **out)
{
    weft__lex *l = &r->in;
    bool full = l->t->version > 1;
    if (full && level <= LEVEL_NOT && weft__lex_accept(l, "not")) return take_unary(r, "not", LEVEL_NOT, out);
    if (!weft__lex_accept(l, "-")) return take_indexed(r, out);
    const char *at = l->at - 1;
    if (weft__lex_is_digit(weft__lex_peek(l))) return take_number(r, at, true, out);
    return full ? take_unary(r, "-", LEVEL_MINUS, out) : weft__lex_fail_at(l, at, "expected a number");
}

/* The operator that is next; version 1 has 2*tokens alone. */
static const weft__operator *peek_operator(weft__reader *r)
{
    const weft__operator *o;
    for (uint32_t i = 0; (o = weft__operator_get(i)); i++)
        if (weft__lex_is(&r->in, o->sign)) return r->in.t->version > 1 || *o->sign == '*' ? o : NULL;
    return NULL;
}

static weft_status take_binary(weft__reader *r, weft__level level, weft__expr **out)
{
    const weft__operator *o;
    WEFT_TRY(take_operand(r, level, out));
    for (weft__level before = LEVEL_ATOM; (o = peek_operator(r)) && o->level >= level; before = o->level) {
        const char *at = r->in.at;
        size_t begin = r->pile_size;
        if (o->level == LEVEL_COMPARE && before == LEVEL_COMPARE)
            return weft__lex_fail_at(&r->in, at, "a comparison of a comparison needs brackets");
        r->in.at += strlen(o->sign);
        WEFT_TRY(weft__read_push(r, out, sizeof *out));
        WEFT_TRY(push_expr(r, (weft__level)(o->level + 1)));
        WEFT_TRY(make(r, EXPR_BINARY, at, o->sign, begin, out));
    }
    return WEFT_OK;
}

static weft_status take_conditional(weft__reader *r, weft__expr **out)
{
    size_t begin = r->pile_size;
    WEFT_TRY(take_binary(r, LEVEL_OR, out));
    if (r->in.t->version == 1 || !weft__lex_accept(&r->in, "?")) return WEFT_OK;
    const char *at = r->in.at - 1;
    WEFT_TRY(weft__read_push(r, out, sizeof *out));
    WEFT_TRY(push_expr(r, LEVEL_COND));
    WEFT_TRY(weft__lex_expect(&r->in, ':'));
    WEFT_TRY(push_expr(r, LEVEL_COND));
    return make(r, EXPR_COND, at, NULL, begin, out);
}

weft_status weft__read_expr(weft__reader *r, weft__level level, weft__expr **out)
{
    if (level > LEVEL_COND) return take_binary(r, level, out);
    WEFT_TRY(weft__read_deeper(r));
    WEFT_TRY(take_conditional(r, out));
    r->depth--;
    return WEFT_OK;
}
