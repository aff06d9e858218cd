/* k_matmul_prepare.h: rows of x as the tiles that micro-kernels read: floats, pairs of bf16 or int8 blocks, with a norm
 * applied on the way. Part of k_matmul_tile.h, after the plan. */
#ifndef CPU_K_MATMUL_PREPARE_H
#define CPU_K_MATMUL_PREPARE_H

#include <math.h>

#include "k_matmul_plan.h"
#include "vec_ops.h"

/* 32 floats to int8 with one scale; sums are those of the bytes of both halves. Where one of the floats is NaN or
 * infinite, the scale is NaN, and so is what is multiplied with it: the maximum alone would pass over a NaN. */
VEC_FN void mm_quantise(const float *x, int8_t *q, float *scale, int32_t sums[2])
{
    vf top = vf_set1(0), nothing = vf_set1(0);
    sums[0] = sums[1] = 0;
    for (int i = 0; i < CPU_CHUNK; i += VLEN) {
        vf v = vf_abs(vf_load(x + i));
        top = vf_max(v, top);
        nothing = vf_fma(v, vf_set1(0), nothing);
    }
    *scale = vf_sum(nothing);
    if (*scale != 0.0f) {
        memset(q, 0, CPU_CHUNK);
        return;
    }
    float most = vf_hmax(top);
    vf inverse = vf_set1(most > 0 ? 127.0f / most : 0.0f);
    for (int half = 0; half < 2; half++) {
        vi sum = vi_set1(0);
        for (int i = half * 16; i < half * 16 + 16; i += VLEN) {
            vi v = vf_to_vi(vf_load(x + i) * inverse);
            vi_store_i8(q + i, v);
            sum = vi_add(sum, v);
        }
        sums[half] = vi_sum(sum);
    }
    *scale = most / 127.0f;
}

/* k elements (whole chunks) of a token alone as int8, for panels of format f. */
static void mm_prepare_lone(const cpu_panel_format *f, const float *x, int64_t k, unsigned char *out)
{
    for (int64_t i = 0; i < k; i += CPU_CHUNK, out += mm_x_chunk(f)) {
        int8_t *q = (int8_t *)out + mm_x_head(f);
        float scale;
        int32_t sums[2];
        mm_quantise(x + i, q, &scale, sums);
        if (f->groups == 1) sums[0] += sums[1];
        memcpy(out, &scale, 4);
        mm_lone_words(f, q, scale, sums, out + 4);
    }
}

/* The same of token t of a tile, for weights of format `of` in panels of format f; x NULL is zeros. */
static void mm_prepare_int(const cpu_panel_format *of, const cpu_panel_format *f, const float *x, int tt, int t,
                           int64_t k, unsigned char *out)
{
    const int32_t offset = mm_offset(of);
    const bool minimum = cpu_panel_has_minimum(f);
    for (int64_t i = 0; i < k; i += CPU_CHUNK, out += tt * mm_x_chunk(f)) {
        int8_t q[CPU_CHUNK] = { 0 };
        float scale = 0;
        int32_t sums[2] = { 0 };
        if (x) mm_quantise(x + i, q, &scale, sums);
        if (f->groups == 1) sums[0] += sums[1];
        memcpy(out + 4 * t, &scale, 4);
        for (int g = 0; g < f->groups; g++) {
            const float part = scale * (float)sums[g];
            const int32_t start = -offset * sums[g];
            memcpy(out + 4 * ((g + 1) * tt + t), minimum ? (const void *)&part : &start, 4);
        }
        unsigned char *quads = out + tt * mm_x_head(f);
#ifdef MM_TWINS
        if (f->bits == 16) {
            mm_x_summands(q, tt, t, out + 4 * (tt + t), quads);
            continue;
        }
#endif
        for (int g = 0; g < 8; g++) memcpy(quads + 4 * (g * tt + t), q + 4 * g, 4);
    }
}

