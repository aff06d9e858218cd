/* program.c: the life of a program: made for a schedule, loaded, unloaded. */
#include "backends/program.h"

#include "backends/states.h"
#include "backends/weights.h"

#include <stdlib.h>
#include <string.h>

/* ---- the object ---- */

weft_status weft__program_create(const weft__schedule *s, const weft_program_desc *desc, weft_program **out,
                                 weft_error *err)
{
    weft_program *p = *out = calloc(1, sizeof *p);
    weft_backend **devices = malloc(s->n_devices * sizeof *devices);
    if (!p || !devices) {
        free(p);
        free(devices);
        *out = NULL;
        weft__schedule_destroy(s);
        return WEFT_OOM_FAIL(err, "a program");
    }
    p->s = s;
    p->devices = devices;
    p->progress = desc->progress;
    memcpy(p->extents, s->bounds, sizeof p->extents);
    for (uint32_t d = 0; d < s->n_devices; d++) {
        devices[d] = desc->devices[d];
        devices[d]->users++;
    }
    return WEFT_OK;
}

weft_status weft__program_create_untested(const weft_graph *g, const weft_program_desc *desc, weft_program **out,
                                          weft_error *err)
{
    const weft__schedule *s;
    *out = NULL;
    WEFT_TRY(weft__schedule_create(g, desc, &s, err));
    return weft__program_create(s, desc, out, err);
}

void weft__program_unload(weft_program *p)
{
    weft_error ignored;
    weft_status ended = p->running ? weft_program_wait(p, &ignored) : WEFT_OK;
    (void)ended; /* a failure concerns nobody any more */
    weft__profile_off(p);
    for (uint32_t d = 0; d < p->s->n_devices; d++) {
        const weft_backend_vt *vt = p->devices[d]->vt;
        if (p->execs && p->execs[d]) vt->exec_destroy(p->execs[d]);
        for (uint32_t v = 1; p->bufs && v < p->s->value_limit; v++) {
            const weft_value *value = weft_graph_value(p->s->g, (weft_ref){ v });
            weft_buf *buf = p->bufs[weft__at(p->s, d, v)];
            if (buf && weft_graph_node_by_id(p->s->g, value->node)->op == WEFT_OP_constant) vt->buf_destroy(buf);
        }
    }
    weft_states_destroy(p->own_states);
    free(p->execs);
    free(p->arenas);
    free(p->bufs);
    free(p->bounce);
    p->own_states = p->states = NULL;
    p->execs = NULL;
    p->arenas = NULL;
    p->bufs = NULL;
    p->bounce = NULL;
}

void weft_program_destroy(weft_program *p)
{
    if (!p) return;
    weft__program_unload(p);
    for (uint32_t d = 0; d < p->s->n_devices; d++) p->devices[d]->users--;
    weft__schedule_destroy(p->s);
    free(p->devices);
    free(p);
}

/* ---- what it is ---- */

const weft_graph *weft_program_graph(const weft_program *p)
{
    return p->s->g;
}

const weft_plan *weft_program_plan(const weft_program *p)
{
    return p->s->plan;
}

weft_place weft_program_place(const weft_program *p, uint32_t node_id)
{
    return weft__schedule_place(p->s, node_id);
}

uint32_t weft_program_split(const weft_program *p, uint32_t device)
{
    return p->s->split ? p->s->split[device] : UINT32_MAX;
}

weft_program_memory weft_program_device_memory(const weft_program *p, uint32_t device)
{
    return weft__schedule_memory(p->s, device);
}

/* Weights and states once, constants of all, and the arenas that loading in this order takes: one that needs more than
 * those before has a piece of its own (weft__states_arena). */
static weft_program_memory memory_of(const weft_program *const *programs, uint32_t n, uint32_t device)
{
    weft_program_memory sum = { 0 };
    uint64_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        weft_program_memory m = weft__schedule_memory(programs[i]->s, device);
        uint64_t arena = m.arena > most ? m.arena : 0;
        if (arena) most = arena;
        m.arena = sum.arena + arena;
        m.constants += sum.constants;
        sum = m;
    }
    return sum;
}

uint64_t weft_programs_bytes(const weft_program *const *programs, uint32_t n, uint32_t device)
{
    weft_program_memory m = memory_of(programs, n, device);
    return weft__memory_sum(&m);
}

weft_status weft_programs_check_memory(const weft_program *const *programs, uint32_t n, weft_error *err)
{
    weft__fit f = { 0 };
    for (uint32_t d = 0; n && d < programs[0]->s->n_devices; d++) {
        weft_program_memory m = memory_of(programs, n, d);
        weft__fit_add(&f, programs[0]->devices[d], &m, weft__memory_sum(&m));
    }
    return weft__fit_end(&f, err);
}

weft_counters weft_program_counters(const weft_program *p)
{
    weft_counters sum = { 0 };
    for (uint32_t d = 0; p->execs && d < p->s->n_devices; d++) {
        const weft_backend_vt *vt = p->devices[d]->vt;
        if (vt->exec_counters) vt->exec_counters(p->execs[d], &sum);
    }
    return sum;
}

/* ---- loading ---- */

static weft_status load_constant(weft_program *p, uint32_t d, const weft_node *n, weft_buf **buf, weft_error *err)
{
    const weft_backend_vt *vt = p->devices[d]->vt;
    uint64_t bytes = weft_value_bytes(p->s->g, n->out[0], p->s->bounds);
    WEFT_TRY(vt->buf_create(p->devices[d], bytes, buf, err));
    return vt->buf_write(*buf, 0, n->data, bytes, err);
}

