/* program.c: the life of a program: creation, loading into a bank, input and output, running. */
#include "backends/program.h"

#include "backends/bank.h"
#include "backends/selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOUNCE_BYTES = 1 << 18 };

/* ---- creation ---- */

static weft_status set_bounds(weft_program *p, const weft_program_desc *desc, weft_error *err)
{
    uint32_t n = weft_graph_extent_count(p->g), bound;
    for (uint32_t i = 0; i < n; i++) {
        weft_graph_extent(p->g, i + 1, &bound);
        p->bounds[i] = bound;
    }
    for (uint32_t k = 0; k < desc->n_bounds; k++) {
        uint32_t i = 0;
        while (i < n && strcmp(weft_graph_extent(p->g, i + 1, &bound), desc->bounds[k].extent)) i++;
        if (i == n) return WEFT_FAIL(err, WEFT_NOT_FOUND, "the graph has no extent '%s'", desc->bounds[k].extent);
        if (!desc->bounds[k].bound || desc->bounds[k].bound > bound)
            return WEFT_FAIL(err, WEFT_INVALID, "bound %u of extent '%s' is not within 1..%u", desc->bounds[k].bound,
                             desc->bounds[k].extent, bound);
        p->bounds[i] = desc->bounds[k].bound;
    }
    memcpy(p->extents, p->bounds, sizeof p->extents);
    return WEFT_OK;
}

static void forget_schedule(weft_program *p)
{
    weft_plan_destroy(p->plan);
    free(p->split);
    free(p->first_device);
    free(p->device_of);
    free(p->reasons);
    free(p->choices);
    free(p->layouts);
    free(p->resident);
    free(p->segments);
    p->plan = NULL;
    p->split = p->first_device = p->device_of = NULL;
    p->reasons = NULL;
    p->choices = NULL;
    p->layouts = NULL;
    p->resident = NULL;
    p->segments = NULL;
    p->n_segments = p->node_limit = p->value_limit = 0;
}

static weft_status take_split(weft_program *p, const uint32_t *split, weft_error *err)
{
    p->split = calloc(p->n_devices, sizeof *p->split);
    if (!p->split) return WEFT_OOM_FAIL(err, "a program");
    if (split) memcpy(p->split, split, p->n_devices * sizeof *p->split);
    return WEFT_OK;
}

/* All on the first device, and if that is too much, once more with the layers spread. */
static weft_status spread(weft_program *p, weft_error *err)
{
    weft_graph *fresh;
    WEFT_TRY(weft_graph_clone(p->g, &fresh, err));
    weft_status s = weft__schedule(p, err);
    if (s || weft__fits(p)) {
        weft_graph_destroy(fresh);
        return s;
    }
    s = take_split(p, NULL, err);
    if (!s) s = weft__split_by_memory(p, err);
    uint32_t *split = p->split;
    p->split = NULL;
    forget_schedule(p);
    p->split = split;
    weft_graph_destroy(p->g);
    p->g = fresh;
    if (!s) s = weft__split_nodes(p, err);
    return s ? s : weft__schedule(p, err);
}

static weft_status schedule(weft_program *p, const weft_program_desc *desc, weft_error *err)
{
    if (desc->split) {
        WEFT_TRY(take_split(p, desc->split, err));
        WEFT_TRY(weft__split_nodes(p, err));
    } else if (desc->spread && p->n_devices > 1) return spread(p, err);
    return weft__schedule(p, err);
}

