/* k_vec_products.h: what k_vec_rows.h leaves: products with rows and matrices, online softmax
 * over columns, and the set itself. A tile of a product is GEMM_HIGH rows by GEMM_WIDE vectors,
 * as many as the registers hold. */
#ifndef CPU_K_VEC_PRODUCTS_H
#define CPU_K_VEC_PRODUCTS_H

#include "k_vec_rows.h"

/* Rows mostly come from memory: the one that is FAR rows behind row j is asked for, as processors' own prefetching ends
 * with each page. It may lie behind the last one, where nothing is read. */
enum { FAR = 8, STRIP = 8, SOME_ROWS = 32 }; /* STRIP: vectors of a strip */

VEC_FN void fetch_row(const void *rows, int64_t j, int64_t stride, int64_t d, int64_t size)
{
    const uintptr_t at = (uintptr_t)rows + (uintptr_t)((j + FAR) * stride * size);
    for (int64_t i = 0; i < d * size; i += 64) __builtin_prefetch((const void *)(at + (uintptr_t)i), 0, 3);
}

/* Four rows at a time, so that the loads of q are shared and the sums are independent. */
VEC_FN void dot_rows_of(weft_dtype t, bool fetch, float *s, const float *q, const void *k, int64_t rows, int64_t d,
                        int64_t stride)
{
    int64_t j = 0, full = d - d % LANES;
    for (; j < rows; j += 4) {
        int64_t n = rows - j < 4 ? rows - j : 4, at[4];
        vf r[4];
        for (int i = 0; i < 4; i++) {
            at[i] = (j + (i < n ? i : 0)) * stride;
            r[i] = vf_set1(0);
            if (fetch) fetch_row(k, j + i, stride, d, t == WEFT_F32 ? 4 : 2);
        }
        for (int64_t l = 0; l < full; l += LANES) {
            vf x = vf_load(q + l);
            for (int i = 0; i < 4; i++) r[i] = vf_fma(x, load_as(t, k, at[i] + l), r[i]);
        }
        if (full < d) {
            vf x = vf_load_n(q + full, d - full);
            for (int i = 0; i < 4; i++)
                r[i] = vf_fma(x, load_as_n(t, k, at[i] + full, d - full), r[i]);
        }
        float sums[4];
        vf_sum4(sums, r);
        memcpy(s + j, sums, (size_t)n * sizeof *s);
    }
}

/* Short rows follow one another too fast for it to pay that they are asked for. */
VEC_FN void dot_rows_as(weft_dtype t, float *s, const float *q, const void *k, int64_t rows, int64_t d, int64_t stride)
{
    if (d * (t == WEFT_F32 ? 4 : 2) < 256) dot_rows_of(t, false, s, q, k, rows, d, stride);
    else dot_rows_of(t, true, s, q, k, rows, d, stride);
}

/* Pieces of rows that no vector load reads are brought into floats first. */
enum { PIECE_ROWS = 4, PIECE = 256 }; /* PIECE: whole blocks of every type */

static void load_piece(float piece[][PIECE], const void *rows, weft_dtype t, int64_t n, int64_t len,
                       int64_t stride)
{
    for (int64_t i = 0; i < n; i++)
        load(piece[i], (const char *)rows + cpu_bytes(t, i * stride), t, len);
}

static void dot_rows_by_piece(float *s, const float *q, const void *k, weft_dtype t, int64_t rows,
                              int64_t d, int64_t stride)
{
    float piece[PIECE_ROWS][PIECE], part[PIECE_ROWS];
    for (int64_t j = 0; j < rows; j += PIECE_ROWS) {
        int64_t n = rows - j < PIECE_ROWS ? rows - j : PIECE_ROWS;
        for (int64_t at = 0; at < d; at += PIECE) {
            int64_t len = d - at < PIECE ? d - at : PIECE;
            load_piece(piece, (const char *)k + cpu_bytes(t, j * stride + at), t, n, len, stride);
            dot_rows_as(WEFT_F32, part, q + at, piece, n, len, PIECE);
            for (int64_t i = 0; i < n; i++) s[j + i] = at ? s[j + i] + part[i] : part[i];
        }
    }
}

