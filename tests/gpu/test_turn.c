/* test_turn.c: where GPUs have each weight of a row (backends/gpu/weights.h, shaders/turn.h), described here once more
 * and without their functions: rows of random blocks are packed, read back by that description, and compared with
 * what graph/convert.h makes of the blocks. Formats whose codes are entries of a table are left to the op cases. */
#include "tests/test.h"

#include "backends/gpu/choose.h"
#include "backends/gpu/weights.h"
#include "graph/convert.h"
#include "shaders/formats.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 8, TURN = 8, BLOCK = 32 };

typedef struct format {
    weft_dtype type;
    uint32_t weights, low, high, codes, zero, scales;
} format;

static const format formats[] = {
#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, ...) \
    { WEFT_##id, weights, low, high, CODES_##codes, zero, SCALES_##scales },
#include "backends/gpu/formats.def"
};

/* The planes of a row of a group. */
typedef struct row { const unsigned char *low, *high, *scales, *upper; uint32_t turns, rest; } row;

static row find(const format *f, int64_t columns, const unsigned char *group, uint32_t r, uint64_t *bytes)
{
    const uint32_t quads = f->weights / 4, blocks = (uint32_t)columns / BLOCK, left = blocks % quads;
    const uint32_t turns = blocks / quads + (left > 0), chunk = f->weights * f->low / 8;
    const uint32_t rest = (left * f->low + 7) / 8; /* words of four times 8 bits */
    const uint32_t low = (turns - (left > 0)) * TURN * chunk + TURN * 4 * rest, high = turns * TURN * 4 * f->high;
    const uint32_t scales = turns * quads * SCALE_BYTES_OF(f->scales), upper = turns * UPPER_BYTES_OF(f->scales);
    const unsigned char *planes[] = { group, group + ROWS * low, group + ROWS * (low + high),
                                      group + ROWS * (low + high + scales) };
    *bytes = ROWS * (uint64_t)(low + high + scales + upper);
    return (row){ planes[0] + r * low, planes[1] + r * high, planes[2] + r * scales, planes[3] + r * upper, turns,
                  rest };
}

static uint32_t two(const unsigned char *b)
{
    return b[0] | (uint32_t)b[1] << 8;
}

static double half_of(uint32_t h)
{
    const int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
    const double v = e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);
    return h >> 15 ? -v : v;
}

/* Bits of a weight in a plane of n: of quad i, byte e of the word that has it. */
static uint32_t code(const unsigned char *chunk, uint32_t n, uint32_t i, uint32_t e)
{
    const uint32_t bit = i * n; /* of every byte of the chunk's words, one word after the other */
    return chunk[bit / 8 * 4 + e] >> bit % 8 & ((1u << n) - 1);
}

/* Scale and offset of columns `block` * 32 and up, of which this is number `in`. */
static void scale_of(const format *f, const row *w, uint32_t block, uint32_t in, double *scale, double *offset)
{
    const uint32_t bytes = SCALE_BYTES_OF(f->scales), quads = f->weights / 4;
    const unsigned char *s = w->scales + block * bytes, *u = w->upper + block / 8 * UPPER_BYTES_OF(f->scales);
    const double d = UPPER_BYTES_OF(f->scales) ? half_of(two(u)) : 1;
    const double least = UPPER_BYTES_OF(f->scales) == 4 ? half_of(two(u + 2)) : 0;
    *offset = 0;
    switch (f->scales) {
    case SCALES_HALF: *scale = half_of(two(s)); break;
    case SCALES_PAIR:
        *scale = half_of(two(w->scales + block * 2));
        *offset = half_of(two(w->scales + (w->turns * quads + block) * 2));
        break;
    case SCALES_BYTES: *scale = d * (signed char)s[in / 16]; break;
    case SCALES_MINIMUM: *scale = d * s[0], *offset = -least * s[1]; break;
    case SCALES_NIBBLES: *scale = d * (s[in / 16] & 15), *offset = -least * (s[in / 16] >> 4); break;
    default: *scale = d;
    }
}

