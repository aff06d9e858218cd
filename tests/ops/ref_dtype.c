/* ref_dtype.c: tensors of the oracle, and its own reading and writing of every stored type. */
#include "ref_codebooks.h"
#include "ref_ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (p) return p;
    fputs("out of memory in the oracle\n", stderr);
    exit(3);
}

void ref_alloc(ref_tensor *t, weft_dtype dtype, uint32_t rank, const int64_t *dim)
{
    *t = (ref_tensor){ .dtype = dtype, .rank = rank, .n = 1 };
    for (uint32_t i = 0; i < rank; i++) {
        t->dim[i] = dim[i];
        t->n *= dim[i];
    }
    t->v = must(calloc((size_t)t->n + 1, sizeof *t->v));
    t->e = must(calloc((size_t)t->n + 1, sizeof *t->e));
}

void ref_free(ref_tensor *t)
{
    free(t->v);
    free(t->e);
    *t = (ref_tensor){ 0 };
}

void ref_copy(ref_tensor *to, const ref_tensor *from)
{
    ref_alloc(to, from->dtype, from->rank, from->dim);
    memcpy(to->v, from->v, (size_t)from->n * sizeof *to->v);
    memcpy(to->e, from->e, (size_t)from->n * sizeof *to->e);
    to->unsure = from->unsure;
}

/* To `digits` significant bits, nearest even, with the smallest exponent `lowest` of a normal number (below it the
 * spacing stays); beyond `largest` the result is infinite. */
static double round_to(double v, int digits, int lowest, double largest)
{
    if (!isfinite(v) || v == 0.0) return v;
    int exponent;
    frexp(v, &exponent); /* |v| in [2^(exponent-1), 2^exponent) */
    if (exponent < lowest + 1) exponent = lowest + 1;
    double unit = ldexp(1.0, exponent - digits);
    double r = nearbyint(v / unit) * unit;
    if (fabs(r) > largest) return copysign(INFINITY, v);
    return r == 0.0 ? copysign(0.0, v) : r;
}

double ref_round(weft_dtype dtype, double v)
{
    if (dtype == WEFT_F16) return round_to(v, 11, -14, 65504.0);
    if (dtype == WEFT_BF16) return round_to(v, 8, -126, 3.3895313892515355e38);
    if (dtype == WEFT_F32) return (double)(float)v;
    return v;
}

double ref_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double v;
    if (exponent == 31)
        v = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        v = ldexp(fraction, -24);
    else
        v = ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -v : v;
}

static uint16_t half_bits(double v)
{
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    if (isnan(v)) return (uint16_t)(sign | 0x7e00);
    double r = fabs(ref_round(WEFT_F16, v));
    if (isinf(r)) return (uint16_t)(sign | 0x7c00);
    if (r < ldexp(1.0, -14)) return (uint16_t)(sign | (unsigned)ldexp(r, 24));
    int exponent;
    double m = frexp(r, &exponent); /* r = m 2^exponent, m in [0.5, 1) */
    unsigned fraction = (unsigned)ldexp(m, 11) & 1023u;
    return (uint16_t)(sign | (unsigned)(exponent + 14) << 10 | fraction);
}

