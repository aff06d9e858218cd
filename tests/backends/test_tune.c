/* test_tune.c: the search for settings, with a clock and kernels of the test's own: what it finds, what it never keeps,
 * and that noise decides nothing. */
#include "tests/test.h"

#include "backends/tune_impl.h"

static weft_error err;

/* A device of two parameters a and b, 0 to 3 each, "a=1,b=2"; the row's is a=0,b=0. */
typedef struct toy {
    double cost[4][4];  /* seconds by a, b */
    bool wrong[4][4], skips[4][4];
    uint32_t twin;      /* a's value that is compiled to the same as 0 */
    double noise;       /* part of a run's time, drawn anew for each */
    uint32_t state, n_times, n_tests, lost_at; /* lost_at: the test that fails with DEVICE_LOST; 0: none */
    bool timed_wrong;   /* a setting that is wrong or skipped was run for its time */
} toy;

static void read_setting(const char *text, uint32_t *a, uint32_t *b)
{
    const char *at = strstr(text, "a="), *bt = strstr(text, "b=");
    *a = at ? (uint32_t)(at[2] - '0') : 0;
    *b = bt ? (uint32_t)(bt[2] - '0') : 0;
}

static void write_setting(uint32_t a, uint32_t b, char out[WEFT_TUNE_TEXT])
{
    *out = 0;
    if (a) snprintf(out, WEFT_TUNE_TEXT, "a=%u", a);
    if (b) snprintf(out + strlen(out), WEFT_TUNE_TEXT - strlen(out), "%sb=%u", a ? "," : "", b);
}

static bool next(void *ctx, const char *from, uint32_t i, char out[WEFT_TUNE_TEXT])
{
    uint32_t a, b;
    (void)ctx;
    read_setting(from, &a, &b);
    if (i < 3) write_setting(i < a ? i : i + 1, b, out);
    else if (i < 6) write_setting(a, i - 3 < b ? i - 3 : i - 2, out);
    return i < 6;
}

static weft_status form_of(void *ctx, const char *setting, uint64_t *form, weft_error *e)
{
    const toy *t = ctx;
    uint32_t a, b;
    (void)e;
    read_setting(setting, &a, &b);
    *form = 16 * (a == t->twin ? 0 : a) + b;
    return WEFT_OK;
}

static weft_status test(void *ctx, const char *setting, weft__tune_verdict *v, weft_error *e)
{
    toy *t = ctx;
    uint32_t a, b;
    read_setting(setting, &a, &b);
    if (++t->n_tests == t->lost_at) return WEFT_FAIL(e, WEFT_DEVICE_LOST, "lost");
    *v = t->skips[a][b] ? WEFT__TUNE_SKIPPED : t->wrong[a][b] ? WEFT__TUNE_WRONG : WEFT__TUNE_RIGHT;
    return WEFT_OK;
}

static weft_status time_it(void *ctx, const char *setting, double *seconds, weft_error *e)
{
    toy *t = ctx;
    uint32_t a, b;
    (void)e;
    read_setting(setting, &a, &b);
    t->state = t->state * 1664525u + 1013904223u;
    t->n_times++;
    t->timed_wrong = t->timed_wrong || t->wrong[a][b] || t->skips[a][b];
    *seconds = t->cost[a][b] * (1 + t->noise * (double)(t->state >> 16 & 0xffff) / 65536);
    return WEFT_OK;
}

static toy make(void)
{
    toy t = { .twin = 9, .state = 1 };
    for (uint32_t a = 0; a < 4; a++)
        for (uint32_t b = 0; b < 4; b++)
            t.cost[a][b] = 1 + 0.2 * ((double)a - 2) * ((double)a - 2) + 0.1 * (3 - (double)b);
    return t; /* best: a=2,b=3 */
}

static weft__tune_found run(toy *t)
{
    const weft__tune_world w = { t, next, form_of, test, time_it };
    weft__tune_found f;
    CHECK_OK(weft__tune_search(&w, &f, &err), err);
    return f;
}

static void finds_the_best(void)
{
    toy t = make();
    weft__tune_found f = run(&t);
    CHECK_STR(f.setting, "a=2,b=3");
    CHECK_NEAR(f.seconds, 1.0, 1e-9);
    CHECK_NEAR(f.row_seconds, 2.1, 1e-9);
    CHECK_EQ_INT(f.wrong, 0);
    CHECK(f.tried >= 7 && f.tried <= 16);
}

static void keeps_nothing_wrong(void)
{
    toy t = make();
    t.wrong[2][3] = t.wrong[2][0] = true;
    t.cost[2][3] = t.cost[2][0] = 0.001; /* fast, as wrong kernels are */
    weft__tune_found f = run(&t);
    CHECK(strcmp(f.setting, "a=2,b=3") && strcmp(f.setting, "a=2"));
    CHECK(f.wrong >= 1 && f.seconds < f.row_seconds);
    CHECK(!t.timed_wrong);
}

