/* k_matmul_tile.h: the packed matrix multiplication (k_matmul.h says how it goes), included by one file per instruction
 * set, which chooses the widest tiles its registers hold before including it:
 *   MM_ISA     its cpu_isa
 *   MM_TILE_F  tokens of a tile for f32 sums: 24, 12 or 4     MM_TILE_Q  the same for int8: 12, 8 or 4
 * Its one data structure is mm_plan: the operands, how they are read, and where this thread's memory is. */
#ifndef CPU_K_MATMUL_TILE_H
#define CPU_K_MATMUL_TILE_H

#include <math.h>

#include "k_matmul_micro.h"
#include "pack.h"
#include "vec_ops.h"
#include "vmath.h"

#define MM_TOKENS 768 /* of a token block: their sums for MM_GROUP panels stay in the second-level cache */
#define MM_GROUP  4   /* panels that share a tile of x while it is in the first-level cache */
#define MM_RAW_K  256 /* K block of f32 tiles and of unpacked panels; short sums are also more accurate */
#define MM_INT_K  1024
#define MM_PREP_K    1024 /* K block of the preparation of x that a thread claims, */
#define MM_PREP_STEP 256  /* and what it does of it at once */

enum { MM_SIZES = 6 };
static const int mm_tile_size[MM_SIZES] = { 1, 2, 4, 8, 12, 24 };

/* The micro-kernels, by format and tile size; NULL where tiles are never that wide. */
#define MM_SET(name, call_of)                                                                      \
    MM_MICRO(name, 1, call_of(1)) MM_MICRO(name, 2, call_of(2)) MM_MICRO(name, 4, call_of(4))
#define MM_F32_OF(tt)  mm_floats(MM_F32, tt, w, x, c, k, add)
#define MM_F16_OF(tt)  mm_floats(MM_F16, tt, w, x, c, k, add)
#define MM_BF16_OF(tt) mm_floats(MM_BF16, tt, w, x, c, k, add)
#define MM_DOT_OF(tt)  mm_bf16_dot(tt, w, x, c, k, add)
#define MM_Q8_OF(tt)   mm_blocks(MM_Q8, tt, w, x, c, k, add)
#define MM_Q4_OF(tt)   mm_blocks(MM_Q4, tt, w, x, c, k, add)
MM_SET(mm_f32, MM_F32_OF)
MM_SET(mm_f16, MM_F16_OF)
MM_SET(mm_bf16, MM_BF16_OF)
MM_SET(mm_q8, MM_Q8_OF)
MM_SET(mm_q4, MM_Q4_OF)
#if MM_TILE_F >= 12
MM_MICRO(mm_f32, 8, MM_F32_OF(8))
MM_MICRO(mm_f16, 8, MM_F16_OF(8))
MM_MICRO(mm_bf16, 8, MM_BF16_OF(8))
MM_MICRO(mm_f32, 12, MM_F32_OF(12))
MM_MICRO(mm_f16, 12, MM_F16_OF(12))
MM_MICRO(mm_bf16, 12, MM_BF16_OF(12))
#define MM_ROW_12(name) name##_8, name##_12
#else
#define MM_ROW_12(name) NULL, NULL
#endif
#if MM_TILE_F >= 24
MM_MICRO(mm_f32, 24, MM_F32_OF(24))
MM_MICRO(mm_f16, 24, MM_F16_OF(24))
MM_MICRO(mm_bf16, 24, MM_BF16_OF(24))
#define MM_ROW_24(name) name##_24
#else
#define MM_ROW_24(name) NULL
#endif
#if MM_TILE_Q >= 8
MM_MICRO(mm_q8, 8, MM_Q8_OF(8))
MM_MICRO(mm_q4, 8, MM_Q4_OF(8))
#define MM_ROW_Q8(name) name##_8
#else
#define MM_ROW_Q8(name) NULL
#endif
#if MM_TILE_Q >= 12
MM_MICRO(mm_q8, 12, MM_Q8_OF(12))
MM_MICRO(mm_q4, 12, MM_Q4_OF(12))
#define MM_ROW_Q12(name) name##_12
#else
#define MM_ROW_Q12(name) NULL
#endif
#ifdef VEC_BF16_DOT
MM_SET(mm_dot, MM_DOT_OF)
MM_MICRO(mm_dot, 8, MM_DOT_OF(8))
MM_MICRO(mm_dot, 12, MM_DOT_OF(12))
MM_MICRO(mm_dot, 24, MM_DOT_OF(24))
#endif

