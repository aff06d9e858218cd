/* walk.h: walking several tensors of one shape row by row.
 *
 * A cpu_walk views operands over the axes of one shape, broadcast as numpy does (axes aligned at
 * the right, size 1 repeated), with neighbouring axes merged where every operand allows it. What
 * is left is `rows` rows of `cols` elements; operand i steps by step[i] within a row, 0 where it
 * repeats. */
#ifndef CPU_WALK_H
#define CPU_WALK_H

#include <string.h>

#include "vec_ops.h"

#define CPU_WALK_MAX 4

typedef struct cpu_walk {
    const cpu_tensor *t[CPU_WALK_MAX];
    uint32_t n, rank; /* operands; axes of the rows, without the columns */
    int64_t rows, cols;
    int64_t dim[WEFT_MAX_RANK], stride[CPU_WALK_MAX][WEFT_MAX_RANK];
    int64_t step[CPU_WALK_MAX];
} cpu_walk;

/* Over the dims of t[0]. keep_last: the columns stay the last axis as it is (for ops along it). */
void cpu_walk_begin(cpu_walk *w, const cpu_tensor *const *t, uint32_t n, bool keep_last);

/* Operand i at (row, col). */
void *cpu_walk_at(const cpu_walk *w, uint32_t i, int64_t row, int64_t col);

/* This thread's part of the elements: items [begin, end), item k being columns of row k /
 * per_row. Blocks are of `block` columns, and a thread gets at least about `least` elements, so
 * that little work is not spread over many threads. */
typedef struct cpu_part {
    int64_t begin, end, per_row, block;
} cpu_part;
cpu_part cpu_walk_part(const cpu_walk *w, const cpu_call *c, int64_t block, int64_t least);
/* The columns of item k; returns its row. */
int64_t cpu_part_item(const cpu_part *p, const cpu_walk *w, int64_t k, int64_t *col, int64_t *n);

/* n elements at x, `step` apart, as floats: x itself where it already is such a row, else
 * converted into buf. Block types: x is the start of a block, n a multiple of the block, step 1. */
const float *cpu_row_load(const cpu_vec_ops *v, const void *x, weft_dtype t, int64_t step,
                          int64_t n, float *buf);
/* The converse, to n elements at y; conversion from float as in `cast`. */
void cpu_row_store(const cpu_vec_ops *v, void *y, weft_dtype t, int64_t step, const float *x,
                   int64_t n);
/* The same into a state: a finite number that is too large for f16 becomes WEFT_F16_OVERFLOW. Block types: as in
 * cpu_row_load. */
void cpu_row_keep(const cpu_vec_ops *v, void *y, weft_dtype t, int64_t step, const float *x,
                  int64_t n);

/* Elements of a tensor as it is in this run. */
int64_t cpu_elements(const cpu_tensor *t);

/* Copies src to dst, element by element in row-major order of their equal shapes, converting
 * between plain types. The calling threads share the work. */
void cpu_copy(const cpu_call *c, const cpu_tensor *dst, const cpu_tensor *src);

/* Most kernels take floating inputs and give f32: every input f32, f16 or bf16 and plain, output
 * 0 f32. */
bool cpu_accepts_floats(const cpu_call *c);

#define CPU_BLOCK 256 /* floats of a buffer on the stack */

#endif
