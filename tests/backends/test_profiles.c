/* test_profiles.c: from spans to answers, on spans made by hand: how a run is divided, statistics, bounds, tables. */
#include <stdlib.h>

#include "backends/conditions.h"
#include "tests/oom.h"
#include "tests/test.h"

static weft_error err;

/* x -> relu, gelu (independent) -> add -> matmul_nt: four steps, the product beside three of bytes alone. */
enum { ROWS = 256, WIDTH = 64, MAP_BYTES = ROWS * WIDTH * 4 };
enum { RELU, GELU, ADD, PRODUCT, N_STEPS };

typedef struct world {
    weft_graph *g;
    weft_backend *device;
    weft_program *p;
    weft_profile *prof;
} world;

/* 1 GB/s and 1 Gop/s; a launch takes a microsecond. */
static const weft_roof roof = { .bytes_per_second = 1e9, .f32_ops_per_second = 1e9, .launch_seconds = 1e-6 };

static bool open_world(world *w, const weft_profile_desc *desc)
{
    *w = (world){ 0 };
    if (!CHECK_OK(weft_graph_create(NULL, &w->g, &err), err)) return false;
    weft_scope_begin(w->g, "net.layers.0");
    weft_ref x = weft_input(w->g, WEFT_F32, WEFT_DIMS(weft_extent(w->g, "rows", ROWS), WIDTH), "x");
    weft_ref a = weft_relu(w->g, x), b = weft_gelu(w->g, x);
    weft_ref sum = weft_scope_end(w->g, weft_add(w->g, a, b));
    weft_ref m = weft_weight(w->g, WEFT_F32, WEFT_DIMS(WIDTH, WIDTH), "m");
    weft_output(w->g, weft_matmul_nt(w->g, sum, m), "y");
    if (!CHECK_OK(weft_graph_seal(w->g, &err), err)) return false;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &w->device, &err), err)) return false;
    weft_program_desc d = { .devices = &w->device, .n_devices = 1, .as_built = true };
    if (!CHECK_OK(weft_program_create(w->g, &d, &w->p, &err), err)) return false;
    if (!CHECK_EQ_INT(weft_program_plan(w->p)->n_steps, N_STEPS)) return false;
    return CHECK_OK(weft_profile_create(w->p, desc, &w->prof, &err), err);
}

static void close_world(world *w)
{
    weft_profile_destroy(w->prof);
    weft_program_destroy(w->p);
    weft_backend_close(w->device);
    weft_graph_destroy(w->g);
}

static weft_span step_span(uint16_t track, uint32_t step, uint32_t n, uint64_t begin, uint64_t end)
{
    return (weft_span){ .begin = begin, .end = end, .step = step, .n_steps = n, .track = track,
                        .kind = WEFT_SPAN_STEP };
}

static weft_span host_span(weft_span_kind kind, uint64_t begin, uint64_t end)
{
    return (weft_span){ .begin = begin, .end = end, .n_steps = kind <= WEFT_SPAN_WAIT ? N_STEPS : 0,
                        .kind = (uint8_t)kind };
}

/* One run of these spans; its statistics are then those of the run itself. */
static bool profile_once(world *w, const weft_span *spans, uint32_t n, uint64_t begin, uint64_t end)
{
    static const weft_profile_desc desc = { .mode = WEFT_PROFILE_SCHEDULED, .roofs = &roof };
    if (!open_world(w, &desc)) return false;
    weft_profile_run run = { .begin = begin, .end = end, .spans = spans, .n_spans = n };
    return CHECK_OK(weft_profile_add(w->prof, &run, &err), err) && CHECK_OK(weft_profile_finish(w->prof, &err), err);
}

static double nanoseconds(const world *w, uint32_t step)
{
    uint32_t n;
    const weft_profile_node *nodes = weft_profile_nodes(w->prof, &n);
    return step < n ? nodes[step].seconds.median * 1e9 : -1;
}

static void check_parts(const world *w, double nodes, double submit, double wait, double host, double gaps)
{
    weft_profile_parts p = weft_profile_total(w->prof).parts;
    CHECK_NEAR(p.nodes * 1e9, nodes, 1e-3);
    CHECK_NEAR(p.submit * 1e9, submit, 1e-3);
    CHECK_NEAR(p.wait * 1e9, wait, 1e-3);
    CHECK_NEAR(p.host * 1e9, host, 1e-3);
    CHECK_NEAR(p.gaps * 1e9, gaps, 1e-3);
}

