/* k_vec_scalar.c: the row operations of vec_ops.h as plain loops: what a processor without a set
 * of its own runs, and the reference that --check compares the others with. Sums are kept in
 * double. */
#include <math.h>

#include "graph/convert.h"
#include "k_map_rows.h"

static void load(float *y, const void *x, weft_dtype t, int64_t n)
{
    if (y != x) (void)weft__convert_row(t, x, WEFT_F32, y, n);
}

static void store(void *y, weft_dtype t, const float *x, int64_t n)
{
    if (y != x) (void)weft__convert_row(WEFT_F32, x, t, y, n);
}

static cpu_map_fn *map(weft_op op, bool whole)
{
    return whole ? whole_map[op] : plain_map[op];
}

static float sum(const float *x, int64_t n)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += x[i];
    return (float)s;
}

static float sum_squares(const float *x, int64_t n, float centre)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += ((double)x[i] - centre) * ((double)x[i] - centre);
    return (float)s;
}

static float max(const float *x, int64_t n)
{
    float m = -INFINITY;
    for (int64_t i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
    return m;
}

static int64_t find(const float *x, int64_t from, int64_t n, float limit, bool or_equal)
{
    while (from < n && !(x[from] > limit || (or_equal && x[from] == limit))) from++;
    return from;
}

static void normalise(float *y, const float *x, int64_t n, float centre, float factor,
                      const float *w, const float *b)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - centre) * factor * (w ? w[i] : 1.0f) + (b ? b[i] : 0.0f);
}

static float exp_sum(float *y, const float *x, int64_t n, float shift)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += y[i] = expf(x[i] - shift);
    return (float)s;
}

static void rotate(float *y, const float *x, const float *angles, int64_t n, bool interleaved)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t p = interleaved ? 2 * i : i, q = interleaved ? 2 * i + 1 : i + n;
        float a = x[p], b = x[q], c = angles[2 * i], s = angles[2 * i + 1];
        y[p] = a * c - b * s;
        y[q] = b * c + a * s;
    }
}

enum { BLOCK = 256 };

/* Elements [at, at + n) of a row as floats. */
static const float *piece(const void *row, weft_dtype t, int64_t at, int64_t n, float *buf)
{
    const char *from = (const char *)row + cpu_bytes(t, at);
    if (t == WEFT_F32) return (const float *)(const void *)from;
    load(buf, from, t, n);
    return buf;
}

static void dot_rows(float *s, const float *q, const void *k, weft_dtype t, int64_t rows, int64_t d,
                     int64_t stride)
{
    for (int64_t j = 0; j < rows; j++) {
        double r = 0;
        for (int64_t at = 0; at < d; at += BLOCK) {
            float buf[BLOCK];
            int64_t n = d - at < BLOCK ? d - at : BLOCK;
            const float *x = piece(k, t, j * stride + at, n, buf);
            for (int64_t i = 0; i < n; i++) r += (double)q[at + i] * x[i];
        }
        s[j] = (float)r;
    }
}

static void add_rows(float *o, const float *p, const void *v, weft_dtype t, int64_t rows, int64_t d,
                     int64_t stride)
{
    for (int64_t at = 0; at < d; at += BLOCK) {
        double r[BLOCK];
        int64_t n = d - at < BLOCK ? d - at : BLOCK;
        for (int64_t i = 0; i < n; i++) r[i] = o[at + i];
        for (int64_t j = 0; j < rows; j++) {
            float buf[BLOCK];
            const float *x = piece(v, t, j * stride + at, n, buf);
            for (int64_t i = 0; i < n; i++) r[i] += (double)p[j] * x[i];
        }
        for (int64_t i = 0; i < n; i++) o[at + i] = (float)r[i];
    }
}

static void gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t ai, int64_t ak,
                 const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double r = add ? c[i * ldc + j] : 0.0;
            for (int64_t l = 0; l < k; l++) r += (double)a[i * ai + l * ak] * b[l * ldb + j];
            c[i * ldc + j] = (float)r;
        }
}

const cpu_vec_ops cpu_vec_scalar = {
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
};
