/* schedule_memory.c: how many bytes a schedule takes on each device, and whether that is there. */
#include "backends/schedule.h"

#include <stdio.h>

uint64_t weft__resident_bytes(const weft__schedule *s, uint32_t device, weft_ref r)
{
    size_t at = weft__at(s, device, r.id);
    if (!s->resident[at]) return 0;
    const weft_value *v = weft_graph_value(s->g, r);
    const weft_backend *b = s->devices[device];
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(s->g, &v->dims, s->bounds, dims);
    return b->vt->weight_bytes(b, s->layouts[at], v->dtype, v->dims.rank, dims);
}

weft_program_memory weft__schedule_memory(const weft__schedule *s, uint32_t device)
{
    weft_program_memory m = { .arena = s->plan->arena_bytes[device] };
    for (uint32_t i = 0; i < weft_graph_node_count(s->g); i++) {
        const weft_node *n = weft_graph_node(s->g, i);
        if (!(weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE)) continue;
        uint64_t bytes = weft__resident_bytes(s, device, n->out[0]);
        if (n->op == WEFT_OP_weight) m.weights += bytes;
        if (n->op == WEFT_OP_state) m.states += bytes;
        if (n->op == WEFT_OP_constant) m.constants += bytes;
    }
    return m;
}

bool weft__schedule_fits(const weft__schedule *s)
{
    for (uint32_t d = 0; d < s->n_devices; d++) {
        weft_device_info info;
        weft_backend_info(s->devices[d], &info);
        weft_program_memory m = weft__schedule_memory(s, d);
        if (info.memory_known && weft__memory_sum(&m) > info.memory) return false;
    }
    return true;
}

/* ---- refusing ---- */

void weft__fit_add(weft__fit *f, const weft_backend *b, const weft_program_memory *m, uint64_t need)
{
    double mib = 1048576.0;
    weft_device_info info;
    weft_backend_info(b, &info);
    f->lacks = f->lacks || (info.memory_known && need > info.memory);
    if (f->length >= sizeof f->text) return;
    int n = snprintf(f->text + f->length, sizeof f->text - f->length,
                     "%s%s has %.0f MiB, but %.0f MiB are needed (weights %.0f, cache %.0f, activations %.0f)",
                     f->length ? "; " : "", info.name, (double)info.memory / mib, (double)need / mib,
                     (double)m->weights / mib, (double)m->states / mib, (double)(m->arena + m->constants) / mib);
    f->length += (size_t)n;
}

weft_status weft__fit_end(const weft__fit *f, weft_error *err)
{
    return f->lacks ? WEFT_FAIL(err, WEFT_LIMIT, "%s", f->text) : WEFT_OK;
}
