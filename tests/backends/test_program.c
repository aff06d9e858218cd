/* test_program.c: what programs, weights, states and devices promise, on a small graph. */
#include "small.h"

#include <math.h>

#include "backends/contract.h"
#include "tests/graph/golden.h"

static weft_error err;

/* ---- devices ---- */

static void opens_devices(void)
{
    static const struct {
        const char *spec;
        weft_status status;
        const char *part;
    } bad[] = {
        { "", WEFT_NOT_FOUND, "no such backend" },
        { "gpu", WEFT_NOT_FOUND, "'gpu'" },
        { "cpux,threads=1", WEFT_NOT_FOUND, "cpux" },
        { "null,fast", WEFT_INVALID, "fast" },
        { "cpu,fast", WEFT_INVALID, "'fast'" },
        { "cpu,threads=0", WEFT_INVALID, "threads=0" },
        { "cpu,threads=-1", WEFT_INVALID, "threads=-1" },
        { "cpu,threads=1x", WEFT_INVALID, "threads=1x" },
        { "cpu,threads=", WEFT_INVALID, "threads=" },
        { "cpu,threads=99999999999999999999", WEFT_INVALID, "threads" },
        { "cpu,isa=sse", WEFT_INVALID, "sse" },
        { "cpu,spin=x", WEFT_INVALID, "spin=x" },
        { "cpu,threads=2,,isa=scalar", WEFT_INVALID, "option" },
        { "cpu,cpus=", WEFT_INVALID, "cpus=" },
        { "cpu,cpus=1023", WEFT_INVALID, "may not run on 1023" },
        { "cpu,cpus=1024", WEFT_INVALID, "expected numbers" },
        { "cpu,cpus=1-0", WEFT_INVALID, "expected numbers" },
        { "cpu,cpus=0-", WEFT_INVALID, "expected numbers" },
        { "cpu,cpus=0+", WEFT_INVALID, "expected numbers" },
        { "cpu,cpus=0x", WEFT_INVALID, "expected numbers" },
        { "cpu,cpus=99999999999999999999", WEFT_INVALID, "expected numbers" },
        { "cpu,an-option-that-is-much-longer-than-any-option-of-any-device-could-ever-be=1",
          WEFT_INVALID, "long" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_backend *b = (weft_backend *)&err;
        if (!CHECK_STATUS(weft_backend_open(bad[i].spec, &b, &err), bad[i].status, err))
            printf("  %s\n", bad[i].spec);
        CHECK(b == NULL);
        CHECK_CONTAINS(err.text, bad[i].part);
    }
#if defined(__x86_64__)
    weft_backend *b;
    CHECK_STATUS(weft_backend_open("cpu,isa=neon", &b, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "neon");
#endif
    weft_backend_close(NULL);
    uint32_t n;
    const char *const *names = weft_backend_names(&n);
    for (uint32_t i = 0; i < n; i++) {
        weft_backend *known;
        weft_device_info info;
        if (!strcmp(names[i], "vulkan")) continue; /* a machine may have no GPU: tests/vulkan */
        if (!CHECK_OK(weft_backend_open(names[i], &known, &err), err)) continue;
        weft_backend_info(known, &info);
        CHECK_STR(info.name, names[i]);
        CHECK(info.description[0] != 0);
        weft_backend_close(known);
    }
}

static void tells_threads_and_instruction_set(void)
{
    weft_backend *b;
    weft_device_info info;
    if (!CHECK_OK(weft_backend_open("cpu,isa=scalar,threads=3,spin=0", &b, &err), err)) return;
    weft_backend_info(b, &info);
    CHECK_EQ_INT(info.threads, 3);
    CHECK_STR(info.variant, "scalar");
    CHECK(info.memory > 0);
    weft_backend_close(b);
}

/* ---- creation ---- */

static void refuses_what_cannot_be_made(void)
{
    weft_backend *cpu;
    weft_graph *g = small_graph(WEFT_F32, &err);
    if (!CHECK(g != NULL) || !CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err)) return;
    const weft_bound unknown = { "tokens", 4 }, large = { "t", 9 }, zero = { "t", 0 };
    const char *const outputs[] = { "y", "z" };
    weft_backend *const twice[] = { cpu, cpu };
    const struct {
        weft_program_desc desc;
        weft_status status;
        const char *part;
    } bad[] = {
        { { .devices = &cpu, .n_devices = 0 }, WEFT_INVALID, "device" },
        { { .devices = twice, .n_devices = 2 }, WEFT_INVALID, "device 1 of a program is its device 0 again" },
        { { .devices = &cpu, .n_devices = 1, .bounds = &unknown, .n_bounds = 1 },
          WEFT_NOT_FOUND,
          "tokens" },
        { { .devices = &cpu, .n_devices = 1, .bounds = &large, .n_bounds = 1 },
          WEFT_INVALID,
          "1..8" },
        { { .devices = &cpu, .n_devices = 1, .bounds = &zero, .n_bounds = 1 },
          WEFT_INVALID,
          "1..8" },
        { { .devices = &cpu, .n_devices = 1, .outputs = outputs, .n_outputs = 2 },
          WEFT_NOT_FOUND,
          "z" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_program *p = (weft_program *)&err;
        CHECK_STATUS(weft_program_create(g, &bad[i].desc, &p, &err), bad[i].status, err);
        CHECK(p == NULL);
        CHECK_CONTAINS(err.text, bad[i].part);
    }
    weft_program_destroy(NULL);
    weft_graph_destroy(g);
    weft_backend_close(cpu);
}

static void refuses_a_graph_that_is_not_sealed(void)
{
    weft_backend *cpu;
    weft_graph *g;
    weft_program *p;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err)) return;
    if (CHECK_OK(weft_graph_create(NULL, &g, &err), err)) {
        small_build(g, WEFT_F32);
        CHECK_STATUS(weft_program_create(g, &(weft_program_desc){ .devices = &cpu, .n_devices = 1 },
                                         &p, &err),
                     WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "seal");
        weft_graph_destroy(g);
    }
    weft_backend_close(cpu);
}

