/* profile_trace.c: spans as events of Chrome's Trace Event Format, in its JSON object form, which Perfetto reads:
 * https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 *
 * A process is a device (its id: the device's index + 1), a thread one of its tracks. Events of one thread may nest but
 * not overlap, so spans of a track that overlap (launches of a GPU) stand on lanes, each a thread of its own. */
#include "backends/profile_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 16, NAME_SIZE = 512, PAUSE_NS = 1000000 /* between two programs */ };

typedef struct trace {
    weft__json *j;
    const weft_profile *prof;
    double start;  /* of the profile's run, in nanoseconds of the trace */
    uint32_t runs; /* the process that shows the runs: after all devices */
} trace;

static double micros(const trace *t, uint64_t at)
{
    return (t->start + (double)at) * 1e-3;
}

static void event(const trace *t, const char *phase, const char *name, uint32_t pid, uint32_t tid)
{
    weft__json_line(t->j);
    weft__json_object(t->j, NULL);
    weft__json_string(t->j, "ph", phase);
    weft__json_string(t->j, "name", name);
    weft__json_u64(t->j, "pid", pid);
    weft__json_u64(t->j, "tid", tid);
}

static void end_event(const trace *t)
{
    weft__json_end_object(t->j); /* args */
    weft__json_end_object(t->j);
}

static void metadata(const trace *t, const char *what, uint32_t pid, uint32_t tid, const char *name)
{
    event(t, "M", what, pid, tid);
    weft__json_object(t->j, "args");
    weft__json_string(t->j, "name", name);
    end_event(t);
}

static void begin_span(const trace *t, const char *name, const char *category, uint32_t pid, uint32_t tid,
                       const uint64_t *ends)
{
    event(t, "X", name, pid, tid);
    weft__json_string(t->j, "cat", category);
    weft__json_f64(t->j, "ts", micros(t, ends[0]));
    weft__json_f64(t->j, "dur", (double)(ends[1] - ends[0]) * 1e-3);
    weft__json_object(t->j, "args");
}

/* ---- spans ---- */

static void step_args(const trace *t, const weft_span *s)
{
    const weft_profile_node *n = &t->prof->nodes[s->step];
    double bytes = 0.0, flops = 0.0;
    for (uint32_t i = 0; i < s->n_steps; i++) {
        bytes += n[i].bytes;
        flops += n[i].flops;
    }
    weft__json_u64(t->j, "node", n->node);
    weft__json_u64(t->j, "step", s->step);
    weft__json_string(t->j, "kernel", weft_program_place(t->prof->p, n->node).kernel);
    weft__json_f64(t->j, "bytes", bytes);
    weft__json_f64(t->j, "flops", flops);
    if (n->bound) weft__json_string(t->j, "bound", weft_profile_bound_name(n->bound));
    if (s->n_steps < 2) return;
    weft__json_array(t->j, "joined"); /* the nodes of the launch's other steps */
    for (uint32_t i = 1; i < s->n_steps; i++) weft__json_u64(t->j, NULL, n[i].node);
    weft__json_end_array(t->j);
}

static void put_span(const trace *t, const weft_span *s, uint32_t lane)
{
    char name[NAME_SIZE];
    const char *kind = weft__span_kind_name(s->kind);
    bool step = weft__span_is_step(t->prof, s);
    uint32_t pid = s->device + 1u, tid = 1u + s->track * (uint32_t)LANES + lane;
    if (step) weft__launch_name(t->prof->p->s->g, t->prof->p->s->plan, s->step, s->n_steps, name, sizeof name);
    begin_span(t, step ? name : kind, kind, pid, tid, (uint64_t[]){ s->begin, s->end });
    if (step) step_args(t, s);
    else if (s->n_steps) {
        weft__json_u64(t->j, "step", s->step);
        weft__json_u64(t->j, "n_steps", s->n_steps);
    }
    end_event(t);
}

static void name_lane(const trace *t, const weft_span *s, uint32_t lane)
{
    char track[64], name[96];
    weft__profile_track(t->prof, s, track, sizeof track);
    snprintf(name, sizeof name, lane ? "%s (overlapping %u)" : "%s", track, lane);
    metadata(t, "thread_name", s->device + 1u, 1u + s->track * (uint32_t)LANES + lane, name);
}