/* k elements, of which `real` exist and the rest are zeros, as floats or as pairs of bf16. */
static void mm_prepare_f32(const float *x, int tt, int t, int64_t k, int64_t real, float *out)
{
    for (int64_t i = 0; i < real; i++) out[i * tt + t] = x[i];
    for (int64_t i = real; i < k; i++) out[i * tt + t] = 0.0f;
}

static void mm_prepare_bf16(const float *x, int tt, int t, int64_t k, int64_t real, uint16_t *out)
{
    for (int64_t i = 0; i < k; i += VLEN) {
        uint16_t h[VLEN] = { 0 };
        int64_t n = real - i < VLEN ? real - i : VLEN;
        if (n == VLEN) vf_store_bf16(h, vf_load(x + i));
        else if (n > 0) vf_store_bf16(h, vf_load_n(x + i, n));
        for (int64_t j = 0; j < VLEN && i + j < k; j += 2) memcpy(out + (i + j) * tt + 2 * t, h + j, 4);
    }
}

/* n elements of a row from k0 on as floats, in buf unless they are floats already. */
static const float *mm_floats_of(const cpu_tensor *x, const void *row, int64_t k0, int64_t n, float *buf)
{
    if (x->dtype == WEFT_F32) return (const float *)row + k0;
    const uint16_t *h = (const uint16_t *)row + k0;
    for (int64_t i = 0; i < n; i += VLEN) {
        int64_t m = n - i < VLEN ? n - i : VLEN;
        vf_store_n(buf + i, x->dtype == WEFT_F16 ? vf_load_f16_n(h + i, m) : vf_load_bf16_n(h + i, m), m);
    }
    return buf;
}

/* The norm of a tile's rows: what each is multiplied with, and a step's gains. */
typedef struct mm_norm {
    float factor[24], buf[MM_PREP_STEP];
    const float *gain;
} mm_norm;

static void mm_measure(const mm_plan *p, int64_t t0, int tt, mm_norm *n)
{
    for (int t = 0; t < tt && t0 + t < p->m.tokens; t++) {
        float squares = cpu_vec(p->c->isa)->sum_squares(mm_x_row(p, t0 + t), p->m.k, 0.0f);
        n->factor[t] = 1.0f / sqrtf(squares / (float)p->m.k + p->m.eps);
    }
}

static void mm_take_gains(const mm_plan *p, int64_t k0, int64_t k, mm_norm *n)
{
    n->gain = mm_floats_of(p->m.gain, p->m.gain->data, k0, k, n->buf);
    if (!p->m.one_plus) return;
    for (int64_t i = 0; i < k; i++) n->buf[i] = 1.0f + n->gain[i];
    n->gain = n->buf;
}

/* k elements of row t of a tile that begins with token t0, in buf unless they are read where they are. */
static const float *mm_row_of(const mm_plan *p, const mm_norm *norm, int64_t t0, int t, int64_t k0, int64_t k,
                              float *buf)
{
    const float *x = mm_floats_of(p->m.x, mm_x_row(p, t0 + t), k0, k, buf);
    if (!p->m.gain) return x;
    cpu_vec(p->c->isa)->normalise(buf, x, k, 0.0f, norm->factor[t], norm->gain, NULL);
    return buf;
}

/* The same for whole tiles of rows that are floats: squares of four tokens by four elements. */
static void mm_prepare_squares(const mm_plan *p, const mm_norm *norm, int64_t t0, int tt, int64_t k0, int64_t k,
                               int64_t real, float *out)
{
    float buf[4][MM_PREP_STEP];
    for (int t = 0; t < tt; t += 4) {
        const float *x[4];
        int64_t i = 0;
        for (int j = 0; j < 4; j++) x[j] = mm_row_of(p, norm, t0, t + j, k0, real, buf[j]);
        for (; i + 4 <= real; i += 4) {
            vec_u32 v[4];
            VEC_UNROLL(4)
            for (int j = 0; j < 4; j++) memcpy(&v[j], x[j] + i, 16);
            vec_transpose_u32(v);
            VEC_UNROLL(4)
            for (int j = 0; j < 4; j++) memcpy(out + (i + j) * tt + t, &v[j], 16);
        }
        for (int j = 0; j < 4; j++) mm_prepare_f32(x[j] + i, tt, t + j, k - i, real - i, out + i * tt);
    }
}

