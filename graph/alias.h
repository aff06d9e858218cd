/* alias.h: which values are the same bytes: a view and what it shows, a state before and after a store.
 *
 * A state's bytes are one value after another: the state itself, then the result of each store. A value whose bytes a
 * store replaces is old from then on. It may be read before, and in the order of a graph all its readers stand before
 * the store (weft_graph_verify); what reads the state as it is afterwards takes the store's result. */
#ifndef WEFT_ALIAS_H
#define WEFT_ALIAS_H

#include "graph/graph.h"

static inline const weft_node *weft__maker(const weft_graph *g, weft_ref r)
{
    return weft_graph_node_by_id(g, weft_graph_value(g, r)->node);
}

/* The value whose bytes a chain of views shows (r itself if it is no view). */
weft_ref weft__behind_views(const weft_graph *g, weft_ref r);

/* Whether the value is bytes of its maker's input 0: the result of a view, or a state after a store. */
bool weft__is_alias(const weft_graph *g, weft_ref r);

/* By value id, the node that replaces its bytes; 0: none does. calloc'd, weft_graph_value_limit entries; NULL: OOM. */
uint32_t *weft__overwriters(const weft_graph *g);

#endif
