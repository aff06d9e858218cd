/* exec.c: a compiled run of steps: for each step its kernel and its tensors with final addresses, made once.
 *
 * A run sends every thread through the steps; they meet where the plan has a barrier and between a kernel's phases.
 * What changes per run are the extents: the few dims that depend on them are patched before the threads start. */
#include "backends/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PHASES = 4 };

typedef struct step {
    cpu_call call;
    const cpu_kernel *kernel;
    uint32_t n_phases, plan_step;
    uint32_t ahead; /* the next step, from this one on, whose weights can be brought nearer; n_steps: none */
    bool barrier;
} step;

/* A thread's time in a step: from the first call of the kernel to the return of the last. */
typedef struct stamp { uint64_t begin, end; } stamp;
enum { STAMPS_PER_LINE = 4 }; /* of 64 bytes: threads do not write to each other's lines */

/* *dim = n * extents[extent - 1] before a run. */
typedef struct dim_patch {
    int64_t *dim;
    weft_dim value;
} dim_patch;

struct weft_exec {
    cpu_backend *b;
    step *steps;
    uint32_t *step_of_plan; /* plan step -> index into steps; UINT32_MAX: not ours */
    uint32_t n_steps, n_plan_steps, n_extents;
    dim_patch *patches;
    size_t n_patches, patch_cap;
    atomic_uint *counters; /* [n_steps, MAX_PHASES] */
    int64_t extents[WEFT_MAX_EXTENTS];
    weft__arena arena;
    uint64_t ticket;
    uint32_t first, n; /* of the run in progress */
    uint32_t device;
    stamp *stamps;       /* [threads, stamp_stride]; NULL: not profiled */
    size_t stamp_stride;
    unsigned char *memory; /* the arena */
    weft_counters done;
};

/* ---- what a kernel is asked before it is chosen ---- */

static void tensor_at(const weft_graph *g, weft_ref r, const int64_t *bounds, weft_layout layout, cpu_tensor *t)
{
    const weft_value *v = weft_graph_value(g, r);
    *t = (cpu_tensor){ .dtype = v->dtype, .layout = layout, .rank = v->dims.rank };
    weft_dims_resolve(g, &v->dims, bounds, t->dim);
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= t->dim[i]) t->stride[i] = stride;
}

/* "linear/q8_0/avx512": the matrix's type is what users ask about. */
static void name_choice(const weft_kernel_query *q, const cpu_kernel *k, cpu_isa isa, weft_kernel_choice *out)
{
    const char *type = NULL;
    for (uint32_t i = 0; i < q->node->n_in && !type; i++) {
        const weft_value *v = weft_graph_value(q->g, q->node->in[i]);
        if (v->dims.rank >= 2 && weft_graph_node_by_id(q->g, v->node)->op == WEFT_OP_weight)
            type = weft_dtype_get(v->dtype)->name;
    }
    snprintf(out->name, sizeof out->name, "%s%s%s/%s", k->name, type ? "/" : "", type ? type : "", cpu_isa_name(isa));
}

weft_place_reason cpu_choose(const weft_backend *base, const weft_kernel_query *q, weft_kernel_choice *out)
{
    const cpu_backend *b = (const cpu_backend *)base;
    cpu_tensor in[WEFT_MAX_INPUTS], result[WEFT_MAX_OUTPUTS];
    for (uint32_t i = 0; i < q->node->n_in; i++)
        tensor_at(q->g, q->node->in[i], q->bounds, q->layouts ? q->layouts[i] : CPU_LAYOUT_PLAIN, &in[i]);
    for (uint32_t i = 0; i < q->node->n_out; i++)
        tensor_at(q->g, q->node->out[i], q->bounds, CPU_LAYOUT_PLAIN, &result[i]);
    cpu_call call = { .in = in, .out = result, .n_in = q->node->n_in, .n_out = q->node->n_out, .op = q->node->op,
                      .attrs = &q->node->attrs, .isa = b->isa, .exact = q->exact,
                      .deterministic = q->deterministic, .n_threads = cpu_pool_size(b->pool) };
    weft_place_reason why;
    cpu_isa isa;
    const cpu_kernel *k = cpu_kernel_find(&call, &why, &isa);
    if (!k) return why;
    *out = (weft_kernel_choice){ .kernel = k, .inplace = k->inplace,
                                 .scratch_bytes = k->scratch ? k->scratch(&call) : 0,
                                 .arithmetic = k->arithmetic ? k->arithmetic(&call) : WEFT_ARITH_F32 };
    name_choice(q, k, isa, out);
    memset(out->needs, k->need, sizeof out->needs);
    return WEFT_PLACE_REQUESTED;
}

