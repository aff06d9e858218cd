/* parse.c: reads the text form of a graph back (docs/graph-text.md).
 *
 * One cursor walks the text, line by line; every statement ends at the end of its line. Nodes are made by
 * weft__graph_make, which checks them, and the finished graph is sealed, which verifies it. What the text may ask for
 * in memory is bounded by its own size. Errors read "origin:line:column: fault". */
#include "graph/attr.h"
#include "graph/convert.h"
#include "graph/graph_impl.h"
#include "graph/number.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORD   64
#define MAX_STRING (WEFT__MAX_NAME + 1) /* names and scopes */

typedef struct parser {
    weft_graph *g;
    const char *at, *end, *line_start;
    uint32_t line, max_id;
    const char *origin;
    weft_error *err;
    uint32_t *origins; /* the list of a `from` clause */
    size_t origin_cap, n_origins;
    unsigned char *data; /* the elements of a `data` clause */
    size_t data_cap, n_data;
} parser;

/* ---- errors ---- */

static weft_status annotate(const parser *p, const char *at, weft_status s)
{
    unsigned column = (unsigned)(at - p->line_start) + 1;
    return weft__annotate(p->err, s, "%s:%u:%u", p->origin, p->line, column);
}

static weft_status fail_at(const parser *p, const char *at, const char *text)
{
    return annotate(p, at, WEFT_FAIL(p->err, WEFT_FORMAT, "%s", text));
}

static weft_status fail(const parser *p, const char *text)
{
    return fail_at(p, p->at, text);
}

static weft_status fail_word(const parser *p, const char *at, const char *text, const char *word)
{
    return annotate(p, at, WEFT_FAIL(p->err, WEFT_FORMAT, "%s '%s'", text, word));
}

/* ---- tokens ---- */

static int peek(const parser *p)
{
    return p->at < p->end ? (unsigned char)*p->at : -1;
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r')) p->at++;
}

/* Takes `c` if it is next. */
static bool accept(parser *p, char c)
{
    skip_blanks(p);
    if (peek(p) != (unsigned char)c) return false;
    p->at++;
    return true;
}

static weft_status expect(parser *p, char c)
{
    if (accept(p, c)) return WEFT_OK;
    char text[] = "expected ' '";
    text[sizeof text - 3] = c;
    return fail(p, text);
}

static bool at_line_end(parser *p)
{
    skip_blanks(p);
    int c = peek(p);
    return c < 0 || c == '\n' || c == '#';
}

/* Goes to the next line; only a comment may stand before its end. */
static weft_status end_line(parser *p)
{
    if (!at_line_end(p)) return fail(p, "unexpected text at the end of the line");
    const char *nl = memchr(p->at, '\n', (size_t)(p->end - p->at));
    p->at = nl ? nl + 1 : p->end;
    p->line_start = p->at;
    p->line++;
    return WEFT_OK;
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* A word of letters, digits and underscores; or, with `extra`, of those characters too. */
static weft_status take(parser *p, const char *extra, char *out, const char *wanted)
{
    size_t n = 0;
    skip_blanks(p);
    const char *start = p->at;
    for (int c; (c = peek(p)) >= 0 && (is_letter(c) || is_digit(c) || (c && strchr(extra, c))); p->at++) {
        if (n == MAX_WORD - 1) return fail_at(p, start, "a word is too long");
        out[n++] = (char)c;
    }
    out[n] = 0;
    return n ? WEFT_OK : fail(p, wanted);
}

/* Takes `word` if it is next. */
static bool accept_word(parser *p, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n)) return false;
    if (p->at + n < p->end && (is_letter((unsigned char)p->at[n]) || is_digit((unsigned char)p->at[n]))) return false;
    p->at += n;
    return true;
}

static weft_status take_int(parser *p, int64_t lo, int64_t hi, int64_t *out)
{
    skip_blanks(p);
    const char *start = p->at;
    bool minus = accept(p, '-');
    int64_t x = 0;
    if (!is_digit(peek(p))) return fail_at(p, start, "expected a number");
    for (; is_digit(peek(p)); p->at++)
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, peek(p) - '0', &x))
            return fail_at(p, start, "the number is too large");
    if ((!minus && __builtin_sub_overflow((int64_t)0, x, &x)) || x < lo || x > hi)
        return fail_at(p, start, "the number is out of range");
    *out = x;
    return WEFT_OK;
}

static weft_status take_id(parser *p, uint32_t *out)
{
    int64_t x;
    WEFT_TRY(take_int(p, 1, p->max_id, &x));
    *out = (uint32_t)x;
    return WEFT_OK;
}