/* A tighter bound and fewer outputs make a smaller program. */
static void keeps_what_is_wanted(void)
{
    small_world all, few;
    const char *const outputs[] = { "y" };
    const weft_bound bound = { "t", 1 };
    const weft_program_desc tight = {
        .outputs = outputs, .n_outputs = 1, .bounds = &bound, .n_bounds = 1
    };
    bool ok = CHECK_OK(small_open(&all, "cpu,threads=1", NULL, &err), err);
    ok = CHECK_OK(small_open(&few, "cpu,threads=1", &tight, &err), err) && ok;
    if (ok) {
        CHECK(weft_program_plan(few.p)->n_steps < weft_program_plan(all.p)->n_steps);
        weft_program_memory m = weft_program_device_memory(all.p, 0),
                            n = weft_program_device_memory(few.p, 0);
        CHECK(n.arena < m.arena);
        CHECK_EQ_INT(m.weights, n.weights);
        CHECK(m.weights >= (SMALL_OUT * SMALL_IN + SMALL_OUT) * 4);
        CHECK_EQ_INT(m.states, SMALL_CELLS * SMALL_OUT * 4);
        CHECK_EQ_INT(n.states, m.states); /* a store stays: later runs may read the state */
        CHECK_EQ_INT(weft_graph_find(weft_program_graph(few.p), "sum").id, 0);
        CHECK(weft_graph_find(weft_program_graph(few.p), "y").id != 0);
        CHECK_STATUS(weft_program_set_extent(few.p, "t", 2, &err), WEFT_INVALID, err);
    }
    small_close(&all);
    small_close(&few);
}

/* ---- loading ---- */

