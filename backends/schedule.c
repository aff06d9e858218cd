/* schedule.c: from a graph to a plan.
 *
 * 0. unfuse (schedule_unfuse.c): what passes made of several nodes and no kernel runs so is several nodes again.
 * 1. place (schedule_place.c): each node goes to the first device that has a kernel for it; views and sources follow
 *    their data. Where layers are split (schedule_split.c), "first" counts from the layer's device.
 * 2. legalise (schedule_legalise.c): where a value crosses devices a transfer is put in, where a kernel cannot read a
 *    layout a copy. New nodes are placed by another round; a round that puts nothing in ends the loop.
 * 3. plan: order, memory, barriers (graph/plan.h), then segments of steps per device. */
#include "backends/schedule_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 8, MAX_JOINED = 8 };

/* ---- bounds ---- */

static weft_status set_bounds(weft__schedule *sch, const weft_program_desc *desc, weft_error *err)
{
    uint32_t n = weft_graph_extent_count(sch->g), bound;
    for (uint32_t i = 0; i < n; i++) {
        weft_graph_extent(sch->g, i + 1, &bound);
        sch->bounds[i] = bound;
    }
    for (uint32_t k = 0; k < desc->n_bounds; k++) {
        uint32_t i = 0;
        while (i < n && strcmp(weft_graph_extent(sch->g, i + 1, &bound), desc->bounds[k].extent)) i++;
        if (i == n) return WEFT_FAIL(err, WEFT_NOT_FOUND, "the graph has no extent '%s'", desc->bounds[k].extent);
        if (!desc->bounds[k].bound || desc->bounds[k].bound > bound)
            return WEFT_FAIL(err, WEFT_INVALID, "bound %u of extent '%s' is not within 1..%u", desc->bounds[k].bound,
                             desc->bounds[k].extent, bound);
        sch->bounds[i] = desc->bounds[k].bound;
    }
    return WEFT_OK;
}

/* ---- plan ---- */

static weft_status find_residents(weft__schedule *sch, weft_error *err)
{
    sch->resident = calloc((size_t)sch->n_devices * sch->value_limit, sizeof *sch->resident);
    if (!sch->resident) return WEFT_OOM_FAIL(err, "the schedule");
    for (uint32_t i = 0; i < weft_graph_node_count(sch->g); i++) {
        const weft_node *n = weft_graph_node(sch->g, i);
        if (weft__traits(n) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        uint32_t d = sch->device_of[n->id];
        for (uint32_t j = 0; j < n->n_in; j++) {
            const weft_node *from = weft__source_of(sch, n->in[j]);
            if (from->op != WEFT_OP_weight && from->op != WEFT_OP_state && from->op != WEFT_OP_constant) continue;
            sch->resident[weft__at(sch, d, from->out[0].id)] = true;
        }
    }
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(sch->g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++) { /* a state may be read from outside alone */
        const weft_node *from = weft__source_of(sch, outputs[i].ref);
        if (from->op == WEFT_OP_state) sch->resident[weft__at(sch, sch->device_of[from->id], from->out[0].id)] = true;
    }
    return WEFT_OK;
}

static weft_status make_plan(weft__schedule *sch, weft_error *err)
{
    weft_plan_node *nodes = calloc(sch->node_limit, sizeof *nodes);
    if (!nodes) return WEFT_OOM_FAIL(err, "the schedule");
    uint32_t alignment = 1;
    for (uint32_t d = 0; d < sch->n_devices; d++) {
        uint32_t a = sch->devices[d]->vt->alignment(sch->devices[d]);
        if (a > alignment) alignment = a;
    }
    for (uint32_t id = 1; id < sch->node_limit; id++)
        nodes[id] = (weft_plan_node){ sch->device_of[id], sch->choices[id].scratch_bytes, sch->choices[id].inplace };
    weft_plan_desc desc = { .bounds = sch->bounds, .nodes = nodes, .keep = sch->keep, .n_devices = sch->n_devices,
                            .alignment = alignment };
    weft_status s = weft_plan_create(sch->g, &desc, &sch->plan, err);
    free(nodes);
    return s;
}

/* Which steps share a launch with the one before them, and how many launches that leaves. */
static void join_steps(weft__schedule *sch)
{
    const weft_kernel_choice *launch[MAX_JOINED];
    uint32_t n = 0, device = UINT32_MAX;
    for (uint32_t i = 0; i < sch->plan->n_steps; i++) {
        weft_step *s = &sch->plan->steps[i];
        const weft_kernel_choice *c = &sch->choices[s->node];
        const weft_backend *b = sch->devices[s->device];
        if (!c->kernel) continue; /* a transfer */
        bool near = n && n < MAX_JOINED && s->device == device && !s->barrier;
        s->joined = near && b->vt->joins && b->vt->joins(b, launch, n, c);
        if (!s->joined) {
            n = 0;
            sch->plan->n_launches += c->launches ? c->launches : 1;
        }
        launch[n++] = c;
        device = s->device;
    }
}

static weft_status make_segments(weft__schedule *sch, weft_error *err)
{
    const weft_plan *plan = sch->plan;
    size_t cap = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const weft_step *step = &plan->steps[i];
        bool transfer = weft_graph_node_by_id(sch->g, step->node)->op == WEFT_OP_transfer;
        weft__segment *last = sch->n_segments ? &sch->segments[sch->n_segments - 1] : NULL;
        if (last && !transfer && !last->transfer && last->device == step->device) {
            last->n++;
            continue;
        }
        if (!weft__grow(&sch->segments, &cap, sch->n_segments + 1, sizeof *sch->segments))
            return WEFT_OOM_FAIL(err, "the schedule");
        sch->segments[sch->n_segments++] = (weft__segment){ i, 1, step->device, transfer };
    }
    return WEFT_OK;
}

