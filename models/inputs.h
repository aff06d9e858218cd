/* inputs.h: what a session feeds the graph of a model, and where the graph keeps its caches.
 *
 * A definition (model.h) is given these values, which are inputs of the graph, and uses those it needs; what nothing
 * uses is not computed, and no session writes it. T tokens a run, R rows of results, S sequences of the session.
 *
 *     weft_cached_attention(g, in, q, k, v, scale);                              // a token sees all before it
 *     weft_cached_attention_with(g, in, q, k, v, scale, 128, NULL);              // it sees itself and 127 before it
 *     weft_cached_attention_with(g, in, q, k, v, scale, i % 2 ? 0 : 128,         // every other layer of them, ...
 *                                &(weft_attention_desc){ .sinks = sinks });      // ... each with a sink per head */
#ifndef WEFT_INPUTS_H
#define WEFT_INPUTS_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A cache: states that have the cells of all sequences along one axis, in pages. Layers whose tokens see equally far
 * share one: what has left the window of all tokens to come is given back for all of them at once. A window's inputs
 * and extent have the names below with its length behind them, "cell_128". */
typedef struct weft_model_cache {
    uint32_t window;  /* a token sees itself and the window - 1 tokens before it; 0: all of them */
    weft_dim cells;   /* that axis: a page's cells, times the extent "pages" */
    weft_ref cell;    /* [T] where a token's row goes */
    weft_ref first;   /* [T] the first position of its sequence that a token may see; the last is its own */
    weft_ref table;   /* [S, N] pages of each sequence; N is the extent "pages_each" of all caches */
} weft_model_cache;

typedef struct weft_model_inputs {
    weft_dim T, R, S;   /* extents "tokens", "rows", "sequences" */
    weft_ref tokens;    /* [T] ids */
    weft_ref pos;       /* [T] place of a token in its sequence, from 0 */
    weft_ref sequence;  /* [T] whose token it is: 0 to S - 1, a row of states [S, ...] */
    weft_ref reset;     /* [T] 1: the first of its sequence, whose row of a state counts as zeros; else 0 */
    weft_ref rows;      /* [R] tokens that results are wanted of */
    weft_model_cache cache; /* of layers whose tokens see all before them; weft_window_cache has others */
    uint32_t page;      /* cells of a page */
    weft_dtype kv, kv_values; /* types of the caches' states: of keys, of values */
    uint32_t context;   /* tokens that a sequence may have */
    uint32_t rollback;  /* of its last tokens can be taken back: windows keep what is seen from there */
} weft_model_inputs;

/* Attention of q [T, H, D] over the sequences' keys and values: stores k [T, G, D] and v [T, G, E] in the states "key"
 * and "value" [G, cells, D or E], then lets each token see its sequence up to itself. Groups of H / G heads share a
 * key. Result [T, H, E]. */
WEFT_API weft_ref weft_cached_attention(weft_graph *g, const weft_model_inputs *in, weft_ref q, weft_ref k, weft_ref v,
                                        float scale);
/* As that, of a layer whose tokens see no further than a window (0: all), and with what attention may have besides
 * (`more`, may be NULL, of which page, sequence and pages are filled in here). */
WEFT_API weft_ref weft_cached_attention_with(weft_graph *g, const weft_model_inputs *in, weft_ref q, weft_ref k,
                                             weft_ref v, float scale, uint32_t window, const weft_attention_desc *more);

/* The slopes [H] of ALiBi (Press et al., arXiv:2108.12409), for attention's `slopes`: 2^(-8 i / p) for i from 1 to p,
 * the largest power of two in H; heads beyond take those of 2p that lie between, 2^(-8 i / 2p) for i = 1, 3, 5 ... */
enum { WEFT_ALIBI_HEADS = 1024 }; /* at most */
WEFT_API weft_ref weft_alibi_slopes(weft_graph *g, uint32_t heads);

/* What these are made of, for layers that read another's state, or values that are a part of the keys. The cache of a
 * window, the same whenever it is asked for; in->cache if the window is 0 or what follows the longest sequence would
 * still see all of it. */
WEFT_API weft_model_cache weft_window_cache(weft_graph *g, const weft_model_inputs *in, uint32_t window);
/* Stores rows [T, G, D] in the state `name` [G, cells, D] of a cache, which it gives. type: in->kv, of values
 * in->kv_values. */
WEFT_API weft_ref weft_cache_store(weft_graph *g, const weft_model_cache *c, weft_ref rows, weft_dtype type,
                                   const char *name);
WEFT_API weft_ref weft_cache_attention(weft_graph *g, const weft_model_inputs *in, const weft_model_cache *c,
                                       weft_ref q, weft_ref keys, weft_ref values, float scale,
                                       const weft_attention_desc *more);

#ifdef __cplusplus
}
#endif
#endif
