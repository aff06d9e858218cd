/* codebooks.h: words of block.def, as block_words.h has them, for the formats of which a block holds numbers of entries
 * of a codebook: 8 elements together, or 4. They are for C alone: drivers would be long in compiling a codebook, and
 * shaders read these formats from panels of codes (backends/gpu/formats.def).
 *
 * A code is an element of the entry and, above it, one bit: the sign, or (iq1) which way all 8 elements are shifted.
 * <name>_code is that of element i of a block; <name>_scale is of a group, which 2 s + 1 is multiplied with. */
#ifndef WEFT_CODEBOOKS_H
#define WEFT_CODEBOOKS_H

#include <stdint.h>

extern const uint16_t weft__iq1_s_book[2048]; /* iq1_m's, too */
extern const uint16_t weft__iq2_xxs_book[256], weft__iq2_xs_book[512], weft__iq2_s_book[1024];
extern const uint16_t weft__iq3_xxs_book[256], weft__iq3_s_book[512];

/* What codes stand for: of iq1 and iq2 eighths, of iq3_xxs quarters of a scale. */
WEFT_TABLE(iq1_values, 8)
    -7, 1, 9, 0, -9, -1, 7, 0
WEFT_TABLE_END
WEFT_TABLE(iq2_values, 8)
    8, 25, 43, 0, -8, -25, -43, 0
WEFT_TABLE_END
WEFT_TABLE(iq3_xxs_values, 16)
    4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62
WEFT_TABLE_END
WEFT_TABLE(iq3_s_values, 16)
    1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15
WEFT_TABLE_END

WEFT_WORD int two_bytes_at(weft_block b, int at)
{
    return byte_at(b, at) | byte_at(b, at + 1) << 8;
}

/* Seven signs are stored; the eighth makes their number even. Bit j of all of them. */
WEFT_WORD int sign_of_seven(int signs, int j)
{
    int ones = signs ^ signs >> 4;
    ones ^= ones >> 2;
    return j < 7 ? signs >> j & 1 : (ones ^ ones >> 1) & 1;
}

/* Of four times seven signs in 28 bits from byte `at` on, that of element i of 32. */
WEFT_WORD int sign_of_28(weft_block b, int at, int i)
{
    int word = two_bytes_at(b, at) | (byte_at(b, at + 2) | (byte_at(b, at + 3) & 15) << 8) << 16;
    return sign_of_seven(word >> i / 8 * 7 & 127, i % 8);
}

/* Of elements of 2 bits, and of 3 bits. */
WEFT_WORD int code_of_8(int entry, int upper, int i)
{
    return (entry >> i % 8 * 2 & 3) | upper << 2;
}

WEFT_WORD int code_of_4(int entry, int upper, int i)
{
    return (entry >> i % 4 * 4 & 7) | upper << 3;
}

/* iq1_s: the low bits of entries in 32 bytes; for each 32 elements two bytes: their high bits, a scale, a shift. */
WEFT_WORD int iq1_s_code(weft_block b, int i)
{
    int group = two_bytes_at(b, 34 + i / 32 * 2);
    int entry = byte_at(b, 2 + i / 8) | (group >> i % 32 / 8 * 3 & 7) << 8;
    return code_of_8(weft__iq1_s_book[entry], group >> 15, i);
}

WEFT_WORD int iq1_s_scale(weft_block b, int group)
{
    return two_bytes_at(b, 34 + group * 2) >> 12 & 7;
}

/* iq1_m: a nibble for each 8 elements: high bits and a shift. Scales of 16 elements are four in two bytes each, above
 * which is a quarter of the block's f16. */
WEFT_WORD int iq1_m_code(weft_block b, int i)
{
    int nibble = byte_at(b, 32 + i / 16) >> i % 16 / 8 * 4 & 15;
    return code_of_8(weft__iq1_s_book[byte_at(b, i / 8) | (nibble & 7) << 8], nibble >> 3, i);
}

WEFT_WORD int iq1_m_scale(weft_block b, int group)
{
    return two_bytes_at(b, 48 + group / 4 * 2) >> group % 4 * 3 & 7;
}

WEFT_WORD int iq1_m_half(weft_block b)
{
    return byte_at(b, 49) >> 4 | (byte_at(b, 51) & 240) | (byte_at(b, 53) & 240) << 4 | (byte_at(b, 55) & 240) << 8;
}

WEFT_WORD float iq1_m_whole(weft_block b)
{
    return weft__f32_from_f16((uint16_t)iq1_m_half(b));
}

/* iq2_xxs: for each 32 elements four entries, then four times seven signs and a scale. */
WEFT_WORD int iq2_xxs_code(weft_block b, int i)
{
    int at = 2 + i / 32 * 8;
    return code_of_8(weft__iq2_xxs_book[byte_at(b, at + i % 32 / 8)], sign_of_28(b, at + 4, i % 32), i);
}

WEFT_WORD int iq2_xxs_scale(weft_block b, int group)
{
    return byte_at(b, 9 + group * 8) >> 4;
}

/* iq2_xs: two bytes for each 8 elements: entry, signs. Scales of 16 elements are nibbles. */
WEFT_WORD int iq2_xs_code(weft_block b, int i)
{
    int both = two_bytes_at(b, 2 + i / 8 * 2);
    return code_of_8(weft__iq2_xs_book[both & 511], sign_of_seven(both >> 9, i % 8), i);
}

WEFT_WORD int iq2_xs_scale(weft_block b, int group)
{
    return byte_at(b, 66 + group / 2) >> group % 2 * 4 & 15;
}

/* iq2_s: low bits of entries, a byte of signs for each, high bits, scales as of iq2_xs. */
WEFT_WORD int iq2_s_code(weft_block b, int i)
{
    int entry = byte_at(b, 2 + i / 8) | (byte_at(b, 66 + i / 32) >> i % 32 / 8 * 2 & 3) << 8;
    return code_of_8(weft__iq2_s_book[entry], bit_at(b, 34, i), i);
}

WEFT_WORD int iq2_s_scale(weft_block b, int group)
{
    return byte_at(b, 74 + group / 2) >> group % 2 * 4 & 15;
}

/* iq3_xxs: entries of 4 elements; behind them, for each 32, four times seven signs and a scale. */
WEFT_WORD int iq3_xxs_code(weft_block b, int i)
{
    return code_of_4(weft__iq3_xxs_book[byte_at(b, 2 + i / 4)], sign_of_28(b, 66 + i / 32 * 4, i % 32), i);
}

WEFT_WORD int iq3_xxs_scale(weft_block b, int group)
{
    return byte_at(b, 69 + group * 4) >> 4;
}

/* iq3_s: low bits of entries, their ninth bits, a bit of sign for each element, scales as nibbles. */
WEFT_WORD int iq3_s_code(weft_block b, int i)
{
    int entry = byte_at(b, 2 + i / 4) | bit_at(b, 66, i / 4) << 8;
    return code_of_4(weft__iq3_s_book[entry], bit_at(b, 74, i), i);
}

WEFT_WORD int iq3_s_scale(weft_block b, int group)
{
    return byte_at(b, 106 + group / 2) >> group % 2 * 4 & 15;
}

#endif
