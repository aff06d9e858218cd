/* plan_impl.h: what the files plan*.c share while a plan is being made.
 *
 * Time has two grains. A step is a node that runs. A group is a run of steps between two barriers
 * (or on one device): its steps may run at the same time, so every lifetime covers whole groups.
 * Groups follow from the data flow alone; memory is then shared between groups only, so that
 * sharing never adds a barrier (plan_hazard.c checks this). */
#ifndef WEFT_PLAN_IMPL_H
#define WEFT_PLAN_IMPL_H

#include "graph/plan.h"

typedef struct weft__planner {
    const weft_graph *g;
    const weft_plan_desc *desc;
    weft_plan *plan;
    weft__arena *own;      /* lives as long as the plan */
    weft__arena work;      /* freed once the plan is made */
    uint32_t *group;       /* by step */
    uint32_t *group_first; /* by group: its first step; one more entry holds n_steps */
    uint32_t n_groups;     /* at least 1 */
} weft__planner;

/* plan_view.c: the slot of a value that is no view, without an offset; and the step from input 0's
 * slot to the slot of view node n's result (false: not expressible). */
void weft__slot_root(const weft_graph *g, weft_ref r, const int64_t *bounds, weft_slot *out);
bool weft__slot_view(const weft_graph *g, const weft_node *n, const int64_t *bounds, weft_slot *s);
/* The value's elements lie at 0, 1, 2, ... of its root. */
bool weft__slot_plain(const weft_graph *g, weft_ref r, const int64_t *bounds, const weft_slot *s);

/* plan_order.c: fills plan->steps. Needs the slots. */
weft_status weft__plan_order(weft__planner *p, weft_error *err);
/* plan_hazard.c: barriers and groups from the data flow; then the proof that no hazard lies inside
 * a group once values share bytes. */
weft_status weft__plan_groups(weft__planner *p, weft_error *err);
weft_status weft__plan_check(weft__planner *p, weft_error *err);
/* plan_memory.c: in-place results, lifetimes, offsets, arena sizes. */
weft_status weft__plan_memory(weft__planner *p, weft_error *err);

#endif
