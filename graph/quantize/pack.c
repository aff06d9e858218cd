/* pack.c: see pack.h. Levels are put bit by bit where block.def finds them. */
#include "graph/quantize/pack.h"

static void put_half(unsigned char *b, unsigned h)
{
    b[0] = (unsigned char)h;
    b[1] = (unsigned char)(h >> 8);
}

/* Sets bits of a byte that are zeros. */
static void put(unsigned char *b, int at, unsigned v, int shift)
{
    b[at] = (unsigned char)(b[at] | v << shift);
}

/* The low four bits of 32 levels, two halves of a group of bytes. */
static void put_nibbles(const unsigned char *level, unsigned char *b)
{
    for (int i = 0; i < 32; i++) put(b, i % 16, level[i] & 15u, i / 16 * 4);
}

/* Bit 4 of 32 levels. */
static void put_fifths(const unsigned char *level, unsigned char *b)
{
    for (int i = 0; i < 32; i++) put(b, i / 8, level[i] >> 4 & 1u, i % 8);
}

void weft__pack_q4_0(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    (void)m;
    put_half(b, d);
    put_nibbles(f->level, b + 2);
}

void weft__pack_q4_1(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    put_half(b, d);
    put_half(b + 2, m ^ 0x8000);
    put_nibbles(f->level, b + 4);
}

void weft__pack_q5_0(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    (void)m;
    put_half(b, d);
    put_fifths(f->level, b + 2);
    put_nibbles(f->level, b + 6);
}

void weft__pack_q5_1(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    put_half(b, d);
    put_half(b + 2, m ^ 0x8000);
    put_fifths(f->level, b + 4);
    put_nibbles(f->level, b + 8);
}

/* Two bits of each of 256 levels: 32 bytes hold four runs of 32. */
static void put_pairs(const unsigned char *level, int shift, unsigned char *b)
{
    for (int i = 0; i < 256; i++) put(b, i / 128 * 32 + i % 32, level[i] >> shift & 3u, i % 128 / 32 * 2);
}

void weft__pack_q2_K(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    for (int g = 0; g < 16; g++) b[g] = (unsigned char)(f->scale[g] | f->min[g] << 4);
    put_pairs(f->level, 0, b + 16);
    put_half(b + 80, d);
    put_half(b + 82, m);
}

void weft__pack_q3_K(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    (void)m;
    for (int i = 0; i < 256; i++) put(b, i % 32, f->level[i] >> 2 & 1u, i / 32);
    put_pairs(f->level, 0, b + 32);
    for (int g = 0; g < 16; g++) {
        unsigned s = (unsigned)(f->scale[g] + 32);
        put(b, 96 + g % 8, s & 15, g / 8 * 4);
        put(b, 104 + g % 4, s >> 4, g / 4 * 2);
    }
    put_half(b + 108, d);
}

/* The scales and minima of eight groups, six bits each, in 12 bytes. */
static void put_sixes(const weft__fit *f, unsigned char *b)
{
    for (int g = 0; g < 8; g++) {
        unsigned s = (unsigned)f->scale[g], m = (unsigned)f->min[g];
        if (g < 4) {
            put(b, g, s, 0);
            put(b, g + 4, m, 0);
        } else {
            put(b, g + 4, s & 15, 0);
            put(b, g + 4, m & 15, 4);
            put(b, g - 4, s >> 4, 6);
            put(b, g, m >> 4, 6);
        }
    }
}

/* The low four bits of 256 levels: 32 bytes hold two runs of 32. */
static void put_runs(const unsigned char *level, unsigned char *b)
{
    for (int i = 0; i < 256; i++) put(b, i / 64 * 32 + i % 32, level[i] & 15u, i / 32 % 2 * 4);
}

void weft__pack_q4_K(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    put_half(b, d);
    put_half(b + 2, m);
    put_sixes(f, b + 4);
    put_runs(f->level, b + 16);
}

void weft__pack_q5_K(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    put_half(b, d);
    put_half(b + 2, m);
    put_sixes(f, b + 4);
    for (int i = 0; i < 256; i++) put(b, 16 + i % 32, f->level[i] >> 4 & 1u, i / 32);
    put_runs(f->level, b + 48);
}

void weft__pack_q6_K(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    (void)m;
    for (int i = 0; i < 256; i++) put(b, i / 128 * 64 + i % 64, f->level[i] & 15u, i % 128 / 64 * 4);
    put_pairs(f->level, 4, b + 128);
    for (int g = 0; g < 16; g++) b[192 + g] = (unsigned char)f->scale[g];
    put_half(b + 208, d);
}

void weft__pack_iq4_xs(const weft__fit *f, unsigned d, unsigned m, unsigned char *b)
{
    (void)m;
    put_half(b, d);
    for (int g = 0; g < 8; g++) {
        unsigned s = (unsigned)(f->scale[g] + 32);
        put(b, 2 + g / 4, s >> 4, g % 4 * 2);
        put(b, 4 + g / 2, s & 15, g % 2 * 4);
        put_nibbles(f->level + 32 * g, b + 8 + 16 * g);
    }
}