static uint32_t float_bits(double v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* ---- blocks: a reader for each row of block.def, from the definition (more in ref_codebooks.c); writers where the
 * library has one ---- */

static void ref_read_q8_0(const uint8_t *p, double *out)
{
    double d = ref_half((uint16_t)(p[0] | p[1] << 8));
    for (int j = 0; j < 32; j++) out[j] = d * (int8_t)p[2 + j];
}

static void ref_read_q4_0(const uint8_t *p, double *out)
{
    double d = ref_half((uint16_t)(p[0] | p[1] << 8));
    for (int j = 0; j < 16; j++) {
        out[j] = d * ((p[2 + j] & 15) - 8);
        out[j + 16] = d * ((p[2 + j] >> 4) - 8);
    }
}

static double half_in(const uint8_t *p)
{
    return ref_half((uint16_t)(p[0] | p[1] << 8));
}

static void ref_read_q4_1(const uint8_t *p, double *out)
{
    for (int j = 0; j < 16; j++) {
        out[j] = half_in(p) * (p[4 + j] & 15) + half_in(p + 2);
        out[j + 16] = half_in(p) * (p[4 + j] >> 4) + half_in(p + 2);
    }
}

/* Nibbles in 16 bytes at `low`, their fifth bits in a word of 32 at `high`. */
static void five_bits(const uint8_t *low, const uint8_t *high, int *q)
{
    uint32_t fifth = (uint32_t)high[0] | (uint32_t)high[1] << 8 | (uint32_t)high[2] << 16 | (uint32_t)high[3] << 24;
    for (int j = 0; j < 32; j++) q[j] = (j < 16 ? low[j] & 15 : low[j - 16] >> 4) + (fifth >> j & 1 ? 16 : 0);
}

static void ref_read_q5_0(const uint8_t *p, double *out)
{
    int q[32];
    five_bits(p + 6, p + 2, q);
    for (int j = 0; j < 32; j++) out[j] = half_in(p) * (q[j] - 16);
}

static void ref_read_q5_1(const uint8_t *p, double *out)
{
    int q[32];
    five_bits(p + 8, p + 4, q);
    for (int j = 0; j < 32; j++) out[j] = half_in(p) * q[j] + half_in(p + 2);
}

/* The 256 numbers of 2 bits in 64 bytes: two halves of 32 bytes, each first the lowest pairs of all its bytes. */
static void two_bits(const uint8_t *p, int *q)
{
    for (int half = 0; half < 2; half++, p += 32)
        for (int shift = 0; shift < 8; shift += 2)
            for (int j = 0; j < 32; j++) *q++ = p[j] >> shift & 3;
}

/* The 256 nibbles of 128 bytes: parts of `run` bytes, each first the low nibbles of all its bytes. */
static void four_bits(const uint8_t *p, int run, int *q)
{
    for (int part = 0; part < 128; part += run, p += run)
        for (int shift = 0; shift < 8; shift += 4)
            for (int j = 0; j < run; j++) *q++ = p[j] >> shift & 15;
}

static void ref_read_q2_K(const uint8_t *p, double *out)
{
    int q[256];
    two_bits(p + 16, q);
    for (int j = 0; j < 256; j++)
        out[j] = half_in(p + 80) * (p[j / 16] & 15) * q[j] - half_in(p + 82) * (p[j / 16] >> 4);
}

static void ref_read_q3_K(const uint8_t *p, double *out)
{
    int q[256], scale[16];
    const uint8_t *s = p + 96;
    two_bits(p + 32, q);
    for (int g = 0; g < 16; g++) {
        scale[g] = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
        scale[g] += (s[8 + g % 4] >> g / 4 * 2 & 3) * 16 - 32;
    }
    for (int j = 0; j < 256; j++) {
        bool high = p[j % 32] >> j / 32 & 1;
        out[j] = half_in(p + 108) * scale[j / 16] * (high ? q[j] : q[j] - 4);
    }
}

/* The 8 scales and minima of q4_K and q5_K out of 12 bytes: as ggml packs 16 numbers of 6 bits. */
static void six_bits(const uint8_t *p, int *scale, int *minimum)
{
    for (int j = 0; j < 4; j++) {
        scale[j] = p[j] & 63;
        minimum[j] = p[4 + j] & 63;
        scale[4 + j] = (p[8 + j] & 15) + (p[j] >> 6) * 16;
        minimum[4 + j] = (p[8 + j] >> 4) + (p[4 + j] >> 6) * 16;
    }
}

static void ref_read_q4_K(const uint8_t *p, double *out)
{
    int q[256], scale[8], minimum[8];
    four_bits(p + 16, 32, q);
    six_bits(p + 4, scale, minimum);
    for (int j = 0; j < 256; j++)
        out[j] = half_in(p) * scale[j / 32] * q[j] - half_in(p + 2) * minimum[j / 32];
}

static void ref_read_q5_K(const uint8_t *p, double *out)
{
    int q[256], scale[8], minimum[8];
    four_bits(p + 48, 32, q);
    six_bits(p + 4, scale, minimum);
    for (int j = 0; j < 256; j++) {
        q[j] += p[16 + j % 32] & 1 << j / 32 ? 16 : 0;
        out[j] = half_in(p) * scale[j / 32] * q[j] - half_in(p + 2) * minimum[j / 32];
    }
}

static void ref_read_q6_K(const uint8_t *p, double *out)
{
    int low[256], high[256];
    four_bits(p, 64, low);
    two_bits(p + 128, high);
    for (int j = 0; j < 256; j++)
        out[j] = half_in(p + 208) * (int8_t)p[192 + j / 16] * (low[j] + high[j] * 16 - 32);
}

static const int8_t iq4[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };

static void ref_read_iq4_nl(const uint8_t *p, double *out)
{
    for (int j = 0; j < 16; j++) {
        out[j] = half_in(p) * iq4[p[2 + j] & 15];
        out[j + 16] = half_in(p) * iq4[p[2 + j] >> 4];
    }
}

static void ref_read_iq4_xs(const uint8_t *p, double *out)
{
    int high = p[2] | p[3] << 8;
    for (int g = 0; g < 8; g++) {
        int scale = (p[4 + g / 2] >> g % 2 * 4 & 15) + (high >> 2 * g & 3) * 16 - 32;
        for (int j = 0; j < 16; j++) {
            int byte = p[8 + 16 * g + j];
            out[32 * g + j] = half_in(p) * scale * iq4[byte & 15];
            out[32 * g + j + 16] = half_in(p) * scale * iq4[byte >> 4];
        }
    }
}

/* OCP's microscaling: a byte of exponent, and numbers of 4 bits. */
static void ref_read_mxfp4(const uint8_t *p, double *out)
{
    static const double e2m1[8] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };
    for (int j = 0; j < 32; j++) {
        int q = j < 16 ? p[1 + j] & 15 : p[1 + j - 16] >> 4;
        double v = ldexp(e2m1[q & 7], p[0] - 127);
        out[j] = q & 8 ? -v : v;
    }
}

