/* rewrite.h: the one change that schedulers make to a sealed graph: a copy or transfer in front of an input. */
#ifndef WEFT_REWRITE_H
#define WEFT_REWRITE_H

#include "graph/graph.h"

/* Puts a node `op` (copy or transfer) between input number `input` of node `node` and its value, or, if *made is not 0,
 * lets that input read *made, which an earlier call gave for the same value. Order is restored by rewrite_finish. */
weft_status weft__rewrite_insert(weft_graph *g, weft_op op, uint32_t node, uint32_t input, weft_ref *made,
                                 weft_error *err);
/* The same for output number `output`. */
weft_status weft__rewrite_output(weft_graph *g, weft_op op, uint32_t output, weft_ref *made, weft_error *err);
/* Sorts and verifies. */
weft_status weft__rewrite_finish(weft_graph *g, weft_error *err);

#endif
