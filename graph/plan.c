/* plan.c: makes a plan: slots, order, groups, memory, check (plan_impl.h says what a group is). */
#include "graph/alias.h"
#include "graph/plan_impl.h"

#include <stdlib.h>

/* A plan and the arena that holds its arrays. */
typedef struct plan_box {
    weft_plan plan;
    weft__arena own;
} plan_box;

static weft_status check_desc(const weft_graph *g, const weft_plan_desc *d, weft_error *err)
{
    if (!d->nodes || d->n_devices == 0)
        return WEFT_FAIL(err, WEFT_INVALID, "plan: no device or no node table");
    if (d->alignment == 0 || (d->alignment & (d->alignment - 1)))
        return WEFT_FAIL(err, WEFT_INVALID, "plan: alignment %u is no power of two", d->alignment);
    for (uint32_t i = 1; d->bounds && i <= weft_graph_extent_count(g); i++) {
        uint32_t bound;
        const char *name = weft_graph_extent(g, i, &bound);
        if (d->bounds[i - 1] < 1 || d->bounds[i - 1] > bound)
            return WEFT_FAIL(err, WEFT_INVALID, "plan: bound %lld of extent %s is not in 1..%u",
                             (long long)d->bounds[i - 1], name, bound);
    }
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (d->nodes[n->id].device >= d->n_devices)
            return WEFT_FAIL(err, WEFT_INVALID, "plan: node %u (%s) is on device %u of %u", n->id,
                             weft_op_get(n->op)->name, d->nodes[n->id].device, d->n_devices);
    }
    return WEFT_OK;
}

static weft_status make_slots(weft__planner *p, weft_error *err)
{
    const weft_graph *g = p->g;
    uint32_t count = weft_graph_value_limit(g);
    weft_slot *slots = weft__arena_alloc(p->own, (size_t)count + 1, sizeof *slots);
    if (!slots) return WEFT_OOM_FAIL(err, "the slots of the plan");
    p->plan->slots = slots;
    p->plan->n_slots = count;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        uint32_t traits = weft_op_get(n->op)->traits;
        for (uint32_t k = 0; k < n->n_out; k++) {
            weft_slot *s = &slots[n->out[k].id];
            if (weft__is_alias(g, n->out[k])) {
                *s = slots[n->in[0].id];
            } else {
                weft__slot_root(g, n->out[k], p->desc->bounds, s);
                s->device = p->desc->nodes[n->id].device;
            }
            if (traits & WEFT_TRAIT_VIEW && !weft__slot_view(g, n, p->desc->bounds, s))
                return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                                 "plan: node %u (%s in \"%s\") is no view of its input, which must "
                                 "be copied first",
                                 n->id, weft_op_get(n->op)->name, n->scope);
        }
    }
    return WEFT_OK;
}

static weft_status make_plan(weft__planner *p, weft_error *err)
{
    WEFT_TRY(check_desc(p->g, p->desc, err));
    weft_plan *plan = p->plan;
    plan->n_devices = p->desc->n_devices;
    plan->arena_bytes = weft__arena_alloc(p->own, plan->n_devices, sizeof *plan->arena_bytes);
    plan->arena_unshared = weft__arena_alloc(p->own, plan->n_devices, sizeof *plan->arena_unshared);
    plan->peak_step = weft__arena_alloc(p->own, plan->n_devices, sizeof *plan->peak_step);
    if (!plan->arena_bytes || !plan->arena_unshared || !plan->peak_step)
        return WEFT_OOM_FAIL(err, "a plan");
    WEFT_TRY(make_slots(p, err));
    WEFT_TRY(weft__plan_order(p, err));
    WEFT_TRY(weft__plan_groups(p, err));
    WEFT_TRY(weft__plan_memory(p, err));
    return weft__plan_check(p, err);
}

weft_status weft_plan_create(const weft_graph *g, const weft_plan_desc *desc, weft_plan **out,
                             weft_error *err)
{
    *out = NULL;
    plan_box *box = calloc(1, sizeof *box);
    if (!box) return WEFT_OOM_FAIL(err, "a plan");
    weft__planner p = { .g = g, .desc = desc, .plan = &box->plan, .own = &box->own };
    weft_status s = make_plan(&p, err);
    weft__arena_free(&p.work);
    if (s != WEFT_OK) {
        weft_plan_destroy(&box->plan);
        return s;
    }
    *out = &box->plan;
    return WEFT_OK;
}

void weft_plan_destroy(weft_plan *p)
{
    if (!p) return;
    plan_box *box = (plan_box *)p; /* the plan is its first member */
    weft__arena_free(&box->own);
    free(box);
}
