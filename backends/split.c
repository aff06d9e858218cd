/* split.c: a graph cut between its layers (graph/layers.h), one stretch of layers for each device. Nodes outside of all
 * layers belong to the layer before them (the first, if none is). */
#include "backends/program.h"
#include "graph/layers.h"

#include <stdlib.h>

static uint32_t node_traits(const weft_node *n)
{
    return weft_op_get(n->op)->traits;
}

/* The layer of every node that computes, by node id; returns how many there are (at least 1), 0 without memory. */
static uint32_t find_layers(const weft_graph *g, uint32_t *layer)
{
    weft__layers l;
    uint32_t current = 0;
    if (weft__layers_create(g, &l, NULL)) return 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *node = weft_graph_node(g, i);
        if (node_traits(node) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        if (l.of[node->id]) current = l.of[node->id] - 1;
        layer[node->id] = current;
    }
    uint32_t n = l.n;
    weft__layers_destroy(&l);
    return n ? n : 1;
}

/* ---- a given split ---- */

weft_status weft__split_nodes(weft_program *p, weft_error *err)
{
    uint32_t limit = weft_graph_node_limit(p->g), d = 0, given = 0;
    uint32_t *layer = calloc(limit, sizeof *layer), n = layer ? find_layers(p->g, layer) : 0;
    uint32_t *device = calloc(n + 1, sizeof *device);
    if (!n || !device) {
        free(layer);
        free(device);
        return WEFT_OOM_FAIL(err, "the schedule");
    }
    for (uint32_t i = 0; i < n; i++, given++) {
        while (d + 1 < p->n_devices && given == p->split[d]) {
            d++;
            given = 0;
        }
        device[i] = d;
    }
    p->split[d] = given; /* as it came out: no more than there are */
    for (uint32_t rest = d + 1; rest < p->n_devices; rest++) p->split[rest] = 0;
    for (uint32_t id = 1; id < limit; id++) layer[id] = device[layer[id]];
    free(device);
    free(p->first_device);
    p->first_device = layer;
    return WEFT_OK;
}

uint32_t weft_program_split(const weft_program *p, uint32_t device)
{
    return p->split ? p->split[device] : UINT32_MAX;
}

/* ---- by memory ---- */

bool weft__fits(const weft_program *p)
{
    for (uint32_t d = 0; d < p->n_devices; d++) {
        weft_device_info info;
        weft_backend_info(p->devices[d], &info);
        weft_program_memory m = weft_program_device_memory(p, d);
        if (info.memory_known && m.weights + m.states + m.constants + m.arena > info.memory) return false;
    }
    return true;
}

/* Bytes of weights, states and constants that the nodes of each layer read; what two layers share counts for both. */
static void count_bytes(const weft_program *p, const uint32_t *layer, uint32_t *seen, uint64_t *bytes)
{
    weft_backend *b = p->devices[0];
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        if (node_traits(n) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            weft_ref r = weft__behind_views(p->g, n->in[k]);
            const weft_node *from = weft__maker(p->g, r);
            bool kept = from->op == WEFT_OP_weight || from->op == WEFT_OP_state || from->op == WEFT_OP_constant;
            if (!kept || seen[r.id] == layer[n->id] + 1) continue;
            seen[r.id] = layer[n->id] + 1;
            const weft_value *v = weft_graph_value(p->g, r);
            int64_t dims[WEFT_MAX_RANK];
            weft_dims_resolve(p->g, &v->dims, p->bounds, dims);
            bytes[layer[n->id]] +=
                b->vt->weight_bytes(b, p->layouts[weft__at(p, 0, r.id)], v->dtype, v->dims.rank, dims);
        }
    }
}

/* Each device takes layers while it has room beside the activations, of which programs over the same bank want some
 * more (a quarter: they have tighter bounds); the last one takes the rest. */
static void give_layers(weft_program *p, const uint64_t *bytes, uint32_t n)
{
    uint64_t arena = p->plan->arena_bytes[0], reserve = arena + arena / 4;
    uint32_t i = 0;
    for (uint32_t d = 0; d < p->n_devices; d++) {
        weft_device_info info;
        weft_backend_info(p->devices[d], &info);
        uint64_t room = !info.memory_known ? UINT64_MAX : info.memory > reserve ? info.memory - reserve : 0;
        bool last = d + 1 == p->n_devices;
        for (p->split[d] = 0; i < n && (last || bytes[i] <= room); i++, p->split[d]++)
            room -= last ? 0 : bytes[i];
    }
}

weft_status weft__split_by_memory(weft_program *p, weft_error *err)
{
    uint32_t *layer = calloc(weft_graph_node_limit(p->g), sizeof *layer), n = layer ? find_layers(p->g, layer) : 0;
    uint32_t *seen = calloc(p->value_limit, sizeof *seen);
    uint64_t *bytes = calloc(n + 1, sizeof *bytes);
    bool ok = n && seen && bytes;
    if (ok) {
        count_bytes(p, layer, seen, bytes);
        give_layers(p, bytes, n);
        p->by_memory = true;
    }
    free(layer);
    free(seen);
    free(bytes);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "the schedule");
}