static weft_status create(weft_program *p, const weft_graph *g, const weft_program_desc *desc, weft_error *err)
{
    p->devices = malloc(desc->n_devices * sizeof *p->devices);
    if (!p->devices) return WEFT_OOM_FAIL(err, "a program");
    memcpy(p->devices, desc->devices, desc->n_devices * sizeof *p->devices);
    p->n_devices = desc->n_devices;
    p->strict = desc->strict;
    p->exact = desc->exact;
    p->keep = desc->keep;
    p->progress = desc->progress;
    for (uint32_t d = 0; d < p->n_devices; d++) p->devices[d]->users++;
    WEFT_TRY(weft_graph_clone(g, &p->g, err));
    if (desc->outputs) WEFT_TRY(weft_graph_keep_outputs(p->g, desc->outputs, desc->n_outputs, err));
    if (!desc->as_built) WEFT_TRY(weft_graph_optimise(p->g, NULL, 0, err));
    WEFT_TRY(set_bounds(p, desc, err));
    return schedule(p, desc, err);
}

weft_status weft_program_create(const weft_graph *g, const weft_program_desc *desc, weft_program **out, weft_error *err)
{
    *out = NULL;
    if (!desc->n_devices) return WEFT_FAIL(err, WEFT_INVALID, "a program needs at least one device");
    weft_program *p = calloc(1, sizeof *p);
    if (!p) return WEFT_OOM_FAIL(err, "a program");
    weft_status s = create(p, g, desc, err);
    if (s) {
        weft_program_destroy(p);
        return s;
    }
    *out = p;
    return WEFT_OK;
}

weft_status weft__program_create_probe(const weft_graph *g, weft_backend *b, bool exact, weft_progress_sink progress,
                                       weft_program **out, weft_error *err)
{
    weft_program_desc desc = { .devices = &b, .n_devices = 1, .exact = exact, .as_built = true, .keep = true,
                               .progress = progress };
    weft_program *p = *out = calloc(1, sizeof *p);
    if (!p) return WEFT_OOM_FAIL(err, "a program");
    p->probing = true;
    return create(p, g, &desc, err);
}

void weft__program_unload(weft_program *p)
{
    weft__profile_off(p);
    for (uint32_t d = 0; d < p->n_devices; d++) {
        const weft_backend_vt *vt = p->devices[d]->vt;
        if (p->execs && p->execs[d]) vt->exec_destroy(p->execs[d]);
        if (p->arenas && p->arenas[d]) vt->buf_destroy(p->arenas[d]);
        for (uint32_t v = 1; p->bufs && v < p->value_limit; v++) {
            const weft_value *value = weft_graph_value(p->g, (weft_ref){ v });
            weft_buf *buf = p->bufs[weft__at(p, d, v)];
            if (buf && weft_graph_node_by_id(p->g, value->node)->op == WEFT_OP_constant) vt->buf_destroy(buf);
        }
    }
    free(p->execs);
    free(p->arenas);
    free(p->bufs);
    free(p->bounce);
    p->execs = NULL;
    p->arenas = NULL;
    p->bufs = NULL;
    p->bounce = NULL;
}

void weft_program_destroy(weft_program *p)
{
    if (!p) return;
    weft__program_unload(p);
    for (uint32_t d = 0; d < p->n_devices; d++) p->devices[d]->users--;
    forget_schedule(p);
    weft_graph_destroy(p->g);
    free(p->devices);
    free(p);
}

const weft_graph *weft_program_graph(const weft_program *p)
{
    return p->g;
}

const weft_plan *weft_program_plan(const weft_program *p)
{
    return p->plan;
}

/* ---- loading ---- */

static weft_status load_constant(weft_program *p, uint32_t d, const weft_node *n, weft_buf **buf, weft_error *err)
{
    const weft_backend_vt *vt = p->devices[d]->vt;
    uint64_t bytes = weft_value_bytes(p->g, n->out[0], p->bounds);
    WEFT_TRY(vt->buf_create(p->devices[d], bytes, buf, err));
    return vt->buf_write(*buf, 0, n->data, bytes, err);
}

