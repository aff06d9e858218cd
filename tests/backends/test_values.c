/* test_values.c: what a program's values and weights are to the outside: which can be read, how many bytes a source
 * must give, and what happens to weights and states that two devices need. */
#include <math.h>
#include <stdlib.h>

#include "backends/contract.h"
#include "tests/test.h"

static weft_error err;

enum { ROWS = 4, WIDTH = 16 };

static float weight_data[WIDTH * WIDTH];
static uint64_t weight_bytes;

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)ctx, (void)name, (void)e;
    for (uint32_t i = 0; i < WIDTH * WIDTH; i++) weight_data[i] = (float)(i * 37 % 101) / 101.0f - 0.5f;
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { WIDTH, WIDTH }, .data = weight_data,
                               .bytes = weight_bytes };
    return WEFT_OK;
}

typedef struct world {
    weft_graph *g;
    weft_backend *devices[2];
    weft_weights *weights;
    weft_program *p;
} world;

static void open_world(world *w, void (*build)(weft_graph *g), uint32_t n_devices)
{
    *w = (world){ 0 };
    weight_bytes = sizeof weight_data;
    CHECK_OK(weft_graph_create(NULL, &w->g, &err), err);
    build(w->g);
    CHECK_OK(weft_graph_seal(w->g, &err), err);
    for (uint32_t d = 0; d < n_devices; d++)
        CHECK_OK(weft_backend_open("cpu,threads=2", &w->devices[d], &err), err);
    CHECK_OK(weft_weights_create(&(weft_weight_source){ NULL, find }, 1, &w->weights, &err), err);
}

static bool start(world *w, weft_program_desc d)
{
    d.devices = w->devices;
    d.n_devices = w->devices[1] ? 2 : 1;
    return CHECK_OK(weft_program_create(w->g, &d, &w->p, &err), err) &&
           CHECK_OK(weft_program_load(w->p, w->weights, NULL, &err), err);
}

static void close_world(world *w)
{
    weft_program_destroy(w->p);
    weft_weights_destroy(w->weights);
    weft_graph_destroy(w->g);
    weft_backend_close(w->devices[0]);
    weft_backend_close(w->devices[1]);
}

static void fill(weft_program *p, const char *port)
{
    float x[ROWS * WIDTH];
    for (uint32_t i = 0; i < ROWS * WIDTH; i++) x[i] = (float)(i * 29 % 83) / 83.0f - 0.5f;
    CHECK_OK(weft_program_write(p, weft_graph_find(weft_program_graph(p), port), 0, x, sizeof x, &err), err);
}

/* ---- views ---- */

static void build_views(weft_graph *g)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(ROWS, WIDTH), "x");
    weft_ref row = weft_gelu(g, weft_reduce_sum(g, x, 0));
    weft_ref wide = weft_broadcast(g, row, WEFT_DIMS(1 << 16, WIDTH));
    weft_output(g, weft_reduce_sum(g, wide, 0), "sum");
    weft_output(g, weft_gelu(g, weft_transpose(g, x, 0, 1)), "turned");
}

/* A view has no bytes of its own: read as if it did, a broadcast one ends far behind the arena. */
static void reads_no_scattered_view(void)
{
    world w;
    open_world(&w, build_views, 1);
    if (start(&w, (weft_program_desc){ .keep = true, .as_built = true })) {
        fill(w.p, "x");
        CHECK_OK(weft_program_run(w.p, &err), err);
        const weft_graph *g = weft_program_graph(w.p);
        uint64_t size = (uint64_t)(1 << 16) * WIDTH * sizeof(float);
        unsigned char *bytes = malloc(size);
        unsigned views = 0, others = 0;
        for (uint32_t i = 0; i < weft_graph_node_count(g) && CHECK(bytes != NULL); i++) {
            const weft_node *n = weft_graph_node(g, i);
            bool view = n->op == WEFT_OP_broadcast || n->op == WEFT_OP_permute;
            weft_status s = weft_program_read(w.p, n->out[0], 0, bytes, weft_value_bytes(g, n->out[0], NULL), &err);
            CHECK_STATUS(s, view ? WEFT_UNSUPPORTED : WEFT_OK, err);
            if (view) CHECK_CONTAINS(err.text, "view");
            view ? views++ : others++;
        }
        CHECK(views >= 2);
        CHECK(others >= 4);
        free(bytes);
    }
    close_world(&w);
}

/* A row that two threads share: neither scales its half before both have added theirs up. */
enum { LONG = 20000 };

static void build_long_row(weft_graph *g)
{
    weft_output(g, weft_softmax(g, weft_input(g, WEFT_F32, WEFT_DIMS(1, LONG), "x"), -1), "y");
}

