/* vec_neon.h: vec.h for AArch64 (Advanced SIMD, always there). */
#ifndef CPU_VEC_NEON_H
#define CPU_VEC_NEON_H

#include <arm_neon.h>

#define VLEN 4
typedef float32x4_t vf;
typedef int32x4_t vi;
/* Hides from the compiler what x is: it would add up sums in another order, or take products out of a loop. */
#define VEC_KEEP(x) __asm__("" : "+w"(x))

VEC_FN vf vf_set1(float x) { return vdupq_n_f32(x); }
VEC_FN vf vf_load(const float *p) { return vld1q_f32(p); }
VEC_FN void vf_store(float *p, vf x) { vst1q_f32(p, x); }
VEC_FN vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }  /* a b + c */
VEC_FN vf vf_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); } /* c - a b */
VEC_FN vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); }
VEC_FN vf vf_min(vf a, vf b) { return vminq_f32(a, b); }
VEC_FN vf vf_abs(vf x) { return vabsq_f32(x); }
VEC_FN vf vf_sqrt(vf x) { return vsqrtq_f32(x); }
/* a < b ? x : y, by lane */
VEC_FN vf vf_if_lt(vf a, vf b, vf x, vf y) { return vbslq_f32(vcltq_f32(a, b), x, y); }
/* to nearest, ties to even */
VEC_FN vf vf_round(vf x) { return vrndnq_f32(x); }
VEC_FN vi vf_to_vi(vf x) { return vcvtnq_s32_f32(x); }
VEC_FN vf vi_to_vf(vi x) { return vcvtq_f32_s32(x); }
/* x 2^n for integral n in -252..254, with overflow to infinity and gradual underflow: two steps, each a normal power */
VEC_FN vf vf_scale2(vf x, vf n)
{
    int32x4_t k = vf_to_vi(n), half = vshrq_n_s32(k, 1), bias = vdupq_n_s32(127);
    float32x4_t a = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
    float32x4_t b = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vsubq_s32(k, half), bias), 23));
    return x * a * b;
}
VEC_FN float vf_sum(vf x) { return vaddvq_f32(x); }
/* The sums of four vectors, each added up in the same order. */
VEC_FN void vf_sum4(float *p, const vf x[4])
{
    vst1q_f32(p, vpaddq_f32(vpaddq_f32(x[0], x[1]), vpaddq_f32(x[2], x[3])));
}
VEC_FN float vf_hmax(vf x) { return vmaxvq_f32(x); }

