/* test_blocks.c: formats of blocks: bytes and values as other readers and writers of GGUF have them, to the bit; loops
 * written for a format beside its formula; what is no number; and what rows of block.def say of themselves. */
#include <math.h>
#include <stdlib.h>

#include "golden.h"
#include "graph/convert.h"
#include "tests/test.h"

static const weft_dtype formats[] = {
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) WEFT_##id,
#include "graph/block.def"
#undef WEFT_BLOCK
};
static const weft_dtype encoded[] = {
#define ENCODED_0(id)
#define ENCODED_1(id) WEFT_##id,
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) ENCODED_##encodes(id)
#include "graph/block.def"
#undef WEFT_BLOCK
#undef ENCODED_0
#undef ENCODED_1
};
enum { N_FORMATS = sizeof formats / sizeof *formats, N_ENCODED = sizeof encoded / sizeof *encoded, N_BLOCKS = 200 };

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* x[i] of row s: integers in -1001..1001, made alike by whoever made the expected bytes. */
static void make_row(unsigned s, float scale, float *x)
{
    for (unsigned i = 0; i < 64; i++) x[i] = (float)((int)((i * 7919 + s * 104729) % 2003) - 1001) * scale;
}

static void check_bytes(weft_dtype t, const float *x, int64_t n, const char *want)
{
    unsigned char bytes[128];
    char hex[257] = "";
    uint64_t size;
    CHECK(weft_dtype_row_bytes(t, n, &size));
    CHECK(weft__convert_row(WEFT_F32, x, t, bytes, n));
    for (size_t i = 0; i < size; i++) snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    CHECK_STR(hex, want);
}

static void blocks_are_as_others_write_them(void)
{
    static const struct {
        unsigned s;
        double scale;
        const char *q8_0, *q4_0;
    } rows[] = {
        { 1, 0x1p-9,
          "c423c9bdb1a5998d81776b5f53473b2f23170bfff3e7dbcfc3b7ab9f93877d71655ab5234e42362a1e1206faeee2d5c9bdb1a5998d81"
          "79"
          "6d6155493c3024180c00f4e8dc",
          "b433958473626251403f3f2e1d0cfcfbeae9a6331d0cfbfbead9d8c8b7a6a59584736262" },
        { 2, 0x1p-3,
          "a53b1307fbeee2d6cabeb2a5998d817b6f62564a3e32261a0d01f5e9ddd1c4b8aca0ca3b968a7f73675b4f43372b1f1408fcf0e4d8cc"
          "c0"
          "b4a89c9084796e62564a3e3226",
          "964bd9d8c8b7a6a5958473726251403f3f2ebacbbfbfc0d1e2e2f3f4051526373848596a" },
        { 3, 0.02 / 1001,
          "ee085f53473a2e221509fdf0e4d7cbbfb2a69a8d817f72665a4d4135281c1003f7ea2609e0d4c8bcb0a4998d8174685c5045392d2115"
          "09"
          "fef2e6dacec2b7ab9f93877a6e",
          "e4182e1d0cfcfbeae9d9c8b7b6a5958473721c19a695948473626151403f3f2e1d0cfcfb" },
        { 4, 1e-7,
          "0d00a5998d81766a5e52463a2e22160bfff3e7dbcfc3b7ab9f93877c7064584d41350d00291d1105f9ede1d5c9bdb1a5998d81786c60"
          "54"
          "483b2f23170bfff3e7dbcfc3b7",
          "d000626251403f3f2e1d0cfcfbeae9d9c8b7ce00fbead9d8c8b7a695958473626251403f" },
        { 5, 3,
          "d04deee2d6cabeb2a69a8e82796d6155493d3125190d01f5e9ddd1c5b8aca094887fb94d75695c5044382c1f1307fbefe3d6cabeb2a6"
          "99"
          "8d817b6f63574b3e32261a0e01",
          "c4dd596a6b7b8c9d9eaebfcfd0d1e2f3f304ae5d3f2f2e1d0cfcfbead9d8c8b7a6a59584" },
    };
    float x[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_row(rows[i].s, (float)rows[i].scale, x);
        check_bytes(WEFT_Q8_0, x, 64, rows[i].q8_0);
        check_bytes(WEFT_Q4_0, x, 64, rows[i].q4_0);
    }
    const float zero[32] = { 0 }, halves_q4[32] = { -8, 7.5f, -7.5f, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f };
    const float halves_q8[32] = { 127, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f, -2.5f, 126.5f };
    check_bytes(WEFT_Q8_0, zero, 32, "00000000000000000000000000000000000000000000000000000000000000000000");
    check_bytes(WEFT_Q4_0, zero, 32, "008088888888888888888888888888888888");
    check_bytes(WEFT_Q4_0, halves_q4, 32, "003c808f8189888a878b8888888888888888");
    check_bytes(WEFT_Q8_0, halves_q8, 32, "003c7f01ff02fe03fd7f000000000000000000000000000000000000000000000000");
}

