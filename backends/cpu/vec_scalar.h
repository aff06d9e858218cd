/* vec_scalar.h: vec.h in plain C, for processors without a set of their own and as the reference path. The compiler
 * turns the four-float vectors into whatever the build's baseline has. */
#ifndef CPU_VEC_SCALAR_H
#define CPU_VEC_SCALAR_H

#include <math.h>

#define VLEN 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
/* Hides from the compiler what x is: it would add up sums in another order, or take products out of a loop. */
#define VEC_KEEP(x) __asm__("" : "+m"(x))
typedef uint32_t vec_bits __attribute__((vector_size(16)));

VEC_FN vf vf_set1(float x) { return (vf){ x, x, x, x }; }
VEC_FN vf vf_load(const float *p)
{
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}
VEC_FN void vf_store(float *p, vf x) { memcpy(p, &x, sizeof x); }
VEC_FN vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
VEC_FN vf vf_fnma(vf a, vf b, vf c) { return c - a * b; }
VEC_FN vf vec_pick(vi mask, vf x, vf y) { return (vf)((mask & (vi)x) | (~mask & (vi)y)); }
VEC_FN vf vf_max(vf a, vf b) { return vec_pick(a > b, a, b); }
VEC_FN vf vf_min(vf a, vf b) { return vec_pick(a < b, a, b); }
VEC_FN vf vf_abs(vf x) { return (vf)((vi)x & 0x7fffffff); }
VEC_FN vf vf_sqrt(vf x) { return (vf){ sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3]) }; }
/* a < b ? x : y, by lane */
VEC_FN vf vf_if_lt(vf a, vf b, vf x, vf y) { return vec_pick(a < b, x, y); }
/* to nearest, ties to even */
VEC_FN vf vf_round(vf x) { return (vf){ rintf(x[0]), rintf(x[1]), rintf(x[2]), rintf(x[3]) }; }
/* Converting what does not fit an int is undefined in C: such lanes (and NaN) give the least integer, as on x86. */
VEC_FN vi vf_to_vi(vf x)
{
    vi r;
    for (int i = 0; i < VLEN; i++) r[i] = fabsf(x[i]) < 2147483520.0f ? (int32_t)rintf(x[i]) : INT32_MIN;
    return r;
}
VEC_FN vf vi_to_vf(vi x) { return (vf){ (float)x[0], (float)x[1], (float)x[2], (float)x[3] }; }
/* x 2^n for integral n in -252..254, with overflow to infinity and gradual underflow: two steps, each a normal power */
VEC_FN vf vf_scale2(vf x, vf n)
{
    vec_bits k = (vec_bits)vf_to_vi(n), half = (vec_bits)((vi)k >> 1);
    return x * (vf)((half + 127u) << 23) * (vf)((k - half + 127u) << 23);
}
VEC_FN float vf_sum(vf x) { return (x[0] + x[2]) + (x[1] + x[3]); }
VEC_FN float vf_hmax(vf x)
{
    float m = x[0];
    for (int i = 1; i < VLEN; i++) m = x[i] > m ? x[i] : m;
    return m;
}

/* IEEE half to single: subnormals are normalised by a float subtraction, infinities and NaNs keep their payload. */
VEC_FN vf vf_load_f16(const uint16_t *p)
{
    vec_bits h = { p[0], p[1], p[2], p[3] };
    vec_bits sign = (h & 0x8000u) << 16, body = (h & 0x7fffu) << 13;
    vf tiny = (vf)(body + (113u << 23)) - vf_set1(0x1p-14f);
    vec_bits normal = body + (112u << 23), special = body | (255u << 23);
    vec_bits is_tiny = (vec_bits)((h & 0x7c00u) == 0u), is_special = (vec_bits)((h & 0x7c00u) == 0x7c00u);
    vec_bits r = (is_tiny & (vec_bits)tiny) | (is_special & special) | (~is_tiny & ~is_special & normal);
    return (vf)(r | sign);
}

