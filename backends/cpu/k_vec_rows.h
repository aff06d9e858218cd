/* k_vec_rows.h: the row operations of vec_ops.h over the vectors of vec.h. A file per
 * instruction set includes it, then k_vec_products.h, and so has a set. */
#ifndef CPU_K_VEC_ROWS_H
#define CPU_K_VEC_ROWS_H

#include "graph/convert.h"
#include "k_map_rows.h"
#include "k_vec_blocks.h"
#include "vmath.h"

#define LANES ((int64_t)VLEN)

/* ---- loads and stores of a type that is known when the function is inlined ---- */

VEC_FN vf load_as(weft_dtype t, const void *x, int64_t i)
{
    if (t == WEFT_F16) return vf_load_f16((const uint16_t *)x + i);
    if (t == WEFT_BF16) return vf_load_bf16((const uint16_t *)x + i);
    return vf_load((const float *)x + i);
}

VEC_FN vf load_as_n(weft_dtype t, const void *x, int64_t i, int64_t n)
{
    if (t == WEFT_F16) return vf_load_f16_n((const uint16_t *)x + i, n);
    if (t == WEFT_BF16) return vf_load_bf16_n((const uint16_t *)x + i, n);
    return vf_load_n((const float *)x + i, n);
}

VEC_FN void load_loop(weft_dtype t, float *y, const void *x, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(y + i, load_as(t, x, i));
    if (i < n) vf_store_n(y + i, load_as_n(t, x, i, n - i), n - i);
}

static void load(float *y, const void *x, weft_dtype t, int64_t n)
{
    if (t == WEFT_F16)
        load_loop(WEFT_F16, y, x, n);
    else if (t == WEFT_BF16)
        load_loop(WEFT_BF16, y, x, n);
#define USE(type)       \
    else if (t == type) \
        load_units(type, y, x, n);
    UNIT_TYPES(USE)
#undef USE
    else if (t != WEFT_F32)
        (void)weft__convert_row(t, x, WEFT_F32, y, n);
    else if (y != x)
        memcpy(y, x, (size_t)n * sizeof *y);
}

static void store(void *y, weft_dtype t, const float *x, int64_t n)
{
    uint16_t *h = y;
    int64_t i = 0;
    if (t == WEFT_F16) {
        for (; i + LANES <= n; i += LANES) vf_store_f16(h + i, vf_load(x + i));
        if (i < n) vf_store_f16_n(h + i, vf_load_n(x + i, n - i), n - i);
    } else if (t == WEFT_BF16) {
        for (; i + LANES <= n; i += LANES) vf_store_bf16(h + i, vf_load(x + i));
        if (i < n) vf_store_bf16_n(h + i, vf_load_n(x + i, n - i), n - i);
    } else if (y != x) {
        memcpy(y, x, (size_t)n * sizeof *x);
    }
}

/* ---- element-wise ---- */

#define FAST_1(load) vf x = load(in[0]);
#define FAST_2(load) FAST_1(load) vf y = load(in[1]);
#define VECTOR(row)  vf_load((const float *)(row) + i)
#define REST(row)    vf_load_n((const float *)(row) + i, n - i)
#define CPU_FAST(name, inputs, value)                                                       \
    static void fast_##name(void *to, const void *const *in, int64_t n, const float *param) \
    {                                                                                       \
        vf p = vf_set1(param[0]);                                                           \
        int64_t i = 0;                                                                      \
        (void)p;                                                                            \
        for (; i + LANES <= n; i += LANES) {                                                \
            FAST_##inputs(VECTOR) vf_store((float *)to + i, value);                          \
        }                                                                                   \
        if (i < n) {                                                                        \
            FAST_##inputs(REST) vf_store_n((float *)to + i, value, n - i);                  \
        }                                                                                   \
    }
#include "map_fast.def"
#undef CPU_FAST

static cpu_map_fn *map(weft_op op, bool whole)
{
    static cpu_map_fn *const fast[WEFT_OP_COUNT] = {
#define CPU_FAST(name, inputs, value) [WEFT_OP_##name] = fast_##name,
#include "map_fast.def"
#undef CPU_FAST
    };
    return whole ? whole_map[op] : fast[op] ? fast[op] : plain_map[op];
}

/* ---- along a row ---- */

static float sum(const float *x, int64_t n)
{
    vf s0 = vf_set1(0), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 += vf_load(x + i);
        s1 += vf_load(x + i + LANES);
        s2 += vf_load(x + i + 2 * LANES);
        s3 += vf_load(x + i + 3 * LANES);
    }
    for (; i + LANES <= n; i += LANES) s0 += vf_load(x + i);
    if (i < n) s1 += vf_load_n(x + i, n - i);
    return vf_sum((s0 + s1) + (s2 + s3));
}

static float sum_squares(const float *x, int64_t n, float centre)
{
    vf s0 = vf_set1(0), s1 = s0, s2 = s0, s3 = s0, m = vf_set1(centre);
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        vf a = vf_load(x + i) - m, b = vf_load(x + i + LANES) - m;
        vf c = vf_load(x + i + 2 * LANES) - m, d = vf_load(x + i + 3 * LANES) - m;
        s0 = vf_fma(a, a, s0);
        s1 = vf_fma(b, b, s1);
        s2 = vf_fma(c, c, s2);
        s3 = vf_fma(d, d, s3);
    }
    for (; i + LANES <= n; i += LANES) {
        vf a = vf_load(x + i) - m;
        s0 = vf_fma(a, a, s0);
    }
    float tail = 0;
    for (; i < n; i++) tail += (x[i] - centre) * (x[i] - centre);
    return vf_sum((s0 + s1) + (s2 + s3)) + tail;
}

