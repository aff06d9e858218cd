/* finite.c: results that are no numbers: where they are, and whether the cache is to blame.
 *
 * Runs look for none of it on the way: a NaN spreads to all that depends on it, so looking at what a session hands out
 * is enough. Stores see to it that this holds for the cache, too: a number that is too large for a cache of f16 is kept
 * as WEFT_F16_OVERFLOW, a NaN with bits of its own. The cache is searched for those only when a result is no number. */
#include "models/finite.h"

#include <stdlib.h>
#include <string.h>

uint32_t weft__count_not_finite(const float *x, uint32_t n, uint32_t *first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        count += (bits & 0x7f800000u) == 0x7f800000u;
    }
    for (*first = 0; count && *first < n; ++*first) {
        uint32_t bits;
        memcpy(&bits, &x[*first], sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) break;
    }
    return count;
}

/* Whether one of the cells [first, first + n) of a dense state, which are along `axis`, holds the mark. */
static bool has_mark(const uint16_t *data, const int64_t *dims, uint32_t rank, uint32_t axis, int64_t first, int64_t n)
{
    int64_t outer = 1, inner = 1;
    for (uint32_t i = 0; i < axis; i++) outer *= dims[i];
    for (uint32_t i = axis + 1; i < rank; i++) inner *= dims[i];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = first * inner; i < (first + n) * inner; i++)
            if ((data[o * dims[axis] * inner + i] & 0x7fff) == WEFT_F16_OVERFLOW) return true;
    return false;
}

static bool state_overflowed(weft_program *p, const weft_node *n, int64_t first, int64_t cells)
{
    const weft_graph *g = weft_program_graph(p);
    const weft_value *v = weft_graph_value(g, n->out[0]);
    int64_t bounds[WEFT_MAX_EXTENTS], dims[WEFT_MAX_RANK] = { 0 };
    for (uint32_t e = 0; e < weft_graph_extent_count(g); e++) {
        uint32_t bound;
        weft_graph_extent(g, e + 1, &bound);
        bounds[e] = bound;
    }
    weft_dims_resolve(g, &v->dims, bounds, dims);
    uint32_t axis = 0;
    while (axis < v->dims.rank && !(v->dims.d[axis].extent &&
                                    !strcmp(weft_graph_extent(g, v->dims.d[axis].extent, NULL), "cells")))
        axis++;
    if (axis == v->dims.rank || first + cells > dims[axis]) return false;
    uint64_t bytes = weft_value_bytes(g, n->out[0], bounds);
    uint16_t *data = malloc(bytes);
    bool found = data && !weft_program_read(p, n->out[0], 0, data, bytes, NULL) &&
                 has_mark(data, dims, v->dims.rank, axis, first, cells);
    free(data);
    return found;
}

const char *weft__overflowed_state(weft_program *p, int64_t first, int64_t cells)
{
    const weft_graph *g = weft_program_graph(p);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_state && weft_graph_value(g, n->out[0])->dtype == WEFT_F16 &&
            state_overflowed(p, n, first, cells))
            return n->name;
    }
    return NULL;
}
