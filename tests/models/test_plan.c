/* test_plan.c: a session plan is what a session runs, and is made and refused without loading anything. */
#include "reference.h"

#include <string.h>

#include "backends/contract.h"

#define TINY    WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox"
#define CONFIG  WEFT_TEST_ROOT "/models/configs/pythia-160m.json"

static weft_error err;

/* A CPU of so much memory that counts what is made on it. */
static weft_backend_vt counting_vt;
static uint64_t left, made, watched, found; /* found: buffers of `watched` bytes */

static void counting_info(const weft_backend *b, weft_device_info *out)
{
    weft__backend_cpu.info(b, out);
    out->memory = left;
}

static weft_status counting_buf(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *e)
{
    made++;
    found += bytes == watched;
    return weft__backend_cpu.buf_create(b, bytes, out, e);
}

static weft_status counting_exec(weft_backend *b, const weft_exec_desc *d, weft_exec **out, weft_error *e)
{
    made++;
    return weft__backend_cpu.exec_create(b, d, out, e);
}

typedef struct world {
    weft_model *m;
    weft_backend *b;
} world;

static bool begin(world *w, const char *model)
{
    *w = (world){ 0 };
    counting_vt = weft__backend_cpu;
    counting_vt.info = counting_info;
    counting_vt.buf_create = counting_buf;
    counting_vt.exec_create = counting_exec;
    left = UINT64_MAX;
    made = 0;
    if (!CHECK_OK(weft_model_open(model, NULL, &w->m, &err), err) ||
        !CHECK_OK(weft_backend_open("cpu,threads=1", &w->b, &err), err))
        return false;
    w->b->vt = &counting_vt;
    return true;
}

static void end(world *w)
{
    if (w->b) w->b->vt = &weft__backend_cpu;
    weft_backend_close(w->b);
    weft_model_close(w->m);
}

static void print(const weft_program *p, weft_text *out)
{
    weft_writer w = weft_text_writer(out);
    CHECK_OK(weft_program_print(p, &w, &err), err);
}

/* Its programs, to the last byte of memory, for sessions of every kind. */
static void is_what_a_session_runs(void)
{
    world w;
    static const weft_session_desc descs[] = {
        { 0 },
        { .candidates = 1 },
        { .candidates = 40, .n_sequences = 3, .context = 100 },
        { .outputs = WEFT_WANT_HIDDEN, .layer = 2, .max_tokens = 64 },
        { .exact = true, .max_rows = 20, .bounds = { 5 } },
        { .weights = WEFT_Q8_0, .kv = WEFT_F32, .max_tokens = 1 },
        { .kv = WEFT_Q8_0, .n_sequences = 2 },
        { .kv = WEFT_Q8_0, .kv_values = WEFT_Q4_0 },
    };
    if (!begin(&w, TINY)) return;
    for (size_t i = 0; i < sizeof descs / sizeof *descs; i++) {
        weft_session_desc d = descs[i];
        weft_session_plan *plan = NULL;
        weft_session *s = NULL;
        d.devices = &w.b;
        d.n_devices = 1;
        made = 0;
        bool ok = CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err) && CHECK_EQ_INT(made, 0) &&
                  CHECK_OK(weft_session_create(w.m, &d, &s, &err), err);
        for (size_t n = 1; ok && n <= 512; n *= 2) {
            weft_text planned = { 0 }, runs = { 0 };
            print(weft_session_plan_program(plan, n), &planned);
            print(weft_session_program(s, n), &runs);
            CHECK_STR(planned.data, runs.data);
            weft_text_free(&planned);
            weft_text_free(&runs);
        }
        bool one = weft_session_plan_program(plan, 1) == weft_session_plan_program(plan, 512);
        CHECK_EQ_INT(one, descs[i].max_tokens == 1);
        weft_session_destroy(s);
        weft_session_plan_destroy(plan);
    }
    end(&w);
}

/* The sum of its parts: weights, cache and the largest arena once; what the session has then is that. */
static void counts_its_bytes(void)
{
    world w;
    weft_session_plan *plan;
    if (!begin(&w, TINY)) return;
    weft_session_desc d = { .devices = &w.b, .n_devices = 1 };
    if (CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err)) {
        weft_program_memory p = weft_program_device_memory(weft_session_plan_program(plan, SIZE_MAX), 0);
        uint64_t constants = 0;
        for (size_t n = 1; n < 512; n = n < 8 ? 8 : 4 * n) {
            weft_program_memory q = weft_program_device_memory(weft_session_plan_program(plan, n), 0);
            constants += q.constants;
            CHECK_EQ_INT(q.states, p.states);
            CHECK(q.arena > 0 && q.arena < p.arena);
        }
        CHECK_EQ_INT(weft_session_plan_bytes(plan, 0), p.weights + p.states + p.arena + p.constants + constants);
        weft_session *s;
        watched = p.arena;
        found = 0;
        if (CHECK_OK(weft_session_open(plan, NULL, &s, &err), err)) {
            CHECK_EQ_INT(found, 1);
            weft_session_destroy(s);
        }
    }
    end(&w);
}