/* A scale of f16 that is a NaN, with which bits. */
static void check_nan_block(weft_dtype t, const float *x, unsigned scale)
{
    unsigned char bytes[34];
    float y[32];
    CHECK(weft__convert_row(WEFT_F32, x, t, bytes, 32) && weft__convert_row(t, bytes, WEFT_F32, y, 32));
    CHECK_EQ_INT((bytes[0] | bytes[1] << 8) & 0x7fff, scale);
    for (unsigned i = 0; i < 32; i++) CHECK(isnan(y[i]));
}

/* One float that is no finite number makes all of its block none, and so does a scale that f16 cannot hold; tiny ones
 * are zeros. */
static void blocks_lose_no_fault(void)
{
    static const uint32_t odd[] = { 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001 };
    static const float large[] = { 3.4028235e38f, -3.4028235e38f, 65520.0f * 127.5f };
    float x[32], y[32];
    unsigned char bytes[34];
    for (uint32_t f = 0; f < N_ENCODED; f++) {
        weft_dtype t = encoded[f];
        for (unsigned at = 0; at < 32; at += 31) {
            for (unsigned i = 0; i < 32; i++) x[i] = (float)i;
            for (unsigned a = 0; a < sizeof odd / sizeof *odd; a++) {
                memcpy(&x[at], &odd[a], sizeof *x);
                check_nan_block(t, x, 0x7e00);
            }
            for (unsigned a = 0; a < sizeof large / sizeof *large; a++) {
                x[at] = large[a];
                check_nan_block(t, x, WEFT_F16_OVERFLOW);
            }
        }
        for (unsigned i = 0; i < 32; i++) x[i] = i % 2 ? 0x1p-149f : -0x1p-130f;
        CHECK(weft__convert_row(WEFT_F32, x, t, bytes, 32) && weft__convert_row(t, bytes, WEFT_F32, y, 32));
        for (unsigned i = 0; i < 32; i++) CHECK(y[i] == 0);
    }
}

/* Between two codes of numbers from -1 to 1; of q8_0 half of that. */
static double step_of(weft_dtype t)
{
    switch (t) {
    case WEFT_Q8_0: return 0.52 / 127;
    case WEFT_Q4_0: return 1.0 / 8;
    case WEFT_Q5_0: return 1.0 / 16;
    case WEFT_Q4_1: return 1.04 / 15;
    case WEFT_Q5_1: return 1.04 / 31;
    default: return 0;
    }
}

/* Back to f32: within half a step of the scale, or a whole one at the end where there is one code less. */
static void blocks_come_back(void)
{
    float x[64], y[64];
    unsigned char bytes[128];
    for (unsigned s = 1; s < 50; s++) {
        make_row(s, 0.001f, x);
        for (uint32_t f = 0; f < N_ENCODED; f++) {
            CHECK(weft__convert_row(WEFT_F32, x, encoded[f], bytes, 64));
            CHECK(weft__convert_row(encoded[f], bytes, WEFT_F32, y, 64));
            for (int i = 0; i < 64; i++) CHECK_NEAR((double)y[i], (double)x[i], step_of(encoded[f]) * 1.01);
        }
    }
}

