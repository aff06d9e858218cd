/* kernel.h: what a CPU kernel is. All threads of the pool call run() for the same step; a kernel divides its work by
 * claiming chunks or by its thread number. The executor puts a barrier between phases, and between steps where the plan
 * says so; otherwise threads run ahead into the next step. */
#ifndef CPU_KERNEL_H
#define CPU_KERNEL_H

#include <stdatomic.h>

#include "backends/contract.h"

/* Instruction sets, in rising order per architecture. A kernel of a set runs on processors that have it or better. */
typedef enum cpu_isa {
    CPU_SCALAR,
    CPU_AVX2 /* + FMA, F16C */,
    CPU_AVXVNNI /* AVX2 + VNNI of 256 bits: only products with int8 have kernels of their own */,
    CPU_AVX512 /* F BW VL DQ + VNNI */,
    CPU_NEON,
    CPU_DOTPROD /* NEON + dot products of bytes, */,
    CPU_I8MM /* and products of matrices of bytes: the same holds of both */,
    CPU_ISA_COUNT
} cpu_isa;

#if defined(__x86_64__)
#define CPU_X86 1
#elif defined(__aarch64__)
#define CPU_ARM 1
#endif

/* Weight layouts. PANEL: see pack.h; for matrices that are only multiplied with or gathered from. */
enum { CPU_LAYOUT_PLAIN = WEFT_LAYOUT_PLAIN, CPU_LAYOUT_PANEL };

/* A tensor of one call. dims are the run's actual ones, strides (in elements) those of the bounds. PANEL weights have
 * no strides: they are dense, [rows, cols]. So are block types, whose strides are whole blocks but for the last axis's.
 * Rank 0 is one element. */
typedef struct cpu_tensor {
    void *data;
    weft_dtype dtype;
    weft_layout layout;
    uint32_t rank;
    int64_t dim[WEFT_MAX_RANK], stride[WEFT_MAX_RANK];
} cpu_tensor;

/* Weights that a thread will read next, in one or two streams of which `left` bytes are still far. They do not depend
 * on what the thread waits for, so a thread that waits brings them nearer. */
typedef struct cpu_ahead {
    const unsigned char *at[2]; /* the second may be NULL */
    int64_t left;
} cpu_ahead;

typedef struct cpu_call {
    const cpu_tensor *in, *out; /* an absent optional input has data NULL (only at the end of the list) */
    uint32_t n_in, n_out;
    weft_op op;
    const weft_attrs *attrs;
    cpu_isa isa;          /* of the program: shared helpers pick by it */
    bool exact, deterministic;
    uint32_t n_threads;
    /* the rest is set in run() only */
    uint32_t thread, phase, turn; /* turn: of the step in its program */
    unsigned char *scratch; /* 64-byte aligned, of the size that scratch() gave at the bounds; shared by all threads */
    atomic_uint *next;      /* chunk counter of this step and phase, 0 at first */
    cpu_ahead *ahead;       /* of this step, where the thread has begun to; or NULL */
} cpu_call;

/* accepts, scratch, phases and arithmetic see a call with tensors at their bounds (phases: at the run's sizes) and data
 * NULL where it is not known yet. */
typedef struct cpu_kernel {
    const char *name; /* family, "softmax" */
    void (*run)(const cpu_call *c);
    bool (*accepts)(const cpu_call *c);       /* NULL: every call of the op */
    uint64_t (*scratch)(const cpu_call *c);   /* NULL: none */
    uint32_t (*phases)(const cpu_call *c);    /* NULL: 1; at most 4; depends on the sizes alone */
    weft_arith (*arithmetic)(const cpu_call *c); /* NULL: float32 */
    cpu_ahead (*ahead)(const cpu_call *c);       /* what this thread reads first of the weights; NULL: nothing */
    uint8_t need;                             /* WEFT_NEED_* for inputs that are no weights */
    bool inplace;                             /* correct when out[0] is in[0] */
} cpu_kernel;

static inline bool cpu_is_float(weft_dtype t)
{
    return t == WEFT_F32 || t == WEFT_F16 || t == WEFT_BF16;
}

static inline bool cpu_is_block(weft_dtype t)
{
    return weft_dtype_get(t)->class_ == WEFT_DTYPE_BLOCK;
}

/* Bytes of an element of a plain type. */
static inline int64_t cpu_size(weft_dtype t)
{
    return t == WEFT_F16 || t == WEFT_BF16 ? 2 : 4;
}

/* Bytes of n elements of any type, of block types whole blocks. */
static inline int64_t cpu_bytes(weft_dtype t, int64_t n)
{
    if (cpu_is_float(t) || t == WEFT_I32) return n * cpu_size(t);
    return n / weft_dtype_get(t)->block * weft_dtype_get(t)->bytes;
}

/* Brings the next `lines` of 64 bytes of each stream into the second-level cache. */
static inline void cpu_bring(cpu_ahead *a, int lines)
{
    for (; lines > 0 && a->left > 0; lines--, a->left -= 64) {
        __builtin_prefetch(a->at[0], 0, 2);
        a->at[0] += 64;
        if (!a->at[1]) continue;
        __builtin_prefetch(a->at[1], 0, 2);
        a->at[1] += 64;
    }
}

/* The next chunk of at most `chunk` of n items; false when none is left. */
static inline bool cpu_claim(const cpu_call *c, int64_t n, int64_t chunk, int64_t *begin, int64_t *end)
{
    int64_t k = (int64_t)atomic_fetch_add_explicit(c->next, 1, memory_order_relaxed);
    *begin = k * chunk;
    *end = *begin + chunk < n ? *begin + chunk : n;
    return *begin < n;
}

/* A fair fixed share of n items for this thread, in multiples of `unit`. Fewer units than threads go to other threads
 * than those of the step before, for which nobody may have to wait. */
static inline void cpu_share(const cpu_call *c, int64_t n, int64_t unit, int64_t *begin, int64_t *end)
{
    int64_t units = (n + unit - 1) / unit;
    int64_t thread = units < c->n_threads ? (c->thread + c->turn) % c->n_threads : c->thread;
    *begin = units * thread / c->n_threads * unit;
    *end = units * (thread + 1) / c->n_threads * unit;
    if (*begin > n) *begin = n;
    if (*end > n) *end = n;
}

#endif