VEC_FN vf vf_load_f16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
VEC_FN void vf_store_f16(uint16_t *p, vf x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
/* An f16 at any address, and four of them. */
VEC_FN float vec_half(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}
VEC_FN void vec_halves(float *y, const unsigned char *const p[4])
{
    uint16_t h[4];
    for (int i = 0; i < 4; i++) memcpy(&h[i], p[i], sizeof h[i]);
    vst1q_f32(y, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h))));
}
VEC_FN vf vf_load_bf16(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
VEC_FN void vf_store_bf16(uint16_t *p, vf x)
{
    uint32x4_t u = vreinterpretq_u32_f32(x);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    uint32x4_t r = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    r = vbslq_u32(vceqq_f32(x, x), r, vorrq_u32(u, vdupq_n_u32(0x400000)));
    vst1_u16(p, vshrn_n_u32(r, 16));
}

VEC_FN vi vi_load(const void *p) { return vreinterpretq_s32_s8(vld1q_s8(p)); }
VEC_FN void vi_store(void *p, vi x) { vst1q_s8(p, vreinterpretq_s8_s32(x)); }
/* Bytes, signed and not. */
VEC_FN vi vi_load_i8(const void *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)))));
}
VEC_FN vi vi_load_u8(const void *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four))))));
}
VEC_FN vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
/* x in lanes whose bits are set, the first lane's the lowest; else 0 */
VEC_FN vi vi_where(uint32_t bits, int32_t x)
{
    const uint32x4_t lanes = { 1, 2, 4, 8 };
    return vreinterpretq_s32_u32(vandq_u32(vtstq_u32(vdupq_n_u32(bits), lanes), vdupq_n_u32((uint32_t)x)));
}
VEC_FN vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
VEC_FN vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
VEC_FN vi vi_max(vi a, vi b) { return vmaxq_s32(a, b); }
VEC_FN vi vi_or(vi a, vi b) { return vorrq_s32(a, b); }
VEC_FN vi vi_and(vi x, int32_t m) { return vandq_s32(x, vdupq_n_s32(m)); }
VEC_FN vi vi_xor(vi x, int32_t m) { return veorq_s32(x, vdupq_n_s32(m)); }
VEC_FN vi vi_shl(vi x, unsigned n) { return vshlq_s32(x, vdupq_n_s32((int32_t)n)); }
VEC_FN vi vi_shr(vi x, unsigned n)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(x), vdupq_n_s32(-(int32_t)n)));
}
VEC_FN vi vi_sar(vi x, unsigned n) { return vshlq_s32(x, vdupq_n_s32(-(int32_t)n)); }
VEC_FN vf vi_as_vf(vi x) { return vreinterpretq_f32_s32(x); }
/* 16 bytes, and for each byte of i, which is 0..15, one of them */
VEC_FN vi vi_table(const void *p) { return vi_load(p); }
VEC_FN vi vi_lookup(vi table, vi i)
{
    return vreinterpretq_s32_s8(vqtbl1q_s8(vreinterpretq_s8_s32(table), vreinterpretq_u8_s32(i)));
}
VEC_FN int32_t vi_sum(vi x) { return vaddvq_s32(x); }
/* Lanes, which are in -128..127, to bytes. */
VEC_FN void vi_store_i8(int8_t *p, vi x)
{
    int16x4_t h = vmovn_s32(x);
    int8x8_t b = vmovn_s16(vcombine_s16(h, h));
    memcpy(p, &b, 4);
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
#if defined(CPU_VEC_DOTPROD) || defined(CPU_VEC_I8MM)
    return vdotq_s32(s, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
#else
    int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
    int16x8_t lo = vmull_s8(vget_low_s8(a), vget_low_s8(b)), hi = vmull_high_s8(a, b);
    return vaddq_s32(s, vpaddq_s32(vpaddlq_s16(lo), vpaddlq_s16(hi)));
#endif
}
VEC_FN vi vi_dot_end(vi s, vi sum, int bytes)
{
    (void)s;
    (void)bytes;
    return sum;
}

#ifdef CPU_VEC_I8MM
/* Products of pairs of rows and pairs of tokens: of two quads w and v, rows 0 and 1 (vi_zip_low) or 2 and 3
 * (vi_zip_high) with 8 bytes each; of x the same of two tokens, from where either quad has both tokens' words. Sums are
 * { row 0 token 0, row 0 token 1, row 1 token 0, row 1 token 1 }: even lanes of both are one token's rows. */
#define VEC_DOT_PAIRS 1
VEC_FN vi vi_zip_low(vi w, vi v) { return vzip1q_s32(w, v); }
VEC_FN vi vi_zip_high(vi w, vi v) { return vzip2q_s32(w, v); }
VEC_FN vi vi_even(vi a, vi b) { return vuzp1q_s32(a, b); }
VEC_FN vi vi_odd(vi a, vi b) { return vuzp2q_s32(a, b); }
VEC_FN vi vi_load_pair(const void *p, const void *q)
{
    int32x2_t a = vreinterpret_s32_s8(vld1_s8(p)), b = vreinterpret_s32_s8(vld1_s8(q));
    return vcombine_s32(vzip1_s32(a, b), vzip2_s32(a, b));
}
VEC_FN vi vi_dot_pairs(vi s, vi w, vi x)
{
    return vmmlaq_s32(s, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
}
#endif

#endif
