/* schedule_split.c: a graph cut between its layers (graph/layers.h), one stretch of layers for each device. Nodes
 * outside of all layers belong to the layer before them (the first, if none is). */
#include "backends/schedule_impl.h"
#include "graph/layers.h"

#include <stdlib.h>

/* The layer of every node that computes, by node id; returns how many there are (at least 1), 0 without memory. */
static uint32_t find_layers(const weft_graph *g, uint32_t *layer)
{
    weft__layers l;
    uint32_t current = 0;
    if (weft__layers_create(g, &l, NULL)) return 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (weft__traits(node) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        if (l.of[node->id]) current = l.of[node->id] - 1;
        layer[node->id] = current;
    }
    uint32_t n = l.n;
    weft__layers_destroy(&l);
    return n ? n : 1;
}

/* ---- a given split ---- */

weft_status weft__split_nodes(weft__schedule *sch, weft_error *err)
{
    uint32_t limit = weft_graph_node_limit(sch->g), d = 0, given = 0;
    uint32_t *layer = calloc(limit, sizeof *layer), n = layer ? find_layers(sch->g, layer) : 0;
    uint32_t *device = calloc(n + 1, sizeof *device);
    if (!n || !device) {
        free(layer);
        free(device);
        return WEFT_OOM_FAIL(err, "the schedule");
    }
    for (uint32_t i = 0; i < n; i++, given++) {
        while (d + 1 < sch->n_devices && given == sch->split[d]) {
            d++;
            given = 0;
        }
        device[i] = d;
    }
    sch->split[d] = given; /* as it came out: no more than there are */
    for (uint32_t rest = d + 1; rest < sch->n_devices; rest++) sch->split[rest] = 0;
    for (uint32_t id = 1; id < limit; id++) layer[id] = device[layer[id]];
    free(device);
    free(sch->first_device);
    sch->first_device = layer;
    return WEFT_OK;
}

/* ---- by memory ---- */

/* Bytes of weights, states and constants that the nodes of each layer read; what two layers share counts for both. */
static void count_bytes(const weft__schedule *sch, const uint32_t *layer, uint32_t *seen, uint64_t *bytes)
{
    const weft_backend *b = sch->devices[0];
    for (uint32_t i = 0; i < weft_graph_node_count(sch->g); i++) {
        const weft_node *n = weft_graph_node(sch->g, i);
        if (weft__traits(n) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            weft_ref r = weft__behind_views(sch->g, n->in[k]);
            const weft_node *from = weft__maker(sch->g, r);
            bool kept = from->op == WEFT_OP_weight || from->op == WEFT_OP_state || from->op == WEFT_OP_constant;
            if (!kept || seen[r.id] == layer[n->id] + 1) continue;
            seen[r.id] = layer[n->id] + 1;
            const weft_value *v = weft_graph_value(sch->g, r);
            int64_t dims[WEFT_MAX_RANK];
            weft_dims_resolve(sch->g, &v->dims, sch->bounds, dims);
            bytes[layer[n->id]] +=
                b->vt->weight_bytes(b, sch->layouts[weft__at(sch, 0, r.id)], v->dtype, v->dims.rank, dims);
        }
    }
}

/* Each device takes layers while it has room beside the activations, of which programs over the same weights want some
 * more (a quarter: they have tighter bounds); the last one takes the rest. */
static void give_layers(weft__schedule *sch, const uint64_t *bytes, uint32_t n)
{
    uint64_t arena = sch->plan->arena_bytes[0], reserve = arena + arena / 4;
    uint32_t i = 0;
    for (uint32_t d = 0; d < sch->n_devices; d++) {
        weft_device_info info;
        weft_backend_info(sch->devices[d], &info);
        uint64_t room = !info.memory_known ? UINT64_MAX : info.memory > reserve ? info.memory - reserve : 0;
        bool last = d + 1 == sch->n_devices;
        for (sch->split[d] = 0; i < n && (last || bytes[i] <= room); i++, sch->split[d]++)
            room -= last ? 0 : bytes[i];
    }
}

weft_status weft__split_by_memory(weft__schedule *sch, weft_error *err)
{
    uint32_t *layer = calloc(weft_graph_node_limit(sch->g), sizeof *layer), n = layer ? find_layers(sch->g, layer) : 0;
    uint32_t *seen = calloc(sch->value_limit, sizeof *seen);
    uint64_t *bytes = calloc(n + 1, sizeof *bytes);
    bool ok = n && seen && bytes;
    if (ok) {
        count_bytes(sch, layer, seen, bytes);
        give_layers(sch, bytes, n);
        sch->by_memory = true;
    }
    free(layer);
    free(seen);
    free(bytes);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "the schedule");
}
