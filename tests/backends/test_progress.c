/* test_progress.c: what long work on a device tells of itself, and what is left when it is cancelled at any report. */
#include <stdlib.h>

#include "tests/backends/small.h"
#include "tests/oom.h"
#include "tests/progress.h"

enum { ROWS = 3000, COLUMNS = 2048 }; /* as f16 more than two pieces of a load */

static weft_error err;
static float *numbers;

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *error)
{
    (void)ctx;
    (void)error;
    bool vector = *name == 'b';
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = vector ? 1 : 2, .data = numbers,
                               .dims = { ROWS, vector ? 0 : COLUMNS },
                               .bytes = sizeof *numbers * ROWS * (vector ? 1 : COLUMNS) };
    return WEFT_OK;
}

static weft_graph *wide_graph(void)
{
    weft_graph *g;
    if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return NULL;
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(1, COLUMNS), "x");
    weft_ref w = weft_weight(g, WEFT_F16, WEFT_DIMS(ROWS, COLUMNS), "w");
    weft_ref b = weft_weight(g, WEFT_F32, WEFT_DIMS(ROWS), "b");
    weft_output(g, weft_add(g, weft_matmul_nt(g, x, w), b), "y");
    if (CHECK_OK(weft_graph_seal(g, &err), err)) return g;
    weft_graph_destroy(g);
    return NULL;
}

static bool prepare(void)
{
    numbers = malloc(sizeof *numbers * ROWS * COLUMNS);
    if (!CHECK(numbers != NULL)) return false;
    for (uint32_t i = 0; i < ROWS * COLUMNS; i++) numbers[i] = small_value(i);
    return true;
}

/* y for x = 1, 0, 0, ..: the first column of w, plus b. */
static void check_result(weft_program *p)
{
    static float x[COLUMNS] = { 1.0f }, y[ROWS];
    CHECK_OK(weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, x, sizeof x, &err), err);
    CHECK_OK(weft_program_run(p, &err), err);
    CHECK_OK(weft_program_read(p, weft_graph_find(weft_program_graph(p), "y"), 0, y, sizeof y, &err), err);
    double worst = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        double e = (double)y[i] - (double)numbers[i * COLUMNS] - (double)numbers[i];
        worst = e > worst ? e : -e > worst ? -e : worst;
    }
    CHECK(worst < 2e-3);
}

/* Creates and loads with a sink. Whether it came to the end. */
static bool load(const weft_graph *g, weft_backend *b, weft_weights *weights, progress_log *log)
{
    weft_program *p;
    weft_program_desc d = { .devices = &b, .n_devices = 1, .progress = progress_sink(log) };
    weft_status s = weft_program_create(g, &d, &p, &err);
    if (!s) s = weft_program_load(p, weights, NULL, &err);
    CHECK_EQ_INT(s, log->cancelled ? WEFT_CANCELLED : WEFT_OK);
    if (log->cancelled) CHECK_STR(err.text, "cancelled while loading weights");
    if (!s) check_result(p);
    weft_program_destroy(p);
    return !s;
}

static void loading_tells_and_stops(void)
{
    weft_graph *g = prepare() ? wide_graph() : NULL;
    weft_backend *b = NULL;
    weft_weight_source source = { NULL, find };
    if (g && CHECK_OK(weft_backend_open("cpu,threads=2", &b, &err), err)) {
        int64_t reports = 1;
        for (int64_t n = -1; n < reports; n++) {
            int64_t live = oom_live();
            progress_log log = { .cancel_at = n }, again = { .cancel_at = -1 };
            weft_weights *weights;
            CHECK_OK(weft_weights_create(&source, 1, &weights, &err), err);
            bool whole = load(g, b, weights, &log);
            CHECK_EQ_INT(whole, n < 0);
            if (whole) {
                reports = log.n;
                CHECK(progress_of(&log, "loading weights", 1) >= 2 + 3); /* begin, w in three pieces, b */
                CHECK(log.last.total >= (uint64_t)ROWS * COLUMNS * 2 + ROWS * 4);
                CHECK_STR(log.last.unit, "B");
            }
            CHECK(load(g, b, weights, &again)); /* on the same weights, whatever is in it already */
            progress_of(&again, "loading weights", 1);
            weft_weights_destroy(weights);
            CHECK_EQ_INT(oom_live(), live);
        }
    }
    weft_backend_close(b);
    weft_graph_destroy(g);
    free(numbers);
}

