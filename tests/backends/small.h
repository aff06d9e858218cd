/* small.h: a small graph with everything that a program can have, and its weights: what the tests of this folder run.
 *
 *     x [t, 16] -> gelu(x w^T + b) -> y [t, 24], an output; its rows go into the state [10, 24] at index [t];
 *     sum [24] over the whole state, top 3 of the sum. t <= 8. */
#ifndef TEST_SMALL_H
#define TEST_SMALL_H

#include <stdlib.h>

#include "backends/backend.h"
#include "tests/test.h"

enum { SMALL_IN = 16, SMALL_OUT = 24, SMALL_CELLS = 10, SMALL_T = 8 };

/* Weights by rule: element i of a weight is small_value(i + first letter of its name). */
typedef struct small_source {
    float w[SMALL_OUT * SMALL_IN], b[SMALL_OUT];
    const char *missing; /* a weight to deny */
    bool misshaped;
} small_source;

static inline float small_value(uint32_t i)
{
    i = (i + 1) * 2654435761u;
    return (float)(i >> 16) / 32768.0f - 1.0f;
}

static inline weft_status small_find(void *ctx, const char *name, weft_weight_data *out,
                                     weft_error *err)
{
    const small_source *s = ctx;
    if (s->missing && !strcmp(name, s->missing))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "there is no tensor '%s'", name);
    bool w = !strcmp(name, "net.w");
    *out = (weft_weight_data){ .dtype = WEFT_F32,
                               .rank = w ? 2 : 1,
                               .dims = { w ? SMALL_OUT : SMALL_OUT, SMALL_IN },
                               .data = w ? s->w : s->b,
                               .bytes = w ? sizeof s->w : sizeof s->b };
    if (!w) out->dims[1] = 0;
    if (s->misshaped) out->dims[0]--;
    return WEFT_OK;
}

static inline weft_weight_source small_weights(small_source *s)
{
    for (uint32_t i = 0; i < SMALL_OUT * SMALL_IN; i++) s->w[i] = small_value(i);
    for (uint32_t i = 0; i < SMALL_OUT; i++) s->b[i] = small_value(i + 5000);
    return (weft_weight_source){ s, small_find };
}

static inline void small_build(weft_graph *g, weft_dtype weights)
{
    weft_dim t = weft_extent(g, "t", SMALL_T);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(t, SMALL_IN), "x");
    weft_ref index = weft_input(g, WEFT_I32, WEFT_DIMS(t), "index");
    weft_scope_begin(g, "net");
    weft_ref w = weft_weight(g, weights, WEFT_DIMS(SMALL_OUT, SMALL_IN), "w");
    weft_ref b = weft_weight(g, WEFT_F32, WEFT_DIMS(SMALL_OUT), "b");
    weft_ref y = weft_add(g, weft_matmul_nt(g, x, w), b);
    y = weft_output(g, weft_gelu(g, y), "y");
    weft_ref cells = weft_state(g, WEFT_F32, WEFT_DIMS(SMALL_CELLS, SMALL_OUT), "cells");
    cells = weft_scope_end(g, weft_store(g, cells, y, index, 0));
    weft_ref sum = weft_output(g, weft_reduce_sum(g, cells, 0), "sum"), best[2];
    weft_top_k(g, sum, 3, &best[0], &best[1]);
    weft_output(g, best[1], "best");
}

/* The graph, sealed. NULL where memory fails (and err says so). */
static inline weft_graph *small_graph(weft_dtype weights, weft_error *err)
{
    weft_graph *g;
    if (weft_graph_create(NULL, &g, err) != WEFT_OK) return NULL;
    small_build(g, weights);
    if (weft_graph_seal(g, err) == WEFT_OK) return g;
    weft_graph_destroy(g);
    return NULL;
}

/* A device with the graph's program on it, loaded. */
typedef struct small_world {
    weft_graph *g;
    weft_backend *device;
    weft_weights *weights;
    weft_states *states;
    weft_program *p;
    small_source source;
} small_world;

static inline weft_status small_open(small_world *w, const char *spec,
                                     const weft_program_desc *like, weft_error *err)
{
    memset(w, 0, sizeof *w);
    weft_weight_source source = small_weights(&w->source);
    weft_program_desc desc = { 0 };
    if (like) desc = *like;
    desc.devices = &w->device;
    desc.n_devices = 1;
    w->g = small_graph(WEFT_F32, err);
    if (!w->g) return err->status;
    WEFT_TRY(weft_backend_open(spec, &w->device, err));
    WEFT_TRY(weft_program_create(w->g, &desc, &w->p, err));
    WEFT_TRY(weft_weights_create(&source, 1, &w->weights, err));
    WEFT_TRY(weft_states_create(&w->states, err));
    return weft_program_load(w->p, w->weights, w->states, err);
}

static inline void small_close(small_world *w)
{
    weft_program_destroy(w->p);
    weft_weights_destroy(w->weights);
    weft_states_destroy(w->states);
    weft_backend_close(w->device);
    weft_graph_destroy(w->g);
}

/* One run of n rows whose data follow from `first`; row i goes to cell (first + i) % 10. */
static inline weft_status small_run(weft_program *p, uint32_t first, uint32_t n,
                                    float y[SMALL_T * SMALL_OUT], float sum[SMALL_OUT],
                                    weft_error *err)
{
    float x[SMALL_T * SMALL_IN];
    int32_t index[SMALL_T];
    for (uint32_t i = 0; i < n; i++) {
        index[i] = (int32_t)((first + i) % SMALL_CELLS);
        for (uint32_t k = 0; k < SMALL_IN; k++)
            x[i * SMALL_IN + k] = small_value((first + i) * 100 + k);
    }
    WEFT_TRY(weft_program_set_extent(p, "t", n, err));
    WEFT_TRY(weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, n * SMALL_IN * sizeof *x, err));
    WEFT_TRY(
        weft_program_write(p, weft_graph_find(weft_program_graph(p), "index"), 0, index, n * sizeof *index, err));
    WEFT_TRY(weft_program_run(p, err));
    WEFT_TRY(weft_program_read(p, weft_graph_find(weft_program_graph(p), "y"), 0, y, n * SMALL_OUT * sizeof *y, err));
    return weft_program_read(p, weft_graph_find(weft_program_graph(p), "sum"), 0, sum, SMALL_OUT * sizeof *sum, err);
}

#endif
