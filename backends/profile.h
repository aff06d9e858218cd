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

#include "graph/graph.h"

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

#ifdef __cplusplus
}
#endif
#endif
