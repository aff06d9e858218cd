/* k_pack_blocks.c: panels of block formats (panel.h) from a file's blocks, and back to floats. Packing works on bytes
 * in vectors of 16, as every processor has them, with all sizes known to the compiler; unpacking goes element by
 * element in plain C and is the definition. A row of panel.def needs two functions here: a block's header, and the
 * words of one of its chunks. */
#include "graph/convert.h"
#include "pack.h"

#include <math.h>
#include <string.h>

#define CPU_VEC_SCALAR
#include "vec.h"

#define PACK_FN static inline __attribute__((always_inline))

/* Bytes of one row: of a header and what is read behind it, and of the chunks of a span. */
enum { MOST_HEADER = 48, MOST_WORDS = 8 * 24, MOST_ROWS = 16 };

typedef uint8_t bytes16 __attribute__((vector_size(16)));

PACK_FN bytes16 load16(const uint8_t *p)
{
    bytes16 x;
    memcpy(&x, p, 16);
    return x;
}

/* Each byte shifted, where no bit leaves its byte that counts: processors shift words. */
PACK_FN bytes16 left(bytes16 x, int n) { return (bytes16)((vec_u32)x << n); }
PACK_FN bytes16 right(bytes16 x, int n) { return (bytes16)((vec_u32)x >> n); }

/* ---- codes of a chunk, elements 0 to 15 and 16 to 31, to words ---- */

PACK_FN void words_4(bytes16 a, bytes16 b, uint8_t *out)
{
    const bytes16 x = a | left(b, 4);
    memcpy(out, &x, 16);
}

PACK_FN void words_2(bytes16 a, bytes16 b, uint8_t *out)
{
    const vec_u32 first = __builtin_shufflevector((vec_u32)a, (vec_u32)b, 0, 4, 1, 5); /* quads 0 and 1 of both words */
    const vec_u32 second = __builtin_shufflevector((vec_u32)a, (vec_u32)b, 2, 6, 3, 7);
    const bytes16 x = (bytes16)first | left((bytes16)second, 4);
    const bytes16 y = x | left((bytes16)__builtin_shufflevector((vec_u32)x, (vec_u32)x, 2, 3, 0, 1), 2);
    memcpy(out, &y, 8);
}

/* ---- chunks: of 32 codes, those of `mask` in 32 bytes after shifting ---- */

PACK_FN void chunk_4(const uint8_t *b, int shift, uint8_t *out)
{
    words_4(right(load16(b), shift) & 15, right(load16(b + 16), shift) & 15, out);
}

PACK_FN void chunk_2(const uint8_t *b, int shift, uint8_t *out)
{
    words_2(right(load16(b), shift) & 3, right(load16(b + 16), shift) & 3, out);
}

/* ---- codes of 3, 5 and 6 bits, whose words have bits of several quads ---- */

