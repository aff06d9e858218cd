/* pack.c: rows of a checkpoint's blocks become rows of panels (weights.h), by the rows of formats.def. */
#include "backends/gpu/weights.h"

#include "graph/block_words.h"
#include "shaders/formats.h"
#include "shaders/turn.h"

#include <string.h>

enum { MAX_BLOCK = 256, GROUP = 32 };

typedef struct bits { uint32_t at, run, n; } bits; /* of a weight, n of them, in the file's block */

typedef struct source {
    bits low, high;
    uint32_t (*scale)(const unsigned char *b, int g);
    uint32_t (*upper)(const unsigned char *b);
} source;

typedef void codes_fn(const unsigned char *b, uint32_t n, unsigned char *codes);

/* n bytes from `at` on as a number. */
static inline uint32_t bytes_at(const unsigned char *b, int at, int n)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint32_t)b[at + i] << 8 * i;
    return v;
}

/* A scale without the bit that means nothing, and without the other zero. */
static inline int ue4m3(int v)
{
    return v == 127 ? 0 : v & 127;
}

/* Two signed or unsigned bytes. */
static inline uint32_t two_bytes(int low, int high)
{
    return ((uint32_t)low & 255u) | ((uint32_t)high & 255u) << 8;
}

#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, low_at, low_run, high_at, high_run, scale, upper) \
    static uint32_t scale_##id(const unsigned char *b, int g)                                                      \
    {                                                                                                               \
        (void)b, (void)g;                                                                                           \
        return (uint32_t)(scale);                                                                                   \
    }                                                                                                               \
    static uint32_t upper_##id(const unsigned char *b)                                                              \
    {                                                                                                               \
        (void)b;                                                                                                    \
        return (uint32_t)(upper);                                                                                   \
    }
#include "backends/gpu/formats.def"

static const source sources[WEFT_DTYPE_COUNT] = {
#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, low_at, low_run, high_at, high_run, scale, upper) \
    [WEFT_##id] = { { low_at, low_run, low }, { high_at, high_run, high }, scale_##id, upper_##id },
#include "backends/gpu/formats.def"
};

#define GPU_CODE(id, code)                                                                    \
    static void codes_##id(const unsigned char *b, uint32_t n, unsigned char *codes)        \
    {                                                                                         \
        for (int i = 0; i < (int)n; i++) codes[i] = (unsigned char)(code);                   \
    }
#include "backends/gpu/formats.def"

static codes_fn *const code_readers[WEFT_DTYPE_COUNT] = { /* NULL: codes are bits of the block */
#define GPU_CODE(id, code) [WEFT_##id] = codes_##id,
#include "backends/gpu/formats.def"
};

/* Eight bytes at once, or four: what is shifted from one byte into the next is masked out. */
static const uint64_t each_byte = UINT64_C(0x0101010101010101);

/* codes[0 .. 7] |= (from[0 .. 7] >> down & mask) << up */
static inline void move_bits(const unsigned char *from, uint32_t down, uint64_t mask, uint32_t up, uint32_t n,
                             unsigned char *to)
{
    uint64_t v = 0, old = 0;
    memcpy(&v, from, n);
    memcpy(&old, to, n);
    v = old | (v >> down & mask) << up;
    memcpy(to, &v, n);
}

/* Runs of one byte: bits 0 .. 7 of each are eight weights. */
static void read_single_bits(const unsigned char *b, uint32_t n, uint32_t shift, unsigned char *codes)
{
    for (uint32_t i = 0; i < n; i++) codes[i] |= (unsigned char)((b[i / 8] >> i % 8 & 1) << shift);
}

/* Into codes[i] << shift, the bits of weights 0 .. n - 1. */
static void read_bits(const unsigned char *block, const bits *from, uint32_t n, uint32_t shift, unsigned char *codes)
{
    const uint64_t mask = ((1u << from->n) - 1) * each_byte;
    const unsigned char *b = block + from->at;
    if (from->run == 1) {
        read_single_bits(b, n, shift, codes);
        return;
    }
    for (uint32_t i = 0; i < n; b += from->run)
        for (uint32_t down = 0; down < 8 && i < n; down += from->n, i += from->run)
            for (uint32_t k = 0; k < from->run; k += 8) move_bits(b + k, down, mask, shift, 8, codes + i + k);
}

/* Bits `shift` .. shift + n - 1 of the codes of a chunk of `count`, as a plane has them. */
static void write_bits(const unsigned char *codes, uint32_t count, uint32_t shift, uint32_t n, unsigned char *to)
{
    const uint64_t mask = ((1u << n) - 1) * each_byte;
    const uint32_t run = count * n / 8;
    for (uint32_t up = 0; up < 8; up += n, codes += run) {
        if (run == 4) move_bits(codes, shift, mask, up, 4, to);
        for (uint32_t k = 0; k + 8 <= run; k += 8) move_bits(codes + k, shift, mask, up, 8, to + k);
    }
}

static void put_bytes(unsigned char *to, uint32_t v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) to[i] = (unsigned char)(v >> 8 * i);
}

typedef struct places { unsigned char *low, *high, *scale, *upper; } places; /* a row's planes */

/* Where a row begins in a plane of bytes: those of its chunks are interleaved with those of its panel's other rows. */
static places places_of(const gpu_panels *p, uint32_t r, unsigned char *group)
{
    const uint64_t first = r / p->panel * p->panel, lane = r % p->panel; /* first row of the panel */
    const uint32_t of_chunk[] = { p->low_bytes, p->high_bytes, p->scale_bytes, p->upper_bytes };
    unsigned char *plane = group, *at[4];
    for (uint32_t i = 0; i < 4; i++) {
        at[i] = plane + first * p->row[i] + lane * of_chunk[i];
        plane += (uint64_t)p->group * p->row[i];
    }
    return (places){ at[GPU_LOW], at[GPU_HIGH], at[GPU_SCALES], at[GPU_UPPER] };
}

