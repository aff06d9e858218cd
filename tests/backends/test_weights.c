/* test_weights.c: programs over one set of weights: a weight in two layouts, and what a device needs room for. */
#include "small.h"

#include "backends/contract.h"
#include "graph/convert.h"

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

static _Alignas(16) unsigned char askew[1 + SMALL_OUT * SMALL_IN * sizeof(float)];

static weft_status find_askew(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    WEFT_TRY(small_find(ctx, name, out, e));
    out->data = memcpy(askew + 1, out->data, out->bytes);
    return WEFT_OK;
}

/* Rows that a device reads as they are in the file stay there, unless no number of them can stand where they do. */
static void data_is_borrowed_where_it_is_aligned(void)
{
    static const int32_t index[] = { 5, 1, 5 };
    for (int moved = 0; moved < 2; moved++) {
        float rows[3 * SMALL_IN];
        weft_weights *weights = NULL;
        world w;
        if (world_open(&w)) {
            const weft_weight_source source = { &w.values, moved ? find_askew : small_find };
            CHECK_OK(weft_weights_create(&source, 1, &weights, &err), err);
            CHECK_OK(weft_program_load(w.p[1], weights, NULL, &err), err);
            CHECK_EQ_INT(weft_weights_bytes(weights), moved ? sizeof w.values.w : 0);
            CHECK_OK(run(w.p[1], index, sizeof index, rows, sizeof rows), err);
            for (uint32_t i = 0; i < 3; i++)
                CHECK(!memcmp(rows + i * SMALL_IN, w.values.w + index[i] * SMALL_IN, SMALL_IN * sizeof *rows));
        }
        weft_program_destroy(w.p[1]);
        w.p[1] = NULL;
        weft_weights_destroy(weights);
        world_close(&w);
    }
}

/* ---- bytes that were read ---- */

static const unsigned char *told_from;
static unsigned told[SMALL_OUT * SMALL_IN * sizeof(float)]; /* of each byte: how often */
static bool strange;                                        /* other bytes were told of */

static void tell(void *ctx, const void *data, uint64_t bytes)
{
    (void)ctx;
    const size_t at = (size_t)((const unsigned char *)data - told_from);
    if (at > sizeof told / sizeof *told || bytes > sizeof told / sizeof *told - at) strange = true;
    else
        for (uint64_t i = 0; i < bytes; i++) told[at + i]++;
}

enum way { WHOLE, IN_PARTS, TURNED };
static enum way way;

static weft_status find_told(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    static const void *parts[SMALL_OUT / 2];
    WEFT_TRY(small_find(ctx, name, out, e));
    told_from = out->data;
    out->done = tell;
    out->turned = way == TURNED;
    if (way != IN_PARTS) return WEFT_OK;
    for (uint32_t i = 0; i < SMALL_OUT / 2; i++) parts[i] = told_from + (SMALL_OUT / 2 - 1 - i) * 2 * SMALL_IN * 4;
    out->data = NULL;
    out->parts = parts;
    out->n_parts = SMALL_OUT / 2;
    return WEFT_OK;
}

/* What a device has in its own memory is not needed in the file's: all of it is told, and nothing else, as often for
 * one byte as for the next. What it reads in the source's memory is not told. */
static void bytes_that_were_read_are_told(void)
{
    for (int i = 0; i < 4; i++) {
        const int borrowed = i == 3;
        weft_weights *weights = NULL;
        world w;
        way = borrowed ? WHOLE : (enum way)i;
        memset(told, 0, sizeof told);
        strange = false;
        if (world_open(&w)) {
            const weft_weight_source source = { &w.values, find_told };
            CHECK_OK(weft_weights_create(&source, 1, &weights, &err), err);
            CHECK_OK(weft_program_load(w.p[borrowed], weights, NULL, &err), err);
            bool even = !strange && (told[0] == 0) == (borrowed != 0);
            for (size_t k = 1; k < sizeof told / sizeof *told; k++) even &= told[k] == told[0];
            CHECK(even);
        }
        weft_program_destroy(w.p[borrowed]);
        w.p[borrowed] = NULL;
        weft_weights_destroy(weights);
        world_close(&w);
    }
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

/* ---- where a weight's rows lie ---- */

enum { EXPERTS = 2, ROWS = 32, WIDTH = 64, N_PARTS = 8, BYTES = EXPERTS * ROWS * WIDTH * 4 };

/* Experts [2, 32, 64] as they are, in parts of 8 rows (fewer than a panel), and turned. */
typedef struct lying {
    float plain[EXPERTS * ROWS * WIDTH], part[N_PARTS][EXPERTS * ROWS * WIDTH / N_PARTS];
    float turned[EXPERTS * ROWS * WIDTH];
    const void *parts[N_PARTS];
    weft_weight_data as[3];
} lying;

static void lay(lying *l)
{
    enum { PART = EXPERTS * ROWS * WIDTH / N_PARTS };
    for (int i = 0; i < EXPERTS * ROWS * WIDTH; i++) {
        int e = i / (ROWS * WIDTH), r = i / WIDTH % ROWS, c = i % WIDTH;
        l->plain[i] = l->part[i / PART][i % PART] = l->turned[(e * WIDTH + c) * ROWS + r] = (float)(i % 251) / 8 - 9;
    }
    for (int i = 0; i < N_PARTS; i++) l->parts[i] = l->part[i];
    const weft_weight_data plain = { .dtype = WEFT_F32, .rank = 3, .dims = { EXPERTS, ROWS, WIDTH }, .bytes = BYTES };
    for (int i = 0; i < 3; i++) l->as[i] = plain;
    l->as[0].data = l->plain;
    l->as[1].parts = l->parts;
    l->as[1].n_parts = N_PARTS;
    l->as[2].data = l->turned;
    l->as[2].turned = true;
}

static void rows_are_read_where_they_lie(void)
{
    static const weft_dtype types[] = { WEFT_F32, WEFT_F16, WEFT_Q8_0 };
    static lying l;
    unsigned char want[BYTES], got[BYTES];
    lay(&l);
    for (int t = 0; t < 3; t++)
        for (int64_t row = 0; row < EXPERTS * ROWS; row++)
            for (int64_t n = 1; row + n <= EXPERTS * ROWS; n++) {
                uint64_t bytes;
                CHECK(weft_dtype_row_bytes(types[t], n * WIDTH, &bytes));
                CHECK(weft__convert_row(WEFT_F32, l.plain + row * WIDTH, types[t], want, n * WIDTH));
                for (int i = 0; i < 3; i++)
                    CHECK(!memcmp(weft__weight_rows(&l.as[i], row, n, types[t], got), want, bytes));
            }
    CHECK(weft__weight_rows(&l.as[0], 3, 2, WEFT_F32, got) == l.plain + 3 * WIDTH); /* not copied */
    CHECK(weft__weight_rows(&l.as[1], 8, 8, WEFT_F32, got) == l.part[1]);
}

static weft_status find_lying(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)name, (void)e;
    CHECK(!out->rank && !out->data && !out->bytes); /* a source need not set what it does not know */
    CHECK(!out->parts && !out->n_parts && !out->turned);
    *out = *(const weft_weight_data *)ctx;
    return WEFT_OK;
}

