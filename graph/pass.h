/* pass.h: the passes and what their files share. docs/passes.md says what each does and how to
 * write one.
 *
 * A pass gets a sealed, verified graph, changes it, and says whether it did. weft_graph_optimise
 * then restores the order and verifies. A pass never changes what the graph computes beyond
 * rounding. */
#ifndef WEFT_PASS_H
#define WEFT_PASS_H

#include "graph/graph_impl.h"

weft__pass_fn weft__pass_eval, weft__pass_fold, weft__pass_cse, weft__pass_dce;
weft__pass_fn weft__pass_fuse_norm, weft__pass_fuse_linear, weft__pass_fuse_gate, weft__pass_fuse_reading;
weft__pass_fn weft__pass_fuse_rope;

/* The node that makes a value; NULL for none. */
const weft_node *weft__producer(const weft_graph *g, weft_ref r);

/* Changes that a pass collects while it walks, so that each costs the same however large the graph is. Until
 * weft__edit_end the nodes and values that are to go still exist; inputs may still name them. */
typedef struct weft__edit {
    weft_graph *g;
    uint32_t count, value_limit, node_limit; /* of the graph before the pass; what lies behind is the pass's own */
    uint32_t *forward;                       /* by value id: the value that takes its place, or 0 */
    uint32_t *place;                         /* by node id: the node that takes its place in the order, or 0 */
    bool *gone;                              /* by node id */
    uint32_t *overwriter;                    /* by value id: the store that replaces its bytes, or 0 (alias.h) */
} weft__edit;
weft_status weft__edit_begin(weft_graph *g, weft__edit *e, weft_error *err);
/* `made`, the node added last, takes the place of `old`: readers of old's outputs take made's. */
void weft__edit_swap(weft__edit *e, const weft_node *old, const weft_node *made);
/* Readers of `from` take `to`. */
void weft__edit_forward(weft__edit *e, weft_ref from, weft_ref to);
void weft__edit_remove(weft__edit *e, const weft_node *n);
/* Lets n's inputs name what has taken their place so far. */
void weft__edit_inputs(const weft__edit *e, const weft_node *n);
/* Whether the value is a state's, or a view of it, whose bytes a store replaces. What reads it must stay before the
 * store: a pass neither lets a node read it that did not, nor joins a node that does with a later one that may need the
 * store's result. */
bool weft__edit_is_old(const weft__edit *e, weft_ref value);
/* Carries it all out; *changed is set if there was anything. Sorting restores the order, if there is no cycle. */
void weft__edit_end(weft__edit *e, bool *changed);

/* Who reads each value, as the graph was when this was made. */
typedef struct weft__readers {
    uint32_t *count; /* by value id; an output counts as a reader */
    uint32_t *node;  /* by value id: id of the last node that reads it, 0 if none does */
    uint32_t limit;
} weft__readers;
weft_status weft__readers_create(const weft_graph *g, weft__readers *r, weft_error *err);
void weft__readers_destroy(weft__readers *r);
/* The one node that reads the value, if it is read once, is no output, and the reader is not gone; else NULL. */
const weft_node *weft__only_reader(const weft__edit *e, const weft__readers *r, weft_ref value);

#endif
