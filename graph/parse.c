/* parse.c: reads the text form of a graph back (docs/graph-text.md).
 *
 * One cursor (scan.h) walks the text, line by line; every statement ends at the end of its line. Nodes are made by
 * weft__graph_make, which checks them, and the finished graph is sealed, which verifies it. What the text may ask for
 * in memory is bounded by its own size. Errors read "origin:line:column: fault". */
#include "graph/attr.h"
#include "graph/convert.h"
#include "graph/graph_impl.h"
#include "graph/number.h"
#include "graph/scan.h"
#include "graph/rope.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NOT_A_GRAPH[] = "this is not a weft-graph text";

typedef struct parser {
    weft_graph *g;
    weft__scanner in;
    uint32_t max_id;
    uint32_t *origins; /* the list of a `from` clause */
    size_t origin_cap, n_origins;
    unsigned char *data; /* the elements of a `data` clause */
    size_t data_cap, n_data;
} parser;

static weft_status take_id(parser *p, uint32_t *out)
{
    int64_t x;
    WEFT_TRY(weft__scan_int(&p->in, 1, p->max_id, &x));
    *out = (uint32_t)x;
    return WEFT_OK;
}

/* ---- dims and types ---- */

static weft_status take_dim(parser *p, weft_dim *d)
{
    char name[WEFT__SCAN_WORD];
    d->n = 1;
    weft__scan_blanks(&p->in);
    if (weft__scan_is_digit(weft__scan_peek(&p->in))) {
        WEFT_TRY(weft__scan_int(&p->in, 1, INT64_MAX, &d->n));
        if (!weft__scan_accept(&p->in, '*')) return WEFT_OK;
    }
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_word(&p->in, "", name, "expected a dimension"));
    for (uint32_t i = 0; i < p->g->n_extents; i++)
        if (!strcmp(p->g->extents[i].name, name)) d->extent = i + 1;
    return d->extent ? WEFT_OK : weft__scan_fail_word(&p->in, start, "no extent is called", name);
}

static weft_status take_dims(parser *p, weft_dims *d)
{
    *d = (weft_dims){ 0 };
    WEFT_TRY(weft__scan_expect(&p->in, '['));
    if (weft__scan_accept(&p->in, ']')) return WEFT_OK;
    do {
        if (d->rank == WEFT_MAX_RANK) return weft__scan_fail(&p->in, "too many dimensions");
        WEFT_TRY(take_dim(p, &d->d[d->rank]));
        d->rank++;
    } while (weft__scan_accept(&p->in, ','));
    return weft__scan_expect(&p->in, ']');
}

static weft_status take_dtype(parser *p, weft_dtype *t)
{
    char name[WEFT__SCAN_WORD];
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_word(&p->in, "", name, "expected a type"));
    return weft_dtype_parse(name, t) ? WEFT_OK : weft__scan_fail_word(&p->in, start, "no type is called", name);
}

/* ---- attributes, by the type of the field ---- */

static weft_status take_f32_field(parser *p, void *field)
{
    float x = 0;
    uint32_t bits;
    bool is_bits;
    WEFT_TRY(weft__scan_float(&p->in, 8, &is_bits, &bits, &x));
    memcpy(field, is_bits ? (void *)&bits : (void *)&x, sizeof x);
    return WEFT_OK;
}

static weft_status take_i32_field(parser *p, void *field)
{
    int64_t x;
    WEFT_TRY(weft__scan_int(&p->in, INT32_MIN, INT32_MAX, &x));
    int32_t narrow = (int32_t)x;
    memcpy(field, &narrow, sizeof narrow);
    return WEFT_OK;
}

static weft_status take_i64_field(parser *p, void *field)
{
    int64_t x;
    WEFT_TRY(weft__scan_int(&p->in, INT64_MIN, INT64_MAX, &x));
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
    char name[WEFT__SCAN_WORD];
    weft_act act;
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_word(&p->in, "", name, "expected an activation"));
    if (!weft__act_parse(name, &act)) return weft__scan_fail_word(&p->in, start, "no activation is called", name);
    memcpy(field, &act, sizeof act);
    return WEFT_OK;
}