static void random_blocks(weft_dtype t, unsigned char *out)
{
    uint32_t state = 7;
    for (uint32_t i = 0; i < N_BLOCKS * weft_dtype_get(t)->bytes; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = (unsigned char)(state >> 24);
    }
}

/* Whatever is in a block, loops written for a format read the numbers that its formula has. */
static void loops_read_what_formulas_say(void)
{
    static unsigned char bytes[N_BLOCKS * 512 + 1];
    static float by_loop[N_BLOCKS * 256], by_formula[N_BLOCKS * 256];
    for (uint32_t f = 0; f < N_FORMATS; f++) {
        int64_t n = (int64_t)N_BLOCKS * weft_dtype_get(formats[f])->block, different = 0;
        random_blocks(formats[f], bytes + 1);
        CHECK(weft__convert_row(formats[f], bytes + 1, WEFT_F32, by_loop, n));
        CHECK(weft__decode_row(formats[f], bytes + 1, by_formula, n));
        for (int64_t i = 0; i < n; i++)
            different += !(isnan(by_loop[i]) && isnan(by_formula[i])) && memcmp(&by_loop[i], &by_formula[i], 4);
        if (!CHECK_EQ_INT(different, 0)) printf("  %s\n", weft_dtype_get(formats[f])->name);
        CHECK(!weft__decode_row(formats[f], bytes, by_formula, n + 1));
    }
    CHECK(!weft__decode_row(WEFT_F32, bytes, by_formula, 32));
}

/* Formats of which some values are told together, so that a group has more of them than its bits can tell apart. */
static uint32_t together(weft_dtype t)
{
    if (t == WEFT_TQ1_0) return 3;
    if (t == WEFT_IQ3_XXS || t == WEFT_IQ3_S) return 16;
    return t >= WEFT_IQ1_S && t <= WEFT_IQ2_S ? 6 : 0;
}

/* A group has as many different values as its bits can tell apart, and a block holds all of them. */
static void rows_tell_the_truth(void)
{
    static unsigned char bytes[N_BLOCKS * 512];
    static float x[N_BLOCKS * 256];
    for (uint32_t f = 0; f < N_FORMATS; f++) {
        const weft_dtype_info *info = weft_dtype_get(formats[f]);
        uint32_t most = 0;
        random_blocks(formats[f], bytes);
        weft__convert_row(formats[f], bytes, WEFT_F32, x, (int64_t)N_BLOCKS * info->block);
        for (uint32_t g = 0; g < N_BLOCKS * info->block; g += info->group) {
            uint32_t seen = 0;
            for (uint32_t i = 0; i < info->group; i++) {
                bool again = isnan(x[g + i]);
                for (uint32_t k = 0; k < i && !again; k++) again = x[g + k] == x[g + i];
                seen += !again;
            }
            most = seen > most ? seen : most;
        }
        CHECK(8 * info->bytes > info->block * info->bits);
        uint32_t all = together(formats[f]) ? together(formats[f]) : 1u << info->bits;
        if (!CHECK(most > 1 && most <= all)) printf("  %s: %u values\n", info->name, most);
    }
}

/* ---- what others have: make_blocks.py wrote golden/blocks.txt, and makes the same blocks and floats ---- */

