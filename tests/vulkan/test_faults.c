/* test_faults.c: every Vulkan call of a short run fails in turn: the failure is reported, nothing stays behind, and the
 * device works again afterwards. And a barrier that is left out is seen by synchronization validation. */
#include "tests/test.h"

#include "backends/backend.h"
#include "tests/sample.h"
#include "tests/vulkan/shim.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static weft_error err;
static void (*begin)(int fail, int swallow);
static int (*calls)(void), (*alive)(void), (*barriers)(void), (*outer_barriers)(void);
static weft_counters counted; /* of the last scenario's program */

enum { K = 64, N = 96, T = 4 };

static float weights[2][N * N];

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)ctx, (void)e;
    bool up = !strcmp(name, "up");
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { up ? N : K, up ? K : N },
                               .data = weights[up], .bytes = sizeof(float) * K * N };
    return WEFT_OK;
}

/* x -> norm -> up, gelu -> down -> + x: four steps that depend on each other. */
static weft_graph *make_graph(void)
{
    weft_graph *g;
    if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return NULL;
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(weft_extent(g, "t", T), K), "x");
    weft_ref none = { 0 }, h = weft_layer_norm(g, x, none, none, 1e-5f);
    weft_ref up = weft_weight(g, WEFT_F16, WEFT_DIMS(N, K), "up");
    weft_ref down = weft_weight(g, WEFT_F32, WEFT_DIMS(K, N), "down");
    h = weft_gelu(g, weft_matmul_nt(g, h, up));
    h = weft_softmax(g, weft_matmul_nt(g, h, down), -1);
    weft_output(g, weft_add(g, x, h), "y");
    CHECK_OK(weft_graph_seal(g, &err), err);
    return g;
}

/* Opens, loads, runs three times and twice more with times, closes. y: the last result. */
static weft_status scenario(const char *spec, const weft_graph *g, float *y)
{
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_weights *loaded = NULL;
    weft_weight_source source = { NULL, find };
    float x[T * K];
    for (int i = 0; i < T * K; i++) x[i] = (float)(i % 13) * 0.1f - 0.5f;
    weft_status s = weft_backend_open(spec, &b, &err);
    if (!s) s = weft_weights_create(&source, 1, &loaded, &err);
    if (!s) s = weft_program_create(g, &(weft_program_desc){ .devices = &b, .n_devices = 1 }, &p, &err);
    if (!s) s = weft_program_load(p, loaded, NULL, &err);
    for (int run = 0; run < 5 && !s; run++) {
        if (run == 3) s = weft_program_profile(p, WEFT_PROFILE_SCHEDULED, &err);
        if (s) break;
        s = weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, sizeof x, &err);
        if (!s) s = weft_program_run(p, &err);
        if (!s) s = weft_program_read(p, weft_graph_find(weft_program_graph(p), "y"), 0, y, sizeof x, &err);
    }
    if (p) counted = weft_program_counters(p);
    weft_program_destroy(p);
    weft_weights_destroy(loaded);
    weft_backend_close(b);
    return s;
}

static bool load_shim(void)
{
    for (int i = 0; i < N * N; i++) weights[0][i] = weights[1][i] = (float)(i % 7) * 0.05f - 0.15f;
    void *library = dlopen(SHIM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(library != NULL)) return false;
    *(void **)&begin = dlsym(library, "shim_begin");
    *(void **)&calls = dlsym(library, "shim_calls");
    *(void **)&alive = dlsym(library, "shim_alive");
    *(void **)&barriers = dlsym(library, "shim_barriers");
    *(void **)&outer_barriers = dlsym(library, "shim_outer_barriers");
    return CHECK(begin && calls && alive && barriers && outer_barriers);
}

static void fail_each(const char *spec)
{
    weft_graph *g = make_graph();
    float want[T * K], got[T * K];
    begin(0, 0);
    if (!g || !CHECK_OK(scenario(spec, g, want), err)) return;
    CHECK_EQ_INT(alive(), 0);
    int n = calls();
    printf("  %s: %d calls\n", spec, n);
    for (int i = 1; i <= n; i++) {
        char row[32];
        snprintf(row, sizeof row, "call %d", i);
        if (!sample_takes_slow(row, spec)) continue;
        begin(i, 0);
        err = (weft_error){ 0 };
        weft_status s = scenario(spec, g, got);
        bool ok = CHECK(s == WEFT_OOM || s == WEFT_DEVICE_LOST || s == WEFT_OK) && CHECK_EQ_INT(alive(), 0);
        /* a pipeline cache that cannot be filled or a file that cannot be written is no failure */
        if (!ok || (s && !CHECK(strstr(err.text, "vulkan") != NULL))) printf("  at call %d: %s\n", i, err.text);
    }
    begin(0, 0);
    memset(got, 0, sizeof got);
    CHECK_OK(scenario(spec, g, got), err);
    CHECK(!memcmp(want, got, sizeof got));
    weft_graph_destroy(g);
}

static void calls_that_fail(void)
{
    if (!load_shim()) return;
    fail_each("vulkan:0,loader=" SHIM_PATH);
    fail_each("vulkan:0,staging=1,loader=" SHIM_PATH);
}

