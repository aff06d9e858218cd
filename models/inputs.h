/* inputs.h: what a session feeds the graph of a model, and where the graph keeps its cache.
 *
 * A definition (model.h) is given these values, which are inputs of the graph, and uses those it needs; what nothing
 * uses is not computed, and no session writes it. T tokens a run, R rows of results, S sequences of the session. */
#ifndef WEFT_INPUTS_H
#define WEFT_INPUTS_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_model_inputs {
    weft_dim T, R, S;   /* extents "tokens", "rows", "sequences" */
    weft_ref tokens;    /* [T] ids */
    weft_ref pos;       /* [T] place of a token in its sequence, from 0 */
    weft_ref sequence;  /* [T] whose token it is: 0 to S - 1, a row of states [S, ...] */
    weft_ref reset;     /* [T] 1: the first of its sequence, whose row of a state counts as zeros; else 0 */
    weft_ref rows;      /* [R] tokens that results are wanted of */
    /* The cache: a state with the cells of all sequences along one axis, which lie in pages of `page` cells. */
    weft_dim cells;     /* page times the extent "pages" */
    weft_ref cell;      /* [T] where a token's row goes */
    weft_ref first;     /* [T] the first position of its sequence that a token may see; the last is its own */
    weft_ref table;     /* [S, N] pages of each sequence; N is the extent "pages_each" */
    uint32_t page;
    weft_dtype kv;      /* type of the cache's states */
} weft_model_inputs;

/* Attention of q [T, H, D] over the sequences' keys and values: stores k and v [T, G, D] in the states "key" and
 * "value" [G, cells, D], then lets each token see its sequence from `first` to itself (weft_attention_with). Groups of
 * H / G heads share a key. Result [T, H, D]. */
WEFT_API weft_ref weft_cached_attention(weft_graph *g, const weft_model_inputs *in, weft_ref q, weft_ref k, weft_ref v,
                                        float scale);

#ifdef __cplusplus
}
#endif
#endif
