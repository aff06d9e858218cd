/* vec_avx2.h: vec.h for AVX2 with FMA and F16C. */
#ifndef CPU_VEC_AVX2_H
#define CPU_VEC_AVX2_H

#include <immintrin.h>

#define VLEN 8
typedef __m256 vf;
typedef __m256i vi;
/* Hides from the compiler what x is: it would add up sums in another order, or take products out of a loop. */
#define VEC_KEEP(x) __asm__("" : "+x"(x))

VEC_FN vf vf_set1(float x) { return _mm256_set1_ps(x); }
VEC_FN vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
VEC_FN void vf_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
VEC_FN vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
VEC_FN vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
VEC_FN vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
VEC_FN vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
VEC_FN vf vf_abs(vf x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
VEC_FN vf vf_sqrt(vf x) { return _mm256_sqrt_ps(x); }
/* a < b ? x : y, by lane */
VEC_FN vf vf_if_lt(vf a, vf b, vf x, vf y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
/* to nearest, ties to even */
VEC_FN vf vf_round(vf x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
VEC_FN vi vf_to_vi(vf x) { return _mm256_cvtps_epi32(x); }
VEC_FN vf vi_to_vf(vi x) { return _mm256_cvtepi32_ps(x); }
/* x 2^n for integral n in -252..254, with overflow to infinity and gradual underflow: two steps, each a normal power */
VEC_FN vf vf_scale2(vf x, vf n)
{
    __m256i k = vf_to_vi(n), half = _mm256_srai_epi32(k, 1), bias = _mm256_set1_epi32(127);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, half), bias), 23);
    return x * _mm256_castsi256_ps(a) * _mm256_castsi256_ps(b);
}
VEC_FN float vf_sum(vf x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
/* The sums of four vectors, each added up in the same order. */
VEC_FN void vf_sum4(float *p, const vf x[4])
{
    __m256 a = _mm256_add_ps(_mm256_unpacklo_ps(x[0], x[1]), _mm256_unpackhi_ps(x[0], x[1]));
    __m256 b = _mm256_add_ps(_mm256_unpacklo_ps(x[2], x[3]), _mm256_unpackhi_ps(x[2], x[3]));
    __m256 s = _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
VEC_FN float vf_hmax(vf x)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

VEC_FN vf vf_load_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)); }
VEC_FN void vf_store_f16(uint16_t *p, vf x)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
/* An f16 at any address, and four of them. */
VEC_FN float vec_half(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _cvtsh_ss(h);
}
VEC_FN void vec_halves(float *y, const unsigned char *const p[4])
{
    uint64_t h = 0;
    for (int i = 0; i < 4; i++) h |= (uint64_t)(p[i][0] | p[i][1] << 8) << 16 * i;
    _mm_storeu_ps(y, _mm_cvtph_ps(_mm_cvtsi64_si128((long long)h)));
}
VEC_FN vf vf_load_bf16(const uint16_t *p)
{
    __m256i u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(u, 16));
}
VEC_FN void vf_store_bf16(uint16_t *p, vf x)
{
    __m256i u = _mm256_castps_si256(x);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    __m256i r = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    r = _mm256_srli_epi32(_mm256_blendv_epi8(r, _mm256_or_si256(u, _mm256_set1_epi32(0x400000)), nan), 16);
    _mm_storeu_si128((__m128i *)(void *)p,
                     _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1)));
}

VEC_FN vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
VEC_FN void vi_store(void *p, vi x) { _mm256_storeu_si256((__m256i *)p, x); }
/* Bytes, signed and not. */
VEC_FN vi vi_load_i8(const void *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
VEC_FN vi vi_load_u8(const void *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
VEC_FN vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
/* x in lanes whose bits are set, the first lane's the lowest; else 0 */
VEC_FN vi vi_where(uint32_t bits, int32_t x)
{
    __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lanes), lanes);
    return _mm256_and_si256(set, _mm256_set1_epi32(x));
}
VEC_FN vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
VEC_FN vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
VEC_FN vi vi_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
VEC_FN vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
VEC_FN vi vi_and(vi x, int32_t m) { return _mm256_and_si256(x, _mm256_set1_epi32(m)); }
VEC_FN vi vi_xor(vi x, int32_t m) { return _mm256_xor_si256(x, _mm256_set1_epi32(m)); }
VEC_FN vi vi_shl(vi x, unsigned n) { return _mm256_slli_epi32(x, (int)n); }
VEC_FN vi vi_shr(vi x, unsigned n) { return _mm256_srli_epi32(x, (int)n); }
VEC_FN vi vi_sar(vi x, unsigned n) { return _mm256_srai_epi32(x, (int)n); }
VEC_FN vf vi_as_vf(vi x) { return _mm256_castsi256_ps(x); }
/* 16 bytes, and for each byte of i, which is 0..15, one of them */
VEC_FN vi vi_table(const void *p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p)); }
VEC_FN vi vi_lookup(vi table, vi i) { return _mm256_shuffle_epi8(table, i); }
VEC_FN int32_t vi_sum(vi x)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
/* Lanes, which are in -128..127, to bytes. */
VEC_FN void vi_store_i8(int8_t *p, vi x)
{
    __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(w, w));
}

