/* bench_matmul.c: speed of the packed matrix multiplication beside the machine's roofs, measured in turns in one run.
 *
 *   bench_matmul [threads [seconds per line [isa [type | tokens=N | shape=NxK ..]]]]
 *
 * Decode (T = 1, several sequences 2 to 16) rotates over enough copies of the weights to leave every cache; each turn
 * also reads as many bytes in a bare loop, so that the ratio holds on a machine whose bandwidth wavers. All but T = 1
 * count 2 T N K operations against the peak of f32 multiply-adds (f32, f16, bf16) or int8 dot products of numbers below
 * 16 (formats of blocks; where those are 16-bit sums, as with AVX2, bytes cost more).
 *
 * One thread's time is its processor's: what others run does not count in it, but for the memory that they use. */
#define _GNU_SOURCE /* madvise */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/k_matmul.h"
#include "backends/cpu/pack.h"
#include "backends/cpu/roof.h"
#include "graph/convert.h"

#define ROTATE (UINT64_C(320) << 20)
#define DECODE 16 /* tokens at most that are counted as decoding */

typedef struct bench {
    const cpu_kernel *kernel;
    const cpu_roof_loops *loops;
    cpu_pool *pool;
    cpu_call call;
    unsigned char *weights;
    uint64_t bytes; /* of one copy */
    unsigned copies;
    cpu_tensor in[2], out;
    atomic_uint next[2];
    atomic_uint sink;
} bench;

static clockid_t which = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_once(void *ctx, uint32_t thread, uint32_t n_threads)
{
    bench *b = ctx;
    (void)n_threads;
    cpu_call c = b->call;
    c.thread = thread;
    uint32_t phases = b->kernel->phases(&c);
    for (c.phase = 0; c.phase < phases; c.phase++) {
        if (c.phase) cpu_pool_barrier(b->pool, NULL, NULL);
        c.next = &b->next[c.phase];
        b->kernel->run(&c);
    }
}

static void read_once(void *ctx, uint32_t thread, uint32_t n_threads)
{
    bench *b = ctx;
    uint64_t share = b->bytes / n_threads / 4096 * 4096;
    const unsigned char *at = b->in[1].data;
    atomic_fetch_add(&b->sink, (unsigned)b->loops->read(at + thread * share, share));
}

static void *take(uint64_t bytes)
{
    bytes = (bytes + ((1 << 21) - 1)) >> 21 << 21;
    unsigned char *p = aligned_alloc(1 << 21, bytes);
    if (!p) exit(1);
    madvise(p, bytes, MADV_HUGEPAGE);
    memset(p, 0, bytes);
    return p;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

/* Passes over all copies (decode) or one multiplication (prompt), in turns with the bare read. */
static void measure(bench *b, double seconds, double *ours, double *reads)
{
    double took[4096], read[4096], end = now() + seconds;
    size_t n = 0;
    bool decode = b->out.dim[0] <= DECODE;
    do {
        for (int what = 0; what < (decode ? 2 : 1); what++) {
            double start = now();
            for (unsigned i = 0; i < (decode ? b->copies : 1); i++) {
                b->in[1].data = b->weights + i * b->bytes;
                atomic_store(&b->next[0], 0);
                atomic_store(&b->next[1], 0);
                cpu_pool_run(b->pool, what ? read_once : run_once, b);
            }
            (what ? read : took)[n] = now() - start;
        }
        n++;
    } while (n < 4096 && (now() < end || n < 5));
    *ours = median(took, n);
    *reads = decode ? median(read, n) : 0;
}

/* A panel of numbers as a model has them. */
static void pack_noise(cpu_isa isa, weft_dtype t, int64_t rows, int64_t k, void *out)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    float *x = take((uint64_t)(rows * k) * 4);
    void *stored = take((uint64_t)(rows * k) / info->block * info->bytes);
    unsigned seed = 1;
    for (int64_t i = 0; i < rows * k; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = ((float)(seed >> 8) / (1 << 24) - 0.5f) / 32;
    }
    if (!weft__convert_row(WEFT_F32, x, t, stored, rows * k)) exit(1);
    cpu_pack_panel(isa, t, stored, rows, k, out);
    free(x);
    free(stored);
}

