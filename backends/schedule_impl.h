/* schedule_impl.h: the parts that schedule.c puts together. */
#ifndef WEFT_SCHEDULE_IMPL_H
#define WEFT_SCHEDULE_IMPL_H

#include "backends/schedule.h"
#include "graph/linear.h"

/* schedule_place.c. Chooses layouts, a device and a kernel for every node of the graph as it is now. */
weft_status weft__place(weft__schedule *s, weft_error *err);
/* What it begins with: every weight's layout on every device, from all its uses. */
weft_status weft__choose_layouts(weft__schedule *s, weft_error *err);
/* Whether a device has a kernel for a node, by those layouts, and which. */
weft_place_reason weft__try_device(const weft__schedule *s, const weft_node *n, uint32_t device,
                                   weft_kernel_choice *choice);

/* schedule_unfuse.c. Takes apart the products for which a device has no kernel as they are. */
weft_status weft__unfuse(weft__schedule *s, weft_error *err);

/* schedule_legalise.c. Puts in the transfers and copies that the placement needs. *changed: some were put in; they are
 * placed by another round. */
weft_status weft__legalise(weft__schedule *s, bool *changed, weft_error *err);
/* Room in the tables by node id for all nodes that the graph has now; false: out of memory. */
bool weft__schedule_grow(weft__schedule *s);

/* schedule_split.c. Finds first_device from split. */
weft_status weft__split_nodes(weft__schedule *s, weft_error *err);
/* Finds split from the memories of the devices, for a schedule that has all on the first. */
weft_status weft__split_by_memory(weft__schedule *s, weft_error *err);

static inline uint32_t weft__traits(const weft_node *n)
{
    return weft_op_get(n->op)->traits;
}

/* The source or computing node behind a chain of views. */
static inline const weft_node *weft__source_of(const weft__schedule *s, weft_ref r)
{
    return weft__maker(s->g, weft__behind_views(s->g, r));
}

#endif
