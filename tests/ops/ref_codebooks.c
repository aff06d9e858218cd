/* ref_codebooks.c: see ref_codebooks.h. Entry by entry, from the formats' definition. Of the library are the numbers of
 * the codebooks alone, which tests/graph/test_blocks.c compares with those of others. */
#include "ref_codebooks.h"

#include <math.h>
#include <string.h>

#include "graph/block_words.h"

static unsigned short_in(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t long_in(const uint8_t *p)
{
    return short_in(p) | (uint32_t)short_in(p + 2) << 16;
}

static const double twos[] = { 8, 25, 43 }, threes[] = { 4, 12, 20, 28, 36, 44, 52, 62 };

/* 8 elements of an entry of 2 bits each, with a byte of signs. */
static void eight(double d, unsigned entry, unsigned signs, double *out)
{
    for (int j = 0; j < 8; j++, entry /= 4, signs /= 2) out[j] = (signs % 2 ? -d : d) * twos[entry % 4];
}

/* The eighth sign is that by which there is an even number of them. */
static unsigned with_eighth(unsigned seven)
{
    unsigned n = 0;
    for (int j = 0; j < 7; j++) n += seven >> j & 1;
    return seven + n % 2 * 128;
}

void ref_read_iq2_xxs(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p));
    p += 2;
    for (int g = 0; g < 8; g++, p += 8) {
        uint32_t rest = long_in(p + 4);
        for (int l = 0; l < 4; l++, rest >>= 7, out += 8)
            eight(d * (0.5 + (p[7] >> 4)) * 0.25, weft__iq2_xxs_book[p[l]], with_eighth(rest & 127), out);
    }
}

void ref_read_iq2_xs(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p));
    const uint8_t *scales = p + 66;
    for (int e = 0; e < 32; e++, out += 8) {
        unsigned q = short_in(p + 2 + 2 * e), s = e % 4 < 2 ? scales[e / 4] & 15 : scales[e / 4] >> 4;
        eight(d * (0.5 + s) * 0.25, weft__iq2_xs_book[q % 512], with_eighth(q / 512), out);
    }
}

void ref_read_iq2_s(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p));
    const uint8_t *low = p + 2, *signs = p + 34, *high = p + 66, *scales = p + 74;
    for (int e = 0; e < 32; e++, out += 8) {
        unsigned s = e % 4 < 2 ? scales[e / 4] & 15 : scales[e / 4] >> 4;
        unsigned entry = low[e] + ((unsigned)high[e / 4] >> e % 4 * 2) % 4 * 256;
        eight(d * (0.5 + s) * 0.25, weft__iq2_s_book[entry], signs[e], out);
    }
}

/* 4 elements of an entry, a nibble each. */
static void four(double d, const double *magnitudes, unsigned entry, unsigned signs, double *out)
{
    for (int j = 0; j < 4; j++, entry /= 16, signs /= 2) out[j] = (signs % 2 ? -d : d) * magnitudes[entry % 16];
}

void ref_read_iq3_xxs(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p));
    for (int g = 0; g < 8; g++) {
        uint32_t rest = long_in(p + 66 + 4 * g);
        double scale = d * (0.5 + (rest >> 28)) * 0.5;
        for (int l = 0; l < 8; l++, out += 4) {
            unsigned signs = with_eighth(rest >> l / 2 * 7 & 127);
            four(scale, threes, weft__iq3_xxs_book[p[2 + 8 * g + l]], l % 2 ? signs >> 4 : signs, out);
        }
    }
}