static void put_half(uint8_t *p, double v)
{
    uint16_t bits = half_bits(v);
    p[0] = (uint8_t)bits;
    p[1] = (uint8_t)(bits >> 8);
}

/* Where the block is not all finite, or its scale would not be, the scale is no number, and nor is any value. */
static bool put_nan(const double *v, float scale, uint8_t *p, size_t bytes)
{
    bool finite = isfinite(ref_round(WEFT_F16, (double)scale));
    for (int j = 0; j < 32; j++) finite = finite && isfinite((float)v[j]);
    memset(p, 0, bytes);
    put_half(p, (double)NAN);
    return !finite;
}

/* ggml's rule in float32: scale = the largest magnitude / 127. */
static void write_q8_0(const double *v, uint8_t *p)
{
    float most = 0.0f;
    for (int j = 0; j < 32; j++) most = fmaxf(most, fabsf((float)v[j]));
    float d = most / 127.0f, inverse = d != 0.0f ? 1.0f / d : 0.0f;
    if (put_nan(v, d, p, 34)) return;
    put_half(p, (double)d);
    for (int j = 0; j < 32; j++) p[2 + j] = (uint8_t)(int8_t)roundf((float)v[j] * inverse);
}

/* ggml's rule in float32: scale = the element of largest magnitude / -most; halves go up. False: all is NaN. */
static bool quantise_around(const double *v, int most, uint8_t *p, size_t bytes, int *q)
{
    float extreme = 0.0f;
    for (int j = 0; j < 32; j++)
        if (fabsf((float)v[j]) > fabsf(extreme)) extreme = (float)v[j];
    float d = extreme / (float)-most, inverse = d != 0.0f ? 1.0f / d : 0.0f;
    if (put_nan(v, d, p, bytes)) return false;
    put_half(p, (double)d);
    for (int j = 0; j < 32; j++) {
        int t = (int)((float)v[j] * inverse + ((float)most + 0.5f));
        q[j] = t < 2 * most ? t : 2 * most - 1;
    }
    return true;
}