static void missing_barrier(void)
{
    if (!load_shim()) return;
    weft_graph *g = make_graph();
    float y[T * K];
    static const char spec[] = "vulkan:0,validation=1,loader=" SHIM_PATH;
    begin(0, 0);
    weft_status s = g ? scenario(spec, g, y) : WEFT_OOM;
    if (s == WEFT_NOT_FOUND) {
        weft_graph_destroy(g);
        TEST_SKIP("no validation layer");
    }
    CHECK_OK(s, err);
    int n = barriers();
    CHECK(n >= 2);
    for (int i = 1; i <= n; i++) {
        begin(0, i);
        CHECK_STATUS(scenario(spec, g, y), WEFT_INTERNAL, err);
        CHECK_CONTAINS(err.text, "SYNC-HAZARD");
    }
    weft_graph_destroy(g);
}

/* What validation does not look at: nothing that a submission wrote is seen by the next without a barrier. Each launch
 * is one here, in commands of its own, between a barrier for what was before and one for the host. */
static void submissions_stand_between_barriers(void)
{
    if (!load_shim()) return;
    weft_graph *g = make_graph();
    float y[T * K];
    begin(0, 0);
    if (g && CHECK_OK(scenario("vulkan:0,self-test=0,submit-ms=0.000001,loader=" SHIM_PATH, g, y), err)) {
        CHECK(counted.recordings >= 4);
        CHECK_EQ_INT(barriers(), 0);
        CHECK_EQ_INT(outer_barriers(), 2 * counted.recordings);
    }
    weft_graph_destroy(g);
}

/* A value of more bytes than a staging buffer has goes and comes in pieces. */
static void transfers_longer_than_a_slot(void)
{
    enum { LONG = (16 << 18) + 1000 }; /* floats: 16 MiB and some */
    weft_graph *g = NULL;
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_weights *loaded = NULL;
    weft_ref y = { 0 };
    float *x = malloc(LONG * sizeof *x);
    weft_status s = weft_graph_create(NULL, &g, &err);
    if (!s) weft_output(g, weft_scale(g, weft_input(g, WEFT_F32, WEFT_DIMS(LONG), "x"), -1.0f), "y");
    if (!s) s = weft_graph_seal(g, &err);
    if (!s) s = weft_backend_open("vulkan:0,staging=1,self-test=0", &b, &err);
    if (!s) s = weft_weights_create(NULL, 0, &loaded, &err);
    if (!s) s = weft_program_create(g, &(weft_program_desc){ .devices = &b, .n_devices = 1 }, &p, &err);
    if (!s) s = weft_program_load(p, loaded, NULL, &err);
    for (int i = 0; i < LONG && x; i++) x[i] = (float)(i % 65521);
    if (!s && x) s = weft_program_write(p, weft_graph_find(g, "x"), 0, x, LONG * sizeof *x, &err);
    if (!s) s = weft_program_run(p, &err);
    if (!s) s = weft_program_port(p, "y", &y, &err);
    if (!s && x) s = weft_program_read(p, y, 0, x, LONG * sizeof *x, &err);
    int wrong = 0;
    for (int i = 0; i < LONG && x; i++) wrong += x[i] != -(float)(i % 65521);
    if (CHECK_OK(s, err)) CHECK_EQ_INT(wrong, 0);
    weft_program_destroy(p);
    weft_weights_destroy(loaded);
    weft_backend_close(b);
    weft_graph_destroy(g);
    free(x);
}

/* Clearing a state takes more pieces than the ring has slots; validation sees commands begun while they still run. */
static void slots_are_waited_for(void)
{
    enum { CELLS = 20000, WIDTH = 16 };
    const int32_t at[2] = { 1, 2 };
    const float x[2 * WIDTH] = { 1 };
    float sum[WIDTH] = { 0 };
    weft_graph *g = NULL;
    weft_backend *b = NULL;
    weft_program *p = NULL;
    weft_states *states = NULL;
    weft_status s = weft_backend_open("vulkan:0,staging=1,validation=1,self-test=0", &b, &err);
    if (s == WEFT_NOT_FOUND) TEST_SKIP("no validation layer");
    if (!s) s = weft_graph_create(NULL, &g, &err);
    if (!s) {
        weft_ref in = weft_input(g, WEFT_F32, WEFT_DIMS(2, WIDTH), "x");
        weft_ref where = weft_input(g, WEFT_I32, WEFT_DIMS(2), "at");
        weft_ref cells = weft_state(g, WEFT_F32, WEFT_DIMS(CELLS, WIDTH), "cells");
        weft_output(g, weft_reduce_sum(g, weft_store(g, cells, in, where, 0), 0), "sum");
        s = weft_graph_seal(g, &err);
    }
    if (!s) s = weft_states_create(&states, &err);
    if (!s) s = weft_program_create(g, &(weft_program_desc){ .devices = &b, .n_devices = 1 }, &p, &err);
    if (!s) s = weft_program_load(p, NULL, states, &err);
    if (!s) s = weft_states_clear(states, &err);
    if (!s) s = weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, sizeof x, &err);
    if (!s) s = weft_program_write(p, weft_graph_find(weft_program_graph(p), "at"), 0, at, sizeof at, &err);
    if (!s) s = weft_program_run(p, &err);
    if (!s) s = weft_program_read(p, weft_graph_find(weft_program_graph(p), "sum"), 0, sum, sizeof sum, &err);
    if (CHECK_OK(s, err)) CHECK(sum[0] == 1 && sum[1] == 0);
    weft_program_destroy(p);
    weft_states_destroy(states);
    weft_backend_close(b);
    weft_graph_destroy(g);
}

static const weft_test tests[] = { { "slots are waited for", slots_are_waited_for },
                                   { "transfers longer than a slot", transfers_longer_than_a_slot },
                                   { "calls that fail", calls_that_fail }, { "missing barrier", missing_barrier },
                                   { "submissions stand between barriers", submissions_stand_between_barriers } };
TEST_MAIN(tests)
