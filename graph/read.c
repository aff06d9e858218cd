/* read.c: what can be read off a graph: nodes, values, outputs, extents, and dims and sizes at given values of the
 * extents. */
#include "graph/graph_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- extents and dims ---- */

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

bool weft__dims_equal(const weft_dims *a, const weft_dims *b)
{
    if (a->rank != b->rank) return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->d[i].n != b->d[i].n || a->d[i].extent != b->d[i].extent) return false;
    return true;
}

const char *weft__dims_text(const weft_graph *g, const weft_dims *d, char *buf, size_t size)
{
    size_t used = (size_t)snprintf(buf, size, "[");
    for (uint32_t i = 0; i < d->rank && i < WEFT_MAX_RANK && used < size; i++) {
        const char *extent = weft_graph_extent(g, d->d[i].extent, NULL);
        const char *comma = i ? ", " : "";
        long long n = (long long)d->d[i].n;
        int wrote;
        if (!extent)
            wrote = snprintf(buf + used, size - used, d->d[i].extent ? "%s%lld*?" : "%s%lld", comma, n);
        else if (n == 1)
            wrote = snprintf(buf + used, size - used, "%s%s", comma, extent);
        else
            wrote = snprintf(buf + used, size - used, "%s%lld*%s", comma, n, extent);
        used += (size_t)wrote;
    }
    if (used < size) used += (size_t)snprintf(buf + used, size - used, "]");
    if (used >= size && size >= 4) memcpy(buf + size - 4, "...", 4);
    return buf;
}

void weft_dims_resolve(const weft_graph *g, const weft_dims *d, const int64_t *values, int64_t *out)
{
    for (uint32_t i = 0; i < WEFT_MAX_RANK; i++) {
        out[i] = 1;
        if (i >= d->rank) continue;
        uint32_t e = d->d[i].extent;
        out[i] = d->d[i].n;
        if (e) out[i] *= values ? values[e - 1] : (int64_t)g->extents[e - 1].bound;
    }
}

int64_t weft_value_elements(const weft_graph *g, weft_ref r, const int64_t *values)
{
    const weft_value *v = weft_graph_value(g, r);
    if (!v) return 0;
    int64_t dims[WEFT_MAX_RANK], n = 1;
    weft_dims_resolve(g, &v->dims, values, dims);
    for (uint32_t i = 0; i < v->dims.rank; i++) n *= dims[i];
    return n;
}

uint64_t weft_value_bytes(const weft_graph *g, weft_ref r, const int64_t *values)
{
    const weft_value *v = weft_graph_value(g, r);
    uint64_t bytes;
    if (!v || !weft_dtype_row_bytes(v->dtype, weft_value_elements(g, r, values), &bytes)) return 0;
    return bytes;
}