static void a_wrong_row_makes_way(void)
{
    toy t = make();
    t.wrong[0][0] = true;
    weft__tune_found f = run(&t);
    CHECK(!f.none && *f.setting && f.row_seconds == 0);
    CHECK_STR(f.setting, "a=2,b=3");
    for (uint32_t i = 0; i < 16; i++) t.wrong[i / 4][i % 4] = true;
    f = run(&t);
    CHECK(f.none && !*f.setting);
    CHECK(!t.timed_wrong);
}

static void what_cannot_be_tested_is_not_wrong(void)
{
    toy t = make();
    t.skips[2][3] = t.skips[2][0] = true;
    weft__tune_found f = run(&t);
    CHECK(!f.none && !f.wrong && f.skipped >= 1 && *f.setting && strcmp(f.setting, "a=2,b=3"));
    CHECK(!t.timed_wrong);
    t = make();
    t.skips[0][0] = true; /* the row: there is nothing to compare with */
    f = run(&t);
    CHECK(f.none && !f.wrong && f.skipped == 1 && f.tried == 1 && !t.n_times);
}

static void noise_decides_nothing(void)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        toy t = { .twin = 9, .state = seed, .noise = 0.01 };
        for (uint32_t i = 0; i < 16; i++) t.cost[i / 4][i % 4] = 1;
        weft__tune_found f = run(&t);
        CHECK_STR(f.setting, ""); /* all alike: the row's */
    }
    for (uint32_t seed = 1; seed <= 20; seed++) { /* twice the same, by runs that differ by 5 % */
        toy t = make();
        t.state = seed;
        t.noise = 0.05;
        weft__tune_found f = run(&t);
        uint32_t a, b;
        read_setting(f.setting, &a, &b);
        CHECK(t.cost[a][b] <= 1.11); /* the best or, within the noise, its neighbour */
    }
}

static void twins_are_tried_once(void)
{
    toy t = make();
    const uint32_t before = run(&t).tried;
    t = make();
    t.twin = 3;
    weft__tune_found f = run(&t);
    CHECK(f.tried < before);
    CHECK_STR(f.setting, "a=2,b=3");
}

static void what_fails_ends_it(void)
{
    toy t = make();
    weft__tune_found f;
    const weft__tune_world w = { &t, next, form_of, test, time_it };
    t.lost_at = 3;
    CHECK_STATUS(weft__tune_search(&w, &f, &err), WEFT_DEVICE_LOST, err);
    CHECK_EQ_INT(t.n_tests, 3);
}

static void nothing_to_tune(void)
{
    weft_backend *b;
    uint32_t left;
    const weft_tune_shape shape = { WEFT_F16, 64, 64, 1, 0, 0 };
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    CHECK_STATUS(weft_backend_tune(b, &shape, 1, &(weft_tune_desc){ 0 }, &left, &err), WEFT_UNSUPPORTED, err);
    CHECK_STATUS(weft_backend_tuned(b, "row", NULL, &err), WEFT_UNSUPPORTED, err);
    weft_backend_close(b);
}

static void shapes_of_a_program(void)
{
    static const char text[] =
        "weft-graph 1\n%1 = input \"x\" : f32[2, 64]\n%2 = weight \"w\" : f16[256, 64]\n"
        "%3 = weight \"v\" : q8_0[32, 64]\n%4 = weight \"w2\" : f16[256, 64]\n%5 = matmul_nt %1, %2\n"
        "%6 = matmul_nt %1, %4\n%7 = matmul_nt %1, %3\noutput \"a\" = %5\noutput \"b\" = %6\noutput \"c\" = %7\n";
    weft_backend *b;
    weft_graph *g = NULL;
    weft_program *p = NULL;
    weft_tune_shape s[4];
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    const weft_program_desc d = { .devices = &b, .n_devices = 1 };
    if (CHECK_OK(weft_graph_parse(text, sizeof text - 1, "test", NULL, &g, &err), err) &&
        CHECK_OK(weft_program_create(g, &d, &p, &err), err)) {
        CHECK_EQ_INT(weft_tune_shapes(p, 0, s, 4), 2);
        CHECK(s[0].type == WEFT_F16 && s[0].rows == 256 && s[0].columns == 64 && s[0].tokens == 2 && !s[0].heads);
        CHECK(s[1].type == WEFT_Q8_0 && s[1].rows == 32);
        CHECK_EQ_INT(weft_tune_shapes(p, 0, s, 1), 1);
        CHECK_EQ_INT(weft_tune_shapes(p, 1, s, 4), 0);
    }
    weft_program_destroy(p);
    weft_graph_destroy(g);
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "finds the best", finds_the_best },
    { "keeps nothing wrong", keeps_nothing_wrong },
    { "a wrong row makes way", a_wrong_row_makes_way },
    { "what cannot be tested is not wrong", what_cannot_be_tested_is_not_wrong },
    { "noise decides nothing", noise_decides_nothing },
    { "twins are tried once", twins_are_tried_once },
    { "what fails ends it", what_fails_ends_it },
    { "nothing to tune", nothing_to_tune },
    { "shapes of a program", shapes_of_a_program },
};
TEST_MAIN(tests)
