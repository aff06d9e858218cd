/* quantize.c: rows to blocks with searched scales, by the rows of search.def; and mxfp4, of which the scale is a power
 * of two. */
#include "graph/quantize/quantize.h"

#include <math.h>
#include <string.h>

#include "graph/block_encode.h"
#include "graph/quantize/pack.h"

static const float iq4[FIT_TABLE] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };

typedef struct searched {
    weft__fit_shape shape;
    weft__pack *pack;
} searched;

static const searched formats[WEFT_DTYPE_COUNT] = {
#define WEFT_SEARCH(id, name, groups, size, lo, hi, table, scale_lo, scale_hi, min_hi, pack) \
    [WEFT_##id] = { { groups, size, lo, hi, table, scale_lo, scale_hi, min_hi }, pack },
#define WEFT_BETTER WEFT_SEARCH
#include "graph/quantize/search.def"
};

/* Of the mean importance: so that nothing is of none at all. */
static const float LEAST = 0x1p-10f;

/* Scales n floats so that the largest magnitude is 1 to 2, and their importance by its mean. False: one of them is no
 * finite number. */
static bool prepare(const float *x, const float *importance, double mean, int n, weft__fit_input *in)
{
    float most = 0;
    bool finite = true;
    for (int i = 0; i < n; i++) {
        most = fmaxf(most, fabsf(x[i]));
        finite = finite && isfinite(x[i]);
    }
    in->exponent = most > 0 && finite ? ilogbf(most) : 0;
    for (int i = 0; i < n; i++) {
        in->x[i] = ldexpf(x[i], -in->exponent);
        in->w[i] = importance ? (float)((double)importance[i] / mean) + LEAST : 1;
    }
    return finite;
}

static unsigned half_bits(const weft__fit_input *in, float scale)
{
    unsigned h = (unsigned)half_of(ldexpf(scale, in->exponent));
    return (h & 0x7fff) == 0x7c00 ? h | WEFT_F16_OVERFLOW : h;
}

/* ---- mxfp4 ---- */

enum { MXFP4_STEPS = 7 };
static const float e2m1[8] = { 0, 1, 2, 3, 4, 6, 8, 12 };

/* Levels for a scale of 1, and their error, of values times `by`. */
static float snap_e2m1(const weft__fit_input *in, float by, unsigned char *level)
{
    float e = 0;
    for (int i = 0; i < 32; i++) {
        float v = fabsf(in->x[i]) * by, r;
        int k = 0;
        while (k < 7 && v > 0.5f * (e2m1[k] + e2m1[k + 1])) k++;
        r = v - e2m1[k];
        e += in->w[i] * r * r;
        level[i] = (unsigned char)(k | (in->x[i] < 0 && k ? 8 : 0));
    }
    return e / (by * by);
}

/* Scales are 2^(e - 128), e a byte. Where all errors count the same one of the first four is best; by importance more
 * of the block may be worth cutting off. What is not finite is the largest level at the largest scale: infinite. */
static void quantize_mxfp4(const weft__fit_input *in, bool finite, unsigned char *b)
{
    weft__fit best = { 0 };
    float least = INFINITY;
    int at = 255;
    for (int up = 1; finite && up <= MXFP4_STEPS; up++) {
        int e = in->exponent + 128 - up;
        unsigned char level[32];
        float error = e >= 0 && e < 255 ? snap_e2m1(in, ldexpf(1, up), level) : INFINITY;
        if (error >= least) continue;
        least = error;
        at = e;
        memcpy(best.level, level, sizeof level);
    }
    if (!finite) memset(best.level, 7, 32);
    else if (at == 255) at = 0;
    memset(b, 0, 17);
    b[0] = (unsigned char)at;
    for (int i = 0; i < 32; i++) b[1 + i % 16] = (unsigned char)(b[1 + i % 16] | best.level[i] << i / 16 * 4);
}

/* ---- rows ---- */

/* Of levels of two bits, errors of large numbers count more. The error is larger then by a few percent, but models
 * differ less from what they were (docs/numerics.md). */
static void favour_large(int n, weft__fit_input *in)
{
    float square = 0;
    for (int i = 0; i < n; i++) square += in->x[i] * in->x[i];
    for (int i = 0; i < n; i++) in->w[i] *= sqrtf(square / (float)n + in->x[i] * in->x[i]);
}

static void quantize_block(const searched *f, const weft__fit_input *in, bool finite, unsigned char *b)
{
    weft__fit fit = { 0 };
    unsigned d = 0x7e00, m = 0;
    bool zero = true;
    for (int i = 0; i < f->shape.groups * f->shape.size; i++) zero = zero && in->x[i] == 0;
    if (finite && !zero) {
        (f->shape.min_hi ? weft__fit_offset : weft__fit_scaled)(&f->shape, in, &fit);
        d = half_bits(in, fit.d);
        m = half_bits(in, fit.m);
    } else if (finite) {
        d = 0;
    }
    f->pack(&fit, d, m, b);
}

bool weft__quantize_row(weft_dtype t, const float *x, const float *importance, void *out, int64_t n)
{
    uint64_t size;
    if ((unsigned)t >= WEFT_DTYPE_COUNT || !formats[t].shape.groups || !weft_dtype_row_bytes(t, n, &size)) return false;
    const weft_dtype_info *info = weft_dtype_get(t);
    double mean = 0;
    for (int64_t i = 0; importance && i < n; i++) mean += (double)importance[i] / (double)n;
    if (!(mean > 0)) importance = NULL;
    unsigned char *b = out;
    memset(out, 0, (size_t)size);
    for (int64_t at = 0; at < n; at += info->block, b += info->bytes) {
        weft__fit_input in;
        bool finite = prepare(x + at, importance ? importance + at : NULL, mean, (int)info->block, &in);
        if (t == WEFT_Q2_K) favour_large((int)info->block, &in);
        if (t == WEFT_MXFP4) quantize_mxfp4(&in, finite, b);
        else quantize_block(&formats[t], &in, finite, b);
    }
    return true;
}
