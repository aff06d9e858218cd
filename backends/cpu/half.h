/* half.h: one f16 or bf16 number to float and back, by integer arithmetic: exact upwards, to nearest even downwards,
 * NaN stays NaN (quiet), overflow gives infinity. Kernels convert rows through vec_ops.h; this is for single numbers
 * and for the scalar instruction set. */
#ifndef CPU_HALF_H
#define CPU_HALF_H

#include <stdint.h>
#include <string.h>

static inline float cpu_bits_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t cpu_float_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float cpu_bf16_float(uint16_t h) { return cpu_bits_float((uint32_t)h << 16); }

static inline uint16_t cpu_float_bf16(float f)
{
    uint32_t u = cpu_float_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float cpu_f16_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
    if (rest >= 0x7c00u) { /* infinity, or NaN made quiet */
        uint32_t quiet = rest > 0x7c00u ? 0x400000u : 0;
        return cpu_bits_float(sign | 0x7f800000u | quiet | (rest & 0x3ffu) << 13);
    }
    if (rest >= 0x400u) return cpu_bits_float(sign | ((rest << 13) + (112u << 23)));
    float f = (float)rest * 0x1p-24f; /* zero or subnormal */
    return sign ? -f : f;
}

static inline uint16_t cpu_float_f16(float f)
{
    uint32_t u = cpu_float_bits(f), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x3ffu));
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and more round to infinity */
    if (a < 0x38800000u) { /* subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits */
        uint32_t r = cpu_float_bits(cpu_bits_float(a) + 0.5f);
        return (uint16_t)(sign | (r - 0x3f000000u));
    }
    return (uint16_t)(sign | ((a - (112u << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13));
}

#endif
