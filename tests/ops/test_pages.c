/* test_pages.c: when results are the same to the bit. Attention over cells in pages gives the same bits wherever the
 * pages lie: one after the other or anywhere in the cache, and for one sequence the bits of attention without pages;
 * cells that no sequence has hold NaN. In deterministic programs a token's bits are the same alone, in any batch and in
 * any program over the same cache. */
#include "backends/backend.h"
#include "tests/sample.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 4, GROUPS = 2, SEQUENCES = 3, POSITIONS = 1280, SPARE = 2, MAX_WIDTH = 64, MAX_TOKENS = 70 };
enum { LONG_ROW = 20011 };
enum { MAX_CELLS = SEQUENCES * POSITIONS + SPARE * 256, MAX_PAGES = MAX_CELLS / 16 };

typedef struct shape {
    uint32_t page, width, tokens;
    weft_dtype type;
} shape;

/* What a run is given. */
typedef struct data {
    float q[MAX_TOKENS * HEADS * MAX_WIDTH], *k, *v;
    int32_t first[MAX_TOKENS], last[MAX_TOKENS], sequence[MAX_TOKENS], pages[MAX_PAGES];
    uint32_t cells, stored; /* of the cache; that sequences have */
} data;

static weft_error err;

static uint32_t mixed(uint32_t i)
{
    i = (i ^ (i >> 16)) * 0x7feb352du;
    i = (i ^ (i >> 15)) * 0x846ca68bu;
    return i ^ (i >> 16);
}

static float value(uint32_t i)
{
    return (float)(mixed(i) >> 8) / 8388608.0f - 1.0f;
}

/* ---- data ---- */

static void fill_tokens(const shape *s, uint32_t sequences, data *d)
{
    for (uint32_t i = 0; i < s->tokens * HEADS * s->width; i++) d->q[i] = 3 * value(i);
    for (uint32_t t = 0; t < s->tokens; t++) {
        d->sequence[t] = (int32_t)(mixed(t) % sequences);
        d->last[t] = (int32_t)(mixed(t + 1000) % POSITIONS);
        d->first[t] = t % 3 ? 0 : d->last[t] - (int32_t)(mixed(t + 2000) % 700);
    }
}

/* The page of the cache that a sequence's page n is: in order, or by a permutation of all. */
static void fill_pages(const shape *s, bool scattered, data *d)
{
    uint32_t n = SEQUENCES * POSITIONS / s->page, all = n + SPARE;
    int32_t order[MAX_PAGES];
    for (uint32_t i = 0; i < all; i++) order[i] = (int32_t)i;
    for (uint32_t i = all - 1; scattered && i > 0; i--) {
        uint32_t j = mixed(i) % (i + 1);
        int32_t was = order[i];
        order[i] = order[j];
        order[j] = was;
    }
    memcpy(d->pages, order, n * sizeof *order);
    d->cells = all * s->page;
    d->stored = n * s->page;
}

static void fill_cells(const shape *s, data *d)
{
    for (uint32_t i = 0; i < GROUPS * d->cells * s->width; i++) d->k[i] = d->v[i] = NAN;
    for (uint32_t g = 0; g < GROUPS; g++)
        for (uint32_t at = 0; at < d->stored; at++) {
            uint32_t cell = (uint32_t)d->pages[at / s->page] * s->page + at % s->page;
            uint32_t to = (g * d->cells + cell) * s->width, from = (g * SEQUENCES * POSITIONS + at) * s->width;
            for (uint32_t i = 0; i < s->width; i++) {
                d->k[to + i] = value(from + i + 100000);
                d->v[to + i] = value(from + i + 900000);
            }
        }
}

static void fill(const shape *s, bool scattered, uint32_t sequences, data *d)
{
    fill_tokens(s, sequences, d);
    fill_pages(s, scattered, d);
    fill_cells(s, d);
}

/* Pages that no token sees are given back. */
static void give_back(const shape *s, data *d)
{
    uint32_t each = POSITIONS / s->page;
    for (uint32_t i = 0; i < SEQUENCES * each; i++) {
        bool seen = false;
        for (uint32_t t = 0; t < s->tokens; t++)
            seen = seen || (d->sequence[t] == (int32_t)(i / each) && d->last[t] >= (int32_t)(i % each * s->page) &&
                            d->first[t] < (int32_t)((i % each + 1) * s->page));
        if (!seen) d->pages[i] = -1;
    }
}

/* ---- runs ---- */

