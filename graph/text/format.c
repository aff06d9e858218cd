/* format.c: a tree as text, in the one form that a text has: four spaces for each body, a space around operators, no
 * brackets that say nothing, long lines broken where a bracket is open. Comments stay, numbers stay as they are
 * spelled.
 *
 * Trees that were made otherwise are written the same. A write that fails makes the pen fall silent; the check at the
 * end reports it. */
#include "graph/number.h"
#include "graph/text/grammar.h"

#include <inttypes.h>
#include <string.h>

enum {
    WIDTH = 100,
    INDENT = 4,
    MAY_BREAK = 1, /* stands for a space where a line may be broken; no statement has this character */
};

typedef struct pen {
    const weft_writer *w;
    weft_text line;   /* that is being written */
    weft_writer into; /* line */
    bool ok;
    bool flat;        /* version 1: no line is broken */
    uint32_t indent;
    uint32_t strings; /* that are open: nothing is broken there */
} pen;

/* Its arguments are not evaluated once a write has failed. */
#define PUT(p, ...) ((p)->ok = (p)->ok && weft_writef(&(p)->into, __VA_ARGS__))

static void put_expr(pen *p, const weft__expr *e, weft__level level);

/* ---- lines ---- */

static void put_blanks(pen *p, uint32_t n)
{
    p->ok = p->ok && weft_writef(p->w, "%*s", (int)n, "");
}

/* Writes the line; where it is too long it goes on in the next, indented. remark: behind it; NULL: none. */
static void end_line(pen *p, const char *remark)
{
    const char *part = p->line.data ? p->line.data : "";
    static const char at_break[] = { MAY_BREAK, 0 };
    size_t column = INDENT * p->indent;
    put_blanks(p, (uint32_t)column);
    for (size_t n;; part += n + 1) {
        n = strcspn(part, at_break);
        p->ok = p->ok && weft_writef(p->w, "%.*s", (int)n, part);
        column += n;
        if (!part[n]) break;
        if (!p->flat && column + 1 + strcspn(part + n + 1, at_break) > WIDTH) {
            column = INDENT * (p->indent + 1);
            p->ok = p->ok && weft_writef(p->w, "\n");
            put_blanks(p, (uint32_t)column);
        } else {
            column++;
            p->ok = p->ok && weft_writef(p->w, " ");
        }
    }
    p->ok = p->ok && (remark ? weft_writef(p->w, "  %s\n", remark) : weft_writef(p->w, "\n"));
    p->line.size = 0;
    if (p->line.data) *p->line.data = 0;
}

static void put_comments(pen *p, const weft__comments *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (*c->lines[i]) put_blanks(p, INDENT * p->indent);
        p->ok = p->ok && weft_writef(p->w, "%s\n", c->lines[i]);
    }
}

/* Between the elements of a bracket. */
static void put_comma(pen *p)
{
    PUT(p, ",%c", p->strings ? ' ' : MAY_BREAK);
}

/* ---- expressions ---- */

static void put_characters(pen *p, const char *s)
{
    const char *special = p->flat ? "\"\\" : "\"\\{";
    for (size_t plain;; s += plain + 1) {
        plain = strcspn(s, special);
        PUT(p, "%.*s", (int)plain, s);
        if (!s[plain]) break;
        PUT(p, "\\%c", s[plain]);
    }
}

static void put_plain(pen *p, const char *s)
{
    PUT(p, "\"");
    put_characters(p, s);
    PUT(p, "\"");
}

static void put_string(pen *p, const weft__expr *e)
{
    PUT(p, "\"");
    p->strings++;
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->args[i]->kind == EXPR_TEXT) {
            put_characters(p, e->args[i]->text);
            continue;
        }
        PUT(p, "{");
        put_expr(p, e->args[i], LEVEL_COND);
        PUT(p, "}");
    }
    p->strings--;
    PUT(p, "\"");
}

