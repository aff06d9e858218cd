/* rewrite_scale.c: products times factors that files have beside their weights (rewrite.h). */
#include "graph/rewrite.h"

#include <stdlib.h>

#include "graph/graph_impl.h"

/* The factors as a weight, which several products may have. */
static const weft_node *declare(weft_graph *g, const weft__factor *f, const char *scope, weft_error *err)
{
    const weft_node *known = weft__graph_source(g, WEFT_OP_weight, f->name);
    return known ? known : weft__graph_add_source(g, WEFT_OP_weight, WEFT_F32, &f->dims, scope, f->name, NULL, err);
}

/* Those of the experts that were chosen, as their results lie: [T, K, n], or [T, K, 1]. */
static const weft_node *choose(weft_graph *g, const weft_node *product, weft_ref factors, weft_error *err)
{
    const weft_ref in[2] = { factors, product->in[2] };
    const weft_node *n = weft__graph_add(g, WEFT_OP_gather, NULL, in, 2, product->scope, NULL, err);
    if (!n || weft_graph_value(g, factors)->dims.rank > 1) return n;
    weft_attrs as = { .shape.dims = weft_graph_value(g, n->out[0])->dims };
    as.shape.dims.d[as.shape.dims.rank++] = (weft_dim){ .n = 1 };
    return weft__graph_add(g, WEFT_OP_reshape, &as, n->out, 1, product->scope, NULL, err);
}

static weft_status add(weft_graph *g, const weft__factor *f, weft_ref *out, weft_error *err)
{
    weft_error unread;
    const weft_node *product = g->nodes[f->node];
    if (!err) err = &unread;
    const weft_node *factors = declare(g, f, product->scope, err);
    if (factors && product->op == WEFT_OP_linear_select) factors = choose(g, product, factors->out[0], err);
    if (!factors) return err->status;
    const weft_ref in[2] = { product->out[0], factors->out[0] };
    const weft_node *scaled = weft__graph_add(g, WEFT_OP_mul, NULL, in, 2, product->scope, NULL, err);
    if (!scaled) return err->status;
    *out = scaled->out[0];
    return WEFT_OK;
}

weft_status weft__rewrite_factors(weft_graph *g, const weft__factor *list, uint32_t n, weft_error *err)
{
    const uint32_t nodes = g->node_limit, values = g->value_limit;
    weft_ref *instead = calloc(values, sizeof *instead); /* by value id; 0: itself */
    if (!instead) return WEFT_OOM_FAIL(err, "factors of products");
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; !s && i < n; i++) s = add(g, &list[i], &instead[g->nodes[list[i].node]->out[0].id], err);
    for (uint32_t i = 0; !s && i < nodes; i++) {
        weft_ref *in = g->nodes[i] ? (weft_ref *)(uintptr_t)g->nodes[i]->in : NULL; /* the graph's own */
        for (uint32_t k = 0; in && k < g->nodes[i]->n_in; k++)
            if (instead[in[k].id].id) in[k] = instead[in[k].id];
    }
    for (uint32_t i = 0; !s && i < g->n_outputs; i++) {
        weft_ref *out = &g->outputs[i].ref;
        if (instead[out->id].id) *out = instead[out->id];
    }
    free(instead);
    return s ? s : weft__rewrite_finish(g, err);
}