/* The codes of a block. */
static void read_codes(const source *s, codes_fn *one_by_one, const unsigned char *b, uint32_t n, unsigned char *codes)
{
    if (one_by_one) {
        one_by_one(b, n, codes);
        return;
    }
    read_bits(b, &s->low, n, 0, codes);
    if (s->high.n) read_bits(b, &s->high, n, s->low.n, codes);
}

static void pack_block(const gpu_panels *p, weft_dtype t, const unsigned char *b, uint32_t n, places *at)
{
    const source *s = &sources[t];
    unsigned char codes[MAX_BLOCK] = { 0 };
    const uint32_t stride = p->panel;
    const bool as_stored = s->low.run == p->low_bytes; /* the file's runs are the chunk's */
    if (!as_stored || s->high.n) read_codes(s, code_readers[t], b, n, codes);
    for (uint32_t i = 0; i < n; i += p->per_chunk) {
        if (as_stored) memcpy(at->low, b + s->low.at + i * s->low.n / 8, p->low_bytes);
        else write_bits(codes + i, p->per_chunk, 0, s->low.n, at->low);
        if (s->high.n) write_bits(codes + i, p->per_chunk, s->low.n, s->high.n, at->high);
        at->low += stride * p->low_bytes;
        at->high += stride * p->high_bytes;
    }
    for (uint32_t g = 0; g < n / GROUP; g++, at->scale += stride * p->scale_bytes)
        put_bytes(at->scale, s->scale(b, (int)g), p->scale_bytes);
    put_bytes(at->upper, s->upper(b), p->upper_bytes);
    at->upper += stride * p->upper_bytes;
}

/* ---- in the lanes' turn (shaders/turn.h) ---- */

/* Bits `shift` and up of the codes of quad i into its word of a plane of n bits. */
static inline void put_quad(uint32_t codes, uint32_t shift, uint32_t n, uint32_t i, unsigned char *chunk)
{
    const uint32_t mask = ((1u << n) - 1) * 0x01010101u;
    unsigned char *to = chunk + 4 * turn_word(i, n);
    uint32_t word;
    memcpy(&word, to, 4);
    word |= (codes >> shift & mask) << turn_shift(i, n);
    memcpy(to, &word, 4);
}

/* 32 columns, number `block` of the row, which are the same quad of eight chunks. */
static void put_codes(const gpu_panels *p, const source *s, const unsigned char *codes, uint32_t block,
                      const places *at)
{
    const uint32_t quads = p->per_chunk / 4, words = p->low_bytes / 4, i = block % quads, turn = block / quads;
    const bool whole = !p->rest || turn + 1 < p->chunks / TURN_CHUNKS;
    for (uint32_t g = 0; g < TURN_CHUNKS; g++) {
        const uint32_t chunk = turn * TURN_CHUNKS + g;
        uint32_t four;
        memcpy(&four, codes + 4 * g, 4);
        put_quad(four, 0, s->low.n, i, at->low + 4 * turn_rest(chunk, words, whole ? words : p->rest));
        if (s->high.n) put_quad(four, s->low.n, s->high.n, i, at->high + turn_plane(chunk) * p->high_bytes);
    }
}

/* Scales of a row, then its offsets. */
static void put_scale(const gpu_panels *p, uint32_t scale, uint32_t block, const places *at)
{
    const bool pair = p->scale_bytes == 4;
    const uint32_t bytes = pair ? 2 : p->scale_bytes;
    put_bytes(at->scale + block * bytes, scale, bytes);
    if (pair) put_bytes(at->scale + p->row[GPU_SCALES] / 2 + block * bytes, scale >> 16, bytes);
}

/* A block whose first columns are number `first` of the row's 32. */
static void pack_turns(const gpu_panels *p, weft_dtype t, const unsigned char *b, uint32_t n, uint32_t first,
                       const places *at)
{
    const source *s = &sources[t];
    unsigned char codes[MAX_BLOCK] = { 0 };
    read_codes(s, code_readers[t], b, n, codes);
    for (uint32_t g = 0; g < n / GROUP; g++) {
        put_codes(p, s, codes + g * GROUP, first + g, at);
        put_scale(p, s->scale(b, (int)g), first + g, at);
    }
    if (p->upper_bytes) put_bytes(at->upper + first * GROUP / MAX_BLOCK * p->upper_bytes, s->upper(b), p->upper_bytes);
}

void gpu_pack_row(const gpu_panels *p, weft_dtype t, const unsigned char *row, uint64_t bytes, uint32_t r,
                  unsigned char *group)
{
    places at = places_of(p, r, group);
    const weft_dtype_info *info = weft_dtype_get(t);
    const uint64_t step = (uint64_t)p->panel * p->low_bytes;
    uint32_t first = 0;
    if (info->class_ != WEFT_DTYPE_BLOCK) {
        for (uint64_t i = 0; i < bytes; i += p->low_bytes, at.low += step)
            memcpy(at.low, row + i, bytes - i < p->low_bytes ? bytes - i : p->low_bytes);
        return;
    }
    for (uint64_t i = 0; i < bytes; i += info->bytes, first += info->block / GROUP) {
        if (p->panel == 1) pack_turns(p, t, row + i, info->block, first, &at);
        else pack_block(p, t, row + i, info->block, &at);
    }
}