/* Cancelled and, independently, out of memory: each gives its own status, and nothing leaks. */
static void cancelled_where_memory_fails(void)
{
    small_source data = { 0 };
    weft_weight_source source = small_weights(&data);
    weft_graph *g = small_graph(WEFT_F16, &err);
    weft_backend *b = NULL;
    if (CHECK(g != NULL) && CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err))
        for (int64_t cancel_at = 0; cancel_at < 3; cancel_at++)
            OOM_LOOP (n) {
                progress_log log = { .cancel_at = cancel_at };
                weft_program_desc d = { .devices = &b, .n_devices = 1, .progress = progress_sink(&log) };
                weft_program *p = NULL;
                weft_weights *weights = NULL;
                weft_status s = weft_weights_create(&source, 1, &weights, &err);
                if (!s) s = weft_program_create(g, &d, &p, &err);
                if (!s) s = weft_program_load(p, weights, NULL, &err);
                CHECK_EQ_INT(s, oom_failed() ? WEFT_OOM : WEFT_CANCELLED);
                weft_program_destroy(p);
                weft_weights_destroy(weights);
            }
    weft_backend_close(b);
    weft_graph_destroy(g);
}

static void measuring_tells_and_stops(void)
{
    weft_backend *b;
    weft_roof roof;
    progress_log log = { .cancel_at = -1 };
    weft_progress_sink sink = progress_sink(&log);
    if (!CHECK_OK(weft_backend_open("cpu,threads=1,isa=scalar", &b, &err), err)) return;
    CHECK_OK(weft_backend_roof(b, 0.001, &sink, &roof, &err), err);
    CHECK(log.last.done > 3);
    const int64_t live = oom_live(), places[] = { 0, 2, log.n / 2, log.n - 3 }; /* how many passes there are varies */
    for (int i = 0; i < 4; i++) {
        log = (progress_log){ .cancel_at = places[i] };
        weft_status s = weft_backend_roof(b, 0.001, &sink, &roof, &err);
        CHECK_EQ_INT(s, log.cancelled ? WEFT_CANCELLED : WEFT_OK);
        CHECK(i > 1 || log.cancelled);
        if (s) CHECK(roof.bytes_per_second == 0 && roof.launch_seconds == 0);
        CHECK_EQ_INT(oom_live(), live);
    }
    weft_backend_close(b);
}

static bool go_on(void *ctx, const weft_check_node *n)
{
    CHECK(!n->failed);
    ++*(int *)ctx;
    return true;
}

static void checking_tells_and_stops(void)
{
    small_world w;
    progress_log log = { .cancel_at = -1 };
    weft_program_desc like = { .progress = progress_sink(&log) };
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    if (CHECK_OK(small_open(&w, "cpu,threads=1", &like, &err), err)) {
        weft_weight_source source = small_weights(&w.source);
        int64_t reports = 1;
        for (int64_t n = -1; n < reports; n++) {
            int nodes = 0;
            CHECK_OK(small_run(w.p, 0, 3, y, sum, &err), err);
            int64_t live = oom_live();
            log = (progress_log){ .cancel_at = n };
            weft_status s = weft_program_check(w.p, &source, go_on, &nodes, &err);
            CHECK_EQ_INT(s, n < 0 ? WEFT_OK : WEFT_CANCELLED);
            CHECK_EQ_INT(oom_live(), live);
            if (n >= 0) continue;
            reports = log.n;
            CHECK_EQ_INT(progress_of(&log, "checking", 1), 1 + (int64_t)weft_program_plan(w.p)->n_steps);
            progress_of(&log, "loading weights", 1);
        }
    }
    small_close(&w);
}

static const weft_test tests[] = {
    { "loading tells and stops", loading_tells_and_stops },
    { "cancelled where memory fails", cancelled_where_memory_fails },
    { "measuring tells and stops", measuring_tells_and_stops },
    { "checking tells and stops", checking_tells_and_stops },
};
TEST_MAIN(tests)
