/* weights.h: the PANEL layout, in which matrices that are multiplied with lie on the device (shaders/weights.glsl
 * reads it).
 *
 * A chunk is 16 bytes: 4 f32, 8 f16 or bf16, 16 q8_0 or 32 q4_0 weights of one row. P rows form a panel: their chunks
 * lie interleaved, chunk c of a panel's row l at c * P + l, so that P lanes that hold a row each load P * 16 bytes in a
 * row; with P = 1 rows lie one after the other and lanes share a row. G = max(P, 8) rows form a group, which ends with
 * their scales (block types): half floats, block b of a panel's row l at b * P + l, blocks padded to an even number.
 * Rows are padded to groups and columns to chunks, with zeros. In a q4_0 chunk, byte i holds element i (low nibble) and
 * element i + 16 (high), as in the checkpoint's blocks. */
#ifndef VULKAN_WEIGHTS_H
#define VULKAN_WEIGHTS_H

#include "backends/vulkan/kernel.h"

typedef struct vk_panels {
    uint32_t panel, group;     /* P, G: rows */
    uint32_t per_chunk;        /* weights */
    uint32_t chunks, blocks;   /* per row; blocks is 0 for plain types */
    uint64_t group_bytes;      /* a multiple of 16 */
} vk_panels;

/* False if the type has no panels or a row is too long for them. */
bool vk_panels_of(const vk_caps *f, weft_dtype t, int64_t columns, vk_panels *out);

/* What shaders/weights.glsl wants to know of a panel matrix: chunks, units of 16 bytes per group, blocks, columns. */
weft_uvec4 vk_panel_params(const vk_caps *f, const vk_tensor *t);

/* Rows and columns of a tensor seen as a matrix of its last axis. */
void vk_as_matrix(uint32_t rank, const int64_t *dims, int64_t *rows, int64_t *columns);

#endif
