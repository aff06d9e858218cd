/* plan_hazard.c: what must wait for what.
 *
 * A step waits (has a barrier before it) when it touches bytes that a step since the last barrier
 * touched, and one of the two writes: read after write, write after read, write after write. Bytes
 * are ranges of spaces. The first time, no two values share a space, so that the data flow alone
 * decides; the second time, values lie where they were placed, and the same question must find
 * nothing new. Weights and constants are never written and are left out. */
#include "graph/plan_impl.h"

typedef struct range {
    uint64_t lo, hi, space;
    uint32_t step;
    bool write;
} range;

/* The ranges touched since the last barrier. */
typedef struct window {
    range *item;
    size_t n;
    bool placed; /* offsets are known: arena values of a device share a space */
} window;

/* The bytes that a view spans: all of the root, but for slices of plain types. */
static range span_of(const weft__planner *p, weft_ref r, bool placed)
{
    const weft_slot *s = &p->plan->slots[r.id];
    const weft_value *v = weft_graph_value(p->g, r);
    const weft_dtype_info *type = weft_dtype_get(v->dtype);
    int64_t dim[WEFT_MAX_RANK], last = s->first;
    range out = { 0, s->bytes, (uint64_t)p->plan->n_devices + s->root.id, 0, false };
    if (type->block == 1) {
        weft_dims_resolve(p->g, &v->dims, p->desc->bounds, dim);
        for (uint32_t i = 0; i < v->dims.rank; i++) last += (dim[i] - 1) * s->stride[i];
        out.lo = (uint64_t)s->first * type->bytes;
        out.hi = (uint64_t)(last + 1) * type->bytes;
    }
    if (placed && s->storage == WEFT_STORAGE_ARENA) {
        out.space = s->device;
        out.lo += s->offset;
        out.hi += s->offset;
    }
    return out;
}

/* All ranges that step `at` touches, written to the end of the window; returns how many. */
static uint32_t collect(const weft__planner *p, uint32_t at, window *w)
{
    const weft_step *step = &p->plan->steps[at];
    const weft_node *n = weft_graph_node_by_id(p->g, step->node);
    range *out = w->item + w->n;
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->n_in + n->n_out; i++) {
        weft_ref r = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (!r.id) continue;
        weft_storage storage = p->plan->slots[r.id].storage;
        if (storage != WEFT_STORAGE_ARENA && storage != WEFT_STORAGE_STATE) continue;
        out[count] = span_of(p, r, w->placed);
        out[count].write = i >= n->n_in;
        out[count++].step = at;
    }
    if (w->placed && step->scratch_bytes)
        out[count++] = (range){ step->scratch_offset, step->scratch_offset + step->scratch_bytes,
                                step->device, at, true };
    return count;
}

/* The first range of the window that the `count` new ones after it must wait for. */
static const range *conflict(const window *w, uint32_t count)
{
    for (const range *a = w->item + w->n; a < w->item + w->n + count; a++)
        for (const range *b = w->item; b < w->item + w->n; b++)
            if (a->space == b->space && a->lo < b->hi && b->lo < a->hi && (a->write || b->write))
                return b;
    return NULL;
}

static weft_status window_create(weft__planner *p, bool placed, window *w, weft_error *err)
{
    size_t most = 1;
    for (uint32_t i = 0; i < p->plan->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(p->g, p->plan->steps[i].node);
        most += (size_t)n->n_in + n->n_out + 1;
    }
    *w = (window){ weft__arena_alloc(&p->work, most, sizeof *w->item), 0, placed };
    return w->item ? WEFT_OK : WEFT_OOM_FAIL(err, "the hazards of the steps");
}

weft_status weft__plan_groups(weft__planner *p, weft_error *err)
{
    uint32_t n = p->plan->n_steps, groups = 0;
    window w;
    WEFT_TRY(window_create(p, false, &w, err));
    p->group = weft__arena_alloc(&p->work, (size_t)n + 1, sizeof *p->group);
    p->group_first = weft__arena_alloc(&p->work, (size_t)n + 2, sizeof *p->group_first);
    bool *started = weft__arena_alloc(&p->work, p->plan->n_devices, sizeof *started);
    if (!p->group || !p->group_first || !started)
        return WEFT_OOM_FAIL(err, "the groups of the steps");
    for (uint32_t i = 0; i < n; i++) {
        weft_step *s = &p->plan->steps[i];
        bool other_device = i > 0 && s->device != p->plan->steps[i - 1].device;
        uint32_t count = collect(p, i, &w);
        if (i > 0 && (other_device || conflict(&w, count))) {
            s->barrier = started[s->device];
            p->plan->n_barriers += s->barrier;
            p->group_first[++groups] = i;
            w.n = 0;
            count = collect(p, i, &w);
        }
        w.n += count;
        started[s->device] = true;
        p->group[i] = groups;
    }
    p->n_groups = groups + 1;
    p->group_first[p->n_groups] = n;
    return WEFT_OK;
}

weft_status weft__plan_check(weft__planner *p, weft_error *err)
{
    window w;
    WEFT_TRY(window_create(p, true, &w, err));
    for (uint32_t i = 0; i < p->plan->n_steps; i++) {
        if (p->group_first[p->group[i]] == i) w.n = 0;
        uint32_t count = collect(p, i, &w);
        const range *other = conflict(&w, count);
        if (other)
            return WEFT_FAIL(err, WEFT_INTERNAL,
                             "memory plan: steps %u and %u share bytes without a barrier",
                             other->step, i);
        w.n += count;
    }
    return WEFT_OK;
}
