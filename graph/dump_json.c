/* dump_json.c: a graph as JSON: the stages of docs/dump-format.md, and what each pass did. */
#include "graph/dump.h"

#include "graph/attr.h"
#include "graph/rope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DATA = 16 }; /* constants of more elements are not written out */

/* ---- nodes ---- */

static void put_dims(weft__json *j, const char *key, const weft_graph *g, const weft_dims *d)
{
    weft__json_array(j, key);
    for (uint32_t i = 0; i < d->rank; i++) {
        const char *extent = weft_graph_extent(g, d->d[i].extent, NULL);
        if (!extent) weft__json_i64(j, NULL, d->d[i].n);
        else if (d->d[i].n == 1) weft__json_string(j, NULL, extent);
        else weft__json_stringf(j, NULL, "%" PRId64 "*%s", d->d[i].n, extent);
    }
    weft__json_end_array(j);
}

static void put_attr(weft__json *j, const weft_graph *g, const weft__attr_field *f, const void *field)
{
    weft__attr_any x;
    memcpy(&x, field, weft__attr_size(f));
    switch (f->type) {
    case ATTR_f32: weft__json_f32(j, f->name, x.f32); break;
    case ATTR_i32: weft__json_i64(j, f->name, x.i32); break;
    case ATTR_i64: weft__json_i64(j, f->name, x.i64); break;
    case ATTR_dtype: weft__json_string(j, f->name, weft_dtype_get(x.dtype)->name); break;
    case ATTR_act: weft__json_string(j, f->name, weft__act_name(x.act)); break;
    case ATTR_rope: weft__json_string(j, f->name, weft__rope_name(x.rope)); break;
    case ATTR_dims: put_dims(j, f->name, g, &x.dims); break;
    case ATTR_perm:
        weft__json_array(j, f->name);
        for (uint32_t i = 0; i < x.perm.rank; i++) weft__json_u64(j, NULL, x.perm.axis[i]);
        weft__json_end_array(j);
        break;
    }
}

static void put_ids(weft__json *j, const char *key, const uint32_t *ids, uint32_t n)
{
    weft__json_array(j, key);
    for (uint32_t i = 0; i < n; i++) weft__json_u64(j, NULL, ids[i]);
    weft__json_end_array(j);
}

static void put_refs(weft__json *j, const char *key, const weft_ref *refs, uint32_t n)
{
    weft__json_array(j, key);
    for (uint32_t i = 0; i < n; i++) weft__json_u64(j, NULL, refs[i].id);
    weft__json_end_array(j);
}

static void put_data(weft__json *j, const weft_graph *g, const weft_node *n)
{
    bool whole = weft_graph_value(g, n->out[0])->dtype == WEFT_I32;
    size_t count = (size_t)weft_value_elements(g, n->out[0], NULL);
    if (count > MAX_DATA) return;
    weft__json_array(j, "data");
    for (size_t i = 0; i < count; i++) {
        int32_t x;
        if (whole) memcpy(&x, (const char *)n->data + i * sizeof x, sizeof x);
        if (whole) weft__json_i64(j, NULL, x);
        else weft__json_f32(j, NULL, weft__constant_element(g, n, i));
    }
    weft__json_end_array(j);
}

void weft__json_node(weft__json *j, const weft__stage *s, const weft_node *n)
{
    uint32_t n_fields;
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    weft_cost cost = weft_node_cost(s->g, n, s->values);
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_u64(j, "id", n->id);
    weft__json_string(j, "op", weft_op_get(n->op)->name);
    weft__json_string(j, "scope", n->scope);
    if (n->name) weft__json_string(j, "name", n->name);
    weft__json_object(j, "attrs");
    for (uint32_t i = 0; i < n_fields; i++)
        if (weft__attr_shown(&f[i], &n->attrs)) put_attr(j, s->g, &f[i], (const char *)&n->attrs + f[i].offset);
    weft__json_end_object(j);
    if (n->data) put_data(j, s->g, n);
    put_refs(j, "in", n->in, n->n_in);
    put_refs(j, "out", n->out, n->n_out);
    if (n->n_origin) put_ids(j, "from", n->origin, n->n_origin);
    weft__json_f64(j, "flops", cost.flops);
    weft__json_f64(j, "bytes_read", cost.bytes_read);
    weft__json_f64(j, "bytes_written", cost.bytes_written);
}

void weft__json_value(weft__json *j, const weft__stage *s, weft_ref r)
{
    const weft_value *v = weft_graph_value(s->g, r);
    int64_t shape[WEFT_MAX_RANK];
    weft_dims_resolve(s->g, &v->dims, s->values, shape);
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_u64(j, "id", r.id);
    weft__json_string(j, "dtype", weft_dtype_get(v->dtype)->name);
    put_dims(j, "dims", s->g, &v->dims);
    weft__json_array(j, "shape");
    for (uint32_t i = 0; i < v->dims.rank; i++) weft__json_i64(j, NULL, shape[i]);
    weft__json_end_array(j);
    weft__json_u64(j, "bytes", weft_value_bytes(s->g, r, s->values));
}