/* Halves of 16 bits: the first and third signed byte of each lane, the second and fourth; sums of two products. */
VEC_FN vi vi_even_bytes(vi x) { return _mm256_maddubs_epi16(_mm256_set1_epi16(1), x); } /* shifts would share a pipe */
VEC_FN vi vi_odd_bytes(vi x) { return _mm256_srai_epi16(x, 8); }
VEC_FN vi vi_products(vi a, vi b) { return _mm256_madd_epi16(a, b); }
/* s + (a + b) (c + d), of halves */
VEC_FN vi vi_dot_sums(vi s, vi a, vi b, vi c, vi d)
{
    s = vi_add(s, vi_products(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d)));
    VEC_KEEP(s);
    return s;
}

/* Sums of four products of bytes of w and of x per lane, x in -127..127, for w in 0..most or, `bytes`, signed with
 * VEC_BIAS added: vi_dot_begin(s), up to VEC_DOT_DEPTH(most) times vi_dot, vi_dot_end, which is s and the products.
 * With AVX2 alone both half lanes' sums of w in 0..most stay below 2^15 until then: depth * 2 * most * 127; and so do
 * two products of signed bytes, 2 * 128 * 127. */
#ifdef CPU_VEC_AVXVNNI /* unsigned by signed, into lanes of 32 bits */
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
    return _mm256_dpbusd_avx_epi32(s, w, x);
}
VEC_FN vi vi_dot_end(vi s, vi sum, int bytes)
{
    (void)s;
    (void)bytes;
    return sum;
}
#else
#define VEC_BIAS            0
#define VEC_DOT_SUMS        /* multiplies signed bytes faster */
#define VEC_DOT_DEPTH(most) ((most) <= 15 ? 8 : (most) <= 31 ? 4 : (most) <= 63 ? 2 : 1)
VEC_FN vi vi_dot_begin(vi s, int bytes) { return bytes ? s : _mm256_setzero_si256(); }
VEC_FN vi vi_dot(vi s, vi w, vi x, int bytes)
{
    if (bytes) {
        vi pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
        s = _mm256_add_epi32(s, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    } else {
        s = _mm256_add_epi16(s, _mm256_maddubs_epi16(w, x));
    }
    VEC_KEEP(s); /* another order would want more registers than there are */
    return s;
}
VEC_FN vi vi_dot_end(vi s, vi sum, int bytes)
{
    return bytes ? sum : _mm256_add_epi32(s, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
}

/* Sums of products are 16-bit halves of lanes; what else there is for such. */
#define VEC_HALVES 1
VEC_FN vi vi_abs_i8(vi x) { return _mm256_abs_epi8(x); }
/* Products of signed bytes, -128 at least; of w above -128, where |x| is at hand. */
VEC_FN vi vi_dot_bytes(vi w, vi x) { return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)); }
VEC_FN vi vi_dot_sizes(vi size, vi w, vi x) { return _mm256_maddubs_epi16(size, _mm256_sign_epi8(w, x)); }
/* s + both halves of x times those of y */
VEC_FN vi vi_halves_add(vi s, vi x, vi y) { return _mm256_add_epi32(s, _mm256_madd_epi16(x, y)); }
/* VLEN bytes to both halves of lanes. */
VEC_FN vi vi_halves_u8(const void *p)
{
    int64_t b;
    memcpy(&b, p, sizeof b);
    const __m256i to = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1,
                                        4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x(b), to);
}
VEC_FN vi vi_halves_i8(const void *p)
{
    int64_t b;
    memcpy(&b, p, sizeof b);
    const __m256i to = _mm256_setr_epi8(-1, 0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3,
                                        -1, 4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7);
    return _mm256_srai_epi16(_mm256_shuffle_epi8(_mm256_set1_epi64x(b), to), 8);
}
/* The high nibbles of VLEN bytes to the lower halves of lanes, those of the next VLEN to the higher ones. */
VEC_FN vi vi_pairs_high(const void *p)
{
    const __m128i to = _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    __m128i b = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), to);
    return _mm256_srli_epi16(_mm256_cvtepu8_epi16(b), 4);
}
/* `factor` times the sums of 32 bytes that go into either half of lanes: of all, or of both 16; a word each. */
VEC_FN void vec_half_sums(const int8_t *q, int groups, int factor, void *words)
{
    __m256i s = _mm256_maddubs_epi16(_mm256_set1_epi8(1), vi_load(q));
    if (groups == 1) s = _mm256_add_epi16(s, _mm256_permute4x64_epi64(s, 0x4e));
    s = _mm256_add_epi16(s, _mm256_shuffle_epi32(s, 0x4e));
    s = _mm256_add_epi16(s, _mm256_shuffle_epi32(s, 0xb1));
    s = _mm256_mullo_epi16(s, _mm256_set1_epi16((short)factor));
    const int32_t word[2] = { _mm256_extract_epi32(s, 0), _mm256_extract_epi32(s, 4) };
    memcpy(words, word, 4 * (size_t)groups);
}
#endif

#endif
