/* weights.h: the PANEL layout, in which matrices that are multiplied with lie on the device (shaders/weights.glsl
 * reads it, pack.c writes it).
 *
 * A row is a sequence of chunks: of every block format 32 weights (q8_0: 16), of plain types 4 on GPUs, on processors
 * what 16 bytes hold. What a chunk is made of lies in planes, so that no load is narrower than it must be and none is
 * unaligned:
 *
 *     low     16 bytes; 8 with 2 bits a weight, and of f16 and bf16 on GPUs
 *     high    what the low plane has no room for: a word for each bit of a weight
 *     scales  1, 2 or 4 bytes per 32 weights
 *     upper   2 or 4 bytes per 256 weights: what the scales of K-quants are multiplied by
 *
 * G rows form a group: all their low bits, then the high ones, scales, upper scales, each a multiple of 16 bytes. Rows
 * are padded to groups, and columns as each layout says, with zeros. Apart from that padding and from scales of 6 bits,
 * which become bytes, a group has the bytes of the file: q4_K 4.625 bits a weight for 4.5, q6_K and q2_K the same. Of
 * codebooks it has each weight's code, which is longer: iq2_xxs 3.3125 bits for 2.0625.
 *
 * On GPUs (the tuning's panel is 1) rows lie one after the other, and lanes share a row, whose columns are dealt out to
 * chunks as shaders/turn.h says; G is 8. Of a last turn that is not full the low plane has only the words that hold
 * something, other planes have all of it. Scales of 4 bytes are a scale and an offset: those of a row lie behind its
 * scales. Rows of plain types are as in the file, to 16 bytes.
 *
 * On processors P rows form a panel, in which they lie interleaved in every plane: chunk c of a panel's row l at c * P
 * + l, so that P lanes that hold a row each load neighbours; G is 8 or P, whichever is more. Scales are as many per row
 * as make an even number, columns are padded to chunks. In a plane of n bits, the bits of weight e of 32 are from n (e
 * / 4n) on in byte e % 4n: in a q4_0 chunk, byte i holds element i (low nibble) and element i + 16 (high), as in the
 * file. */
#ifndef GPU_WEIGHTS_H
#define GPU_WEIGHTS_H

#include "backends/gpu/kernel.h"

/* A row of formats.def. */
typedef struct gpu_format {
    uint32_t per_chunk; /* weights, of plain types those of 16 bytes; 0: the type has no panels */
    uint32_t low, high; /* bits of a weight in either plane */
    uint32_t scale_bytes, upper_bytes; /* of 32 and of 256 weights */
    bool halves;        /* multiplied as f16, by cooperative matrices */
    bool dot;           /* multiplied as bytes, by the integer dot product */
} gpu_format;
const gpu_format *gpu_format_of(weft_dtype t);

enum { GPU_LOW, GPU_HIGH, GPU_SCALES, GPU_UPPER }; /* planes */

typedef struct gpu_panels {
    uint32_t panel, group;           /* P (1: rows in turns), G: rows */
    uint32_t per_chunk;              /* weights */
    uint32_t chunks;                 /* per row */
    uint32_t scales, uppers;         /* on processors: per row */
    uint32_t rest;                   /* on GPUs: words of a chunk in a last turn that is not full; 0: it is */
    uint32_t row[4];                 /* bytes of a row in each plane */
    uint32_t low_bytes, high_bytes;  /* of a chunk */
    uint32_t scale_bytes, upper_bytes;
    uint64_t group_bytes;            /* a multiple of 16 */
} gpu_panels;

/* False if the type has no panels or a row is too long for them. */
bool gpu_panels_of(const gpu_caps *f, weft_dtype t, int64_t columns, gpu_panels *out);

/* Row r of a group of panels, from `bytes` bytes as the file has them; the group is all zeros before its first row. */
void gpu_pack_row(const gpu_panels *p, weft_dtype t, const unsigned char *row, uint64_t bytes, uint32_t r,
                  unsigned char *group);

/* What shaders want to know of a panel matrix: u0 of shaders/weights_turn.glsl or weights_lanes.glsl. */
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