static weft_status take_string(parser *p, char out[MAX_STRING])
{
    size_t n = 0;
    WEFT_TRY(expect(p, '"'));
    const char *start = p->at;
    for (;; p->at++) {
        int c = peek(p);
        if (c == '"') break;
        if (c == '\\') {
            p->at++;
            c = peek(p);
            if (c != '"' && c != '\\') return fail(p, "only \\\" and \\\\ are known here");
        }
        if (c < ' ' || c == 127) return fail(p, "the string does not end");
        if (n == MAX_STRING - 1) return fail_at(p, start, "the string is too long");
        out[n++] = (char)c;
    }
    p->at++;
    out[n] = 0;
    return WEFT_OK;
}

/* Bits written as 0x..., of at most `digits` hexadecimal digits. */
static weft_status take_bits(parser *p, const char *word, const char *start, size_t digits, uint32_t *out)
{
    char *end;
    size_t n = strlen(word);
    *out = (uint32_t)strtoul(word, &end, 16);
    if (n < 3 || n > 2 + digits || *end) return fail_word(p, start, "not a number of this type:", word);
    return WEFT_OK;
}

static weft_status take_float(parser *p, size_t digits, bool *is_bits, uint32_t *bits, float *out)
{
    char word[MAX_WORD];
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take(p, "+-.", word, "expected a number"));
    *is_bits = !strncmp(word, "0x", 2);
    if (*is_bits) return take_bits(p, word, start, digits, bits);
    if (!weft__float_scan(word, out)) return fail_word(p, start, "not a number of this type:", word);
    return WEFT_OK;
}

/* ---- dims and types ---- */

static weft_status take_dim(parser *p, weft_dim *d)
{
    char name[MAX_WORD];
    d->n = 1;
    skip_blanks(p);
    if (is_digit(peek(p))) {
        WEFT_TRY(take_int(p, 1, INT64_MAX, &d->n));
        if (!accept(p, '*')) return WEFT_OK;
    }
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take(p, "", name, "expected a dimension"));
    for (uint32_t i = 0; i < p->g->n_extents; i++)
        if (!strcmp(p->g->extents[i].name, name)) d->extent = i + 1;
    return d->extent ? WEFT_OK : fail_word(p, start, "no extent is called", name);
}

static weft_status take_dims(parser *p, weft_dims *d)
{
    *d = (weft_dims){ 0 };
    WEFT_TRY(expect(p, '['));
    if (accept(p, ']')) return WEFT_OK;
    do {
        if (d->rank == WEFT_MAX_RANK) return fail(p, "too many dimensions");
        WEFT_TRY(take_dim(p, &d->d[d->rank]));
        d->rank++;
    } while (accept(p, ','));
    return expect(p, ']');
}

static weft_status take_dtype(parser *p, weft_dtype *t)
{
    char name[MAX_WORD];
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take(p, "", name, "expected a type"));
    return weft_dtype_parse(name, t) ? WEFT_OK : fail_word(p, start, "no type is called", name);
}

/* ---- attributes, by the type of the field ---- */

static weft_status take_f32_field(parser *p, void *field)
{
    float x = 0;
    uint32_t bits;
    bool is_bits;
    WEFT_TRY(take_float(p, 8, &is_bits, &bits, &x));
    memcpy(field, is_bits ? (void *)&bits : (void *)&x, sizeof x);
    return WEFT_OK;
}

static weft_status take_i32_field(parser *p, void *field)
{
    int64_t x;
    WEFT_TRY(take_int(p, INT32_MIN, INT32_MAX, &x));
    int32_t narrow = (int32_t)x;
    memcpy(field, &narrow, sizeof narrow);
    return WEFT_OK;
}

static weft_status take_i64_field(parser *p, void *field)
{
    int64_t x;
    WEFT_TRY(take_int(p, INT64_MIN, INT64_MAX, &x));
    memcpy(field, &x, sizeof x);
    return WEFT_OK;
}

static weft_status take_dtype_field(parser *p, void *field)
{
    weft_dtype t;
    WEFT_TRY(take_dtype(p, &t));
    memcpy(field, &t, sizeof t);
    return WEFT_OK;
}

static weft_status take_act_field(parser *p, void *field)
{
    char name[MAX_WORD];
    weft_act act;
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take(p, "", name, "expected an activation"));
    if (!weft__act_parse(name, &act)) return fail_word(p, start, "no activation is called", name);
    memcpy(field, &act, sizeof act);
    return WEFT_OK;
}