static void loads_only_what_fits(void)
{
    weft_backend *cpu;
    weft_weights *weights;
    weft_graph *g = small_graph(WEFT_F32, &err);
    small_source source = { 0 };
    weft_weight_source values = small_weights(&source);
    if (!CHECK(g != NULL) || !CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err)) return;
    for (int fault = 0; fault < 4; fault++) {
        static const weft_status want[] = { WEFT_NOT_FOUND, WEFT_NOT_FOUND, WEFT_SHAPE, WEFT_OK };
        weft_program *p;
        source.missing = fault == 1 ? "net.b" : NULL;
        source.misshaped = fault == 2;
        if (!CHECK_OK(weft_program_create(
                          g, &(weft_program_desc){ .devices = &cpu, .n_devices = 1 }, &p, &err),
                      err))
            break;
        if (CHECK_OK(weft_weights_create(&values, fault > 0, &weights, &err), err)) {
            CHECK_STATUS(weft_program_load(p, weights, NULL, &err), want[fault], err);
            if (fault < 3) CHECK_CONTAINS(err.text, fault == 1 ? "net.b" : "net.");
            /* A program that did not load can still be loaded. */
            source.missing = NULL;
            source.misshaped = false;
            if (fault == 1 || fault == 2) CHECK_OK(weft_program_load(p, weights, NULL, &err), err);
        }
        weft_program_destroy(p);
        weft_weights_destroy(weights);
    }
    weft_weights_destroy(NULL);
    weft_graph_destroy(g);
    weft_backend_close(cpu);
}

