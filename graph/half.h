/* half.h: floats of 16 bits. Every case is computed and one is selected, so that loops have no branches. f32 to f16 and
 * bf16 rounds to nearest even; infinities stay, NaNs become quiet ones, f16 denormals are exact. */
#ifndef WEFT_HALF_H
#define WEFT_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t weft__float_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float weft__bits_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float weft__f32_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    uint32_t normal = (rest << 13) + (112u << 23); /* exponent bias 15 to 127 */
    uint32_t special = (rest << 13) | 0x7f800000u | (rest > 0x7c00 ? 0x400000u : 0);
    uint32_t small = weft__float_bits((float)(int32_t)rest * 0x1p-24f); /* denormals count in 2^-24 */
    uint32_t u = rest < 0x400 ? small : normal;
    return weft__bits_float((rest >= 0x7c00 ? special : u) | sign);
}

static inline uint16_t weft__f16_from_f32(float x)
{
    uint32_t u = weft__float_bits(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    uint32_t normal = (a - (112u << 23) + 0xfff + (a >> 13 & 1)) >> 13; /* ties to even; may carry into infinity */
    uint32_t small = weft__float_bits(weft__bits_float(a) + 0.5f) - weft__float_bits(0.5f); /* a unit of 0.5 is 2^-24 */
    uint32_t nan = 0x7e00 | (a >> 13 & 0x3ff);
    uint32_t r = a < 113u << 23 ? small : normal;
    r = a >= 143u << 23 ? 0x7c00 : r;
    r = a > 0x7f800000u ? nan : r;
    return (uint16_t)(r | sign);
}

static inline float weft__f32_from_bf16(uint16_t h)
{
    return weft__bits_float((uint32_t)h << 16);
}

static inline uint16_t weft__bf16_from_f32(float x)
{
    uint32_t u = weft__float_bits(x);
    uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16, nan = u >> 16 | 0x40;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000u ? nan : rounded);
}

#endif
