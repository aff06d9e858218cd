/* plan_check.h: an independent judge of memory plans, by brute force. It recomputes from the graph who reads what and
 * when, plays the plan through on an arena whose every byte remembers which value was written there last, and compares
 * all pairs of steps that no barrier separates. plan_fault returns NULL, or what is wrong. */
#ifndef WEFT_TEST_PLAN_CHECK_H
#define WEFT_TEST_PLAN_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "graph/plan.h"

enum { PLAN_NOBODY = 0, PLAN_SCRATCH = UINT32_MAX };

typedef struct plan_judge {
    const weft_graph *g;
    const weft_plan *p;
    const weft_plan_desc *desc;
    uint32_t *made_at;  /* by value id: step + 1; 0 = before the run */
    uint32_t *last_use; /* by value id that owns or shares bytes: last step that reads it, itself or a view */
    uint32_t **bytes;   /* per device, per byte of the arena: the value written last */
    uint32_t *state;    /* by value id of a state: the value it holds, itself or a store's result */
    char text[256];
} plan_judge;

#define PLAN_SAY(j, ...) (snprintf((j)->text, sizeof(j)->text, __VA_ARGS__), (j)->text)

static inline const weft_node *judge_producer(const plan_judge *j, weft_ref r)
{
    const weft_value *v = weft_graph_value(j->g, r);
    return v ? weft_graph_node_by_id(j->g, v->node) : NULL;
}

/* The result of a store: the state's bytes. */
static inline bool judge_is_stored(const plan_judge *j, weft_ref r)
{
    const weft_node *n = judge_producer(j, r);
    return n && weft_op_get(n->op)->traits & WEFT_TRAIT_STATE && n->out[0].id == r.id;
}

static inline weft_ref judge_behind_views(const plan_judge *j, weft_ref r)
{
    const weft_node *n;
    while ((n = judge_producer(j, r)) && weft_op_get(n->op)->traits & WEFT_TRAIT_VIEW) r = n->in[0];
    return r;
}

/* The value that was computed: through views and stores to what made the elements. */
static inline weft_ref judge_base(const plan_judge *j, weft_ref r)
{
    for (r = judge_behind_views(j, r); judge_is_stored(j, r);)
        r = judge_behind_views(j, judge_producer(j, r)->in[0]);
    return r;
}

static inline bool judge_in_arena(const plan_judge *j, weft_ref base)
{
    weft_op op = judge_producer(j, base)->op;
    return op != WEFT_OP_weight && op != WEFT_OP_state && op != WEFT_OP_constant;
}

/* A piece of memory that a step touches: arena bytes, or a whole weight or state (offset by its id). */
typedef struct judge_range {
    uint64_t lo, hi;
    uint32_t space; /* device, or n_devices + value id of the state */
    bool write;
} judge_range;

static inline judge_range judge_range_of(const plan_judge *j, weft_ref r, bool write)
{
    weft_ref base = judge_base(j, r);
    const weft_slot *s = &j->p->slots[base.id];
    judge_range out = { s->offset, s->offset + weft_value_bytes(j->g, base, j->desc->bounds), s->device, write };
    if (!judge_in_arena(j, base)) out = (judge_range){ 0, 1, j->p->n_devices + base.id, write };
    return out;
}

static inline uint32_t judge_ranges(const plan_judge *j, uint32_t step, judge_range *out)
{
    const weft_step *s = &j->p->steps[step];
    const weft_node *n = weft_graph_node_by_id(j->g, s->node);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].id) out[count++] = judge_range_of(j, n->in[i], false);
    for (uint32_t i = 0; i < n->n_out; i++) out[count++] = judge_range_of(j, n->out[i], true);
    uint64_t end = s->scratch_offset + s->scratch_bytes;
    if (s->scratch_bytes) out[count++] = (judge_range){ s->scratch_offset, end, s->device, true };
    return count;
}

/* ---- the order: every working node once, after what it reads ---- */

