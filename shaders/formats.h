/* formats.h: how the rows of backends/gpu/formats.def are told to shaders, legal in C and in GLSL: what codes and
 * scales may be, and a row as one number. */
#ifndef WEFT_FORMATS_H
#define WEFT_FORMATS_H

/* What the bits of a weight stand for. */
#define CODES_FLOAT 0    /* f32, f16, bf16 */
#define CODES_UNSIGNED 1 /* whole numbers from -zero on */
#define CODES_SIGNED 2   /* bytes */
#define CODES_IQ4 3      /* one of 16 numbers */
#define CODES_E2M1 4     /* twice a number of 1 sign, 2 exponent and 1 fraction bits */
#define CODES_IQ1 5      /* one of 6 numbers, in eighths; these and those below are as graph/codebooks.h has them */
#define CODES_IQ2 6      /* one of 6 numbers, in eighths */
#define CODES_IQ3_XXS 7  /* one of 16 numbers, in quarters */
#define CODES_IQ3_S 8    /* one of 16 numbers */

/* What 32 weights have of their own, and, from SCALES_BLOCK on, what 256 weights have together: a half float by which
 * scales are multiplied, and from SCALES_MINIMUM on another one for minima, which are subtracted. */
#define SCALES_NONE 0
#define SCALES_HALF 1     /* a half float */
#define SCALES_PAIR 2     /* two: a scale, and what is added */
#define SCALES_EXPONENT 3 /* a byte e: 2^(e - 128) */
#define SCALES_UE4M3 4    /* two bytes of 4 exponent and 3 fraction bits, for 16 weights each: half of their number */
#define SCALES_BLOCK 5    /* nothing */
#define SCALES_BYTE 6     /* a signed byte */
#define SCALES_BYTES 7    /* two, for 16 weights each */
#define SCALES_MINIMUM 8  /* unsigned bytes: scale, minimum */
#define SCALES_NIBBLES 9  /* two bytes, for 16 weights each: scale (low nibble), minimum */

/* Bytes of 32 weights, of 256. */
#define SCALE_BYTES_OF(s)                             \
    ((s) == SCALES_NONE || (s) == SCALES_BLOCK     ? 0u \
     : (s) == SCALES_PAIR                          ? 4u \
     : (s) == SCALES_EXPONENT || (s) == SCALES_BYTE ? 1u \
                                                   : 2u)
#define UPPER_BYTES_OF(s) ((s) >= SCALES_MINIMUM ? 4u : (s) >= SCALES_BLOCK ? 2u : 0u)

/* Weights of a chunk, bits in either plane, codes, zero, scales. */
#define FORMAT_WORD(weights, low, high, codes, zero, scales) \
    (uint(weights) | uint(low) << 6 | uint(high) << 12 | uint(codes) << 14 | uint(zero) << 18 | uint(scales) << 24)

#endif