/* The graph as it is now, placed and planned. */
static weft_status decide(weft__schedule *sch, weft_error *err)
{
    if (!weft__schedule_grow(sch)) return WEFT_OOM_FAIL(err, "the schedule");
    bool changed = true;
    for (uint32_t round = 0; changed; round++) {
        if (round == MAX_ROUNDS)
            return WEFT_FAIL(err, WEFT_INTERNAL, "the schedule still needs copies after %u rounds", round);
        WEFT_TRY(weft__place(sch, err));
        WEFT_TRY(weft__legalise(sch, &changed, err));
    }
    WEFT_TRY(find_residents(sch, err));
    WEFT_TRY(make_plan(sch, err));
    join_steps(sch);
    return make_segments(sch, err);
}

/* ---- splitting ---- */

static weft_status take_split(weft__schedule *sch, const uint32_t *split, weft_error *err)
{
    sch->split = calloc(sch->n_devices, sizeof *sch->split);
    if (!sch->split) return WEFT_OOM_FAIL(err, "the schedule");
    if (split) memcpy(sch->split, split, sch->n_devices * sizeof *sch->split);
    return WEFT_OK;
}

/* Back to before decide(), with the graph of then, which is taken over. */
static void undo(weft__schedule *sch, weft_graph *fresh)
{
    weft_graph_destroy(sch->g);
    weft_plan_destroy(sch->plan);
    free(sch->device_of);
    free(sch->reasons);
    free(sch->choices);
    free(sch->layouts);
    free(sch->resident);
    free(sch->segments);
    sch->g = fresh;
    sch->plan = NULL;
    sch->device_of = NULL;
    sch->reasons = NULL;
    sch->choices = NULL;
    sch->layouts = NULL;
    sch->resident = NULL;
    sch->segments = NULL;
    sch->n_segments = sch->node_limit = sch->value_limit = 0;
}