static inline const char *judge_order(plan_judge *j)
{
    uint32_t working = 0;
    uint32_t *step_of = calloc(weft_graph_node_limit(j->g), sizeof *step_of); /* + 1 */
    const char *fault = NULL;
    for (uint32_t i = 0; i < weft_graph_node_count(j->g); i++) {
        uint32_t traits = weft_op_get(weft_graph_node(j->g, i)->op)->traits;
        working += !(traits & (WEFT_TRAIT_VIEW | WEFT_TRAIT_SOURCE));
    }
    if (working != j->p->n_steps) fault = PLAN_SAY(j, "%u steps for %u nodes", j->p->n_steps, working);
    for (uint32_t i = 0; i < j->p->n_steps && !fault; i++) {
        const weft_node *n = weft_graph_node_by_id(j->g, j->p->steps[i].node);
        if (!n || step_of[n->id]) fault = PLAN_SAY(j, "step %u: no node, or one that already ran", i);
        for (uint32_t k = 0; !fault && k < n->n_in; k++) {
            const weft_node *from = judge_producer(j, n->in[k]);
            while (from && weft_op_get(from->op)->traits & WEFT_TRAIT_VIEW) from = judge_producer(j, from->in[0]);
            bool source = from && weft_op_get(from->op)->traits & WEFT_TRAIT_SOURCE;
            if (from && !source && !step_of[from->id]) fault = PLAN_SAY(j, "step %u reads what is not there yet", i);
        }
        if (!fault) step_of[n->id] = i + 1;
        for (uint32_t k = 0; !fault && k < n->n_out; k++) j->made_at[n->out[k].id] = i + 1;
        for (uint32_t k = 0; !fault && k < n->n_in; k++)
            if (n->in[k].id) j->last_use[judge_base(j, n->in[k]).id] = i;
    }
    free(step_of);
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(j->g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs && j->p->n_steps; i++)
        j->last_use[judge_base(j, outputs[i].ref).id] = j->p->n_steps - 1;
    return fault;
}

/* ---- playing it through ---- */

static inline void judge_write(plan_judge *j, const judge_range *r, uint32_t value)
{
    if (r->space >= j->p->n_devices) {
        j->state[r->space - j->p->n_devices] = value;
        return;
    }
    for (uint64_t i = r->lo; i < r->hi; i++) j->bytes[r->space][i] = value;
}

static inline bool judge_holds(const plan_judge *j, weft_ref r)
{
    weft_ref base = judge_base(j, r);
    judge_range at = judge_range_of(j, r, false);
    if (at.space >= j->p->n_devices) {
        uint32_t held = j->state[base.id] ? j->state[base.id] : base.id;
        return held == judge_behind_views(j, r).id;
    }
    for (uint64_t i = at.lo; i < at.hi; i++)
        if (j->bytes[at.space][i] != base.id) return false;
    return true;
}

static inline const char *judge_run(plan_judge *j)
{
    for (uint32_t i = 0; i < weft_graph_node_count(j->g); i++) {
        const weft_node *n = weft_graph_node(j->g, i);
        if (n->op != WEFT_OP_input) continue;
        judge_range r = judge_range_of(j, n->out[0], true);
        judge_write(j, &r, n->out[0].id);
    }
    for (uint32_t i = 0; i < j->p->n_steps; i++) {
        const weft_step *s = &j->p->steps[i];
        const weft_node *n = weft_graph_node_by_id(j->g, s->node);
        judge_range scratch = { s->scratch_offset, s->scratch_offset + s->scratch_bytes, s->device, true };
        judge_write(j, &scratch, PLAN_SCRATCH);
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->in[k].id && !judge_holds(j, n->in[k])) return PLAN_SAY(j, "step %u: input %u was overwritten", i, k);
        for (uint32_t k = 0; k < n->n_out; k++) {
            judge_range r = judge_range_of(j, n->out[k], true);
            judge_write(j, &r, n->out[k].id);
        }
        for (uint32_t k = 0; s->scratch_bytes && k < n->n_out; k++)
            if (!judge_holds(j, n->out[k])) return PLAN_SAY(j, "step %u: results overlap", i);
    }
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(j->g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++)
        if (!judge_holds(j, outputs[i].ref)) return PLAN_SAY(j, "output %s was overwritten", outputs[i].name);
    return NULL;
}

/* ---- pairs ---- */

static inline bool judge_clash(const judge_range *a, const judge_range *b)
{
    return a->space == b->space && a->lo < b->hi && b->lo < a->hi && (a->write || b->write);
}

/* Two steps of one device may run at the same time unless one of the later ones, or the later itself, has a barrier.
 * A change of device is waited for by whoever runs the steps. */
static inline const char *judge_pairs(plan_judge *j)
{
    enum { MOST = WEFT_MAX_INPUTS + WEFT_MAX_OUTPUTS + 1 };
    for (uint32_t a = 0; a < j->p->n_steps; a++) {
        judge_range x[MOST], y[MOST];
        uint32_t nx = judge_ranges(j, a, x);
        for (uint32_t b = a + 1; b < j->p->n_steps; b++) {
            if (j->p->steps[b].device != j->p->steps[a].device) continue;
            if (j->p->steps[b].barrier) break;
            uint32_t ny = judge_ranges(j, b, y);
            for (uint32_t i = 0; i < nx; i++)
                for (uint32_t k = 0; k < ny; k++)
                    if (judge_clash(&x[i], &y[k])) return PLAN_SAY(j, "steps %u and %u need a barrier", a, b);
        }
    }
    return NULL;
}

