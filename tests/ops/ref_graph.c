/* ref_graph.c: runs a graph through the oracle, node after node. */
#include "ref_impl.h"

#include <stdio.h>
#include <stdlib.h>

typedef bool ref_fn(const ref_call *c);
static ref_fn *const ref_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) \
    [WEFT_OP_##name] = ref_op_##name,
#include "graph/op.def"
#undef WEFT_OP
};

bool ref_node(const weft_node *n, const ref_tensor *const *in, ref_mode mode,
              const int64_t *extents, ref_tensor *out)
{
    ref_call c = { n, in, n->n_in, mode, extents, out };
    for (uint32_t i = 0; i < n->n_out; i++) out[i] = (ref_tensor){ 0 };
    bool unsure = false;
    for (uint32_t i = 0; i < n->n_in; i++) unsure |= in[i]->unsure;
    if (!ref_of_op[n->op](&c)) return false;
    for (uint32_t i = 0; i < n->n_out; i++) out[i].unsure |= unsure;
    return true;
}

/* The oracle finds a result's type and dims by its own rules; the graph must have come to the same. */
static bool agrees(const weft_graph *g, weft_ref r, const ref_tensor *t, const int64_t *extents)
{
    const weft_value *v = weft_graph_value(g, r);
    int64_t dim[WEFT_MAX_RANK];
    weft_dims_resolve(g, &v->dims, extents, dim);
    bool same = v->dtype == t->dtype && v->dims.rank == t->rank;
    for (uint32_t i = 0; i < t->rank && same; i++) same = dim[i] == t->dim[i];
    if (!same) printf("oracle: value %u: the graph's type or dims are not the oracle's\n", r.id);
    return same;
}

static bool run_node(ref_run *run, const weft_node *n, const int64_t *extents, ref_mode mode,
                     bool (*source)(void *ctx, const weft_node *n, ref_tensor *out), void *ctx)
{
    const ref_tensor *in[WEFT_MAX_INPUTS];
    ref_tensor out[WEFT_MAX_OUTPUTS];
    if (weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) {
        const weft_value *v = weft_graph_value(run->g, n->out[0]);
        int64_t dim[WEFT_MAX_RANK];
        weft_dims_resolve(run->g, &v->dims, extents, dim);
        ref_alloc(&out[0], v->dtype, v->dims.rank, dim);
        if (n->op == WEFT_OP_constant)
            ref_decode(v->dtype, n->data, out[0].n, out[0].v);
        else if (!source(ctx, n, &out[0]))
            return false;
    } else {
        for (uint32_t i = 0; i < n->n_in; i++) in[i] = &run->values[n->in[i].id];
        if (!ref_node(n, in, mode, extents, out)) return false;
    }
    for (uint32_t i = 0; i < n->n_out; i++) {
        run->values[n->out[i].id] = out[i];
        if (!agrees(run->g, n->out[i], &out[i], extents)) return false;
    }
    return true;
}

bool ref_graph(const weft_graph *g, const int64_t *extents, ref_mode mode,
               bool (*source)(void *ctx, const weft_node *n, ref_tensor *out), void *ctx,
               ref_run *run)
{
    *run = (ref_run){ g, NULL, weft_graph_value_limit(g) };
    run->values = calloc(run->n_values, sizeof *run->values);
    bool ok = run->values != NULL;
    for (uint32_t i = 0; i < weft_graph_node_count(g) && ok; i++)
        ok = run_node(run, weft_graph_node(g, i), extents, mode, source, ctx);
    return ok;
}

void ref_run_free(ref_run *run)
{
    for (uint32_t i = 0; run->values && i < run->n_values; i++) ref_free(&run->values[i]);
    free(run->values);
    *run = (ref_run){ 0 };
}