static weft_status load_value(weft_program *p, uint32_t d, const weft_node *n, weft__task *task, weft_error *err)
{
    size_t at = weft__at(p, d, n->out[0].id);
    if (n->op == WEFT_OP_constant) return load_constant(p, d, n, &p->bufs[at], err);
    const weft_value *v = weft_graph_value(p->g, n->out[0]);
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(p->g, &v->dims, p->bounds, dims);
    if (n->op == WEFT_OP_state)
        return weft__bank_state(p->bank, p->devices[d], n->name, v->dtype, v->dims.rank, dims, &p->bufs[at], err);
    return weft__bank_weight(p->bank, p->devices[d], n->name, p->layouts[at], v->dtype, v->dims.rank, dims,
                             task, &p->bufs[at], err);
}

/* Bytes that loading would newly allocate on a device. */
static uint64_t new_bytes(const weft_program *p, uint32_t d)
{
    weft_program_memory m = weft_program_device_memory(p, d);
    uint64_t have = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        size_t at = weft__at(p, d, n->out[0].id);
        if ((n->op != WEFT_OP_weight && n->op != WEFT_OP_state) || !p->resident[at]) continue;
        const weft_value *v = weft_graph_value(p->g, n->out[0]);
        int64_t dims[WEFT_MAX_RANK];
        weft_dims_resolve(p->g, &v->dims, p->bounds, dims);
        have += weft__bank_has(p->bank, p->devices[d], n->name, n->op == WEFT_OP_state, p->layouts[at], v->dtype,
                               v->dims.rank, dims);
    }
    return m.weights + m.states + m.constants + m.arena - have;
}

/* Refuses with the numbers what a device cannot hold, before anything is read or allocated on any. */
static weft_status check_fit(const weft_program *p, weft_error *err)
{
    char table[400] = "";
    double mib = 1048576.0;
    bool fits = true;
    for (uint32_t d = 0, at = 0; d < p->n_devices; d++) {
        weft_device_info info;
        weft_backend_info(p->devices[d], &info);
        weft_program_memory m = weft_program_device_memory(p, d);
        uint64_t need = new_bytes(p, d);
        fits = fits && (!info.memory_known || need <= info.memory);
        if (at < sizeof table)
            at += (uint32_t)snprintf(table + at, sizeof table - at,
                                     "%s%s has %.0f MiB, but %.0f MiB are needed (weights %.0f, cache %.0f, "
                                     "activations %.0f)", d ? "; " : "", info.name, (double)info.memory / mib,
                                     (double)need / mib, (double)m.weights / mib, (double)m.states / mib,
                                     (double)(m.arena + m.constants) / mib);
    }
    return fits ? WEFT_OK : WEFT_FAIL(err, WEFT_LIMIT, "%s", table);
}

static weft_status load_device(weft_program *p, uint32_t d, weft__task *task, weft_error *err)
{
    weft_backend *b = p->devices[d];
    WEFT_TRY(b->vt->buf_create(b, p->plan->arena_bytes[d], &p->arenas[d], err));
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        if ((weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) && p->resident[weft__at(p, d, n->out[0].id)])
            WEFT_TRY(load_value(p, d, n, task, err));
    }
    return WEFT_OK;
}

static weft_status compile_device(weft_program *p, uint32_t d, weft_error *err)
{
    weft_exec_desc desc = { .g = p->g, .plan = p->plan, .choices = p->choices, .device = d, .arena = p->arenas[d],
                            .layouts = p->layouts + weft__at(p, d, 0), .bufs = p->bufs + weft__at(p, d, 0),
                            .bounds = p->bounds, .exact = p->exact, .progress = &p->progress };
    return p->devices[d]->vt->exec_create(p->devices[d], &desc, &p->execs[d], err);
}

static weft_status load_devices(weft_program *p, weft_error *err)
{
    weft__task task;
    uint64_t bytes = 0;
    for (uint32_t d = 0; d < p->n_devices; d++) bytes += weft_program_device_memory(p, d).weights;
    WEFT_TRY(weft__task_begin(&task, &p->progress, "loading weights", bytes, "B", err));
    for (uint32_t d = 0; d < p->n_devices; d++) WEFT_TRY(load_device(p, d, &task, err));
    for (uint32_t d = 0; d < p->n_devices; d++) WEFT_TRY(compile_device(p, d, err));
    return WEFT_OK;
}

