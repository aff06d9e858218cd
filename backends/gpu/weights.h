/* weights.h: the PANEL layout, in which matrices that are multiplied with lie on the device (shaders/weights.glsl
 * reads it, pack.c writes it).
 *
 * A row is a sequence of chunks: 4 f32, 8 f16 or bf16, 16 q8_0 weights, 32 of every other type. What a chunk is made of
 * lies in planes, so that no load is narrower than it must be and none is unaligned:
 *
 *     low     16 bytes; 8 with 2 bits a weight
 *     high    what the low plane has no room for: a word for each bit of a weight
 *     scales  1, 2 or 4 bytes per 32 weights; as many per row as make an even number
 *     upper   2 or 4 bytes per 256 weights: what the scales of K-quants are multiplied by
 *
 * P rows form a panel, in which they lie interleaved in every plane: chunk c of a panel's row l at c * P + l, so that P
 * lanes that hold a row each load neighbours; with P = 1 rows lie one after the other and lanes share a row. G rows, 8
 * or P, whichever is more, form a group: all their low bits, then the high ones, scales, upper scales, each a multiple
 * of 16 bytes. Rows are padded to groups and columns to chunks, with zeros. Apart from that padding and from scales of
 * 6 bits, which become bytes, a panel has the bytes of the file: q4_K 4.625 bits a weight for 4.5, q6_K and q2_K the
 * same. Of codebooks it has each weight's code, which is longer: iq2_xxs 3.3125 bits for 2.0625.
 *
 * In a plane of n bits, the bits of weight e of 32 are from n (e / 4n) on in byte e % 4n: a shift and a mask make four
 * codes in four bytes of any word, whatever n is, low and high alike. In a q4_0 chunk, byte i holds element i (low
 * nibble) and element i + 16 (high), as in the checkpoint's blocks. */
#ifndef GPU_WEIGHTS_H
#define GPU_WEIGHTS_H

#include "backends/gpu/kernel.h"

/* A row of formats.def. */
typedef struct gpu_format {
    uint32_t per_chunk; /* weights; 0: the type has no panels */
    uint32_t low, high; /* bits of a weight in either plane */
    uint32_t scale_bytes, upper_bytes; /* of 32 and of 256 weights */
    bool halves;        /* multiplied as f16, by cooperative matrices */
    bool dot;           /* multiplied as bytes, by the integer dot product */
} gpu_format;
const gpu_format *gpu_format_of(weft_dtype t);

typedef struct gpu_panels {
    uint32_t panel, group;           /* P, G: rows */
    uint32_t per_chunk;              /* weights */
    uint32_t chunks, scales, uppers; /* per row */
    uint32_t low_bytes, high_bytes;  /* of a chunk */
    uint32_t scale_bytes, upper_bytes;
    uint64_t group_bytes;            /* a multiple of 16 */
} gpu_panels;

/* False if the type has no panels or a row is too long for them. */
bool gpu_panels_of(const gpu_caps *f, weft_dtype t, int64_t columns, gpu_panels *out);

/* Row r of a group of panels, from `bytes` bytes as the file has them; the group is all zeros before its first row. */
void gpu_pack_row(const gpu_panels *p, weft_dtype t, const unsigned char *row, uint64_t bytes, uint32_t r,
                  unsigned char *group);

/* What shaders/weights.glsl wants to know of a panel matrix: chunks, units of 16 bytes per group, scales, columns. */
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