/* ggml's rule in float32: offset = the least, scale = the range / most. */
static bool quantise_from(const double *v, int most, uint8_t *p, size_t bytes, int *q)
{
    float least = (float)v[0], greatest = (float)v[0];
    for (int j = 1; j < 32; j++) {
        least = (float)v[j] < least ? (float)v[j] : least;
        greatest = (float)v[j] > greatest ? (float)v[j] : greatest;
    }
    float d = (greatest - least) / (float)most, inverse = d >= 1.17549435e-38f ? 1.0f / d : 0.0f;
    if (put_nan(v, isfinite(ref_round(WEFT_F16, (double)least)) ? d : INFINITY, p, bytes)) return false;
    put_half(p, (double)d);
    put_half(p + 2, (double)least);
    for (int j = 0; j < 32; j++) {
        int t = (int)(((float)v[j] - least) * inverse + 0.5f);
        q[j] = t < most ? t : most;
    }
    return true;
}

/* Codes of 4 bits, or of 5 with the fifth ones at `high`. */
static void put_codes(const int *q, uint8_t *low, uint8_t *high)
{
    for (int j = 0; j < 16; j++) low[j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
    for (int j = 0; j < 32 && high; j++) high[j / 8] = (uint8_t)(high[j / 8] | q[j] >> 4 << j % 8);
}

static void write_q4_0(const double *v, uint8_t *p)
{
    int q[32];
    if (quantise_around(v, 8, p, 18, q)) put_codes(q, p + 2, NULL);
}

static void write_q5_0(const double *v, uint8_t *p)
{
    int q[32];
    if (quantise_around(v, 16, p, 22, q)) put_codes(q, p + 6, p + 2);
}

static void write_q4_1(const double *v, uint8_t *p)
{
    int q[32];
    if (quantise_from(v, 15, p, 20, q)) put_codes(q, p + 4, NULL);
}

static void write_q5_1(const double *v, uint8_t *p)
{
    int q[32];
    if (quantise_from(v, 31, p, 24, q)) put_codes(q, p + 8, p + 4);
}

typedef void read_block(const uint8_t *p, double *out);
typedef void write_block(const double *v, uint8_t *p);

static read_block *const readers[WEFT_DTYPE_COUNT] = {
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) [number] = ref_read_##name,
#include "graph/block.def"
#undef WEFT_BLOCK
};
static write_block *const writers[WEFT_DTYPE_COUNT] = {
    [WEFT_Q8_0] = write_q8_0, [WEFT_Q4_0] = write_q4_0, [WEFT_Q5_0] = write_q5_0,
    [WEFT_Q4_1] = write_q4_1, [WEFT_Q5_1] = write_q5_1,
};

/* Bytes of which a format without a writer makes numbers as large as v's: drawn until they do. */
static void draw_block(weft_dtype dtype, const double *v, uint8_t *p, uint64_t *state)
{
    const weft_dtype_info *info = weft_dtype_get(dtype);
    double want = 0.0, most = NAN, out[256];
    for (uint32_t j = 0; j < info->block; j++) want = fmax(want, fabs(v[j]));
    for (int draw = 0; draw < 20000 && !(most > want / 16 && most < want * 4); draw++) {
        for (uint32_t k = 0; k < info->bytes; k++) {
            *state = *state * 6364136223846793005u + 1442695040888963407u;
            p[k] = (uint8_t)(*state >> 56);
        }
        readers[dtype](p, out);
        most = 0.0;
        for (uint32_t j = 0; j < info->block; j++) most = fabs(out[j]) <= most ? most : fabs(out[j]);
    }
}

static void write_blocks(weft_dtype dtype, const double *v, int64_t n, uint8_t *p)
{
    const weft_dtype_info *info = weft_dtype_get(dtype);
    uint64_t state = 1;
    for (int64_t i = 0; i < n; i += info->block, p += info->bytes) {
        if (writers[dtype]) writers[dtype](v + i, p);
        else draw_block(dtype, v + i, p, &state);
    }
}