/* y = x times the second expert; rows of the first. Both layouts that a weight may be kept in. */
static weft_status load_and_run(const weft_weight_data *data, bool packed, float *y)
{
    static const int32_t second[] = { 1 };
    float x[WIDTH] = { [1] = 1, [60] = 2 };
    weft_weight_source source = { (void *)(uintptr_t)data, find_lying };
    weft_backend *device = NULL;
    weft_weights *weights = NULL;
    weft_program *p = NULL;
    weft_graph *g;
    WEFT_TRY(weft_graph_create(NULL, &g, &err));
    weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(EXPERTS, ROWS, WIDTH), "net.w");
    weft_ref in = weft_constant(g, WEFT_F32, WEFT_DIMS(1, WIDTH), x);
    weft_ref ids = weft_constant(g, WEFT_I32, WEFT_DIMS(1, 1), second);
    if (!packed) w = weft_mul(g, w, weft_constant(g, WEFT_F32, WEFT_DIMS(1), (const float[]){ 1 }));
    weft_output(g, packed ? weft_linear_select(g, in, w, ids) : weft_select(g, weft_matmul_nt(g, w, in), 0, 1), "y");
    weft_status s = weft_graph_seal(g, &err);
    if (!s) s = weft_backend_open("cpu,threads=2", &device, &err);
    if (!s) s = weft_program_create(g, &(weft_program_desc){ .devices = &device, .n_devices = 1 }, &p, &err);
    if (!s) s = weft_weights_create(&source, 1, &weights, &err);
    if (!s) s = weft_program_load(p, weights, NULL, &err);
    weft_ref out;
    if (!s) s = weft_program_port(p, "y", &out, &err);
    if (!s) s = weft_program_run(p, &err);
    if (!s) s = weft_program_read(p, out, 0, y, ROWS * sizeof *y, &err);
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    weft_graph_destroy(g);
    weft_backend_close(device);
    return s;
}

static void weights_are_loaded_from_where_they_lie(void)
{
    static lying l;
    lay(&l);
    for (int i = 0; i < 3; i++)
        for (int packed = 0; packed < 2; packed++) {
            float y[ROWS] = { 0 };
            if (!CHECK_OK(load_and_run(&l.as[i], packed, y), err)) continue;
            const float *w = l.plain + ROWS * WIDTH;
            for (int r = 0; r < ROWS; r++)
                CHECK_NEAR((double)y[r], (double)(w[r * WIDTH + 1] + 2 * w[r * WIDTH + 60]), 0.1);
        }
    l.as[1].n_parts = 5;
    CHECK_STATUS(load_and_run(&l.as[1], true, l.plain), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "weight 'net.w': 5 parts do not make 64 rows");
    l.as[2].dtype = WEFT_Q8_0;
    l.as[2].bytes = EXPERTS * ROWS * WIDTH / 32 * 34;
    CHECK_STATUS(load_and_run(&l.as[2], true, l.plain), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "weight 'net.w': q8_0 of rank 3 cannot lie turned");
}

static const weft_test tests[] = {
    { "rows are read where they lie", rows_are_read_where_they_lie },
    { "weights are loaded from where they lie", weights_are_loaded_from_where_they_lie },
    { "a weight in two layouts", a_weight_in_two_layouts },
    { "data is borrowed where it is aligned", data_is_borrowed_where_it_is_aligned },
    { "bytes that were read are told", bytes_that_were_read_are_told },
    { "what is there needs no room", what_is_there_needs_no_room },
};
TEST_MAIN(tests)