static weft_status take_rope_field(parser *p, void *field)
{
    char name[WEFT__SCAN_WORD];
    weft_rope_kind kind;
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_word(&p->in, "", name, "expected a kind of rotary embedding"));
    if (!weft__rope_parse(name, &kind))
        return weft__scan_fail_word(&p->in, start, "no kind of rotary embedding is called", name);
    memcpy(field, &kind, sizeof kind);
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
    WEFT_TRY(weft__scan_expect(&p->in, '('));
    if (!weft__scan_accept(&p->in, ')')) {
        do {
            int64_t x;
            if (perm.rank == WEFT_MAX_RANK) return weft__scan_fail(&p->in, "too many axes");
            WEFT_TRY(weft__scan_int(&p->in, 0, WEFT_MAX_RANK - 1, &x));
            perm.axis[perm.rank++] = (uint8_t)x;
        } while (weft__scan_accept(&p->in, ','));
        WEFT_TRY(weft__scan_expect(&p->in, ')'));
    }
    memcpy(field, &perm, sizeof perm);
    return WEFT_OK;
}

/* {name = value, ..}: every field of the op once, in any order; optional ones are 0 if not given. */
static weft_status take_attrs(parser *p, weft_op op, weft_attrs *attrs)
{
    static weft_status (*const field_of[])(parser *, void *) = {
        [ATTR_f32] = take_f32_field,     [ATTR_i32] = take_i32_field, [ATTR_i64] = take_i64_field,
        [ATTR_dtype] = take_dtype_field, [ATTR_act] = take_act_field, [ATTR_dims] = take_dims_field,
        [ATTR_perm] = take_perm_field,   [ATTR_rope] = take_rope_field,
    };
    uint32_t n, seen = 0;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    memset(attrs, 0, sizeof *attrs);
    if (!n) return WEFT_OK;
    WEFT_TRY(weft__scan_expect(&p->in, '{'));
    do {
        char name[WEFT__SCAN_WORD];
        weft__scan_blanks(&p->in);
        const char *start = p->in.at;
        uint32_t i = 0;
        WEFT_TRY(weft__scan_word(&p->in, "", name, "expected an attribute"));
        while (i < n && strcmp(f[i].name, name)) i++;
        if (i == n || (seen >> i & 1))
            return weft__scan_fail_word(&p->in, start, i == n ? "no attribute is called" : "given twice:", name);
        seen |= 1u << i;
        WEFT_TRY(weft__scan_expect(&p->in, '='));
        WEFT_TRY(field_of[f[i].type](p, (char *)attrs + f[i].offset));
    } while (weft__scan_accept(&p->in, ','));
    for (uint32_t i = 0; i < n; i++)
        if (!f[i].optional && !(seen >> i & 1))
            return weft__scan_fail_word(&p->in, p->in.at, "missing attribute", f[i].name);
    return weft__scan_expect(&p->in, '}');
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
    char name[WEFT__SCAN_STRING], scope[WEFT__SCAN_STRING];
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
        WEFT_TRY(weft__scan_float(&p->in, 2 * size, &is_bits, &bits, &x));
        uint16_t half = (uint16_t)bits;
        if (!is_bits)
            weft__convert_row(WEFT_F32, &x, t, bytes, 1);
        else if (size == 2)
            memcpy(bytes, &half, sizeof half);
        else
            memcpy(bytes, &bits, sizeof bits);
    }
    if (!weft__grow(&p->data, &p->data_cap, p->n_data + size, 1)) return WEFT_OOM_FAIL(p->in.err, "a constant");
    memcpy(p->data + p->n_data, bytes, size);
    p->n_data += size;
    return WEFT_OK;
}

/* The elements of a constant, as many as its dims say. */
static weft_status take_data(parser *p, line *l)
{
    weft_dtype_class c = l->n_types ? weft_dtype_get(l->dtype[0])->class_ : WEFT_DTYPE_NONE;
    const char *start = p->in.at;
    uint64_t want;
    int64_t n = 1;
    if (l->d.op != WEFT_OP_constant || (c != WEFT_DTYPE_FLOAT && c != WEFT_DTYPE_INT))
        return weft__scan_fail(&p->in, "data is for constants of a plain type");
    weft_status s = weft__value_check(p->g, l->dtype[0], &l->dims[0], p->in.err);
    if (s != WEFT_OK) return weft__scan_annotate(&p->in, start, s);
    for (uint32_t i = 0; i < l->dims[0].rank; i++) n *= l->dims[0].d[i].n;
    do WEFT_TRY(take_element(p, l->dtype[0]));
    while (weft__scan_accept(&p->in, ','));
    if (!weft_dtype_row_bytes(l->dtype[0], n, &want) || want != p->n_data)
        return weft__scan_fail_at(&p->in, start, "the number of elements does not fit the dimensions");
    l->d.data = p->data;
    return WEFT_OK;
}

