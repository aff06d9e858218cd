/* random_graph.h: random legal graphs from the op table, for tests of graph/ and of backends.
 *
 * The same seed gives the same graph. Every op that builders can make has the chance of its shape rule's maker; ops
 * made by passes or schedulers only are left out. Values stay small (a few thousand elements), extents have small
 * bounds. */
#ifndef TEST_RANDOM_GRAPH_H
#define TEST_RANDOM_GRAPH_H

#include "graph/graph.h"

#define RANDOM_GRAPH_INDICES 64

/* An i32 input: what may be written to it. Inputs of other types take any floats. */
typedef struct random_index {
    char name[32];
    int32_t lo, hi; /* inclusive; hi is inside what is indexed, lo may be -1, which is outside */
    bool unique;    /* no value twice (except -1): rows of one store */
} random_index;

typedef struct random_graph {
    weft_graph *g; /* sealed; owned by the caller: weft_graph_destroy */
    random_index indices[RANDOM_GRAPH_INDICES];
    uint32_t n_indices;
} random_graph;

/* About `size` ops besides sources and helpers. Fails with OOM alone; any other status is a fault of the generator. */
weft_status random_graph_make(uint64_t seed, uint32_t size, random_graph *out, weft_error *err);

#endif