static double weight(const format *f, const row *w, int64_t column)
{
    const uint32_t quads = f->weights / 4, block = (uint32_t)column / BLOCK, in = (uint32_t)column % BLOCK;
    const uint32_t turn = block / quads, i = block % quads, g = in / 4, e = in % 4, words = f->weights * f->low / 32;
    const bool whole = !w->rest || turn + 1 < w->turns;
    const unsigned char *low = w->low + 4 * (turn * TURN * words + g * (whole ? words : w->rest));
    const unsigned char *high = w->high + 4 * (turn * TURN + g) * f->high;
    uint32_t c = code(low, f->low, i, e) | (f->high ? code(high, f->high, i, e) << f->low : 0);
    double scale, offset;
    scale_of(f, w, block, in, &scale, &offset);
    return scale * (f->codes == CODES_SIGNED ? (signed char)c : (int)c - (int)f->zero) + offset;
}

/* Random blocks of finite weights. */
static void fill(weft_dtype t, unsigned char *b, uint64_t n, uint32_t seed)
{
    float v[256];
    const weft_dtype_info *info = weft_dtype_get(t);
    for (uint64_t at = 0; at + info->bytes <= n; at += info->bytes) {
        bool finite = false;
        for (uint32_t tries = 0; !finite && tries < 100; tries++) {
            for (uint32_t i = 0; i < info->bytes; i++) {
                seed = seed * 1664525u + 1013904223u;
                b[at + i] = (unsigned char)(seed >> 24);
            }
            weft__decode_row(t, b + at, v, info->block);
            finite = true;
            for (uint32_t i = 0; i < info->block; i++) finite = finite && isfinite(v[i]);
        }
        CHECK(finite);
    }
}

static void compare(const format *f, int64_t columns)
{
    const gpu_caps caps = { .max_binding = 1 << 30, .max_allocation = 1 << 30, .tuning = gpu_tuning_named("nvidia") };
    gpu_panels p;
    uint64_t row_bytes, bytes, wrong = 0;
    if (!CHECK(gpu_panels_of(&caps, f->type, columns, &p))) return;
    if (!CHECK(weft_dtype_row_bytes(f->type, columns, &row_bytes))) return;
    unsigned char *blocks = malloc(ROWS * row_bytes), *group = calloc(1, p.group_bytes);
    float *want = malloc((size_t)columns * sizeof *want);
    for (uint32_t r = 0; CHECK(blocks && group && want) && r < ROWS; r++) {
        fill(f->type, blocks + r * row_bytes, row_bytes, r + (uint32_t)columns);
        gpu_pack_row(&p, f->type, blocks + r * row_bytes, row_bytes, r, group);
    }
    for (uint32_t r = 0; r < ROWS && !weft_test_now.failures; r++) {
        row w = find(f, columns, group, r, &bytes);
        CHECK_EQ_INT(bytes, p.group_bytes);
        weft__decode_row(f->type, blocks + r * row_bytes, want, columns);
        for (int64_t c = 0; c < columns; c++)
            wrong += !(fabs(weight(f, &w, c) - want[c]) <= 1e-5 * (fabs(want[c]) + 1e-3));
    }
    if (!CHECK_EQ_INT(wrong, 0)) printf("  %s, %lld columns\n", weft_dtype_get(f->type)->name, (long long)columns);
    free(blocks);
    free(group);
    free(want);
}

static void weights_are_where_they_are_said_to_be(void)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const format *f = &formats[i];
        const uint32_t block = weft_dtype_get(f->type)->block;
        if (f->codes != CODES_UNSIGNED && f->codes != CODES_SIGNED) continue;
        for (int64_t columns = block; columns <= 12 * block; columns += columns < 3 * block ? block : 2 * block)
            compare(f, columns);
        n++;
    }
    CHECK(n >= 12);
}

static void plain_rows_are_the_files(void)
{
    const gpu_caps caps = { .max_binding = 1 << 30, .max_allocation = 1 << 30, .tuning = gpu_tuning_named("nvidia") };
    unsigned char from[2 * 40], group[ROWS * sizeof from] = { 0 };
    gpu_panels p;
    for (size_t i = 0; i < sizeof from; i++) from[i] = (unsigned char)(i + 1);
    if (!CHECK(gpu_panels_of(&caps, WEFT_F16, 40, &p)) || !CHECK(p.group_bytes == sizeof group)) return;
    for (uint32_t r = 0; r < ROWS; r++) gpu_pack_row(&p, WEFT_F16, from, sizeof from, r, group);
    for (uint32_t r = 0; r < ROWS; r++) CHECK(!memcmp(group + r * sizeof from, from, sizeof from));
}

static const weft_test tests[] = {
    { "weights are where they are said to be", weights_are_where_they_are_said_to_be },
    { "plain rows are the file's", plain_rows_are_the_files },
};
TEST_MAIN(tests)