/* Two threads, which leave the first steps at different times: 100..160 both in relu, then one in relu and one in gelu
 * to 200, then gelu alone, then add and the product by both. */
static void threads_share_an_instant(void)
{
    const weft_span spans[] = {
        host_span(WEFT_SPAN_SUBMIT, 90, 520),
        step_span(1, RELU, 1, 100, 200), step_span(2, RELU, 1, 100, 160),
        step_span(2, GELU, 1, 160, 300), step_span(1, GELU, 1, 200, 300),
        step_span(1, ADD, 1, 310, 400),  step_span(2, ADD, 1, 320, 380),
        step_span(1, PRODUCT, 1, 400, 500), step_span(2, PRODUCT, 1, 390, 500),
        host_span(WEFT_SPAN_WAIT, 520, 525),
    };
    world w;
    if (profile_once(&w, spans, sizeof spans / sizeof *spans, 80, 540)) {
        CHECK_NEAR(nanoseconds(&w, RELU), 60 + 40 / 2.0, 1e-3);
        CHECK_NEAR(nanoseconds(&w, GELU), 40 / 2.0 + 100, 1e-3);
        CHECK_NEAR(nanoseconds(&w, ADD), 80 + 10 / 2.0, 1e-3);
        CHECK_NEAR(nanoseconds(&w, PRODUCT), 10 / 2.0 + 100, 1e-3);
        check_parts(&w, 390, 10 + 20, 5, 10 + 15, 10);
        uint32_t n;
        const weft_profile_node *nodes = weft_profile_nodes(w.prof, &n);
        CHECK_NEAR(nodes[GELU].elapsed * 1e9, 140, 1e-3);
        CHECK_NEAR(nodes[PRODUCT].elapsed * 1e9, 110, 1e-3);
        CHECK(!nodes[RELU].shared);
    }
    close_world(&w);
}

/* Three threads: what runs on two of them gets twice as much of an instant. */
static void more_threads_get_more(void)
{
    const weft_span spans[] = {
        step_span(1, RELU, 1, 100, 130), step_span(2, RELU, 1, 100, 130), step_span(3, GELU, 1, 100, 130),
    };
    world w;
    if (profile_once(&w, spans, 3, 0, 0)) {
        CHECK_NEAR(nanoseconds(&w, RELU), 20, 1e-3);
        CHECK_NEAR(nanoseconds(&w, GELU), 10, 1e-3);
        CHECK_NEAR(nanoseconds(&w, ADD), 0, 0);
        check_parts(&w, 30, 0, 0, 0, 0);
        CHECK_NEAR(weft_profile_total(w.prof).seconds.median * 1e9, 30, 1e-3);
    }
    close_world(&w);
}

/* relu and gelu overlap on a queue; add and the product share a launch, in the ratio of what they would take at the
 * roof: add moves 3 maps, the product is bound by its operations. */
static void joined_steps_share_a_launch(void)
{
    const weft_span spans[] = {
        step_span(1, RELU, 1, 1000, 2000), step_span(1, GELU, 1, 1500, 3000), step_span(1, ADD, 2, 3000, 10000),
        host_span(WEFT_SPAN_SUBMIT, 500, 600), host_span(WEFT_SPAN_WAIT, 600, 11000),
    };
    double add = 3.0 * MAP_BYTES, product = 2.0 * ROWS * WIDTH * WIDTH;
    world w;
    if (profile_once(&w, spans, 5, 400, 11000)) {
        CHECK_NEAR(nanoseconds(&w, RELU), 500 + 250, 1e-3);
        CHECK_NEAR(nanoseconds(&w, GELU), 250 + 1000, 1e-3);
        CHECK_NEAR(nanoseconds(&w, ADD), 7000 * add / (add + product), 1e-3);
        CHECK_NEAR(nanoseconds(&w, PRODUCT), 7000 * product / (add + product), 1e-3);
        check_parts(&w, 9000, 100, 400 + 1000, 100, 0);
        uint32_t n;
        const weft_profile_node *nodes = weft_profile_nodes(w.prof, &n);
        CHECK(nodes[ADD].shared && nodes[PRODUCT].shared && !nodes[RELU].shared);
        CHECK_NEAR(nodes[ADD].elapsed * 1e9, 7000, 1e-3);
    }
    close_world(&w);
}

