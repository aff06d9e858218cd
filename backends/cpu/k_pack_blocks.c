/* k_pack_blocks.c: panels of block formats (panel.h) from a file's blocks, and back to floats, element by element in
 * plain C. The multiplication kernels have their own, vectorised readers; this file is the definition. A row of
 * panel.def needs two functions here: a block's header, and the planes of one of its chunks. */
#include "graph/convert.h"
#include "pack.h"

#include <math.h>
#include <string.h>

#define PACK_FN static inline __attribute__((always_inline))

enum { MOST_HEADER = 40, MOST_CHUNK = 32 }; /* bytes of one row */

/* ---- codes of a chunk to planes ---- */

PACK_FN void plane_4(const uint8_t code[CPU_CHUNK], uint8_t out[16])
{
    for (int i = 0; i < 16; i++) out[i] = (uint8_t)(code[i] | code[i + 16] << 4);
}

PACK_FN void plane_2(const uint8_t code[CPU_CHUNK], uint8_t out[8])
{
    for (int w = 0; w < 2; w++)
        for (int j = 0; j < 4; j++) {
            const uint8_t *c = code + 16 * w + j;
            out[4 * w + j] = (uint8_t)(c[0] | c[4] << 2 | c[8] << 4 | c[12] << 6);
        }
}

PACK_FN void plane_1(const uint8_t code[CPU_CHUNK], uint8_t out[4])
{
    for (int j = 0; j < 4; j++) {
        unsigned byte = 0;
        for (int s = 0; s < 8; s++) byte |= (unsigned)code[4 * s + j] << s;
        out[j] = (uint8_t)byte;
    }
}

/* ---- chunks: of 32 codes, `mask` of 32 bytes after shifting ---- */

PACK_FN void take_codes(const uint8_t *b, int shift, int mask, uint8_t code[CPU_CHUNK])
{
    for (int i = 0; i < CPU_CHUNK; i++) code[i] = (uint8_t)(b[i] >> shift & mask);
}

PACK_FN void chunk_4(const uint8_t *b, int shift, uint8_t *out)
{
    uint8_t code[CPU_CHUNK];
    take_codes(b, shift, 15, code);
    plane_4(code, out);
}

PACK_FN void chunk_2(const uint8_t *b, int shift, uint8_t *out)
{
    uint8_t code[CPU_CHUNK];
    take_codes(b, shift, 3, code);
    plane_2(code, out);
}

PACK_FN void chunk_1(const uint8_t *b, int shift, uint8_t *out)
{
    uint8_t code[CPU_CHUNK];
    take_codes(b, shift, 1, code);
    plane_1(code, out);
}

/* One bit of each element, in the order of a 32-bit word. */
PACK_FN void chunk_1_of_word(const uint8_t *b, uint8_t *out)
{
    uint8_t code[CPU_CHUNK];
    for (int i = 0; i < CPU_CHUNK; i++) code[i] = (uint8_t)(b[i / 8] >> i % 8 & 1);
    plane_1(code, out);
}

/* ---- formats: chunk c of block b; header of block b, which has chunk c of a span if blocks are chunks ---- */

PACK_FN void chunk_Q8_0(const uint8_t *b, int c, uint8_t *out) { memcpy(out, b + 2 + 32 * c, 32); }
PACK_FN void chunk_Q4_0(const uint8_t *b, int c, uint8_t *out) { memcpy(out, b + 2 + 16 * c, 16); }
PACK_FN void chunk_Q4_1(const uint8_t *b, int c, uint8_t *out) { memcpy(out, b + 4 + 16 * c, 16); }
PACK_FN void chunk_IQ4_NL(const uint8_t *b, int c, uint8_t *out) { memcpy(out, b + 2 + 16 * c, 16); }
PACK_FN void chunk_IQ4_XS(const uint8_t *b, int c, uint8_t *out) { memcpy(out, b + 8 + 16 * c, 16); }
PACK_FN void chunk_MXFP4(const uint8_t *b, int c, uint8_t *out) { memcpy(out, b + 1 + 16 * c, 16); }