/* Lifetimes hold every use, and values whose lifetimes meet share no byte unless one was made over the other. */
static inline const char *judge_lives(plan_judge *j)
{
    const weft_plan *p = j->p;
    for (uint32_t i = 1; i < p->n_slots; i++) {
        const weft_slot *s = &p->slots[i];
        if (!weft_graph_value(j->g, (weft_ref){ i }) || judge_base(j, (weft_ref){ i }).id != i) continue;
        if (!judge_in_arena(j, (weft_ref){ i })) continue;
        uint32_t birth = j->made_at[i] ? j->made_at[i] - 1 : 0;
        uint32_t death = j->last_use[i] > birth ? j->last_use[i] : birth;
        if (s->storage != WEFT_STORAGE_ARENA) return PLAN_SAY(j, "value %u is not in the arena", i);
        if (s->birth > birth || s->death < death) return PLAN_SAY(j, "value %u is used outside its lifetime", i);
        if (s->offset % j->desc->alignment) return PLAN_SAY(j, "value %u is not aligned", i);
        if (s->offset + s->bytes > p->arena_bytes[s->device]) return PLAN_SAY(j, "value %u ends outside", i);
        for (uint32_t k = 1; k < i; k++) {
            const weft_slot *t = &p->slots[k];
            if (t->storage != WEFT_STORAGE_ARENA || t->device != s->device || t->root.id == s->root.id) continue;
            if (s->birth <= t->death && t->birth <= s->death && s->offset < t->offset + t->bytes &&
                t->offset < s->offset + s->bytes)
                return PLAN_SAY(j, "values %u and %u overlap", k, i);
        }
    }
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const weft_step *s = &p->steps[i];
        uint64_t end = s->scratch_offset + s->scratch_bytes;
        if (!s->scratch_bytes) continue;
        if (s->scratch_offset % j->desc->alignment || end > p->arena_bytes[s->device])
            return PLAN_SAY(j, "scratch of step %u lies badly", i);
        for (uint32_t k = 1; k < p->n_slots; k++) {
            const weft_slot *t = &p->slots[k];
            if (t->storage == WEFT_STORAGE_ARENA && t->device == s->device && t->birth <= i && i <= t->death &&
                t->offset < end && s->scratch_offset < t->offset + t->bytes)
                return PLAN_SAY(j, "scratch of step %u overlaps value %u", i, k);
        }
    }
    return NULL;
}

/* The text is kept in *j, which holds nothing else of use afterwards. */
static inline const char *plan_fault(plan_judge *j, const weft_graph *g, const weft_plan *p, const weft_plan_desc *desc)
{
    *j = (plan_judge){ .g = g, .p = p, .desc = desc };
    const char *fault = NULL;
    uint32_t barriers = 0;
    for (uint32_t d = 0; d < p->n_devices && !fault; d++)
        if (p->arena_bytes[d] > p->arena_unshared[d]) fault = PLAN_SAY(j, "sharing makes device %u's arena larger", d);
    for (uint32_t i = 0; i < p->n_steps; i++) barriers += p->steps[i].barrier;
    if (!fault && barriers != p->n_barriers) fault = PLAN_SAY(j, "%u barriers, not %u", barriers, p->n_barriers);
    j->made_at = calloc(p->n_slots + 1, sizeof *j->made_at);
    j->last_use = calloc(p->n_slots + 1, sizeof *j->last_use);
    j->state = calloc(p->n_slots + 1, sizeof *j->state);
    j->bytes = calloc(p->n_devices, sizeof *j->bytes);
    for (uint32_t d = 0; d < p->n_devices; d++) j->bytes[d] = calloc(p->arena_bytes[d] + 1, sizeof **j->bytes);
    if (!fault) fault = judge_order(j);
    if (!fault) fault = judge_lives(j);
    if (!fault) fault = judge_pairs(j);
    if (!fault) fault = judge_run(j);
    free(j->made_at);
    free(j->last_use);
    free(j->state);
    for (uint32_t d = 0; d < p->n_devices; d++) free(j->bytes[d]);
    free(j->bytes);
    return fault;
}

#endif
