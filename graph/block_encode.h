/* block_encode.h: how floats become blocks, for the rows of block.def that encode: encode_<name>(x, b), in C and in
 * GLSL once for both, so that what is quantised on one device has the bits of any other. x tells where the floats are,
 * b where the block is put. GLSL's side of the words below is shaders/encode.glsl.
 *
 * A block begins with its scale, an f16. It is NaN where one of the floats is NaN or infinite, and WEFT_F16_OVERFLOW, a
 * NaN, too, where it would be too large: nothing that is no number is lost, and all of its block is none. Floats of
 * which the scale is below the least normal float32 are zeros. */
#ifndef WEFT_BLOCK_ENCODE_H
#define WEFT_BLOCK_ENCODE_H

#ifndef WEFT_GLSL
#include "graph/block_words.h"

#include <string.h>

#define WEFT_PRECISE /* in GLSL: rounded as written, not contracted */
#define to_int(v) ((int)(v))
typedef const float *weft_floats;
typedef unsigned char *weft_room;

WEFT_WORD float float_at(weft_floats x, int i)
{
    return x[i];
}

/* The bits of a float without its sign, in the order of magnitudes; those of NaN are the largest. */
WEFT_WORD int magnitude_at(weft_floats x, int i)
{
    int bits;
    memcpy(&bits, &x[i], sizeof bits);
    return bits & 0x7fffffff;
}

/* a / b, to the nearest. */
WEFT_WORD float quotient(float a, float b)
{
    return a / b;
}

WEFT_WORD int half_of(float v)
{
    return weft__f16_from_f32(v);
}

/* Byte number at of the block, of which no other is put twice. */
WEFT_WORD void put_byte(weft_room b, int at, int v)
{
    b[at] = (unsigned char)v;
}
#endif

WEFT_WORD bool is_finite(int magnitude)
{
    return magnitude < 0x7f800000;
}

/* The scale d of floats that are finite or not. */
WEFT_WORD void put_scale(weft_room b, float d, bool finite)
{
    int h = half_of(d);
    if ((h & 0x7fff) == 0x7c00) h = h | 0x7fff;
    if (!finite) h = 0x7e00;
    put_byte(b, 0, h & 255);
    put_byte(b, 1, h >> 8);
}

/* By which floats are multiplied instead of being divided by d. */
WEFT_WORD float inverse_of(float d)
{
    return d >= 1.17549435e-38f || d <= -1.17549435e-38f ? quotient(1.0f, d) : 0.0f;
}

/* The nearest whole number, halves away from zero. */
WEFT_WORD int nearest(float v)
{
    int whole = to_int(v);
    WEFT_PRECISE float rest = v - to_float(whole);
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

/* Floats are divided by the scale before it is rounded to f16. */
WEFT_WORD void encode_q8_0(weft_floats x, weft_room b)
{
    int most = 0;
    for (int i = 0; i < 32; i++) {
        int m = magnitude_at(x, i);
        most = m > most ? m : most;
    }
    bool finite = is_finite(most);
    float d = finite ? quotient(float_of_bits(most), 127.0f) : 0.0f, inverse = inverse_of(d);
    put_scale(b, d, finite);
    for (int i = 0; i < 32; i++) {
        WEFT_PRECISE float scaled = float_at(x, i) * inverse;
        put_byte(b, 2 + i, nearest(finite ? scaled : 0.0f));
    }
}

/* A float that was scaled to -8..8 as a nibble; halves go up. */
WEFT_WORD int nibble_of(float v)
{
    WEFT_PRECISE float moved = v + 8.5f;
    int n = to_int(moved);
    return n > 15 ? 15 : n;
}

/* The float of the largest magnitude becomes -8 exactly, so the scale carries its sign. */
WEFT_WORD void encode_q4_0(weft_floats x, weft_room b)
{
    int most = 0;
    float extreme = 0.0f;
    for (int i = 0; i < 32; i++) {
        int m = magnitude_at(x, i);
        extreme = m > most ? float_at(x, i) : extreme;
        most = m > most ? m : most;
    }
    bool finite = is_finite(most);
    float d = finite ? extreme * -0.125f : 0.0f, inverse = inverse_of(d);
    put_scale(b, d, finite);
    for (int i = 0; i < 16; i++) {
        WEFT_PRECISE float low = float_at(x, i) * inverse;
        WEFT_PRECISE float high = float_at(x, i + 16) * inverse;
        put_byte(b, 2 + i, nibble_of(finite ? low : 0.0f) | nibble_of(finite ? high : 0.0f) << 4);
    }
}

#endif
