/* test_states.c: sets of states: found, read, written and copied by bytes; what two programs may share. */
#include "small.h"

#include "backends/contract.h"

static weft_error err;
enum { ROW = SMALL_OUT * sizeof(float) };

static weft_backend_vt without_copy;

/* One world on the device, `bounce`d: as on a device that cannot copy by itself. */
static void bytes_of_a_state(bool bounce)
{
    small_world w;
    weft_state_info info;
    float rows[SMALL_CELLS * SMALL_OUT], got[SMALL_CELLS * SMALL_OUT];
    for (uint32_t i = 0; i < SMALL_CELLS * SMALL_OUT; i++) rows[i] = (float)i;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        const weft_backend_vt *real = w.device->vt;
        without_copy = *real;
        without_copy.buf_copy = NULL;
        if (bounce) w.device->vt = &without_copy;
        CHECK_EQ_INT(weft_states_find(w.states, "net.cell"), UINT32_MAX);
        CHECK_EQ_INT(weft_states_find(w.states, "net.cells"), 0);
        CHECK(!weft_states_get(w.states, 1, &info));
        CHECK(weft_states_get(w.states, 0, &info) && !strcmp(info.name, "net.cells") && info.dtype == WEFT_F32 &&
              info.rank == 2 && info.dims[0] == SMALL_CELLS && info.dims[1] == SMALL_OUT);
        CHECK_EQ_INT(info.bytes, sizeof rows);
        CHECK_EQ_INT(weft_states_bytes(w.states), sizeof rows);
        CHECK_OK(weft_states_write(w.states, 0, 0, rows, sizeof rows, &err), err);
        const weft_state_span spans[] = { { 0, 4 * ROW, 2 * ROW }, { 9 * ROW, 8 * ROW, ROW } };
        CHECK_OK(weft_states_copy(w.states, 0, spans, 2, &err), err);
        CHECK_OK(weft_states_read(w.states, 0, 0, got, sizeof got, &err), err);
        memcpy(rows + 4 * SMALL_OUT, rows, 2 * ROW);
        memcpy(rows + 8 * SMALL_OUT, rows + 9 * SMALL_OUT, ROW);
        CHECK(!memcmp(rows, got, sizeof rows));
        CHECK_OK(weft_states_clear(w.states, &err), err);
        CHECK_OK(weft_states_read(w.states, 0, ROW, got, ROW, &err), err);
        for (uint32_t i = 0; i < SMALL_OUT; i++) CHECK(got[i] == 0);
        w.device->vt = real;
    }
    small_close(&w);
}

static void copied_on_the_device(void)
{
    bytes_of_a_state(false);
}

static void copied_through_the_host(void)
{
    bytes_of_a_state(true);
}

static void refuses_what_is_not_there(void)
{
    small_world w;
    float x[SMALL_OUT];
    const uint64_t all = SMALL_CELLS * ROW;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        CHECK_STATUS(weft_states_read(w.states, 1, 0, x, ROW, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_states_read(w.states, 0, all - ROW + 1, x, ROW, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "net.cells");
        CHECK_STATUS(weft_states_write(w.states, 0, UINT64_MAX, x, ROW, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_states_copy(w.states, 0, &(weft_state_span){ 0, ROW, ROW + 1 }, 1, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "overlaps");
        CHECK_STATUS(weft_states_copy(w.states, 0, &(weft_state_span){ 0, all, 1 }, 1, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_states_copy(w.states, 7, NULL, 0, &err), WEFT_INVALID, err);
    }
    small_close(&w);
    weft_states_destroy(NULL);
}

/* The same name with another shape is no state to share: it would be read by the wrong rule. */
static void refuses_another_shape(void)
{
    small_world w;
    weft_graph *g = NULL;
    weft_program *p = NULL;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        weft_status s = weft_graph_create(NULL, &g, &err);
        if (!s) {
            weft_ref cells = weft_state(g, WEFT_F32, WEFT_DIMS(SMALL_OUT, SMALL_CELLS), "net.cells");
            weft_output(g, weft_reduce_sum(g, cells, 0), "sum");
            s = weft_graph_seal(g, &err);
        }
        const weft_program_desc desc = { .devices = &w.device, .n_devices = 1 };
        if (!s) s = weft_program_create(g, &desc, &p, &err);
        if (CHECK_OK(s, err)) {
            CHECK_STATUS(weft_program_load(p, NULL, w.states, &err), WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "net.cells");
            CHECK_OK(weft_program_load(p, NULL, NULL, &err), err); /* with its own */
        }
    }
    weft_program_destroy(p);
    weft_graph_destroy(g);
    small_close(&w);
}

static const weft_test tests[] = {
    { "copied on the device", copied_on_the_device },
    { "copied through the host", copied_through_the_host },
    { "refuses what is not there", refuses_what_is_not_there },
    { "refuses another shape", refuses_another_shape },
};
TEST_MAIN(tests)