/* A gap needs one span of the host over all of it; between two submissions the time is the host's spans'. */
static void gaps_lie_within_a_submission(void)
{
    const weft_span spans[] = {
        host_span(WEFT_SPAN_WRITE, 0, 50),
        host_span(WEFT_SPAN_SUBMIT, 100, 200), step_span(1, RELU, 1, 150, 250), host_span(WEFT_SPAN_WAIT, 200, 500),
        step_span(1, GELU, 1, 300, 400), /* 250..300: a gap */
        host_span(WEFT_SPAN_SUBMIT, 600, 650), host_span(WEFT_SPAN_WAIT, 650, 900), step_span(1, ADD, 1, 700, 800),
        host_span(WEFT_SPAN_READ, 900, 950),
    };
    world w;
    if (profile_once(&w, spans, 9, 0, 1000))
        check_parts(&w, 100 + 100 + 100, 50 + 50, 100 + 50 + 100, 100 + 100 + 100, 50);
    close_world(&w);
}

static void transfers_are_steps(void)
{
    const weft_span spans[] = {
        { .begin = 10, .end = 40, .step = GELU, .n_steps = 1, .kind = WEFT_SPAN_TRANSFER },
        host_span(WEFT_SPAN_READ, 10, 25), host_span(WEFT_SPAN_WRITE, 25, 40),
    };
    world w;
    if (profile_once(&w, spans, 3, 0, 50)) {
        CHECK_NEAR(nanoseconds(&w, GELU), 30, 1e-3);
        check_parts(&w, 30, 0, 0, 20, 0);
    }
    close_world(&w);
}

static void odd_spans_do_no_harm(void)
{
    const weft_span spans[] = {
        step_span(1, RELU, 1, 200, 100),      step_span(1, RELU, 0, 100, 200),
        step_span(1, N_STEPS, 1, 100, 200),   step_span(1, ADD, 3, 100, 200),
        step_span(1, 1, UINT32_MAX, 100, 200), { .begin = 100, .end = 200, .n_steps = 1, .kind = 77 },
        { .begin = 120, .end = 120, .step = ADD, .n_steps = 1, .device = 9, .track = 1 },
        step_span(1, GELU, 1, 0, 150), /* from before the run */
        step_span(1, PRODUCT, 1, 180, UINT64_MAX),
        host_span(WEFT_SPAN_SUBMIT, 500, 400),
    };
    world w;
    if (profile_once(&w, spans, sizeof spans / sizeof *spans, 100, 200)) {
        CHECK_NEAR(nanoseconds(&w, RELU), 0, 0);
        CHECK_NEAR(nanoseconds(&w, GELU), 50, 1e-3);
        CHECK_NEAR(nanoseconds(&w, PRODUCT), 20, 1e-3);
        check_parts(&w, 70, 0, 0, 30, 0);
        weft_profile_run wrong = { .begin = 10, .end = 5 };
        CHECK_STATUS(weft_profile_add(w.prof, &wrong, &err), WEFT_INVALID, err);
        wrong = (weft_profile_run){ .work = &(weft_bound){ "columns", 3 }, .n_work = 1 };
        CHECK_STATUS(weft_profile_add(w.prof, &wrong, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "columns");
        CHECK_EQ_INT(weft_profile_total(w.prof).runs, 1);
    }
    close_world(&w);
}

/* ---- statistics ---- */

static bool add_relu_run(world *w, uint64_t length)
{
    weft_span s = step_span(1, RELU, 1, 1000, 1000 + length);
    weft_profile_run run = { .spans = &s, .n_spans = 1 };
    return CHECK_OK(weft_profile_add(w->prof, &run, &err), err);
}

static void medians_and_spreads(void)
{
    static const uint64_t lengths[] = { 900, 100, 130, 120, 110 };
    world w;
    if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED })) {
        CHECK_STATUS(weft_profile_finish(w.prof, &err), WEFT_INVALID, err);
        for (int i = 0; i < 5; i++) add_relu_run(&w, lengths[i]);
        CHECK_OK(weft_profile_finish(w.prof, &err), err);
        uint32_t n;
        weft_profile_spread s = weft_profile_nodes(w.prof, &n)[RELU].seconds;
        CHECK_NEAR(s.median * 1e9, 120, 1e-6);
        CHECK_NEAR(s.min * 1e9, 100, 1e-6);
        CHECK_NEAR(s.max * 1e9, 900, 1e-6);
        CHECK_NEAR(s.mad * 1e9, 10, 1e-6); /* of 780, 20, 10, 0, 10 */
        CHECK(weft_profile_nodes(w.prof, &n)[RELU].bound == WEFT_BOUND_NONE); /* no roof */
        add_relu_run(&w, 140);
        CHECK_OK(weft_profile_finish(w.prof, &err), err);
        CHECK_NEAR(weft_profile_nodes(w.prof, &n)[RELU].seconds.median * 1e9, 125, 1e-6);
    }
    close_world(&w);
}

