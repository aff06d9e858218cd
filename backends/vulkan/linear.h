/* linear.h: what the host sides of the kernels for y = act(x w^T + bias) + residuals with a PANEL matrix share
 * (shaders/linear.glsl is the other side). */
#ifndef VULKAN_LINEAR_H
#define VULKAN_LINEAR_H

#include "backends/vulkan/weights.h"

bool vk_linear_accepts(const vk_call *c);
uint32_t vk_linear_launches(const vk_call *c); /* one per part of the matrix */
int64_t vk_linear_columns(const vk_call *c);   /* rows of x at the bounds: columns of the product */
uint32_t vk_linear_rows(const vk_call *c);     /* of the matrix, per group of lanes: by how many bytes a weight has */
bool vk_linear_vectors(const vk_call *c);      /* x can be read four at a time */
bool vk_linear_tail(const vk_call *c);         /* the last chunk of a row has fewer columns */
/* Buffers and the job's numbers, for part `part` and so many blocks of columns. */
void vk_linear_describe(const vk_call *c, uint32_t part, uint32_t blocks, vk_launch *l);

#endif
