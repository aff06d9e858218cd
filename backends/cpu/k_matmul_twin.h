/* k_matmul_twin.h: tiles of many tokens by two panels at once ("twins"), for sets of 16 registers: a word of x that is
 * spread over a register then serves two products, and enough sums are under way that none is waited for. Panels have
 * been turned into bytes, pairs of 16 bits (W8_SUMS) or floats. Sums of floats live in memory between chunks. With
 * panels of blocks, results are those of narrower tiles to the bit.
 *
 * Products of sums: x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1. Where products of signed bytes cost two
 * multiplications and two cheaper operations a quad, this costs one and three; what is taken off is of x or of w
 * alone. */
#ifndef CPU_K_MATMUL_TWIN_H
#define CPU_K_MATMUL_TWIN_H

#include "k_matmul_blocks.h"

/* How numbers that are signed bytes are multiplied. */
#ifdef VEC_DOT_SUMS
#define MM_SIGNED_AS MM_W8_SUMS
#else
#define MM_SIGNED_AS MM_W8
#endif

/* w: two panels; c[2][tt][VLEN] is added to, or overwritten. tt is a multiple of 4. */
typedef void mm_twin(const unsigned char *const *w, const unsigned char *x, float *c, int64_t k, bool add);

/* Tokens whose sums are in registers at once. */
VEC_FN int mm_twin_step(const cpu_panel_format *f, const int tt)
{
    if (f->bits == 16) return 4;
    const bool once = VEC_DOT_DEPTH(f->most) >= 8 || (VEC_DOT_DEPTH(f->most) >= 4 && f->groups == 2);
    if (!once || f->groups == 2) return tt % 3 == 0 ? 3 : 2;
    return tt % 6 == 0 ? 6 : 4;
}

/* s[2 t + panel] += the products of group g for n tokens, as mm_group has them for one panel. */
VEC_FN void mm_twin_group(const cpu_panel_format *f, const int tt, const int n, const unsigned char *const *w,
                          const unsigned char *q, int g, vi *s)
{
    const bool bytes = cpu_panel_is_signed(f);
    const int quads = 8 / f->groups, depth = VEC_DOT_DEPTH(f->most) < quads ? VEC_DOT_DEPTH(f->most) : quads;
    VEC_UNROLL(8)
    for (int i = g * quads; i < (g + 1) * quads; i += depth) {
        vi sum[12];
        VEC_UNROLL(12)
        for (int t = 0; t < 2 * n; t++) sum[t] = vi_dot_begin(s[t], bytes);
        VEC_UNROLL(8)
        for (int j = i; j < i + depth; j++) {
            const vi a = vi_load(w[0] + j * 4 * VLEN), b = vi_load(w[1] + j * 4 * VLEN);
            VEC_UNROLL(6)
            for (int t = 0; t < n; t++) {
                const vi x = vi_set1(mm_word(q + (j * tt + t) * 4));
                sum[2 * t] = vi_dot(sum[2 * t], a, x, bytes);
                sum[2 * t + 1] = vi_dot(sum[2 * t + 1], b, x, bytes);
            }
        }
        VEC_UNROLL(12)
        for (int t = 0; t < 2 * n; t++) s[t] = vi_dot_end(s[t], sum[t], bytes);
    }
}

/* The same by products of sums. */
VEC_FN void mm_twin_sums(const int tt, const int n, const unsigned char *const *w, const unsigned char *q, vi *s)
{
    VEC_UNROLL(8)
    for (int j = 0; j < 8; j++) {
        const unsigned char *a = w[0] + j * 8 * VLEN, *b = w[1] + j * 8 * VLEN;
        const vi a0 = vi_load(a), a1 = vi_load(a + 4 * VLEN), b0 = vi_load(b), b1 = vi_load(b + 4 * VLEN);
        VEC_UNROLL(4)
        for (int t = 0; t < n; t++) {
            const unsigned char *at = q + (j * tt + t) * 8;
            const vi x0 = vi_set1(mm_word(at)), x1 = vi_set1(mm_word(at + 4));
            s[2 * t] = vi_dot_sums(s[2 * t], x0, a0, x1, a1);
            s[2 * t + 1] = vi_dot_sums(s[2 * t + 1], x0, b0, x1, b1);
        }
    }
    const vi a = vi_load(w[0] - 4 * VLEN), b = vi_load(w[1] - 4 * VLEN);
    VEC_UNROLL(4)
    for (int t = 0; t < n; t++) {
        s[2 * t] = vi_add(s[2 * t], a);
        s[2 * t + 1] = vi_add(s[2 * t + 1], b);
    }
}

