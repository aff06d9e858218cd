/* plan_order.c: in which order the steps run.
 *
 * By depth, the longest path from the sources over nodes that do work: nodes that could run at the
 * same time stand side by side, and a barrier is needed about once per level. Within a level the
 * graph's order is kept. With several devices a second number comes first, how often the path has
 * changed device, so that each device gets few, long runs of steps. What depends on weights and
 * constants only, or on sources directly, would all come first and lie about: it is moved to the
 * level before its first reader. So is what writes into a state, so that stores of one reader come
 * together, which may share a launch; whoever touched the state before it still does. Memory can
 * still grow where a wide graph has many short independent branches. */
#include "graph/plan_impl.h"

#include <stdlib.h>

enum { NO_DEVICE = UINT32_MAX, MIXED = UINT32_MAX - 1 };

/* By node id. `late_*`: the latest place that its readers allow. */
typedef struct place {
    uint32_t depth, level, device;
    uint32_t late_depth, late_level;
    bool is_step;
    bool fixed_data; /* follows from weights and constants alone */
    bool movable;
} place;

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool differ(uint32_t from, uint32_t to)
{
    return from != NO_DEVICE && from != to;
}

/* Steps that touched a state so far, by its root; a later store must come after all of them. */
static void touch(place *t, const place *step)
{
    if (step->level > t->level || t->device == NO_DEVICE)
        t->device = step->device;
    else if (step->level == t->level && step->device != t->device)
        t->device = MIXED;
    t->depth = max_u32(t->depth, step->depth);
    t->level = max_u32(t->level, step->level);
}

static void after(place *s, const place *earlier)
{
    s->depth = max_u32(s->depth, earlier->depth + 1);
    s->level = max_u32(s->level, earlier->level + differ(earlier->device, s->device));
}

static const weft_node *producer(const weft_graph *g, weft_ref r)
{
    const weft_value *v = weft_graph_value(g, r);
    return v ? weft_graph_node_by_id(g, v->node) : NULL;
}

/* Depth and level of one step; `touched` is indexed by value id. */
static void place_step(const weft__planner *p, const weft_node *n, place *places, place *touched)
{
    const weft_slot *slots = p->plan->slots;
    bool writes = weft_op_get(n->op)->traits & WEFT_TRAIT_STATE, state = writes;
    place *s = &places[n->id];
    *s = (place){ .device = p->desc->nodes[n->id].device, .is_step = true, .fixed_data = true };
    for (uint32_t i = 0; i < n->n_in; i++) {
        const weft_node *from = producer(p->g, n->in[i]);
        if (!from) continue;
        after(s, &places[from->id]);
        s->fixed_data = s->fixed_data && places[from->id].fixed_data;
        state = state || slots[n->in[i].id].storage == WEFT_STORAGE_STATE;
    }
    if (s->depth == 0) s->depth = 1;
    if (writes) after(s, &touched[slots[n->in[0].id].root.id]);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (producer(p->g, n->in[i]) && slots[n->in[i].id].storage == WEFT_STORAGE_STATE)
            touch(&touched[slots[n->in[i].id].root.id], s);
    s->fixed_data = s->fixed_data && !state;
    s->movable = writes || (!state && (s->fixed_data || s->depth == 1));
}

static void place_all(const weft__planner *p, place *places, place *touched)
{
    const weft_graph *g = p->g;
    uint32_t count = weft_graph_node_count(g);
    for (uint32_t i = 0; i < weft_graph_value_limit(g); i++) touched[i].device = NO_DEVICE;
    for (uint32_t i = 0; i < count; i++) {
        const weft_node *n = weft_graph_node(g, i);
        uint32_t traits = weft_op_get(n->op)->traits;
        if (traits & WEFT_TRAIT_SOURCE)
            places[n->id] =
                (place){ .device = NO_DEVICE,
                         .fixed_data = n->op == WEFT_OP_weight || n->op == WEFT_OP_constant };
        else if (traits & WEFT_TRAIT_VIEW)
            places[n->id] = places[producer(g, n->in[0])->id], places[n->id].is_step = false;
        else
            place_step(p, n, places, touched);
        places[n->id].late_depth = places[n->id].late_level = UINT32_MAX;
    }
    for (uint32_t i = count; i-- > 0;) {
        const weft_node *n = weft_graph_node(g, i);
        place *s = &places[n->id];
        if (s->is_step && s->movable && s->late_depth != UINT32_MAX) {
            s->depth = s->late_depth;
            s->level = s->late_level;
        }
        for (uint32_t k = 0; k < n->n_in; k++) {
            const weft_node *from = producer(g, n->in[k]);
            if (!from) continue;
            place *f = &places[from->id];
            uint32_t other = s->is_step && differ(f->device, s->device);
            uint32_t depth = s->is_step ? s->depth - 1 : s->late_depth;
            uint32_t level = s->is_step ? s->level - min_u32(s->level, other) : s->late_level;
            f->late_depth = min_u32(f->late_depth, depth);
            f->late_level = min_u32(f->late_level, level);
        }
    }
}

typedef struct key {
    uint32_t level, device, depth, position;
} key;

static int compare_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_keys(const void *a, const void *b)
{
    const key *x = a, *y = b;
    int c = compare_u32(x->level, y->level);
    if (!c) c = compare_u32(x->device, y->device);
    if (!c) c = compare_u32(x->depth, y->depth);
    return c ? c : compare_u32(x->position, y->position);
}

weft_status weft__plan_order(weft__planner *p, weft_error *err)
{
    const weft_graph *g = p->g;
    uint32_t count = weft_graph_node_count(g), n = 0;
    place *places = weft__arena_alloc(&p->work, weft_graph_node_limit(g), sizeof *places);
    place *touched = weft__arena_alloc(&p->work, weft_graph_value_limit(g), sizeof *touched);
    key *keys = weft__arena_alloc(&p->work, (size_t)count + 1, sizeof *keys);
    weft_step *steps = weft__arena_alloc(p->own, (size_t)count + 1, sizeof *steps);
    if (!places || !touched || !keys || !steps) return WEFT_OOM_FAIL(err, "the order of the steps");
    place_all(p, places, touched);
    for (uint32_t i = 0; i < count; i++) {
        const place *s = &places[weft_graph_node(g, i)->id];
        if (s->is_step) keys[n++] = (key){ s->level, s->device, s->depth, i };
    }
    if (n > 1) qsort(keys, n, sizeof *keys, compare_keys);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = weft_graph_node(g, keys[i].position)->id;
        const weft_plan_node *info = &p->desc->nodes[id];
        steps[i] =
            (weft_step){ .node = id, .device = info->device, .scratch_bytes = info->scratch_bytes };
    }
    p->plan->steps = steps;
    p->plan->n_steps = n;
    return WEFT_OK;
}