static weft_status take_dims_field(parser *p, void *field)
{
    weft_dims d;
    WEFT_TRY(take_dims(p, &d));
    memcpy(field, &d, sizeof d);
    return WEFT_OK;
}

static weft_status take_perm_field(parser *p, void *field)
{
    weft_perm perm = { 0 };
    WEFT_TRY(expect(p, '('));
    if (!accept(p, ')')) {
        do {
            int64_t x;
            if (perm.rank == WEFT_MAX_RANK) return fail(p, "too many axes");
            WEFT_TRY(take_int(p, 0, WEFT_MAX_RANK - 1, &x));
            perm.axis[perm.rank++] = (uint8_t)x;
        } while (accept(p, ','));
        WEFT_TRY(expect(p, ')'));
    }
    memcpy(field, &perm, sizeof perm);
    return WEFT_OK;
}

/* {name = value, ..}: every field of the op once, in any order. */
static weft_status take_attrs(parser *p, weft_op op, weft_attrs *attrs)
{
    static weft_status (*const field_of[])(parser *, void *) = {
        [ATTR_f32] = take_f32_field,     [ATTR_i32] = take_i32_field, [ATTR_i64] = take_i64_field,
        [ATTR_dtype] = take_dtype_field, [ATTR_act] = take_act_field, [ATTR_dims] = take_dims_field,
        [ATTR_perm] = take_perm_field,
    };
    uint32_t n, seen = 0;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    memset(attrs, 0, sizeof *attrs);
    if (!n) return WEFT_OK;
    WEFT_TRY(expect(p, '{'));
    do {
        char name[MAX_WORD];
        skip_blanks(p);
        const char *start = p->at;
        uint32_t i = 0;
        WEFT_TRY(take(p, "", name, "expected an attribute"));
        while (i < n && strcmp(f[i].name, name)) i++;
        if (i == n || (seen >> i & 1))
            return fail_word(p, start, i == n ? "no attribute is called" : "given twice:", name);
        seen |= 1u << i;
        WEFT_TRY(expect(p, '='));
        WEFT_TRY(field_of[f[i].type](p, (char *)attrs + f[i].offset));
    } while (accept(p, ','));
    for (uint32_t i = 0; i < n; i++)
        if (!(seen >> i & 1)) return fail_word(p, p->at, "missing attribute", f[i].name);
    return expect(p, '}');
}

/* ---- node lines ---- */

/* What a node's line says. */
typedef struct line {
    weft__node_desc d;
    weft_attrs attrs;
    weft_ref in[WEFT_MAX_INPUTS];
    uint32_t n_out, n_types;
    weft_dtype dtype[WEFT_MAX_OUTPUTS];
    weft_dims dims[WEFT_MAX_OUTPUTS];
    char name[MAX_STRING], scope[MAX_STRING];
} line;

static weft_status take_element(parser *p, weft_dtype t)
{
    unsigned char bytes[4];
    size_t size = weft_dtype_get(t)->bytes;
    float x = 0;
    uint32_t bits = 0;
    bool is_bits;
    if (t == WEFT_I32) {
        WEFT_TRY(take_i32_field(p, bytes));
    } else {
        WEFT_TRY(take_float(p, 2 * size, &is_bits, &bits, &x));
        uint16_t half = (uint16_t)bits;
        if (!is_bits)
            weft__convert_row(WEFT_F32, &x, t, bytes, 1);
        else if (size == 2)
            memcpy(bytes, &half, sizeof half);
        else
            memcpy(bytes, &bits, sizeof bits);
    }
    if (!weft__grow(&p->data, &p->data_cap, p->n_data + size, 1)) return WEFT_OOM_FAIL(p->err, "a constant");
    memcpy(p->data + p->n_data, bytes, size);
    p->n_data += size;
    return WEFT_OK;
}

/* The elements of a constant, as many as its dims say. */
static weft_status take_data(parser *p, line *l)
{
    weft_dtype_class c = l->n_types ? weft_dtype_get(l->dtype[0])->class_ : WEFT_DTYPE_NONE;
    const char *start = p->at;
    uint64_t want;
    int64_t n = 1;
    if (l->d.op != WEFT_OP_constant || (c != WEFT_DTYPE_FLOAT && c != WEFT_DTYPE_INT))
        return fail(p, "data is for constants of a plain type");
    weft_status s = weft__value_check(p->g, l->dtype[0], &l->dims[0], p->err);
    if (s != WEFT_OK) return annotate(p, start, s);
    for (uint32_t i = 0; i < l->dims[0].rank; i++) n *= l->dims[0].d[i].n;
    do WEFT_TRY(take_element(p, l->dtype[0]));
    while (accept(p, ','));
    if (!weft_dtype_row_bytes(l->dtype[0], n, &want) || want != p->n_data)
        return fail_at(p, start, "the number of elements does not fit the dimensions");
    l->d.data = p->data;
    return WEFT_OK;
}