/* A chunk by n tokens from token `first` on, as mm_chunk has it for one panel. w: its headers. */
VEC_FN void mm_twin_chunk(const cpu_panel_format *f, const int tt, const int n, const unsigned char *const *w,
                          const unsigned char *x, int64_t first, float *c)
{
    const bool minimum = cpu_panel_has_minimum(f), begins = !minimum;
    const int64_t header = cpu_panel_header(f) * VLEN, minima = minimum ? f->groups : 0;
    const unsigned char *scale = x + first * 4, *words = scale + tt * 4;
    const unsigned char *q = x + tt * mm_x_head(f) + first * (f->bits == 16 ? 8 : 4);
    const unsigned char *const codes[2] = { w[0] + header, w[1] + header };
    vf part[12], m[2][2];
    VEC_UNROLL(2)
    for (int g = 0; g < f->groups; g++) {
        vi s[12];
        VEC_UNROLL(12)
        for (int t = 0; t < 2 * n; t++) s[t] = vi_set1(begins ? mm_word(words + (g * tt + t / 2) * 4) : 0);
        if (f->bits == 16) mm_twin_sums(tt, n, codes, q, s);
        else mm_twin_group(f, tt, n, codes, q, g, s);
        vf d[2];
        mm_scale(f, w[0], 0, g, &d[0], &m[0][g]);
        mm_scale(f, w[1], 0, g, &d[1], &m[1][g]);
        VEC_UNROLL(12)
        for (int t = 0; t < 2 * n; t++) {
            if (g == 0) part[t] = vi_to_vf(s[t]) * d[t % 2];
            else part[t] = vf_fma(vi_to_vf(s[t]), d[t % 2], part[t]);
        }
    }
    VEC_UNROLL(12)
    for (int t = 0; t < 2 * n; t++) {
        float *to = c + (t % 2 * tt + first + t / 2) * VLEN;
        vf sum = vf_fma(part[t], vf_set1(mm_float(scale + t / 2 * 4)), vf_load(to));
        VEC_UNROLL(2)
        for (int g = 0; g < minima; g++)
            sum = vf_fma(m[t % 2][g], vf_set1(mm_float(words + (g * tt + t / 2) * 4)), sum);
        vf_store(to, sum);
    }
}

VEC_FN void mm_twin_blocks(const cpu_panel_format *f, const int tt, const unsigned char *const *w,
                           const unsigned char *x, float *c, int64_t k, bool add)
{
    const int64_t bytes = (cpu_panel_header(f) + cpu_panel_chunk(f)) * VLEN;
    const int n = mm_twin_step(f, tt);
    const unsigned char *at[2] = { w[0], w[1] };
    if (!add) memset(c, 0, (size_t)(2 * tt * VLEN) * sizeof *c);
    for (int64_t i = 0; i < k; i += CPU_CHUNK, at[0] += bytes, at[1] += bytes, x += tt * mm_x_chunk(f))
        for (int64_t t = 0; t < tt; t += n) mm_twin_chunk(f, tt, n, at, x, t, c);
}

/* Floats, [k][VLEN] of w and [k][tt] of x. */
VEC_FN void mm_twin_floats(const int tt, const unsigned char *const *w, const unsigned char *xp, float *c, int64_t k,
                           bool add)
{
    const float *a = (const float *)(const void *)w[0], *b = (const float *)(const void *)w[1];
    const int n = tt % 6 == 0 ? 6 : 4;
    for (int first = 0; first < tt; first += n) {
        const float *x = (const float *)(const void *)xp + first;
        float *to = c + first * VLEN;
        vf sum[12];
        VEC_UNROLL(12)
        for (int t = 0; t < 2 * n; t++) sum[t] = vf_set1(0);
        for (int64_t i = 0; i < k; i += 2, x += 2 * tt) {
            VEC_UNROLL(2)
            for (int64_t j = 0; j < 2; j++) {
                const vf p = vf_load(a + (i + j) * VLEN), q = vf_load(b + (i + j) * VLEN);
                VEC_UNROLL(6)
                for (int t = 0; t < n; t++) {
                    const vf v = vf_set1(x[j * tt + t]);
                    sum[2 * t] = vf_fma(p, v, sum[2 * t]);
                    sum[2 * t + 1] = vf_fma(q, v, sum[2 * t + 1]);
                }
            }
        }
        VEC_UNROLL(12)
        for (int t = 0; t < 2 * n; t++) {
            float *at = to + (t % 2 * tt + t / 2) * VLEN;
            if (add) sum[t] += vf_load(at);
            vf_store(at, sum[t]);
        }
    }
}

/* Panels into pairs of 16 bits: per chunk { f32 d[R]; int32 less[R]; then for each quad the second and fourth of its
 * numbers, and the first and third, int16 [2][R][2] }; less: what the products have too much of w. */
VEC_FN void mm_summands(const cpu_panel_format *f, const unsigned char *w, int64_t k, unsigned char *out)
{
    const vi table = mm_table(f);
    for (int64_t left = k / CPU_CHUNK, n; left > 0; left -= n) {
        const unsigned char *header = w;
        w += cpu_panel_header(f) * VLEN;
        n = left < f->span ? left : f->span;
        for (int64_t c = 0; c < n; c++, w += cpu_panel_chunk(f) * VLEN) {
            unsigned char *less = out + 4 * VLEN;
            vi sum = vi_set1(0);
            vf d, m;
            mm_scale(f, header, c, 0, &d, &m);
            vf_store((float *)(void *)out, d);
            out += 8 * VLEN;
            VEC_UNROLL(8)
            for (int g = 0; g < 8; g++, out += 8 * VLEN) {
                const vi v = mm_quad(f, table, w, g), odd = vi_odd_bytes(v), even = vi_even_bytes(v);
                vi_store(out, odd);
                vi_store(out + 4 * VLEN, even);
                sum = vi_add(sum, vi_products(odd, even));
            }
            vi_store(less, vi_sub(vi_set1(0), sum));
        }
    }
}