static weft_status take_origins(parser *p)
{
    do {
        int64_t id;
        WEFT_TRY(weft__scan_int(&p->in, 1, UINT32_MAX, &id));
        if (!weft__grow(&p->origins, &p->origin_cap, p->n_origins + 1, sizeof *p->origins))
            return WEFT_OOM_FAIL(p->in.err, "origins");
        p->origins[p->n_origins++] = (uint32_t)id;
    } while (weft__scan_accept(&p->in, ','));
    return WEFT_OK;
}

/* : types  @ "scope"  node id  from ids  data elements; each may be absent, the order is fixed. */
static weft_status take_clauses(parser *p, line *l)
{
    if (weft__scan_accept(&p->in, ':')) {
        do {
            if (l->n_types == l->n_out) return weft__scan_fail(&p->in, "more types than results");
            WEFT_TRY(take_dtype(p, &l->dtype[l->n_types]));
            WEFT_TRY(take_dims(p, &l->dims[l->n_types]));
            l->n_types++;
        } while (weft__scan_accept(&p->in, ','));
        if (l->n_types != l->n_out) return weft__scan_fail(&p->in, "fewer types than results");
    }
    if (weft__scan_accept(&p->in, '@')) WEFT_TRY(weft__scan_string(&p->in, l->scope));
    if (weft__scan_accept_word(&p->in, "node")) WEFT_TRY(take_id(p, &l->d.node_id));
    if (weft__scan_accept_word(&p->in, "from")) WEFT_TRY(take_origins(p));
    if (weft__scan_accept_word(&p->in, "data")) WEFT_TRY(take_data(p, l));
    return WEFT_OK;
}

static weft_status take_op(parser *p, line *l)
{
    char word[WEFT__SCAN_WORD];
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_word(&p->in, "", word, "expected an op"));
    if (!weft__op_parse(word, &l->d.op)) return weft__scan_fail_word(&p->in, start, "no op is called", word);
    const weft_op_info *op = weft_op_get(l->d.op);
    if (l->n_out != op->n_out) return weft__scan_fail_word(&p->in, start, "wrong number of results for", word);
    bool source = op->traits & WEFT_TRAIT_SOURCE;
    if (source && l->d.op != WEFT_OP_constant) {
        WEFT_TRY(weft__scan_string(&p->in, l->name));
        l->d.name = l->name;
    }
    if (weft__scan_accept(&p->in, '%')) {
        do {
            if (l->d.n_in && !weft__scan_accept(&p->in, '%')) return weft__scan_fail(&p->in, "expected '%'");
            if (l->d.n_in == WEFT_MAX_INPUTS) return weft__scan_fail(&p->in, "too many inputs");
            WEFT_TRY(take_id(p, &l->in[l->d.n_in].id));
            l->d.n_in++;
        } while (weft__scan_accept(&p->in, ','));
    }
    WEFT_TRY(take_attrs(p, l->d.op, &l->attrs));
    WEFT_TRY(take_clauses(p, l));
    if (source && !l->n_types) return weft__scan_fail(&p->in, "a source needs a type");
    if (l->d.op == WEFT_OP_constant && !l->d.data) return weft__scan_fail(&p->in, "a constant needs data");
    return WEFT_OK;
}