/* Single to half, to nearest even, overflow to infinity. */
VEC_FN uint16_t vec_half(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to 65536 or beyond */
    if (a < 0x38800000u) {                                    /* below 2^-14: adding 1/2 puts the half's bits last */
        float t;
        memcpy(&t, &a, sizeof t);
        t += 0.5f;
        memcpy(&a, &t, sizeof a);
        return (uint16_t)(sign | (a - 0x3f000000u));
    }
    return (uint16_t)(sign | ((a + 0xfffu + ((a >> 13) & 1u) - (112u << 23)) >> 13));
}
VEC_FN void vf_store_f16(uint16_t *p, vf x)
{
    for (int i = 0; i < VLEN; i++) p[i] = vec_half(x[i]);
}
VEC_FN vf vf_load_bf16(const uint16_t *p) { return (vf)((vec_bits){ p[0], p[1], p[2], p[3] } << 16); }
VEC_FN void vf_store_bf16(uint16_t *p, vf x)
{
    vec_bits u = (vec_bits)x, r = u + ((u >> 16) & 1u) + 0x7fffu, nan = (vec_bits)(x != x);
    r = ((nan & (u | 0x400000u)) | (~nan & r)) >> 16;
    for (int i = 0; i < VLEN; i++) p[i] = (uint16_t)r[i];
}

VEC_FN vi vi_load(const void *p)
{
    vi x;
    memcpy(&x, p, sizeof x);
    return x;
}
VEC_FN void vi_store(void *p, vi x) { memcpy(p, &x, sizeof x); }
/* VLEN bytes to lanes */
VEC_FN vi vi_load_u8(const void *p)
{
    const uint8_t *b = p;
    return (vi){ b[0], b[1], b[2], b[3] };
}
VEC_FN vi vi_load_i8(const void *p)
{
    const int8_t *b = p;
    return (vi){ b[0], b[1], b[2], b[3] };
}
VEC_FN vi vi_set1(int32_t x) { return (vi){ x, x, x, x }; }
VEC_FN vi vi_add(vi a, vi b) { return (vi)((vec_bits)a + (vec_bits)b); } /* wraps, as the instructions do */
VEC_FN vi vi_sub(vi a, vi b) { return (vi)((vec_bits)a - (vec_bits)b); }
VEC_FN vi vi_max(vi a, vi b)
{
    for (int i = 0; i < VLEN; i++) a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
}
VEC_FN vi vi_or(vi a, vi b) { return a | b; }
VEC_FN vi vi_and(vi x, int32_t m) { return x & m; }
VEC_FN vi vi_xor(vi x, int32_t m) { return x ^ m; }
VEC_FN vi vi_shl(vi x, unsigned n) { return (vi)((vec_bits)x << n); }
VEC_FN vi vi_shr(vi x, unsigned n) { return (vi)((vec_bits)x >> n); }
VEC_FN vi vi_sar(vi x, unsigned n) { return x >> (int)n; }
VEC_FN vf vi_as_vf(vi x) { return (vf)x; }
/* 16 bytes, and for each byte of i, which is 0..15, one of them */
VEC_FN vi vi_table(const void *p) { return vi_load(p); }
VEC_FN vi vi_lookup(vi table, vi i)
{
    uint8_t t[16], at[16];
    vi_store(t, table);
    vi_store(at, i);
    for (int j = 0; j < 16; j++) at[j] = t[at[j] & 15];
    return vi_load(at);
}
VEC_FN int32_t vi_sum(vi x) { return x[0] + x[1] + x[2] + x[3]; }
/* Lanes, which are in -128..127, to bytes. */
VEC_FN void vi_store_i8(int8_t *p, vi x)
{
    for (int i = 0; i < VLEN; i++) p[i] = (int8_t)x[i];
}

/* Sums of four products of bytes of w and of x per lane, x in -127..127, for w in 0..most or, `bytes`, signed with
 * VEC_BIAS added: vi_dot_begin(s), up to VEC_DOT_DEPTH(most) times vi_dot, vi_dot_end, which is s and the products. */
#define VEC_BIAS            0
#define VEC_DOT_DEPTH(most) 8
VEC_FN vi vi_dot_begin(vi s, int bytes)
{
    (void)bytes;
    return s;
}
VEC_FN vi vi_dot(vi s, vi w, vi x, int bytes)
{
    (void)bytes;
    for (unsigned n = 0; n < 32; n += 8) s += vi_sar(vi_shl(w, 24 - n), 24) * vi_sar(vi_shl(x, 24 - n), 24);
    return s;
}
VEC_FN vi vi_dot_end(vi s, vi sum, int bytes)
{
    (void)s;
    (void)bytes;
    return sum;
}

#endif