/* To the byte, with the numbers, by the plan and in the same words by the session, which then has loaded nothing. */
static void is_refused_before_loading(void)
{
    world w;
    weft_session_plan *plan = NULL;
    weft_session *s;
    if (!begin(&w, TINY)) return;
    weft_session_desc d = { .devices = &w.b, .n_devices = 1, .max_tokens = 256 };
    if (CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err)) {
        weft_error same;
        left = weft_session_plan_bytes(plan, 0);
        CHECK_OK(weft_session_plan_check(plan, &err), err);
        left--;
        CHECK_STATUS(weft_session_plan_check(plan, &err), WEFT_LIMIT, err);
        CHECK_CONTAINS(err.text, "MiB are needed");
        CHECK_STATUS(weft_session_create(w.m, &d, &s, &same), WEFT_LIMIT, same);
        CHECK_STR(same.text, err.text);
        CHECK_STATUS(weft_session_open(plan, NULL, &s, &same), WEFT_LIMIT, same);
        CHECK(s == NULL);
        CHECK_EQ_INT(made, 0);
    }
    end(&w);
}

/* Runs shrink with the memory, as long as nobody asked for their size. */
static void takes_what_memory_allows(void)
{
    static const uint32_t sizes[] = { 512, 128, 32, 8, 1 };
    world w;
    weft_session_plan *plan = NULL;
    if (!begin(&w, TINY)) return;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weft_session_desc d = { .devices = &w.b, .n_devices = 1 };
        if (!CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err)) break;
        const weft_session_desc *settled = weft_session_plan_desc(plan);
        CHECK_EQ_INT(settled->max_tokens, sizes[i]);
        CHECK(settled->max_rows <= settled->max_tokens);
        CHECK_EQ_INT(settled->bounds[4 - i], 0);
        CHECK(i == 4 || settled->bounds[3 - i] == sizes[i + 1]);
        weft_program_memory m = weft_program_device_memory(weft_session_plan_program(plan, SIZE_MAX), 0);
        left = m.weights + m.states + m.constants + m.arena - 1;
        weft_session_plan_destroy(plan);
    }
    weft_session_desc d = { .devices = &w.b, .n_devices = 1 };
    if (CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err)) {
        CHECK_EQ_INT(weft_session_plan_desc(plan)->max_tokens, 512); /* not even one token's */
        CHECK_STATUS(weft_session_plan_check(plan, &err), WEFT_LIMIT, err);
        weft_session_plan_destroy(plan);
    }
    end(&w);
}

static void needs_no_weights(void)
{
    world w;
    weft_session_plan *plan = NULL;
    if (!begin(&w, CONFIG)) return;
    weft_session_desc d = { .devices = &w.b, .n_devices = 1, .candidates = 1 };
    if (CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err)) {
        const weft_session_desc *settled = weft_session_plan_desc(plan);
        CHECK_EQ_INT(settled->context, 2048);
        CHECK_EQ_INT(settled->max_tokens, 512);
        CHECK(settled->bounds[0] == 1 && settled->bounds[1] == 8 && settled->bounds[3] == 128 && !settled->bounds[4]);
        CHECK_EQ_INT(settled->max_rows, 8);
        CHECK(weft_session_plan_bytes(plan, 0) > (uint64_t)300 << 20);
        CHECK_EQ_INT(made, 0);
    }
    weft_session_plan_destroy(plan);
    end(&w);
}

/* Without devices there is a graph, and nothing that could be opened. */
static void may_be_a_graph_alone(void)
{
    world w;
    weft_session_plan *plan;
    weft_session *s = (weft_session *)&err;
    uint32_t n;
    if (!begin(&w, TINY)) return;
    weft_session_desc d = { .candidates = 2 };
    if (CHECK_OK(weft_session_plan_create(w.m, &d, &plan, &err), err)) {
        CHECK(weft_session_plan_program(plan, 1) == NULL && weft_session_plan_program(plan, SIZE_MAX) == NULL);
        CHECK(weft_graph_find(weft_session_plan_graph(plan), "candidate.logit").id != 0);
        CHECK_STR(weft_session_plan_outputs(plan, &n)[0], "candidate.id");
        CHECK_EQ_INT(n, 3);
        CHECK_STATUS(weft_session_open(plan, NULL, &s, &err), WEFT_INVALID, err);
        CHECK(s == NULL);
    }
    d.outputs = WEFT_WANT_LOGITS; /* and candidates */
    CHECK_STATUS(weft_session_plan_create(w.m, &d, &plan, &err), WEFT_INVALID, err);
    CHECK(plan == NULL);
    weft_session_plan_destroy(NULL);
    end(&w);
}

static const weft_test tests[] = {
    { "is what a session runs", is_what_a_session_runs },
    { "counts its bytes", counts_its_bytes },
    { "is refused before loading", is_refused_before_loading },
    { "takes what memory allows", takes_what_memory_allows },
    { "needs no weights", needs_no_weights },
    { "may be a graph alone", may_be_a_graph_alone },
};
TEST_MAIN(tests)
