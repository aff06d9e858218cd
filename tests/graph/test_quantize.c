/* test_quantize.c: searched scales: errors against those of llama.cpp's quantisers on the same rows, the same bytes
 * everywhere, and what is no number. */
#include <math.h>

#include "graph/quantize/quantize.h"
#include "tests/graph/quantize_golden.h"
#include "tests/test.h"

enum { ROWS = 12, N = 1024, N_GOLDEN = sizeof golden / sizeof *golden };

/* SplitMix64, of which 17 bits are a number of -1..1; and four of those. */
static float uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)((int)(z >> 47) - 65536) * 0x1p-16f;
}

static float normal(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) sum += uniform(state);
    return sum;
}

/* kind 1: products of two. */
static void make_rows(int kind, float *x, float *w)
{
    uint64_t state = (uint64_t)kind + 1;
    for (int i = 0; i < ROWS * N; i++) x[i] = normal(&state);
    for (int i = 0; kind && i < ROWS * N; i++) x[i] *= normal(&state);
    for (int i = 0; i < ROWS * N; i++) x[i] = ldexpf(x[i], i / N - 8);
    for (int i = 0; i < N; i++) {
        float v = normal(&state), square = v * v, fourth = square * square;
        w[i] = fourth + 0x1p-8f;
    }
}

/* Of each row, relative to it; the root of their squares' mean. */
static double error_of(weft_dtype t, const float *x, const float *importance, uint64_t *hash)
{
    static unsigned char bytes[N * 4];
    static float y[N];
    double total = 0;
    uint64_t size;
    CHECK(weft_dtype_row_bytes(t, N, &size));
    for (int r = 0; r < ROWS; r++, x += N) {
        double e = 0, all = 0;
        CHECK(weft__quantize_row(t, x, importance, bytes, N) && weft__decode_row(t, bytes, y, N));
        for (uint64_t i = 0; i < size; i++) *hash = (*hash ^ bytes[i]) * 0x100000001b3u;
        for (int i = 0; i < N; i++) {
            double w = importance ? (double)importance[i] : 1, off = (double)x[i] - (double)y[i];
            e += w * off * off;
            all += w * (double)x[i] * (double)x[i];
        }
        total += e / all;
    }
    return sqrt(total / ROWS);
}

/* No type is worse than llama.cpp makes it, by importance or without. */
static void errors_are_no_larger(void)
{
    static float x[ROWS * N], w[N];
    for (int kind = 0; kind < 2; kind++) {
        make_rows(kind, x, w);
        for (unsigned i = 0; i < N_GOLDEN; i++) {
            const struct golden *g = &golden[i];
            uint64_t hash = 0;
            double plain = error_of(g->type, x, NULL, &hash), weighted = error_of(g->type, x, w, &hash);
            bool better = plain <= g->plain[kind] && weighted <= g->weighted[kind];
            CHECK(better);
            printf("  %-7s %s: error %.5f, llama.cpp %.5f; by importance %.5f, llama.cpp %.5f\n",
                   weft_dtype_get(g->type)->name, kind ? "products" : "normal", plain, g->plain[kind], weighted,
                   g->weighted[kind]);
        }
    }
}

/* Whatever the processor and the compiler. */
static void bytes_are_the_same_everywhere(void)
{
    static float x[ROWS * N], w[N];
    uint64_t hash = 0xcbf29ce484222325u;
    make_rows(1, x, w);
    for (unsigned i = 0; i < N_GOLDEN; i++) {
        error_of(golden[i].type, x, NULL, &hash);
        error_of(golden[i].type, x, w, &hash);
    }
    if (!CHECK(hash == 0x9221348dd7ffb88a)) printf("  0x%016" PRIx64 "\n", hash);
}

/* ---- edges ---- */

/* Quantises a block and reads it; there and back it is written where nothing is aligned. */
static void there_and_back(weft_dtype t, const float *x, const float *w, float *y)
{
    unsigned char bytes[256];
    const weft_dtype_info *info = weft_dtype_get(t);
    memset(bytes, 0xee, sizeof bytes);
    CHECK(weft__quantize_row(t, x, w, bytes + 1, info->block));
    CHECK(bytes[0] == 0xee && bytes[1 + info->bytes] == 0xee);
    CHECK(weft__decode_row(t, bytes + 1, y, info->block));
}

static void check_none(weft_dtype t, const float *x, const char *what)
{
    float y[256];
    there_and_back(t, x, NULL, y);
    for (uint32_t i = 0; i < weft_dtype_get(t)->block; i++)
        if (!CHECK(!isfinite(y[i]))) printf("  %s: %s\n", weft_dtype_get(t)->name, what);
}

/* One float that is no finite number makes all of its block none, and so does a scale that f16 cannot hold. */
static void blocks_lose_no_fault(void)
{
    static const float odd[] = { INFINITY, -INFINITY, NAN, -NAN };
    for (unsigned i = 0; i < N_GOLDEN; i++) {
        float x[256];
        for (unsigned a = 0; a < sizeof odd / sizeof *odd; a++) {
            for (int k = 0; k < 256; k++) x[k] = (float)(k % 19 - 9);
            x[a * 9] = odd[a];
            check_none(golden[i].type, x, "not finite");
        }
        for (int k = 0; k < 256; k++) x[k] = k % 2 ? 3e38f : -3e38f;
        if (golden[i].type != WEFT_MXFP4) check_none(golden[i].type, x, "too large");
    }
}

/* Numbers of all sizes that a block can have: zeros are zeros, and nothing is much further off than its neighbours are
 * apart. */