/* ---- compiling ---- */

static bool add_patches(weft_exec *e, cpu_tensor *t, const weft_dims *d)
{
    for (uint32_t i = 0; i < d->rank; i++) {
        if (!d->d[i].extent) continue;
        if (!weft__grow(&e->patches, &e->patch_cap, e->n_patches + 1, sizeof *e->patches)) return false;
        e->patches[e->n_patches++] = (dim_patch){ &t->dim[i], d->d[i] };
    }
    return true;
}

/* Byte distance of n elements; block types are only ever addressed from their start. */
static uint64_t element_bytes(weft_dtype t, int64_t n)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    return (uint64_t)n / info->block * info->bytes;
}

static bool compile_tensor(weft_exec *e, const weft_exec_desc *d, weft_ref r, cpu_tensor *t)
{
    const weft_slot *s = &d->plan->slots[r.id];
    tensor_at(d->g, r, d->bounds, d->layouts[s->root.id], t);
    memcpy(t->stride, s->stride, sizeof t->stride);
    unsigned char *base = s->storage == WEFT_STORAGE_ARENA ? d->arena->data : d->bufs[s->root.id]->data;
    if (s->storage == WEFT_STORAGE_ARENA) base += s->offset;
    t->data = base + element_bytes(t->dtype, s->first);
    return add_patches(e, t, &weft_graph_value(d->g, r)->dims);
}

static bool compile_step(weft_exec *e, const weft_exec_desc *d, const weft_step *ps, step *s)
{
    const weft_node *n = weft_graph_node_by_id(d->g, ps->node);
    const weft_kernel_choice *choice = &d->choices[n->id];
    cpu_tensor *in = weft__arena_alloc(&e->arena, n->n_in, sizeof *in);
    cpu_tensor *out = weft__arena_alloc(&e->arena, n->n_out, sizeof *out);
    if (!in || !out) return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!compile_tensor(e, d, n->in[i], &in[i])) return false;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (!compile_tensor(e, d, n->out[i], &out[i])) return false;
    weft_attrs *attrs = weft__arena_alloc(&e->arena, 1, sizeof *attrs);
    if (!attrs) return false;
    *attrs = n->attrs;
    s->kernel = choice->kernel;
    s->barrier = ps->barrier;
    s->call = (cpu_call){ .in = in, .out = out, .n_in = n->n_in, .n_out = n->n_out, .op = n->op, .attrs = attrs,
                          .isa = e->b->isa, .exact = d->exact, .deterministic = d->deterministic,
                          .n_threads = cpu_pool_size(e->b->pool) };
    if (ps->scratch_bytes) s->call.scratch = (unsigned char *)d->arena->data + ps->scratch_offset;
    return true;
}