/* Of many runs a bounded number stays, evenly spread over all of them; work and roof are of one run all the same. */
static void many_runs_are_thinned(void)
{
    static const uint32_t limits[] = { 2, 3, 5, 7, 8, 9 };
    enum { RUNS = 1000 };
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        world w;
        weft_profile_desc d = { .mode = WEFT_PROFILE_SCHEDULED, .roofs = &roof, .max_runs = limits[k] };
        if (open_world(&w, &d)) {
            for (uint64_t i = 0; i < RUNS; i++) add_relu_run(&w, 10000 + i);
            CHECK_OK(weft_profile_finish(w.prof, &err), err);
            weft_profile_totals t = weft_profile_total(w.prof);
            CHECK_EQ_INT(t.runs, RUNS);
            CHECK(t.kept >= (limits[k] + 1) / 2 && t.kept <= limits[k]);
            CHECK_NEAR(t.seconds.min * 1e9, 10000, 1e-6);
            double step = (t.seconds.max - t.seconds.min) * 1e9 / (t.kept > 1 ? t.kept - 1 : 1);
            CHECK(t.kept == 1 || (step >= (double)RUNS / (2 * limits[k]) && step < RUNS));
            CHECK_NEAR(t.seconds.median * 1e9, (t.seconds.min + t.seconds.max) / 2 * 1e9, 1e-6);
            uint32_t n;
            const weft_profile_node *nodes = weft_profile_nodes(w.prof, &n);
            CHECK_NEAR(nodes[RELU].bytes, 2.0 * MAP_BYTES, 0);
            CHECK_NEAR(nodes[PRODUCT].flops, 2.0 * ROWS * WIDTH * WIDTH, 0);
            CHECK_NEAR(nodes[RELU].roof_seconds, 2e-9 * MAP_BYTES, 1e-15);
            CHECK_NEAR(nodes[RELU].roof * nodes[RELU].seconds.median, 2e-9 * MAP_BYTES, 1e-15);
        }
        close_world(&w);
    }
}

/* ---- conditions ---- */

/* Roofs that were measured in turn with the runs replace the one that the runs came in with. */
static void conditions_replace_the_roof(void)
{
    weft_roof median = roof, least = roof, most = roof;
    world w;
    if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED, .roofs = &roof })) {
        median.bytes_per_second = 4e9;
        weft_conditions c = { .processors = 2, .turns = 3, .roofs = &median, .least = &least, .most = &most };
        add_relu_run(&w, 100000);
        CHECK_OK(weft_profile_set_conditions(w.prof, &c, &err), err);
        CHECK_OK(weft_profile_finish(w.prof, &err), err);
        uint32_t n;
        CHECK_NEAR(weft_profile_nodes(w.prof, &n)[RELU].roof, 2.0 * MAP_BYTES / 4e9 / 100e-6, 1e-9);
        c.roofs = NULL;
        CHECK_STATUS(weft_profile_set_conditions(w.prof, &c, &err), WEFT_INVALID, err);
        c.turns = WEFT_MAX_ROOF_TURNS + 1;
        c.roofs = &median;
        CHECK_STATUS(weft_profile_set_conditions(w.prof, &c, &err), WEFT_INVALID, err);
    }
    close_world(&w);
}