void ref_read_iq3_s(const uint8_t *p, double *out)
{
    static const double odd[] = { 1, 3, 5, 7, 9, 11, 13, 15 };
    const double d = ref_half((uint16_t)short_in(p));
    const uint8_t *low = p + 2, *high = p + 66, *signs = p + 74, *scales = p + 106;
    for (int e = 0; e < 64; e++, out += 4) {
        unsigned s = e / 8 % 2 ? scales[e / 16] >> 4 : scales[e / 16] & 15;
        unsigned entry = low[e] + (high[e / 8] & 1 << e % 8 ? 256u : 0u);
        four(d * (1 + 2 * s), odd, weft__iq3_s_book[entry], e % 2 ? signs[e / 2] >> 4 : signs[e / 2], out);
    }
}

/* 8 elements -1, 0, 1, all of them shifted. */
static void ternary(double d, unsigned entry, double shift, double *out)
{
    for (int j = 0; j < 8; j++, entry /= 4) out[j] = d * ((int)(entry % 4) - 1 + shift);
}

void ref_read_iq1_s(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p));
    for (int g = 0; g < 8; g++) {
        unsigned rest = short_in(p + 34 + 2 * g);
        for (int l = 0; l < 4; l++, out += 8)
            ternary(d * (2 * (rest >> 12 & 7) + 1), weft__iq1_s_book[p[2 + 4 * g + l] + (rest >> 3 * l & 7) * 256],
                    rest & 0x8000 ? -0.125 : 0.125, out);
    }
}

void ref_read_iq1_m(const uint8_t *p, double *out)
{
    unsigned half = 0;
    for (int i = 0; i < 4; i++) half += (short_in(p + 48 + 2 * i) >> 12) << 4 * i;
    const double d = ref_half((uint16_t)half);
    for (int g = 0; g < 16; g++) {
        unsigned scale = short_in(p + 48 + g / 4 * 2) >> g % 4 * 3 & 7;
        for (int l = 0; l < 2; l++, out += 8) {
            unsigned high = l ? p[32 + g] >> 4 : p[32 + g] & 15;
            ternary(d * (2 * scale + 1), weft__iq1_s_book[p[2 * g + l] + high % 8 * 256], high > 7 ? -0.125 : 0.125,
                    out);
        }
    }
}

/* The first digits of n bytes, then their second ones, and so on. */
static double *digits(const uint8_t *p, int n, int each, double d, double *out)
{
    static const unsigned powers[] = { 1, 3, 9, 27, 81 };
    for (int k = 0; k < each; k++)
        for (int i = 0; i < n; i++) *out++ = d * (int)(p[i] * powers[k] % 256 * 3 / 256) - d;
    return out;
}

void ref_read_tq1_0(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p + 52));
    out = digits(p, 32, 5, d, out);
    out = digits(p + 32, 16, 5, d, out);
    digits(p + 48, 4, 4, d, out);
}

void ref_read_tq2_0(const uint8_t *p, double *out)
{
    const double d = ref_half((uint16_t)short_in(p + 64));
    for (int half = 0; half < 2; half++)
        for (int shift = 0; shift < 8; shift += 2)
            for (int j = 0; j < 32; j++) *out++ = d * ((p[32 * half + j] >> shift & 3) - 1);
}

/* NVIDIA's: numbers of 4 bits, of which 16 share one of 8 bits. */
void ref_read_nvfp4(const uint8_t *p, double *out)
{
    static const double e2m1[8] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };
    for (int g = 0; g < 4; g++) {
        int e = p[g] >> 3 & 15, m = p[g] & 7;
        double d = p[g] == 0x7f ? 0 : e ? ldexp(1 + m / 8.0, e - 7) : ldexp(m, -9);
        for (int j = 0; j < 16; j++) {
            int q = j < 8 ? p[4 + 8 * g + j] & 15 : p[4 + 8 * g + j - 8] >> 4;
            *out++ = q & 8 ? -d * e2m1[q & 7] : d * e2m1[q & 7];
        }
    }
}

void ref_read_q8_K(const uint8_t *p, double *out)
{
    float d;
    memcpy(&d, p, sizeof d);
    for (int j = 0; j < 256; j++) out[j] = (double)d * (int8_t)p[4 + j];
}
