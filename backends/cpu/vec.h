/* vec.h: one small vector vocabulary for the kernels of every instruction set.
 *
 * A kernel is written once over `vf` (VLEN floats) and `vi` (VLEN 32-bit integers) and compiled once per instruction
 * set by a file whose name ends in that set. The type in use follows from the compiler's flags; a file that defines
 * CPU_VEC_SCALAR before this header gets four-float vectors in plain C, whatever the flags; CPU_VEC_AVXVNNI,
 * CPU_VEC_DOTPROD and CPU_VEC_I8MM ask for products of bytes that AVX2 and NEON alone do not have. vf and vi are
 * compiler vectors: + - * / work on them. CPU_NAME(f) is f with the instruction set appended.
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
#ifdef CPU_VEC_AVXVNNI
#define CPU_NAME(f) f##_avxvnni
#else
#define CPU_NAME(f) f##_avx2
#endif
#elif !defined(CPU_VEC_SCALAR) && defined(__aarch64__)
#include "vec_neon.h"
#if defined(CPU_VEC_I8MM)
#define CPU_NAME(f) f##_i8mm
#elif defined(CPU_VEC_DOTPROD)
#define CPU_NAME(f) f##_dotprod
#else
#define CPU_NAME(f) f##_neon
#endif
#else
#include "vec_scalar.h"
#define CPU_NAME(f) f##_scalar
#endif

/* Square pieces of matrices are transposed in 16-byte vectors. Interleaving the first half of the rows with the second
 * is a perfect shuffle; as many of them as a row's number has bits make the transpose. */
typedef uint16_t vec_u16 __attribute__((vector_size(16)));
typedef uint32_t vec_u32 __attribute__((vector_size(16)));

VEC_FN void vec_transpose_u16(vec_u16 v[8])
{
    vec_u16 w[8];
    VEC_UNROLL(3)
    for (int round = 0; round < 3; round++) {
        VEC_UNROLL(4)
        for (int i = 0; i < 4; i++) {
            w[2 * i] = __builtin_shufflevector(v[i], v[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        VEC_UNROLL(8)
        for (int i = 0; i < 8; i++) v[i] = w[i];
    }
}

VEC_FN void vec_transpose_u32(vec_u32 v[4])
{
    vec_u32 a = __builtin_shufflevector(v[0], v[2], 0, 4, 1, 5), b = __builtin_shufflevector(v[0], v[2], 2, 6, 3, 7);
    vec_u32 c = __builtin_shufflevector(v[1], v[3], 0, 4, 1, 5), d = __builtin_shufflevector(v[1], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, c, 0, 4, 1, 5);
    v[1] = __builtin_shufflevector(a, c, 2, 6, 3, 7);
    v[2] = __builtin_shufflevector(b, d, 0, 4, 1, 5);
    v[3] = __builtin_shufflevector(b, d, 2, 6, 3, 7);
}

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
