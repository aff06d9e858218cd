/* test_weights.c: programs over one set of weights: a weight in two layouts, and what a device needs room for. */
#include "small.h"

#include "backends/contract.h"

static weft_error err;

typedef struct world {
    small_source values;
    weft_backend *device;
    weft_weights *weights;
    weft_graph *g[2]; /* y = x w^T; y = rows of w */
    weft_program *p[2];
} world;

static weft_status make_program(world *w, int i)
{
    weft_graph **g = &w->g[i];
    WEFT_TRY(weft_graph_create(NULL, g, &err));
    weft_ref m = weft_weight(*g, WEFT_F32, WEFT_DIMS(SMALL_OUT, SMALL_IN), "net.w");
    if (i) weft_output(*g, weft_gather(*g, m, weft_input(*g, WEFT_I32, WEFT_DIMS(3), "x")), "y");
    else weft_output(*g, weft_matmul_nt(*g, weft_input(*g, WEFT_F32, WEFT_DIMS(1, SMALL_IN), "x"), m), "y");
    WEFT_TRY(weft_graph_seal(*g, &err));
    return weft_program_create(*g, &(weft_program_desc){ .devices = &w->device, .n_devices = 1 }, &w->p[i], &err);
}

static bool world_open(world *w)
{
    *w = (world){ .device = NULL };
    weft_weight_source source = small_weights(&w->values);
    weft_status s = weft_backend_open("cpu,threads=1", &w->device, &err);
    if (!s) s = weft_weights_create(&source, 1, &w->weights, &err);
    for (int i = 0; i < 2 && !s; i++) s = make_program(w, i);
    return CHECK_OK(s, err);
}

static void world_close(world *w)
{
    for (int i = 0; i < 2; i++) weft_program_destroy(w->p[i]);
    weft_weights_destroy(w->weights);
    for (int i = 0; i < 2; i++) weft_graph_destroy(w->g[i]);
    weft_backend_close(w->device);
}

static weft_status run(weft_program *p, const void *x, size_t x_bytes, float *y, size_t y_bytes)
{
    weft_ref in, out;
    WEFT_TRY(weft_program_port(p, "x", &in, &err));
    WEFT_TRY(weft_program_port(p, "y", &out, &err));
    WEFT_TRY(weft_program_write(p, in, 0, x, x_bytes, &err));
    WEFT_TRY(weft_program_run(p, &err));
    return weft_program_read(p, out, 0, y, y_bytes, &err);
}

/* A product wants a weight's rows in panels, a lookup as they are: two entries, the second in the source's memory. */
static void a_weight_in_two_layouts(void)
{
    static const int32_t index[] = { 23, 0, 7 };
    float x[SMALL_IN] = { [3] = 1 }, y[SMALL_OUT], rows[3 * SMALL_IN];
    world w;
    if (world_open(&w) && CHECK_OK(weft_program_load(w.p[0], w.weights, NULL, &err), err)) {
        uint64_t bytes = weft_weights_bytes(w.weights);
        CHECK_OK(weft_program_load(w.p[1], w.weights, NULL, &err), err);
        CHECK_EQ_INT(weft_weights_bytes(w.weights), bytes);
        CHECK_OK(run(w.p[0], x, sizeof x, y, sizeof y), err);
        CHECK_OK(run(w.p[1], index, sizeof index, rows, sizeof rows), err);
        for (uint32_t i = 0; i < SMALL_OUT; i++)
            CHECK_NEAR((double)y[i], (double)w.values.w[i * SMALL_IN + 3], 1e-6);
        for (uint32_t i = 0; i < 3; i++)
            CHECK(!memcmp(rows + i * SMALL_IN, w.values.w + index[i] * SMALL_IN, SMALL_IN * sizeof *rows));
    }
    world_close(&w);
}

/* ---- a device with little room ---- */

static weft_backend_vt small_device;
static const weft_backend_vt *real;
static uint64_t room;

static void small_info(const weft_backend *b, weft_device_info *out)
{
    real->info(b, out);
    out->memory = room;
}

/* What is loaded needs no room a second time; with weights of its own the same program does not fit. */
static void what_is_there_needs_no_room(void)
{
    world w;
    weft_weights *other = NULL;
    weft_program *again = NULL;
    if (world_open(&w) && CHECK_OK(weft_program_load(w.p[0], w.weights, NULL, &err), err)) {
        weft_weight_source source = small_weights(&w.values);
        weft_program_memory m = weft_program_device_memory(w.p[0], 0);
        real = w.device->vt;
        small_device = *real;
        small_device.info = small_info;
        room = m.arena + m.constants + m.weights / 2;
        w.device->vt = &small_device;
        weft_program_desc d = { .devices = &w.device, .n_devices = 1 };
        CHECK_OK(weft_program_create(w.g[0], &d, &again, &err), err);
        CHECK_OK(weft_weights_create(&source, 1, &other, &err), err);
        CHECK_STATUS(weft_program_load(again, other, NULL, &err), WEFT_LIMIT, err);
        CHECK_OK(weft_program_load(again, w.weights, NULL, &err), err);
        weft_program_destroy(again);
        weft_weights_destroy(other);
        w.device->vt = real;
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "a weight in two layouts", a_weight_in_two_layouts },
    { "what is there needs no room", what_is_there_needs_no_room },
};
TEST_MAIN(tests)
