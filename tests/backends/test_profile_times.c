/* test_profile_times.c: whether the times of a profile are right: what costs most ranks first, and a step takes as long
 * as a clock around the run says. Named for the device they run on: the argument "cpu" or "vulkan" chooses. */
#include <stdlib.h>

#include "backends/backend.h"
#include "tests/test.h"

static weft_error err;

enum { ATTEMPTS = 8, RUNS = 7 };

/* Halves without a file: weights of any name. */
static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    const weft_graph *g = ctx;
    static uint16_t data[2048 * 512];
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op != WEFT_OP_weight || strcmp(n->name, name)) continue;
        const weft_dims *d = &weft_graph_value(g, n->out[0])->dims;
        *out = (weft_weight_data){ .dtype = WEFT_F16, .rank = d->rank, .data = data };
        for (uint32_t k = 0; k < d->rank; k++) out->dims[k] = d->d[k].n;
        out->bytes = 2 * (uint64_t)(out->dims[0] * out->dims[1]);
        return out->bytes <= sizeof data ? WEFT_OK : WEFT_FAIL(e, WEFT_LIMIT, "too large for the test");
    }
    return WEFT_FAIL(e, WEFT_NOT_FOUND, "no weight '%s'", name);
}

typedef struct world {
    weft_graph *g;
    weft_backend *device;
    weft_weights *weights;
    weft_program *p;
    weft_profile *prof;
    float *x; /* of the inputs, one after the other */
    uint64_t n_x;
} world;

static weft_status load(world *w, weft_profile_mode mode)
{
    weft_weight_source source = { w->g, find_weight };
    WEFT_TRY(weft_graph_seal(w->g, &err));
    weft_program_desc d = { .devices = &w->device, .n_devices = 1, .as_built = true };
    WEFT_TRY(weft_program_create(w->g, &d, &w->p, &err));
    WEFT_TRY(weft_weights_create(&source, 1, &w->weights, &err));
    WEFT_TRY(weft_program_load(w->p, w->weights, NULL, &err));
    WEFT_TRY(weft_program_profile(w->p, mode, &err));
    return weft_profile_create(w->p, &(weft_profile_desc){ .mode = mode }, &w->prof, &err);
}

static weft_status write_inputs(world *w)
{
    uint64_t at = 0;
    for (uint32_t k = 0; k < weft_graph_node_count(w->g); k++) {
        const weft_node *n = weft_graph_node(w->g, k);
        if (n->op != WEFT_OP_input) continue;
        uint64_t bytes = weft_value_bytes(w->g, n->out[0], NULL);
        weft_ref port = weft_graph_find(weft_program_graph(w->p), n->name);
        WEFT_TRY(weft_program_write(w->p, port, 0, w->x + at, bytes, &err));
        at += bytes / sizeof *w->x;
    }
    return WEFT_OK;
}

/* Times of RUNS runs, after one to warm up. */
static weft_status profile(world *w, weft_profile_mode mode)
{
    weft_profile_destroy(w->prof);
    WEFT_TRY(weft_profile_create(w->p, &(weft_profile_desc){ .mode = mode }, &w->prof, &err));
    for (int i = -1; i < RUNS; i++) {
        WEFT_TRY(write_inputs(w));
        weft_program_spans_clear(w->p);
        uint64_t begin = weft_profile_now();
        WEFT_TRY(weft_program_run(w->p, &err));
        weft_profile_run run = { .begin = begin, .end = weft_profile_now() };
        run.spans = weft_program_spans(w->p, &run.n_spans);
        if (i >= 0) WEFT_TRY(weft_profile_add(w->prof, &run, &err));
    }
    return weft_profile_finish(w->prof, &err);
}

static bool open_world(world *w, const char *spec, uint64_t n_x)
{
    *w = (world){ .n_x = n_x, .x = malloc(n_x * sizeof(float)) };
    for (uint64_t i = 0; w->x && i < n_x; i++) w->x[i] = (float)(i % 251) - 125;
    weft_status s = weft_backend_open(spec, &w->device, &err);
    if (s == WEFT_NOT_FOUND) {
        printf("  skipped: %s\n", err.text);
        weft_test_now.skipped = true;
        return false;
    }
    return CHECK_OK(s, err) && CHECK(w->x != NULL) && CHECK_OK(weft_graph_create(NULL, &w->g, &err), err);
}

static void close_world(world *w)
{
    weft_profile_destroy(w->prof);
    weft_program_destroy(w->p);
    weft_weights_destroy(w->weights);
    if (w->device) weft_backend_close(w->device);
    weft_graph_destroy(w->g);
    free(w->x);
}

/* ---- ranking ---- */

/* Eight products of the same size in a row, the fifth of them through a matrix 32 times as large and back. */
enum { T = 32, SMALL = 128, LARGE = 32 * SMALL };

static void build_products(weft_graph *g)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(T, SMALL), "x");
    for (int i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        if (i == 5) {
            weft_ref wide = weft_matmul_nt(g, x, weft_weight(g, WEFT_F16, WEFT_DIMS(LARGE, SMALL), "large"));
            x = weft_add(g, x, weft_slice(g, wide, 1, 0, SMALL));
        } else x = weft_matmul_nt(g, x, weft_weight(g, WEFT_F16, WEFT_DIMS(SMALL, SMALL), name));
    }
    weft_output(g, x, "y");
}

static bool is_large(const world *w, const weft_profile_node *n)
{
    const weft_node *node = weft_graph_node_by_id(weft_program_graph(w->p), n->node);
    if (node->op != WEFT_OP_matmul_nt) return false;
    const weft_value *m = weft_graph_value(weft_program_graph(w->p), node->in[1]);
    return m->dims.d[0].n == LARGE;
}