static uint32_t next(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

/* Sets of blocks: of any bytes; with every value in every byte; with an extreme f16 at every place. */
static unsigned char *make_blocks(const char *set, size_t size, size_t *n)
{
    static const unsigned halves[] = { 0x0000, 0x8000, 0x0001, 0x03ff, 0x8400, 0x3c00,
                                       0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7c01, 0xffff };
    enum { HALVES = sizeof halves / sizeof *halves };
    bool by_half = !strcmp(set, "halves"), by_byte = !strcmp(set, "bytes");
    uint32_t state = by_half ? 9 : 7;
    *n = by_half ? (size - 1) * HALVES : by_byte ? 256 : 200;
    unsigned char *bytes = malloc(*n * size), *p = bytes;
    if (!bytes) abort();
    for (size_t k = 0; k < *n; k++, p += size) {
        for (size_t i = 0; i < size; i++) p[i] = (unsigned char)(by_byte ? k + 37 * i : next(&state) >> 24);
        if (!by_half) continue;
        p[k / HALVES] = (unsigned char)halves[k % HALVES];
        p[k / HALVES + 1] = (unsigned char)(halves[k % HALVES] >> 8);
    }
    return bytes;
}

static uint64_t digest(uint64_t h, uint32_t word)
{
    h = (h ^ word) * 0x100000001b3u;
    return h ^ h >> 32;
}

static void check_digest(weft_dtype t, const char *set, uint64_t got)
{
    static char *kept;
    char line[64], want[64] = "";
    if (!kept) kept = golden_read(WEFT_TEST_ROOT "/tests/graph/golden/blocks.txt");
    if (!CHECK(kept)) return;
    snprintf(line, sizeof line, "%s %s ", weft_dtype_get(t)->name, set);
    const char *at = strstr(kept, line);
    if (!CHECK(at)) printf("  no line \"%s\"\n", line);
    if (at) snprintf(want, sizeof want, "%.*s", (int)strcspn(at, "\n"), at);
    snprintf(line + strlen(line), 17, "%016" PRIx64, got);
    CHECK_STR(line, want);
}

static void check_values(weft_dtype t, const char *set)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    size_t n;
    uint64_t h = 0xcbf29ce484222325u;
    float x[256];
    unsigned char *blocks = make_blocks(set, info->bytes, &n);
    for (size_t k = 0; k < n; k++) {
        CHECK(weft__decode_row(t, blocks + k * info->bytes, x, info->block));
        for (uint32_t i = 0; i < info->block; i++) h = digest(h, isnan(x[i]) ? 0x7fc00000u : bits_of(x[i]));
    }
    check_digest(t, set, h);
    free(blocks);
}

static void values_are_as_others_read_them(void)
{
    for (uint32_t f = 0; f < N_FORMATS; f++) {
        check_values(formats[f], "random");
        check_values(formats[f], "bytes");
        check_values(formats[f], "halves");
    }
}

/* 32 whole numbers of up to 1, 3, 5, .. 23 bits times a power of two; every eighth begins with a zero. */
static void make_floats(unsigned k, uint32_t *state, float *x)
{
    int32_t half = 1 << k % 12 * 2;
    float power = ldexpf(1, (int)(k % 31) - 37);
    for (int i = 0; i < 32; i++) {
        x[i] = (float)((int32_t)((next(state) >> 8) % (uint32_t)(2 * half + 1)) - half) * power;
        if (k == 0) x[i] = 0.0f;
        if (k == 1) x[i] = -0.0f;
        if (k == 2) x[i] = 0.75f;
        if (k == 3) x[i] = i == 5 ? -3.0f : 0.0f;
    }
    if (k % 8 == 0) x[0] = 0.0f;
}

static void bytes_are_as_others_write_them(void)
{
    for (uint32_t f = 0; f < N_ENCODED; f++) {
        uint32_t state = 11;
        uint64_t h = 0xcbf29ce484222325u;
        for (unsigned k = 0; k < 400; k++) {
            float x[32];
            unsigned char p[64];
            make_floats(k, &state, x);
            CHECK(weft__convert_row(WEFT_F32, x, encoded[f], p, 32));
            for (uint32_t i = 0; i < weft_dtype_get(encoded[f])->bytes; i++) h = digest(h, p[i]);
        }
        check_digest(encoded[f], "written", h);
    }
}

static const weft_test tests[] = {
    { "blocks_are_as_others_write_them", blocks_are_as_others_write_them },
    { "blocks_lose_no_fault", blocks_lose_no_fault },
    { "blocks_come_back", blocks_come_back },
    { "loops_read_what_formulas_say", loops_read_what_formulas_say },
    { "rows_tell_the_truth", rows_tell_the_truth },
    { "values_are_as_others_read_them", values_are_as_others_read_them },
    { "bytes_are_as_others_write_them", bytes_are_as_others_write_them },
};
GOLDEN_MAIN(tests)
