/* vec.h: one small vector vocabulary for the kernels of every instruction set.
 *
 * A kernel is written once over `vf` (VLEN floats) and `vi` (VLEN 32-bit integers) and compiled once per instruction
 * set by a file whose name ends in that set. The type in use follows from the compiler's flags; a file that defines
 * CPU_VEC_SCALAR before this header gets four-float vectors in plain C, whatever the flags. vf and vi are compiler
 * vectors: + - * / work on them. CPU_NAME(f) is f with the instruction set appended.
 *
 * Of two operands, vf_min and vf_max return the second if one is a NaN (NEON: the NaN), so the value goes second. */
#ifndef CPU_VEC_H
#define CPU_VEC_H

#include <stdint.h>
#include <string.h>

#define VEC_FN static inline __attribute__((always_inline))

/* Before a loop over vectors that must stay in registers. Not with sanitizers: every load brings its own checks, and
 * the compiler would take minutes over a file. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define VEC_SANITIZED 1
#endif
#endif
#if defined(VEC_SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VEC_UNROLL(n)
#else
#define VEC_PRAGMA(text) _Pragma(#text)
#define VEC_UNROLL(n)    VEC_PRAGMA(GCC unroll n)
#endif

#if !defined(CPU_VEC_SCALAR) && defined(__AVX512F__) && defined(__AVX512VNNI__)
#include "vec_avx512.h"
#define CPU_NAME(f) f##_avx512
#elif !defined(CPU_VEC_SCALAR) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "vec_avx2.h"
#define CPU_NAME(f) f##_avx2
#elif !defined(CPU_VEC_SCALAR) && defined(__aarch64__)
#include "vec_neon.h"
#define CPU_NAME(f) f##_neon
#else
#include "vec_scalar.h"
#define CPU_NAME(f) f##_scalar
#endif

/* n < VLEN elements; the rest are zeros and are not touched in memory. */
VEC_FN vf vf_load_n(const float *p, int64_t n)
{
    float t[VLEN] = { 0 };
    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load(t);
}

VEC_FN void vf_store_n(float *p, vf x, int64_t n)
{
    float t[VLEN];
    vf_store(t, x);
    memcpy(p, t, (size_t)n * sizeof *t);
}

VEC_FN vf vf_load_f16_n(const uint16_t *p, int64_t n)
{
    uint16_t t[VLEN] = { 0 };
    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load_f16(t);
}

VEC_FN void vf_store_f16_n(uint16_t *p, vf x, int64_t n)
{
    uint16_t t[VLEN];
    vf_store_f16(t, x);
    memcpy(p, t, (size_t)n * sizeof *t);
}

VEC_FN vf vf_load_bf16_n(const uint16_t *p, int64_t n)
{
    uint16_t t[VLEN] = { 0 };
    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load_bf16(t);
}

VEC_FN void vf_store_bf16_n(uint16_t *p, vf x, int64_t n)
{
    uint16_t t[VLEN];
    vf_store_bf16(t, x);
    memcpy(p, t, (size_t)n * sizeof *t);
}

#endif
