/* test_limits.c: results are the same, bit for bit, where a launch is cut into pieces or laid out over two axes; what
 * matmul_coop makes of numbers that lie halfway between two halves. On the driver that the environment chooses. */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"

static weft_error err;

/* ---- running a graph ---- */

typedef struct world {
    weft_backend *b;
    weft_graph *g;
    weft_program *p;
    weft_weights *weights;
} world;

static float value(uint64_t i) /* noise in -1..1 */
{
    uint32_t x = (uint32_t)i * 2654435761u + 12345u;
    x ^= x >> 15;
    x *= 2246822519u;
    return (float)(int32_t)(x ^ x >> 13) * 0x1p-31f;
}

static float numbers[1 << 17];

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *error)
{
    const world *w = ctx;
    for (uint32_t i = 0; i < weft_graph_node_count(w->g); i++) {
        const weft_node *n = weft_graph_node(w->g, i);
        if (n->op != WEFT_OP_weight || strcmp(n->name, name)) continue;
        const weft_dims *d = &weft_graph_value(w->g, n->out[0])->dims;
        *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = d->rank, .data = numbers, .bytes = sizeof *numbers };
        for (uint32_t k = 0; k < d->rank; k++) {
            out->dims[k] = d->d[k].n;
            out->bytes *= (uint64_t)d->d[k].n;
        }
        return WEFT_OK;
    }
    return WEFT_FAIL(error, WEFT_NOT_FOUND, "no weight '%s'", name);
}

static weft_status open_world(world *w, const char *spec, const char *text)
{
    *w = (world){ 0 };
    weft_weight_source source = { w, find };
    WEFT_TRY(weft_backend_open(spec, &w->b, &err));
    WEFT_TRY(weft_graph_parse(text, strlen(text), "test", NULL, &w->g, &err));
    weft_program_desc d = { .devices = &w->b, .n_devices = 1, .strict = true };
    WEFT_TRY(weft_program_create(w->g, &d, &w->p, &err));
    WEFT_TRY(weft_weights_create(&source, 1, &w->weights, &err));
    return weft_program_load(w->p, w->weights, NULL, &err);
}

static void close_world(world *w)
{
    weft_program_destroy(w->p);
    weft_weights_destroy(w->weights);
    weft_graph_destroy(w->g);
    weft_backend_close(w->b);
}

static weft_status write(world *w, const char *name, const float *x, size_t n)
{
    weft_ref port;
    WEFT_TRY(weft_program_port(w->p, name, &port, &err));
    return weft_program_write(w->p, port, 0, x, n * sizeof *x, &err);
}

static weft_status read(world *w, const char *name, float *y, size_t n)
{
    weft_ref port;
    WEFT_TRY(weft_program_port(w->p, name, &port, &err));
    return weft_program_read(w->p, port, 0, y, n * sizeof *y, &err);
}

/* ---- pieces, two axes ---- */

static const char layer[] =
    "weft-graph 1\n%1 = input \"x\" : f32[21, 96]\n%2 = weight \"g\" : f32[96]\n%3 = weight \"b\" : f32[96]\n"
    "%4 = weight \"w\" : f16[200, 96]\n%5 = layer_norm %1, %2, %3 {eps = 1e-05}\n%6 = matmul_nt %5, %4\n"
    "output \"many\" = %6\n%7 = input \"z\" : f32[2, 96]\n%8 = matmul_nt %7, %4\noutput \"few\" = %8\n"
    "%9 = input \"q\" : f32[2, 4, 64]\n%10 = input \"k\" : f32[2, 600, 64]\n%11 = constant : i32[2] data 0, 7\n"
    "%12 = constant : i32[2] data 599, 320\n%13 = attention %9, %10, %10, %11, %12 {scale = 0.125}\n"
    "output \"attention\" = %13\n%14 = softmax %6\noutput \"softmax\" = %14\n";
enum { N_MANY = 21 * 200, N_FEW = 2 * 200, N_ATTENTION = 2 * 4 * 64, N_SOFTMAX = N_MANY };
typedef struct result { float many[N_MANY], few[N_FEW], attention[N_ATTENTION], softmax[N_SOFTMAX]; } result;

static weft_status run(world *w, result *r)
{
    WEFT_TRY(write(w, "x", numbers + 100, 21 * 96));
    WEFT_TRY(write(w, "z", numbers + 300, 2 * 96));
    WEFT_TRY(write(w, "q", numbers + 500, 2 * 4 * 64));
    WEFT_TRY(write(w, "k", numbers + 700, 2 * 600 * 64));
    WEFT_TRY(weft_program_run(w->p, &err));
    WEFT_TRY(read(w, "many", r->many, N_MANY));
    WEFT_TRY(read(w, "few", r->few, N_FEW));
    WEFT_TRY(read(w, "attention", r->attention, N_ATTENTION));
    return read(w, "softmax", r->softmax, N_SOFTMAX);
}

/* Two runs; launches of the second. */
static bool twice(const char *spec, result *r, uint64_t *launches)
{
    static result again;
    world w;
    weft_counters before = { 0 }, after = { 0 };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) numbers[i] = value(i);
    weft_status s = open_world(&w, spec, layer);
    if (!s) s = run(&w, r);
    if (!s) before = weft_program_counters(w.p);
    if (!s) s = run(&w, &again);
    if (!s) after = weft_program_counters(w.p);
    close_world(&w);
    *launches = after.launches - before.launches;
    if (s == WEFT_NOT_FOUND && strstr(spec, "validation")) return false;
    return CHECK_OK(s, err) && CHECK(!memcmp(r, &again, sizeof again));
}

