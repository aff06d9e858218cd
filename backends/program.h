/* program.h: a program: a schedule, the memory and execs that it runs with, and its profile. Shared by program.c (life,
 * loading), program_io.c, program_run.c, spans.c and those that look at programs: print, dump, check, profile.
 * Per-device arrays are indexed as the schedule's. */
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include "backends/schedule.h"

enum { WEFT__BOUNCE_BYTES = 1 << 18 };

struct weft_program {
    const weft__schedule *s; /* its own */
    weft_backend **devices;  /* the schedule's */
    weft_progress_sink progress;
    int64_t extents[WEFT_MAX_EXTENTS];
    /* after loading */
    weft_weights *weights;
    weft_states *states, *own_states; /* own_states: where none were given */
    weft_buf **bufs;   /* per device and value; constants are the program's own, the rest of weights and states */
    weft_buf **arenas; /* per device; the states' */
    weft_exec **execs; /* per device */
    bool running;      /* submitted and not yet waited for */
    uint64_t ticket, begin, submitted; /* of the segment that was started last: its number and, profiled, times */
    unsigned char *bounce; /* of WEFT__BOUNCE_BYTES, for transfers */
    weft_profile_mode profile;
    weft__span_log spans;
    bool *calibrated; /* per device; NULL: not profiled */
};

/* program.c. A program for a schedule, which it takes over, also where that fails; desc is what the schedule was made
 * from. */
weft_status weft__program_create(const weft__schedule *s, const weft_program_desc *desc, weft_program **out,
                                 weft_error *err);
/* Both together: weft_program_create without the self-test, for what it and references run. */
weft_status weft__program_create_untested(const weft_graph *g, const weft_program_desc *desc, weft_program **out,
                                          weft_error *err);
/* What loading made goes, after the end of a run that was not waited for; it may be loaded again. */
void weft__program_unload(weft_program *p);

/* INVALID: it is not loaded, or running. */
static inline weft_status weft__program_check_idle(const weft_program *p, weft_error *err)
{
    if (!p->execs) return WEFT_FAIL(err, WEFT_INVALID, "the program is not loaded");
    return p->running ? WEFT_FAIL(err, WEFT_INVALID, "the program is running: it must be waited for") : WEFT_OK;
}

/* program_io.c. As weft_program_write and _read, in no profile. */
weft_status weft__write_value(weft_program *p, weft_ref r, uint64_t offset, const void *src, uint64_t n,
                              weft_error *err);
weft_status weft__read_value(weft_program *p, weft_ref r, uint64_t offset, void *dst, uint64_t n, weft_error *err);

/* check_int8.c. Whether a step rounds its activations in[0] to 8 bits, and in a way that a reference can be given; then
 * the bytes of the value behind in[0]'s views, with what in[0] shows of them rounded. Where it norms them first, what
 * is rounded is the result of that. */
bool weft__rounds_to_int8(const weft_program *p, const weft_node *n);
bool weft__norms_input(const weft_node *n);
void weft__round_to_int8(const weft_program *p, weft_ref x, unsigned char *root);

/* spans.c */
void weft__profile_off(weft_program *p);

/* The time, for a span of the host; 0 where the program is not profiled. */
static inline uint64_t weft__program_now(const weft_program *p)
{
    return p->profile ? weft__nanoseconds() : 0;
}

#endif