PACK_FN void chunk_Q5_0(const uint8_t *b, int c, uint8_t *out)
{
    memcpy(out, b + 6 + 16 * c, 16);
    chunk_1_of_word(b + 2, out + 16);
}

PACK_FN void chunk_Q5_1(const uint8_t *b, int c, uint8_t *out)
{
    memcpy(out, b + 8 + 16 * c, 16);
    chunk_1_of_word(b + 4, out + 16);
}

PACK_FN void chunk_Q2_K(const uint8_t *b, int c, uint8_t *out) { chunk_2(b + 16 + c / 4 * 32, c % 4 * 2, out); }

PACK_FN void chunk_Q3_K(const uint8_t *b, int c, uint8_t *out)
{
    chunk_2(b + 32 + c / 4 * 32, c % 4 * 2, out);
    chunk_1(b, c, out + 8);
}

PACK_FN void chunk_Q4_K(const uint8_t *b, int c, uint8_t *out) { chunk_4(b + 16 + c / 2 * 32, c % 2 * 4, out); }

PACK_FN void chunk_Q5_K(const uint8_t *b, int c, uint8_t *out)
{
    chunk_4(b + 48 + c / 2 * 32, c % 2 * 4, out);
    chunk_1(b + 16, c, out + 16);
}

PACK_FN void chunk_Q6_K(const uint8_t *b, int c, uint8_t *out)
{
    chunk_4(b + c / 4 * 64 + c % 2 * 32, c % 4 / 2 * 4, out);
    chunk_2(b + 128 + c / 4 * 32, c % 4 * 2, out + 16);
}

PACK_FN void head_Q8_0(const uint8_t *b, int c, uint8_t *out) { memcpy(out + 2 * c, b, 2); }
PACK_FN void head_Q4_0(const uint8_t *b, int c, uint8_t *out) { memcpy(out + 2 * c, b, 2); }
PACK_FN void head_Q5_0(const uint8_t *b, int c, uint8_t *out) { memcpy(out + 2 * c, b, 2); }
PACK_FN void head_IQ4_NL(const uint8_t *b, int c, uint8_t *out) { memcpy(out + 2 * c, b, 2); }
PACK_FN void head_Q4_1(const uint8_t *b, int c, uint8_t *out) { memcpy(out + 4 * c, b, 4); }
PACK_FN void head_Q5_1(const uint8_t *b, int c, uint8_t *out) { memcpy(out + 4 * c, b, 4); }
PACK_FN void head_MXFP4(const uint8_t *b, int c, uint8_t *out) { out[c] = b[0]; }

PACK_FN void head_Q2_K(const uint8_t *b, int c, uint8_t *out)
{
    memcpy(out, b + 80, 4);
    memcpy(out + 4 + c, b, 16);
}

PACK_FN void head_Q3_K(const uint8_t *b, int c, uint8_t *out)
{
    const uint8_t *s = b + 96;
    memcpy(out, b + 108, 2);
    for (int g = 0; g < 16; g++)
        out[4 + c + g] = (uint8_t)((s[g % 8] >> g / 8 * 4 & 15) + (s[8 + g % 4] >> g / 4 * 2 & 3) * 16 - 32);
}

PACK_FN void head_Q6_K(const uint8_t *b, int c, uint8_t *out)
{
    memcpy(out, b + 208, 2);
    memcpy(out + 4 + c, b + 192, 16);
}

PACK_FN void head_IQ4_XS(const uint8_t *b, int c, uint8_t *out)
{
    const int high = b[2] | b[3] << 8;
    memcpy(out, b, 2);
    for (int g = 0; g < 8; g++)
        out[4 + c + g] = (uint8_t)((b[4 + g / 2] >> g % 2 * 4 & 15) + (high >> 2 * g & 3) * 16 - 32);
}

