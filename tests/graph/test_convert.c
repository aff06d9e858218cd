/* test_convert.c: conversions between stored types: every 16-bit pattern, rounding, NaNs, all pairs. test_blocks has
 * what is in blocks. */
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
    { "every_pair", every_pair },
    { "refuses_what_it_cannot", refuses_what_it_cannot },
};
TEST_MAIN(tests)