PACK_FN uint32_t load4(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

#define EACH(byte) ((byte) * 0x01010101u)

/* `mask` in 32 bytes after shifting, moved up to bit `to` of the codes. */
PACK_FN void add_bits(const uint8_t *b, int shift, uint32_t mask, int to, uint32_t quad[8])
{
    for (int g = 0; g < 8; g++) quad[g] |= (load4(b + 4 * g) >> shift & EACH(mask)) << to;
}

/* The nibbles of 16 bytes, and a fifth bit of each element, in the order of a 32-bit word. */
PACK_FN void take_fives(const uint8_t *nibbles, const uint8_t *fifth, uint32_t quad[8])
{
    for (int g = 0; g < 8; g++) {
        const uint32_t x = ((uint32_t)fifth[g / 2] >> g % 2 * 4 & 15u) * 0x2040810u & EACH(16u); /* bit j to byte j */
        const uint8_t high[4] = { (uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24) };
        quad[g] = (load4(nibbles + g % 4 * 4) >> g / 4 * 4 & EACH(15u)) | load4(high);
    }
}

/* Words as cpu_panel_pieces has them. */
PACK_FN void words_3(const uint32_t q[8], uint8_t *out)
{
    const uint32_t w[3] = { q[0] | q[1] << 3 | (q[6] << 6 & EACH(0xc0u)), q[2] | q[3] << 3 | (q[7] << 6 & EACH(0xc0u)),
                            q[4] | q[5] << 3 | (q[6] << 4 & EACH(0x40u)) | (q[7] << 5 & EACH(0x80u)) };
    memcpy(out, w, 12);
}

PACK_FN void words_5(const uint32_t q[8], uint8_t *out)
{
    const uint32_t w[5] = { q[0] | (q[5] << 5 & EACH(0xe0u)), q[1] | (q[6] << 5 & EACH(0xe0u)),
                            q[2] | (q[7] << 5 & EACH(0xe0u)),
                            q[3] | (q[5] << 2 & EACH(0x60u)) | (q[7] << 4 & EACH(0x80u)),
                            q[4] | (q[6] << 2 & EACH(0x60u)) | (q[7] << 3 & EACH(0x80u)) };
    memcpy(out, w, 20);
}

PACK_FN void words_6(const uint32_t q[8], uint8_t *out)
{
    const uint32_t w[6] = { q[0] | (q[6] << 6 & EACH(0xc0u)), q[1] | (q[6] << 4 & EACH(0xc0u)),
                            q[2] | (q[6] << 2 & EACH(0xc0u)), q[3] | (q[7] << 6 & EACH(0xc0u)),
                            q[4] | (q[7] << 4 & EACH(0xc0u)), q[5] | (q[7] << 2 & EACH(0xc0u)) };
    memcpy(out, w, 24);
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
    uint32_t quad[8];
    (void)c;
    take_fives(b + 6, b + 2, quad);
    words_5(quad, out);
}

PACK_FN void chunk_Q5_1(const uint8_t *b, int c, uint8_t *out)
{
    uint32_t quad[8];
    (void)c;
    take_fives(b + 8, b + 4, quad);
    words_5(quad, out);
}

PACK_FN void chunk_Q2_K(const uint8_t *b, int c, uint8_t *out) { chunk_2(b + 16 + c / 4 * 32, c % 4 * 2, out); }

PACK_FN void chunk_Q3_K(const uint8_t *b, int c, uint8_t *out)
{
    uint32_t quad[8] = { 0 };
    add_bits(b + 32 + c / 4 * 32, c % 4 * 2, 3, 0, quad);
    add_bits(b, c, 1, 2, quad);
    words_3(quad, out);
}

PACK_FN void chunk_Q4_K(const uint8_t *b, int c, uint8_t *out) { chunk_4(b + 16 + c / 2 * 32, c % 2 * 4, out); }

PACK_FN void chunk_Q5_K(const uint8_t *b, int c, uint8_t *out)
{
    uint32_t quad[8] = { 0 };
    add_bits(b + 48 + c / 2 * 32, c % 2 * 4, 15, 0, quad);
    add_bits(b + 16, c, 1, 4, quad);
    words_5(quad, out);
}

PACK_FN void chunk_Q6_K(const uint8_t *b, int c, uint8_t *out)
{
    uint32_t quad[8] = { 0 };
    add_bits(b + c / 4 * 64 + c % 2 * 32, c % 4 / 2 * 4, 15, 0, quad);
    add_bits(b + 128 + c / 4 * 32, c % 4 * 2, 3, 4, quad);
    words_6(quad, out);
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

/* Scales of 6 bits less 32: four low bits of each in 8 bytes, two high ones in 4. */
PACK_FN void head_Q3_K(const uint8_t *b, int c, uint8_t *out)
{
    uint32_t low[2], high;
    memcpy(low, b + 96, 8);
    memcpy(&high, b + 104, 4);
    memcpy(out, b + 108, 2);
    vec_u32 x = { low[0], low[1], low[0] >> 4, low[1] >> 4 }, y = { high << 4, high << 2, high, high >> 2 };
    const bytes16 s = ((bytes16)x & 15) + ((bytes16)y & 48) - 32;
    memcpy(out + 4 + c, &s, 16);
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

/* Scales and minima of 6 bits each, in 12 bytes: of groups 0 to 3 as they are, of the others four bits in the last word
 * and two above those of group - 4. */
PACK_FN void head_Q4_K(const uint8_t *b, int c, uint8_t *out)
{
    uint32_t s[3];
    memcpy(s, b + 4, 12);
    memcpy(out, b, 4);
    const uint32_t all[4] = { s[0] & 0x3f3f3f3fu, (s[2] & 0x0f0f0f0fu) | (s[0] >> 2 & 0x30303030u),
                              s[1] & 0x3f3f3f3fu, (s[2] >> 4 & 0x0f0f0f0fu) | (s[1] >> 2 & 0x30303030u) };
    memcpy(out + 4 + c, all, 16);
}

PACK_FN void head_Q5_K(const uint8_t *b, int c, uint8_t *out) { head_Q4_K(b, c, out); }

/* ---- panels ---- */

typedef void take_fn(const uint8_t *b, int c, uint8_t *out);

/* A span of R rows, before it is interleaved: those that do not exist are zeros, scales and all. */
typedef struct span {
    uint8_t header[MOST_ROWS][MOST_HEADER], words[MOST_ROWS][MOST_WORDS];
} span;

/* One row of it, from block b of `each` chunks and those behind it, which are `bytes` long. What comes next lies
 * `ahead` bytes further on. */
PACK_FN void take_row(const cpu_panel_format *f, take_fn *head, take_fn *chunk, const uint8_t *b, int each,
                      size_t bytes, int chunks, uint8_t flip, size_t ahead, uint8_t *header, uint8_t *words)
{
    const size_t size = (size_t)cpu_panel_chunk(f);
    for (size_t i = 0; i < (size_t)(f->span / each) * bytes; i += 64) __builtin_prefetch(b + ahead + i);
    VEC_UNROLL(8)
    for (int c = 0; c < f->span; c++) { /* with constant places in the block */
        if (c >= chunks) break;
        const uint8_t *at = b + (size_t)(c / each) * bytes;
        if (c % each == 0) head(at, c, header);
        chunk(at, c % each, words + (size_t)c * size);
    }
    for (size_t i = 0; flip && i < (size_t)chunks * size; i++) words[i] = (uint8_t)(words[i] ^ flip);
}

/* The bytes of rows r to r + n (4 or 8) of R headers, from the one at `at` on: [rows][16] to [columns][R]. */
PACK_FN void place_bytes(uint8_t (*header)[MOST_HEADER], size_t at, size_t columns, size_t R, size_t r, int n,
                         uint8_t *out)
{
    bytes16 v[8], w[8];
    VEC_UNROLL(8)
    for (int i = 0; i < n; i++) v[i] = load16(header[r + (size_t)i] + at);
    VEC_UNROLL(3)
    for (int round = n; round > 1; round /= 2) { /* perfect shuffles (vec.h) */
        VEC_UNROLL(4)
        for (int i = 0; i < n / 2; i++) {
            const bytes16 a = v[i], b = v[i + n / 2];
            w[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            w[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        VEC_UNROLL(8)
        for (int i = 0; i < n; i++) v[i] = w[i];
    }
    VEC_UNROLL(16)
    for (size_t c = 0; c < columns; c++) memcpy(out + c * R + r, (uint8_t *)v + c * (size_t)n, (size_t)n);
}

/* Headers to their places: the first 4 bytes are halves, unless all are bytes. */
PACK_FN void place_headers(const cpu_panel_format *f, span *s, size_t R, uint8_t *out)
{
    const size_t halves = f->scale == CPU_SCALE_EXPONENT ? 0 : 2, n = (size_t)cpu_panel_header(f);
    const int rows = R < 8 ? 4 : 8;
    for (size_t i = 0; i < halves; i++)
        for (size_t r = 0; r < R; r++) memcpy(out + 2 * (i * R + r), s->header[r] + 2 * i, 2);
    for (size_t i = 2 * halves; i < n; i += 16)
        for (size_t r = 0; r < R; r += (size_t)rows)
            place_bytes(s->header, i, n - i < 16 ? n - i : 16, R, r, rows, out + i * R);
}

/* [R][n] words to [n][R], n >= 4. */
PACK_FN void place_words(span *s, size_t n, size_t R, uint8_t *out)
{
    for (size_t i = 0; i < n; i = i + 4 < n && n < i + 8 ? n - 4 : i + 4) /* the last four, some of them once more */
        for (size_t r = 0; r < R; r += 4) {
            vec_u32 v[4];
            VEC_UNROLL(4)
            for (size_t j = 0; j < 4; j++) memcpy(&v[j], s->words[r + j] + 4 * i, 16);
            vec_transpose_u32(v);
            VEC_UNROLL(4)
            for (size_t j = 0; j < 4; j++) memcpy(out + ((i + j) * R + r) * 4, &v[j], 16);
        }
}

PACK_FN void pack_rows(const cpu_panel_format *f, take_fn *head, take_fn *chunk, int block, size_t bytes,
                       const uint8_t *src, size_t rows, int64_t k, uint8_t flip, size_t R, uint8_t *out)
{
    const int each = block / CPU_CHUNK;
    const size_t row = (size_t)(k / block) * bytes, step = (size_t)(f->span / each) * bytes;
    const size_t header = (size_t)cpu_panel_header(f), chunk_bytes = (size_t)cpu_panel_chunk(f);
    span s;
    if (rows < R || f->scale == CPU_SCALE_SIGNED) memset(&s, 0, sizeof s); /* such headers have bytes of no meaning */
    for (int64_t left = k / CPU_CHUNK; left > 0; left -= f->span) {
        const int chunks = left < f->span ? (int)left : f->span;
        if (chunks < f->span) memset(s.header, 0, sizeof s.header);
        for (size_t r = 0; r < rows; r++)
            take_row(f, head, chunk, src + r * row, each, bytes, chunks, flip, R * row, s.header[r], s.words[r]);
        place_headers(f, &s, R, out);
        place_words(&s, (size_t)chunks * chunk_bytes / 4, R, out + header * R);
        src += step;
        out += (header + (size_t)chunks * chunk_bytes) * R;
    }
}

/* Elements and bytes of the files' blocks. */
enum {
#define WEFT_DTYPE(number, id, name, block, bytes, class_, bits, group, minimum, encodes) \
    BLOCK_##id = block, BYTES_##id = bytes,
#include "graph/dtype.def"
#undef WEFT_DTYPE
};

/* Panels of R rows, as constants. */
PACK_FN void pack_any(weft_dtype t, const void *src, size_t rows, int64_t k, bool biased, size_t R, void *out)
{
    switch (t) {
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) \
    case WEFT_##id:                                                                                                   \
        pack_rows(&cpu_panel_##id, head_##id, chunk_##id, BLOCK_##id, BYTES_##id, src, rows, k,         \
                  biased && bits == 8 ? 0x80 : 0, R, out);                                                             \
        break;
#include "panel.def"
    default: break;
    }
}

void cpu_pack_blocks(weft_dtype t, const void *src, int64_t rows, int64_t k, bool biased, size_t R, void *out)
{
    switch (R) {
    case 16: pack_any(t, src, (size_t)rows, k, biased, 16, out); break;
    case 8: pack_any(t, src, (size_t)rows, k, biased, 8, out); break;
    default: pack_any(t, src, (size_t)rows, k, biased, 4, out); break;
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

/* The code of element e of the chunk at p. */
static int code_in(const uint8_t *p, int bits, size_t R, size_t r, int e)
{
    int code = 0;
    for (int i = 0; i < 3; i++) {
        const cpu_panel_piece at = cpu_panel_pieces[bits][e / 4][i];
        code |= (p[((size_t)at.word * R + r) * 4 + (size_t)(e % 4)] >> at.from & ((1 << at.bits) - 1)) << at.to;
    }
    return code;
}

static int number_of(const cpu_panel_format *f, const uint8_t *chunk, bool biased, size_t R, size_t r, int e)
{
    const int code = code_in(chunk, f->bits, R, r, e);
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
