/* profile.h: what happened during a run: spans of time, each of a step of the plan or of the host's own work.
 *
 *     weft_program_profile(p, WEFT_PROFILE_SCHEDULED, &err);          // a loaded program; makes room for one run
 *     weft_program_spans_clear(p);
 *     weft_program_run(p, &err);
 *     const weft_span *s = weft_program_spans(p, &n);                 // borrowed until the next run, clear or destroy
 *
 * Times are nanoseconds of the host's monotonic clock (CLOCK_MONOTONIC). A GPU's clock is mapped onto it: exactly where
 * the driver offers calibrated timestamps, else so that the last step ends when the host saw the run end. */
#ifndef WEFT_PROFILE_H
#define WEFT_PROFILE_H

#include "backends/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_profile_mode {
    WEFT_PROFILE_OFF,
    WEFT_PROFILE_SCHEDULED, /* the program as it really runs: steps without a barrier between them may overlap */
    WEFT_PROFILE_ISOLATED   /* weft_program_run runs one step at a time, each in a submission of its own */
} weft_profile_mode;

typedef enum weft_span_kind {
    WEFT_SPAN_STEP,     /* a launch: steps `step` .. `step + n_steps - 1` of the plan */
    WEFT_SPAN_SUBMIT,   /* the host starts steps `step` .. (on a CPU it carries them out meanwhile) */
    WEFT_SPAN_WAIT,     /* the host waits for them */
    WEFT_SPAN_WRITE,    /* an input is written; step and n_steps are 0 */
    WEFT_SPAN_READ,     /* an output is read; step and n_steps are 0 */
    WEFT_SPAN_TRANSFER, /* a value is carried from one device to another; `step` is the transfer's */
    WEFT_SPAN_COUNT
} weft_span_kind;

/* Tracks of a device: 0 is the host; on a CPU 1 + i is thread i; on a GPU 1 is the queue. */
enum { WEFT_TRACK_HOST = 0, WEFT_TRACK_QUEUE = 1, WEFT_TRACK_THREAD = 1 };

typedef struct weft_span {
    uint64_t begin, end; /* nanoseconds */
    uint32_t step, n_steps;
    uint16_t device, track;
    uint8_t kind; /* weft_span_kind */
} weft_span;

/* Starts, changes or ends (OFF) profiling of a loaded program, between runs. Makes room for the spans of one run of
 * every step and some writes and reads, and forgets the spans there were. Runs of a program that is not profiled do
 * exactly what they did before. UNSUPPORTED: a device cannot time its steps (the text says which); after any failure
 * profiling is off. The first run after it may take longer: a GPU's commands are recorded anew, with timestamps. */
WEFT_API WEFT_MUST_USE weft_status weft_program_profile(weft_program *p, weft_profile_mode mode, weft_error *err);
WEFT_API weft_profile_mode weft_program_profile_mode(const weft_program *p);

/* The *n spans since weft_program_profile or weft_program_spans_clear, in the order in which they became known: a
 * submission's SUBMIT and WAIT, then its steps. Lent: valid until the next run, write, read, clear, change of mode, or
 * the program's end. Every step of a run is there: on a CPU once per thread, on a GPU once in a launch of n_steps steps
 * (a step that takes several launches in each of them). NULL and 0 while profiling is off. */
WEFT_API const weft_span *weft_program_spans(const weft_program *p, uint64_t *n);
/* Spans that found no room since then: more than one run, or many writes and reads. */
WEFT_API uint64_t weft_program_spans_dropped(const weft_program *p);
/* Forgets all spans; what the next run makes has room again. */
WEFT_API void weft_program_spans_clear(weft_program *p);

/* Whether the times of a device's (below n_devices) steps were taken on the host's clock or mapped onto it by
 * calibrated timestamps. False: mapped by the end of the wait, so they may lie late by as much as the host took to
 * notice; and while profiling is off. */
WEFT_API bool weft_program_spans_calibrated(const weft_program *p, uint32_t device);

/* ---- profiles: from spans to answers --------------------------------------------------------------------------- */

