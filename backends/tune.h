/* tune.h: the parameters of a device's kernels, found by measuring.
 *
 *     weft_tune_shape shapes[64];
 *     uint32_t n = weft_tune_shapes(program, 0, shapes, 64);       // what a program multiplies, the most work first
 *     weft_backend_tune(gpu, shapes, n, &(weft_tune_desc){ .seconds = 60 }, &err);
 *
 * Of every shape the forms that the device takes are compared with the CPU's plain kernels and timed against each other
 * in turn. What is faster than the device's row of numbers by more than the noise is used from then on, and kept by the
 * device's cache (option cache) for its driver and these shaders, shape by shape: work that is stopped, or killed, goes
 * on where it was. Programs that exist are not changed, and deterministic ones do not use it. */
#ifndef WEFT_TUNE_H
#define WEFT_TUNE_H

#include "backends/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT_TUNE_TEXT = 96 };

/* A product with an n x k matrix (rows n, columns k; of experts' and fused products: the matrix), or attention over a
 * cache (rows: cells; columns: elements of a head). */
typedef struct weft_tune_shape {
    weft_dtype type; /* of the matrix, or of the cache */
    uint32_t rows, columns, tokens;
    uint32_t heads, groups; /* of attention, those of queries, of keys; 0: a product */
} weft_tune_shape;

/* What a program runs on a device (below its n_devices), each shape once, the most work first; as many as there is room
 * for. */
WEFT_API uint32_t weft_tune_shapes(const weft_program *p, uint32_t device, weft_tune_shape *out, uint32_t room);

typedef struct weft_tune_result {
    const weft_tune_shape *shape;
    const char *kernel;          /* of the setting */
    const char *setting;         /* "block=64,rows=2"; "": as the row says */
    double seconds, row_seconds; /* of one product or attention, by the setting and by the row */
    uint32_t tried, wrong;       /* settings */
    uint32_t skipped;            /* of those that were tried, neither right nor wrong: they could not be tested */
    bool known;                  /* it was in the cache: nothing was measured */
} weft_tune_result;

/* A setting whose results differ from the CPU's, or whose test did not come back: it is never used. */
typedef struct weft_tune_wrong {
    const weft_tune_shape *shape;
    const char *setting, *detail;
} weft_tune_wrong;

typedef struct weft_tune_desc {
    double seconds; /* at most, about; 0: until all are done */
    bool again;     /* also those that are in the cache */
    void (*done)(void *ctx, const weft_tune_result *r);
    void (*found_wrong)(void *ctx, const weft_tune_wrong *w);
    /* Nothing is kept for a shape: there is no room for it, or it cannot be tested, or nothing is right. */
    void (*skipped)(void *ctx, const weft_tune_shape *shape, const char *why);
    void *ctx; /* of all three, which may be NULL */
    weft_progress_sink progress;
} weft_tune_desc;

/* *left: shapes that there was no time for. UNSUPPORTED: the device has nothing to tune. CANCELLED: what was done
 * before is kept. DEVICE_LOST: the setting that did it is kept as wrong. Blocks. */
WEFT_API WEFT_MUST_USE weft_status weft_backend_tune(weft_backend *b, const weft_tune_shape *shapes, uint32_t n,
                                                     const weft_tune_desc *desc, uint32_t *left, weft_error *err);

/* What is kept for a device, as a row of backends/gpu/tuning.def of this name: of shapes that disagree the first that
 * was tuned counts. UNSUPPORTED as above. */
WEFT_API WEFT_MUST_USE weft_status weft_backend_tuned(const weft_backend *b, const char *name, const weft_writer *w,
                                                      weft_error *err);

/* Kinds of shapes that are kept; *changed: of them, those that run otherwise than the row says. */
WEFT_API uint32_t weft_backend_tuned_shapes(const weft_backend *b, uint32_t *changed);

#ifdef __cplusplus
}
#endif
#endif