/* The input as cells of the shape's type: cast, or stored in blocks. */
static weft_ref cells_in(weft_graph *g, const shape *s, const data *d, const char *name)
{
    weft_dims dims = WEFT_DIMS(GROUPS, d->cells, s->width);
    weft_ref x = weft_input(g, WEFT_F32, dims, name);
    if (weft_dtype_get(s->type)->block == 1) return weft_cast(g, x, s->type);
    static int32_t all[MAX_CELLS];
    for (int32_t i = 0; i < MAX_CELLS; i++) all[i] = i;
    weft_ref index = weft_constant(g, WEFT_I32, WEFT_DIMS(d->cells), all);
    weft_scope_begin(g, "cache");
    return weft_scope_end(g, weft_store(g, weft_state(g, s->type, dims, name), x, index, 1));
}

static weft_graph *build(const shape *s, const data *d, bool paged)
{
    weft_graph *g;
    if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return NULL;
    weft_dim t = weft_extent(g, "tokens", s->tokens);
    weft_ref q = weft_input(g, WEFT_F32, WEFT_DIMS(t, HEADS, s->width), "q");
    weft_ref k = cells_in(g, s, d, "k"), v = cells_in(g, s, d, "v");
    weft_ref first = weft_input(g, WEFT_I32, WEFT_DIMS(t), "first");
    weft_ref last = weft_input(g, WEFT_I32, WEFT_DIMS(t), "last");
    weft_attention_desc more = { .page = 0 };
    if (paged)
        more = (weft_attention_desc){ .page = s->page, .sequence = weft_input(g, WEFT_I32, WEFT_DIMS(t), "sequence"),
                                      .pages = weft_input(g, WEFT_I32, WEFT_DIMS(SEQUENCES, POSITIONS / s->page),
                                                          "pages") };
    weft_output(g, weft_attention_with(g, q, k, v, first, last, 0.3f, &more), "y");
    if (CHECK_OK(weft_graph_seal(g, &err), err)) return g;
    weft_graph_destroy(g);
    return NULL;
}

static bool write(weft_program *p, const char *name, const void *bytes, uint64_t n)
{
    weft_ref r;
    return CHECK_OK(weft_program_port(p, name, &r, &err), err) &&
           CHECK_OK(weft_program_write(p, r, 0, bytes, n, &err), err);
}

static bool run(weft_program *p, const shape *s, const data *d, bool paged, float *y)
{
    weft_ref r;
    uint64_t cells = (uint64_t)GROUPS * d->cells * s->width * sizeof(float), tokens = s->tokens * sizeof(int32_t);
    uint64_t rows = (uint64_t)s->tokens * HEADS * s->width * sizeof(float);
    return write(p, "q", d->q, rows) && write(p, "k", d->k, cells) && write(p, "v", d->v, cells) &&
           write(p, "first", d->first, tokens) && write(p, "last", d->last, tokens) &&
           (!paged || (write(p, "sequence", d->sequence, tokens) &&
                       write(p, "pages", d->pages, SEQUENCES * POSITIONS / s->page * sizeof(int32_t)))) &&
           CHECK_OK(weft_program_run(p, &err), err) && CHECK_OK(weft_program_port(p, "y", &r, &err), err) &&
           CHECK_OK(weft_program_read(p, r, 0, y, rows, &err), err);
}

/* A program for s->tokens at most; NULL: failed. */
static weft_program *program_of(weft_backend *b, const shape *s, const data *d, bool paged, bool deterministic)
{
    weft_program_desc desc = { .devices = &b, .n_devices = 1, .strict = true, .deterministic = deterministic };
    weft_program *p = NULL;
    weft_graph *g = build(s, d, paged);
    bool ok = g && CHECK_OK(weft_program_create(g, &desc, &p, &err), err) &&
              CHECK_OK(weft_program_load(p, NULL, NULL, &err), err);
    weft_graph_destroy(g);
    if (ok) return p;
    weft_program_destroy(p);
    return NULL;
}

static float *room(void)
{
    float *y = calloc((size_t)MAX_TOKENS * HEADS * MAX_WIDTH, sizeof *y);
    CHECK(y != NULL);
    return y;
}

/* The results of one run; freed by the caller. NULL: failed. */
static float *result_of(weft_backend *b, const shape *s, const data *d, bool paged)
{
    float *y = room();
    weft_program *p = y ? program_of(b, s, d, paged, false) : NULL;
    bool ok = p && run(p, s, d, paged, y);
    weft_program_destroy(p);
    if (ok) return y;
    free(y);
    return NULL;
}

static void same_bits(const shape *s, const char *what, const float *want, const float *got)
{
    size_t n = (size_t)s->tokens * HEADS * s->width, differ = 0, wild = 0;
    for (size_t i = 0; want && got && i < n; i++) {
        differ += memcmp(&want[i], &got[i], sizeof *got) != 0;
        wild += isfinite(got[i]) ? 0u : 1u;
    }
    if (CHECK(want && got && !differ && !wild)) return;
    printf("  %s: page %u, %u tokens of %s[%u]: %zu of %zu differ, %zu are no numbers\n", what, s->page, s->tokens,
           weft_dtype_get(s->type)->name, s->width, differ, n, wild);
}