static void spreads_of_roofs(void)
{
    weft_roof turn[4], median, least, most;
    for (int i = 0; i < 4; i++) turn[i] = roof;
    turn[0].bytes_per_second = 5e9;
    turn[1].bytes_per_second = 2e9;
    turn[2].bytes_per_second = 3e9;
    turn[3].launch_seconds = 7e-4; /* one bad measurement does not become the roof */
    weft__roof_spread(turn, 3, &median, &least, &most);
    CHECK_NEAR(median.bytes_per_second, 3e9, 0);
    CHECK_NEAR(least.bytes_per_second, 2e9, 0);
    CHECK_NEAR(most.bytes_per_second, 5e9, 0);
    weft__roof_spread(turn, 4, &median, &least, &most);
    CHECK_NEAR(median.bytes_per_second, 2.5e9, 0);
    CHECK_NEAR(median.launch_seconds, 1e-6, 0);
    CHECK_NEAR(most.launch_seconds, 7e-4, 0);
    CHECK_NEAR(median.int8_ops_per_second, 0, 0);
}

/* Thresholds: a twentieth of the processors, a tenth of the roof. */
static void warnings_of_conditions(void)
{
    static const struct { double processors, others, bandwidth, peak; uint32_t turns; const char *want[2]; } cases[] = {
        { 2, 0.09, 1.09e9, 1e9, 3, { NULL } },
        { 2, 0.97, 1.0e9, 1e9, 3, { "others kept 0.97 of 2 processors busy" } },
        { 64, 3.0, 1.0e9, 1e9, 3, { NULL } },
        { 2, 0.0, 1.2e9, 1e9, 3, { "bandwidth moved by 20%" } },
        { 2, 0.5, 1.2e9, 1.5e9, 3, { "others kept 0.50", "f32 peak moved by 50%" } },
        { 2, 0.0, 1.2e9, 1.5e9, 1, { NULL } }, /* one turn has no spread */
        { 0, -1, 1.0e9, 1e9, 3, { NULL } },    /* not known */
    };
    weft_roof fast = roof;
    fast.f32_ops_per_second *= 2;
    weft_conditions only = { .turns = 2, .roofs = &roof, .least = &roof, .most = &fast };
    const char *what;
    for (int arith = 0; arith <= WEFT_ARITH_F16_MATRIX; arith++) { /* bf16 runs at twice the rate of f32 */
        only.arithmetic = 1u << arith;
        bool counts = arith == WEFT_ARITH_F32 || arith == WEFT_ARITH_BF16;
        CHECK_NEAR(weft__roof_moved(&only, 1, &what), counts ? 1 : 0, 0);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_roof most = roof;
        most.bytes_per_second = cases[i].bandwidth;
        most.f32_ops_per_second = cases[i].peak;
        most.launch_seconds = 1; /* does not count */
        weft_conditions c = { .processors = cases[i].processors, .others = cases[i].others, .turns = cases[i].turns,
                              .roofs = &roof, .least = &roof, .most = &most };
        weft__warnings got;
        weft__conditions_warnings(&c, 1, &got);
        uint32_t want = 0;
        while (want < 2 && cases[i].want[want]) want++;
        CHECK_EQ_INT(got.n, want);
        for (uint32_t k = 0; k < want && k < got.n; k++) CHECK_CONTAINS(got.text[k], cases[i].want[k]);
    }
}

static void tables_carry_the_warnings(void)
{
    weft_roof least = roof, most;
    least.int8_ops_per_second = 1e9;
    most = least;
    most.bytes_per_second *= 2;
    most.int8_ops_per_second *= 9;
    weft_conditions c = { .processors = 2, .others = 1, .turns = 2, .roofs = &least, .least = &least, .most = &most };
    weft_text text = { 0 };
    weft_writer writer = weft_text_writer(&text);
    world w;
    if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED, .roofs = &roof })) {
        add_relu_run(&w, 1000);
        CHECK_OK(weft_profile_set_conditions(w.prof, &c, &err), err);
        CHECK_OK(weft_profile_finish(w.prof, &err), err);
        CHECK_OK(weft_profile_table(w.prof, &(weft_profile_table_desc){ 0 }, &writer, &err), err);
        CHECK(!strstr(text.data, "int8 peak")); /* which none of its kernels use */
        CHECK_CONTAINS(text.data, "\nwarning: others kept 1.00 of 2 processors busy meanwhile\n");
        CHECK_CONTAINS(text.data, "\nwarning: the device's bandwidth moved by 100% from one measurement to another\n");
    }
    weft_text_free(&text);
    close_world(&w);
}

