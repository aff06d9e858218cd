/* test_submit.c: runs that are submitted, and waited for later. */
#include "small.h"

static weft_error err;

/* A run in two steps; nothing else is done with the program in between. */
static void runs_in_two_steps(void)
{
    small_world w;
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT], again[SMALL_OUT];
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err)) {
        const weft_graph *g = weft_program_graph(w.p);
        weft_ref x = weft_graph_find(g, "x"), out = weft_graph_find(g, "sum");
        CHECK_STATUS(weft_program_wait(w.p, &err), WEFT_INVALID, err);
        CHECK_OK(small_run(w.p, 0, 5, y, sum, &err), err);
        CHECK_OK(weft_states_clear(w.states, &err), err);
        CHECK_OK(weft_program_submit(w.p, &err), err); /* the inputs were used up: any will do */
        CHECK_STATUS(weft_program_submit(w.p, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "waited for");
        CHECK_STATUS(weft_program_run(w.p, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_run_step(w.p, 0, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_set_extent(w.p, "t", 1, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_write(w.p, x, 0, y, sizeof *y, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_read(w.p, out, 0, sum, sizeof sum, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_check(w.p, NULL, NULL, NULL, &err), WEFT_INVALID, err);
        CHECK_OK(weft_program_wait(w.p, &err), err);
        CHECK_OK(weft_states_clear(w.states, &err), err);
        CHECK_OK(small_run(w.p, 0, 5, y, again, &err), err);
        for (uint32_t j = 0; j < SMALL_OUT; j++) CHECK_NEAR((double)again[j], (double)sum[j], 0);
        CHECK_OK(weft_program_submit(w.p, &err), err); /* destroyed while it runs */
    }
    small_close(&w);
}

static const weft_test tests[] = { { "runs in two steps", runs_in_two_steps } };
TEST_MAIN(tests)
