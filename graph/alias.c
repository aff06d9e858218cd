/* alias.c: which values are the same bytes (alias.h). */
#include "graph/alias.h"

#include <stdlib.h>

weft_ref weft__behind_views(const weft_graph *g, weft_ref r)
{
    const weft_node *n;
    while (weft_op_get((n = weft__maker(g, r))->op)->traits & WEFT_TRAIT_VIEW) r = n->in[0];
    return r;
}

bool weft__is_alias(const weft_graph *g, weft_ref r)
{
    const weft_value *v = weft_graph_value(g, r);
    uint32_t traits = weft_op_get(weft_graph_node_by_id(g, v->node)->op)->traits;
    return traits & WEFT_TRAIT_VIEW || (traits & WEFT_TRAIT_STATE && v->index == 0);
}

uint32_t *weft__overwriters(const weft_graph *g)
{
    uint32_t *by = calloc(weft_graph_value_limit(g), sizeof *by);
    for (uint32_t i = 0; by && i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (weft_op_get(n->op)->traits & WEFT_TRAIT_STATE) by[n->in[0].id] = n->id;
    }
    return by;
}
