/* pass_eval.c: element-wise ops whose inputs are all constants are computed once, here.
 *
 * f32 only, in double precision rounded at the end, up to a size at which storing the result is
 * cheaper than redoing it. */
#include "graph/pass.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_ELEMENTS = 1 << 16 };

static double eval_scale(double x, const weft_attrs *a)
{
    return x * (double)a->scale.factor;
}

static double eval_relu(double x, const weft_attrs *a)
{
    (void)a;
    return x < 0 ? 0 : x; /* NaN stays */
}

static double eval_gelu(double x, const weft_attrs *a)
{
    (void)a;
    return x / 2 * (1 + erf(x / sqrt(2)));
}

static double eval_gelu_tanh(double x, const weft_attrs *a)
{
    (void)a;
    return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double eval_sigmoid(double x, const weft_attrs *a)
{
    (void)a;
    return 1 / (1 + exp(-x));
}

static double eval_silu(double x, const weft_attrs *a)
{
    return x * eval_sigmoid(x, a);
}

static double eval_tanh(double x, const weft_attrs *a)
{
    (void)a;
    return tanh(x);
}

static double eval_exp(double x, const weft_attrs *a)
{
    (void)a;
    return exp(x);
}

static double eval_add(double x, double y)
{
    return x + y;
}

static double eval_sub(double x, double y)
{
    return x - y;
}

static double eval_mul(double x, double y)
{
    return x * y;
}

static double eval_div(double x, double y)
{
    return x / y;
}

static double (*const unary[WEFT_OP_COUNT])(double, const weft_attrs *) = {
    [WEFT_OP_scale] = eval_scale,         [WEFT_OP_relu] = eval_relu,       [WEFT_OP_gelu] = eval_gelu,
    [WEFT_OP_gelu_tanh] = eval_gelu_tanh, [WEFT_OP_sigmoid] = eval_sigmoid, [WEFT_OP_silu] = eval_silu,
    [WEFT_OP_tanh] = eval_tanh,           [WEFT_OP_exp] = eval_exp,
};
static double (*const binary[WEFT_OP_COUNT])(double, double) = {
    [WEFT_OP_add] = eval_add,
    [WEFT_OP_sub] = eval_sub,
    [WEFT_OP_mul] = eval_mul,
    [WEFT_OP_div] = eval_div,
};

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
    const float *a = constant_data(g, n->in[0]), *b = NULL;
    if (n->n_in == 2) b = constant_data(g, n->in[1]);
    for (int64_t i = 0; i < count; i++) {
        double x = (double)a[source_element(g, n->in[0], dims, i)];
        out[i] =
            (float)(b ? binary[n->op](x, (double)b[source_element(g, n->in[1], dims, i)]) : unary[n->op](x, &n->attrs));
    }
}

static bool can_evaluate(const weft_graph *g, const weft_node *n)
{
    bool known = (unary[n->op] && n->n_in == 1) || (binary[n->op] && n->n_in == 2);
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