static void sizes_are_kept(void)
{
    float x[256] = { 0 }, y[256];
    for (unsigned i = 0; i < N_GOLDEN; i++) {
        weft_dtype t = golden[i].type;
        uint32_t n = weft_dtype_get(t)->block;
        memset(x, 0, sizeof x);
        there_and_back(t, x, NULL, y);
        for (uint32_t k = 0; k < n; k++) CHECK(y[k] == 0);
        for (int e = -12; e <= 12; e++) {
            double off = 0, all = 0;
            for (int k = 0; k < 256; k++) x[k] = ldexpf((float)((k * 7919) % 257 - 128) / 128, e);
            there_and_back(t, x, NULL, y);
            for (uint32_t k = 0; k < n; k++) {
                off += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
                all += (double)x[k] * (double)x[k];
            }
            if (!CHECK(off < 0.1 * all)) printf("  %s: 2^%d: %g\n", weft_dtype_get(t)->name, e, off / all);
        }
        for (int k = 0; k < 256; k++) x[k] = k % 2 ? 0x1p-149f : -0x1p-130f;
        there_and_back(t, x, NULL, y);
        for (uint32_t k = 0; k < n; k++) CHECK(fabsf(y[k]) <= 0x1p-23f);
    }
}

/* Blocks of one number, of numbers of one sign, and of one number that is not zero. */
static void plain_blocks(void)
{
    float x[256], y[256];
    for (unsigned i = 0; i < N_GOLDEN; i++) {
        weft_dtype t = golden[i].type;
        uint32_t n = weft_dtype_get(t)->block;
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int k = 0; k < 256; k++) x[k] = (float)sign;
            there_and_back(t, x, NULL, y);
            for (uint32_t k = 0; k < n; k++) CHECK_NEAR((double)y[k], sign, 0.02);
            for (int k = 0; k < 256; k++) x[k] = (float)sign * (1 + (float)(k % 5) / 4);
            there_and_back(t, x, NULL, y);
            for (uint32_t k = 0; k < n; k++) CHECK_NEAR((double)y[k], (double)x[k], 0.4);
        }
        memset(x, 0, sizeof x);
        x[3] = -0.75f;
        there_and_back(t, x, NULL, y);
        for (uint32_t k = 0; k < n; k++) CHECK_NEAR((double)y[k], (double)x[k], 0.01);
    }
}

/* Importance that is nothing for a part, or for all, still leaves numbers; and what matters more is nearer. */
static void importance_counts(void)
{
    float x[256], w[256], y[256], none[256] = { 0 };
    uint64_t state = 3;
    for (int k = 0; k < 256; k++) {
        x[k] = normal(&state);
        w[k] = k % 4 ? 0 : 1;
    }
    for (unsigned i = 0; i < N_GOLDEN; i++) {
        weft_dtype t = golden[i].type;
        double off[3] = { 0 };
        const float *by[3] = { NULL, w, none };
        for (int a = 0; a < 3; a++) {
            there_and_back(t, x, by[a], y);
            for (uint32_t k = 0; k < weft_dtype_get(t)->block; k++) {
                double d = (double)x[k] - (double)y[k];
                if (a == 2) CHECK(d * d < 1);
                else off[a] += (double)w[k] * d * d;
            }
        }
        if (!CHECK(off[1] < off[0])) printf("  %s: %g, %g\n", weft_dtype_get(t)->name, off[0], off[1]);
    }
}

/* Importance counts by its size beside that of others, however large all of it is. */
static void importance_has_no_unit(void)
{
    static const float units[] = { 0x1p124f, 0x1p-120f };
    float x[256], w[256], y[256], z[256], scaled[256];
    uint64_t state = 5;
    for (int k = 0; k < 256; k++) {
        x[k] = normal(&state);
        w[k] = (float)(1 + k % 7);
    }
    for (unsigned i = 0; i < N_GOLDEN; i++) {
        there_and_back(golden[i].type, x, w, y);
        for (unsigned u = 0; u < 2; u++) {
            for (int k = 0; k < 256; k++) scaled[k] = w[k] * units[u];
            there_and_back(golden[i].type, x, scaled, z);
            bool same = !memcmp(y, z, weft_dtype_get(golden[i].type)->block * sizeof *y);
            if (!CHECK(same)) printf("  %s, %g\n", weft_dtype_get(golden[i].type)->name, (double)units[u]);
        }
    }
}

static void refuses_what_it_cannot(void)
{
    float x[256] = { 0 };
    unsigned char out[256] = { 7 };
    CHECK(!weft__quantize_row(WEFT_F16, x, NULL, out, 32) && !weft__quantize_row(WEFT_I32, x, NULL, out, 32));
    CHECK(!weft__quantize_row((weft_dtype)99, x, NULL, out, 32) && !weft__quantize_row(WEFT_Q4_K, x, NULL, out, 128));
    CHECK_EQ_INT(out[0], 7);
    CHECK(weft__quantize_row(WEFT_Q4_K, x, NULL, out, 0));
}

static const weft_test tests[] = {
    { "errors_are_no_larger", errors_are_no_larger },
    { "bytes_are_the_same_everywhere", bytes_are_the_same_everywhere },
    { "blocks_lose_no_fault", blocks_lose_no_fault },
    { "sizes_are_kept", sizes_are_kept },
    { "plain_blocks", plain_blocks },
    { "importance_counts", importance_counts },
    { "importance_has_no_unit", importance_has_no_unit },
    { "refuses_what_it_cannot", refuses_what_it_cannot },
};
TEST_MAIN(tests)
