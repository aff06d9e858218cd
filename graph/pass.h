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
weft__pass_fn weft__pass_fuse_norm, weft__pass_fuse_linear, weft__pass_fuse_rope;

/* The node that makes a value; NULL for none. */
const weft_node *weft__producer(const weft_graph *g, weft_ref r);

/* Who reads each value, as the graph was when this was made. */
typedef struct weft__readers {
    uint32_t *count; /* by value id; an output counts as a reader */
    uint32_t *node;  /* by value id: id of the last node that reads it, 0 if none does */
    uint32_t limit;
} weft__readers;
weft_status weft__readers_create(const weft_graph *g, weft__readers *r, weft_error *err);
void weft__readers_destroy(weft__readers *r);
/* The one node that reads the value, if it is read once, is no output, and the reader still exists;
 * else NULL. */
const weft_node *weft__only_reader(const weft_graph *g, const weft__readers *r, weft_ref value);

/* A copy of the order of node ids, for passes that add nodes while they walk; free() it. NULL =
 * OOM. */
uint32_t *weft__pass_order(const weft_graph *g);
/* Puts `made`, the node added last, where `old` stands: readers of old's outputs take made's; old
 * is removed. */
void weft__pass_swap(weft_graph *g, const weft_node *old, const weft_node *made);
/* Readers of `old`, which has one output, take `same` instead; old is removed. */
void weft__pass_drop(weft_graph *g, const weft_node *old, weft_ref same);

#endif