void weft__json_stage_begin(weft__json *j, const weft__stage *s)
{
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_string(j, "name", s->name);
    weft__json_array(j, "nodes");
}

void weft__json_stage_next(weft__json *j)
{
    weft__json_end_array(j);
    weft__json_line(j);
    weft__json_array(j, "values");
}

void weft__json_stage_end(weft__json *j, const weft__stage *s)
{
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(s->g, &n_outputs);
    weft__json_end_array(j);
    weft__json_line(j);
    weft__json_array(j, "outputs");
    for (uint32_t i = 0; i < n_outputs; i++) {
        weft__json_object(j, NULL);
        weft__json_string(j, "name", outputs[i].name);
        weft__json_u64(j, "value", outputs[i].ref.id);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
    weft__json_end_object(j);
}

void weft__json_stage(weft__json *j, const weft__stage *s)
{
    uint32_t count = weft_graph_node_count(s->g);
    weft__json_stage_begin(j, s);
    for (uint32_t i = 0; i < count && j->ok; i++) {
        weft__json_node(j, s, weft_graph_node(s->g, i));
        weft__json_end_object(j);
    }
    weft__json_stage_next(j);
    for (uint32_t i = 0; i < count && j->ok; i++) {
        const weft_node *n = weft_graph_node(s->g, i);
        for (uint32_t k = 0; k < n->n_out; k++) {
            weft__json_value(j, s, n->out[k]);
            weft__json_end_object(j);
        }
    }
    weft__json_stage_end(j, s);
}

/* ---- documents ---- */

void weft__json_head(weft__json *j, const char *title)
{
    weft__json_string(j, "format", "weft-dump");
    weft__json_u64(j, "version", 1);
    weft__json_stringf(j, "generator", "weft %s", weft_version());
    weft__json_string(j, "title", title ? title : "");
}

void weft__json_extents(weft__json *j, const weft_graph *g, const int64_t *bounds, const int64_t *values)
{
    weft__json_array(j, "extents");
    for (uint32_t i = 0; i < weft_graph_extent_count(g); i++) {
        uint32_t bound;
        const char *name = weft_graph_extent(g, i + 1, &bound);
        int64_t most = bounds ? bounds[i] : bound;
        weft__json_object(j, NULL);
        weft__json_string(j, "name", name);
        weft__json_i64(j, "bound", most);
        weft__json_i64(j, "value", values ? values[i] : most);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
}

/* ---- passes ---- */

static bool same_inputs(const weft_node *a, const weft_node *b)
{
    return a->n_in == b->n_in && (!a->n_in || !memcmp(a->in, b->in, a->n_in * sizeof *a->in));
}

static void put_added(weft__json *j, const weft_node *n)
{
    weft__json_object(j, NULL);
    weft__json_u64(j, "id", n->id);
    weft__json_string(j, "op", weft_op_get(n->op)->name);
    weft__json_string(j, "scope", n->scope);
    if (n->n_origin) put_ids(j, "from", n->origin, n->n_origin);
    weft__json_end_object(j);
}

void weft__json_change(weft__json *j, const char *name, const weft_graph *before, const weft_graph *after)
{
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_string(j, "name", name);
    weft__json_array(j, "removed");
    for (uint32_t i = 0; i < weft_graph_node_count(before); i++) {
        const weft_node *n = weft_graph_node(before, i);
        if (!weft_graph_node_by_id(after, n->id)) weft__json_u64(j, NULL, n->id);
    }
    weft__json_end_array(j);
    weft__json_array(j, "added");
    for (uint32_t i = 0; i < weft_graph_node_count(after); i++) {
        const weft_node *n = weft_graph_node(after, i);
        if (!weft_graph_node_by_id(before, n->id)) put_added(j, n);
    }
    weft__json_end_array(j);
    weft__json_array(j, "rewired");
    for (uint32_t i = 0; i < weft_graph_node_count(after); i++) {
        const weft_node *n = weft_graph_node(after, i), *old = weft_graph_node_by_id(before, n->id);
        if (old && !same_inputs(old, n)) weft__json_u64(j, NULL, n->id);
    }
    weft__json_end_array(j);
    weft__json_end_object(j);
}

weft_status weft__json_passes(weft__json *j, weft_graph *g, weft_error *err)
{
    uint32_t n;
    const char *const *names = weft_pass_names(&n);
    for (uint32_t i = 0; i < n; i++) {
        weft_graph *before;
        WEFT_TRY(weft_graph_clone(g, &before, err));
        weft_status s = weft_graph_optimise(g, &names[i], 1, err);
        if (!s) weft__json_change(j, names[i], before, g);
        weft_graph_destroy(before);
        WEFT_TRY(s);
    }
    return WEFT_OK;
}