static void work_and_bounds(void)
{
    static const struct { uint64_t relu, product; weft_profile_bound want_relu, want_product; } cases[] = {
        { 200000, 4000000, WEFT_BOUND_MEMORY, WEFT_BOUND_COMPUTE },
        { 100000, 1000000, WEFT_BOUND_MEMORY, WEFT_BOUND_COMPUTE }, /* from a cache: above the roof */
    };
    for (int i = 0; i < 2; i++) {
        const weft_span spans[] = { step_span(1, RELU, 1, 0, cases[i].relu),
                                    step_span(1, PRODUCT, 1, cases[i].relu, cases[i].relu + cases[i].product) };
        world w;
        if (profile_once(&w, spans, 2, 0, 0)) {
            uint32_t n;
            const weft_profile_node *nodes = weft_profile_nodes(w.prof, &n);
            CHECK_EQ_INT(nodes[RELU].bound, cases[i].want_relu);
            CHECK_EQ_INT(nodes[PRODUCT].bound, cases[i].want_product);
            CHECK_NEAR(nodes[RELU].bytes, 2.0 * MAP_BYTES, 0);
            CHECK_NEAR(nodes[PRODUCT].flops, 2.0 * ROWS * WIDTH * WIDTH, 0);
            CHECK_NEAR(nodes[RELU].roof, 2.0 * MAP_BYTES / (double)cases[i].relu, 1e-6);
            CHECK_NEAR(nodes[PRODUCT].roof, 2.0 * ROWS * WIDTH * WIDTH / (double)cases[i].product, 1e-6);
            CHECK_NEAR(nodes[RELU].bytes_per_second, 2.0 * MAP_BYTES / (double)cases[i].relu * 1e9, 1);
        }
        close_world(&w);
    }
}

/* One row is 512 bytes, half a microsecond at the roof, less than a launch: bound by it unless it takes much longer. */
static void small_nodes_are_bound_by_launches(void)
{
    static const struct { uint64_t ns; weft_profile_bound want; } cases[] = {
        { 1500, WEFT_BOUND_LAUNCH }, { 3000, WEFT_BOUND_LAUNCH }, { 3100, WEFT_BOUND_MEMORY },
    };
    for (int i = 0; i < 3; i++) {
        world w;
        weft_span s = step_span(1, RELU, 1, 0, cases[i].ns);
        if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED, .roofs = &roof })) {
            weft_profile_run run = { .spans = &s, .n_spans = 1, .work = &(weft_bound){ "rows", 1 }, .n_work = 1 };
            CHECK_OK(weft_profile_add(w.prof, &run, &err), err);
            CHECK_OK(weft_profile_finish(w.prof, &err), err);
            uint32_t n;
            const weft_profile_node *nodes = weft_profile_nodes(w.prof, &n);
            CHECK_NEAR(nodes[RELU].bytes, 2.0 * WIDTH * 4, 0);
            CHECK_EQ_INT(nodes[RELU].bound, cases[i].want);
        }
        close_world(&w);
    }
}

/* ---- tables ---- */

static double number_before(const char *text, const char *label)
{
    const char *at = strstr(text, label);
    while (at && at > text && at[-1] != '\n') at--;
    while (at && (*at == '|' || *at == ' ')) at++;
    return at ? strtod(at, NULL) : -1;
}