static bool compile(weft_exec *e, const weft_exec_desc *d)
{
    e->n_plan_steps = d->plan->n_steps;
    e->n_extents = weft_graph_extent_count(d->g);
    e->step_of_plan = weft__arena_alloc(&e->arena, e->n_plan_steps, sizeof *e->step_of_plan);
    e->steps = weft__arena_alloc(&e->arena, e->n_plan_steps, sizeof *e->steps);
    if (!e->step_of_plan || !e->steps) return false;
    for (uint32_t i = 0; i < e->n_plan_steps; i++) {
        const weft_step *ps = &d->plan->steps[i];
        bool ours = ps->device == d->device && d->choices[ps->node].kernel;
        e->step_of_plan[i] = ours ? e->n_steps : UINT32_MAX;
        if (!ours) continue;
        e->steps[e->n_steps].plan_step = i;
        if (!compile_step(e, d, ps, &e->steps[e->n_steps++])) return false;
    }
    uint32_t ahead = e->n_steps;
    for (uint32_t i = e->n_steps; i-- > 0; e->steps[i].ahead = ahead)
        if (e->steps[i].kernel->ahead) ahead = i;
    e->counters = weft__arena_alloc(&e->arena, (size_t)e->n_steps * MAX_PHASES, sizeof *e->counters);
    return e->counters != NULL;
}

weft_status cpu_exec_create(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *err)
{
    *out = NULL;
    weft_exec *e = calloc(1, sizeof *e);
    if (!e) return WEFT_OOM_FAIL(err, "the compiled steps");
    e->b = (cpu_backend *)b;
    e->memory = d->arena->data;
    e->device = d->device;
    if (!compile(e, d)) {
        cpu_exec_destroy(e);
        return WEFT_OOM_FAIL(err, "the compiled steps");
    }
    *out = e;
    return WEFT_OK;
}

void cpu_exec_destroy(weft_exec *e)
{
    if (!e) return;
    free(e->patches);
    free(e->stamps);
    weft__arena_free(&e->arena);
    free(e);
}

/* ---- running ---- */

/* Brings dims and phase counts up to date with the run's extents. */
static void patch_extents(weft_exec *e, const int64_t *extents)
{
    size_t bytes = e->n_extents * sizeof *extents;
    if (e->ticket && !memcmp(e->extents, extents, bytes)) return;
    memcpy(e->extents, extents, bytes);
    for (size_t i = 0; i < e->n_patches; i++)
        *e->patches[i].dim = e->patches[i].value.n * extents[e->patches[i].value.extent - 1];
    for (uint32_t i = 0; i < e->n_steps; i++) {
        step *s = &e->steps[i];
        s->n_phases = s->kernel->phases ? s->kernel->phases(&s->call) : 1;
    }
}

/* What a thread has brought nearer, and of which step; `at` is the step that it is to begin. */
typedef struct look_ahead {
    const weft_exec *e;
    uint32_t thread, at, step;
    cpu_ahead weights;
} look_ahead;

/* The weights of the next product of this run, from where the thread has left off. */
static cpu_ahead *next_weights(void *ctx)
{
    look_ahead *l = ctx;
    const uint32_t next = l->e->steps[l->at].ahead;
    if (next == l->step || next >= l->e->first + l->e->n) return &l->weights;
    cpu_call call = l->e->steps[next].call;
    call.thread = l->thread;
    l->weights = l->e->steps[next].kernel->ahead(&call);
    l->step = next;
    return &l->weights;
}

static void run_steps(void *ctx, uint32_t thread, uint32_t n_threads)
{
    const weft_exec *e = ctx;
    stamp *times = e->stamps ? e->stamps + thread * e->stamp_stride : NULL;
    look_ahead look = { .e = e, .thread = thread, .step = UINT32_MAX };
    (void)n_threads;
    for (uint32_t i = e->first; i < e->first + e->n; i++) {
        const step *s = &e->steps[i];
        cpu_call call = s->call;
        call.thread = thread;
        call.turn = look.at = i;
        for (uint32_t phase = 0; phase < s->n_phases; phase++) {
            if (phase || (s->barrier && i > e->first)) cpu_pool_barrier(e->b->pool, next_weights, &look);
            if (times && !phase) times[i].begin = weft__nanoseconds();
            call.ahead = look.step == i ? &look.weights : NULL;
            call.phase = phase;
            call.next = &e->counters[(size_t)i * MAX_PHASES + phase];
            s->kernel->run(&call);
        }
        if (times) times[i].end = weft__nanoseconds();
    }
}