static weft_status load_value(weft_program *p, uint32_t d, const weft_node *n, weft__task *task, weft_error *err)
{
    size_t at = weft__at(p->s, d, n->out[0].id);
    if (n->op == WEFT_OP_constant) return load_constant(p, d, n, &p->bufs[at], err);
    const weft_value *v = weft_graph_value(p->s->g, n->out[0]);
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(p->s->g, &v->dims, p->s->bounds, dims);
    if (n->op == WEFT_OP_state)
        return weft__states_get(p->states, p->devices[d], n->name, v->dtype, v->dims.rank, dims, &p->bufs[at], err);
    if (!p->weights) return WEFT_FAIL(err, WEFT_NOT_FOUND, "weight '%s': the program was given none", n->name);
    return weft__weights_get(p->weights, p->devices[d], n->name, p->s->layouts[at], v->dtype, v->dims.rank, dims,
                             task, &p->bufs[at], err);
}

/* Bytes of a weight or state that are on the device already. */
static uint64_t bytes_there(const weft_program *p, uint32_t d, const weft_node *n)
{
    size_t at = weft__at(p->s, d, n->out[0].id);
    if (!p->s->resident[at]) return 0;
    if (n->op == WEFT_OP_state) return weft__states_have(p->states, p->devices[d], n->name);
    if (n->op != WEFT_OP_weight || !p->weights) return 0;
    const weft_value *v = weft_graph_value(p->s->g, n->out[0]);
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(p->s->g, &v->dims, p->s->bounds, dims);
    return weft__weights_have(p->weights, p->devices[d], n->name, p->s->layouts[at], v->dtype, v->dims.rank, dims);
}

/* Bytes that loading would newly allocate on a device. */
static uint64_t new_bytes(const weft_program *p, uint32_t d)
{
    weft_program_memory m = weft__schedule_memory(p->s, d);
    uint64_t have = weft__states_arena_have(p->states, p->devices[d]) >= m.arena ? m.arena : 0;
    for (uint32_t i = 0; i < weft_graph_node_count(p->s->g); i++)
        have += bytes_there(p, d, weft_graph_node(p->s->g, i));
    return weft__memory_sum(&m) - have;
}

/* Refuses with the numbers what a device cannot hold, before anything is read or allocated on any. */
static weft_status check_fit(const weft_program *p, weft_error *err)
{
    weft__fit f = { 0 };
    for (uint32_t d = 0; d < p->s->n_devices; d++) {
        weft_program_memory m = weft__schedule_memory(p->s, d);
        weft__fit_add(&f, p->devices[d], &m, new_bytes(p, d));
    }
    return weft__fit_end(&f, err);
}

static weft_status load_device(weft_program *p, uint32_t d, weft__task *task, weft_error *err)
{
    weft_backend *b = p->devices[d];
    WEFT_TRY(weft__states_arena(p->states, b, p->s->plan->arena_bytes[d], &p->arenas[d], err));
    for (uint32_t i = 0; i < weft_graph_node_count(p->s->g); i++) {
        const weft_node *n = weft_graph_node(p->s->g, i);
        if ((weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) && p->s->resident[weft__at(p->s, d, n->out[0].id)])
            WEFT_TRY(load_value(p, d, n, task, err));
    }
    return WEFT_OK;
}

static weft_status compile_device(weft_program *p, uint32_t d, weft_error *err)
{
    const weft__schedule *s = p->s;
    weft_exec_desc desc = { .g = s->g, .plan = s->plan, .choices = s->choices, .device = d, .arena = p->arenas[d],
                            .layouts = s->layouts + weft__at(s, d, 0), .bufs = p->bufs + weft__at(s, d, 0),
                            .bounds = s->bounds, .exact = s->exact, .deterministic = s->deterministic,
                            .progress = &p->progress };
    return p->devices[d]->vt->exec_create(p->devices[d], &desc, &p->execs[d], err);
}

static weft_status load_devices(weft_program *p, weft_error *err)
{
    weft__task task;
    uint64_t bytes = 0;
    for (uint32_t d = 0; d < p->s->n_devices; d++) bytes += weft__schedule_memory(p->s, d).weights;
    WEFT_TRY(weft__task_begin(&task, &p->progress, "loading weights", bytes, "B", err));
    for (uint32_t d = 0; d < p->s->n_devices; d++) WEFT_TRY(load_device(p, d, &task, err));
    for (uint32_t d = 0; d < p->s->n_devices; d++) WEFT_TRY(compile_device(p, d, err));
    return WEFT_OK;
}

weft_status weft_program_load(weft_program *p, weft_weights *weights, weft_states *states, weft_error *err)
{
    if (p->bufs) return WEFT_FAIL(err, WEFT_INVALID, "the program is loaded already");
    if (!states) WEFT_TRY(weft_states_create(&p->own_states, err));
    p->weights = weights;
    p->states = states ? states : p->own_states;
    p->bufs = calloc((size_t)p->s->n_devices * p->s->value_limit, sizeof(weft_buf *));
    p->arenas = calloc(p->s->n_devices, sizeof(weft_buf *));
    p->execs = calloc(p->s->n_devices, sizeof(weft_exec *));
    p->bounce = p->s->n_devices > 1 ? malloc(WEFT__BOUNCE_BYTES) : NULL;
    weft_status s = WEFT_OK;
    if (!p->bufs || !p->arenas || !p->execs || (p->s->n_devices > 1 && !p->bounce)) s = WEFT_OOM_FAIL(err, "a program");
    if (!s) s = check_fit(p, err);
    if (!s) s = load_devices(p, err);
    if (s) weft__program_unload(p);
    return s;
}
