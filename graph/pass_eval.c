/* pass_eval.c: element-wise ops whose inputs are all constants are computed once, here.
 *
 * f32 in double precision rounded at the end, and i32, up to a size at which storing the result is
 * cheaper than redoing it. */
#include "graph/map.h"
#include "graph/pass.h"

#include <stdlib.h>

#define MAP_REAL double
#include "graph/map_words.h"

enum { MAX_ELEMENTS = 1 << 16 };

/* An element of the result, of floats and of i32. */
static double value_of(weft_op op, int32_t c, double x, double y, const float *param)
{
    double p = (double)param[0], q = (double)param[1];
    switch ((int)op) {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) \
    case WEFT_OP_##name: return value;
#include "map.def"
#undef WEFT_MAP
    default: return x;
    }
}

static int32_t whole_of(weft_op op, int32_t c, int32_t x, int32_t y)
{
    switch ((int)op) {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) \
    case WEFT_OP_##name: return whole;
#include "map.def"
#undef WEFT_MAP
    default: return x;
    }
}

/* f32 or i32; NULL: no such constant. */
static const void *constant_data(const weft_graph *g, weft_ref r)
{
    const weft_node *n = weft__producer(g, r);
    weft_dtype t = n ? weft_graph_value(g, r)->dtype : WEFT_ANY;
    return n && n->op == WEFT_OP_constant && (t == WEFT_F32 || t == WEFT_I32) ? n->data : NULL;
}

/* The element of input r that belongs to element `at` of the result, by numpy's rules. */
static int64_t source_element(const weft_graph *g, weft_ref r, const weft_dims *out, int64_t at)
{
    const weft_dims *in = &weft_graph_value(g, r)->dims;
    int64_t element = 0, step = 1;
    for (uint32_t i = 0; i < in->rank; i++) { /* from the innermost axis outwards */
        int64_t size = out->d[out->rank - 1 - i].n, own = in->d[in->rank - 1 - i].n;
        if (own != 1) element += at % size * step;
        step *= own;
        at /= size;
    }
    return element;
}

static void evaluate(const weft_graph *g, const weft_node *n, void *out, int64_t count)
{
    const weft_value *v = weft_graph_value(g, n->out[0]);
    weft_ref x = n->in[n->n_in > 2 ? 1 : 0], y = n->in[n->n_in - 1];
    const void *xs = constant_data(g, x), *ys = constant_data(g, y), *cs = constant_data(g, n->in[0]);
    bool whole = weft_graph_value(g, x)->dtype == WEFT_I32;
    float param[2];
    weft__map_params(n->op, &n->attrs, param);
    for (int64_t i = 0; i < count; i++) {
        int64_t ix = source_element(g, x, &v->dims, i), iy = source_element(g, y, &v->dims, i);
        int32_t c = n->n_in > 2 ? ((const int32_t *)cs)[source_element(g, n->in[0], &v->dims, i)] : 0;
        if (whole) {
            ((int32_t *)out)[i] = whole_of(n->op, c, ((const int32_t *)xs)[ix], ((const int32_t *)ys)[iy]);
            continue;
        }
        double value = value_of(n->op, c, (double)((const float *)xs)[ix], (double)((const float *)ys)[iy], param);
        if (v->dtype == WEFT_I32) ((int32_t *)out)[i] = (int32_t)value;
        else ((float *)out)[i] = (float)value;
    }
}

static bool can_evaluate(const weft_graph *g, const weft_node *n)
{
    bool known = weft__map_number(n->op) != 0;
    for (uint32_t i = 0; i < n->n_in && known; i++) known = constant_data(g, n->in[i]);
    return known && weft_value_elements(g, n->out[0], NULL) <= MAX_ELEMENTS;
}

static weft_status replace(weft__edit *e, const weft_node *n, void *data, weft_error *err)
{
    weft_value v = *weft_graph_value(e->g, n->out[0]);
    evaluate(e->g, n, data, weft_value_elements(e->g, n->out[0], NULL));
    weft_node *made = weft__graph_add_source(e->g, WEFT_OP_constant, v.dtype, &v.dims, n->scope, NULL, data, err);
    if (!made) return err->status;
    if (!weft__graph_set_origin(e->g, made, &n->id, 1)) return WEFT_OOM_FAIL(err, "a pass");
    weft__edit_swap(e, n, made);
    return WEFT_OK;
}

weft_status weft__pass_eval(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    void *data = malloc(MAX_ELEMENTS * 4);
    weft_status s = data ? weft__edit_begin(g, &e, err) : WEFT_OOM_FAIL(err, "a pass");
    if (s != WEFT_OK) {
        free(data);
        return s;
    }
    for (uint32_t i = 0; i < e.count && s == WEFT_OK; i++) {
        const weft_node *n = weft_graph_node(g, i);
        weft__edit_inputs(&e, n); /* what it reads may be a constant now */
        if (can_evaluate(g, n)) s = replace(&e, n, data, err);
    }
    weft__edit_end(&e, changed);
    free(data);
    return s;
}
