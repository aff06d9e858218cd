/* ref_ops.h: the oracle. Every op of op.def, naive and in double precision, over dense row-major tensors. It shares no
 * code with graph/ or backends/ beyond their public headers, and is written from the definitions in graph.h.
 *
 * Each element carries, beside its value, how far a sound float32 implementation may be from it. That error is zero for
 * inputs, and every op derives its result's from its inputs' (first order) and from its own rounding:
 *   u = 2^-24 per rounded operation, lengths n count as gamma(n) = u (4 + 4 sqrt n) of the sum of magnitudes
 *   (rounding errors are independent: Higham and Mary, SIAM J. Sci. Comput. 41, 2019), elementary functions 8 u,
 *   f16 and bf16 results one unit in their last place when the value is inexact, blocks that are stored one step of
 *   theirs when a float in them is (none otherwise: they are encoded here, too), and for matrix products with a
 *   quantised or bf16 weight outside `exact` the rounding of the other side to int8 blocks of 32, or to bf16; where the
 *   mode says so, of both sides to f16.
 * So the tolerance of a test is a rule of op, type and length, never a number chosen for one test. */
#ifndef TEST_REF_OPS_H
#define TEST_REF_OPS_H

#include "graph/graph.h"

typedef struct ref_tensor {
    weft_dtype dtype; /* as stored; block types are held decoded */
    uint32_t rank;
    int64_t dim[WEFT_MAX_RANK], n;
    double *v; /* values; i32 too (exact) */
    double *e; /* error bounds; 0 = exact */
    bool
        unsure; /* hangs on a comparison or a truncation that the error may tip: not to be compared */
} ref_tensor;

/* What an implementation may do with the arithmetic. */
typedef struct ref_mode {
    bool exact; /* float32 activations everywhere */
    bool half;  /* products may round both sides to f16, unless exact */
} ref_mode;

/* All values 0 and exact. Memory failures end the test program. */
void ref_alloc(ref_tensor *t, weft_dtype dtype, uint32_t rank, const int64_t *dim);
void ref_free(ref_tensor *t);
void ref_copy(ref_tensor *to, const ref_tensor *from);

/* Bytes as a checkpoint or a device holds them <-> values. n elements, a multiple of the block. Encoding rounds to
 * nearest even; blocks as ggml's quantize_row_*_reference do it, and where a format is only read, to other values of
 * their size. */
void ref_decode(weft_dtype dtype, const void *bytes, int64_t n, double *out);
void ref_encode(weft_dtype dtype, const double *v, int64_t n, void *bytes);
/* Makes of elements [at, at + n), whole blocks, what t's block type keeps of them. */
void ref_requantise(ref_tensor *t, int64_t at, int64_t n);
/* The value that `dtype` stores for v. */
double ref_round(weft_dtype dtype, double v);

/* One node on given inputs. False: the op is unknown here, or its inputs make no sense (said on stdout). */
bool ref_node(const weft_node *n, const ref_tensor *const *in, ref_mode mode,
              const int64_t *extents, ref_tensor *out);

/* A whole graph. `source` fills in inputs, weights and the states' contents before the run (constants are read here).
 * Values are found by id afterwards; those of states that were stored to are the stores' results. */
typedef struct ref_run {
    const weft_graph *g;
    ref_tensor *values; /* by value id; v NULL where nothing was computed */
    uint32_t n_values;
} ref_run;
bool ref_graph(const weft_graph *g, const int64_t *extents, ref_mode mode,
               bool (*source)(void *ctx, const weft_node *n, ref_tensor *out), void *ctx,
               ref_run *run);
void ref_run_free(ref_run *run);

/* How far `got` is from `want`, as a multiple of what is allowed; above 1 is wrong. Infinity where one of the two is
 * not a number, or infinite, and the other is not. */
double ref_excess(const ref_tensor *want, int64_t i, double got);

#endif
