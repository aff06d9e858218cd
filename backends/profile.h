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

#ifdef __cplusplus
}
#endif
#endif