/* All on the first device, and if that is too much, once more with the layers spread. */
static weft_status spread(weft__schedule *sch, weft_error *err)
{
    weft_graph *fresh;
    WEFT_TRY(weft_graph_clone(sch->g, &fresh, err));
    weft_status s = decide(sch, err);
    if (s || weft__schedule_fits(sch)) {
        weft_graph_destroy(fresh);
        return s;
    }
    s = take_split(sch, NULL, err);
    if (!s) s = weft__split_by_memory(sch, err);
    undo(sch, fresh);
    if (!s) s = weft__split_nodes(sch, err);
    return s ? s : decide(sch, err);
}

/* ---- the object ---- */

static weft_status create(weft__schedule *sch, const weft_graph *g, const weft_program_desc *desc, weft_error *err)
{
    sch->devices = malloc(desc->n_devices * sizeof *sch->devices);
    if (!sch->devices) return WEFT_OOM_FAIL(err, "the schedule");
    for (uint32_t d = 0; d < desc->n_devices; d++) sch->devices[d] = desc->devices[d];
    sch->n_devices = desc->n_devices;
    sch->strict = desc->strict;
    sch->exact = desc->exact;
    sch->deterministic = desc->deterministic;
    sch->keep = desc->keep;
    WEFT_TRY(weft_graph_clone(g, &sch->g, err));
    if (desc->outputs) WEFT_TRY(weft_graph_keep_outputs(sch->g, desc->outputs, desc->n_outputs, err));
    if (!desc->as_built) WEFT_TRY(weft_graph_optimise(sch->g, NULL, 0, err));
    WEFT_TRY(set_bounds(sch, desc, err));
    WEFT_TRY(weft__unfuse(sch, err));
    if (desc->split) {
        WEFT_TRY(take_split(sch, desc->split, err));
        WEFT_TRY(weft__split_nodes(sch, err));
    } else if (desc->spread && sch->n_devices > 1) return spread(sch, err);
    return decide(sch, err);
}

/* Working memory is shared by device: one that is there twice would write over its own values. */
static weft_status check_devices(const weft_program_desc *desc, weft_error *err)
{
    if (!desc->n_devices) return WEFT_FAIL(err, WEFT_INVALID, "a program needs at least one device");
    for (uint32_t d = 1; d < desc->n_devices; d++)
        for (uint32_t k = 0; k < d; k++)
            if (desc->devices[d] == desc->devices[k])
                return WEFT_FAIL(err, WEFT_INVALID, "device %u of a program is its device %u again", d, k);
    return WEFT_OK;
}

weft_status weft__schedule_create(const weft_graph *g, const weft_program_desc *desc, const weft__schedule **out,
                                  weft_error *err)
{
    *out = NULL;
    WEFT_TRY(check_devices(desc, err));
    weft__schedule *sch = calloc(1, sizeof *sch);
    if (!sch) return WEFT_OOM_FAIL(err, "the schedule");
    weft_status s = create(sch, g, desc, err);
    if (s) weft__schedule_destroy(sch);
    else *out = sch;
    return s;
}

void weft__schedule_destroy(const weft__schedule *s)
{
    weft__schedule *sch = (weft__schedule *)(uintptr_t)s;
    if (!sch) return;
    undo(sch, NULL);
    free(sch->devices);
    free(sch->split);
    free(sch->first_device);
    free(sch);
}

weft_place weft__schedule_place(const weft__schedule *sch, uint32_t node_id)
{
    const weft_node *n = weft_graph_node_by_id(sch->g, node_id);
    if (!n) return (weft_place){ .kernel = "", .layout = "" };
    uint32_t d = sch->device_of[node_id];
    const weft_kernel_choice *c = &sch->choices[node_id];
    const weft_backend *b = sch->devices[d];
    weft_place place = { d, sch->reasons[node_id], c->kernel ? c->name : "", "", c->arithmetic };
    if (n->op == WEFT_OP_weight) place.layout = b->vt->layout_name(b, sch->layouts[weft__at(sch, d, n->out[0].id)]);
    return place;
}
