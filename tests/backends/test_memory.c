/* test_memory.c: a run allocates nothing; every allocation that fails on the way to one gives OOM, leaks nothing, and
 * can be tried again. */
#include "small.h"
#include "tests/oom.h"

static weft_error err;

/* A thread that cannot start is one more way to fail. */
static void opening_a_device(void)
{
    OOM_LOOP(n)
    {
        weft_backend *b = NULL;
        weft_status s = weft_backend_open("cpu,threads=3", &b, &err);
        OOM_CHECK(s, err);
        CHECK((b != NULL) == (s == WEFT_OK));
        weft_backend_close(b);
    }
}

static void creating_a_program(void)
{
    weft_backend *cpu;
    weft_graph *g = small_graph(WEFT_F32, &err);
    if (!CHECK(g != NULL) || !CHECK_OK(weft_backend_open("cpu,threads=2", &cpu, &err), err)) return;
    for (int as_built = 0; as_built < 2; as_built++) {
        OOM_LOOP(n)
        {
            weft_program *p = NULL;
            weft_status s = weft_program_create(
                g, &(weft_program_desc){ .devices = &cpu, .n_devices = 1, .as_built = as_built },
                &p, &err);
            OOM_CHECK(s, err);
            CHECK((p != NULL) == (s == WEFT_OK));
            weft_program_destroy(p);
        }
    }
    weft_graph_destroy(g);
    weft_backend_close(cpu);
}

static void loading_a_program(void)
{
    weft_backend *cpu;
    small_source source = { 0 };
    weft_weight_source weights = small_weights(&source);
    static const weft_dtype types[] = { WEFT_F32, WEFT_F16 };
    if (!CHECK_OK(weft_backend_open("cpu,threads=2", &cpu, &err), err)) return;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        weft_program *p;
        float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
        weft_graph *g = small_graph(types[t], &err);
        if (!CHECK(g != NULL)) break;
        const weft_program_desc desc = { .devices = &cpu, .n_devices = 1 };
        CHECK_OK(weft_program_create(g, &desc, &p, &err), err);
        OOM_LOOP(n)
        { /* the same program again and again, until it loads */
            weft_weights *loaded = NULL;
            weft_program *q = NULL;
            weft_status s = weft_weights_create(&weights, 1, &loaded, &err);
            if (s == WEFT_OK) s = weft_program_create(g, &desc, &q, &err);
            if (s == WEFT_OK) s = weft_program_load(q, loaded, NULL, &err);
            OOM_CHECK(s, err);
            if (s != WEFT_OK && q && loaded) CHECK_OK(weft_program_load(q, loaded, NULL, &err), err);
            if (q && loaded) CHECK_OK(small_run(q, 0, 2, y, sum, &err), err);
            weft_program_destroy(q);
            weft_weights_destroy(loaded);
        }
        weft_program_destroy(p);
        weft_graph_destroy(g);
    }
    weft_backend_close(cpu);
}

static bool go_on(void *ctx, const weft_check_node *n)
{
    (void)ctx;
    return n != NULL;
}

static void checking_a_program(void)
{
    small_world w;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        weft_weight_source weights = small_weights(&w.source);
        OOM_LOOP(n)
        {
            weft_status s = weft_program_check(w.p, &weights, go_on, NULL, &err);
            OOM_CHECK(s, err);
        }
    }
    small_close(&w);
}

static void a_run_allocates_nothing(void)
{
    small_world w;
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    static const char *const specs[] = { "cpu,threads=1", "cpu,threads=3",
                                         "cpu,isa=scalar,threads=2" };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (CHECK_OK(small_open(&w, specs[i], NULL, &err), err)) {
            oom_arm(-1);
            for (uint32_t k = 0; k < 20; k++)
                CHECK_OK(small_run(w.p, k, 1 + k % 8, y, sum, &err), err);
            for (uint32_t k = 0; k < weft_program_plan(w.p)->n_steps; k++)
                CHECK_OK(weft_program_run_step(w.p, k, &err), err);
            CHECK_OK(weft_states_clear(w.states, &err), err);
            CHECK_EQ_INT(oom_count(), 0);
            oom_disarm();
        }
        small_close(&w);
    }
}

static const weft_test tests[] = {
    { "opening a device", opening_a_device },
    { "creating a program", creating_a_program },
    { "loading a program", loading_a_program },
    { "checking a program", checking_a_program },
    { "a run allocates nothing", a_run_allocates_nothing },
};
TEST_MAIN(tests)