/* The large product is above all others: by the least of each. It has 32 times as much to do as any of them, so that
 * only a wrong attribution, and no other work of the machine, brings another one up to it. */
static bool ranks(const world *w)
{
    uint32_t n;
    const weft_profile_node *nodes = weft_profile_nodes(w->prof, &n), *large = NULL;
    double most = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (is_large(w, &nodes[i])) large = &nodes[i];
        else if (nodes[i].seconds.min > most) most = nodes[i].seconds.min;
        sum += nodes[i].seconds.min;
    }
    if (!CHECK(large != NULL)) return false;
    printf("  large %.1f us, the next %.1f us, all %.1f us\n", 1e6 * large->seconds.min, 1e6 * most, 1e6 * sum);
    return large->seconds.min > most && large->seconds.min > 0.2 * sum;
}

static void rank_on(const char *spec, weft_profile_mode mode)
{
    world w;
    if (open_world(&w, spec, T * SMALL)) {
        build_products(w.g);
        bool good = false;
        if (CHECK_OK(load(&w, mode), err))
            for (int i = 0; i < ATTEMPTS && !good; i++) good = CHECK_OK(profile(&w, mode), err) && ranks(&w);
        CHECK(good);
    }
    close_world(&w);
}

static void cpu_ranks(void)
{
    rank_on("cpu", WEFT_PROFILE_SCHEDULED);
}

static void cpu_ranks_isolated(void)
{
    rank_on("cpu", WEFT_PROFILE_ISOLATED);
}

static void vulkan_ranks(void)
{
    rank_on("vulkan:0", WEFT_PROFILE_SCHEDULED);
}

static void vulkan_ranks_isolated(void)
{
    rank_on("vulkan:0", WEFT_PROFILE_ISOLATED);
}

/* ---- bandwidth ---- */

/* x + y, each larger than any cache; on drivers, which are slow, just large. */
enum { N = 24 << 20, N_VULKAN = 4 << 20 };

static void build_sum(weft_graph *g, int64_t n)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(n / 4096, 4096), "x");
    weft_ref y = weft_input(g, WEFT_F32, WEFT_DIMS(n / 4096, 4096), "y");
    weft_output(g, weft_add(g, x, y), "z");
}

/* The least of RUNS times of the program without a profile, by the clock around weft_program_run. */
static weft_status outside_seconds(world *w, double *least)
{
    WEFT_TRY(weft_program_profile(w->p, WEFT_PROFILE_OFF, &err));
    for (int i = -1; i < RUNS; i++) {
        WEFT_TRY(write_inputs(w));
        uint64_t begin = weft_profile_now();
        WEFT_TRY(weft_program_run(w->p, &err));
        double seconds = (double)(weft_profile_now() - begin) * 1e-9;
        if (i >= 0 && seconds < *least) *least = seconds;
    }
    return weft_program_profile(w->p, WEFT_PROFILE_ISOLATED, &err);
}

/* A program of one large step takes as long as the step. Memory is shared with whatever else runs on the machine: the
 * best of each is compared, and only what a wrong unit or clock would give is a fault. */
static void cpu_bandwidth(void)
{
    world w;
    if (open_world(&w, "cpu", 2 * (uint64_t)N)) {
        build_sum(w.g, N);
        bool good = false;
        if (CHECK_OK(load(&w, WEFT_PROFILE_ISOLATED), err)) {
            double want = 1e9, got = 1e9;
            for (int i = 0; i < ATTEMPTS && !good; i++) {
                if (!CHECK_OK(outside_seconds(&w, &want), err)) break;
                if (!CHECK_OK(profile(&w, WEFT_PROFILE_ISOLATED), err)) break;
                uint32_t n;
                const weft_profile_node *node = weft_profile_nodes(w.prof, &n);
                CHECK_NEAR(node->bytes, 12.0 * N, 0);
                if (node->seconds.min < got) got = node->seconds.min;
                printf("  %.2f GB/s, from outside %.2f GB/s\n", node->bytes / got * 1e-9, 12.0 * N / want * 1e-9);
                good = want / got > 0.5 && want / got < 2;
            }
        }
        CHECK(good);
    }
    close_world(&w);
}

/* Nothing but the step lies between the host's submit and the end of its wait, so the device's clock must show no more
 * time than the host's, and a good part of it, however late the host is woken. */
static void vulkan_bandwidth(void)
{
    world w;
    if (open_world(&w, "vulkan:0", 2 * (uint64_t)N_VULKAN)) {
        build_sum(w.g, N_VULKAN);
        bool good = false;
        if (CHECK_OK(load(&w, WEFT_PROFILE_ISOLATED), err)) {
            for (int i = 0; i < ATTEMPTS && !good; i++) {
                if (!CHECK_OK(profile(&w, WEFT_PROFILE_ISOLATED), err)) break;
                uint32_t n;
                double step = weft_profile_nodes(w.prof, &n)->seconds.median;
                double host = weft_profile_total(w.prof).seconds.median;
                printf("  the step %.2f ms, the host's run %.2f ms\n", 1e3 * step, 1e3 * host);
                good = step > 0.3 * host && step <= host;
            }
        }
        CHECK(good);
    }
    close_world(&w);
}

static const weft_test tests[] = {
    { "cpu_ranks", cpu_ranks },
    { "cpu_ranks_isolated", cpu_ranks_isolated },
    { "cpu_bandwidth", cpu_bandwidth },
    { "vulkan_ranks", vulkan_ranks },
    { "vulkan_ranks_isolated", vulkan_ranks_isolated },
    { "vulkan_bandwidth", vulkan_bandwidth },
};
TEST_MAIN(tests)