/* A profile takes in the spans of any number of runs and says where their time went, node by node.
 *
 *     weft_profile_create(p, &(weft_profile_desc){ .name = "decode", .mode = mode, .roofs = roofs }, &prof, &err);
 *     for (each run) {
 *         weft_program_spans_clear(p);
 *         uint64_t begin = weft_profile_now();
 *         ... write inputs, weft_program_run, read outputs ...
 *         weft_profile_run run = { .begin = begin, .end = weft_profile_now() };
 *         run.spans = weft_program_spans(p, &run.n_spans);
 *         weft_profile_add(prof, &run, &err);
 *     }
 *     weft_profile_finish(prof, &err);
 *     weft_profile_table(prof, &(weft_profile_table_desc){ .by = WEFT_BY_OP }, &writer, &err);
 *
 * How the time of a run is divided. Every instant of it belongs to exactly one of five parts:
 *   nodes   a step runs (a span STEP or TRANSFER is open)
 *   gaps    no step runs, but one did and one will, and one and the same span SUBMIT or WAIT lasts from the end of the
 *           one to the begin of the other: the device had its work and stood still between two steps (at barriers, say)
 *   submit  else, if a span SUBMIT is open: starting up and, on a CPU, the threads' return
 *   wait    else, if a span WAIT is open: from the submission to the first step, from the last step to the wake-up
 *   host    else: inputs written, outputs read, and all that the caller does between begin and end of the run
 * Where several spans of steps are open at once (threads of a CPU, launches of a GPU that overlap), the instant is
 * divided equally among them; so two threads in step 5 and one in step 6 give two thirds to step 5. What a span of
 * several steps gets (joined steps share a launch) is divided in the ratio of the times that they would take at the
 * roof (without roofs: of their bytes and operations). So the nodes' times add up to the part `nodes`, and the parts to
 * the run. What of a span lies outside of the run is cut off; spans that make no sense (an end before the begin, a
 * step that the plan does not have, an unknown kind) are left out. */

typedef struct weft_profile weft_profile;

typedef struct weft_profile_desc {
    const char *name;       /* of the program: "prompt", "decode"; NULL: "graph" */
    weft_profile_mode mode; /* in which the spans are made */
    const weft_roof *roofs; /* one per device of the program, measured in the same process; NULL: not known. They divide
                               launches among steps as the runs come in */
    double tokens;          /* that one run takes in or makes; 0: a run is no matter of tokens */
    uint32_t max_runs;      /* of which times are kept, at least 2; 0: 256 */
} weft_profile_desc;

typedef struct weft_profile_run {
    uint64_t begin, end;    /* as the caller saw it; both 0: from the first span's begin to the last's end */
    const weft_span *spans; /* in any order; copied where they are kept */
    uint64_t n_spans;
    /* Work is counted by weft_node_cost at the values that the program's extents have now, except for these: a session
     * leaves "cells" at the size of its cache, of which a run reads what is filled. */
    const weft_bound *work;
    uint32_t n_work;
} weft_profile_run;

typedef struct weft_profile_spread { double median, min, max, mad; } weft_profile_spread; /* mad: of |x - median| */
typedef struct weft_profile_parts { double nodes, submit, wait, host, gaps; } weft_profile_parts;

typedef enum weft_profile_bound {
    WEFT_BOUND_NONE,    /* no roof is known, or the node does nothing */
    WEFT_BOUND_MEMORY,  /* at the roof, moving its bytes would take longer than its operations */
    WEFT_BOUND_COMPUTE, /* the other way round */
    WEFT_BOUND_LAUNCH   /* at the roof it would take less than a launch does, and it takes at most twice that sum */
} weft_profile_bound;
WEFT_API const char *weft_profile_bound_name(weft_profile_bound b); /* "memory"; NONE: "" */
WEFT_API const char *weft_profile_mode_name(weft_profile_mode m);   /* "scheduled" */

/* One step of the plan. Times are seconds, of one run. */
typedef struct weft_profile_node {
    uint32_t node, step, device;
    weft_profile_spread seconds; /* additive, as above */
    double elapsed;              /* median: from the begin of its first span to the end of its last, others or not */
    double flops, bytes;         /* mean of the runs */
    double bytes_per_second, ops_per_second; /* by the median of seconds; 0 where that is 0 */
    double roof_seconds; /* at the roof: bytes / bandwidth or flops / peak of its arithmetic, the larger */
    /* roof_seconds / seconds. Above 1 is possible: the bandwidth is that of memory, and a cache is faster. */
    double roof;
    weft_profile_bound bound;
    bool shared; /* its time is its part of a launch that it shares with other steps */
} weft_profile_node;