static void same(const char *spec, const result *plain, uint64_t least)
{
    static result r;
    uint64_t launches;
    if (!twice(spec, &r, &launches)) return;
    CHECK(!memcmp(&r, plain, sizeof r));
    CHECK(launches >= least);
    if (launches < least) printf("  %s: %llu launches\n", spec, (unsigned long long)launches);
}

static void pieces(void)
{
    static result plain;
    uint64_t launches;
    if (!twice("vulkan:0,submit-ms=100000", &plain, &launches)) return;
    same("vulkan:0,submit-ms=0.00002", &plain, 2 * launches);
    same("vulkan:0,submit-ms=0.00002,validation=1", &plain, 2 * launches);
    same("vulkan:0,submit-ms=0.00002,max-groups=7", &plain, 2 * launches);
}

static void two_axes(void)
{
    static result plain;
    uint64_t launches;
    if (!twice("vulkan:0", &plain, &launches)) return;
    same("vulkan:0,max-groups=7,validation=1", &plain, launches);
    same("vulkan:0,max-groups=2", &plain, launches);
}

static void pieces_are_one_span(void)
{
    static result r;
    world w;
    uint64_t n, steps = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) numbers[i] = value(i);
    if (CHECK_OK(open_world(&w, "vulkan:0,submit-ms=0.00002", layer), err) &&
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err) && CHECK_OK(run(&w, &r), err)) {
        const weft_span *s = weft_program_spans(w.p, &n);
        for (uint64_t i = 0; i < n; i++) steps += s[i].kind == WEFT_SPAN_STEP;
        uint64_t planned = weft_program_plan(w.p)->n_steps;
        CHECK(steps >= planned && steps <= 2 * planned); /* attention for prompts is two launches */
    }
    close_world(&w);
}

/* ---- halves ---- */

/* Rows of the matrix have a single 1, so that the product is what x was rounded to. */
static void halfway(void)
{
    enum { K = 32, T = 12 };
    static const char text[] = "weft-graph 1\n%1 = input \"x\" : f32[12, 32]\n%2 = weight \"w\" : f16[32, 32]\n"
                               "%3 = matmul_nt %1, %2\noutput \"y\" = %3\n";
    static const struct { float x, y; } cases[] = {
        { 1 + 0x1p-11f, 1 }, { 1 + 0x3p-11f, 1 + 0x4p-11f }, { -1 - 0x3p-11f, -1 - 0x4p-11f },
        { 1 + 0x1.1p-11f, 1 + 0x1p-10f }, { 2048.9f + 0.1f, 2048 }, { 2051, 2052 }, { 70000, 65504 },
        { 0x1p-25f, 0 }, { 0x3p-25f, 0x4p-25f }, { 0x1.8p-24f, 0x1p-23f } };
    float x[T * K], y[T * K];
    world w;
    memset(numbers, 0, sizeof numbers);
    for (uint32_t i = 0; i < K; i++) numbers[i * K + i] = 1;
    for (uint32_t i = 0; i < T * K; i++) x[i] = cases[i % (sizeof cases / sizeof *cases)].x;
    if (CHECK_OK(open_world(&w, "vulkan:0,matrix=16x16x16", text), err)) {
        for (uint32_t i = 0; i < weft_graph_node_count(weft_program_graph(w.p)); i++) {
            const weft_node *n = weft_graph_node(weft_program_graph(w.p), i);
            weft_place place = weft_program_place(w.p, n->id);
            if (n->op == WEFT_OP_matmul_nt || n->op == WEFT_OP_linear) CHECK_CONTAINS(place.kernel, "matmul_coop");
        }
        CHECK_OK(write(&w, "x", x, T * K), err);
        CHECK_OK(weft_program_run(w.p, &err), err);
        CHECK_OK(read(&w, "y", y, T * K), err);
        for (uint32_t i = 0; i < T * K; i++) CHECK(y[i] == cases[i % (sizeof cases / sizeof *cases)].y);
    }
    close_world(&w);
}

/* ---- chunks ---- */

/* Eight launches of one size: some limit lies between one of them and all, and then there is more than one submission,
 * but not one for each. */
static void chunks_of_several_launches(void)
{
    char text[1024] = "weft-graph 1\n%1 = input \"x\" : f32[512, 64]\n", spec[64];
    size_t n = strlen(text);
    for (int i = 1; i <= 8; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%%%d = softmax %%%d\n", i + 1, i);
    snprintf(text + n, sizeof text - n, "output \"y\" = %%9\n");
    bool between = false;
    for (double ms = 1e-4; ms < 1e3 && !between; ms *= 2) {
        world w;
        snprintf(spec, sizeof spec, "vulkan:0,self-test=0,submit-ms=%.9f", ms);
        if (CHECK_OK(open_world(&w, spec, text), err) && CHECK_OK(weft_program_run(w.p, &err), err)) {
            weft_counters c = weft_program_counters(w.p);
            between = c.launches == 8 && c.submits > 1 && c.submits < 8;
        }
        close_world(&w);
    }
    CHECK(between);
}

static const weft_test tests[] = {
    { "chunks of several launches", chunks_of_several_launches },
    { "pieces", pieces },
    { "pieces are one span", pieces_are_one_span },
    { "two axes", two_axes },
    { "halfway", halfway },
};
TEST_MAIN(tests)
