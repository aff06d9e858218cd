/* layers.h: the layers of a graph, and which of them are alike.
 *
 * A layer is a group of nodes whose scopes agree up to their first number ("model.layers.3"). Layers are numbered from
 * 0 as their first nodes that compute appear. */
#ifndef WEFT_LAYERS_H
#define WEFT_LAYERS_H

#include "graph/graph.h"

/* Length of "model.layers.3" in "model.layers.3.attention"; 0: there is no number. */
size_t weft__layer_key(const char *scope);

typedef struct weft__layers {
    uint32_t n;
    const char **scope; /* by layer: the scope of its first node; its key is the part that names the layer */
    uint32_t *of;       /* by node id: 1 + the layer; 0: of none */
} weft__layers;
weft_status weft__layers_create(const weft_graph *g, weft__layers *out, weft_error *err);
void weft__layers_destroy(weft__layers *l);

/* Layers in a row that differ in nothing but their weights, states and names, and in that each takes what the one
 * before it gives: the first stands for all. */
typedef struct weft__folds {
    uint32_t *first; /* by layer: the one that stands for it; itself if none does */
    uint32_t *count; /* by layer: how many it stands for, itself included; 0: another stands for it */
    uint32_t *node;  /* by node id: the node that stands for it; itself if none does */
} weft__folds;
/* Layers for which apart(layer) holds stand for themselves; apart may be NULL. */
weft_status weft__folds_create(const weft_graph *g, const weft__layers *l, bool (*apart)(void *ctx, uint32_t layer),
                               void *ctx, weft__folds *out, weft_error *err);
void weft__folds_destroy(weft__folds *f);

#endif
