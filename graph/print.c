/* print.c: the text form of a graph (docs/graph-text.md), one line per extent, node and output.
 *
 * Written from the rows of op.def and attr.def alone. A write that fails makes the printer fall silent; the one check
 * at the end reports it. */
#include "graph/attr.h"
#include "graph/convert.h"
#include "graph/graph_impl.h"
#include "graph/number.h"
#include "graph/rope.h"

#include <inttypes.h>
#include <string.h>

typedef struct printer {
    const weft_graph *g;
    const weft_writer *w;
    bool ok;
} printer;

/* Its arguments are not evaluated once a write has failed. */
#define PUT(p, ...) ((p)->ok = (p)->ok && weft_writef((p)->w, __VA_ARGS__))

static void put_string(printer *p, const char *s)
{
    PUT(p, "\"");
    for (size_t plain;; s += plain + 1) {
        plain = strcspn(s, "\"\\");
        PUT(p, "%.*s", (int)plain, s);
        if (!s[plain]) break;
        PUT(p, "\\%c", s[plain]);
    }
    PUT(p, "\"");
}

static void put_dims(printer *p, const weft_dims *d)
{
    PUT(p, "[");
    for (uint32_t i = 0; i < d->rank; i++) {
        const char *extent = weft_graph_extent(p->g, d->d[i].extent, NULL);
        if (i) PUT(p, ", ");
        if (!extent || d->d[i].n != 1) PUT(p, "%" PRId64, d->d[i].n);
        if (extent) PUT(p, d->d[i].n == 1 ? "%s" : "*%s", extent);
    }
    PUT(p, "]");
}

static void put_perm(printer *p, const weft_perm *perm)
{
    PUT(p, "(");
    for (uint32_t i = 0; i < perm->rank; i++) PUT(p, i ? ", %u" : "%u", perm->axis[i]);
    PUT(p, ")");
}

static void put_float(printer *p, float x)
{
    char buf[WEFT__FLOAT_TEXT];
    PUT(p, "%s", weft__float_text(x, buf));
}

/* ---- attributes, by the type of the field ---- */

static void put_f32(printer *p, const void *field)
{
    float x;
    memcpy(&x, field, sizeof x);
    put_float(p, x);
}

static void put_i32(printer *p, const void *field)
{
    int32_t x;
    memcpy(&x, field, sizeof x);
    PUT(p, "%" PRId32, x);
}

static void put_i64(printer *p, const void *field)
{
    int64_t x;
    memcpy(&x, field, sizeof x);
    PUT(p, "%" PRId64, x);
}

static void put_dtype(printer *p, const void *field)
{
    weft_dtype x;
    memcpy(&x, field, sizeof x);
    PUT(p, "%s", weft_dtype_get(x)->name);
}

static void put_act(printer *p, const void *field)
{
    weft_act x;
    memcpy(&x, field, sizeof x);
    PUT(p, "%s", weft__act_name(x));
}

static void put_rope(printer *p, const void *field)
{
    weft_rope_kind x;
    memcpy(&x, field, sizeof x);
    PUT(p, "%s", weft__rope_name(x));
}

static void put_dims_field(printer *p, const void *field)
{
    weft_dims x;
    memcpy(&x, field, sizeof x);
    put_dims(p, &x);
}

static void put_perm_field(printer *p, const void *field)
{
    weft_perm x;
    memcpy(&x, field, sizeof x);
    put_perm(p, &x);
}

static void put_attrs(printer *p, const weft_node *n)
{
    static void (*const put[])(printer *, const void *) = {
        [ATTR_f32] = put_f32,         [ATTR_i32] = put_i32,         [ATTR_i64] = put_i64, [ATTR_dtype] = put_dtype,
        [ATTR_dims] = put_dims_field, [ATTR_perm] = put_perm_field, [ATTR_act] = put_act,
        [ATTR_rope] = put_rope,
    };
    uint32_t n_fields;
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    for (uint32_t i = 0; i < n_fields; i++) {
        if (!weft__attr_shown(&f[i], &n->attrs)) continue;
        PUT(p, i ? ", %s = " : " {%s = ", f[i].name);
        put[f[i].type](p, (const char *)&n->attrs + f[i].offset);
    }
    if (n_fields) PUT(p, "}");
}

/* ---- lines ---- */

/* 16-bit floats are written as the f32 of the same value; what is not finite, as its own bits. */
static void put_half(printer *p, uint16_t h, float x)
{
    if (x - x == 0)
        put_float(p, x);
    else
        PUT(p, "0x%04x", h);
}

static void put_data(printer *p, const weft_node *n)
{
    weft_dtype t = weft_graph_value(p->g, n->out[0])->dtype;
    size_t size = weft_dtype_get(t)->bytes, count = (size_t)weft_value_elements(p->g, n->out[0], NULL);
    const char *data = n->data;
    PUT(p, " data ");
    for (size_t i = 0; i < count && p->ok; i++, data += size) {
        uint16_t h;
        memcpy(&h, data, sizeof h);
        if (i) PUT(p, ", ");
        if (t == WEFT_F32) put_f32(p, data);
        if (t == WEFT_I32) put_i32(p, data);
        if (t == WEFT_F16) put_half(p, h, weft__f32_from_f16(h));
        if (t == WEFT_BF16) put_half(p, h, weft__f32_from_bf16(h));
    }
}

static void put_node(printer *p, const weft_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++) PUT(p, i ? ", %%%u" : "%%%u", n->out[i].id);
    PUT(p, " = %s", weft_op_get(n->op)->name);
    if (n->name) {
        PUT(p, " ");
        put_string(p, n->name);
    }
    for (uint32_t i = 0; i < n->n_in; i++) PUT(p, i ? ", %%%u" : " %%%u", n->in[i].id);
    put_attrs(p, n);
    for (uint32_t i = 0; i < n->n_out; i++) {
        const weft_value *v = weft_graph_value(p->g, n->out[i]);
        PUT(p, i ? ", %s" : " : %s", weft_dtype_get(v->dtype)->name);
        put_dims(p, &v->dims);
    }
    if (*n->scope) {
        PUT(p, " @ ");
        put_string(p, n->scope);
    }
    if (n->id != n->out[0].id) PUT(p, " node %u", n->id);
    for (uint32_t i = 0; i < n->n_origin; i++) PUT(p, i ? ", %u" : " from %u", n->origin[i]);
    if (n->data) put_data(p, n);
    PUT(p, "\n");
}

weft_status weft_graph_print(const weft_graph *g, const weft_writer *w, weft_error *err)
{
    printer p = { g, w, true };
    PUT(&p, "weft-graph 1\n");
    for (uint32_t i = 0; i < g->n_extents; i++) PUT(&p, "extent %s %u\n", g->extents[i].name, g->extents[i].bound);
    for (uint32_t i = 0; i < g->n_order && p.ok; i++) put_node(&p, g->nodes[g->order[i]]);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        PUT(&p, "output ");
        put_string(&p, g->outputs[i].name);
        PUT(&p, " = %%%u\n", g->outputs[i].ref.id);
    }
    return p.ok ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a graph's text could not be written");
}