/* ---- the comparison ---- */

static bool cells_of(data *d)
{
    d->k = malloc((size_t)GROUPS * MAX_CELLS * MAX_WIDTH * sizeof *d->k);
    d->v = malloc((size_t)GROUPS * MAX_CELLS * MAX_WIDTH * sizeof *d->v);
    return CHECK(d->k && d->v);
}

static void compare_pages(weft_backend *b, const shape *s, uint32_t sequences)
{
    data d;
    if (!cells_of(&d)) return;
    fill(s, false, sequences, &d);
    float *want = result_of(b, s, &d, true);
    if (sequences == 1) {
        d.cells = d.stored = POSITIONS;
        fill_cells(s, &d);
        float *plain = result_of(b, s, &d, false);
        same_bits(s, "without pages", want, plain);
        free(plain);
    }
    fill(s, true, sequences, &d);
    float *scattered = result_of(b, s, &d, true);
    same_bits(s, "scattered", want, scattered);
    give_back(s, &d);
    float *fewer = result_of(b, s, &d, true);
    same_bits(s, "with pages given back", want, fewer);
    free(want);
    free(scattered);
    free(fewer);
    free(d.k);
    free(d.v);
}

/* ---- deterministic programs ---- */

/* The tokens order[from], .. of `all`, as many as the run takes. */
static void choose(const data *all, const shape *s, const uint32_t *order, data *some)
{
    uint32_t row = HEADS * s->width;
    for (uint32_t i = 0; i < s->tokens; i++) {
        memcpy(some->q + i * row, all->q + order[i] * row, row * sizeof *some->q);
        some->first[i] = all->first[order[i]];
        some->last[i] = all->last[order[i]];
        some->sequence[i] = all->sequence[order[i]];
    }
}

/* Runs all tokens, n at a time, in programs for `bound`, and puts the results in their places. */
static bool in_chunks(weft_backend *b, const shape *s, const data *all, uint32_t bound, uint32_t n,
                      const uint32_t *order, float *y)
{
    shape made = *s, now = *s;
    uint32_t row = HEADS * s->width;
    data some = *all;
    float *part = room();
    made.tokens = bound;
    weft_program *p = part ? program_of(b, &made, all, true, true) : NULL;
    bool ok = p != NULL;
    for (uint32_t from = 0; ok && from < s->tokens; from += n) {
        now.tokens = s->tokens - from < n ? s->tokens - from : n;
        choose(all, &now, order + from, &some);
        ok = CHECK_OK(weft_program_set_extent(p, "tokens", now.tokens, &err), err) && run(p, &now, &some, true, part);
        for (uint32_t i = 0; ok && i < now.tokens; i++)
            memcpy(y + order[from + i] * row, part + i * row, row * sizeof *y);
    }
    weft_program_destroy(p);
    free(part);
    return ok;
}

static void compare_chunks(weft_backend *b, const shape *s)
{
    static const struct { const char *what; uint32_t bound, n; bool mixed, scattered; } ways[] = {
        { "alone", 1, 1, false, false },         { "in chunks of 7", 7, 7, false, true },
        { "in batches of 17", 17, 17, true, true }, { "7 where 64 could be", 64, 7, true, false },
        { "in chunks of 64", 64, 64, true, true },
    };
    uint32_t order[MAX_TOKENS];
    data d;
    float *want = room(), *got = room();
    if (!cells_of(&d) || !want || !got) return;
    for (uint32_t i = 0; i < s->tokens; i++) order[i] = i;
    fill(s, false, SEQUENCES, &d);
    bool ok = in_chunks(b, s, &d, s->tokens, s->tokens, order, want);
    for (size_t i = 0; ok && i < sizeof ways / sizeof *ways; i++) {
        for (uint32_t t = 0; t < s->tokens; t++) /* 37 and the counts have no common divisor */
            order[t] = ways[i].mixed ? (t * 37 + 11) % s->tokens : t;
        fill(s, ways[i].scattered, SEQUENCES, &d);
        if (in_chunks(b, s, &d, ways[i].bound, ways[i].n, order, got)) same_bits(s, ways[i].what, want, got);
    }
    free(want);
    free(got);
    free(d.k);
    free(d.v);
}

