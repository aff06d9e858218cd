/* plan_print.c: a plan as text, for people and for goldens (docs/memory-plan.md reads one line by
 * line). */
#include "graph/plan.h"

#include <inttypes.h>
#include <stdlib.h>

/* " %7(%3)@64+256": value 7 lies in root 3's 256 bytes from byte 64 of the arena; "%5=weight" lies
 * elsewhere. */
static bool print_value(const weft_plan *p, weft_ref r, const weft_writer *w)
{
    static const char *const elsewhere[] = {
        [WEFT_STORAGE_NONE] = "none",         [WEFT_STORAGE_ARENA] = "arena",
        [WEFT_STORAGE_WEIGHT] = "weight",     [WEFT_STORAGE_STATE] = "state",
        [WEFT_STORAGE_CONSTANT] = "constant",
    };
    if (!r.id) return weft_writef(w, " -");
    const weft_slot *s = &p->slots[r.id];
    if (!weft_writef(w, " %%%" PRIu32, r.id)) return false;
    if (s->root.id != r.id && !weft_writef(w, "(%%%" PRIu32 ")", s->root.id)) return false;
    if (s->storage != WEFT_STORAGE_ARENA) return weft_writef(w, "=%s", elsewhere[s->storage]);
    return weft_writef(w, "@%" PRIu64 "+%" PRIu64, s->offset, s->bytes);
}

static bool print_step(const weft_graph *g, const weft_plan *p, uint32_t at, const weft_writer *w)
{
    const weft_step *s = &p->steps[at];
    const weft_node *n = weft_graph_node_by_id(g, s->node);
    bool ok = weft_writef(w, "%4" PRIu32 " %c", at, s->barrier ? '|' : ' ');
    if (p->n_devices > 1) ok = ok && weft_writef(w, " device %" PRIu32, s->device);
    ok = ok && weft_writef(w, " n%" PRIu32 " %s", n->id, weft_op_get(n->op)->name);
    if (*n->scope) ok = ok && weft_writef(w, " \"%s\"", n->scope);
    ok = ok && weft_writef(w, ":");
    for (uint32_t i = 0; i < n->n_in; i++) ok = ok && print_value(p, n->in[i], w);
    ok = ok && weft_writef(w, " ->");
    for (uint32_t i = 0; i < n->n_out; i++) ok = ok && print_value(p, n->out[i], w);
    if (s->scratch_bytes)
        ok = ok &&
             weft_writef(w, " scratch @%" PRIu64 "+%" PRIu64, s->scratch_offset, s->scratch_bytes);
    return ok && weft_writef(w, "\n");
}

bool weft_plan_same_group(const weft_plan *p, uint32_t earlier, uint32_t later)
{
    for (uint32_t i = earlier + 1; i <= later; i++)
        if (p->steps[i].barrier || p->steps[i].device != p->steps[i - 1].device) return false;
    return true;
}

static bool print_scratch_at(const weft_graph *g, const weft_plan *p, uint32_t d,
                             const weft_writer *w)
{
    bool ok = true;
    for (uint32_t i = p->peak_step[d]; i < p->n_steps && weft_plan_same_group(p, p->peak_step[d], i); i++) {
        const weft_step *s = &p->steps[i];
        if (s->device == d && s->scratch_bytes)
            ok = ok && weft_writef(w, "%12" PRIu64 "  scratch of step %" PRIu32 " (%s)\n",
                                   s->scratch_bytes, i,
                                   weft_op_get(weft_graph_node_by_id(g, s->node)->op)->name);
    }
    return ok;
}

/* Keeps out[0..n) in order while it grows: larger first, of equals the lower id. */
static void insert_live(const weft_plan *p, weft_ref *out, uint32_t n, uint32_t id)
{
    while (n && p->slots[out[n - 1].id].bytes < p->slots[id].bytes) {
        out[n] = out[n - 1];
        n--;
    }
    out[n].id = id;
}

uint32_t weft_plan_live(const weft_plan *p, uint32_t device, uint32_t step, weft_ref *out)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < p->n_slots; i++) {
        const weft_slot *s = &p->slots[i];
        if (s->storage == WEFT_STORAGE_ARENA && s->device == device && s->root.id == i && s->birth <= step &&
            step <= s->death)
            insert_live(p, out, n++, i);
    }
    return n;
}

static bool print_live(const weft_graph *g, const weft_plan *p, uint32_t id, const weft_writer *w)
{
    const weft_slot *s = &p->slots[id];
    const weft_node *n = weft_graph_node_by_id(g, weft_graph_value(g, (weft_ref){ id })->node);
    const char *name = n->name ? n->name : n->scope;
    return weft_writef(w, "%12" PRIu64 "  %%%" PRIu32 " %s%s%s, steps %" PRIu32 "..%" PRIu32 "\n",
                       s->bytes, id, weft_op_get(n->op)->name, *name ? " " : "", name, s->birth,
                       s->death);
}

static weft_status print_peak(const weft_graph *g, const weft_plan *p, uint32_t d,
                              const weft_writer *w, weft_error *err)
{
    uint32_t peak = p->peak_step[d];
    weft_ref *list = calloc((size_t)p->n_slots + 1, sizeof *list);
    if (!list) return WEFT_OOM_FAIL(err, "printing a plan");
    uint32_t n = weft_plan_live(p, d, peak, list);
    bool ok = weft_writef(w, "in use at step %" PRIu32 " of device %" PRIu32 "\n", peak, d);
    for (uint32_t i = 0; i < n; i++) ok = ok && print_live(g, p, list[i].id, w);
    free(list);
    ok = ok && print_scratch_at(g, p, d, w);
    return ok ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a plan could not be printed: the writer failed");
}

weft_status weft_plan_print(const weft_graph *g, const weft_plan *p, const weft_writer *w,
                            weft_error *err)
{
    bool ok = weft_writef(w, "plan: %" PRIu32 " steps, %" PRIu32 " barriers\n", p->n_steps,
                          p->n_barriers);
    for (uint32_t d = 0; d < p->n_devices; d++)
        ok = ok && weft_writef(w,
                               "device %" PRIu32 ": arena %" PRIu64 " bytes, %" PRIu64
                               " without sharing\n",
                               d, p->arena_bytes[d], p->arena_unshared[d]);
    for (uint32_t i = 0; i < p->n_steps; i++) ok = ok && print_step(g, p, i, w);
    if (!ok) return WEFT_FAIL(err, WEFT_IO, "a plan could not be printed: the writer failed");
    for (uint32_t d = 0; d < p->n_devices; d++) WEFT_TRY(print_peak(g, p, d, w, err));
    return WEFT_OK;
}