static void phases_wait_for_each_other(void)
{
    static float x[LONG], y[LONG];
    world w;
    open_world(&w, build_long_row, 1);
    if (start(&w, (weft_program_desc){ 0 }))
        for (uint32_t run = 0; run < 20; run++) { /* what the run before left is never right */
            double sum = 0, total = 0;
            for (uint32_t i = 0; i < LONG; i++) sum += exp((double)(x[i] = (float)((i * 7 + run * 13) % 31) / 3));
            CHECK_OK(weft_program_write(w.p, weft_graph_find(weft_program_graph(w.p), "x"), 0, x, sizeof x, &err), err);
            CHECK_OK(weft_program_run(w.p, &err), err);
            CHECK_OK(weft_program_read(w.p, weft_graph_find(weft_program_graph(w.p), "y"), 0, y, sizeof y, &err), err);
            for (uint32_t i = 0; i < LONG; i++) total += (double)y[i];
            CHECK_NEAR(total, 1, 1e-4);
            CHECK_NEAR((double)y[run] * sum, exp((double)x[run]), 1e-4 * exp((double)x[run]));
        }
    close_world(&w);
}

/* An input that is an output: nothing to run, and the bytes come back. */
static void build_nothing(weft_graph *g)
{
    weft_output(g, weft_input(g, WEFT_F32, WEFT_DIMS(ROWS, WIDTH), "x"), "y");
}

static void runs_without_steps(void)
{
    world w;
    float y[ROWS * WIDTH] = { 0 };
    open_world(&w, build_nothing, 1);
    if (start(&w, (weft_program_desc){ 0 })) {
        fill(w.p, "x");
        CHECK_OK(weft_program_run(w.p, &err), err);
        CHECK_OK(weft_program_read(w.p, weft_graph_find(weft_program_graph(w.p), "y"), 0, y, sizeof y, &err), err);
        CHECK_NEAR(y[1], 29.0 / 83.0 - 0.5, 1e-6);
    }
    close_world(&w);
}

/* ---- a source that lies ---- */

static void build_product(weft_graph *g)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(ROWS, WIDTH), "x");
    weft_output(g, weft_matmul_nt(g, x, weft_weight(g, WEFT_F16, WEFT_DIMS(WIDTH, WIDTH), "w")), "y");
}

static void refuses_data_of_another_size(void)
{
    static const uint64_t sizes[] = { 0, 1, sizeof weight_data - 4, sizeof weight_data + 4, UINT64_MAX };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        world w;
        open_world(&w, build_product, 1);
        weight_bytes = sizes[i];
        weft_program_desc d = { .devices = w.devices, .n_devices = 1 };
        if (CHECK_OK(weft_program_create(w.g, &d, &w.p, &err), err)) {
            CHECK_STATUS(weft_program_load(w.p, w.weights, NULL, &err), WEFT_FORMAT, err);
            CHECK_CONTAINS(err.text, "'w'");
            CHECK_EQ_INT(weft_weights_bytes(w.weights), 0);
        }
        close_world(&w);
    }
}

/* ---- two devices ---- */

static const weft_backend_vt *real_vt;

/* What is in the scope "far" must run elsewhere. */
static weft_place_reason not_far(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out)
{
    bool far = strstr(q->node->scope, "far") && q->node->op != WEFT_OP_copy;
    return far ? WEFT_PLACE_NO_KERNEL : real_vt->choose(b, q, out);
}

/* A weight and two states, one of them in blocks, that both devices use; the last output is made on the second. */
static void build_shared(weft_graph *g)
{
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(ROWS, WIDTH), "x");
    weft_ref at = weft_input(g, WEFT_I32, WEFT_DIMS(ROWS), "at");
    weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(WIDTH, WIDTH), "w");
    weft_ref near = weft_output(g, weft_gelu(g, weft_matmul_nt(g, x, w)), "near");
    weft_ref cells = weft_store(g, weft_state(g, WEFT_F32, WEFT_DIMS(2 * ROWS, WIDTH), "cells"), near, at, 0);
    weft_ref twice[] = { near, near }, blocks = weft_state(g, WEFT_Q8_0, WEFT_DIMS(2 * ROWS, 2 * WIDTH), "blocks");
    blocks = weft_store(g, blocks, weft_concat(g, twice, 2, 1), at, 0);
    weft_scope_begin(g, "far");
    weft_ref far = weft_gelu(g, weft_matmul_nt(g, near, w));
    weft_ref stored = weft_slice(g, weft_reduce_sum(g, weft_gather(g, blocks, at), 0), 0, 0, WIDTH);
    weft_ref sum = weft_add(g, weft_reduce_sum(g, cells, 0), stored);
    weft_output(g, weft_add(g, weft_transpose(g, weft_transpose(g, far, 0, 1), 0, 1), sum), "far");
    weft_scope_end(g, sum);
}

