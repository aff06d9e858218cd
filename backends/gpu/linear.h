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
bool gpu_linear_tail(const gpu_call *c);         /* the last chunk, or turn, of a row has fewer columns */
/* Workgroup and constants of matvec.comp, with subgroup operations or without, or of matvec_lanes.comp. Returns how
 * many rows of the matrix a workgroup makes. */
uint32_t gpu_linear_walk(const gpu_call *c, gpu_launch *l, bool subgroups, uint32_t rows, uint32_t columns);
/* The module for weights as they lie on this device: `turn` on GPUs, `lanes` on processors. */
static inline weft_shader_id gpu_by_layout(const gpu_call *c, weft_shader_id turn, weft_shader_id lanes)
{
    return c->caps->tuning->panel == 1 ? turn : lanes;
}
/* Buffers and the job's numbers, for part `part` and so many blocks of columns. */
void gpu_linear_describe(const gpu_call *c, uint32_t part, uint32_t blocks, gpu_launch *l);
/* A launch that quantises so many rows of x for the integer dot product into the node's scratch, and what they take
 * there. */
void gpu_quantize(const gpu_call *c, int64_t rows, gpu_launch *l);
uint64_t gpu_quantized_bytes(const gpu_call *c, int64_t rows);

#endif
