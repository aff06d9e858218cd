/* schedule_unfuse.c: products that a pass made of several nodes are taken apart again where not every device of the
 * program has a kernel that runs them as one. A matrix-vector product makes up for a norm or a gate by a launch less;
 * tiled products of prompts read what a norm gives many times, and want it made once. */
#include "backends/schedule_impl.h"
#include "graph/rewrite.h"

#include <stdlib.h>

/* The norms put in so far, which products of one value share. */
typedef struct parted {
    weft_ref x, gain, to;
    float eps;
    int32_t one_plus;
} parted;
typedef struct parted_list { parted *items; size_t n, cap; } parted_list;

static bool runs_everywhere(const weft__schedule *sch, const weft_node *n)
{
    weft_kernel_choice ignored;
    for (uint32_t d = 0; d < sch->n_devices; d++)
        if (weft__try_device(sch, n, d, &ignored) != WEFT_PLACE_REQUESTED) return false;
    return true;
}

static weft_status part_norm(weft__schedule *sch, const weft_node *n, parted_list *l, weft_error *err)
{
    const weft_attr_linear *a = &n->attrs.linear;
    parted p = { .x = n->in[0], .gain = n->in[weft__linear_inputs_of(a).gain], .eps = a->eps, .one_plus = a->one_plus };
    for (size_t i = 0; i < l->n && !p.to.id; i++) {
        const parted *k = &l->items[i];
        if (k->x.id == p.x.id && k->gain.id == p.gain.id && k->eps == p.eps && k->one_plus == p.one_plus) p.to = k->to;
    }
    const weft_ref known = p.to;
    WEFT_TRY(weft__rewrite_part_norm(sch->g, n->id, &p.to, err));
    if (known.id) return WEFT_OK;
    if (!weft__grow(&l->items, &l->cap, l->n + 1, sizeof *l->items)) return WEFT_OOM_FAIL(err, "the schedule");
    l->items[l->n++] = p;
    return WEFT_OK;
}

static weft_status unfuse_node(weft__schedule *sch, const weft_node *n, parted_list *l, bool *changed, weft_error *err)
{
    if (n->op != WEFT_OP_linear || (!n->attrs.linear.norm && !n->attrs.linear.gated) || runs_everywhere(sch, n))
        return WEFT_OK;
    *changed = true;
    if (n->attrs.linear.norm) WEFT_TRY(part_norm(sch, n, l, err));
    if (!n->attrs.linear.gated || runs_everywhere(sch, n)) return WEFT_OK;
    return weft__rewrite_part_gate(sch->g, n->id, err);
}

weft_status weft__unfuse(weft__schedule *sch, weft_error *err)
{
    parted_list l = { 0 };
    bool changed = false;
    uint32_t limit = weft_graph_node_limit(sch->g); /* what is put in lies behind */
    weft_status s = weft__choose_layouts(sch, err);
    for (uint32_t id = 1; id < limit && !s; id++) {
        const weft_node *n = weft_graph_node_by_id(sch->g, id);
        if (n) s = unfuse_node(sch, n, &l, &changed, err);
    }
    free(l.items);
    return s ? s : changed ? weft__rewrite_finish(sch->g, err) : WEFT_OK;
}
