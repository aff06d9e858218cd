/* test_convert.c: conversions between stored types: every 16-bit pattern, rounding, NaNs, and blocks byte for byte as
 * GGUF files of other writers have them. */
#include <math.h>
#include <stdlib.h>

#include "graph/convert.h"
#include "tests/test.h"

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* ---- 16-bit floats ---- */

/* What the bits of an f16 mean, by arithmetic. */
static double f16_value(unsigned h)
{
    int e = (int)(h >> 10 & 31);
    double m = h & 1023, sign = h & 0x8000 ? -1 : 1;
    if (e == 31) return m != 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (e ? ldexp(1024 + m, e - 25) : ldexp(m, -24));
}

static void every_f16(void)
{
    for (unsigned h = 0; h < 65536; h++) {
        float x = weft__f32_from_f16((uint16_t)h);
        double want = f16_value(h);
        bool nan = want != want, ok = nan ? x != x : (double)x == want && (signbit(x) != 0) == (h >> 15 != 0);
        unsigned back = nan ? h | 0x200 : h; /* a NaN comes back quiet */
        ok = ok && weft__f16_from_f32(x) == back;
        if (!CHECK(ok)) printf("  0x%04x\n", h);
    }
}

/* Between two neighbours: the nearer, and on half way the even one. */
static void f16_rounds_to_even(void)
{
    for (unsigned h = 0; h < 0x7bff; h++) {
        double lo = f16_value(h), hi = f16_value(h + 1), middle = (lo + hi) / 2;
        float m = (float)middle, below = nextafterf(m, -1), above = nextafterf(m, INFINITY);
        unsigned even = h & 1 ? h + 1 : h;
        bool ok = weft__f16_from_f32(m) == even && weft__f16_from_f32(below) == h &&
                  weft__f16_from_f32(above) == h + 1 && weft__f16_from_f32(-m) == (even | 0x8000);
        if (!CHECK(ok)) printf("  0x%04x\n", h);
    }
    CHECK_EQ_INT(weft__f16_from_f32(65519.996f), 0x7bff);
    CHECK_EQ_INT(weft__f16_from_f32(65520), 0x7c00);
    CHECK_EQ_INT(weft__f16_from_f32(-3e38f), 0xfc00);
    CHECK_EQ_INT(weft__f16_from_f32(INFINITY), 0x7c00);
    CHECK_EQ_INT(weft__f16_from_f32(0x1p-25f), 0);
    CHECK_EQ_INT(weft__f16_from_f32(0x1.000002p-25f), 1);
    CHECK_EQ_INT(weft__f16_from_f32(1e-45f), 0);
    CHECK_EQ_INT(weft__f16_from_f32(-0.0f), 0x8000);
    CHECK_EQ_INT(weft__f16_from_f32(NAN) & 0x7e00, 0x7e00);
}

static void every_bf16(void)
{
    for (unsigned h = 0; h < 65536; h++) {
        float x = weft__f32_from_bf16((uint16_t)h);
        bool nan = x != x, ok = bits_of(x) == h << 16;
        ok = ok && weft__bf16_from_f32(x) == (nan ? h | 0x40 : h);
        if ((h & 0x7fff) < 0x7f7f && !nan) { /* half way to the next, and a bit to each side */
            unsigned even = h & 1 ? h + 1 : h;
            float m;
            for (int d = -1; d <= 1; d++) {
                uint32_t u = (h << 16 | 0x8000) + (uint32_t)d;
                memcpy(&m, &u, sizeof m);
                ok = ok && weft__bf16_from_f32(m) == (d < 0 ? h : d > 0 ? h + 1 : even);
            }
        }
        if (!CHECK(ok)) printf("  0x%04x\n", h);
    }
    CHECK_EQ_INT(weft__bf16_from_f32(3.4028235e38f), 0x7f80);
    uint32_t quiet = 0x7f800001;
    float nan;
    memcpy(&nan, &quiet, sizeof nan);
    CHECK_EQ_INT(weft__bf16_from_f32(nan), 0x7fc0);
}