weft_status weft_program_load(weft_program *p, weft_bank *bank, weft_error *err)
{
    if (p->bufs) return WEFT_FAIL(err, WEFT_INVALID, "the program is loaded already");
    p->bank = bank;
    p->bufs = calloc((size_t)p->n_devices * p->value_limit, sizeof(weft_buf *));
    p->arenas = calloc(p->n_devices, sizeof(weft_buf *));
    p->execs = calloc(p->n_devices, sizeof(weft_exec *));
    p->bounce = p->n_devices > 1 ? malloc(BOUNCE_BYTES) : NULL;
    weft_status s = WEFT_OK;
    if (!p->bufs || !p->arenas || !p->execs || (p->n_devices > 1 && !p->bounce)) s = WEFT_OOM_FAIL(err, "a program");
    if (!s) s = check_fit(p, err);
    if (!s) s = load_devices(p, err);
    if (s) weft__program_unload(p);
    return s;
}

/* ---- input, output ---- */

weft_status weft_program_port(const weft_program *p, const char *name, weft_ref *out, weft_error *err)
{
    *out = weft_graph_find(p->g, name);
    return out->id ? WEFT_OK : WEFT_FAIL(err, WEFT_NOT_FOUND, "the program has no input or output '%s'", name);
}

weft_status weft_program_set_extent(weft_program *p, const char *name, uint32_t value, weft_error *err)
{
    for (uint32_t i = 0; i < weft_graph_extent_count(p->g); i++) {
        uint32_t bound;
        if (strcmp(weft_graph_extent(p->g, i + 1, &bound), name)) continue;
        if (!value || value > p->bounds[i])
            return WEFT_FAIL(err, WEFT_INVALID, "extent '%s' = %u is not within 1..%lld", name, value,
                             (long long)p->bounds[i]);
        p->extents[i] = value;
        return WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "the program has no extent '%s'", name);
}

/* Where bytes of a value are: at `at` of its device's arena, or of a state's buffer. */
typedef struct place {
    const weft_backend_vt *vt;
    weft_exec *exec; /* the arena's; NULL: buf */
    weft_buf *buf;
    uint64_t at;
} place;

static weft_status locate(const weft_program *p, weft_ref r, uint64_t offset, uint64_t n, place *out, weft_error *err)
{
    const weft_value *v = weft_graph_value(p->g, r);
    if (!v) return WEFT_FAIL(err, WEFT_INVALID, "the program has no value %%%u", r.id);
    if (!p->bufs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    const weft_slot *s = &p->plan->slots[r.id];
    uint64_t bytes = weft_value_bytes(p->g, r, p->bounds);
    if (offset > bytes || n > bytes - offset)
        return WEFT_FAIL(err, WEFT_INVALID, "bytes %llu..%llu are outside value %%%u of %llu bytes",
                         (unsigned long long)offset, (unsigned long long)(offset + n), r.id, (unsigned long long)bytes);
    if (s->storage != WEFT_STORAGE_ARENA && s->storage != WEFT_STORAGE_STATE)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "value %%%u is no activation or state", r.id);
    if (!weft__is_dense(p->g, r, s, p->bounds))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "value %%%u is a view that does not lie in one piece", r.id);
    const weft_dtype_info *t = weft_dtype_get(v->dtype);
    bool arena = s->storage == WEFT_STORAGE_ARENA;
    *out = (place){ .vt = p->devices[s->device]->vt, .exec = arena ? p->execs[s->device] : NULL,
                    .buf = arena ? NULL : p->bufs[weft__at(p, s->device, s->root.id)],
                    .at = (arena ? s->offset : 0) + (uint64_t)s->first / t->block * t->bytes + offset };
    return WEFT_OK;
}

static weft_status write_value(weft_program *p, weft_ref r, uint64_t offset, const void *src, uint64_t n,
                               weft_error *err)
{
    place to;
    WEFT_TRY(locate(p, r, offset, n, &to, err));
    return to.exec ? to.vt->exec_write(to.exec, to.at, src, n, err) : to.vt->buf_write(to.buf, to.at, src, n, err);
}