static int by_track(const void *a, const void *b)
{
    const weft_span *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    if (x->track != y->track) return x->track < y->track ? -1 : 1;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end > y->end ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

/* Every span on the first lane of its track that is free; the last lane takes what finds none. Sorts the spans. */
static void put_spans(const trace *t, weft_span *spans, uint32_t n)
{
    uint64_t free_at[LANES] = { 0 };
    uint32_t named = 0;
    qsort(spans, n, sizeof *spans, by_track);
    for (uint32_t i = 0; i < n; i++) {
        const weft_span *s = &spans[i];
        if (i && (s[-1].device != s->device || s[-1].track != s->track)) {
            for (uint32_t k = 0; k < LANES; k++) free_at[k] = 0;
            named = 0;
        }
        uint32_t lane = 0;
        while (lane + 1 < LANES && free_at[lane] > s->begin) lane++;
        if (s->end > free_at[lane]) free_at[lane] = s->end;
        for (; named <= lane; named++) name_lane(t, s, named);
        put_span(t, s, lane);
    }
}

/* ---- live memory ---- */

/* When each step begins first; UINT64_MAX: no span shows it. */
static void find_begins(const weft_profile *prof, uint64_t *begins)
{
    for (uint32_t i = 0; i < prof->n_steps; i++) begins[i] = UINT64_MAX;
    for (uint32_t i = 0; i < prof->shown->n; i++) {
        const weft_span *s = &prof->shown->spans[i];
        for (uint32_t k = 0; weft__span_is_step(prof, s) && k < s->n_steps; k++)
            if (s->begin < begins[s->step + k]) begins[s->step + k] = s->begin;
    }
}

/* Bytes of a device's arena that are in use, when a step with which they change begins. */
static void put_live(const trace *t, uint32_t device, const uint64_t *begins)
{
    const weft_plan *plan = t->prof->p->s->plan;
    const uint64_t *live = plan->live + (size_t)device * plan->n_steps;
    uint64_t shown = UINT64_MAX;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        if (live[i] == shown || begins[i] == UINT64_MAX) continue;
        shown = live[i];
        event(t, "C", "arena in use", device + 1, 0);
        weft__json_f64(t->j, "ts", micros(t, begins[i]));
        weft__json_object(t->j, "args");
        weft__json_u64(t->j, "bytes", live[i]);
        end_event(t);
    }
}

/* ---- the whole ---- */

static weft_status put_profile(const trace *t, weft_error *err)
{
    const weft_profile *prof = t->prof;
    uint64_t *begins = calloc((size_t)prof->n_steps + 1, sizeof *begins);
    weft_span *spans = calloc((size_t)prof->shown->n + 1, sizeof *spans);
    bool ok = begins && spans;
    if (ok) {
        memcpy(spans, prof->shown->spans, prof->shown->n * sizeof *spans);
        begin_span(t, prof->name, "run", t->runs, 1, (uint64_t[]){ 0, (uint64_t)(prof->shown->seconds * 1e9) });
        weft__json_string(t->j, "mode", weft_profile_mode_name(prof->mode));
        end_event(t);
        put_spans(t, spans, prof->shown->n);
        find_begins(prof, begins);
        for (uint32_t d = 0; d < prof->p->s->n_devices; d++) put_live(t, d, begins);
    }
    free(begins);
    free(spans);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "a trace");
}

static void name_processes(trace *t, const weft_profile *const *profiles, uint32_t n)
{
    char name[600];
    uint32_t named = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (; named < profiles[i]->p->s->n_devices; named++) {
            weft_device_info info;
            weft_backend_info(profiles[i]->p->devices[named], &info);
            snprintf(name, sizeof name, "%s: %s", info.name, info.description);
            metadata(t, "process_name", named + 1, 0, name);
        }
    }
    t->runs = named + 1;
    metadata(t, "process_name", t->runs, 0, "runs");
    metadata(t, "thread_name", t->runs, 1, "the run nearest to the median");
}

weft_status weft_profile_trace(const weft_profile *const *profiles, uint32_t n, const weft_writer *w, weft_error *err)
{
    weft__json j;
    trace t = { .j = &j };
    for (uint32_t i = 0; i < n; i++)
        if (!profiles[i]->shown)
            return WEFT_FAIL(err, WEFT_INVALID, "the profile of '%s' is not finished", profiles[i]->name);
    weft__json_start(&j, w);
    weft__json_object(&j, NULL);
    weft__json_string(&j, "displayTimeUnit", "ns");
    weft__json_array(&j, "traceEvents");
    name_processes(&t, profiles, n);
    for (uint32_t i = 0; i < n; i++) {
        t.prof = profiles[i];
        WEFT_TRY(put_profile(&t, err));
        t.start += profiles[i]->shown->seconds * 1e9 + PAUSE_NS;
    }
    weft__json_end_array(&j);
    weft__json_end_object(&j);
    return weft__json_finish(&j) ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "the trace could not be written");
}