/* Scales and minima of 6 bits each, in 12 bytes. */
PACK_FN void head_Q4_K(const uint8_t *b, int c, uint8_t *out)
{
    const uint8_t *s = b + 4;
    memcpy(out, b, 4);
    for (int g = 0; g < 4; g++) {
        out[4 + c + g] = s[g] & 63;
        out[8 + c + g] = (uint8_t)((s[8 + g] & 15) | (s[g] >> 6) << 4);
        out[12 + c + g] = s[4 + g] & 63;
        out[16 + c + g] = (uint8_t)(s[8 + g] >> 4 | (s[4 + g] >> 6) << 4);
    }
}

PACK_FN void head_Q5_K(const uint8_t *b, int c, uint8_t *out) { head_Q4_K(b, c, out); }

/* ---- panels ---- */

typedef void take_fn(const uint8_t *b, int c, uint8_t *out);

/* Bytes of a header to their places for row r: the first 4 are halves, unless all are bytes. */
PACK_FN void place_header(const cpu_panel_format *f, const uint8_t *header, size_t R, size_t r, uint8_t *out)
{
    const size_t halves = f->scale == CPU_SCALE_EXPONENT ? 0 : 2, n = (size_t)cpu_panel_header(f);
    for (size_t i = 0; i < halves; i++) memcpy(out + 2 * (i * R + r), header + 2 * i, 2);
    for (size_t i = 2 * halves; i < n; i++) out[i * R + r] = header[i];
}

PACK_FN void place_chunk(const cpu_panel_format *f, const uint8_t *planes, uint32_t flip, size_t R, size_t r,
                         uint8_t *out)
{
    for (size_t i = 0; i < (size_t)cpu_panel_chunk(f) / 4; i++) {
        uint32_t word;
        memcpy(&word, planes + 4 * i, 4);
        word ^= flip;
        memcpy(out + (i * R + r) * 4, &word, 4);
    }
}

/* A span of one row, from block b of `each` chunks and those behind it, which are `bytes` long. */
PACK_FN void pack_span(const cpu_panel_format *f, take_fn *head, take_fn *chunk, const uint8_t *b, int each,
                       size_t bytes, int chunks, uint32_t flip, size_t R, size_t r, uint8_t *out)
{
    uint8_t header[MOST_HEADER] = { 0 }, planes[MOST_CHUNK];
    const uint8_t *at = b;
    for (int c = 0; c < chunks; c += each, at += bytes) head(at, c, header);
    place_header(f, header, R, r, out);
    out += (size_t)cpu_panel_header(f) * R;
    for (int c = 0; c < chunks; c++, out += (size_t)cpu_panel_chunk(f) * R) {
        chunk(b + (size_t)(c / each) * bytes, c % each, planes);
        place_chunk(f, planes, flip, R, r, out);
    }
}

/* Rows that do not exist are zeros, scales and all. */
PACK_FN void pack_rows(const cpu_panel_format *f, take_fn *head, take_fn *chunk, int block, size_t bytes,
                       const uint8_t *src, size_t rows, int64_t k, uint32_t flip, size_t R, uint8_t *out)
{
    const int each = block / CPU_CHUNK;
    const size_t row = (size_t)(k / block) * bytes, step = (size_t)(f->span / each) * bytes;
    if (rows < R) memset(out, 0, (size_t)cpu_panel_row(f, k) * R);
    for (int64_t left = k / CPU_CHUNK; left > 0; left -= f->span) {
        const int chunks = left < f->span ? (int)left : f->span;
        for (size_t r = 0; r < rows; r++)
            pack_span(f, head, chunk, src + r * row, each, bytes, chunks, flip, R, r, out);
        src += step;
        out += (size_t)(cpu_panel_header(f) + chunks * cpu_panel_chunk(f)) * R;
    }
}