/* Long rows, which threads share where there are few: softmax, sum and mean of all rows, and of each alone. */
static bool rows_of(weft_backend *b, uint32_t rows, const float *x, float *y)
{
    weft_graph *g;
    weft_program *p = NULL;
    weft_ref r;
    if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return false;
    weft_dim t = weft_extent(g, "rows", rows);
    weft_ref in = weft_input(g, WEFT_F32, WEFT_DIMS(t, LONG_ROW), "x");
    weft_ref sums = weft_add(g, weft_reduce_sum(g, in, -1), weft_reduce_mean(g, in, -1));
    weft_output(g, weft_add(g, weft_softmax(g, in, -1), weft_reshape(g, sums, WEFT_DIMS(t, 1))), "y");
    weft_program_desc desc = { .devices = &b, .n_devices = 1, .deterministic = true };
    bool ok = CHECK_OK(weft_graph_seal(g, &err), err) && CHECK_OK(weft_program_create(g, &desc, &p, &err), err) &&
              CHECK_OK(weft_program_load(p, NULL, NULL, &err), err) &&
              write(p, "x", x, (uint64_t)rows * LONG_ROW * sizeof *x) && CHECK_OK(weft_program_run(p, &err), err) &&
              CHECK_OK(weft_program_port(p, "y", &r, &err), err) &&
              CHECK_OK(weft_program_read(p, r, 0, y, (uint64_t)rows * LONG_ROW * sizeof *y, &err), err);
    weft_program_destroy(p);
    weft_graph_destroy(g);
    return ok;
}

static void rows_on(weft_backend *b, size_t rows)
{
    float *x = calloc(3 * rows * LONG_ROW, sizeof *x), *want = x + rows * LONG_ROW, *got = want + rows * LONG_ROW;
    if (!CHECK(x != NULL)) return;
    for (uint32_t i = 0; i < rows * LONG_ROW; i++) x[i] = 5 * value(i);
    bool ok = rows_of(b, (uint32_t)rows, x, want);
    for (size_t i = 0; i < rows && ok; i++) ok = rows_of(b, 1, x + i * LONG_ROW, got + i * LONG_ROW);
    CHECK(ok && !memcmp(want, got, rows * LONG_ROW * sizeof *got));
    free(x);
}

static const shape shapes[] = {
    /* the first ones on GPUs, too */
    { 16, 64, 3, WEFT_F16 }, { 16, 64, 70, WEFT_F16 },  { 128, 13, 9, WEFT_F32 }, { 32, 64, 1, WEFT_F16 },
    { 64, 32, 3, WEFT_F32 }, { 256, 16, 37, WEFT_BF16 }, { 64, 32, 70, WEFT_F32 }, { 32, 64, 8, WEFT_F16 },
    { 64, 32, 3, WEFT_Q8_0 }, { 32, 64, 37, WEFT_Q4_0 },
};

static void compare_on(const char *spec, void (*compare)(weft_backend *b, size_t n), size_t n)
{
    weft_backend *b = NULL;
    weft_status status = weft_backend_open(spec, &b, &err);
    if (status == WEFT_UNSUPPORTED) {
        printf("  skipped: %s\n", err.text);
        return;
    }
    if (!CHECK_OK(status, err)) return;
    compare(b, n);
    weft_backend_close(b);
}

/* Whether a slow device takes row i of what is compared; it always takes the first. */
static bool takes(const char *what, size_t i)
{
    char row[32];
    snprintf(row, sizeof row, "%s %zu", what, i);
    return i == 0 || sample_takes_slow(row, "pages");
}

static void pages_on(weft_backend *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!takes("pages", i)) continue;
        compare_pages(b, &shapes[i], 1);
        compare_pages(b, &shapes[i], SEQUENCES);
    }
}

static void chunks_on(weft_backend *b, size_t n)
{
    static const shape all[] = { { 64, 64, 70, WEFT_F16 }, { 16, 13, 70, WEFT_F32 }, { 16, 32, 70, WEFT_Q8_0 } };
    for (size_t i = 0; i < n; i++)
        if (takes("chunks", i)) compare_chunks(b, &all[i]);
}

static const char *const cpus[] = { "cpu,isa=scalar", "cpu,isa=avx2,threads=1", "cpu,isa=avx2,threads=3",
                                    "cpu,isa=avx512", "cpu,isa=neon" };

static void pages_on_the_cpu(void)
{
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++)
        compare_on(cpus[i], pages_on, sizeof shapes / sizeof *shapes);
}

static void chunks_on_the_cpu(void)
{
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) compare_on(cpus[i], chunks_on, 3);
}

static void rows_on_the_cpu(void)
{
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) compare_on(cpus[i], rows_on, 4);
}

static void pages_on_vulkan(void)
{
    compare_on("vulkan:0", pages_on, 4);
    compare_on("vulkan:0,without=subgroup", pages_on, 2);
}

static void chunks_on_vulkan(void)
{
    compare_on("vulkan:0", chunks_on, 1);
    compare_on("vulkan:0,without=subgroup", chunks_on, 2);
}

static const weft_test tests[] = {
    { "pages on the CPU", pages_on_the_cpu },
    { "chunks on the CPU", chunks_on_the_cpu },
    { "long rows on the CPU", rows_on_the_cpu },
    { "pages on Vulkan", pages_on_vulkan },
    { "chunks on Vulkan", chunks_on_vulkan },
};
TEST_MAIN(tests)