static bool count_failures(void *ctx, const weft_check_node *n)
{
    unsigned *counts = ctx;
    counts[0]++;
    counts[1] += n->failed;
    return true;
}

static void run_shared(world *w, float near[ROWS * WIDTH], float far[ROWS * WIDTH])
{
    const int32_t at[2][ROWS] = { { 0, 1, 2, 3 }, { 4, 5, 6, 7 } };
    for (uint32_t k = 0; k < 2; k++) { /* the second run sees the first one's rows in the state */
        fill(w->p, "x");
        weft_ref port = weft_graph_find(weft_program_graph(w->p), "at");
        CHECK_OK(weft_program_write(w->p, port, 0, at[k], sizeof at[k], &err), err);
        CHECK_OK(weft_program_run(w->p, &err), err);
    }
    size_t size = ROWS * WIDTH * sizeof(float);
    CHECK_OK(weft_program_read(w->p, weft_graph_find(weft_program_graph(w->p), "near"), 0, near, size, &err), err);
    CHECK_OK(weft_program_read(w->p, weft_graph_find(weft_program_graph(w->p), "far"), 0, far, size, &err), err);
}

static void shares_weights_and_states(void)
{
    world one, two;
    weft_backend_vt vt;
    float near[2][ROWS * WIDTH], far[2][ROWS * WIDTH];
    open_world(&one, build_shared, 1);
    open_world(&two, build_shared, 2);
    real_vt = two.devices[0]->vt;
    vt = *real_vt;
    vt.choose = not_far;
    two.devices[0]->vt = &vt;
    if (start(&one, (weft_program_desc){ 0 }) && start(&two, (weft_program_desc){ 0 })) {
        run_shared(&one, near[0], far[0]);
        run_shared(&two, near[1], far[1]);
        for (uint32_t i = 0; i < ROWS * WIDTH; i++) {
            CHECK_NEAR((double)near[1][i], (double)near[0][i], 1e-6);
            CHECK_NEAR((double)far[1][i], (double)far[0][i], 1e-5);
        }
        CHECK(weft_program_device_memory(two.p, 0).weights > 0);
        CHECK(weft_program_device_memory(two.p, 1).weights > 0);
        unsigned counts[2] = { 0, 0 };
        weft_weight_source source = { NULL, find };
        CHECK_OK(weft_program_check(two.p, &source, count_failures, counts, &err), err);
        CHECK_EQ_INT(counts[0], weft_program_plan(two.p)->n_steps);
        CHECK_EQ_INT(counts[1], 0);
    }
    close_world(&one);
    close_world(&two);
}

/* What crosses in pieces (program.c takes 256 KiB at a time) arrives whole. */
enum { LARGE = 300001 };

static void build_large(weft_graph *g)
{
    weft_ref x = weft_scale(g, weft_input(g, WEFT_F32, WEFT_DIMS(LARGE), "x"), -1.0f);
    weft_scope_begin(g, "far");
    weft_output(g, weft_scope_end(g, weft_relu(g, x)), "y");
}

static void large_values_cross_devices(void)
{
    world w;
    weft_backend_vt vt;
    float *x = calloc(LARGE, sizeof *x);
    open_world(&w, build_large, 2);
    real_vt = w.devices[0]->vt;
    vt = *real_vt;
    vt.choose = not_far;
    w.devices[0]->vt = &vt;
    if (CHECK(x != NULL) && start(&w, (weft_program_desc){ 0 })) {
        const weft_graph *g = weft_program_graph(w.p);
        weft_ref in = weft_graph_find(g, "x"), out = weft_graph_find(g, "y");
        uint32_t wrong = 0;
        for (uint32_t i = 0; i < LARGE; i++) x[i] = -(float)(i % 1013);
        CHECK_OK(weft_program_write(w.p, in, 0, x, LARGE * sizeof *x, &err), err);
        CHECK_OK(weft_program_run(w.p, &err), err);
        CHECK_OK(weft_program_read(w.p, out, 0, x, LARGE * sizeof *x, &err), err);
        for (uint32_t i = 0; i < LARGE; i++) wrong += x[i] != (float)(i % 1013);
        CHECK_EQ_INT(wrong, 0);
    }
    close_world(&w);
    free(x);
}

static const weft_test tests[] = {
    { "reads no scattered view", reads_no_scattered_view },
    { "phases wait for each other", phases_wait_for_each_other },
    { "runs without steps", runs_without_steps },
    { "refuses data of another size", refuses_data_of_another_size },
    { "shares weights and states between devices", shares_weights_and_states },
    { "large values cross devices", large_values_cross_devices },
};
TEST_MAIN(tests)
