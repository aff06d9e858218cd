/* k_vec_blocks.h: rows of the block types that caches are kept in, read without a detour over floats in memory. A block
 * is 32 whole numbers times a scale, which products are multiplied with once. Other block types are brought into floats
 * piece by piece (k_vec_products.h). */
#ifndef CPU_K_VEC_BLOCKS_H
#define CPU_K_VEC_BLOCKS_H

#include "kernel.h"
#include "vec.h"

enum { UNIT = 32, UNIT_VECTORS = UNIT / VLEN }; /* elements of a block, and the vectors of floats that they fill */

VEC_FN int64_t unit_bytes(weft_dtype t)
{
    return t == WEFT_Q8_0 ? 34 : 18;
}

/* The whole numbers, as floats. A nibble n means n - 8: with its highest bit turned round, that is its value in two's
 * complement. */
VEC_FN void unit_values(weft_dtype t, const unsigned char *block, vf x[UNIT_VECTORS])
{
    if (t == WEFT_Q8_0) {
        VEC_UNROLL(8)
        for (int i = 0; i < UNIT_VECTORS; i++) x[i] = vi_to_vf(vi_load_i8(block + 2 + i * VLEN));
        return;
    }
    VEC_UNROLL(4)
    for (int i = 0; i < UNIT_VECTORS / 2; i++) {
        vi pairs = vi_xor(vi_load_i8(block + 2 + i * VLEN), -120);
        x[i] = vi_to_vf(vi_sar(vi_shl(pairs, 28), 28));
        x[i + UNIT_VECTORS / 2] = vi_to_vf(vi_sar(pairs, 4));
    }
}

VEC_FN void load_units(weft_dtype t, float *y, const void *from, int64_t n)
{
    const unsigned char *block = from;
    for (int64_t at = 0; at < n; at += UNIT, block += unit_bytes(t)) {
        vf x[UNIT_VECTORS], d = vf_set1(vec_half(block));
        unit_values(t, block, x);
        VEC_UNROLL(8)
        for (int i = 0; i < UNIT_VECTORS; i++) vf_store(y + at + i * VLEN, d * x[i]);
    }
}

/* r[i] += q . k[i] of one block, for four rows. */
VEC_FN void dot_unit(weft_dtype t, const float *q, const unsigned char *const k[4], vf r[4])
{
    float scale[4];
    vec_halves(scale, k);
    VEC_UNROLL(4)
    for (int i = 0; i < 4; i++) {
        vf x[UNIT_VECTORS], sum;
        unit_values(t, k[i], x);
        sum = vf_load(q) * x[0];
        VEC_UNROLL(8)
        for (int v = 1; v < UNIT_VECTORS; v++) sum = vf_fma(vf_load(q + v * VLEN), x[v], sum);
        r[i] = vf_fma(vf_set1(scale[i]), sum, r[i]);
    }
}

/* s[j] = q . k[j], four rows at a time. */
VEC_FN void dot_units(weft_dtype t, float *s, const float *q, const void *k, int64_t rows, int64_t d, int64_t stride)
{
    int64_t step = stride / UNIT * unit_bytes(t);
    for (int64_t j = 0; j < rows; j += 4) {
        int64_t n = rows - j < 4 ? rows - j : 4;
        const unsigned char *row[4];
        float sums[4];
        vf r[4];
        for (int i = 0; i < 4; i++) {
            row[i] = (const unsigned char *)k + (j + (i < n ? i : 0)) * step;
            r[i] = vf_set1(0);
        }
        for (int64_t l = 0; l < d; l += UNIT) {
            dot_unit(t, q + l, row, r);
            for (int i = 0; i < 4; i++) row[i] += unit_bytes(t);
        }
        vf_sum4(sums, r);
        memcpy(s + j, sums, (size_t)n * sizeof *s);
    }
}

/* r += sum of p[i] times a block, for n <= 4 rows `step` bytes apart. */
VEC_FN void add_unit(weft_dtype t, int n, const float *p, const unsigned char *block, int64_t step,
                     vf r[UNIT_VECTORS])
{
    const unsigned char *row[4];
    float scale[4];
    for (int i = 0; i < 4; i++) row[i] = block + (i < n ? i : 0) * step;
    vec_halves(scale, row);
    VEC_UNROLL(4)
    for (int i = 0; i < n; i++) {
        vf x[UNIT_VECTORS], w = vf_set1(p[i] * scale[i]);
        unit_values(t, row[i], x);
        VEC_UNROLL(8)
        for (int v = 0; v < UNIT_VECTORS; v++) r[v] = vf_fma(w, x[v], r[v]);
    }
}

/* o += sum of p[j] v[j]: a block's width of o stays in registers while all rows pass. */
VEC_FN void add_units(weft_dtype t, float *o, const float *p, const void *v, int64_t rows, int64_t d, int64_t stride)
{
    int64_t step = stride / UNIT * unit_bytes(t);
    for (int64_t l = 0; l < d; l += UNIT) {
        const unsigned char *block = (const unsigned char *)v + l / UNIT * unit_bytes(t);
        vf r[UNIT_VECTORS];
        int64_t j = 0;
        for (int i = 0; i < UNIT_VECTORS; i++) r[i] = vf_load(o + l + i * VLEN);
        for (; j + 4 <= rows; j += 4) add_unit(t, 4, p + j, block + j * step, step, r);
        if (j < rows) add_unit(t, (int)(rows - j), p + j, block + j * step, step, r);
        for (int i = 0; i < UNIT_VECTORS; i++) vf_store(o + l + i * VLEN, r[i]);
    }
}

#endif
