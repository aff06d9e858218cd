/* roof.c: measures the roofs of roof.h. One pass is run by all threads at once and timed as a whole. */
#define _GNU_SOURCE /* madvise */
#include "roof.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define STREAM_BYTES (UINT64_C(256) << 20) /* beyond the last-level cache of most machines */
#define MAX_PASSES   512

typedef struct pass {
    const cpu_roof_loops *loops;
    const unsigned char *buffer;
    uint64_t bytes, rounds;
    enum { READ, FMA, DOT } what;
    atomic_uint sink;
} pass;

const cpu_roof_loops *cpu_roof_of(cpu_isa isa)
{
    switch (isa) {
#ifdef WEFT_CPU_AVX512
    case CPU_AVX512: return &cpu_roof_avx512;
#endif
#ifdef WEFT_CPU_AVXVNNI
    case CPU_AVXVNNI: return &cpu_roof_avxvnni;
#endif
#ifdef WEFT_CPU_AVX2
    case CPU_AVX2: return &cpu_roof_avx2;
#endif
#ifdef WEFT_CPU_I8MM
    case CPU_I8MM: return &cpu_roof_i8mm;
#endif
#ifdef WEFT_CPU_DOTPROD
    case CPU_DOTPROD: return &cpu_roof_dotprod;
#endif
#ifdef WEFT_CPU_NEON
    case CPU_NEON: return &cpu_roof_neon;
#endif
    default: return &cpu_roof_scalar;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_pass(void *ctx, uint32_t thread, uint32_t n_threads)
{
    pass *p = ctx;
    unsigned seen = 0;
    if (p->what == READ) {
        uint64_t share = p->bytes / n_threads / 4096 * 4096;
        seen = (unsigned)p->loops->read(p->buffer + thread * share, share);
    } else if (p->what == FMA) {
        seen = (unsigned)(p->loops->fma(p->rounds) > 0);
    } else {
        seen = (unsigned)p->loops->dot(p->rounds);
    }
    atomic_fetch_add_explicit(&p->sink, seen, memory_order_relaxed);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of the median pass. */
static weft_status time_passes(cpu_pool *pool, pass *p, double seconds, weft__task *task, double *out, weft_error *err)
{
    double took[MAX_PASSES], end = now() + seconds;
    size_t n = 0;
    cpu_pool_run(pool, run_pass, p); /* wakes the threads and the clock */
    do {
        double start = now();
        cpu_pool_run(pool, run_pass, p);
        took[n++] = now() - start;
        WEFT_TRY(weft__task_reach(task, task ? task->at.done + 1 : 0, err));
    } while (n < MAX_PASSES && now() < end);
    qsort(took, n, sizeof *took, by_value);
    *out = took[n / 2];
    return WEFT_OK;
}

weft_status weft__cpu_stream(cpu_backend *b, double seconds, weft__task *task, double *bytes_per_second,
                             weft_error *err)
{
    pass p = { .loops = cpu_roof_of(b->isa), .bytes = STREAM_BYTES, .what = READ };
    double t;
    *bytes_per_second = 0;
    unsigned char *buffer = aligned_alloc((size_t)2 << 20, STREAM_BYTES);
    if (!buffer) return WEFT_OOM_FAIL(err, "the buffer that bandwidth is measured with");
    madvise(buffer, STREAM_BYTES, MADV_HUGEPAGE); /* as weights are; without, it only costs some speed */
    memset(buffer, 1, STREAM_BYTES);
    p.buffer = buffer;
    uint64_t read = STREAM_BYTES / cpu_pool_size(b->pool) / 4096 * 4096 * cpu_pool_size(b->pool);
    weft_status s = time_passes(b->pool, &p, seconds, task, &t, err);
    if (!s) *bytes_per_second = (double)read / t;
    free(buffer);
    return s;
}

weft_status weft__cpu_peak(cpu_backend *b, double seconds, weft__task *task, double *flops, double *int8_ops,
                           weft_error *err)
{
    double t;
    pass p = { .loops = cpu_roof_of(b->isa), .rounds = 20000, .what = FMA };
    double per_pass = (double)(p.rounds * p.loops->chains * p.loops->lanes * 2) * cpu_pool_size(b->pool);
    WEFT_TRY(time_passes(b->pool, &p, seconds, task, &t, err));
    *flops = per_pass / t;
    p.what = DOT;
    WEFT_TRY(time_passes(b->pool, &p, seconds, task, &t, err));
    *int8_ops = 4 * per_pass / t;
    return WEFT_OK;
}