static void checks_every_call(void)
{
    small_world w;
    weft_program *p;
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        weft_ref x = weft_graph_find(weft_program_graph(w.p), "x");
        CHECK_STATUS(weft_program_load(w.p, w.weights, NULL, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_set_extent(w.p, "t", 0, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_set_extent(w.p, "t", 9, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_set_extent(w.p, "tokens", 1, &err), WEFT_NOT_FOUND, err);
        CHECK_EQ_INT(weft_graph_find(weft_program_graph(w.p), "net.w").id, 0);
        weft_ref port = { 1 };
        CHECK_STATUS(weft_program_port(w.p, "nothing", &port, &err), WEFT_NOT_FOUND, err);
        CHECK_CONTAINS(err.text, "'nothing'");
        CHECK_EQ_INT(port.id, 0);
        CHECK_OK(weft_program_port(w.p, "y", &port, &err), err);
        CHECK_EQ_INT(port.id, weft_graph_find(weft_program_graph(w.p), "y").id);
        CHECK_STATUS(weft_program_write(w.p, (weft_ref){ 0 }, 0, y, 4, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_write(w.p, (weft_ref){ 1u << 30 }, 0, y, 4, &err), WEFT_INVALID,
                     err);
        CHECK_STATUS(weft_program_write(w.p, x, 4, y, SMALL_T * SMALL_IN * 4, &err), WEFT_INVALID,
                     err);
        CHECK_STATUS(weft_program_write(w.p, x, UINT64_MAX - 3, y, 8, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_program_read(w.p, x, SMALL_T * SMALL_IN * 4 + 1, y, 0, &err),
                     WEFT_INVALID, err);
        CHECK_OK(weft_program_read(w.p, x, SMALL_T * SMALL_IN * 4, y, 0, &err), err);
        CHECK_STATUS(weft_program_run_step(w.p, weft_program_plan(w.p)->n_steps, &err),
                     WEFT_INVALID, err);
        const weft_program_desc desc = { .devices = &w.device, .n_devices = 1 };
        if (CHECK_OK(weft_program_create(w.g, &desc, &p, &err), err)) { /* not loaded */
            CHECK_STATUS(weft_program_run(p, &err), WEFT_INVALID, err);
            CHECK_STATUS(weft_program_run_step(p, 0, &err), WEFT_INVALID, err);
            CHECK_STATUS(weft_program_write(p, weft_graph_find(weft_program_graph(p), "x"), 0, y, 4, &err),
                         WEFT_INVALID, err);
            CHECK_STATUS(weft_program_read(p, weft_graph_find(weft_program_graph(p), "y"), 0, y, 4, &err),
                         WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "loaded");
            weft_program_destroy(p);
        }
        CHECK_OK(small_run(w.p, 0, 3, y, sum, &err), err); /* none of it has done harm */
        CHECK_STATUS(weft_program_run_step(w.p, 1u << 31, NULL), WEFT_INVALID, err);
    }
    small_close(&w);
}

/* ---- runs ---- */

/* gelu(x w^T + b) of a row, and the sum over the cells that rows first..first+n-1 fill. */
static void expect_row(const small_source *s, uint32_t row, double y[SMALL_OUT])
{
    for (uint32_t j = 0; j < SMALL_OUT; j++) {
        double v = (double)s->b[j];
        for (uint32_t k = 0; k < SMALL_IN; k++)
            v += (double)small_value(row * 100 + k) * (double)s->w[j * SMALL_IN + k];
        y[j] = 0.5 * v * (1.0 + erf(v / sqrt(2.0)));
    }
}

static void computes(void)
{
    small_world w;
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    int32_t best[3];
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err) &&
        CHECK_OK(small_run(w.p, 4, 5, y, sum, &err), err)) {
        double want[SMALL_OUT] = { 0 };
        for (uint32_t i = 0; i < 5; i++) {
            double row[SMALL_OUT];
            expect_row(&w.source, 4 + i, row);
            for (uint32_t j = 0; j < SMALL_OUT; j++) {
                CHECK_NEAR((double)y[i * SMALL_OUT + j], row[j], 1e-5);
                want[j] += row[j];
            }
        }
        for (uint32_t j = 0; j < SMALL_OUT; j++) CHECK_NEAR((double)sum[j], want[j], 1e-5);
        CHECK_OK(weft_program_read(w.p, weft_graph_find(weft_program_graph(w.p), "best"), 0, best, sizeof best, &err),
                 err);
        CHECK(want[best[0]] >= want[best[1]] && want[best[1]] >= want[best[2]]);
    }
    small_close(&w);
}

static void states_survive_runs(void)
{
    small_world w;
    float y[SMALL_T * SMALL_OUT], once[SMALL_OUT], sum[SMALL_OUT];
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        CHECK_OK(small_run(w.p, 0, 8, y, once, &err), err);
        CHECK_OK(weft_states_clear(w.states, &err), err);
        for (uint32_t i = 0; i < 8; i++) CHECK_OK(small_run(w.p, i, 1, y, sum, &err), err);
        for (uint32_t j = 0; j < SMALL_OUT; j++) CHECK_NEAR((double)sum[j], (double)once[j], 1e-5);
        CHECK_OK(small_run(w.p, 3, 1, y, sum, &err), err); /* the same cell again changes nothing */
        for (uint32_t j = 0; j < SMALL_OUT; j++) CHECK_NEAR((double)sum[j], (double)once[j], 1e-5);
        CHECK_OK(weft_states_clear(w.states, &err), err);
        CHECK_OK(small_run(w.p, 3, 1, y, sum, &err), err); /* now it is alone */
        for (uint32_t j = 0; j < SMALL_OUT; j++) CHECK_NEAR((double)sum[j], (double)y[j], 1e-6);
    }
    small_close(&w);
}

/* Two programs of one graph, for eight rows and for one, over one weights: as if they were one. */
static void programs_share_states(void)
{
    small_world w;
    weft_program *one;
    const weft_bound bound = { "t", 1 };
    float y[SMALL_T * SMALL_OUT], want[SMALL_OUT], sum[SMALL_OUT];
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err)) {
        const weft_program_desc desc = {
            .devices = &w.device, .n_devices = 1, .bounds = &bound, .n_bounds = 1
        };
        uint64_t bytes = weft_weights_bytes(w.weights), cells = weft_states_bytes(w.states);
        uint64_t arena = weft_program_plan(w.p)->arena_bytes[0];
        CHECK_EQ_INT(weft_states_arena_bytes(w.states), arena);
        CHECK_OK(small_run(w.p, 0, 5, y, sum, &err), err);
        for (uint32_t i = 5; i < 9; i++) CHECK_OK(small_run(w.p, i, 1, y, want, &err), err);
        CHECK_OK(weft_states_clear(w.states, &err), err);
        if (CHECK_OK(weft_program_create(w.g, &desc, &one, &err), err)) {
            CHECK_OK(weft_program_load(one, w.weights, w.states, &err), err);
            CHECK_EQ_INT(weft_weights_bytes(w.weights), bytes);
            CHECK_EQ_INT(weft_states_bytes(w.states), cells);
            CHECK_EQ_INT(weft_states_arena_bytes(w.states), arena); /* the smaller program works in the same */
            CHECK_OK(small_run(w.p, 0, 5, y, sum, &err), err);
            for (uint32_t i = 5; i < 9; i++) CHECK_OK(small_run(one, i, 1, y, sum, &err), err);
            for (uint32_t j = 0; j < SMALL_OUT; j++)
                CHECK_NEAR((double)sum[j], (double)want[j], 1e-5);
            weft_program_destroy(one);
        }
    }
    small_close(&w);
}