static weft_status take_origins(parser *p)
{
    do {
        int64_t id;
        WEFT_TRY(take_int(p, 1, UINT32_MAX, &id));
        if (!weft__grow(&p->origins, &p->origin_cap, p->n_origins + 1, sizeof *p->origins))
            return WEFT_OOM_FAIL(p->err, "origins");
        p->origins[p->n_origins++] = (uint32_t)id;
    } while (accept(p, ','));
    return WEFT_OK;
}

/* : types  @ "scope"  node id  from ids  data elements; each may be absent, the order is fixed. */
static weft_status take_clauses(parser *p, line *l)
{
    if (accept(p, ':')) {
        do {
            if (l->n_types == l->n_out) return fail(p, "more types than results");
            WEFT_TRY(take_dtype(p, &l->dtype[l->n_types]));
            WEFT_TRY(take_dims(p, &l->dims[l->n_types]));
            l->n_types++;
        } while (accept(p, ','));
        if (l->n_types != l->n_out) return fail(p, "fewer types than results");
    }
    if (accept(p, '@')) WEFT_TRY(take_string(p, l->scope));
    if (accept_word(p, "node")) WEFT_TRY(take_id(p, &l->d.node_id));
    if (accept_word(p, "from")) WEFT_TRY(take_origins(p));
    if (accept_word(p, "data")) WEFT_TRY(take_data(p, l));
    return WEFT_OK;
}

static weft_status take_op(parser *p, line *l)
{
    char word[MAX_WORD];
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take(p, "", word, "expected an op"));
    if (!weft__op_parse(word, &l->d.op)) return fail_word(p, start, "no op is called", word);
    const weft_op_info *op = weft_op_get(l->d.op);
    if (l->n_out != op->n_out) return fail_word(p, start, "wrong number of results for", word);
    bool source = op->traits & WEFT_TRAIT_SOURCE;
    if (source && l->d.op != WEFT_OP_constant) {
        WEFT_TRY(take_string(p, l->name));
        l->d.name = l->name;
    }
    if (accept(p, '%')) {
        do {
            if (l->d.n_in && !accept(p, '%')) return fail(p, "expected '%'");
            if (l->d.n_in == WEFT_MAX_INPUTS) return fail(p, "too many inputs");
            WEFT_TRY(take_id(p, &l->in[l->d.n_in].id));
            l->d.n_in++;
        } while (accept(p, ','));
    }
    WEFT_TRY(take_attrs(p, l->d.op, &l->attrs));
    WEFT_TRY(take_clauses(p, l));
    if (source && !l->n_types) return fail(p, "a source needs a type");
    if (l->d.op == WEFT_OP_constant && !l->d.data) return fail(p, "a constant needs data");
    return WEFT_OK;
}

/* Types that were given must be those that the shape rule found. */
static weft_status compare_types(const parser *p, const weft_node *n, const line *l, const char *start)
{
    char have[160], want[160];
    for (uint32_t i = 0; i < l->n_types; i++) {
        const weft_value *v = weft_graph_value(p->g, n->out[i]);
        if (v->dtype == l->dtype[i] && weft__dims_equal(&v->dims, &l->dims[i])) continue;
        return annotate(p, start,
                        WEFT_FAIL(p->err, WEFT_SHAPE, "%%%u is given as %s%s, but is %s%s", n->out[i].id,
                                  weft_dtype_get(l->dtype[i])->name,
                                  weft__dims_text(p->g, &l->dims[i], have, sizeof have), weft_dtype_get(v->dtype)->name,
                                  weft__dims_text(p->g, &v->dims, want, sizeof want)));
    }
    return WEFT_OK;
}

static bool set_origins(parser *p, weft_node *n)
{
    uint32_t *ids = weft__arena_alloc(&p->g->arena, p->n_origins, sizeof *ids);
    if (!ids) return false;
    memcpy(ids, p->origins, p->n_origins * sizeof *ids);
    n->origin = ids;
    n->n_origin = (uint32_t)p->n_origins;
    return true;
}