/* ---- blocks ---- */

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
    for (weft_dtype t = WEFT_Q8_0; t <= WEFT_Q4_0; t++) {
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

/* Back to f32: within half a step of the scale. */
static void blocks_come_back(void)
{
    float x[64], y[64];
    unsigned char bytes[128];
    for (unsigned s = 1; s < 50; s++) {
        make_row(s, 0.001f, x);
        weft__convert_row(WEFT_F32, x, WEFT_Q8_0, bytes, 64);
        weft__convert_row(WEFT_Q8_0, bytes, WEFT_F32, y, 64);
        for (int i = 0; i < 64; i++) CHECK_NEAR((double)y[i], (double)x[i], 1.0 / 127 * 0.52);
        weft__convert_row(WEFT_F32, x, WEFT_Q4_0, bytes, 64);
        weft__convert_row(WEFT_Q4_0, bytes, WEFT_F32, y, 64);
        for (int i = 0; i < 64; i++) CHECK_NEAR((double)y[i], (double)x[i], 1.0 / 8 * 1.01);
    }
}

/* ---- pairs ---- */

/* All pairs through odd lengths and unaligned places; the same as through f32 by hand; nothing beyond the end. */
static void every_pair(void)
{
    enum { N = 1024 * 2 + 256 };
    static float x[N], wide[N];
    static unsigned char from[4 * N + 1], to[4 * N + 3], by_hand[4 * N];
    for (int i = 0; i < N; i++) x[i] = (float)((i * 7919) % 2003 - 1001) * 0.001f;
    for (weft_dtype a = WEFT_F32; a < WEFT_DTYPE_COUNT; a++)
        for (weft_dtype b = WEFT_F32; b < WEFT_DTYPE_COUNT; b++) {
            bool blocks = weft_dtype_get(a)->block > 1 || weft_dtype_get(b)->block > 1;
            CHECK(weft__converts(a, b) == (a == b || (a != WEFT_I32 && weft_dtype_quantizes(b))));
            if (!weft_dtype_get(a)->encodes || !weft_dtype_get(b)->encodes) continue;
            int64_t n = blocks ? N : N - 13;
            uint64_t size;
            CHECK(weft_dtype_row_bytes(b, n, &size));
            CHECK(weft__convert_row(WEFT_F32, x, a, from + 1, n));
            CHECK(weft__convert_row(a, from + 1, WEFT_F32, wide, n));
            CHECK(weft__convert_row(WEFT_F32, wide, b, by_hand, n));
            memset(to, 0xee, sizeof to);
            CHECK(weft__convert_row(a, from + 1, b, to + 1, n));
            bool same = memcmp(to + 1, a == b ? from + 1 : by_hand, (size_t)size) == 0;
            bool inside = to[0] == 0xee && to[1 + size] == 0xee;
            if (!CHECK(same) || !CHECK(inside))
                printf("  %s to %s\n", weft_dtype_get(a)->name, weft_dtype_get(b)->name);
        }
}

/* ---- formats of blocks ---- */

static const weft_dtype formats[] = {
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) WEFT_##id,
#include "graph/block.def"
#undef WEFT_BLOCK
};
enum { N_FORMATS = sizeof formats / sizeof *formats, N_BLOCKS = 200 };

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
        if (!CHECK(most > 1 && most <= 1u << info->bits)) printf("  %s: %u values\n", info->name, most);
    }
}

static void refuses_what_it_cannot(void)
{
    int32_t i[4] = { 1, -2, 3, 4 }, j[4] = { 0 };
    float x[64] = { 0 };
    CHECK(weft__convert_row(WEFT_I32, i, WEFT_I32, j, 4) && j[1] == -2);
    CHECK(!weft__convert_row(WEFT_I32, i, WEFT_F32, x, 4));
    CHECK(!weft__convert_row(WEFT_F32, x, WEFT_I32, i, 4));
    CHECK(!weft__convert_row(WEFT_ANY, x, WEFT_ANY, i, 4));
    CHECK(!weft__convert_row(WEFT_F32, x, (weft_dtype)99, i, 4));
    CHECK(!weft__convert_row((weft_dtype)99, x, WEFT_F32, i, 4));
    CHECK(!weft__convert_row(WEFT_F32, x, WEFT_Q8_0, i, 33));
    CHECK(!weft__convert_row(WEFT_F32, x, WEFT_F16, i, -1));
    CHECK(weft__convert_row(WEFT_F32, x, WEFT_F16, i, 0));
    uint64_t bytes;
    CHECK(weft_dtype_row_bytes(WEFT_Q4_0, 64, &bytes) && bytes == 36);
    CHECK(!weft_dtype_row_bytes(WEFT_Q4_0, 33, &bytes));
    CHECK(!weft_dtype_row_bytes(WEFT_F32, -4, &bytes));
    CHECK(!weft_dtype_row_bytes(WEFT_F32, INT64_MAX, &bytes));
    weft_dtype t;
    CHECK(weft_dtype_parse("q8_0", &t) && t == WEFT_Q8_0);
    CHECK(!weft_dtype_parse("q8_1", &t));
    CHECK_STR(weft_dtype_get((weft_dtype)1000)->name, "?");
}

static const weft_test tests[] = {
    { "every_f16", every_f16 },
    { "f16_rounds_to_even", f16_rounds_to_even },
    { "every_bf16", every_bf16 },
    { "blocks_are_as_others_write_them", blocks_are_as_others_write_them },
    { "blocks_lose_no_fault", blocks_lose_no_fault },
    { "blocks_come_back", blocks_come_back },
    { "every_pair", every_pair },
    { "loops_read_what_formulas_say", loops_read_what_formulas_say },
    { "rows_tell_the_truth", rows_tell_the_truth },
    { "refuses_what_it_cannot", refuses_what_it_cannot },
};
TEST_MAIN(tests)