/* Elements k0..k0+k of the tile of tokens t0..t0+tt; tokens that do not exist are zeros. Goes in short steps, because a
 * tile is written token by token, a few bytes every tt: what is written so must stay in the first-level cache. */
static void mm_prepare(const mm_plan *p, int64_t t0, int tt, int64_t k0, int64_t k, unsigned char *out)
{
    float buf[MM_PREP_STEP];
    mm_norm norm;
    const bool floats = !mm_is_int(p->format) && p->format != MM_BF16_DOT;
    const bool squares = floats && p->m.x->dtype == WEFT_F32 && tt % 4 == 0 && t0 + tt <= p->m.tokens;
    if (p->ahead) cpu_bring(p->ahead, MM_BRING);
    if (p->m.gain) mm_measure(p, t0, tt, &norm);
    for (int64_t end = k0 + k; k0 < end; k0 += MM_PREP_STEP) {
        if (p->ahead) cpu_bring(p->ahead, MM_BRING);
        const int64_t n = k0 + MM_PREP_STEP < end ? MM_PREP_STEP : end - k0;
        const int64_t inside = k0 + n < p->m.k ? n : p->m.k - k0;
        if (p->m.gain) mm_take_gains(p, k0, inside, &norm);
        if (squares) mm_prepare_squares(p, &norm, t0, tt, k0, n, inside, (float *)(void *)out);
        for (int t = 0; t < tt && !squares; t++) {
            const bool real = t0 + t < p->m.tokens;
            const float *x = real ? mm_row_of(p, &norm, t0, t, k0, inside, buf) : NULL;
            if (p->simple && mm_is_int(p->format))
                mm_prepare_lone(p->row, x, n, out);
            else if (mm_is_int(p->format))
                mm_prepare_int(p->row, mm_panels[p->format], x, tt, t, n, out);
            else if (!floats)
                mm_prepare_bf16(x, tt, t, n, real ? inside : 0, (uint16_t *)(void *)out);
            else
                mm_prepare_f32(x, tt, t, n, real ? inside : 0, (float *)(void *)out);
        }
        out += mm_x_bytes(p->format, tt, n);
    }
}

/* Whether a row of x is a tile of one token as it lies. */
static bool mm_is_tile(const mm_plan *p)
{
    return p->m.x->dtype == WEFT_F32 && !mm_is_int(p->format) && p->format != MM_BF16_DOT && p->m.k % 2 == 0 &&
           !p->m.gain;
}

/* One token, by the thread that uses it. */
static void mm_prepare_one(mm_plan *p)
{
    if (mm_is_tile(p)) p->x = mm_x_row(p, 0);
    else mm_prepare(p, 0, 1, 0, p->k_even, p->x);
}

/* Phase 0: every tile of x, in pieces of MM_PREP_K. */
static void mm_prepare_all(const mm_plan *p)
{
    int64_t pieces = (p->k_even + MM_PREP_K - 1) / MM_PREP_K, full = p->m.tokens / p->widest, begin, end;
    int64_t tiles = full;
    for (int64_t t = full * p->widest; t < p->m.tokens; t += mm_tile_size[mm_size_for(p, p->m.tokens - t)]) tiles++;
    while (cpu_claim(p->c, tiles * pieces, 1, &begin, &end)) {
        int64_t tile = begin / pieces, k0 = begin % pieces * MM_PREP_K, t0 = (tile < full ? tile : full) * p->widest;
        for (int64_t i = full; i < tile; i++) t0 += mm_tile_size[mm_size_for(p, p->m.tokens - t0)];
        int tt = mm_tile_size[mm_size_for(p, p->m.tokens - t0)];
        int64_t k = k0 + MM_PREP_K < p->k_even ? MM_PREP_K : p->k_even - k0;
        mm_prepare(p, t0, tt, k0, k, p->x + mm_x_bytes(p->format, t0, p->k_even) + mm_x_bytes(p->format, tt, k0));
    }
}

#endif
