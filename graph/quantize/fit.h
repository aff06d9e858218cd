/* fit.h: a block of floats as whole numbers: which scales, minima and levels come nearest to it.
 *
 * An element is read as  d scale[g] L[level] - m min[g]  where g is its group, d and m are f16, scale and min are whole
 * numbers of a few bits, and L are the levels: whole numbers lo..hi, or those of a table. */
#ifndef WEFT_QUANTIZE_FIT_H
#define WEFT_QUANTIZE_FIT_H

#include <math.h>

#include "graph/quantize/quantize.h"

enum { FIT_BLOCK = 256, FIT_GROUPS = 16, FIT_TABLE = 16 };

typedef struct weft__fit_shape {
    int groups, size;       /* size: elements of a group, a multiple of 4 */
    int lo, hi;             /* levels */
    const float *table;     /* NULL, or FIT_TABLE levels in rising order in place of lo..hi */
    int scale_lo, scale_hi; /* 1, 1: the block's scale is all there is */
    int min_hi;             /* 0: no minima. With one group a minimum is m itself, of either sign */
} weft__fit_shape;

/* A block to be fitted, scaled so that its largest magnitude is 1 to 2: by 2^-exponent. */
typedef struct weft__fit_input {
    _Alignas(16) float x[FIT_BLOCK], w[FIT_BLOCK];
    int exponent;
} weft__fit_input;

typedef struct weft__fit {
    float d, m; /* of the scaled block; what an f16 holds, times 2^-exponent */
    int scale[FIT_GROUPS], min[FIT_GROUPS];
    unsigned char level[FIT_BLOCK]; /* counted from the lowest */
} weft__fit;

/* The block is not all zeros, and its numbers are finite. */
void weft__fit_scaled(const weft__fit_shape *s, const weft__fit_input *in, weft__fit *out);
void weft__fit_offset(const weft__fit_shape *s, const weft__fit_input *in, weft__fit *out);

/* ---- shared by both ---- */

typedef float fit_vec __attribute__((vector_size(16)));
typedef int32_t fit_mask __attribute__((vector_size(16)));

static inline fit_vec fit_load(const float *p)
{
    return *(const fit_vec *)(const void *)p;
}

static inline fit_vec fit_all(float v)
{
    return (fit_vec){ v, v, v, v };
}

static inline float fit_sum(fit_vec v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

static inline fit_vec fit_pick(fit_mask m, fit_vec yes, fit_vec no)
{
    return (fit_vec)((m & (fit_mask)yes) | (~m & (fit_mask)no));
}

/* The nearest whole number of lo..hi, halves to even. */
static inline fit_vec fit_whole(fit_vec v, float lo, float hi)
{
    const fit_vec big = fit_all(0x1.8p23f), low = fit_all(lo), high = fit_all(hi);
    v = fit_pick(v > low, v, low);
    v = fit_pick(v < high, v, high);
    return v + big - big;
}

/* The nearest level of a table. */
static inline fit_vec fit_listed(fit_vec v, const float *table)
{
    fit_vec r = fit_all(table[0]);
    for (int i = 0; i + 1 < FIT_TABLE; i++) {
        fit_mask above = v > fit_all(0.5f * (table[i] + table[i + 1]));
        r += (fit_vec)(above & (fit_mask)fit_all(table[i + 1] - table[i]));
    }
    return r;
}

static inline fit_vec fit_snap(const weft__fit_shape *s, fit_vec v)
{
    return s->table ? fit_listed(v, s->table) : fit_whole(v, (float)s->lo, (float)s->hi);
}

/* The number of a level. */
static inline unsigned char fit_index(const weft__fit_shape *s, float level)
{
    int i = 0;
    if (!s->table) return (unsigned char)((int)level - s->lo);
    while (i + 1 < FIT_TABLE && s->table[i] < level) i++;
    return (unsigned char)i;
}

/* By which is multiplied instead of dividing; 0: the scale is none. */
static inline float fit_inverse(float scale)
{
    return scale > 0x1p-100f || scale < -0x1p-100f ? 1 / scale : 0;
}

/* What an f16 of the block makes of a scale: not zero if the scale is not, and as it is where it is too large. */
static inline float fit_f16(const weft__fit_input *in, float scale)
{
    float real = ldexpf(scale, in->exponent), half = weft__f32_from_f16(weft__f16_from_f32(real));
    if (half == 0 && scale != 0) half = scale < 0 ? -0x1p-24f : 0x1p-24f;
    return isfinite(half) ? ldexpf(half, -in->exponent) : scale;
}

static inline int fit_clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* The nearest whole number; of what is far out, one that is far out. */
static inline int fit_round(float v)
{
    return v > 1000 ? 1000 : v < -1000 ? -1000 : (int)(v + (v < 0 ? -0.5f : 0.5f));
}

#endif
