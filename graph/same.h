/* same.h: whether two graphs say the same, whatever their ids. */
#ifndef WEFT_SAME_H
#define WEFT_SAME_H

#include "graph/graph_impl.h"

/* OK if both have the same extents, the same nodes in the same order (op, attributes, inputs, types, name, scope, data)
 * and the same outputs. Ids may differ; the scopes of sources, which have names, and what nodes were fused from are not
 * compared. INVALID tells the first difference. */
weft_status weft__graph_same(const weft_graph *a, const weft_graph *b, weft_error *err);

#endif