void ref_decode(weft_dtype dtype, const void *bytes, int64_t n, double *out)
{
    const uint8_t *p = bytes;
    const weft_dtype_info *info = weft_dtype_get(dtype);
    for (int64_t i = 0; i < n && readers[dtype]; i += info->block, p += info->bytes) readers[dtype](p, out + i);
    if (readers[dtype]) return;
    for (int64_t i = 0; i < n; i++) {
        if (dtype == WEFT_F16) {
            out[i] = ref_half((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
        } else {
            uint32_t bits = 0;
            if (dtype == WEFT_BF16)
                bits = (uint32_t)(p[2 * i] | p[2 * i + 1] << 8) << 16;
            else
                memcpy(&bits, p + 4 * i, 4);
            float f;
            memcpy(&f, &bits, 4);
            out[i] = dtype == WEFT_I32 ? (double)(int32_t)bits : (double)f;
        }
    }
}

void ref_encode(weft_dtype dtype, const double *v, int64_t n, void *bytes)
{
    uint8_t *p = bytes;
    if (readers[dtype]) {
        write_blocks(dtype, v, n, p);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        if (dtype == WEFT_F16 || dtype == WEFT_BF16) {
            uint16_t bits = dtype == WEFT_F16
                                ? half_bits(v[i])
                                : (uint16_t)(float_bits(ref_round(dtype, v[i])) >> 16);
            p[2 * i] = (uint8_t)bits;
            p[2 * i + 1] = (uint8_t)(bits >> 8);
        } else {
            uint32_t bits = dtype == WEFT_I32 ? (uint32_t)(int32_t)v[i] : float_bits(v[i]);
            memcpy(p + 4 * i, &bits, 4);
        }
    }
}

/* How far a block's values may be from those of an exact writer whose floats are within e: a step, for a float that is
 * rounded the other way, and what another scale makes of it. */
static void widen_block(const weft_dtype_info *info, const double *v, double *e)
{
    double most = 0.0, error = 0.0, codes = ldexp(1.0, (int)info->bits);
    double last = info->minimum ? 2.0 / (codes - 1.0) : 2.0 / codes; /* a step, of the largest magnitude */
    for (uint32_t j = 0; j < info->block; j++) {
        most = fmax(most, fabs(v[j]));
        error = fmax(error, e[j]);
    }
    for (uint32_t j = 0; j < info->block && error > 0.0; j++)
        e[j] = 2 * error + (most + error) * (last * 1.02 + ldexp(1.0, -10));
}

void ref_requantise(ref_tensor *t, int64_t at, int64_t n)
{
    const weft_dtype_info *info = weft_dtype_get(t->dtype);
    uint8_t bytes[256];
    for (int64_t i = at; i < at + n; i += info->block) {
        ref_encode(t->dtype, t->v + i, info->block, bytes);
        ref_decode(t->dtype, bytes, info->block, t->v + i);
        widen_block(info, t->v + i, t->e + i);
    }
}

double ref_excess(const ref_tensor *want, int64_t i, double got)
{
    double w = want->v[i], allowed = want->e[i];
    if (isinf(allowed)) return 0.0; /* beyond what first order can say */
    if (isnan(w)) return isnan(got) ? 0.0 : INFINITY;
    if (isnan(got)) return INFINITY;
    if (isinf(w) || isinf(got)) {
        if (w == got) return 0.0;
        double largest = want->dtype == WEFT_F16 ? 65504.0 : 3.4028234e38;
        bool overflow = fabs(w) + allowed >= largest && signbit(w) == signbit(got);
        return overflow ? 0.0 : INFINITY;
    }
    double error = fabs(got - w);
    if (error == 0.0) return 0.0;
    /* Numbers too small for a normal float32 may be flushed to zero. */
    allowed += want->dtype == WEFT_I32 ? 0.0 : 2e-38;
    return error / allowed;
}
