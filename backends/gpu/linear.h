/* linear.h: what the host sides of the kernels for y = act(x w^T + bias) + residuals with a PANEL matrix share
 * (shaders/linear.glsl is the other side). */
#ifndef GPU_LINEAR_H
#define GPU_LINEAR_H

#include "backends/gpu/weights.h"
#include "graph/linear.h"

bool gpu_linear_accepts(const gpu_call *c);
bool gpu_linear_is_fused(const gpu_call *c); /* gated or with a norm: shaders/fused.glsl, whose slots are one more */
bool gpu_linear_accepts_fused(const gpu_call *c); /* that, too */
uint32_t gpu_linear_launches(const gpu_call *c); /* one per part of the matrix */
int64_t gpu_linear_columns(const gpu_call *c);   /* rows of x at the bounds: columns of the product */
uint32_t gpu_linear_rows(const gpu_call *c);     /* of the matrix, per group of lanes */
bool gpu_linear_vectors(const gpu_call *c);      /* x can be read four at a time */
bool gpu_linear_tail(const gpu_call *c);         /* the last chunk of a row has fewer columns */
/* Buffers and the job's numbers, for part `part` and so many blocks of columns. */
void gpu_linear_describe(const gpu_call *c, uint32_t part, uint32_t blocks, gpu_launch *l);

#endif