/* %1, %2 = op "name" %3, %4 {attributes} clauses */
static weft_status take_node(parser *p)
{
    line l = { 0 };
    p->n_origins = p->n_data = 0;
    const char *start = p->at;
    do {
        if (l.n_out == WEFT_MAX_OUTPUTS) return fail(p, "too many results");
        WEFT_TRY(expect(p, '%'));
        WEFT_TRY(take_id(p, &l.d.value_id[l.n_out++]));
    } while (accept(p, ','));
    WEFT_TRY(expect(p, '='));
    l.d.node_id = l.d.value_id[0];
    WEFT_TRY(take_op(p, &l));
    l.d.attrs = &l.attrs;
    l.d.in = l.in;
    l.d.scope = l.scope;
    l.d.dims = &l.dims[0];
    weft_status s = WEFT_OK;
    if (l.d.op == WEFT_OP_weight) s = weft__graph_weight_dtype(p->g, l.name, &l.dtype[0], p->err);
    l.d.dtype = l.dtype[0];
    weft_error err;
    weft_node *n = s == WEFT_OK ? weft__graph_make(p->g, &l.d, &err) : NULL;
    if (s == WEFT_OK && !n) {
        s = err.status;
        if (p->err) *p->err = err;
    }
    if (!n) return annotate(p, start, s);
    if (p->n_origins && !set_origins(p, n)) return WEFT_OOM_FAIL(p->err, "origins");
    return compare_types(p, n, &l, start);
}

/* ---- other lines ---- */

static weft_status take_extent(parser *p)
{
    char name[MAX_WORD];
    int64_t bound;
    uint32_t extent, before = p->g->n_extents;
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take(p, "", name, "expected an extent's name"));
    WEFT_TRY(take_int(p, 1, UINT32_MAX, &bound));
    weft_status s = weft__graph_add_extent(p->g, name, (uint32_t)bound, &extent, p->err);
    if (s != WEFT_OK) return annotate(p, start, s);
    return p->g->n_extents > before ? WEFT_OK : fail_word(p, start, "given twice: extent", name);
}

static weft_status take_output(parser *p)
{
    char name[MAX_STRING];
    weft_ref r;
    skip_blanks(p);
    const char *start = p->at;
    WEFT_TRY(take_string(p, name));
    WEFT_TRY(expect(p, '='));
    WEFT_TRY(expect(p, '%'));
    WEFT_TRY(take_id(p, &r.id));
    weft_status s = weft__graph_add_output(p->g, r, name, p->err);
    return s == WEFT_OK ? s : annotate(p, start, s);
}

static weft_status take_text(parser *p)
{
    bool headed = false;
    for (; p->at < p->end;) {
        if (at_line_end(p)) {
            WEFT_TRY(end_line(p));
            continue;
        }
        if (!headed) {
            int64_t version;
            if (!accept_word(p, "weft-graph")) return fail(p, "this is not a weft-graph text");
            WEFT_TRY(take_int(p, 0, INT64_MAX, &version));
            if (version != 1) return fail(p, "only version 1 of the text form is known");
            headed = true;
        } else if (peek(p) == '%') {
            WEFT_TRY(take_node(p));
        } else if (accept_word(p, "extent")) {
            WEFT_TRY(take_extent(p));
        } else if (accept_word(p, "output")) {
            WEFT_TRY(take_output(p));
        } else {
            return fail(p, "expected a node, an extent or an output");
        }
        WEFT_TRY(end_line(p));
    }
    weft_status s = headed ? weft_graph_seal(p->g, p->err) : fail(p, "this is not a weft-graph text");
    return headed && s != WEFT_OK ? weft__annotate(p->err, s, "%s", p->origin) : s;
}

weft_status weft_graph_parse(const char *text, size_t n, const char *origin, const weft_graph_desc *desc,
                             weft_graph **out, weft_error *err)
{
    *out = NULL;
    parser p = { .at = text, .end = text + n, .line_start = text, .line = 1, .err = err };
    p.origin = origin ? origin : "graph";
    /* A graph that passes have worked on numbers its values with gaps; the arrays by id must still not outgrow the
     * text. */
    p.max_id = n < UINT32_MAX / 2 ? 65535 + (uint32_t)n : UINT32_MAX / 2;
    WEFT_TRY(weft_graph_create(desc, &p.g, err));
    weft_status s = take_text(&p);
    free(p.origins);
    free(p.data);
    if (s == WEFT_OK)
        *out = p.g;
    else
        weft_graph_destroy(p.g);
    return s;
}
