/* test_profile.c: what the spans of a profiled program promise, on the CPU; tests/vulkan has the same for GPUs. */
#include "small.h"
#include "span_check.h"
#include "tests/oom.h"

#include "backends/contract.h"

static weft_error err;
static float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];

/* One run with its spans checked; writes and reads are in it. */
static void run_and_check(weft_program *p, uint32_t first, uint32_t rows, const uint32_t *tracks)
{
    weft_program_spans_clear(p);
    uint64_t begin = weft__nanoseconds();
    if (!CHECK_OK(small_run(p, first, rows, y, sum, &err), err)) return;
    check_run(p, begin, weft__nanoseconds(), tracks);
    CHECK_EQ_INT(count_spans(p, WEFT_SPAN_WRITE), 2);
    CHECK_EQ_INT(count_spans(p, WEFT_SPAN_READ), 2);
}

static void scheduled_runs(void)
{
    small_world w;
    static const char *const specs[] = { "cpu,threads=1", "cpu,threads=3", "cpu,isa=scalar,threads=2" };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (CHECK_OK(small_open(&w, specs[i], NULL, &err), err) &&
            CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err)) {
            weft_device_info info;
            weft_backend_info(w.device, &info);
            CHECK_EQ_INT(weft_program_profile_mode(w.p), WEFT_PROFILE_SCHEDULED);
            CHECK(weft_program_spans_calibrated(w.p, 0));
            for (uint32_t k = 0; k < 10; k++) {
                run_and_check(w.p, k, 1 + k % SMALL_T, &info.threads);
                CHECK_EQ_INT(count_spans(w.p, WEFT_SPAN_SUBMIT), 1);
                CHECK_EQ_INT(count_spans(w.p, WEFT_SPAN_WAIT), 1);
            }
        }
        small_close(&w);
    }
}

static void isolated_runs(void)
{
    small_world w;
    uint32_t tracks = 2;
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err) &&
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_ISOLATED, &err), err)) {
        uint32_t n_steps = weft_program_plan(w.p)->n_steps;
        run_and_check(w.p, 3, 5, &tracks);
        CHECK_EQ_INT(count_spans(w.p, WEFT_SPAN_SUBMIT), n_steps);
        CHECK_EQ_INT(count_spans(w.p, WEFT_SPAN_WAIT), n_steps);
        uint64_t n;
        const weft_span *all = weft_program_spans(w.p, &n);
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t k = 0; k < n; k++) /* one at a time */
                if (all[i].kind == WEFT_SPAN_STEP && all[k].kind == WEFT_SPAN_STEP && all[i].step < all[k].step)
                    CHECK(all[i].end <= all[k].begin);
    }
    small_close(&w);
}

static void single_steps(void)
{
    small_world w;
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err) &&
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err) &&
        CHECK_OK(weft_program_run_step(w.p, 1, &err), err)) {
        uint64_t n;
        const weft_span *all = weft_program_spans(w.p, &n);
        CHECK_EQ_INT(n, 4); /* submit, wait, two threads */
        for (uint64_t i = 0; i < n; i++) CHECK(all[i].step == 1 && all[i].n_steps == 1);
    }
    small_close(&w);
}

/* A profiled program computes what it computed before, and is as it was when profiling ends. */
static void changes_of_mode(void)
{
    static const weft_profile_mode modes[] = { WEFT_PROFILE_OFF, WEFT_PROFILE_SCHEDULED, WEFT_PROFILE_OFF,
                                               WEFT_PROFILE_ISOLATED, WEFT_PROFILE_SCHEDULED, WEFT_PROFILE_OFF };
    small_world w, plain;
    float want[SMALL_T * SMALL_OUT], want_sum[SMALL_OUT];
    uint64_t n;
    uint32_t tracks = 2;
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err) &&
        CHECK_OK(small_open(&plain, "cpu,threads=2", NULL, &err), err)) {
        for (uint32_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            CHECK_OK(weft_program_profile(w.p, modes[i], &err), err);
            CHECK_EQ_INT(weft_program_profile_mode(w.p), modes[i]);
            weft_program_spans(w.p, &n);
            CHECK_EQ_INT(n, 0);
            if (modes[i]) run_and_check(w.p, i, 1 + i, &tracks);
            else CHECK_OK(small_run(w.p, i, 1 + i, y, sum, &err), err);
            CHECK_OK(small_run(plain.p, i, 1 + i, want, want_sum, &err), err);
            CHECK(!memcmp(y, want, (1 + i) * SMALL_OUT * sizeof *y) && !memcmp(sum, want_sum, sizeof sum));
            if (!modes[i]) CHECK(weft_program_spans(w.p, &n) == NULL && n == 0);
        }
        CHECK(!weft_program_spans_calibrated(w.p, 0));
        small_close(&plain);
    }
    small_close(&w);
}

