/* plan_hazard.c: what must wait for what.
 *
 * A step waits (has a barrier before it) when it touches bytes that a step since the last barrier
 * touched, and one of the two writes: read after write, write after read, write after write. Bytes
 * are ranges of spaces. The first time, no two values share a space, so that the data flow alone
 * decides: a step is compared with those since the last barrier that touch the same values. The
 * second time, values lie where they were placed, and the same question must find nothing new: the
 * ranges of a group are swept in order of their beginnings. Weights and constants are never written
 * and are left out. */
#include "graph/plan_impl.h"

#include <stdlib.h>

typedef struct range {
    uint64_t lo, hi;
    uint32_t space, step;
    bool write;
    size_t before; /* place + 1 in the window of the range before it that does the same to its space */
} range;

/* The ranges touched since the last barrier. */
typedef struct window {
    range *item;
    size_t n;
    size_t *last[2]; /* by space, of reads and of writes: place + 1 of the last, or 0 */
    bool placed;     /* offsets are known: arena values of a device share a space */
} window;

/* The bytes that a view spans: all of the root, but for slices of plain types. */
static range span_of(const weft__planner *p, weft_ref r, bool placed)
{
    const weft_slot *s = &p->plan->slots[r.id];
    const weft_value *v = weft_graph_value(p->g, r);
    const weft_dtype_info *type = weft_dtype_get(v->dtype);
    int64_t dim[WEFT_MAX_RANK], last = s->first;
    range out = { 0, s->bytes, p->plan->n_devices + s->root.id, 0, false, 0 };
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
                                step->device, at, true, 0 };
    return count;
}

/* Whether one of the `count` new ranges after the window must wait for one in it. */
static bool conflict(const window *w, uint32_t count)
{
    for (const range *a = w->item + w->n; a < w->item + w->n + count; a++)
        for (int write = !a->write; write < 2; write++)
            for (size_t at = w->last[write][a->space]; at; at = w->item[at - 1].before)
                if (a->lo < w->item[at - 1].hi && w->item[at - 1].lo < a->hi) return true;
    return false;
}

/* Takes the `count` new ranges into the window. */
static void extend(window *w, uint32_t count)
{
    for (range *a = w->item + w->n; count-- > 0; a++) {
        a->before = w->last[a->write][a->space];
        w->last[a->write][a->space] = ++w->n;
    }
}

static void empty(window *w)
{
    for (size_t i = 0; i < w->n; i++) w->last[w->item[i].write][w->item[i].space] = 0;
    w->n = 0;
}

static weft_status window_create(weft__planner *p, bool placed, window *w, weft_error *err)
{
    size_t most = 1;
    for (uint32_t i = 0; i < p->plan->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(p->g, p->plan->steps[i].node);
        most += (size_t)n->n_in + n->n_out + 1;
    }
    *w = (window){ .item = weft__arena_alloc(&p->work, most, sizeof *w->item), .placed = placed };
    for (int i = 0; i < 2 && !placed; i++)
        w->last[i] = weft__arena_alloc(&p->work, (size_t)p->plan->n_devices + p->plan->n_slots, sizeof **w->last);
    bool complete = w->item && (placed || (w->last[0] && w->last[1]));
    return complete ? WEFT_OK : WEFT_OOM_FAIL(err, "the hazards of the steps");
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
            empty(&w);
            count = collect(p, i, &w);
        }
        extend(&w, count);
        started[s->device] = true;
        p->group[i] = groups;
    }
    p->n_groups = groups + 1;
    p->group_first[p->n_groups] = n;
    return WEFT_OK;
}

/* Of some ranges that begin before a place: the one that ends last, and the last to end of another step. */
typedef struct reach {
    const range *far, *other;
} reach;

static void reach_add(reach *r, const range *a)
{
    if (!r->far || a->hi > r->far->hi) {
        if (r->far && r->far->step != a->step) r->other = r->far;
        r->far = a;
    } else if (a->step != r->far->step && (!r->other || a->hi > r->other->hi)) {
        r->other = a;
    }
}

/* One of the ranges that overlaps `a`, which begins at or after all of them, and is another step's. */
static const range *reach_overlap(const reach *r, const range *a)
{
    const range *b = r->far && r->far->step == a->step ? r->other : r->far;
    return b && b->hi > a->lo ? b : NULL;
}

static int by_beginning(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->space != y->space) return x->space < y->space ? -1 : 1;
    if (x->lo != y->lo) return x->lo < y->lo ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}

/* The ranges of a group of steps. */
static weft_status check_group(const window *w, weft_error *err)
{
    reach reads = { 0 }, writes = { 0 };
    if (w->n > 1) qsort(w->item, w->n, sizeof *w->item, by_beginning);
    for (size_t i = 0; i < w->n; i++) {
        const range *a = &w->item[i];
        if (i > 0 && a->space != w->item[i - 1].space) reads = writes = (reach){ 0 };
        const range *b = reach_overlap(&writes, a);
        if (!b && a->write) b = reach_overlap(&reads, a);
        if (b)
            return WEFT_FAIL(err, WEFT_INTERNAL,
                             "memory plan: steps %u and %u share bytes without a barrier",
                             b->step < a->step ? b->step : a->step, b->step < a->step ? a->step : b->step);
        reach_add(a->write ? &writes : &reads, a);
    }
    return WEFT_OK;
}

weft_status weft__plan_check(weft__planner *p, weft_error *err)
{
    window w;
    WEFT_TRY(window_create(p, true, &w, err));
    for (uint32_t group = 0; group < p->n_groups; group++) {
        w.n = 0;
        for (uint32_t i = p->group_first[group]; i < p->group_first[group + 1]; i++) w.n += collect(p, i, &w);
        WEFT_TRY(check_group(&w, err));
    }
    return WEFT_OK;
}
