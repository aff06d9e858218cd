/* block_words.h: the words in which block.def is written, in C and in GLSL. A block is told by where it begins; GLSL's
 * side of what is for C alone is in shaders/blocks.glsl. What a format needs besides (packed scales, tables) is a
 * function here, once for both languages: of int and float, bytes read by these words. */
#ifndef WEFT_BLOCK_WORDS_H
#define WEFT_BLOCK_WORDS_H

#ifndef WEFT_GLSL
#include "graph/convert.h"

#include <string.h>

#define WEFT_WORD static inline __attribute__((unused))
#define WEFT_TABLE(name, n) static const __attribute__((unused)) int name[n] = {
#define WEFT_TABLE_END };
#define to_float(v) ((float)(v))
#define in_c_alone(v) (v) /* a value that is not written in GLSL: codebooks.h */
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

WEFT_WORD float float_of_bits(int bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
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

/* Bit number i of those from byte `at` on, the lowest of a byte first. */
WEFT_WORD int bit_at(weft_block b, int at, int i)
{
    return byte_at(b, at + i / 8) >> i % 8 & 1;
}

/* Of 256 values from byte `at` on: bytes have neighbours of the same place in runs of 32. A byte's bits are of one
 * value in each of 8 runs; its pairs of bits in each of 4 runs, 32 bytes after 32; its nibbles in 2. */
WEFT_WORD int bit_of_256(weft_block b, int at, int i)
{
    return byte_at(b, at + i % 32) >> i / 32 & 1;
}

WEFT_WORD int pair_of_256(weft_block b, int at, int i)
{
    return byte_at(b, at + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
}

WEFT_WORD int nibble_of_256(weft_block b, int at, int i)
{
    return byte_at(b, at + i / 64 * 32 + i % 32) >> i % 64 / 32 * 4 & 15;
}

/* q4_K and q5_K: scales and minima of 8 groups, 6 bits each, in 12 bytes from byte 4 on. The first 4 of either are the
 * low bits of 4 bytes; the others have a nibble of the last 4 bytes, and their high bits are above the first's. */
WEFT_WORD int k_scale(weft_block b, int group)
{
    if (group < 4) return byte_at(b, 4 + group) & 63;
    return (byte_at(b, 8 + group) & 15) | byte_at(b, group) >> 6 << 4;
}

WEFT_WORD int k_minimum(weft_block b, int group)
{
    if (group < 4) return byte_at(b, 8 + group) & 63;
    return byte_at(b, 8 + group) >> 4 | byte_at(b, 4 + group) >> 6 << 4;
}

/* q3_K: 16 scales of 6 bits, -32..31: the low nibbles of 8 bytes, the high ones, and pairs of bits in 4 bytes. */
WEFT_WORD int q3_K_scale(weft_block b, int group)
{
    int low = byte_at(b, 96 + group % 8) >> group / 8 * 4 & 15;
    int high = byte_at(b, 104 + group % 4) >> group / 4 * 2 & 3;
    return (low | high << 4) - 32;
}

/* q6_K: nibbles in runs of 64, 64 bytes after 64. */
WEFT_WORD int q6_K_nibble(weft_block b, int i)
{
    return byte_at(b, i / 128 * 64 + i % 64) >> i % 128 / 64 * 4 & 15;
}

/* iq4_xs: 8 scales, -32..31: nibbles of 4 bytes, and pairs of bits in the two bytes before them. */
WEFT_WORD int iq4_xs_scale(weft_block b, int group)
{
    int low = byte_at(b, 4 + group / 2) >> group % 2 * 4 & 15;
    int high = byte_at(b, 2 + group / 4) >> group % 4 * 2 & 3;
    return (low | high << 4) - 32;
}

/* What a nibble of iq4_nl and iq4_xs stands for. */
WEFT_TABLE(iq4_values, 16)
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
WEFT_TABLE_END

WEFT_WORD int iq4_value(int nibble)
{
    return iq4_values[nibble];
}

/* Twice the number that is a nibble of 1 sign, 2 exponent and 1 fraction bits: 0, 1, 2, 3, 4, 6, 8, 12. */
WEFT_WORD int e2m1_doubled(int nibble)
{
    int low = nibble & 7;
    int v = low < 4 ? low : (2 | (low & 1)) << (low / 2 - 1);
    return (nibble & 8) == 0 ? v : -v;
}

/* 2 to the power of -126..127. */
WEFT_WORD float power_of_2(int e)
{
    return float_of_bits((e + 127) << 23);
}

/* A byte of 4 exponent and 3 fraction bits as half of its number; the highest bit is ignored, and 127 is 0. */
WEFT_WORD float ue4m3_halved(int bits)
{
    int e = bits >> 3 & 15, m = bits & 7;
    if (bits == 127) return 0.0f;
    return e == 0 ? to_float(m) * power_of_2(-10) : to_float(8 + m) * power_of_2(e - 11);
}

/* nvfp4: of 16 values in 8 bytes, the low nibbles are the first 8. */
WEFT_WORD int nvfp4_nibble(weft_block b, int i)
{
    return byte_at(b, 4 + i / 16 * 8 + i % 8) >> i % 16 / 8 * 4 & 15;
}

/* tq1_0: a byte is a fraction of 256, of which the digits to the base of 3 are five values, rounded up. 160 values have
 * their neighbours in 32 bytes, 80 in 16, and the last 16 in 4, of which there are but four each. */
WEFT_WORD int tq1_0_digit(weft_block b, int i)
{
    int at = i < 160 ? i % 32 : i < 240 ? 32 + i % 16 : 48 + i % 4;
    int digit = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4, v = byte_at(b, at);
    for (int k = 0; k < digit; k++) v = v * 3 & 255;
    return v * 3 >> 8;
}

/* Four bytes as a float. */
WEFT_WORD float whole_float_at(weft_block b, int at)
{
    return float_of_bits(byte_at(b, at) | byte_at(b, at + 1) << 8 | byte_at(b, at + 2) << 16 |
                         signed_at(b, at + 3) * 16777216);
}

#ifndef WEFT_GLSL
#include "graph/codebooks.h"
#endif

#endif