static void threads_agree(void)
{
    float first[SMALL_T * SMALL_OUT], y[SMALL_T * SMALL_OUT], again[SMALL_T * SMALL_OUT],
        sum[SMALL_OUT];
    for (uint32_t threads = 1; threads <= 5; threads++) {
        small_world w;
        char spec[40];
        snprintf(spec, sizeof spec, "cpu,threads=%u,spin=%u", threads, threads % 2 ? 0u : 50u);
        if (CHECK_OK(small_open(&w, spec, NULL, &err), err)) {
            CHECK_OK(small_run(w.p, 0, 7, y, sum, &err), err);
            for (int i = 0; i < 50; i++) { /* the same run gives the same bits */
                CHECK_OK(small_run(w.p, 0, 7, again, sum, &err), err);
                CHECK(!memcmp(y, again, 7 * SMALL_OUT * sizeof *y));
            }
            if (threads == 1) memcpy(first, y, sizeof y);
            for (uint32_t j = 0; j < 7 * SMALL_OUT; j++)
                CHECK_NEAR((double)y[j], (double)first[j], 1e-5);
        }
        small_close(&w);
    }
}

static void steps_make_a_run(void)
{
    small_world w;
    float y[SMALL_T * SMALL_OUT], again[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err)) {
        weft_ref port = weft_graph_find(weft_program_graph(w.p), "y");
        float zero[SMALL_T * SMALL_OUT] = { 0 };
        CHECK_OK(small_run(w.p, 0, 6, y, sum, &err), err);
        CHECK_OK(small_run(w.p, 0, 6, y, sum, &err), err);
        CHECK_OK(weft_program_write(w.p, port, 0, zero, sizeof zero, &err), err);
        float x[6 * SMALL_IN];
        for (uint32_t i = 0; i < 6; i++)
            for (uint32_t k = 0; k < SMALL_IN; k++) x[i * SMALL_IN + k] = small_value(i * 100 + k);
        CHECK_OK(weft_program_write(w.p, weft_graph_find(weft_program_graph(w.p), "x"), 0, x, sizeof x, &err), err);
        for (uint32_t i = 0; i < weft_program_plan(w.p)->n_steps; i++)
            CHECK_OK(weft_program_run_step(w.p, i, &err), err);
        CHECK_OK(weft_program_read(w.p, port, 0, again, sizeof again, &err), err);
        CHECK(!memcmp(y, again, 6 * SMALL_OUT * sizeof *y));
    }
    small_close(&w);
}

/* ---- several devices ---- */

static const weft_backend_vt *real_vt;

/* A CPU without gelu and linear. */
static weft_place_reason picky(const weft_backend *b, const weft_kernel_query *q,
                               weft_kernel_choice *out)
{
    bool no = q->node->op == WEFT_OP_gelu || q->node->op == WEFT_OP_linear;
    return no ? WEFT_PLACE_NO_TYPE : real_vt->choose(b, q, out);
}