void cpu_pack_blocks(weft_dtype t, const void *src, int64_t rows, int64_t k, bool biased, size_t R, void *out)
{
    const size_t n = (size_t)rows, bytes = weft_dtype_get(t)->bytes;
    const int block = (int)weft_dtype_get(t)->block;
    switch (t) {
#define CPU_PANEL(id, span, low, high, groups, scale, most, offset, table, wide)                                      \
    case WEFT_##id:                                                                                                   \
        pack_rows(&cpu_panel_##id, head_##id, chunk_##id, block, bytes, src, n, k,                                    \
                  biased && low == 8 ? 0x80808080u : 0, R, out);                                                      \
        break;
#include "panel.def"
    default: break;
    }
}

/* ---- back to floats ---- */

static float half_of(const uint8_t *panel, size_t at)
{
    uint16_t h;
    memcpy(&h, panel + 2 * at, 2);
    return weft__f32_from_f16(h);
}

/* d and m of group g of chunk c of the span at p. */
static void scale_of(const cpu_panel_format *f, const uint8_t *p, size_t R, size_t r, int c, int g, float *d, float *m)
{
    const size_t i = (size_t)(c * f->groups + g), n = (size_t)(f->span * f->groups);
    const uint8_t *bytes = p + 4 * R + r;
    const float first = half_of(p, r), second = half_of(p, R + r);
    *m = 0.0f;
    switch (f->scale) {
    case CPU_SCALE_HALF: *d = c ? second : first; break;
    case CPU_SCALE_HALF_MIN:
        *d = first;
        *m = second;
        break;
    case CPU_SCALE_EXPONENT: *d = ldexpf(1.0f, p[i * R + r] - 128); break;
    case CPU_SCALE_SIGNED: *d = first * (float)(int8_t)bytes[i * R]; break;
    case CPU_SCALE_BYTES_MIN:
        *d = first * (float)bytes[i * R];
        *m = -(second * (float)bytes[(n + i) * R]);
        break;
    case CPU_SCALE_NIBBLES_MIN:
        *d = first * (float)(bytes[i * R] & 15);
        *m = -(second * (float)(bytes[i * R] >> 4));
        break;
    default: *d = 0.0f; break; /* not in files */
    }
}

/* `bits` of element e in a plane at p. */
static int code_in(const uint8_t *p, int bits, size_t R, size_t r, int e)
{
    const int quad = e / 4, words = bits, each = 8 / bits; /* a word has `each` quads */
    const int word = bits == 4 ? quad % words : quad / each, place = bits == 4 ? quad / words : quad % each;
    return p[((size_t)word * R + r) * 4 + (size_t)(e % 4)] >> place * bits & ((1 << bits) - 1);
}

static int number_of(const cpu_panel_format *f, const uint8_t *chunk, bool biased, size_t R, size_t r, int e)
{
    int code = code_in(chunk, f->low, R, r, e);
    if (f->high) code |= code_in(chunk + (size_t)f->low * 4 * R, f->high, R, r, e) << f->low;
    if (f->table) return cpu_panel_tables[f->table][code];
    if (!cpu_panel_is_signed(f)) return code;
    return biased ? code - 128 : (int8_t)code;
}

void cpu_unpack_blocks(const cpu_panel_format *f, const void *panel, int64_t k, bool biased, size_t R, size_t r,
                       float *out)
{
    const uint8_t *p = panel;
    const size_t header = (size_t)cpu_panel_header(f) * R, chunk = (size_t)cpu_panel_chunk(f) * R;
    int64_t left = k / CPU_CHUNK;
    while (left > 0) {
        const int chunks = left < f->span ? (int)left : f->span, half = CPU_CHUNK / f->groups;
        for (int c = 0; c < chunks; c++)
            for (int e = 0; e < CPU_CHUNK; e++) {
                float d, m;
                scale_of(f, p, R, r, c, e / half, &d, &m);
                *out++ = d * (float)(number_of(f, p + header + (size_t)c * chunk, biased, R, r, e) - f->offset) + m;
            }
        p += header + (size_t)chunks * chunk;
        left -= chunks;
    }
}