static weft_status read_value(weft_program *p, weft_ref r, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    place from;
    WEFT_TRY(locate(p, r, offset, n, &from, err));
    return from.exec ? from.vt->exec_read(from.exec, from.at, dst, n, err)
                     : from.vt->buf_read(from.buf, from.at, dst, n, err);
}

weft_status weft_program_write(weft_program *p, weft_ref r, uint64_t offset, const void *src, uint64_t n,
                               weft_error *err)
{
    uint64_t begin = p->profile ? weft__nanoseconds() : 0;
    WEFT_TRY(write_value(p, r, offset, src, n, err));
    if (p->profile) weft__span_end(p, WEFT_SPAN_WRITE, p->plan->slots[r.id].device, begin);
    return WEFT_OK;
}

weft_status weft_program_read(weft_program *p, weft_ref r, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    uint64_t begin = p->profile ? weft__nanoseconds() : 0;
    WEFT_TRY(read_value(p, r, offset, dst, n, err));
    if (p->profile) weft__span_end(p, WEFT_SPAN_READ, p->plan->slots[r.id].device, begin);
    return WEFT_OK;
}

weft_counters weft_program_counters(const weft_program *p)
{
    weft_counters sum = { 0 };
    for (uint32_t d = 0; p->execs && d < p->n_devices; d++) {
        const weft_backend_vt *vt = p->devices[d]->vt;
        if (vt->exec_counters) vt->exec_counters(p->execs[d], &sum);
    }
    return sum;
}

/* ---- running ---- */

weft_status weft__run_transfer(weft_program *p, uint32_t step, weft_error *err)
{
    const weft_node *n = weft_graph_node_by_id(p->g, p->plan->steps[step].node);
    uint64_t bytes = weft_value_bytes(p->g, n->out[0], p->bounds);
    for (uint64_t at = 0; at < bytes; at += BOUNCE_BYTES) {
        uint64_t part = bytes - at < BOUNCE_BYTES ? bytes - at : BOUNCE_BYTES;
        WEFT_TRY(read_value(p, n->in[0], at, p->bounce, part, err));
        WEFT_TRY(write_value(p, n->out[0], at, p->bounce, part, err));
    }
    return WEFT_OK;
}

static weft_status run_segment(weft_program *p, const weft__segment *s, weft_error *err)
{
    if (p->profile) return weft__run_profiled(p, s, err);
    if (s->transfer) return weft__run_transfer(p, s->first, err);
    const weft_backend_vt *vt = p->devices[s->device]->vt;
    uint64_t ticket;
    WEFT_TRY(vt->exec_submit(p->execs[s->device], s->first, s->n, p->extents, &ticket, err));
    return vt->exec_wait(p->execs[s->device], ticket, err);
}

weft_status weft_program_run(weft_program *p, weft_error *err)
{
    if (!p->execs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    if (p->profile == WEFT_PROFILE_ISOLATED) {
        for (uint32_t i = 0; i < p->plan->n_steps; i++) WEFT_TRY(weft_program_run_step(p, i, err));
        return WEFT_OK;
    }
    for (uint32_t i = 0; i < p->n_segments; i++) WEFT_TRY(run_segment(p, &p->segments[i], err));
    return WEFT_OK;
}

weft_status weft_program_run_step(weft_program *p, uint32_t step, weft_error *err)
{
    if (!p->execs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    if (step >= p->plan->n_steps)
        return WEFT_FAIL(err, WEFT_INVALID, "step %u of a plan of %u steps", step, p->plan->n_steps);
    const weft_step *s = &p->plan->steps[step];
    bool transfer = weft_graph_node_by_id(p->g, s->node)->op == WEFT_OP_transfer;
    return run_segment(p, &(weft__segment){ step, 1, s->device, transfer }, err);
}