static void dot_rows(float *s, const float *q, const void *k, weft_dtype t, int64_t rows, int64_t d,
                     int64_t stride)
{
    if (t == WEFT_F32)
        dot_rows_as(WEFT_F32, s, q, k, rows, d, stride);
    else if (t == WEFT_F16)
        dot_rows_as(WEFT_F16, s, q, k, rows, d, stride);
    else if (t == WEFT_BF16)
        dot_rows_as(WEFT_BF16, s, q, k, rows, d, stride);
#define USE(type)       \
    else if (t == type) \
        dot_units(type, s, q, k, rows, d, stride);
    UNIT_TYPES(USE)
#undef USE
    else
        dot_rows_by_piece(s, q, k, t, rows, d, stride);
}

/* `wide` vectors of o stay in registers while all rows pass; the first strip of rows of d asks for what comes. */
VEC_FN void add_rows_strip(weft_dtype t, int wide, bool first, float *o, const float *p, const void *v, int64_t rows,
                           int64_t d, int64_t stride)
{
    vf r[STRIP];
    VEC_UNROLL(8)
    for (int i = 0; i < wide; i++) r[i] = vf_load(o + i * LANES);
    for (int64_t j = 0; j < rows; j++) {
        vf w = vf_set1(p[j]);
        if (first) fetch_row(v, j, stride, d, t == WEFT_F32 ? 4 : 2);
        VEC_UNROLL(8)
        for (int i = 0; i < wide; i++) r[i] = vf_fma(w, load_as(t, v, j * stride + i * LANES), r[i]);
    }
    VEC_UNROLL(8)
    for (int i = 0; i < wide; i++) vf_store(o + i * LANES, r[i]);
}

VEC_FN void add_some_rows(weft_dtype t, float *o, const float *p, const char *x, int64_t rows, int64_t d,
                          int64_t stride)
{
    int64_t i = 0, size = t == WEFT_F32 ? 4 : 2;
    for (; i + STRIP * LANES <= d; i += STRIP * LANES)
        add_rows_strip(t, STRIP, i == 0, o + i, p, x + i * size, rows, d, stride);
    for (; i + LANES <= d; i += LANES) add_rows_strip(t, 1, false, o + i, p, x + i * size, rows, d, stride);
    if (i == d) return;
    vf r = vf_load_n(o + i, d - i);
    for (int64_t j = 0; j < rows; j++)
        r = vf_fma(vf_set1(p[j]), load_as_n(t, x, j * stride + i, d - i), r);
    vf_store_n(o + i, r, d - i);
}

/* A few rows at a time, which stay in the first-level cache while all strips of them pass. */
VEC_FN void add_rows_as(weft_dtype t, float *o, const float *p, const void *v, int64_t rows, int64_t d, int64_t stride)
{
    const int64_t size = t == WEFT_F32 ? 4 : 2, few = d <= STRIP * LANES ? rows : SOME_ROWS;
    for (int64_t j = 0; j < rows; j += few)
        add_some_rows(t, o, p + j, (const char *)v + j * stride * size, rows - j < few ? rows - j : few, d, stride);
}

static void add_rows_by_piece(float *o, const float *p, const void *v, weft_dtype t, int64_t rows,
                              int64_t d, int64_t stride)
{
    float piece[PIECE_ROWS][PIECE];
    for (int64_t at = 0; at < d; at += PIECE) {
        int64_t len = d - at < PIECE ? d - at : PIECE;
        for (int64_t j = 0; j < rows; j += PIECE_ROWS) {
            int64_t n = rows - j < PIECE_ROWS ? rows - j : PIECE_ROWS;
            load_piece(piece, (const char *)v + cpu_bytes(t, j * stride + at), t, n, len, stride);
            add_rows_as(WEFT_F32, o + at, p + j, piece, n, len, PIECE);
        }
    }
}

static void add_rows(float *o, const float *p, const void *v, weft_dtype t, int64_t rows, int64_t d,
                     int64_t stride)
{
    if (t == WEFT_F32)
        add_rows_as(WEFT_F32, o, p, v, rows, d, stride);
    else if (t == WEFT_F16)
        add_rows_as(WEFT_F16, o, p, v, rows, d, stride);
    else if (t == WEFT_BF16)
        add_rows_as(WEFT_BF16, o, p, v, rows, d, stride);
#define USE(type)       \
    else if (t == type) \
        add_units(type, o, p, v, rows, d, stride);
    UNIT_TYPES(USE)
#undef USE
    else
        add_rows_by_piece(o, p, v, t, rows, d, stride);
}