/* "1e-06" as "1e-6"; what looks like a whole number gets ".0". */
static void put_double(pen *p, double x)
{
    char buf[WEFT__FLOAT_TEXT];
    weft__double_text(x, buf);
    char *e = strchr(buf, 'e');
    if (e) {
        char *digits = e[1] == '-' || e[1] == '+' ? e + 2 : e + 1;
        const char *sign = e[1] == '-' ? "-" : "";
        PUT(p, "%.*se%s%s", (int)(e - buf), buf, sign, digits + strspn(digits, "0"));
    } else {
        PUT(p, strchr(buf, '.') ? "%s" : "%s.0", buf);
    }
}

static void put_number(pen *p, const weft__expr *e)
{
    if (e->kind == EXPR_BITS) PUT(p, "0x%0*" PRIx64, (int)e->digits, (uint64_t)e->i);
    else if (e->text) PUT(p, "%s", e->text);
    else if (e->kind == EXPR_INT) PUT(p, "%" PRId64, e->i);
    else put_double(p, e->f);
}

static void put_args(pen *p, const weft__expr *e, char open, char close)
{
    PUT(p, "%c", open);
    for (uint32_t i = 0; i < e->n; i++) {
        if (i) put_comma(p);
        put_expr(p, e->args[i], LEVEL_COND);
    }
    if (e->kind == EXPR_TUPLE && e->n == 1 && !p->flat) PUT(p, ",");
    PUT(p, "%c", close);
}

static void put_unary(pen *p, const weft__expr *e)
{
    PUT(p, *e->text == '-' ? "%s" : "%s ", e->text);
    put_expr(p, e->args[0], weft__expr_level(e));
}

static void put_binary(pen *p, const weft__expr *e)
{
    weft__level level = weft__expr_level(e), above = (weft__level)(level + 1);
    put_expr(p, e->args[0], level == LEVEL_COMPARE ? above : level);
    PUT(p, p->flat ? "%s" : " %s ", e->text);
    put_expr(p, e->args[1], above);
}

static void put_conditional(pen *p, const weft__expr *e)
{
    put_expr(p, e->args[0], LEVEL_OR);
    PUT(p, " ? ");
    put_expr(p, e->args[1], LEVEL_COND);
    PUT(p, " : ");
    put_expr(p, e->args[2], LEVEL_COND);
}

static void put_index(pen *p, const weft__expr *e)
{
    put_expr(p, e->args[0], LEVEL_INDEX);
    PUT(p, "[");
    put_expr(p, e->args[1], LEVEL_COND);
    PUT(p, "]");
}

static void put_bare(pen *p, const weft__expr *e)
{
    switch (e->kind) {
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_BITS: put_number(p, e); break;
    case EXPR_STRING: put_string(p, e); break;
    case EXPR_TEXT: put_plain(p, e->text); break;
    case EXPR_NAME: PUT(p, "%s", e->text); break;
    case EXPR_LIST: put_args(p, e, '[', ']'); break;
    case EXPR_TUPLE: put_args(p, e, '(', ')'); break;
    case EXPR_UNARY: put_unary(p, e); break;
    case EXPR_BINARY: put_binary(p, e); break;
    case EXPR_COND: put_conditional(p, e); break;
    case EXPR_CALL: PUT(p, "%s", e->text); put_args(p, e, '(', ')'); break;
    case EXPR_INDEX: put_index(p, e); break;
    case EXPR_KINDS: break;
    }
}

/* In brackets where it is bound less tightly than its place wants. */
static void put_expr(pen *p, const weft__expr *e, weft__level level)
{
    bool brackets = weft__expr_level(e) < level;
    if (brackets) PUT(p, "(");
    put_bare(p, e);
    if (brackets) PUT(p, ")");
}

/* ---- parts of statements ---- */

static void put_values(pen *p, const weft__ident *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) PUT(p, i ? ", %%%s" : "%%%s", v[i].text);
}

static void put_strings(pen *p, const weft__stmt *s, const char *between)
{
    for (uint32_t i = 0; i < s->n_strings; i++) {
        if (i) PUT(p, i == 1 && *between != ',' ? " %s " : "%s ", i == 1 ? between : ",");
        put_plain(p, s->strings[i]);
    }
}

