/* vec_avx512.h: vec.h for AVX-512 F, BW, VL, DQ and VNNI. */
#ifndef CPU_VEC_AVX512_H
#define CPU_VEC_AVX512_H

#include <immintrin.h>

#define VLEN 16
typedef __m512 vf;
typedef __m512i vi;
/* Hides from the compiler what x is: it would add up sums in another order, or take products out of a loop. */
#define VEC_KEEP(x) __asm__("" : "+v"(x))

VEC_FN vf vf_set1(float x) { return _mm512_set1_ps(x); }
VEC_FN vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
VEC_FN void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
VEC_FN vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   /* a b + c */
VEC_FN vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
VEC_FN vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
VEC_FN vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
VEC_FN vf vf_abs(vf x) { return _mm512_abs_ps(x); }
VEC_FN vf vf_sqrt(vf x) { return _mm512_sqrt_ps(x); }
/* a < b ? x : y, by lane */
VEC_FN vf vf_if_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
/* to nearest, ties to even */
VEC_FN vf vf_round(vf x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
VEC_FN vi vf_to_vi(vf x) { return _mm512_cvtps_epi32(x); }
VEC_FN vf vi_to_vf(vi x) { return _mm512_cvtepi32_ps(x); }
/* x 2^n for integral n, with overflow to infinity and gradual underflow */
VEC_FN vf vf_scale2(vf x, vf n) { return _mm512_scalef_ps(x, n); }
VEC_FN float vf_sum(vf x) { return _mm512_reduce_add_ps(x); }
/* The sums of four vectors, each added up in the same order. */
VEC_FN void vf_sum4(float *p, const vf x[4])
{
    __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
    __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
    __m512 s = _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)));
}
VEC_FN float vf_hmax(vf x) { return _mm512_reduce_max_ps(x); }

VEC_FN vf vf_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VEC_FN void vf_store_f16(uint16_t *p, vf x)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
/* An f16 at any address, and four of them. */
VEC_FN float vec_half(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
VEC_FN void vec_halves(float *y, const unsigned char *const p[4])
{
    uint64_t h = 0;
    for (int i = 0; i < 4; i++) h |= (uint64_t)(p[i][0] | p[i][1] << 8) << 16 * i;
    _mm_storeu_ps(y, _mm_cvtph_ps(_mm_cvtsi64_si128((long long)h)));
}
VEC_FN vf vf_load_bf16(const uint16_t *p)
{
    __m512i u = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(u, 16));
}
VEC_FN void vf_store_bf16(uint16_t *p, vf x)
{
    __m512i u = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    r = _mm512_mask_or_epi32(r, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), u, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16)));
}

VEC_FN vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
VEC_FN void vi_store(void *p, vi x) { _mm512_storeu_si512(p, x); }
/* Bytes, signed and not. */
VEC_FN vi vi_load_i8(const void *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
VEC_FN vi vi_load_u8(const void *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
VEC_FN vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
/* x in lanes whose bits are set, the first lane's the lowest; else 0 */
VEC_FN vi vi_where(uint32_t bits, int32_t x) { return _mm512_maskz_set1_epi32((__mmask16)bits, x); }
VEC_FN vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
VEC_FN vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
VEC_FN vi vi_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
VEC_FN vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
VEC_FN vi vi_and(vi x, int32_t m) { return _mm512_and_si512(x, _mm512_set1_epi32(m)); }
VEC_FN vi vi_xor(vi x, int32_t m) { return _mm512_xor_si512(x, _mm512_set1_epi32(m)); }
VEC_FN vi vi_shl(vi x, unsigned n) { return _mm512_slli_epi32(x, n); }
VEC_FN vi vi_shr(vi x, unsigned n) { return _mm512_srli_epi32(x, n); }
VEC_FN vi vi_sar(vi x, unsigned n) { return _mm512_srai_epi32(x, n); }
VEC_FN vf vi_as_vf(vi x) { return _mm512_castsi512_ps(x); }
/* 16 bytes, and for each byte of i, which is 0..15, one of them */
VEC_FN vi vi_table(const void *p) { return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p)); }
VEC_FN vi vi_lookup(vi table, vi i) { return _mm512_shuffle_epi8(table, i); }
VEC_FN int32_t vi_sum(vi x) { return _mm512_reduce_add_epi32(x); }
/* Lanes, which are in -128..127, to bytes. */
VEC_FN void vi_store_i8(int8_t *p, vi x) { _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(x)); }

/* Sums of four products of bytes of w and of x per lane, x in -127..127, for w in 0..most or, `bytes`, signed with
 * VEC_BIAS added: vi_dot_begin(s), up to VEC_DOT_DEPTH(most) times vi_dot, vi_dot_end, which is s and the products. */
#define VEC_BIAS            128
#define VEC_DOT_DEPTH(most) 8
VEC_FN vi vi_dot_begin(vi s, int bytes)
{
    (void)bytes;
    return s;
}
VEC_FN vi vi_dot(vi s, vi w, vi x, int bytes)
{
    (void)bytes;
    return _mm512_dpbusd_epi32(s, w, x);
}
VEC_FN vi vi_dot_end(vi s, vi sum, int bytes)
{
    (void)s;
    (void)bytes;
    return sum;
}
#ifdef __AVX512BF16__
/* s + both products of pairs of bf16. A processor may have all the rest of this file without it. */
#define VEC_BF16_DOT 1
VEC_FN int vec_has_bf16_dot(void) { return __builtin_cpu_supports("avx512bf16"); }
VEC_FN vf vf_dot_bf16(vf s, vi w, vi x) { return _mm512_dpbf16_ps(s, (__m512bh)w, (__m512bh)x); }
#endif

#endif
