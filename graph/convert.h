/* convert.h: values of one stored type as values of another: the reference for loading, quantising and constants.
 * (half.h has floats of 16 bits.)
 *
 * Blocks are quantised as GGUF files hold them: by block_encode.h, one f16 scale per 32 elements, chosen from the
 * largest; of other formats by a search of the scales (graph/quantize/). A block with what is no finite number, or of
 * which the scale is none, is all NaN. */
#ifndef WEFT_CONVERT_H
#define WEFT_CONVERT_H

#include "graph/graph.h"
#include "graph/half.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a store keeps in a state of f16 instead of a finite number that rounds to infinity there, under either sign: a
 * NaN, which spreads to whatever reads it, where an infinity may hide (a key that scores -inf is a cell unseen). Also
 * the scale of a block that is too large for f16. */
enum { WEFT_F16_OVERFLOW = 0x7fff };

/* Whether values of one type can be turned into another's: floats and blocks into types that weights can be quantised
 * to (weft_dtype_quantizes), anything into itself. */
bool weft__converts(weft_dtype from, weft_dtype to);

/* Rows of a block type as f32 by the formula of its row in block.def, however slow. False if it has none, or n is no
 * multiple of the block. */
bool weft__decode_row(weft_dtype from, const void *src, float *dst, int64_t n);

/* Converts n elements; src and dst need no alignment and must not overlap. Types that are neither f32 nor the same go
 * through f32 in small pieces. False, with nothing written, if n is negative or not a multiple of both types' blocks,
 * or if the types have no conversion: integers are only copied. */
bool weft__convert_row(weft_dtype from, const void *src, weft_dtype to, void *dst, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
