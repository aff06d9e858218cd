/* read.c: what can be read off a graph: nodes, values, their uses, outputs and extents. */
#include "graph/graph_impl.h"

#include <stdlib.h>

/* ---- nodes and values ---- */

uint32_t weft_graph_node_count(const weft_graph *g)
{
    return g->n_order;
}

const weft_node *weft_graph_node(const weft_graph *g, uint32_t position)
{
    return position < g->n_order ? g->nodes[g->order[position]] : NULL;
}

const weft_node *weft_graph_node_by_id(const weft_graph *g, uint32_t id)
{
    return id && id < g->node_limit ? g->nodes[id] : NULL;
}

const weft_value *weft_graph_value(const weft_graph *g, weft_ref r)
{
    return r.id && r.id < g->value_limit && g->values[r.id].node ? &g->values[r.id] : NULL;
}

uint32_t weft_graph_value_limit(const weft_graph *g)
{
    return g->value_limit;
}

uint32_t weft_graph_node_limit(const weft_graph *g)
{
    return g->node_limit;
}

const weft_named *weft_graph_outputs(const weft_graph *g, uint32_t *n)
{
    *n = g->n_outputs;
    return g->outputs;
}

uint32_t *weft__graph_uses(const weft_graph *g)
{
    uint32_t *uses = calloc(g->value_limit, sizeof *uses);
    if (!uses) return NULL;
    for (uint32_t i = 0; i < g->n_order; i++) {
        const weft_node *n = g->nodes[g->order[i]];
        for (uint32_t j = 0; j < n->n_in; j++) uses[n->in[j].id]++;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++) uses[g->outputs[i].ref.id]++;
    return uses;
}

/* ---- extents ---- */

uint32_t weft_graph_extent_count(const weft_graph *g)
{
    return g->n_extents;
}

const char *weft_graph_extent(const weft_graph *g, uint32_t extent, uint32_t *bound)
{
    if (!extent || extent > g->n_extents) return NULL;
    if (bound) *bound = g->extents[extent - 1].bound;
    return g->extents[extent - 1].name;
}