static void falls_back_in_the_open(void)
{
    weft_backend *devices[2];
    weft_backend_vt vt;
    small_world w;
    weft_program *p = NULL;
    weft_weights *weights = NULL;
    float y[SMALL_T * SMALL_OUT], want[SMALL_T * SMALL_OUT], sum[SMALL_OUT], want_sum[SMALL_OUT];
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &devices[0], &err), err)) return;
    if (!CHECK_OK(weft_backend_open("cpu,threads=2", &devices[1], &err), err)) return;
    real_vt = devices[0]->vt;
    vt = *real_vt;
    vt.choose = picky;
    devices[0]->vt = &vt;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        weft_program_desc desc = { .devices = devices, .n_devices = 2, .strict = true };
        weft_weight_source source = small_weights(&w.source);
        CHECK_STATUS(weft_program_create(w.g, &desc, &p, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "linear");
        CHECK_CONTAINS(err.text, "NO_TYPE");
        CHECK_CONTAINS(err.text, "strict");
        desc.n_devices = 1;
        desc.strict = false;
        CHECK_STATUS(weft_program_create(w.g, &desc, &p, &err), WEFT_UNSUPPORTED, err);
        desc.n_devices = 2;
        if (CHECK_OK(weft_program_create(w.g, &desc, &p, &err), err) &&
            CHECK_OK(weft_weights_create(&source, 1, &weights, &err), err) &&
            CHECK_OK(weft_program_load(p, weights, NULL, &err), err)) {
            const weft_graph *g = weft_program_graph(p);
            unsigned moved = 0, transfers = 0;
            for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
                const weft_node *n = weft_graph_node(g, i);
                weft_place place = weft_program_place(p, n->id);
                transfers += n->op == WEFT_OP_transfer;
                if (n->op != WEFT_OP_linear) continue;
                CHECK_EQ_INT(place.device, 1);
                CHECK_EQ_INT(place.reason, WEFT_PLACE_NO_TYPE);
                moved++;
            }
            CHECK_EQ_INT(moved, 1);
            CHECK(transfers >= 1);
            for (uint32_t i = 0; i < 3; i++) {
                CHECK_OK(small_run(w.p, i, 6, want, want_sum, &err), err);
                CHECK_OK(small_run(p, i, 6, y, sum, &err), err);
                for (uint32_t j = 0; j < 6 * SMALL_OUT; j++)
                    CHECK_NEAR((double)y[j], (double)want[j], 1e-6);
                for (uint32_t j = 0; j < SMALL_OUT; j++)
                    CHECK_NEAR((double)sum[j], (double)want_sum[j], 1e-5);
            }
        }
        weft_program_destroy(p);
        weft_weights_destroy(weights);
    }
    small_close(&w);
    weft_backend_close(devices[0]);
    weft_backend_close(devices[1]);
}

/* ---- null ---- */

static void null_plans_and_refuses_to_run(void)
{
    weft_backend *null;
    weft_program *p;
    weft_weights *weights;
    weft_graph *g = small_graph(WEFT_Q8_0, &err);
    CHECK(g == NULL); /* rows of 16 are no blocks of 32 */
    g = small_graph(WEFT_F32, &err);
    if (!CHECK(g != NULL) || !CHECK_OK(weft_backend_open("null", &null, &err), err)) return;
    if (CHECK_OK(weft_program_create(
                     g, &(weft_program_desc){ .devices = &null, .n_devices = 1, .strict = true },
                     &p, &err),
                 err)) {
        weft_text text = { 0 };
        weft_writer writer = weft_text_writer(&text);
        CHECK_OK(weft_program_print(p, &writer, &err), err);
        check_golden("../../backends/golden/program", text.data);
        weft_text_free(&text);
        if (CHECK_OK(weft_weights_create(NULL, 0, &weights, &err), err)) {
            CHECK_STATUS(weft_program_load(p, weights, NULL, &err), WEFT_UNSUPPORTED, err);
            CHECK_CONTAINS(err.text, "null");
            CHECK_STATUS(weft_program_run(p, &err), WEFT_INVALID, err);
            CHECK_EQ_INT(weft_weights_bytes(weights), 0);
        }
        weft_program_destroy(p);
        weft_weights_destroy(weights);
    }
    weft_graph_destroy(g);
    weft_backend_close(null);
}

static bool full_writer(void *ctx, const char *data, size_t n)
{
    size_t *left = ctx;
    (void)data;
    if (n > *left) return false;
    *left -= n;
    return true;
}

/* Wherever a write fails, printing stops with IO. */
static void printing_reports_a_full_disk(void)
{
    small_world w;
    if (CHECK_OK(small_open(&w, "cpu,threads=1", NULL, &err), err)) {
        weft_text text = { 0 };
        weft_writer writer = weft_text_writer(&text);
        CHECK_OK(weft_program_print(w.p, &writer, &err), err);
        for (size_t room = 0; room < text.size; room += 97) {
            size_t left = room;
            weft_writer full = { &left, full_writer };
            CHECK_STATUS(weft_program_print(w.p, &full, &err), WEFT_IO, err);
        }
        weft_text_free(&text);
    }
    small_close(&w);
}