/* Rows of groups add up to the row of all nodes, whatever they are grouped by; lines have at most 100 columns. */
static void tables_add_up(void)
{
    const weft_span spans[] = {
        host_span(WEFT_SPAN_SUBMIT, 0, 5000000), step_span(1, RELU, 1, 100000, 300000),
        step_span(1, GELU, 1, 300000, 777000), step_span(1, ADD, 1, 800000, 1234000),
        step_span(1, PRODUCT, 1, 1300000, 4321000),
    };
    for (int i = 0; i < 2 * WEFT_BY_COUNT; i++) {
        weft_profile_table_desc d = { .by = (weft_profile_by)(i / 2), .markdown = i % 2 };
        weft_text text = { 0 };
        weft_writer writer = weft_text_writer(&text);
        world w;
        if (profile_once(&w, spans, 5, 0, 5000000) &&
            CHECK_OK(weft_profile_table(w.prof, &d, &writer, &err), err)) {
            double sum = 0;
            const char *row = strstr(text.data, "bound"); /* of the column heads */
            row = strchr(row, '\n') + 1;
            if (d.markdown) row = strchr(row, '\n') + 1;
            for (; !strstr(row, "all nodes") || strstr(row, "all nodes") > strchr(row, '\n');
                 row = strchr(row, '\n') + 1)
                sum += strtod(row + (d.markdown ? 2 : 0), NULL);
            CHECK_NEAR(sum, 200 + 477 + 434 + 3021, 0.05 * 4);
            CHECK_NEAR(number_before(text.data, "all nodes"), 4132, 0.05);
            CHECK_NEAR(number_before(text.data, "gaps between"), 23 + 66, 0.05);
            CHECK_NEAR(number_before(text.data, "submit"), 100 + 679, 0.05);
            CHECK_CONTAINS(text.data, d.markdown ? "| 82.6% |" : " 82.6% ");
            for (const char *line = text.data; *line; line = strchr(line, '\n') + 1)
                CHECK(strcspn(line, "\n") <= 100);
        }
        weft_text_free(&text);
        close_world(&w);
    }
}

static void tables_name_and_cut(void)
{
    const weft_span spans[] = { step_span(1, RELU, 1, 0, 1000), step_span(1, GELU, 1, 1000, 1500),
                                step_span(1, ADD, 1, 1500, 1600), step_span(1, PRODUCT, 1, 1600, 1650) };
    weft_text text = { 0 };
    weft_writer writer = weft_text_writer(&text);
    world w;
    if (profile_once(&w, spans, 4, 0, 0)) {
        CHECK_OK(weft_profile_table(w.prof, &(weft_profile_table_desc){ .by = WEFT_BY_NODE, .top = 2 }, &writer, &err),
                 err);
        CHECK_CONTAINS(text.data, "relu net.layers.0\n");
        CHECK_CONTAINS(text.data, "(2 more)");
        CHECK(!strstr(text.data, "matmul_nt"));
        CHECK_OK(weft_profile_table(w.prof, &(weft_profile_table_desc){ .by = WEFT_BY_SHAPE }, &writer, &err), err);
        CHECK_CONTAINS(text.data, "matmul_nt f32 256x64 64x64\n");
        CHECK_OK(weft_profile_table(w.prof, &(weft_profile_table_desc){ .by = WEFT_BY_LAYER }, &writer, &err), err);
        CHECK_CONTAINS(text.data, "(outside of layers)\n");
        CHECK_STATUS(weft_profile_table(w.prof, &(weft_profile_table_desc){ .by = WEFT_BY_COUNT }, &writer, &err),
                     WEFT_INVALID, err);
    }
    weft_text_free(&text);
    close_world(&w);
}

/* ---- traces ---- */

static void traces_are_cut_to_the_run(void)
{
    const weft_span spans[] = { step_span(1, RELU, 1, 100, 600), step_span(2, GELU, 1, 100, 190),
                                step_span(2, ADD, 1, 510, 520) };
    weft_text text = { 0 };
    weft_writer writer = weft_text_writer(&text);
    world w;
    if (profile_once(&w, spans, 3, 200, 500) &&
        CHECK_OK(weft_profile_trace((const weft_profile *const *)&w.prof, 1, &writer, &err), err)) {
        CHECK_CONTAINS(text.data, "\"cat\": \"step\", \"ts\": 0, \"dur\": 0.3,");
        CHECK(!strstr(text.data, " gelu ") && !strstr(text.data, " add "));
    }
    weft_text_free(&text);
    close_world(&w);
}

/* Spans are shown of a run of median length, though the first runs, which were kept at first, were all longer, or
 * some shorter and some longer. */
static void check_spans_shown(bool both_sides)
{
    weft_text text = { 0 };
    weft_writer writer = weft_text_writer(&text);
    world w;
    if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED })) {
        for (uint64_t i = 0; i < 40; i++)
            add_relu_run(&w, i >= 12 ? 500 : !both_sides ? 1000 * (i + 2) : i % 2 ? 900 : 100);
        CHECK_OK(weft_profile_finish(w.prof, &err), err);
        CHECK_OK(weft_profile_trace((const weft_profile *const *)&w.prof, 1, &writer, &err), err);
        CHECK_CONTAINS(text.data, "\"dur\": 0.5,");
    }
    weft_text_free(&text);
    close_world(&w);
}