typedef struct weft_profile_totals {
    uint32_t runs, kept;         /* added; of which the times are kept */
    weft_profile_spread seconds; /* a run */
    weft_profile_parts parts;    /* medians; they add up to a run but for the difference of a sum of medians */
} weft_profile_totals;

/* What went on beside the runs: what makes their times hard to compare with those of others. */
enum { WEFT_MAX_ROOF_TURNS = 16 };
typedef struct weft_conditions {
    double processors; /* of the machine; 0: not known */
    double others;     /* how many of them other processes kept busy, on the average; below 0, or processors 0: not
                          known */
    uint32_t turns;    /* how often the roofs were measured, in turn with the runs: up to WEFT_MAX_ROOF_TURNS */
    const weft_roof *roofs, *least, *most; /* one per device: median, least and most of them; NULL if turns is 0 */
    uint32_t arithmetic; /* bits 1 << weft_arith of what was measured, for other peaks may move; 0: all. A profile takes
                            its program's */
} weft_conditions;

/* Nanoseconds of the clock that spans use. */
WEFT_API uint64_t weft_profile_now(void);
/* Every string and roof is copied; the program must outlive the profile. It keeps, per run, six numbers and two for
 * each step; of more than max_runs runs every second, then every fourth and so on. Of at most eight runs near the
 * median it keeps the spans. */
WEFT_API WEFT_MUST_USE weft_status weft_profile_create(const weft_program *p, const weft_profile_desc *desc,
                                                       weft_profile **out, weft_error *err);
WEFT_API void weft_profile_destroy(weft_profile *prof);
/* INVALID: end before begin, an extent that the graph does not have; then the profile is as it was. */
WEFT_API WEFT_MUST_USE weft_status weft_profile_add(weft_profile *prof, const weft_profile_run *run, weft_error *err);
/* Says under which conditions the runs were made; copied. With turns its roofs replace those of the desc in all that
 * the next finish makes; how launches were divided among their steps stays. What is worth a warning stands in the table
 * and in dumps. INVALID: turns without roofs, or more than WEFT_MAX_ROOF_TURNS. */
WEFT_API WEFT_MUST_USE weft_status weft_profile_set_conditions(weft_profile *prof, const weft_conditions *c,
                                                               weft_error *err);
/* Makes the statistics below, of what was added so far. INVALID: nothing was. */
WEFT_API WEFT_MUST_USE weft_status weft_profile_finish(weft_profile *prof, weft_error *err);
/* Of the last finish: all steps in the order of the plan; borrowed until the next finish. */
WEFT_API const weft_profile_node *weft_profile_nodes(const weft_profile *prof, uint32_t *n);
WEFT_API weft_profile_totals weft_profile_total(const weft_profile *prof);

typedef enum weft_profile_by {
    WEFT_BY_OP,
    WEFT_BY_LAYER, /* scopes up to their first number: "model.layers.3" */
    WEFT_BY_SHAPE, /* op, type of a weight, and shapes of the inputs at the sizes that the program has now */
    WEFT_BY_NODE,
    WEFT_BY_COUNT
} weft_profile_by;
WEFT_API const char *weft_profile_by_name(weft_profile_by by); /* "op" */

typedef struct weft_profile_table_desc {
    weft_profile_by by;
    bool markdown;
    uint32_t top; /* rows; 0: all. What is left out is one row */
} weft_profile_table_desc;
/* Devices, roofs and totals, then one row per group, the most time first: at most 100 columns. */
WEFT_API WEFT_MUST_USE weft_status weft_profile_table(const weft_profile *prof, const weft_profile_table_desc *desc,
                                                      const weft_writer *w, weft_error *err);
/* The spans of the run nearest to the median of each profile, one after the other, in Chrome's Trace Event Format,
 * which Perfetto reads: a process per device, a thread per track, an event per span, the arena's live bytes as a
 * counter. */
WEFT_API WEFT_MUST_USE weft_status weft_profile_trace(const weft_profile *const *profiles, uint32_t n,
                                                      const weft_writer *w, weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