static void spans_without_room(void)
{
    small_world w;
    uint64_t n, full;
    uint32_t tracks = 2;
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err) &&
        CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), err)) {
        CHECK_OK(small_run(w.p, 0, 2, y, sum, &err), err);
        weft_program_spans(w.p, &n);
        for (uint32_t i = 1; i < 40; i++) CHECK_OK(small_run(w.p, i, 2, y, sum, &err), err);
        weft_program_spans(w.p, &full);
        CHECK(full > n);
        CHECK_EQ_INT(full + weft_program_spans_dropped(w.p), 40 * n);
        run_and_check(w.p, 0, 3, &tracks);
    }
    small_close(&w);
}

/* ---- several devices ---- */

static const weft_backend_vt *real_vt;

static weft_place_reason picky(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out)
{
    return q->node->op == WEFT_OP_linear ? WEFT_PLACE_NO_TYPE : real_vt->choose(b, q, out);
}

static void several_devices(void)
{
    weft_backend *devices[2];
    weft_graph *g = small_graph(WEFT_F32, &err);
    weft_program *p = NULL;
    weft_weights *loaded = NULL;
    static const uint32_t tracks[] = { 1, 3 };
    small_source source = { 0 };
    weft_weight_source weights = small_weights(&source);
    if (!CHECK(g != NULL) || !CHECK_OK(weft_backend_open("cpu,threads=1", &devices[0], &err), err) ||
        !CHECK_OK(weft_backend_open("cpu,threads=3", &devices[1], &err), err))
        return;
    real_vt = devices[0]->vt;
    weft_backend_vt vt = *real_vt;
    vt.choose = picky;
    devices[0]->vt = &vt;
    if (CHECK_OK(weft_program_create(g, &(weft_program_desc){ .devices = devices, .n_devices = 2 }, &p, &err), err) &&
        CHECK_OK(weft_weights_create(&weights, 1, &loaded, &err), err) &&
        CHECK_OK(weft_program_load(p, loaded, NULL, &err), err)) {
        for (weft_profile_mode m = WEFT_PROFILE_SCHEDULED; m <= WEFT_PROFILE_ISOLATED; m++) {
            CHECK_OK(weft_program_profile(p, m, &err), err);
            run_and_check(p, 1, 6, tracks);
            CHECK(count_spans(p, WEFT_SPAN_TRANSFER) >= 1);
            CHECK(count_spans(p, WEFT_SPAN_SUBMIT) >= 2);
        }
    }
    weft_program_destroy(p);
    weft_weights_destroy(loaded);
    weft_graph_destroy(g);
    weft_backend_close(devices[0]);
    weft_backend_close(devices[1]);
}

/* ---- failures ---- */

static void refusals(void)
{
    small_world w;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        CHECK_STATUS(weft_program_profile(w.p, (weft_profile_mode)3, &err), WEFT_INVALID, err);
        weft_program *p;
        const weft_program_desc desc = { .devices = &w.device, .n_devices = 1 };
        if (CHECK_OK(weft_program_create(w.g, &desc, &p, &err), err)) {
            CHECK_STATUS(weft_program_profile(p, WEFT_PROFILE_SCHEDULED, &err), WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "not loaded");
        }
        weft_program_destroy(p);
        weft_backend_vt vt = *w.device->vt;
        const weft_backend_vt *real = w.device->vt;
        vt.exec_profile = NULL;
        w.device->vt = &vt;
        CHECK_STATUS(weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "cpu");
        CHECK_EQ_INT(weft_program_profile_mode(w.p), WEFT_PROFILE_OFF);
        CHECK_OK(small_run(w.p, 0, 4, y, sum, &err), err);
        w.device->vt = real;
    }
    small_close(&w);
}

static void without_memory(void)
{
    small_world w;
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err)) {
        OOM_LOOP(n)
        {
            weft_status s = weft_program_profile(w.p, WEFT_PROFILE_SCHEDULED, &err);
            OOM_CHECK(s, err);
            CHECK_EQ_INT(weft_program_profile_mode(w.p), s ? WEFT_PROFILE_OFF : WEFT_PROFILE_SCHEDULED);
            CHECK_OK(small_run(w.p, 0, 2, y, sum, &err), err);
            CHECK_OK(weft_program_profile(w.p, WEFT_PROFILE_OFF, &err), err);
        }
    }
    small_close(&w);
}