static void spans_are_of_the_median_run(void)
{
    check_spans_shown(false);
    check_spans_shown(true);
}

/* ---- memory ---- */

static weft_status write_all(const weft_program *p, weft_text *text)
{
    const weft_span spans[] = { step_span(1, RELU, 1, 0, 1000), step_span(1, GELU, 1, 500, 1500),
                                step_span(1, ADD, 2, 1500, 1600), host_span(WEFT_SPAN_SUBMIT, 0, 2000) };
    weft_profile_run run = { .spans = spans, .n_spans = 4 };
    weft_writer writer = weft_text_writer(text);
    weft_profile *prof = NULL;
    weft_profile_desc desc = { .mode = WEFT_PROFILE_SCHEDULED, .roofs = &roof };
    weft_status s = weft_profile_create(p, &desc, &prof, &err);
    for (int i = 0; i < 3 && !s; i++) s = weft_profile_add(prof, &run, &err);
    if (!s) s = weft_profile_finish(prof, &err);
    if (!s) s = weft_profile_table(prof, &(weft_profile_table_desc){ 0 }, &writer, &err);
    if (!s) s = weft_profile_trace((const weft_profile *const *)&prof, 1, &writer, &err);
    weft_profile_destroy(prof);
    return s;
}

/* A text that cannot grow is the writer's failure. */
static void every_allocation_may_fail(void)
{
    world w;
    if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED }))
        OOM_LOOP(n)
        {
            weft_text text = { 0 };
            weft_status s = write_all(w.p, &text);
            weft_status want = !oom_failed() ? WEFT_OK : text.failed ? WEFT_IO : WEFT_OOM;
            CHECK_STATUS(s, want, err);
            if (!s) CHECK_CONTAINS(text.data, "\"traceEvents\"");
            weft_text_free(&text);
        }
    close_world(&w);
}

/* The first two launches overlap and stand on lanes of their own; the third has the names of both its steps. */
static void traces_hold_what_happened(void)
{
    weft_text text = { 0 };
    world w;
    if (open_world(&w, &(weft_profile_desc){ .mode = WEFT_PROFILE_SCHEDULED }) &&
        CHECK_OK(write_all(w.p, &text), err)) {
        CHECK_CONTAINS(text.data, "(overlapping 1)");
        CHECK_CONTAINS(text.data, "relu net.layers.0\"");
        CHECK_CONTAINS(text.data, " add net.layers.0 + ");
        CHECK_CONTAINS(text.data, "\"arena in use\"");
        CHECK_CONTAINS(text.data, "\"ts\": 1.5, \"dur\": 0.1");
    }
    weft_text_free(&text);
    close_world(&w);
}

static const weft_test tests[] = {
    { "threads_share_an_instant", threads_share_an_instant },
    { "more_threads_get_more", more_threads_get_more },
    { "joined_steps_share_a_launch", joined_steps_share_a_launch },
    { "gaps_lie_within_a_submission", gaps_lie_within_a_submission },
    { "transfers_are_steps", transfers_are_steps },
    { "odd_spans_do_no_harm", odd_spans_do_no_harm },
    { "medians_and_spreads", medians_and_spreads },
    { "many_runs_are_thinned", many_runs_are_thinned },
    { "conditions_replace_the_roof", conditions_replace_the_roof },
    { "spreads_of_roofs", spreads_of_roofs },
    { "warnings_of_conditions", warnings_of_conditions },
    { "tables_carry_the_warnings", tables_carry_the_warnings },
    { "work_and_bounds", work_and_bounds },
    { "small_nodes_are_bound_by_launches", small_nodes_are_bound_by_launches },
    { "tables_add_up", tables_add_up },
    { "tables_name_and_cut", tables_name_and_cut },
    { "traces_are_cut_to_the_run", traces_are_cut_to_the_run },
    { "spans are of the median run", spans_are_of_the_median_run },
    { "every_allocation_may_fail", every_allocation_may_fail },
    { "traces_hold_what_happened", traces_hold_what_happened },
};
TEST_MAIN(tests)
