/* k_vec_blocks.h: rows of the block types that caches are kept in, read without a detour over floats in memory. A block
 * is 32 whole numbers times a scale, which products are multiplied with once. Of types with an offset (q4_1, q5_1) each
 * number is finished before it is used: sums of parts that cancel out would lose bits. Other block types are brought
 * into floats piece by piece (k_vec_products.h). */
#ifndef CPU_K_VEC_BLOCKS_H
#define CPU_K_VEC_BLOCKS_H

#include "kernel.h"
#include "vec.h"

enum { UNIT = 32, UNIT_VECTORS = UNIT / VLEN }; /* elements of a block, and the vectors of floats that they fill */

#define UNIT_TYPES(use) use(WEFT_Q8_0) use(WEFT_Q4_0) use(WEFT_Q4_1) use(WEFT_Q5_0) use(WEFT_Q5_1)

VEC_FN bool has_offset(weft_dtype t) { return t == WEFT_Q4_1 || t == WEFT_Q5_1; }
VEC_FN bool has_fifths(weft_dtype t) { return t == WEFT_Q5_0 || t == WEFT_Q5_1; }

/* A block: f16 scale, f16 offset, fifth bits in 4 bytes; then bytes, or nibbles of which the low ones come first. */
VEC_FN int64_t numbers_at(weft_dtype t) { return 2 + (has_offset(t) ? 2 : 0) + (has_fifths(t) ? 4 : 0); }
VEC_FN int64_t unit_bytes(weft_dtype t) { return numbers_at(t) + (t == WEFT_Q8_0 ? UNIT : UNIT / 2); }

/* Numbers of VLEN bytes' nibbles, whose fifth bits are the lowest of each half of `fifths`: 16 more, or of q5_0, which
 * has them turned round, 16 less. A nibble n of q4_0 means n - 8: with its highest bit turned round, that is its value
 * in two's complement. */
VEC_FN void unit_nibbles(weft_dtype t, const unsigned char *numbers, uint32_t fifths, vf *low, vf *high)
{
    if (t == WEFT_Q4_0) {
        vi pairs = vi_xor(vi_load_i8(numbers), -120);
        *low = vi_to_vf(vi_sar(vi_shl(pairs, 28), 28));
        *high = vi_to_vf(vi_sar(pairs, 4));
        return;
    }
    vi pairs = vi_load_u8(numbers), l = vi_and(pairs, 15), h = vi_shr(pairs, 4);
    if (has_fifths(t)) {
        int32_t worth = t == WEFT_Q5_0 ? -16 : 16;
        l = vi_add(l, vi_where(fifths, worth));
        h = vi_add(h, vi_where(fifths >> 16, worth));
    }
    *low = vi_to_vf(l);
    *high = vi_to_vf(h);
}

/* The elements, without their scale where there is no offset. */
VEC_FN void unit_values(weft_dtype t, const unsigned char *block, vf x[UNIT_VECTORS])
{
    const unsigned char *numbers = block + numbers_at(t);
    uint32_t fifths = 0;
    if (has_fifths(t)) memcpy(&fifths, numbers - 4, sizeof fifths);
    if (t == WEFT_Q5_0) fifths = ~fifths;
    VEC_UNROLL(8)
    for (int i = 0; t == WEFT_Q8_0 && i < UNIT_VECTORS; i++) x[i] = vi_to_vf(vi_load_i8(numbers + i * VLEN));
    VEC_UNROLL(4)
    for (int i = 0; t != WEFT_Q8_0 && i < UNIT_VECTORS / 2; i++)
        unit_nibbles(t, numbers + i * VLEN, fifths >> i * VLEN, &x[i], &x[i + UNIT_VECTORS / 2]);
    if (!has_offset(t)) return;
    vf d = vf_set1(vec_half(block)), m = vf_set1(vec_half(block + 2));
    VEC_UNROLL(8)
    for (int i = 0; i < UNIT_VECTORS; i++) x[i] = vf_fma(d, x[i], m);
}

/* What those of four blocks are to be multiplied with. */
VEC_FN void unit_factors(weft_dtype t, float factor[4], const unsigned char *const block[4])
{
    if (!has_offset(t)) vec_halves(factor, block);
    for (int i = 0; has_offset(t) && i < 4; i++) factor[i] = 1;
}

VEC_FN void load_units(weft_dtype t, float *y, const void *from, int64_t n)
{
    const unsigned char *block = from;
    for (int64_t at = 0; at < n; at += UNIT, block += unit_bytes(t)) {
        vf x[UNIT_VECTORS], d = vf_set1(has_offset(t) ? 1 : vec_half(block));
        unit_values(t, block, x);
        VEC_UNROLL(8)
        for (int i = 0; i < UNIT_VECTORS; i++) vf_store(y + at + i * VLEN, d * x[i]);
    }
}

/* r[i] += q . k[i] of one block, for four rows. */
VEC_FN void dot_unit(weft_dtype t, const float *q, const unsigned char *const k[4], vf r[4])
{
    float factor[4];
    unit_factors(t, factor, k);
    VEC_UNROLL(4)
    for (int i = 0; i < 4; i++) {
        vf x[UNIT_VECTORS], sum;
        unit_values(t, k[i], x);
        sum = vf_load(q) * x[0];
        VEC_UNROLL(8)
        for (int v = 1; v < UNIT_VECTORS; v++) sum = vf_fma(vf_load(q + v * VLEN), x[v], sum);
        r[i] = vf_fma(vf_set1(factor[i]), sum, r[i]);
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
    float factor[4];
    for (int i = 0; i < 4; i++) row[i] = block + (i < n ? i : 0) * step;
    unit_factors(t, factor, row);
    VEC_UNROLL(4)
    for (int i = 0; i < n; i++) {
        vf x[UNIT_VECTORS], w = vf_set1(p[i] * factor[i]);
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