/* An axis joined with an extent behind it has gaps below the bound, whatever is copied: refused by name. */
static void refuses_what_has_gaps(void)
{
    static const char text[] = "weft-graph 1\nextent t 3\n%1 = input \"x\" : f32[4, 17, t]\n"
                               "%2 = reshape %1 {dims = [4, 17*t]} @ \"net\"\n%3 = relu %2\noutput \"y\" = %3\n";
    weft_graph *g = NULL;
    weft_backend *b = NULL;
    weft_program *p = NULL;
    if (CHECK_OK(weft_graph_parse(text, sizeof text - 1, "text", NULL, &g, &err), err) &&
        CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) {
        const weft_program_desc d = { .devices = &b, .n_devices = 1 };
        CHECK_STATUS(weft_program_create(g, &d, &p, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "net reshape");
        CHECK_CONTAINS(err.text, "gaps");
        CHECK(p == NULL);
    }
    weft_backend_close(b);
    weft_graph_destroy(g);
}

/* ---- check ---- */

typedef struct report {
    uint32_t n, failed, failed_node, stop_after;
} report;

static bool note(void *ctx, const weft_check_node *n)
{
    report *r = ctx;
    r->n++;
    if (n->failed && !r->failed++) r->failed_node = n->node;
    return r->n != r->stop_after;
}

static void check_finds_a_planted_fault(void)
{
    small_world w;
    float y[SMALL_T * SMALL_OUT], sum[SMALL_OUT];
    small_source other = { 0 };
    weft_weight_source right, wrong = small_weights(&other);
    if (CHECK_OK(small_open(&w, "cpu,threads=2", NULL, &err), err)) {
        right = small_weights(&w.source);
        CHECK_OK(small_run(w.p, 0, 5, y, sum, &err), err);
        report healthy = { 0 };
        CHECK_OK(weft_program_check(w.p, &right, note, &healthy, &err), err);
        CHECK(healthy.n >= weft_program_plan(w.p)->n_steps);
        CHECK_EQ_INT(healthy.failed, 0);
        other.w[3 * SMALL_IN + 7] += 0.5f;
        report faulty = { 0 };
        CHECK_OK(weft_program_check(w.p, &wrong, note, &faulty, &err), err);
        CHECK_EQ_INT(faulty.n, healthy.n);
        CHECK_EQ_INT(faulty.failed, 1); /* and not the nodes that read its result */
        const weft_node *n = weft_graph_node_by_id(weft_program_graph(w.p), faulty.failed_node);
        if (CHECK(n != NULL)) {
            CHECK_STR(weft_op_get(n->op)->name, "linear");
            CHECK_STR(n->scope, "net");
        }
        report first = { .stop_after = 1 };
        CHECK_OK(weft_program_check(w.p, &right, note, &first, &err), err);
        CHECK_EQ_INT(first.n, 1);
        CHECK_OK(small_run(w.p, 0, 5, y, sum, &err), err);
    }
    small_close(&w);
}

static const weft_test tests[] = {
    { "opens devices", opens_devices },
    { "tells threads and instruction set", tells_threads_and_instruction_set },
    { "refuses what cannot be made", refuses_what_cannot_be_made },
    { "refuses a graph that is not sealed", refuses_a_graph_that_is_not_sealed },
    { "keeps what is wanted", keeps_what_is_wanted },
    { "loads only what fits", loads_only_what_fits },
    { "checks every call", checks_every_call },
    { "computes", computes },
    { "states survive runs", states_survive_runs },
    { "programs share weights and states", programs_share_states },
    { "threads agree", threads_agree },
    { "steps make a run", steps_make_a_run },
    { "falls back in the open", falls_back_in_the_open },
    { "null plans and refuses to run", null_plans_and_refuses_to_run },
    { "printing reports a full disk", printing_reports_a_full_disk },
    { "refuses what has gaps", refuses_what_has_gaps },
    { "check finds a planted fault", check_finds_a_planted_fault },
};
GOLDEN_MAIN(tests)