static void line(bench *b, const char *type, weft_dtype t, int64_t tokens, int64_t n, int64_t k, double seconds,
                 double peak)
{
    b->bytes = cpu_panel_bytes(b->call.isa, t, n, k);
    b->copies = tokens <= DECODE ? (unsigned)(ROTATE / b->bytes + 1) : 1;
    b->weights = take(b->bytes * b->copies);
    uint64_t stride = cpu_panel_stride(b->call.isa, t, k), rows = cpu_panel_rows(b->call.isa);
    pack_noise(b->call.isa, t, (int64_t)rows, k, b->weights);
    for (uint64_t i = stride; i < b->bytes * b->copies; i += stride) memcpy(b->weights + i, b->weights, stride);
    float *x = take((uint64_t)(tokens * k) * 4), *y = take((uint64_t)(tokens * n) * 4);
    for (int64_t i = 0; i < tokens * k; i++) x[i] = (float)(i % 97) / 97 - 0.5f;
    b->in[0] = (cpu_tensor){ x, WEFT_F32, 0, 2, { tokens, k }, { k, 1 } };
    b->in[1] = (cpu_tensor){ b->weights, t, CPU_LAYOUT_PANEL, 2, { n, k }, { k, 1 } };
    b->out = (cpu_tensor){ y, WEFT_F32, 0, 2, { tokens, n }, { n, 1 } };
    b->call.scratch = take(b->kernel->scratch(&b->call));
    double ours, reads;
    measure(b, seconds, &ours, &reads);
    const double gb = 1e-9 * (double)(b->bytes * b->copies), gflop = 2e-9 * (double)(tokens * n * k) * b->copies;
    printf("%-6s T %4d N %6d K %5d ", type, (int)tokens, (int)n, (int)k);
    if (tokens <= DECODE)
        printf(" %7.2f GB/s, read %7.2f GB/s: %5.1f %%", gb / ours, gb / reads, 100 * reads / ours);
    if (tokens > 1) printf(" %7.1f GFLOP/s, %5.1f %% of the peak", gflop / ours, 1e11 * gflop / ours / peak);
    printf("\n");
    fflush(stdout);
    free(b->weights);
    free(x);
    free(y);
    free(b->call.scratch);
}

typedef struct shape {
    int64_t n, k;
} shape;

/* What is asked for behind the first three arguments: of each kind what is named, or everything. */
static bool wanted(weft_dtype t, int tokens, shape s, int argc, char **argv)
{
    int named[3] = { 0 }, fits[3] = { 0 };
    for (int i = 4; i < argc; i++) {
        long n, k;
        if (sscanf(argv[i], "tokens=%ld", &n) == 1) {
            named[0]++;
            fits[0] += n == tokens;
        } else if (sscanf(argv[i], "shape=%ldx%ld", &n, &k) == 2) {
            named[1]++;
            fits[1] += n == s.n && k == s.k;
        } else {
            named[2]++;
            fits[2] += !strcmp(argv[i], weft_dtype_get(t)->name);
        }
    }
    for (int i = 0; i < 3; i++)
        if (named[i] && !fits[i]) return false;
    return cpu_panel_fits(t, s.k) && weft__converts(WEFT_F32, t) && (tokens == 1 || s.n < 10000);
}

int main(int argc, char **argv)
{
    static const shape shapes[] = { /* pythia-160m, 410m, 1.4b, a square and the head of 410m */
        { 2304, 768 }, { 768, 3072 }, { 4096, 1024 }, { 1024, 4096 }, { 8192, 2048 }, { 4096, 4096 }, { 50304, 1024 }
    };
    uint32_t threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;
    if (threads == 1) which = CLOCK_THREAD_CPUTIME_ID;
    cpu_isa isa = cpu_isa_best();
    for (cpu_isa i = 0; argc > 3 && i < CPU_ISA_COUNT; i++)
        if (!strcmp(cpu_isa_name(i), argv[3]) && cpu_isa_runs(i)) isa = i;
    weft_attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    weft_error err;
    bench b = { .call = { .n_in = 2, .n_out = 1, .op = WEFT_OP_matmul_nt, .attrs = &attrs, .isa = isa,
                          .n_threads = threads } };
    b.call.in = b.in;
    b.call.out = &b.out;
    b.kernel = cpu_kernel_of(WEFT_OP_linear, isa);
    b.loops = cpu_roof_of(isa);
    if (cpu_pool_create(threads, 100, &b.pool, &err)) {
        fprintf(stderr, "bench_matmul: %s\n", err.text);
        return 1;
    }
    cpu_backend backend = { .isa = isa, .pool = b.pool };
    double stream, flops, ops;
    if (weft__cpu_stream(&backend, 1, NULL, &stream, &err) ||
        weft__cpu_peak(&backend, 0.5, NULL, &flops, &ops, &err)) return 1;
    printf("%s, %u threads: stream %.1f GB/s, f32 %.1f GFLOP/s, int8 %.1f GOP/s\n", cpu_isa_name(isa), threads,
           1e-9 * stream, 1e-9 * flops, 1e-9 * ops);
    static const int tokens[] = { 1, 2, 4, 8, 16, 512 };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        for (weft_dtype t = WEFT_F32; t < WEFT_DTYPE_COUNT; t++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                if (wanted(t, tokens[i], shapes[s], argc, argv))
                    line(&b, weft_dtype_get(t)->name, t, tokens[i], shapes[s].n, shapes[s].k, seconds,
                         cpu_panel_of(t) ? ops : flops);
    cpu_pool_destroy(b.pool);
    return 0;
}