static void put_range(pen *p, const weft__stmt *s)
{
    put_expr(p, s->lo, LEVEL_SUM);
    PUT(p, "..");
    put_expr(p, s->hi, LEVEL_SUM);
}

static void put_named(pen *p, const weft__named_expr *a)
{
    PUT(p, a->value ? "%s = " : "%s", a->name.text);
    if (a->value) put_expr(p, a->value, LEVEL_COND);
}

static void put_attrs(pen *p, const weft__stmt *s)
{
    if (!s->n_attrs) return;
    PUT(p, " {");
    for (uint32_t i = 0; i < s->n_attrs; i++) {
        if (i) put_comma(p);
        put_named(p, &s->attrs[i]);
    }
    PUT(p, "}");
}

static void put_types(pen *p, const weft__stmt *s)
{
    for (uint32_t i = 0; i < s->n_types; i++) {
        const weft__type *t = &s->types[i];
        PUT(p, i ? ", " : " : ");
        put_expr(p, t->dtype, t->dtype->kind == EXPR_NAME ? LEVEL_COND : LEVEL_ATOM);
        put_expr(p, t->dims, LEVEL_ATOM);
    }
}

static void put_data(pen *p, const weft__stmt *s)
{
    for (uint32_t i = 0; i < s->n_items && p->ok; i++) {
        PUT(p, i ? ", " : " data ");
        put_expr(p, s->items[i], LEVEL_COND);
    }
}

/* ---- statements ---- */

static void put_body(pen *p, const weft__stmt *first, const weft__comments *end);

/* " {", the body, and the brace that ends it, its line not yet ended. */
static void put_braces(pen *p, const weft__stmt *s)
{
    PUT(p, " {");
    end_line(p, s->remark);
    put_body(p, s->body, &s->body_end);
    PUT(p, "}");
}

static void put_model(pen *p, const weft__stmt *s)
{
    put_string(p, s->label);
    if (s->word.text) PUT(p, " %s", s->word.text);
}

static void put_files(pen *p, const weft__stmt *s)
{
    const weft__files_row *row = weft__files_row_get(s->word.text);
    PUT(p, "%s ", s->word.text);
    put_strings(p, s, row ? row->between : ",");
}

static void put_param(pen *p, const weft__stmt *s)
{
    PUT(p, s->list ? "%s : [%s]" : "%s : %s", s->name.text, s->word.text);
    if (s->value) {
        PUT(p, " = ");
        put_expr(p, s->value, LEVEL_SUM);
    }
    if (s->lo) {
        PUT(p, " in ");
        put_range(p, s);
    }
    if (s->n_strings) PUT(p, " from ");
    put_strings(p, s, ",");
    if (!s->absent) return;
    PUT(p, " else ");
    put_expr(p, s->absent, LEVEL_SUM);
}

static void put_require(pen *p, const weft__stmt *s)
{
    put_string(p, s->label);
    PUT(p, s->value ? " = " : " = none");
    if (s->value) put_expr(p, s->value, LEVEL_AND);
    if (s->value && s->list) PUT(p, " or none");
}

static void put_let(pen *p, const weft__stmt *s)
{
    PUT(p, "%s = ", s->name.text);
    put_expr(p, s->value, LEVEL_COND);
}

static void put_extent(pen *p, const weft__stmt *s)
{
    PUT(p, "%s ", s->name.text);
    put_expr(p, s->value, LEVEL_COND);
}

static void put_node(pen *p, const weft__stmt *s)
{
    put_values(p, s->results, s->n_results);
    PUT(p, s->word.text ? " = %s" : " =", s->word.text);
    if (s->label) {
        PUT(p, " ");
        put_string(p, s->label);
    }
    if (s->n_inputs) PUT(p, " ");
    put_values(p, s->inputs, s->n_inputs);
    put_attrs(p, s);
    put_types(p, s);
    if (s->scope) {
        PUT(p, " @ ");
        put_string(p, s->scope);
    }
    if (s->node_id) PUT(p, " node %" PRIu32, s->node_id);
    for (uint32_t i = 0; i < s->n_origins; i++) PUT(p, i ? ", %" PRIu32 : " from %" PRIu32, s->origins[i]);
    put_data(p, s);
}

