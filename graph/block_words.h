/* block_words.h: the words in which block.def is written, in C and in GLSL. A block is told by where it begins; GLSL's
 * side of the first three lines is in shaders/blocks.glsl. What a format needs besides (packed scales, tables) is a
 * function here, once for both languages: of int and float, bytes read by these words. */
#ifndef WEFT_BLOCK_WORDS_H
#define WEFT_BLOCK_WORDS_H

#ifndef WEFT_GLSL
#include "graph/convert.h"

#define WEFT_WORD static inline __attribute__((unused))
#define to_float(v) ((float)(v))
typedef const unsigned char *weft_block;

/* Byte number at of the block, 0..255; the half float in two of them. */
WEFT_WORD int byte_at(weft_block b, int at)
{
    return b[at];
}

WEFT_WORD float half_at(weft_block b, int at)
{
    return weft__f32_from_f16((uint16_t)(b[at] | b[at + 1] << 8));
}
#endif

/* The same byte as -128..127. */
WEFT_WORD int signed_at(weft_block b, int at)
{
    return (byte_at(b, at) ^ 128) - 128;
}

/* Of 32 values in 16 bytes from `at` on: the low nibbles are 0..15, the high ones 16..31. */
WEFT_WORD int nibble_at(weft_block b, int at, int i)
{
    return byte_at(b, at + i % 16) >> i / 16 * 4 & 15;
}

#endif