/* Types that were given must be those that the shape rule found. */
static weft_status compare_types(const parser *p, const weft_node *n, const line *l, const char *start)
{
    char have[160], want[160];
    for (uint32_t i = 0; i < l->n_types; i++) {
        const weft_value *v = weft_graph_value(p->g, n->out[i]);
        if (v->dtype == l->dtype[i] && weft__dims_equal(&v->dims, &l->dims[i])) continue;
        return weft__scan_annotate(&p->in, start,
                        WEFT_FAIL(p->in.err, WEFT_SHAPE, "%%%u is given as %s%s, but is %s%s", n->out[i].id,
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
    const char *start = p->in.at;
    do {
        if (l.n_out == WEFT_MAX_OUTPUTS) return weft__scan_fail(&p->in, "too many results");
        WEFT_TRY(weft__scan_expect(&p->in, '%'));
        WEFT_TRY(take_id(p, &l.d.value_id[l.n_out++]));
    } while (weft__scan_accept(&p->in, ','));
    WEFT_TRY(weft__scan_expect(&p->in, '='));
    l.d.node_id = l.d.value_id[0];
    WEFT_TRY(take_op(p, &l));
    l.d.attrs = &l.attrs;
    l.d.in = l.in;
    l.d.scope = l.scope;
    l.d.dims = &l.dims[0];
    weft_status s = WEFT_OK;
    if (l.d.op == WEFT_OP_weight) s = weft__graph_weight_dtype(p->g, l.name, &l.dtype[0], p->in.err);
    l.d.dtype = l.dtype[0];
    weft_error err;
    weft_node *n = s == WEFT_OK ? weft__graph_make(p->g, &l.d, &err) : NULL;
    if (s == WEFT_OK && !n) {
        s = err.status;
        if (p->in.err) *p->in.err = err;
    }
    if (!n) return weft__scan_annotate(&p->in, start, s);
    if (p->n_origins && !set_origins(p, n)) return WEFT_OOM_FAIL(p->in.err, "origins");
    return compare_types(p, n, &l, start);
}

/* ---- other lines ---- */

static weft_status take_extent(parser *p)
{
    char name[WEFT__SCAN_WORD];
    int64_t bound;
    uint32_t extent, before = p->g->n_extents;
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_word(&p->in, "", name, "expected an extent's name"));
    WEFT_TRY(weft__scan_int(&p->in, 1, UINT32_MAX, &bound));
    weft_status s = weft__graph_add_extent(p->g, name, (uint32_t)bound, &extent, p->in.err);
    if (s != WEFT_OK) return weft__scan_annotate(&p->in, start, s);
    return p->g->n_extents > before ? WEFT_OK : weft__scan_fail_word(&p->in, start, "given twice: extent", name);
}

static weft_status take_output(parser *p)
{
    char name[WEFT__SCAN_STRING];
    weft_ref r;
    weft__scan_blanks(&p->in);
    const char *start = p->in.at;
    WEFT_TRY(weft__scan_string(&p->in, name));
    WEFT_TRY(weft__scan_expect(&p->in, '='));
    WEFT_TRY(weft__scan_expect(&p->in, '%'));
    WEFT_TRY(take_id(p, &r.id));
    weft_status s = weft__graph_add_output(p->g, r, name, p->in.err);
    return s == WEFT_OK ? s : weft__scan_annotate(&p->in, start, s);
}

static weft_status take_text(parser *p)
{
    bool headed = false;
    for (; p->in.at < p->in.end;) {
        if (weft__scan_at_line_end(&p->in)) {
            WEFT_TRY(weft__scan_end_line(&p->in));
            continue;
        }
        if (!headed) {
            int64_t version;
            if (!weft__scan_accept_word(&p->in, "weft-graph")) return weft__scan_fail(&p->in, NOT_A_GRAPH);
            WEFT_TRY(weft__scan_int(&p->in, 0, INT64_MAX, &version));
            if (version != 1) return weft__scan_fail(&p->in, "only version 1 of the text form is known");
            headed = true;
        } else if (weft__scan_peek(&p->in) == '%') {
            WEFT_TRY(take_node(p));
        } else if (weft__scan_accept_word(&p->in, "extent")) {
            WEFT_TRY(take_extent(p));
        } else if (weft__scan_accept_word(&p->in, "output")) {
            WEFT_TRY(take_output(p));
        } else {
            return weft__scan_fail(&p->in, "expected a node, an extent or an output");
        }
        WEFT_TRY(weft__scan_end_line(&p->in));
    }
    weft_status s = headed ? weft_graph_seal(p->g, p->in.err) : weft__scan_fail(&p->in, NOT_A_GRAPH);
    return headed && s != WEFT_OK ? weft__annotate(p->in.err, s, "%s", p->in.origin) : s;
}

weft_status weft_graph_parse(const char *text, size_t n, const char *origin, const weft_graph_desc *desc,
                             weft_graph **out, weft_error *err)
{
    *out = NULL;
    parser p = { .in = { .at = text, .end = text + n, .line_start = text, .line = 1, .err = err } };
    p.in.origin = origin ? origin : "graph";
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