weft_status cpu_exec_submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                            weft_error *err)
{
    (void)err;
    patch_extents(e, extents);
    uint32_t begin = UINT32_MAX, end = 0;
    for (uint32_t i = first; i < first + n; i++) {
        if (e->step_of_plan[i] == UINT32_MAX) continue;
        if (begin == UINT32_MAX) begin = e->step_of_plan[i];
        end = e->step_of_plan[i] + 1;
    }
    *ticket = ++e->ticket;
    e->first = begin;
    e->n = begin == UINT32_MAX ? 0 : end - begin;
    if (!e->n) return WEFT_OK;
    e->done.launches += e->n;
    e->done.submits++;
    for (size_t i = (size_t)begin * MAX_PHASES; i < (size_t)end * MAX_PHASES; i++)
        atomic_store_explicit(&e->counters[i], 0, memory_order_relaxed);
    cpu_pool_run(e->b->pool, run_steps, e);
    return WEFT_OK;
}

weft_status cpu_exec_wait(weft_exec *e, uint64_t ticket, weft_error *err)
{
    (void)e, (void)ticket, (void)err; /* submit has finished */
    return WEFT_OK;
}

weft_status cpu_exec_write(weft_exec *e, uint64_t at, const void *src, uint64_t n, weft_error *err)
{
    (void)err;
    e->done.bytes_in += n;
    memcpy(e->memory + at, src, n);
    return WEFT_OK;
}

weft_status cpu_exec_read(weft_exec *e, uint64_t at, void *dst, uint64_t n, weft_error *err)
{
    (void)err;
    e->done.bytes_out += n;
    memcpy(dst, e->memory + at, n);
    return WEFT_OK;
}

void cpu_exec_counters(const weft_exec *e, weft_counters *out)
{
    out->launches += e->done.launches;
    out->submits += e->done.submits;
    out->bytes_in += e->done.bytes_in;
    out->bytes_out += e->done.bytes_out;
}

/* ---- profiling ---- */

weft_status cpu_exec_profile(weft_exec *e, bool on, weft__exec_timing *out, weft_error *err)
{
    uint32_t n_threads = cpu_pool_size(e->b->pool);
    free(e->stamps);
    e->stamps = NULL;
    *out = (weft__exec_timing){ 0 };
    if (!on) return WEFT_OK;
    e->stamp_stride = (e->n_steps / STAMPS_PER_LINE + 1) * STAMPS_PER_LINE;
    size_t bytes = n_threads * e->stamp_stride * sizeof *e->stamps;
    e->stamps = aligned_alloc(STAMPS_PER_LINE * sizeof *e->stamps, bytes);
    if (!e->stamps) return WEFT_OOM_FAIL(err, "the times of steps");
    memset(e->stamps, 0, bytes);
    *out = (weft__exec_timing){ .n_spans = (uint64_t)n_threads * e->n_steps, .calibrated = true };
    return WEFT_OK;
}

weft_status cpu_exec_spans(weft_exec *e, weft__span_log *log, weft_error *err)
{
    (void)err;
    uint32_t n_threads = cpu_pool_size(e->b->pool);
    for (uint32_t i = e->first; i < e->first + e->n; i++)
        for (uint32_t t = 0; t < n_threads; t++) {
            const stamp *s = &e->stamps[t * e->stamp_stride + i];
            weft__span_add(log, (weft_span){ .begin = s->begin, .end = s->end, .step = e->steps[i].plan_step,
                                             .n_steps = 1, .device = (uint16_t)e->device,
                                             .track = (uint16_t)(WEFT_TRACK_THREAD + t), .kind = WEFT_SPAN_STEP });
        }
    return WEFT_OK;
}