/* A token's chunk of x to match them: pairs [8][tt][2], and at `start` what sums begin with. */
static void mm_x_summands(const int8_t q[CPU_CHUNK], int tt, int t, unsigned char *start, unsigned char *out)
{
    int16_t pair[2][2 * VLEN];
    int32_t sum = 0;
    for (int i = 0; i < CPU_CHUNK; i += 4 * VLEN) {
        const vi v = vi_load(q + i), even = vi_even_bytes(v), odd = vi_odd_bytes(v);
        vi_store(pair[0], even);
        vi_store(pair[1], odd);
        sum -= vi_sum(vi_products(even, odd));
        for (int j = 0; j < VLEN; j++) {
            unsigned char *to = out + ((i / 4 + j) * tt + t) * 8;
            memcpy(to, pair[0] + 2 * j, 4);
            memcpy(to + 4, pair[1] + 2 * j, 4);
        }
    }
    memcpy(start, &sum, 4);
}

/* Floats of 16 bits to those of 32. */
VEC_FN void mm_float_panel(mm_format f, const unsigned char *w, int64_t k, unsigned char *out)
{
    float *to = (float *)(void *)out;
    for (int64_t i = 0; i < k; i += 2, to += 2 * VLEN) {
        vf a, b;
        mm_pair(f, w, i, &a, &b);
        vf_store(to, a);
        vf_store(to + VLEN, b);
    }
}

/* ---- the tables: by format and tile size, and by type of weights ---- */

enum { MM_TWIN_LEAST = 2 }; /* index of the smallest tile */

#define MM_TWIN(name, tt, call)                                                                    \
    static void name##_##tt(const unsigned char *const *w, const unsigned char *x, float *c, int64_t k, bool add) \
    {                                                                                              \
        call;                                                                                      \
    }
#define MM_TWIN_OF(id, tt) MM_TWIN(mm_twin_##id, tt, mm_twin_blocks(&cpu_panel_##id, tt, w, x, c, k, add))
#define MM_TWIN_TURN(name, call)                                                                   \
    static void name(const unsigned char *w, int64_t k, unsigned char *out) { call; }

MM_TWIN(mm_twin_F32, 4, mm_twin_floats(4, w, x, c, k, add))
MM_TWIN(mm_twin_F32, 8, mm_twin_floats(8, w, x, c, k, add))
MM_TWIN(mm_twin_F32, 12, mm_twin_floats(12, w, x, c, k, add))
MM_TWIN_TURN(mm_twin_of_F16, mm_float_panel(MM_F16, w, k, out))
MM_TWIN_TURN(mm_twin_of_BF16, mm_float_panel(MM_BF16, w, k, out))
#define CPU_WIDE(id, groups, minimum, most) MM_TWIN_OF(id, 4) MM_TWIN_OF(id, 8) MM_TWIN_OF(id, 12)
#define CPU_TWIN(id, bits, scale, most)      MM_TWIN_OF(id, 4) MM_TWIN_OF(id, 8) MM_TWIN_OF(id, 12)
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin)             \
    MM_TWIN_TURN(mm_twin_of_##id,                                                                  \
                 if (most == 127 && MM_SIGNED_AS == MM_W8_SUMS) mm_summands(&cpu_panel_##id, w, k, out); \
                 else mm_widen(&cpu_panel_##id, w, k, out))
#include "panel.def"

static mm_twin *const mm_twins[MM_FORMAT_COUNT][5] = {
#define MM_TWIN_ROW(id) [MM_##id] = { [2] = mm_twin_##id##_4, mm_twin_##id##_8, mm_twin_##id##_12 },
    MM_TWIN_ROW(F32)
#define CPU_WIDE(id, groups, minimum, most) MM_TWIN_ROW(id)
#define CPU_TWIN(id, bits, scale, most)      MM_TWIN_ROW(id)
#include "panel.def"
};

static const struct mm_twin_kind {
    mm_format format;
    mm_turn *turn; /* NULL: panels lie so */
} mm_twin_kinds[WEFT_DTYPE_COUNT] = {
    [WEFT_F32] = { MM_F32, NULL },
    [WEFT_F16] = { MM_F32, mm_twin_of_F16 },
    [WEFT_BF16] = { MM_F32, mm_twin_of_BF16 },
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin)             \
    [WEFT_##id] = { most == 127 ? MM_SIGNED_AS : MM_##twin, mm_twin_of_##id },
#include "panel.def"
};

#endif
