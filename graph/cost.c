/* cost.c: the cost rules: one function per rule named in op.def. The planner, the bench and the profile use this one
 * estimate.
 *
 * flops counts a multiply-add as 2 and other arithmetic by round numbers (a norm 8 per element, a softmax 5), which is
 * enough to tell what bounds a node. bytes_read is each input once, bytes_written each result once. */
#include "graph/graph_impl.h"

typedef struct work {
    const weft_graph *g;
    const weft_node *n;
    const int64_t *values; /* of extents; NULL: the bounds */
} work;

static double bytes_in(const work *w, uint32_t i)
{
    return (double)weft_value_bytes(w->g, w->n->in[i], w->values);
}

static double elements(const work *w, weft_ref r)
{
    return (double)weft_value_elements(w->g, r, w->values);
}

/* Every input read, every result written; flops per element of the result. */
static weft_cost stream(const work *w, double flops_per_element)
{
    weft_cost c = { 0 };
    for (uint32_t i = 0; i < w->n->n_in; i++) c.bytes_read += bytes_in(w, i);
    for (uint32_t i = 0; i < w->n->n_out; i++) {
        c.bytes_written += (double)weft_value_bytes(w->g, w->n->out[i], w->values);
        c.flops += flops_per_element * elements(w, w->n->out[i]);
    }
    return c;
}

static weft_cost cost_zero(const work *w)
{
    (void)w;
    return (weft_cost){ 0 };
}

static weft_cost cost_copy(const work *w)
{
    return stream(w, 0);
}

static weft_cost cost_map(const work *w)
{
    return stream(w, 1);
}

/* Work along rows is counted by what is read, for a reduction's result is small. */
static weft_cost cost_rows(const work *w)
{
    weft_cost c = stream(w, 0);
    c.flops = 8 * elements(w, w->n->in[0]);
    return c;
}

/* K multiply-adds per element of the result, twice as many of a gated product; what follows (bias, activation,
 * residuals) counts one each, a norm of x as one by itself. */
static weft_cost cost_matmul(const work *w)
{
    const weft_dims *a = &weft_graph_value(w->g, w->n->in[0])->dims;
    const weft_attr_linear none = { 0 }, *l = w->n->op == WEFT_OP_linear ? &w->n->attrs.linear : &none;
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(w->g, a, w->values, dims);
    weft_cost c = stream(w, (l->gated ? 4 : 2) * (double)dims[a->rank - 1] + (double)(w->n->n_in - 2));
    if (l->norm) c.flops += 8 * elements(w, w->n->in[0]);
    return c;
}

/* Of the experts those that can be chosen are read: in decode as many as a token chooses. */
static weft_cost cost_linear_select(const work *w)
{
    int64_t experts[WEFT_MAX_RANK];
    weft_dims_resolve(w->g, &weft_graph_value(w->g, w->n->in[1])->dims, w->values, experts);
    weft_cost c = stream(w, 2 * (double)experts[2]);
    double chosen = elements(w, w->n->in[2]), all = (double)experts[0];
    if (chosen < all) c.bytes_read -= bytes_in(w, 1) * (1 - chosen / all);
    return c;
}

/* Only the rows that the index names are read. */
static weft_cost cost_gather(const work *w)
{
    const weft_dims *table = &weft_graph_value(w->g, w->n->in[0])->dims;
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(w->g, table, w->values, dims);
    weft_cost c = stream(w, 0);
    double row = bytes_in(w, 0) / (double)dims[0];
    c.bytes_read = bytes_in(w, 1) + row * elements(w, w->n->in[1]);
    return c;
}

/* Of the state only the rows are written, in its own type; the rest of it is not touched. */
static weft_cost cost_store(const work *w)
{
    weft_cost c = stream(w, 0);
    const weft_value *state = weft_graph_value(w->g, w->n->in[0]);
    uint64_t written = 0;
    weft_dtype_row_bytes(state->dtype, weft_value_elements(w->g, w->n->in[1], w->values), &written);
    c.bytes_read -= bytes_in(w, 0);
    c.bytes_written = (double)written;
    c.flops = w->n->n_in > 3 ? 3 * elements(w, w->n->in[1]) : 0; /* rotation */
    return c;
}

/* Of the state a row per sequence is read and written, at most one per token. */
static weft_cost recurrence(const work *w, double flops_per_element)
{
    const weft_node *n = w->n;
    int64_t x[WEFT_MAX_RANK], state[WEFT_MAX_RANK];
    weft_dims_resolve(w->g, &weft_graph_value(w->g, n->in[1])->dims, w->values, x);
    weft_dims_resolve(w->g, &weft_graph_value(w->g, n->in[0])->dims, w->values, state);
    weft_cost c = stream(w, 0);
    double idle = x[0] < state[0] ? 1 - (double)x[0] / (double)state[0] : 0;
    c.bytes_read -= idle * bytes_in(w, 0);
    c.bytes_written -= idle * bytes_in(w, 0);
    c.flops = flops_per_element * elements(w, n->out[1]);
    return c;
}

static weft_cost cost_conv1d(const work *w)
{
    int64_t weight[WEFT_MAX_RANK];
    weft_dims_resolve(w->g, &weft_graph_value(w->g, w->n->in[2])->dims, w->values, weight);
    return recurrence(w, 2 * (double)weight[1]);
}

static weft_cost cost_linear_scan(const work *w)
{
    return recurrence(w, 2);
}

/* Which cells a query sees is data. As many tokens as a sequence has cells is taken as one causal sequence, which sees
 * half of them on average; else every query is taken to see all of them. Two products and a softmax per cell seen. With
 * pages a sequence has N x page cells, of those that there are, and no more of K and V is read than the tokens'
 * sequences have. */
static weft_cost cost_attention(const work *w)
{
    int64_t q[WEFT_MAX_RANK], k[WEFT_MAX_RANK], v[WEFT_MAX_RANK], pages[WEFT_MAX_RANK];
    int64_t page = w->n->attrs.attention.page;
    weft_dims_resolve(w->g, &weft_graph_value(w->g, w->n->in[0])->dims, w->values, q);
    weft_dims_resolve(w->g, &weft_graph_value(w->g, w->n->in[1])->dims, w->values, k);
    weft_dims_resolve(w->g, &weft_graph_value(w->g, w->n->in[2])->dims, w->values, v);
    weft_cost c = stream(w, 0);
    double cells = (double)k[1];
    if (page) {
        weft_dims_resolve(w->g, &weft_graph_value(w->g, w->n->in[6])->dims, w->values, pages);
        if (pages[1] * page < k[1]) cells = (double)(pages[1] * page);
        double read = cells * (double)(q[0] < pages[0] ? q[0] : pages[0]) / (double)k[1];
        if (read < 1) c.bytes_read -= (1 - read) * (bytes_in(w, 1) + bytes_in(w, 2));
    }
    double seen = (double)q[0] == cells ? (cells + 1) / 2 : cells;
    c.flops = (double)q[0] * (double)q[1] * seen * (2 * (double)(q[2] + v[2]) + 5);
    return c;
}

typedef weft_cost cost_fn(const work *w);
static cost_fn *const cost_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) [WEFT_OP_##name] = cost_##cost,
#include "op.def"
#undef WEFT_OP
};

weft_cost weft_node_cost(const weft_graph *g, const weft_node *n, const int64_t *values)
{
    work w = { g, n, values };
    return cost_of_op[n->op](&w);
}