static void put_output(pen *p, const weft__stmt *s)
{
    put_string(p, s->label);
    PUT(p, " = ");
    put_values(p, s->inputs, s->n_inputs);
}

static void put_scope(pen *p, const weft__stmt *s)
{
    put_string(p, s->label);
    put_braces(p, s);
}

static void put_repeat(pen *p, const weft__stmt *s)
{
    PUT(p, "%s in ", s->name.text);
    put_range(p, s);
    put_braces(p, s);
}

static void put_if(pen *p, const weft__stmt *s)
{
    for (;; s = s->other) {
        put_expr(p, s->value, LEVEL_COND);
        put_braces(p, s);
        const weft__stmt *o = s->other;
        bool chain = o && o->kind == STMT_IF && !o->next && !o->before.n && !s->other_end.n;
        if (!chain) break;
        PUT(p, " else if ");
    }
    if (!s->other && !s->other_end.n) return;
    PUT(p, " else {");
    end_line(p, NULL);
    put_body(p, s->other, &s->other_end);
    PUT(p, "}");
}

static void put_block(pen *p, const weft__stmt *s)
{
    PUT(p, "%s(", s->name.text);
    for (uint32_t i = 0; i < s->n_inputs; i++) {
        if (i) put_comma(p);
        PUT(p, "%%%s", s->inputs[i].text);
    }
    for (uint32_t i = 0; i < s->n_attrs; i++) {
        if (i || s->n_inputs) put_comma(p);
        put_named(p, &s->attrs[i]);
    }
    PUT(p, ")");
    put_braces(p, s);
}

static void put_return(pen *p, const weft__stmt *s)
{
    put_values(p, s->inputs, s->n_inputs);
}

static void put_fail(pen *p, const weft__stmt *s)
{
    put_string(p, s->label);
}

static void (*const put[STMT_KINDS])(pen *p, const weft__stmt *s) = {
    [STMT_MODEL] = put_model,   [STMT_FILES] = put_files,   [STMT_PARAM] = put_param, [STMT_REQUIRE] = put_require,
    [STMT_LET] = put_let,       [STMT_EXTENT] = put_extent, [STMT_NODE] = put_node,   [STMT_OUTPUT] = put_output,
    [STMT_SCOPE] = put_scope,   [STMT_REPEAT] = put_repeat, [STMT_IF] = put_if,       [STMT_BLOCK] = put_block,
    [STMT_RETURN] = put_return, [STMT_FAIL] = put_fail,
};

static void put_statement(pen *p, const weft__stmt *s)
{
    const weft__statement *row = weft__statement_get(s->kind);
    put_comments(p, &s->before);
    if (s->kind != STMT_NODE) PUT(p, "%s ", row->word);
    put[s->kind](p, s);
    end_line(p, row->body ? NULL : s->remark); /* with a body it stands behind the opening brace */
}

static void put_body(pen *p, const weft__stmt *first, const weft__comments *end)
{
    p->indent++;
    for (const weft__stmt *s = first; s && p->ok; s = s->next) put_statement(p, s);
    put_comments(p, end);
    p->indent--;
}

weft_status weft_graph_text_format(const weft_graph_text *t, const weft_writer *w, weft_error *err)
{
    pen p = { .w = w, .ok = true, .flat = t->version == 1 };
    p.into = weft_text_writer(&p.line);
    put_comments(&p, &t->head);
    PUT(&p, "weft-graph %" PRIu32, t->version);
    end_line(&p, t->head_remark);
    for (const weft__stmt *s = t->body; s && p.ok; s = s->next) put_statement(&p, s);
    put_comments(&p, &t->end);
    weft_text_free(&p.line);
    return p.ok ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a graph's text could not be written");
}
