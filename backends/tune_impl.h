/* tune_impl.h: the parts of tune.c: a search that knows no device, and the programs that it times. */
#ifndef WEFT_TUNE_IMPL_H
#define WEFT_TUNE_IMPL_H

#include "backends/noise.h"
#include "backends/tuning.h"

/* ---- tune_search.c ---- */

/* What a test says of a setting. SKIPPED: nothing, as what would be timed cannot be tested here. */
typedef enum weft__tune_verdict { WEFT__TUNE_RIGHT, WEFT__TUNE_WRONG, WEFT__TUNE_SKIPPED } weft__tune_verdict;

/* What a search asks. Settings are texts; "" is the row's. */
typedef struct weft__tune_world {
    void *ctx;
    bool (*next)(void *ctx, const char *from, uint32_t i, char out[WEFT_TUNE_TEXT]); /* as setting_next */
    /* A number of what is compiled: settings that differ in nothing have the same. Nothing is run for it. */
    weft_status (*form)(void *ctx, const char *setting, uint64_t *form, weft_error *err);
    weft_status (*test)(void *ctx, const char *setting, weft__tune_verdict *v, weft_error *err);
    weft_status (*time)(void *ctx, const char *setting, double *seconds, weft_error *err); /* of one run */
} weft__tune_world;

typedef struct weft__tune_found {
    char setting[WEFT_TUNE_TEXT];
    double seconds, row_seconds; /* row_seconds 0: the row's own results are wrong */
    uint32_t tried, wrong, skipped;
    bool none; /* no setting's results are right, or the row was skipped: what cannot be tested is not compared with */
} weft__tune_found;

/* From the row's setting on, parameter by parameter, as long as one is faster by more than the noise; at last the best
 * is compared with the row once more, which stays where the difference is small. Each setting is tested once, before
 * it is timed. What `test` and `time` fail with ends the search. */
weft_status weft__tune_search(const weft__tune_world *w, weft__tune_found *out, weft_error *err);

/* ---- tune_programs.c ---- */

enum { WEFT__TUNE_PROGRAMS = 3, WEFT__TUNE_CHAIN = 64 };

const weft__tuning *weft__tuning_of(const weft_backend *b); /* NULL: it has nothing to tune */

/* One shape's programs for a few settings: a chain of products with different matrices, or of attentions over different
 * caches. */
typedef struct weft__tune_bench {
    weft_backend *b;
    const weft_tune_shape *shape;
    const weft_progress_sink *progress;
    uint32_t chain, distinct;
    weft_graph *g;
    weft__noise noise;
    weft_weights *weights;
    struct { char setting[WEFT_TUNE_TEXT]; weft_program *p; uint64_t used; } programs[WEFT__TUNE_PROGRAMS];
    uint64_t clock;
    float *ones;
} weft__tune_bench;

/* Close in any case. */
weft_status weft__tune_bench_open(weft__tune_bench *t, weft_backend *b, const weft_tune_shape *shape,
                                  const weft_roof *roof, const weft_progress_sink *progress, weft_error *err);
void weft__tune_bench_close(weft__tune_bench *t);
/* Seconds of one product or attention, by the device's clock where it has one. */
weft_status weft__tune_bench_time(weft__tune_bench *t, const char *setting, double *seconds, weft_error *err);
/* The kernel that a setting means. */
weft_status weft__tune_bench_choice(weft__tune_bench *t, const char *setting, weft_kernel_choice *out, weft_error *err);
/* The kernel that a setting means for the shape that weft__tune_test runs. */
weft_status weft__tune_form(weft_backend *b, const weft_tune_shape *shape, const char *setting,
                            const weft_progress_sink *progress, weft_kernel_choice *out, weft_error *err);
/* A shape that is quick to test, of the same kernels in the same forms. */
weft_tune_shape weft__tune_smaller(const weft_tune_shape *s);
/* A smaller shape, of the same kernels, beside the CPU's plain ones; *right false: `detail` says what differs. *out is
 * the choice that was tested. */
weft_status weft__tune_test(weft_backend *b, const weft_tune_shape *shape, const char *setting,
                            const weft_progress_sink *progress, bool *right, char detail[96], weft_kernel_choice *out,
                            weft_error *err);

#endif
