/* vec_ops.h: operations on rows of floats, once per instruction set. The kernels of element-wise
 * ops, norms, reductions, rope, attention and plain matrix products walk tensors and share work;
 * what they do to a contiguous row is here, so a kernel is written once and cpu_vec(isa) gives it
 * the instructions.
 *
 * k_vec_rows.h defines the set over the vectors of vec.h; k_vec_scalar.c is a second, plain
 * definition. No function needs alignment or reads past n. x and y may be the same array, not
 * partly overlap. */
#ifndef CPU_VEC_OPS_H
#define CPU_VEC_OPS_H

#include "kernel.h"

/* y = op(in[0], in[1], ..) over rows of n elements, f32 or i32 as map.def says; param: p and q of map.def, read by ops
 * that have them. */
typedef void cpu_map_fn(void *y, const void *const *in, int64_t n, const float *param);

typedef struct cpu_vec_ops {
    /* Rows of any type but i32 to float, and of f32, f16 and bf16 back (to nearest even). Of block
     * types all rows here are whole blocks. */
    void (*load)(float *y, const void *x, weft_dtype t, int64_t n);
    void (*store)(void *y, weft_dtype t, const float *x, int64_t n);

    cpu_map_fn *(*map)(weft_op op, bool whole); /* of a row of map.def, for floats or for i32 */

    float (*sum)(const float *x, int64_t n);
    float (*sum_squares)(const float *x, int64_t n, float centre); /* of x - centre */
    /* The largest number; -inf if there is none. NaN are passed over. */
    float (*max)(const float *x, int64_t n);
    /* The first i >= from with x[i] >= limit (or > limit); n if there is none. */
    int64_t (*find)(const float *x, int64_t from, int64_t n, float limit, bool or_equal);
    /* y = (x - centre) factor w + b; w and b may be NULL. */
    void (*normalise)(float *y, const float *x, int64_t n, float centre, float factor,
                      const float *w, const float *b);
    /* y = exp(x - shift); returns the sum of y. */
    float (*exp_sum)(float *y, const float *x, int64_t n, float shift);

    /* Rotates n pairs by angles (cos, sin)[n]: (x[i], x[i + n]), or (x[2i], x[2i + 1]) if
     * interleaved. */
    void (*rotate)(float *y, const float *x, const float *angles, int64_t n, bool interleaved);

    /* s[j] = q . k[j] and o += sum of p[j] v[j], over rows k, v of d numbers of type t, `stride`
     * elements apart. */
    void (*dot_rows)(float *s, const float *q, const void *k, weft_dtype t, int64_t rows, int64_t d,
                     int64_t stride);
    void (*add_rows)(float *o, const float *p, const void *v, weft_dtype t, int64_t rows, int64_t d,
                     int64_t stride);

    /* c[i][j] = sum over k of a[i ai + k ak] b[k][j], or added to c. Rows of b and c are ldb and
     * ldc apart; n is a multiple of CPU_VEC_PAD. */
    void (*gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t ai, int64_t ak,
                 const float *b, int64_t ldb, float *c, int64_t ldc, bool add);

    /* One step of online softmax on a block of scores s[cells][n], a query per column, n a
     * multiple of CPU_VEC_PAD and the row length: scores become weights exp(s - max), the
     * queries' running maxima and sums are brought up to date, and `correct` is what earlier
     * results must be multiplied with. Column q sees cells lo[q] <= j < hi[q] only (lo NULL:
     * all). NULL in the scalar set, whose attention is written out. */
    void (*soften)(float *s, int64_t cells, int64_t n, float *max, float *sum, float *correct,
                   const float *lo, const float *hi);
} cpu_vec_ops;

#define CPU_VEC_PAD 16

/* Stands for "no score yet": so low that exp(-it) is 0, and finite, so that the difference of
 * two is a number. */
#define CPU_NO_SCORE (-1e30f)

/* y = a op b, y = factor x: for kernels that need these on the way. */
void cpu_zip(const cpu_vec_ops *v, weft_op op, float *y, const float *a, const float *b, int64_t n);
void cpu_scale(const cpu_vec_ops *v, float *y, const float *x, int64_t n, float factor);

const cpu_vec_ops *cpu_vec(cpu_isa isa);

extern const cpu_vec_ops cpu_vec_scalar, cpu_vec_avx2, cpu_vec_avx512, cpu_vec_neon;

#endif