/* A tile of `high` rows and `wide` vectors of c in registers; high and wide are constants where
 * this is inlined. */
VEC_FN void gemm_tile(int high, int wide, int64_t k, const float *a, int64_t ai, int64_t ak,
                      const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
    vf r[GEMM_HIGH][GEMM_WIDE];
    for (int i = 0; i < high; i++)
        for (int j = 0; j < wide; j++)
            r[i][j] = add ? vf_load(c + i * ldc + j * LANES) : vf_set1(0);
    for (int64_t l = 0; l < k; l++) {
        vf x[GEMM_WIDE];
        for (int j = 0; j < wide; j++) x[j] = vf_load(b + l * ldb + j * LANES);
        for (int i = 0; i < high; i++) {
            vf w = vf_set1(a[i * ai + l * ak]);
            for (int j = 0; j < wide; j++) r[i][j] = vf_fma(w, x[j], r[i][j]);
        }
    }
    for (int i = 0; i < high; i++)
        for (int j = 0; j < wide; j++) vf_store(c + i * ldc + j * LANES, r[i][j]);
}

VEC_FN void gemm_columns(int wide, int64_t m, int64_t k, const float *a, int64_t ai, int64_t ak,
                         const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
    int64_t i = 0;
    for (; i + GEMM_HIGH <= m; i += GEMM_HIGH)
        gemm_tile(GEMM_HIGH, wide, k, a + i * ai, ai, ak, b, ldb, c + i * ldc, ldc, add);
    for (; i + 2 <= m; i += 2)
        gemm_tile(2, wide, k, a + i * ai, ai, ak, b, ldb, c + i * ldc, ldc, add);
    if (i < m) gemm_tile(1, wide, k, a + i * ai, ai, ak, b, ldb, c + i * ldc, ldc, add);
}

static void gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t ai, int64_t ak,
                 const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
    int64_t j = 0;
    for (; j + GEMM_WIDE * LANES <= n; j += GEMM_WIDE * LANES)
        gemm_columns(GEMM_WIDE, m, k, a, ai, ak, b + j, ldb, c + j, ldc, add);
    for (; j < n; j += CPU_VEC_PAD)
        gemm_columns(CPU_VEC_PAD / VLEN, m, k, a, ai, ak, b + j, ldb, c + j, ldc, add);
}

VEC_FN void soften_as(bool masked, float *s, int64_t cells, int64_t n, float *max_, float *sum_,
                      float *correct, const float *lo, const float *hi)
{
    for (int64_t q = 0; q < n; q += LANES) {
        vf old = vf_load(max_ + q), m = old, total = vf_set1(0), never = vf_set1(-__builtin_inff());
        vf from = masked ? vf_load(lo + q) : old, to = masked ? vf_load(hi + q) : old;
        for (int64_t j = 0; j < cells; j++) {
            vf x = vf_load(s + j * n + q);
            if (masked) {
                vf at = vf_set1((float)j);
                x = vf_if_lt(at, from, never, vf_if_lt(at, to, x, never));
                vf_store(s + j * n + q, x);
            }
            m = max_of(x, m);
        }
        for (int64_t j = 0; j < cells; j++) {
            vf w = vf_exp(vf_load(s + j * n + q) - m);
            vf_store(s + j * n + q, w);
            total += w;
        }
        vf c = vf_exp(old - m);
        vf_store(max_ + q, m);
        vf_store(correct + q, c);
        vf_store(sum_ + q, vf_fma(vf_load(sum_ + q), c, total));
    }
}

static void soften(float *s, int64_t cells, int64_t n, float *max_, float *sum_, float *correct,
                   const float *lo, const float *hi)
{
    if (lo)
        soften_as(true, s, cells, n, max_, sum_, correct, lo, hi);
    else
        soften_as(false, s, cells, n, max_, sum_, correct, lo, hi);
}

const cpu_vec_ops CPU_NAME(cpu_vec) = {
    .load = load,
    .store = store,
    .map = map,
    .sum = sum,
    .sum_squares = sum_squares,
    .max = max,
    .find = find,
    .normalise = normalise,
    .exp_sum = exp_sum,
    .rotate = rotate,
    .dot_rows = dot_rows,
    .add_rows = add_rows,
    .gemm = gemm,
    .soften = soften,
};

#endif