static mm_micro *const mm_micros[MM_FORMAT_COUNT][MM_SIZES] = {
    [MM_F32] = { mm_f32_1, mm_f32_2, mm_f32_4, MM_ROW_12(mm_f32), MM_ROW_24(mm_f32) },
    [MM_F16] = { mm_f16_1, mm_f16_2, mm_f16_4, MM_ROW_12(mm_f16), MM_ROW_24(mm_f16) },
    [MM_BF16] = { mm_bf16_1, mm_bf16_2, mm_bf16_4, MM_ROW_12(mm_bf16), MM_ROW_24(mm_bf16) },
#ifdef VEC_BF16_DOT
    [MM_BF16_DOT] = { mm_dot_1, mm_dot_2, mm_dot_4, mm_dot_8, mm_dot_12, mm_dot_24 },
#endif
    [MM_Q8] = { mm_q8_1, mm_q8_2, mm_q8_4, MM_ROW_Q8(mm_q8), MM_ROW_Q12(mm_q8), NULL },
    [MM_Q4] = { mm_q4_1, mm_q4_2, mm_q4_4, MM_ROW_Q8(mm_q4), MM_ROW_Q12(mm_q4), NULL },
};

typedef struct mm_plan {
    const cpu_call *c;
    mm_operands m;
    mm_format format;     /* of the micro-kernels */
    bool unpack;          /* block formats with float activations: panels are turned into f32 first */
    int widest;           /* tile */
    int narrowest;        /* index of the smallest tile in use */
    bool alone;           /* one token, prepared by the thread that uses it */
    int64_t k_even;       /* K, rounded up to even */
    int64_t k_block, panels, group, tokens_block;
    uint64_t stride;      /* bytes of a panel */
    const unsigned char *w, *up; /* the first panel; of the second matrix, or NULL */
    const int32_t *order; /* the row of y of each token; NULL: as they lie */
    int64_t share;        /* rows of y, by order, that have one row of x */
    unsigned char *x;     /* tiles, in order of tokens */
    float *sums;          /* [tile][panel of group][tt][VLEN] */
    float *unpacked;      /* [panel of group][k_block][VLEN] */
} mm_plan;

static int64_t round_64(int64_t n) { return (n + 63) & ~(int64_t)63; }

static bool mm_is_int(mm_format f) { return f == MM_Q8 || f == MM_Q4; }

/* Bytes of n tokens' first k elements in x's tiles. */
static int64_t mm_x_bytes(mm_format f, int64_t n, int64_t k)
{
    return mm_is_int(f) ? n * (k / MM_BLOCK) * (8 + MM_BLOCK) : n * k * (f == MM_BF16_DOT ? 2 : 4);
}

/* Bytes of a panel's first k elements; for block formats k is a multiple of two blocks. */
static int64_t mm_w_bytes(weft_dtype t, int64_t k)
{
    switch (t) {
    case WEFT_F32: return k * VLEN * 4;
    case WEFT_Q8_0: return k / MM_BLOCK * VLEN * (2 + 32);
    case WEFT_Q4_0: return k / MM_BLOCK * VLEN * (2 + 16);
    default: return k * VLEN * 2;
    }
}

static mm_format mm_format_of(weft_dtype t, bool exact)
{
    switch (t) {
    case WEFT_F16: return MM_F16;
#ifdef VEC_BF16_DOT
    case WEFT_BF16: return exact || !vec_has_bf16_dot() ? MM_BF16 : MM_BF16_DOT;
#else
    case WEFT_BF16: return MM_BF16;
#endif
    case WEFT_Q8_0: return exact ? MM_F32 : MM_Q8;
    case WEFT_Q4_0: return exact ? MM_F32 : MM_Q4;
    default: return MM_F32;
    }
}

/* Index of the tile size for `left` tokens: the widest that they fill, or the narrowest that holds a rest. */
static int mm_size_for(const mm_plan *p, int64_t left)
{
    int i = p->narrowest;
    if (left >= p->widest) left = p->widest;
    else if (left > 12) left = 12;
    while (mm_tile_size[i] < left) i++;
    return i;
}

