/* weights.h: the PANEL layout, in which matrices that are multiplied with lie on the device (shaders/weights.glsl
 * reads it).
 *
 * A chunk is 16 bytes: 4 f32, 8 f16 or bf16, 16 q8_0 or 32 q4_0 weights of one row. P rows form a panel: their chunks
 * lie interleaved, chunk c of a panel's row l at c * P + l, so that P lanes that hold a row each load P * 16 bytes in a
 * row; with P = 1 rows lie one after the other and lanes share a row. G = max(P, 8) rows form a group, which ends with
 * their scales (block types): half floats, block b of a panel's row l at b * P + l, blocks padded to an even number.
 * Rows are padded to groups and columns to chunks, with zeros. In a q4_0 chunk, byte i holds element i (low nibble) and
 * element i + 16 (high), as in the checkpoint's blocks. */
#ifndef GPU_WEIGHTS_H
#define GPU_WEIGHTS_H

#include "backends/gpu/kernel.h"

/* What panels of a type are made of, and who reads them beside the kernels that read all: rows of formats.def. */
typedef struct gpu_format {
    uint32_t per_chunk; /* weights in 16 bytes; 0: the type has no panels */
    bool halves;        /* multiplied as f16, by cooperative matrices */
    bool dot;           /* multiplied as bytes, by the integer dot product: one scale per 32, no offsets */
} gpu_format;
const gpu_format *gpu_format_of(weft_dtype t);

typedef struct gpu_panels {
    uint32_t panel, group;     /* P, G: rows */
    uint32_t per_chunk;        /* weights */
    uint32_t chunks, blocks;   /* per row; blocks is 0 for plain types */
    uint64_t group_bytes;      /* a multiple of 16 */
} gpu_panels;

/* False if the type has no panels or a row is too long for them. */
bool gpu_panels_of(const gpu_caps *f, weft_dtype t, int64_t columns, gpu_panels *out);

/* What shaders/weights.glsl wants to know of a panel matrix: chunks, units of 16 bytes per group, blocks, columns. */
weft_uvec4 gpu_panel_params(const gpu_caps *f, const gpu_tensor *t);

/* Rows and columns of a tensor seen as a matrix of its last axis. */
void gpu_as_matrix(uint32_t rank, const int64_t *dims, int64_t *rows, int64_t *columns);

/* A part of a weight is filled in pieces of at most so many bytes; a group of panels is not longer than that. */
enum { GPU_PIECE_BYTES = 4 << 20 };

/* The contract's weight_layout, layout_name, weight_bytes. */
weft_layout gpu_weight_layout(const gpu_caps *f, weft_dtype t, uint32_t rank, const int64_t *dims, uint32_t uses);
const char *gpu_layout_name(weft_layout layout);
uint64_t gpu_weight_bytes(const gpu_caps *f, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims);

/* The parts a weight is cut into. Fills `parts` (may be NULL) and returns how many there are, 0: a single row is larger
 * than a binding. */
uint32_t gpu_weight_parts(const gpu_caps *f, weft_layout layout, weft_dtype t, uint32_t rank, const int64_t *dims,
                          gpu_part *parts);

#endif
