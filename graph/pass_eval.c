/* pass_eval.c: element-wise ops whose inputs are all constants are computed once, here.
 *
 * f32 only, in double precision rounded at the end, up to a size at which storing the result is
 * cheaper than redoing it. */
#include "graph/map.h"
#include "graph/pass.h"

#include <stdlib.h>

#define MAP_REAL double
#include "graph/map_words.h"

enum { MAX_ELEMENTS = 1 << 16 };

/* An element of the result. */
static double value_of(weft_op op, double x, double y, double p, double q)
{
    switch ((int)op) {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) \
    case WEFT_OP_##name: return value;
#include "map.def"
#undef WEFT_MAP
    default: return x;
    }
}

static const float *constant_data(const weft_graph *g, weft_ref r)
{
    const weft_node *n = weft__producer(g, r);
    bool fits = n && n->op == WEFT_OP_constant && weft_graph_value(g, r)->dtype == WEFT_F32;
    return fits ? n->data : NULL;
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

static void evaluate(const weft_graph *g, const weft_node *n, float *out, int64_t count)
{
    const weft_dims *dims = &weft_graph_value(g, n->out[0])->dims;
    const float *a = constant_data(g, n->in[0]), *b = constant_data(g, n->in[n->n_in - 1]);
    float param[2];
    weft__map_params(n->op, &n->attrs, param);
    for (int64_t i = 0; i < count; i++) {
        double x = (double)a[source_element(g, n->in[0], dims, i)];
        double y = (double)b[source_element(g, n->in[n->n_in - 1], dims, i)];
        out[i] = (float)value_of(n->op, x, y, (double)param[0], (double)param[1]);
    }
}

static bool can_evaluate(const weft_graph *g, const weft_node *n)
{
    bool known = weft__map_number(n->op) != 0;
    for (uint32_t i = 0; i < n->n_in && known; i++) known = constant_data(g, n->in[i]);
    return known && weft_graph_value(g, n->out[0])->dtype == WEFT_F32 &&
           weft_value_elements(g, n->out[0], NULL) <= MAX_ELEMENTS;
}

static weft_status replace(weft__edit *e, const weft_node *n, float *data, weft_error *err)
{
    weft_dims dims = weft_graph_value(e->g, n->out[0])->dims;
    evaluate(e->g, n, data, weft_value_elements(e->g, n->out[0], NULL));
    weft_node *made = weft__graph_add_source(e->g, WEFT_OP_constant, WEFT_F32, &dims, n->scope, NULL, data, err);
    if (!made) return err->status;
    if (!weft__graph_set_origin(e->g, made, &n->id, 1)) return WEFT_OOM_FAIL(err, "a pass");
    weft__edit_swap(e, n, made);
    return WEFT_OK;
}

weft_status weft__pass_eval(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    float *data = malloc(MAX_ELEMENTS * sizeof *data);
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