static void profiled_runs_allocate_nothing(void)
{
    small_world w;
    for (weft_profile_mode m = WEFT_PROFILE_SCHEDULED; m <= WEFT_PROFILE_ISOLATED; m++) {
        if (CHECK_OK(small_open(&w, "cpu,threads=3", NULL, &err), err) &&
            CHECK_OK(weft_program_profile(w.p, m, &err), err)) {
            oom_arm(-1);
            for (uint32_t k = 0; k < 20; k++) {
                weft_program_spans_clear(w.p);
                CHECK_OK(small_run(w.p, k, 1 + k % 8, y, sum, &err), err);
            }
            CHECK_EQ_INT(oom_count(), 0);
            oom_disarm();
        }
        small_close(&w);
    }
}

/* ---- limits ---- */

static void the_cost_of_a_launch(void)
{
    weft_backend *b;
    weft_roof roof;
    if (!CHECK_OK(weft_backend_open("cpu,threads=2", &b, &err), err)) return;
    CHECK_OK(weft_backend_roof(b, 0.01, NULL, &roof, &err), err);
    CHECK(roof.launch_seconds > 1e-9 && roof.launch_seconds < 1e-2);
    CHECK_EQ_INT(b->users, 0);
    weft_backend_close(b);
}

static void peaks(void)
{
    const weft_roof roof = { .f32_ops_per_second = 10, .int8_ops_per_second = 40,
                             .f16_matrix_ops_per_second = 80 }, gpu = { .f32_ops_per_second = 7 };
    CHECK(weft_roof_peak(&roof, WEFT_ARITH_F32) == 10 && weft_roof_peak(&roof, WEFT_ARITH_INT8) == 40);
    CHECK(weft_roof_peak(&roof, WEFT_ARITH_BF16) == 20 && weft_roof_peak(&gpu, WEFT_ARITH_INT8) == 7);
    CHECK(weft_roof_peak(&roof, WEFT_ARITH_F16_MATRIX) == 80 && weft_roof_peak(&gpu, WEFT_ARITH_F16_MATRIX) == 7);
    CHECK_STR(weft_arith_name(WEFT_ARITH_F16_MATRIX), "f16 matrix");
}

/* What a product's operations count as, by the type of its weight. */
static void arithmetic_of_products(void)
{
    static const struct {
        weft_dtype weights;
        bool exact;
        weft_arith want;
    } cases[] = { { WEFT_F32, false, WEFT_ARITH_F32 }, { WEFT_F16, false, WEFT_ARITH_F32 },
                  { WEFT_Q8_0, false, WEFT_ARITH_INT8 }, { WEFT_Q4_0, false, WEFT_ARITH_INT8 },
                  { WEFT_Q8_0, true, WEFT_ARITH_F32 }, { WEFT_BF16, true, WEFT_ARITH_F32 } };
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_graph *g;
        weft_program *p = NULL;
        if (!CHECK_OK(weft_graph_create(NULL, &g, &err), err)) break;
        weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(4, 256), "x");
        weft_ref w = weft_weight(g, cases[i].weights, WEFT_DIMS(128, 256), "w");
        weft_output(g, weft_matmul_nt(g, x, w), "y");
        const weft_program_desc desc = { .devices = &b, .n_devices = 1, .exact = cases[i].exact };
        if (CHECK_OK(weft_graph_seal(g, &err), err) && CHECK_OK(weft_program_create(g, &desc, &p, &err), err))
            CHECK_EQ_INT(weft_program_place(p, weft_program_plan(p)->steps[0].node).arithmetic, cases[i].want);
        weft_program_destroy(p);
        weft_graph_destroy(g);
    }
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "scheduled runs", scheduled_runs },
    { "isolated runs", isolated_runs },
    { "single steps", single_steps },
    { "changes of mode", changes_of_mode },
    { "spans without room", spans_without_room },
    { "several devices", several_devices },
    { "refusals", refusals },
    { "without memory", without_memory },
    { "profiled runs allocate nothing", profiled_runs_allocate_nothing },
    { "the cost of a launch", the_cost_of_a_launch },
    { "peaks", peaks },
    { "arithmetic of products", arithmetic_of_products },
};
TEST_MAIN(tests)
