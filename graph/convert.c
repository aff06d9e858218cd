/* convert.c: rows of one type to rows of another, through f32. Plain C in a form that compilers vectorise.
 *
 * Tables by type of what reads a row as f32 and what writes f32 as a row make up every pair. */
#include "graph/block_encode.h"
#include "graph/convert.h"
#include "graph/quantize/quantize.h"

#include <string.h>

#define BLOCK 32 /* elements in a block of q8_0 and q4_0, which have loops of their own */

/* ---- rows to f32 ---- */

static void read_f32(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    memcpy(dst, src, n * sizeof *dst);
}

static void read_f16(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, src + 2 * i, sizeof h);
        dst[i] = weft__f32_from_f16(h);
    }
}

static void read_bf16(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, src + 2 * i, sizeof h);
        dst[i] = weft__f32_from_bf16(h);
    }
}

/* Any format, by its row's formula. */
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value)                \
    static void decode_##name(const unsigned char *restrict b, float *restrict dst, size_t n)           \
    {                                                                                                   \
        for (size_t at = 0; at < n; at += block, b += bytes)                                            \
            for (int i = 0; i < block; i++) dst[at + (size_t)i] = value;                                \
    }
#include "block.def"
#undef WEFT_BLOCK

/* Formats that are read by loops of their own, faster. */

static float block_scale(const unsigned char *block)
{
    uint16_t h;
    memcpy(&h, block, sizeof h);
    return weft__f32_from_f16(h);
}

static void read_q8_0(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n / BLOCK; b++, src += 2 + BLOCK, dst += BLOCK) {
        float d = block_scale(src);
        for (size_t i = 0; i < BLOCK; i++) dst[i] = d * (float)(int8_t)src[2 + i];
    }
}

static void read_q4_0(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n / BLOCK; b++, src += 2 + BLOCK / 2, dst += BLOCK) {
        float d = block_scale(src);
        for (size_t i = 0; i < BLOCK / 2; i++) {
            dst[i] = d * (float)((src[2 + i] & 15) - 8);
            dst[i + BLOCK / 2] = d * (float)((src[2 + i] >> 4) - 8);
        }
    }
}

/* ---- rows from f32 ---- */

static void write_f32(const float *restrict src, unsigned char *restrict dst, size_t n)
{
    memcpy(dst, src, n * sizeof *src);
}

static void write_f16(const float *restrict src, unsigned char *restrict dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = weft__f16_from_f32(src[i]);
        memcpy(dst + 2 * i, &h, sizeof h);
    }
}

static void write_bf16(const float *restrict src, unsigned char *restrict dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = weft__bf16_from_f32(src[i]);
        memcpy(dst + 2 * i, &h, sizeof h);
    }
}

/* Formats that encode, as block_encode.h says; others are quantised by a search. */
#define WRITER_0(name, block, bytes)
#define WRITER_1(name, block, bytes)                                                                \
    static void write_##name(const float *restrict src, unsigned char *restrict dst, size_t n)      \
    {                                                                                               \
        for (size_t at = 0; at < n; at += block, dst += bytes) encode_##name(src + at, dst);        \
    }
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) \
    WRITER_##encodes(name, block, bytes)
#include "block.def"
#undef WEFT_BLOCK
#undef WRITER_0
#undef WRITER_1

/* ---- pairs ---- */

typedef void read_fn(const unsigned char *restrict src, float *restrict dst, size_t n);
typedef void write_fn(const float *restrict src, unsigned char *restrict dst, size_t n);

static read_fn *const formulas[WEFT_DTYPE_COUNT] = {
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) [number] = decode_##name,
#include "block.def"
#undef WEFT_BLOCK
};
static read_fn *const loops[WEFT_DTYPE_COUNT] = {
    [WEFT_F32] = read_f32,   [WEFT_F16] = read_f16,   [WEFT_BF16] = read_bf16,
    [WEFT_Q8_0] = read_q8_0, [WEFT_Q4_0] = read_q4_0,
};
#define WRITER_0(number, name)
#define WRITER_1(number, name) [number] = write_##name,
static write_fn *const writers[WEFT_DTYPE_COUNT] = {
    [WEFT_F32] = write_f32, [WEFT_F16] = write_f16, [WEFT_BF16] = write_bf16,
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) WRITER_##encodes(number, name)
#include "block.def"
#undef WEFT_BLOCK
};
#undef WRITER_0
#undef WRITER_1

static read_fn *reader_of(weft_dtype t)
{
    return loops[t] ? loops[t] : formulas[t];
}

bool weft__decode_row(weft_dtype from, const void *src, float *dst, int64_t n)
{
    uint64_t bytes;
    if ((unsigned)from >= WEFT_DTYPE_COUNT || !formulas[from] || !weft_dtype_row_bytes(from, n, &bytes)) return false;
    formulas[from](src, dst, (size_t)n);
    return true;
}

bool weft__converts(weft_dtype from, weft_dtype to)
{
    if ((unsigned)from >= WEFT_DTYPE_COUNT || (unsigned)to >= WEFT_DTYPE_COUNT || from == WEFT_ANY) return false;
    return from == to || (reader_of(from) && weft_dtype_quantizes(to));
}

bool weft__convert_row(weft_dtype from, const void *src, weft_dtype to, void *dst, int64_t n)
{
    enum { PIECE = 1024 }; /* elements in flight; a multiple of every block */
    float piece[PIECE];
    uint64_t from_bytes, to_bytes;
    if (!weft__converts(from, to) || !weft_dtype_row_bytes(from, n, &from_bytes) ||
        !weft_dtype_row_bytes(to, n, &to_bytes))
        return false;
    if (from == to) {
        memcpy(dst, src, (size_t)from_bytes);
        return true;
    }
    const unsigned char *s = src;
    unsigned char *d = dst;
    uint64_t s_step, d_step;
    weft_dtype_row_bytes(from, PIECE, &s_step);
    weft_dtype_row_bytes(to, PIECE, &d_step);
    for (size_t left = (size_t)n; left; s += s_step, d += d_step) {
        size_t m = left < PIECE ? left : PIECE;
        reader_of(from)(s, piece, m);
        if (writers[to]) writers[to](piece, d, m);
        else weft__quantize_row(to, piece, NULL, d, (int64_t)m);
        left -= m;
    }
    return true;
}
