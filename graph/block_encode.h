/* block_encode.h: how floats become blocks, for the rows of block.def that encode: encode_<name>(x, b), in C and in
 * GLSL once for both, so that what is quantised on one device has the bits of any other. x tells where the floats are,
 * b where the block is put. GLSL's side of the words below is shaders/encode.glsl.
 *
 * A block begins with its scale, an f16. It is NaN where one of the floats is NaN or infinite, and WEFT_F16_OVERFLOW, a
 * NaN, too, where it or the block's offset would be too large: nothing that is no number is lost, and all of its
 * block is none. Floats of which the scale is below the least normal float32 are zeros. */
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

/* The largest magnitude of 32 floats, as bits. */
WEFT_WORD int most_of(weft_floats x)
{
    int most = 0;
    for (int i = 0; i < 32; i++) {
        int m = magnitude_at(x, i);
        most = m > most ? m : most;
    }
    return most;
}

/* The first float of that magnitude, with its sign; of zeros 0. */
WEFT_WORD float extreme_of(weft_floats x, int most)
{
    float extreme = 0.0f;
    for (int i = 31; i >= 0; i--) extreme = magnitude_at(x, i) == most ? float_at(x, i) : extreme;
    return most > 0 ? extreme : 0.0f;
}

WEFT_WORD float least_of(weft_floats x)
{
    float least = float_at(x, 0);
    for (int i = 1; i < 32; i++) least = float_at(x, i) < least ? float_at(x, i) : least;
    return least;
}

WEFT_WORD float greatest_of(weft_floats x)
{
    float greatest = float_at(x, 0);
    for (int i = 1; i < 32; i++) greatest = float_at(x, i) > greatest ? float_at(x, i) : greatest;
    return greatest;
}

/* Floats are divided by the scale before it is rounded to f16. */
WEFT_WORD void encode_q8_0(weft_floats x, weft_room b)
{
    int most = most_of(x);
    bool finite = is_finite(most);
    float d = finite ? quotient(float_of_bits(most), 127.0f) : 0.0f, inverse = inverse_of(d);
    put_scale(b, d, finite);
    for (int i = 0; i < 32; i++) {
        WEFT_PRECISE float scaled = float_at(x, i) * inverse;
        put_byte(b, 2 + i, nearest(finite ? scaled : 0.0f));
    }
}

/* ---- codes around zero: the float of the largest magnitude becomes the least, so the scale carries its sign ---- */

/* A float that was scaled to -most..most as 0..2 most - 1; halves go up. */
WEFT_WORD int code_around(float v, int most)
{
    WEFT_PRECISE float moved = v + (to_float(most) + 0.5f);
    int n = to_int(moved);
    return n < 2 * most ? n : 2 * most - 1;
}

WEFT_WORD void encode_q4_0(weft_floats x, weft_room b)
{
    int most = most_of(x);
    bool finite = is_finite(most);
    float d = finite ? extreme_of(x, most) * -0.125f : 0.0f, inverse = inverse_of(d);
    put_scale(b, d, finite);
    for (int i = 0; i < 16; i++) {
        WEFT_PRECISE float low = float_at(x, i) * inverse;
        WEFT_PRECISE float high = float_at(x, i + 16) * inverse;
        put_byte(b, 2 + i, code_around(finite ? low : 0.0f, 8) | code_around(finite ? high : 0.0f, 8) << 4);
    }
}

/* The fifth bits of 32 codes, bit i of `low` and of `high` those of codes i and i + 16. */
WEFT_WORD void put_fifths(weft_room b, int at, int low, int high)
{
    put_byte(b, at, low & 255);
    put_byte(b, at + 1, low >> 8);
    put_byte(b, at + 2, high & 255);
    put_byte(b, at + 3, high >> 8);
}

WEFT_WORD void encode_q5_0(weft_floats x, weft_room b)
{
    int most = most_of(x), fifths = 0, fifths_high = 0;
    bool finite = is_finite(most);
    float d = finite ? extreme_of(x, most) * -0.0625f : 0.0f, inverse = inverse_of(d);
    put_scale(b, d, finite);
    for (int i = 0; i < 16; i++) {
        WEFT_PRECISE float scaled = float_at(x, i) * inverse;
        WEFT_PRECISE float scaled_high = float_at(x, i + 16) * inverse;
        int low = code_around(finite ? scaled : 0.0f, 16), high = code_around(finite ? scaled_high : 0.0f, 16);
        put_byte(b, 6 + i, (low & 15) | (high & 15) << 4);
        fifths = fifths | low >> 4 << i;
        fifths_high = fifths_high | high >> 4 << i;
    }
    put_fifths(b, 2, fifths, fifths_high);
}

/* ---- codes from the least float on, which is the block's second f16 ---- */

/* The scale and the least of floats. False: f16 cannot hold both, or one of the floats is no number, and nor is the
 * scale. */
WEFT_WORD bool put_range(weft_room b, float d, float least, bool finite)
{
    int h = half_of(least), scale = half_of(d);
    bool fits = (h & 0x7fff) < 0x7c00 && (scale & 0x7fff) < 0x7c00;
    put_scale(b, fits ? d : 3e38f, finite);
    fits = fits && finite;
    put_byte(b, 2, fits ? h & 255 : 0);
    put_byte(b, 3, fits ? h >> 8 : 0);
    return fits;
}

/* Halves go up. */
WEFT_WORD int code_from(float v, float least, float inverse)
{
    WEFT_PRECISE float moved = v - least;
    WEFT_PRECISE float scaled = moved * inverse;
    WEFT_PRECISE float up = scaled + 0.5f;
    return to_int(up);
}

WEFT_WORD void encode_q4_1(weft_floats x, weft_room b)
{
    bool finite = is_finite(most_of(x));
    float least = finite ? least_of(x) : 0.0f, greatest = finite ? greatest_of(x) : 0.0f;
    float d = quotient(greatest - least, 15.0f), inverse = inverse_of(d);
    bool fits = put_range(b, d, least, finite);
    for (int i = 0; i < 16; i++) {
        int low = fits ? code_from(float_at(x, i), least, inverse) : 0;
        int high = fits ? code_from(float_at(x, i + 16), least, inverse) : 0;
        put_byte(b, 4 + i, (low < 15 ? low : 15) | (high < 15 ? high : 15) << 4);
    }
}

WEFT_WORD void encode_q5_1(weft_floats x, weft_room b)
{
    int fifths = 0, fifths_high = 0;
    bool finite = is_finite(most_of(x));
    float least = finite ? least_of(x) : 0.0f, greatest = finite ? greatest_of(x) : 0.0f;
    float d = quotient(greatest - least, 31.0f), inverse = inverse_of(d);
    bool fits = put_range(b, d, least, finite);
    for (int i = 0; i < 16; i++) {
        int low = fits ? code_from(float_at(x, i), least, inverse) : 0;
        int high = fits ? code_from(float_at(x, i + 16), least, inverse) : 0;
        put_byte(b, 8 + i, (low & 15) | (high & 15) << 4);
        fifths = fifths | low >> 4 << i;
        fifths_high = fifths_high | high >> 4 << i;
    }
    put_fifths(b, 4, fifths, fifths_high);
}

#endif