/* Everything but the pointers. */
static void mm_plan_init(const cpu_call *c, mm_plan *p)
{
    *p = (mm_plan){ .c = c, .share = 1 };
    cpu_mm_operands(c, &p->m);
    p->w = p->m.w->data;
    p->up = p->m.up ? p->m.up->data : NULL;
    p->format = mm_format_of(p->m.w->dtype, c->exact);
    p->unpack = c->exact && weft_dtype_get(p->m.w->dtype)->class_ == WEFT_DTYPE_BLOCK;
    p->widest = mm_is_int(p->format) ? MM_TILE_Q : MM_TILE_F;
    p->k_even = p->m.k + (p->m.k & 1);
    const int64_t pair = p->m.up ? 2 : 1; /* panels that one result needs */
    p->panels = (p->m.n + VLEN - 1) / VLEN * pair;
    p->stride = cpu_panel_stride(c->isa, p->m.w->dtype, p->m.k);
    p->k_block = mm_is_int(p->format) ? MM_INT_K : MM_RAW_K;
    p->alone = cpu_mm_alone(c);
    if (p->alone && !p->unpack && !c->deterministic) p->k_block = p->k_even;
    /* Deterministic: tiles that add up a token's products in one order, whatever is beside it. */
    if (c->deterministic && !mm_is_int(p->format))
        while (MM_CHAINS(mm_tile_size[p->narrowest]) != MM_CHAINS(p->widest)) p->narrowest++;
    /* A few tokens read the weights as one stream; many want the group, unless that leaves threads without work. */
    int64_t want = 4 * (int64_t)c->n_threads;
    p->tokens_block = MM_TOKENS;
    p->group = p->m.tokens > 24 ? MM_GROUP : pair;
    while (p->group > pair && p->panels / p->group < want) p->group /= 2;
    if (p->m.tokens > 24 && p->panels < want) p->tokens_block = 48;
}

static int64_t mm_sums_bytes(const mm_plan *p)
{
    int64_t tokens = p->m.tokens < p->tokens_block ? p->m.tokens : p->tokens_block;
    return (tokens + 24) * p->group * VLEN * 4;
}

static int64_t mm_unpacked_bytes(const mm_plan *p) { return p->unpack ? p->group * MM_RAW_K * VLEN * 4 : 0; }

/* What serves every number of tokens up to the bound, in which group and tokens_block are at most their defaults. */
static uint64_t mm_scratch(const cpu_call *c)
{
    mm_plan p;
    mm_plan_init(c, &p);
    if (p.m.tokens > 24) p.group = MM_GROUP;
    if (p.m.tokens > MM_TOKENS) p.tokens_block = MM_TOKENS;
    int64_t x_one = round_64(mm_x_bytes(p.format, 1, p.k_even)) + 64;
    int64_t x = round_64(mm_x_bytes(p.format, p.m.tokens + 24, p.k_even));
    int64_t own = round_64(mm_sums_bytes(&p)) + round_64(mm_unpacked_bytes(&p)) + x_one;
    return (uint64_t)(x + own * c->n_threads);
}

static void mm_place(mm_plan *p)
{
    const cpu_call *c = p->c;
    unsigned char *at = c->scratch;
    int64_t own = round_64(mm_sums_bytes(p)) + round_64(mm_unpacked_bytes(p));
    int64_t x = round_64(mm_x_bytes(p->format, p->alone ? 1 : p->m.tokens + 24, p->k_even));
    if (p->alone) { /* each thread has its own x */
        at += (own + x) * c->thread;
        p->x = at;
        at += x;
    } else {
        p->x = at;
        at += x + own * c->thread;
    }
    p->sums = (float *)(void *)at;
    p->unpacked = (float *)(void *)(at + round_64(mm_sums_bytes(p)));
}

static void *mm_x_row(const mm_plan *p, int64_t t)
{
    return cpu_mm_row(p->m.x, p->order ? p->order[t] / p->share : t);
}

/* ---- preparing x ------------------------------------------------------------------------------------------------- */

/* 32 floats to int8 with one scale; returns the sum of the bytes. Where one of them is NaN or infinite, the scale is
 * NaN, and so is what is multiplied with it: the maximum alone would pass over a NaN. */