/* The maximum, passing over a NaN in x. Where vf_max gives its second operand for a NaN, it does
 * so by itself. */
VEC_FN vf max_of(vf x, vf so_far)
{
#if defined(__aarch64__)
    return vf_if_lt(so_far, x, x, so_far);
#else
    return vf_max(x, so_far);
#endif
}

static float max(const float *x, int64_t n)
{
    vf m0 = vf_set1(-__builtin_inff()), m1 = m0, m2 = m0, m3 = m0;
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        m0 = max_of(vf_load(x + i), m0);
        m1 = max_of(vf_load(x + i + LANES), m1);
        m2 = max_of(vf_load(x + i + 2 * LANES), m2);
        m3 = max_of(vf_load(x + i + 3 * LANES), m3);
    }
    for (; i + LANES <= n; i += LANES) m0 = max_of(vf_load(x + i), m0);
    float m = vf_hmax(vf_max(vf_max(m0, m1), vf_max(m2, m3)));
    for (; i < n; i++) m = x[i] > m ? x[i] : m;
    return m;
}

static int64_t find(const float *x, int64_t from, int64_t n, float limit, bool or_equal)
{
    vf l = vf_set1(limit), one = vf_set1(1), zero = vf_set1(0);
    while (from < n) {
        int64_t stretch = n - from < 4 * LANES ? n - from : 4 * LANES;
        vf hit = one;
        /* most stretches hold nothing and are skipped whole; a NaN is looked at below */
        if (stretch == 4 * LANES) {
            hit = zero;
            for (int j = 0; j < 4; j++) {
                vf v = vf_load(x + from + j * LANES);
                hit += or_equal ? vf_if_lt(v, l, zero, one) : vf_if_lt(l, v, one, zero);
            }
        }
        for (int64_t i = from; vf_sum(hit) > 0 && i < from + stretch; i++)
            if (x[i] > limit || (or_equal && x[i] == limit)) return i;
        from += stretch;
    }
    return n;
}

VEC_FN void normalise_as(float *y, const float *x, int64_t n, float centre, float factor,
                         const float *w, const float *b, bool has_w, bool has_b)
{
    vf m = vf_set1(centre), f = vf_set1(factor);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vf r = (vf_load(x + i) - m) * f;
        if (has_w && has_b)
            r = vf_fma(r, vf_load(w + i), vf_load(b + i));
        else if (has_w)
            r = r * vf_load(w + i);
        else if (has_b)
            r = r + vf_load(b + i);
        vf_store(y + i, r);
    }
    for (; i < n; i++)
        y[i] = (x[i] - centre) * factor * (has_w ? w[i] : 1.0f) + (has_b ? b[i] : 0.0f);
}

static void normalise(float *y, const float *x, int64_t n, float centre, float factor,
                      const float *w, const float *b)
{
    if (w && b)
        normalise_as(y, x, n, centre, factor, w, b, true, true);
    else if (w)
        normalise_as(y, x, n, centre, factor, w, b, true, false);
    else
        normalise_as(y, x, n, centre, factor, w, b, false, b != NULL);
}

static float exp_sum(float *y, const float *x, int64_t n, float shift)
{
    vf m = vf_set1(shift), s0 = vf_set1(0), s1 = s0;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vf a = vf_exp(vf_load(x + i) - m), b = vf_exp(vf_load(x + i + LANES) - m);
        vf_store(y + i, a);
        vf_store(y + i + LANES, b);
        s0 += a;
        s1 += b;
    }
    for (; i < n; i += LANES) {
        int64_t left = n - i < LANES ? n - i : LANES;
        float t[VLEN];
        vf a = vf_exp((left < LANES ? vf_load_n(x + i, left) : vf_load(x + i)) - m);
        vf_store(t, a);
        memcpy(y + i, t, (size_t)left * sizeof *t);
        for (int64_t j = left; j < LANES; j++) t[j] = 0;
        s0 += vf_load(t);
    }
    return vf_sum(s0 + s1);
}

static void rotate(float *y, const float *x, const float *angles, int64_t n, bool interleaved)
{
    int64_t i = 0;
    for (; !interleaved && i + LANES <= n; i += LANES) {
        float c[VLEN], s[VLEN];
        for (int j = 0; j < VLEN; j++) {
            c[j] = angles[2 * (i + j)];
            s[j] = angles[2 * (i + j) + 1];
        }
        vf a = vf_load(x + i), b = vf_load(x + n + i), vc = vf_load(c), vs = vf_load(s);
        vf_store(y + i, vf_fnma(b, vs, a * vc));
        vf_store(y + n + i, vf_fma(a, vs, b * vc));
    }
    for (; i < n; i++) {
        int64_t p = interleaved ? 2 * i : i, q = interleaved ? 2 * i + 1 : i + n;
        float a = x[p], b = x[q], c = angles[2 * i], s = angles[2 * i + 1];
        y[p] = a * c - b * s;
        y[q] = b * c + a * s;
    }
}

#endif