VEC_FN int32_t mm_quantise(const float *x, int8_t *q, float *scale)
{
    vf top = vf_set1(0), nothing = vf_set1(0);
    for (int i = 0; i < MM_BLOCK; i += VLEN) {
        vf v = vf_abs(vf_load(x + i));
        top = vf_max(v, top);
        nothing = vf_fma(v, vf_set1(0), nothing);
    }
    *scale = vf_sum(nothing);
    if (*scale != 0.0f) {
        memset(q, 0, MM_BLOCK);
        return 0;
    }
    float most = vf_hmax(top);
    vf inverse = vf_set1(most > 0 ? 127.0f / most : 0.0f);
    vi sum = vi_set1(0);
    for (int i = 0; i < MM_BLOCK; i += VLEN) {
        vi v = vf_to_vi(vf_load(x + i) * inverse);
        vi_store_i8(q + i, v);
        sum = vi_add(sum, v);
    }
    *scale = most / 127.0f;
    return vi_sum(sum);
}

/* k elements (whole blocks) of token t of a tile as int8 blocks; x NULL is zeros. */
static void mm_prepare_int(int32_t bias, const float *x, int tt, int t, int64_t k, unsigned char *out)
{
    for (int64_t i = 0; i < k; i += MM_BLOCK, out += tt * (8 + MM_BLOCK)) {
        int8_t q[MM_BLOCK] = { 0 };
        float scale = 0;
        int32_t start = 0;
        if (x) start = -bias * mm_quantise(x + i, q, &scale);
        memcpy(out + 4 * t, &scale, 4);
        memcpy(out + 4 * (tt + t), &start, 4);
        for (int g = 0; g < 8; g++) memcpy(out + 4 * (2 * tt + g * tt + t), q + 4 * g, 4);
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
    if (p->m.gain) mm_measure(p, t0, tt, &norm);
    for (int64_t end = k0 + k; k0 < end; k0 += MM_PREP_STEP) {
        const int64_t n = k0 + MM_PREP_STEP < end ? MM_PREP_STEP : end - k0;
        const int64_t inside = k0 + n < p->m.k ? n : p->m.k - k0;
        if (p->m.gain) mm_take_gains(p, k0, inside, &norm);
        if (squares) mm_prepare_squares(p, &norm, t0, tt, k0, n, inside, (float *)(void *)out);
        for (int t = 0; t < tt && !squares; t++) {
            const bool real = t0 + t < p->m.tokens;
            const float *x = real ? mm_row_of(p, &norm, t0, t, k0, inside, buf) : NULL;
            if (mm_is_int(p->format))
                mm_prepare_int(p->format == MM_Q8 ? VEC_Q8_BIAS : 8, x, tt, t, n, out);
            else if (!floats)
                mm_prepare_bf16(x, tt, t, n, real ? inside : 0, (uint16_t *)(void *)out);
            else
                mm_prepare_f32(x, tt, t, n, real ? inside : 0, (float *)(void *)out);
        }
        out += mm_x_bytes(p->format, tt, n);
    }
}

/* One token, by the thread that uses it: the row as it is, if it can be. */
static void mm_prepare_one(mm_plan *p)
{
    if (p->m.x->dtype == WEFT_F32 && !mm_is_int(p->format) && p->format != MM_BF16_DOT && p->m.k % 2 == 0 &&
        !p->m.gain)
        p->x = cpu_mm_row(p->m.x, 0);
    else
        mm_prepare(p, 0, 1, 0, p->k_even, p->x);
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

/* ---- multiplying ------------------------------------------------------------------------------------------------- */

/* k elements of a block-format panel from its start w as f32 [k][VLEN]. */
static void mm_unpack(weft_dtype t, const unsigned char *w, int64_t k, float *out)
{
    const bool q8 = t == WEFT_Q8_0;
    const int64_t quants = VLEN * (q8 ? 32 : 16), pair = 2 * (quants + 2 * VLEN);
    for (int64_t b = 0; b < k / MM_BLOCK; b++, out += MM_BLOCK * VLEN) {
        const unsigned char *in = w + b / 2 * pair, *quant = in + 4 * VLEN + b % 2 * quants;
        vf d = vf_load_f16((const uint16_t *)(const void *)(in + b % 2 * 2 * VLEN));
        for (int g = 0; g < (q8 ? 8 : 4); g++) {
            vi v = vi_load(quant + g * VLEN * 4);
            if (q8 && VEC_Q8_BIAS) v = vi_xor(v, (int32_t)0x80808080);
            for (unsigned j = 0; j < 4; j++) {
                float *o = out + (g * 4 + (int)j) * VLEN;
                if (q8) {
                    vf_store(o, d * vi_to_vf(vi_sar(vi_shl(v, 24 - 8 * j), 24)));
                } else {
                    vf_store(o, d * (vi_to_vf(vi_and(vi_shr(v, 8 * j), 15)) - vf_set1(8)));
                    vf_store(o + 16 * VLEN, d * (vi_to_vf(vi_and(vi_shr(v, 8 * j + 4), 15)) - vf_set1(8)));
                }
            }
        }
    }
}

/* n <= VLEN floats of the bias from n0 on. */
static vf mm_bias(const cpu_tensor *b, int64_t n0, int64_t n)
{
    const uint16_t *half = (const uint16_t *)b->data + n0;
    if (b->dtype == WEFT_F16) return vf_load_f16_n(half, n);
    if (b->dtype == WEFT_BF16) return vf_load_bf16_n(half, n);
    return vf_load_n((const float *)b->data + n0, n);
}

/* The rows of y and of the residuals for a tile of tokens. */
typedef struct mm_rows {
    int n;
    float *y[24];
    const float *residual[2][24];
} mm_rows;

static void mm_find_rows(const mm_plan *p, int64_t t0, int64_t n, mm_rows *r)
{
    r->n = (int)n;
    for (int t = 0; t < r->n; t++) {
        int64_t row = p->order ? p->order[t0 + t] : t0 + t;
        r->y[t] = cpu_mm_row(p->m.y, row);
        for (int i = 0; i < 2 && p->m.residual[i]; i++) r->residual[i][t] = cpu_mm_row(p->m.residual[i], row);
    }
}

/* Bias, activation, the gated products `up` (or NULL) and residuals for up to VLEN outputs from n0 on; then y is
 * written. */
static void mm_store(const mm_plan *p, const float *sums, const float *up, const mm_rows *r, int64_t n0)
{
    const mm_operands *m = &p->m;
    const int64_t n = m->n - n0 < VLEN ? m->n - n0 : VLEN;
    const bool full = n == VLEN;
    const vf bias = m->bias ? mm_bias(m->bias, n0, n) : vf_set1(0);
    const vf up_bias = m->up_bias ? mm_bias(m->up_bias, n0, n) : vf_set1(0);
    for (int t = 0; t < r->n; t++) {
        vf v = vf_act(m->act, vf_load(sums + t * VLEN) + bias);
        if (up) v *= vf_load(up + t * VLEN) + up_bias;
        for (int i = 0; i < 2 && m->residual[i]; i++) {
            const float *add = r->residual[i][t] + n0;
            v += full ? vf_load(add) : vf_load_n(add, n);
        }
        if (full) vf_store(r->y[t] + n0, v);
        else vf_store_n(r->y[t] + n0, v, n);
    }
}

/* Where panel i has element k0. The panels of a gated product are those of its two matrices in turn. */
static const unsigned char *mm_panel(const mm_plan *p, int64_t i, int64_t k0)
{
    const unsigned char *w = p->up && i % 2 ? p->up : p->w;
    return w + (uint64_t)(p->up ? i / 2 : i) * p->stride + mm_w_bytes(p->m.w->dtype, k0);
}

/* Panels p0..p0+np times tokens t0..t1. */
static void mm_multiply(const mm_plan *p, int64_t p0, int64_t np, int64_t t0, int64_t t1)
{
    const int64_t pair = p->up ? 2 : 1;
    for (int64_t k0 = 0; k0 < p->k_even; k0 += p->k_block) {
        int64_t k = k0 + p->k_block < p->k_even ? p->k_block : p->k_even - k0;
        const unsigned char *at[MM_GROUP];
        for (int64_t i = 0; i < np; i++) {
            float *unpacked = p->unpacked + i * MM_RAW_K * VLEN;
            at[i] = mm_panel(p, p0 + i, k0);
            if (!p->unpack) continue;
            mm_unpack(p->m.w->dtype, at[i], k, unpacked);
            at[i] = (const unsigned char *)unpacked;
        }
        for (int64_t t = t0; t < t1;) {
            int size = mm_size_for(p, p->m.tokens - t), tt = mm_tile_size[size];
            const unsigned char *x = p->x + mm_x_bytes(p->format, t, p->k_even) + mm_x_bytes(p->format, tt, k0);
            float *sums = p->sums + (t - t0) * np * VLEN;
            for (int64_t i = 0; i < np; i++)
                mm_micros[p->format][size](at[i], x, sums + i * tt * VLEN, k, k0 > 0);
            t += tt;
        }
    }
    for (int64_t t = t0; t < t1;) {
        int tt = mm_tile_size[mm_size_for(p, p->m.tokens - t)];
        mm_rows rows;
        mm_find_rows(p, t, t + tt < t1 ? tt : t1 - t, &rows);
        const float *sums = p->sums + (t - t0) * np * VLEN;
        for (int64_t i = 0; i < np; i += pair)
            mm_store(p, sums + i * tt * VLEN, p->up ? sums + (i + 1) * tt * VLEN : NULL, &rows,
                     (p0 + i) / pair * VLEN);
        t += tt;
    }
}

/* Items first..last: a group of panels times a block of tokens each. */
static void mm_items(const void *plan, int64_t first, int64_t last)
{
    const mm_plan *p = plan;
    int64_t blocks = (p->m.tokens + p->tokens_block - 1) / p->tokens_block;
    for (int64_t i = first; i < last; i++) {
        int64_t p0 = i / blocks * p->group, t0 = i % blocks * p->tokens_block;
        int64_t np = p0 + p->group < p->panels ? p->group : p->panels - p0;
        mm_multiply(p, p0, np, t0, t0 + p->tokens_block < p->m.tokens ? t0 + p->tokens_block : p->m.tokens);
    }
}

/* Divides items among the threads; run does items first..last. A stream of weights: the first half is divided evenly,
 * each thread reading one long run; the rest is claimed in pieces, so that a thread that was held up does less.
 * Compute-bound items are all claimed. */
static void mm_divide(const mm_plan *p, int64_t items, bool stream,
                      void (*run)(const void *ctx, int64_t first, int64_t last), const void *ctx)
{
    const cpu_call *c = p->c;
    int64_t even = stream ? items / 2 : 0, chunk = 1, begin, end;
    while (stream && chunk * (int64_t)p->stride < 65536 && chunk * 4 * c->n_threads < items) chunk *= 2;
    cpu_share(c, even, 1, &begin, &end);
    run(ctx, begin, end);
    while (cpu_claim(c, items - even, chunk, &begin, &end)) run(ctx, even + begin, even + end);
}

static void mm_run(const cpu_call *c)
{
    mm_plan p;
    mm_plan_init(c, &p);
    mm_place(&p);
    if (!p.alone && c->phase == 0) {
        mm_prepare_all(&p);
        return;
    }
    if (p.alone) mm_prepare_one(&p);
    int64_t items = (p.panels + p.group - 1) / p.group * ((p.m.tokens + p.tokens_block - 1) / p.tokens_block);
    mm_divide(&p, items, p.m.tokens <= 24, mm_items, &p);
}

/* Panels are as wide as the program's vectors: a kernel of a lesser instruction set cannot read them. */
static bool mm_accepts(const cpu_call *c) { return c->isa == MM_ISA && cpu_mm_accepts(c); }

static weft_arith mm_arithmetic(const cpu_call *c)
{
    const mm_format f = mm_format_of(c->in[1].dtype, c->exact);
    return mm_is_int(f) ? WEFT_ARITH_INT8 : f == MM_BF16_DOT ? WEFT_ARITH_BF16 : WEFT_ARITH_F32;
}

const cpu_kernel CPU_NAME(cpu_linear) = {
    .name = "linear",
    .run = mm_run,
    .accepts = mm_accepts,
    .scratch = mm_scratch,
    .phases = cpu_mm_phases,
    .arithmetic = mm_arithmetic,
    .need = WEFT_NEED_ROWS,
};

#endif
