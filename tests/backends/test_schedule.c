/* test_schedule.c: schedules without a device: the null backend, whose kernels, verdicts, needs and memory come from a
 * table. Whatever a schedule does to a device beyond asking it is counted, and must be nothing. */
#include "backends/schedule.h"
#include "tests/oom.h"

static weft_error err;

/* ---- devices by table ---- */

enum { MAX_KERNELS = 4 };

typedef struct kernel {
    weft_op op;
    const char *name;
    weft_verdict verdict;
    uint8_t need; /* of every input */
} kernel;

typedef struct table {
    weft_backend base;
    kernel kernels[MAX_KERNELS]; /* best first; an op that has none here runs on "null/any" */
    weft_op lacks;               /* an op without a kernel; 0 (input): none */
    uint64_t memory;             /* 0: not known */
    const char *probe;
    uint32_t n_touched, n_judged[WEFT_VERDICT_UNTESTED + 1]; /* by verdict */
} table;

static weft_place_reason choose(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out)
{
    const table *d = (const table *)b;
    const char *failed = NULL;
    if (d->lacks && q->node->op == d->lacks) return WEFT_PLACE_NO_KERNEL;
    *out = (weft_kernel_choice){ .name = "null/any", .kernel = d };
    for (uint32_t i = 0; i < MAX_KERNELS && d->kernels[i].name; i++) {
        const kernel *k = &d->kernels[i];
        if (k->op != q->node->op) continue;
        if (k->verdict == WEFT_VERDICT_FAILED) {
            if (!failed) failed = k->name;
            continue;
        }
        *out = (weft_kernel_choice){ .kernel = k, .instead_of = failed };
        snprintf(out->name, sizeof out->name, "%s", k->name);
        for (uint32_t j = 0; j < q->node->n_in; j++) out->needs[j] = k->need;
        return WEFT_PLACE_REQUESTED;
    }
    return failed ? WEFT_PLACE_DISABLED : WEFT_PLACE_REQUESTED;
}

static kernel *find_kernel(const weft_backend *b, const weft_kernel_choice *c)
{
    table *d = (table *)(uintptr_t)b;
    for (uint32_t i = 0; i < MAX_KERNELS && d->kernels[i].name; i++)
        if (!strcmp(d->kernels[i].name, c->name)) return &d->kernels[i];
    return NULL;
}

static weft_verdict verdict(const weft_backend *b, const weft_kernel_choice *c)
{
    const kernel *k = find_kernel(b, c);
    return k ? k->verdict : WEFT_VERDICT_PASSED;
}

static void judge(weft_backend *b, const weft_kernel_choice *c, weft_verdict v, const char *detail)
{
    table *d = (table *)b;
    kernel *k = find_kernel(b, c);
    (void)detail;
    if (!k) return;
    k->verdict = v;
    d->n_judged[v]++;
}

static const char *probe(const weft_backend *b, uint32_t i)
{
    return i ? NULL : ((const table *)b)->probe;
}

static void info(const weft_backend *b, weft_device_info *out)
{
    const table *d = (const table *)b;
    *out = (weft_device_info){ .name = "table", .memory = d->memory, .memory_known = d->memory != 0 };
}

/* A layout of its own for each set of uses, so that schedules show what a device was told. */
static weft_layout layout_of_uses(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims,
                                  uint32_t uses)
{
    (void)b;
    CHECK(t == WEFT_F32 && rank > 0 && dims[0] > 0);
    return uses;
}

static weft_status touched(weft_backend *b, weft_error *e)
{
    ((table *)b)->n_touched++;
    return WEFT_FAIL(e, WEFT_UNSUPPORTED, "a table runs nothing");
}

static weft_status buf_create(weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *e)
{
    (void)bytes, (void)out;
    return touched(b, e);
}

static weft_status exec_create(weft_backend *b, const weft_exec_desc *desc, weft_exec **out, weft_error *e)
{
    (void)desc, (void)out;
    return touched(b, e);
}

static bool joins(const weft_backend *b, const weft_kernel_choice *const *launch, uint32_t n,
                  const weft_kernel_choice *next)
{
    (void)b, (void)launch, (void)n, (void)next;
    return true;
}

static const weft_backend_vt *table_vt(void)
{
    static weft_backend_vt vt;
    vt = weft__backend_null;
    vt.name = "table";
    vt.info = info;
    vt.choose = choose;
    vt.weight_layout = layout_of_uses;
    vt.probe = probe;
    vt.verdict = verdict;
    vt.judge = judge;
    vt.joins = joins;
    vt.buf_create = buf_create;
    vt.exec_create = exec_create;
    return &vt;
}

/* Two devices, and what schedules on them are made from. */
typedef struct world {
    table d[2];
    weft_backend *devices[2];
    weft_program_desc desc;
    weft_graph *g;
} world;

static bool begin(world *w, uint32_t n_devices, const char *text)
{
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < 2; i++) {
        w->d[i].base.vt = table_vt();
        w->devices[i] = &w->d[i].base;
    }
    w->desc = (weft_program_desc){ .devices = w->devices, .n_devices = n_devices, .as_built = true };
    return CHECK_OK(weft_graph_parse(text, strlen(text), "test", NULL, &w->g, &err), err);
}

static void end(world *w)
{
    CHECK_EQ_INT(w->d[0].n_touched + w->d[1].n_touched, 0);
    CHECK_EQ_INT(w->d[0].base.users + w->d[1].base.users, 0);
    weft_graph_destroy(w->g);
}

static const weft__schedule *make(world *w)
{
    const weft__schedule *s = NULL;
    CHECK_OK(weft__schedule_create(w->g, &w->desc, &s, &err), err);
    return s;
}

/* The first node of an op. */
static uint32_t id_of(const weft__schedule *s, weft_op op)
{
    for (uint32_t i = 0; i < weft_graph_node_count(s->g); i++)
        if (weft_graph_node(s->g, i)->op == op) return weft_graph_node(s->g, i)->id;
    return 0;
}

static uint32_t count(const weft__schedule *s, weft_op op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(s->g); i++) n += weft_graph_node(s->g, i)->op == op;
    return n;
}

/* ---- placement ---- */

/* 4 x 8 numbers through two products with 8 x 8 weights of float32, 256 bytes each, and two maps. */
static const char CHAIN[] = "weft-graph 1\n"
                            "%1 = input \"x\" : f32[4, 8]\n"
                            "%2 = weight \"a\" : f32[8, 8]\n"
                            "%3 = matmul_nt %1, %2 @ \"layers.0\"\n"
                            "%4 = relu %3 @ \"layers.0\"\n"
                            "%5 = weight \"b\" : f32[8, 8]\n"
                            "%6 = matmul_nt %4, %5 @ \"layers.1\"\n"
                            "%7 = gelu %6 @ \"layers.1\"\n"
                            "output \"y\" = %7\n";
enum { WEIGHT = 8 * 8 * 4, VALUE = 4 * 8 * 4 };

static void check_place(const weft__schedule *s, weft_op op, uint32_t device, weft_place_reason reason,
                        const char *name)
{
    weft_place p = weft__schedule_place(s, id_of(s, op));
    CHECK_EQ_INT(p.device, device);
    CHECK_STR(weft_place_name(p.reason), weft_place_name(reason));
    CHECK_STR(p.kernel, name);
}

static void places_on_the_first_device(void)
{
    world w;
    if (!begin(&w, 2, CHAIN)) return;
    const weft__schedule *s = make(&w);
    if (s) {
        check_place(s, WEFT_OP_matmul_nt, 0, WEFT_PLACE_REQUESTED, "null/any");
        check_place(s, WEFT_OP_gelu, 0, WEFT_PLACE_REQUESTED, "null/any");
        check_place(s, WEFT_OP_weight, 0, WEFT_PLACE_FOLLOWS, "");
        CHECK_EQ_INT(s->n_segments, 1);
        CHECK_EQ_INT(s->segments[0].n, 4);
        CHECK_EQ_INT(count(s, WEFT_OP_transfer), 0);
        CHECK_EQ_INT(weft__schedule_memory(s, 0).weights, 2 * WEIGHT);
        CHECK_EQ_INT(weft__schedule_memory(s, 1).weights, 0);
    }
    weft__schedule_destroy(s);
    end(&w);
}

/* Steps share a launch, if the device can, as far as none needs what another one makes. */
static void steps_join_up_to_a_barrier(void)
{
    static const char apart[] = "weft-graph 1\n"
                                "%1 = input \"x\" : f32[4, 8]\n"
                                "%2 = relu %1\n"
                                "%3 = gelu %1\n"
                                "%4 = tanh %2\n"
                                "output \"y\" = %3\n"
                                "output \"z\" = %4\n";
    world w;
    const char *const texts[] = { CHAIN, apart };
    for (int i = 0; i < 2; i++) {
        if (!begin(&w, 1, texts[i])) return;
        const weft__schedule *s = make(&w);
        CHECK(s && s->plan->n_launches == (i ? 2 : 4));
        for (uint32_t k = 0; s && k < s->plan->n_steps; k++)
            CHECK(!s->plan->steps[k].joined || !s->plan->steps[k].barrier);
        weft__schedule_destroy(s);
        end(&w);
    }
}

/* What the first device lacks is on the second, between two transfers, with the reason; strict refuses it. */
static void falls_back(void)
{
    world w;
    if (!begin(&w, 2, CHAIN)) return;
    w.d[0].lacks = WEFT_OP_relu;
    const weft__schedule *s = make(&w);
    if (s) {
        check_place(s, WEFT_OP_relu, 1, WEFT_PLACE_NO_KERNEL, "null/any");
        check_place(s, WEFT_OP_gelu, 0, WEFT_PLACE_REQUESTED, "null/any");
        CHECK_EQ_INT(count(s, WEFT_OP_transfer), 2);
        CHECK_EQ_INT(s->n_segments, 5);
        for (uint32_t i = 0; i < s->n_segments && i < 5; i++) {
            CHECK_EQ_INT(s->segments[i].transfer, i == 1 || i == 3);
            if (!s->segments[i].transfer) CHECK_EQ_INT(s->segments[i].device, i == 2);
        }
    }
    weft__schedule_destroy(s);
    w.desc.strict = true;
    CHECK_STATUS(weft__schedule_create(w.g, &w.desc, &s, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "layers.0 relu");
    CHECK_CONTAINS(err.text, "strict");
    CHECK(s == NULL);
    w.desc.strict = false;
    w.d[1].lacks = WEFT_OP_relu;
    CHECK_STATUS(weft__schedule_create(w.g, &w.desc, &s, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "NO_KERNEL");
    end(&w);
}

/* ---- verdicts ---- */

static void avoids_what_failed(void)
{
    world w;
    if (!begin(&w, 2, CHAIN)) return;
    w.d[0].kernels[0] = (kernel){ WEFT_OP_gelu, "gelu/fast", WEFT_VERDICT_PASSED, 0 };
    w.d[0].kernels[1] = (kernel){ WEFT_OP_gelu, "gelu/plain", WEFT_VERDICT_NONE, 0 };
    const weft__schedule *s = make(&w);
    if (s) check_place(s, WEFT_OP_gelu, 0, WEFT_PLACE_REQUESTED, "gelu/fast");
    weft__schedule_destroy(s);
    w.d[0].kernels[0].verdict = WEFT_VERDICT_FAILED;
    s = make(&w);
    if (s) {
        check_place(s, WEFT_OP_gelu, 0, WEFT_PLACE_REQUESTED, "gelu/plain");
        CHECK_STR(s->choices[id_of(s, WEFT_OP_gelu)].instead_of, "gelu/fast");
    }
    weft__schedule_destroy(s);
    w.desc.strict = true;
    CHECK_STATUS(weft__schedule_create(w.g, &w.desc, &s, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "gelu/fast is disabled");
    w.desc.strict = false;
    w.d[0].kernels[1].verdict = WEFT_VERDICT_FAILED;
    s = make(&w);
    if (s) check_place(s, WEFT_OP_gelu, 1, WEFT_PLACE_DISABLED, "null/any");
    weft__schedule_destroy(s);
    end(&w);
}

/* Creating a program tests what is untested and schedules again until nothing is. A table's probe cannot run, which
 * condemns the kernels in it. */
static void tests_until_nothing_is_untested(void)
{
    world w;
    weft_program *p = NULL;
    if (!begin(&w, 1, CHAIN)) return;
    w.d[0].kernels[0] = (kernel){ WEFT_OP_gelu, "gelu/fast", WEFT_VERDICT_NONE, 0 };
    w.d[0].kernels[1] = (kernel){ WEFT_OP_gelu, "gelu/other", WEFT_VERDICT_NONE, 0 };
    w.d[0].kernels[2] = (kernel){ WEFT_OP_gelu, "gelu/known", WEFT_VERDICT_PASSED, 0 };
    w.d[0].probe = CHAIN;
    const weft__schedule *s = make(&w); /* by itself it tests nothing */
    if (s) check_place(s, WEFT_OP_gelu, 0, WEFT_PLACE_REQUESTED, "gelu/fast");
    weft__schedule_destroy(s);
    CHECK_EQ_INT(w.d[0].n_touched, 0);
    if (CHECK_OK(weft_program_create(w.g, &w.desc, &p, &err), err)) {
        uint32_t gelu = 0;
        for (uint32_t i = 0; i < weft_program_plan(p)->n_steps; i++)
            if (!strcmp(weft_program_place(p, weft_program_plan(p)->steps[i].node).kernel, "gelu/known")) gelu++;
        CHECK_EQ_INT(gelu, 1);
    }
    CHECK_EQ_INT(w.d[0].n_judged[WEFT_VERDICT_TESTING], 2);
    CHECK_EQ_INT(w.d[0].n_judged[WEFT_VERDICT_FAILED], 2);
    CHECK_EQ_INT(w.d[0].kernels[1].verdict, WEFT_VERDICT_FAILED);
    CHECK_EQ_INT(w.d[0].kernels[2].verdict, WEFT_VERDICT_PASSED);
    CHECK(w.d[0].n_touched > 0);
    CHECK_EQ_INT(w.d[0].base.users, 1);
    weft_program_destroy(p);
    w.d[0].n_touched = 0;
    end(&w);
}

/* What no probe reaches is trusted. */
static void trusts_what_no_probe_has(void)
{
    world w;
    weft_program *p = NULL;
    if (!begin(&w, 1, CHAIN)) return;
    w.d[0].kernels[0] = (kernel){ WEFT_OP_gelu, "gelu/fast", WEFT_VERDICT_NONE, 0 };
    w.d[0].probe = "weft-graph 1\n%1 = input \"x\" : f32[4]\n%2 = tanh %1\noutput \"y\" = %2\n";
    CHECK_OK(weft_program_create(w.g, &w.desc, &p, &err), err);
    CHECK_EQ_INT(w.d[0].kernels[0].verdict, WEFT_VERDICT_UNTESTED);
    weft_program_destroy(p);
    end(&w);
}

/* ---- memory and splitting ---- */

static void splits_as_asked(void)
{
    static const struct { uint32_t asked, first, second; } cases[] = { { 0, 0, 2 }, { 1, 1, 1 }, { 2, 2, 0 },
                                                                       { 7, 2, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        const uint32_t split[] = { cases[i].asked, 0 };
        if (!begin(&w, 2, CHAIN)) return;
        w.desc.split = split;
        const weft__schedule *s = make(&w);
        if (s) {
            uint32_t device = cases[i].first < 2;
            CHECK_EQ_INT(s->split[0], cases[i].first);
            CHECK_EQ_INT(s->split[1], cases[i].second);
            CHECK(!s->by_memory);
            check_place(s, WEFT_OP_gelu, device, device ? WEFT_PLACE_SPLIT : WEFT_PLACE_REQUESTED, "null/any");
            CHECK_EQ_INT(count(s, WEFT_OP_transfer), cases[i].first == 1);
            for (uint32_t d = 0; d < 2; d++)
                CHECK_EQ_INT(weft__schedule_memory(s, d).weights, s->split[d] * (uint64_t)WEIGHT);
        }
        weft__schedule_destroy(s);
        end(&w);
    }
}

/* A device has room, or not, to the byte; layers are spread where it has not, and only if asked. */
static void spreads_by_memory(void)
{
    world w;
    if (!begin(&w, 2, CHAIN)) return;
    const weft__schedule *s = make(&w);
    if (!s) return;
    weft_program_memory m = weft__schedule_memory(s, 0);
    uint64_t all = weft__memory_sum(&m);
    CHECK_EQ_INT(all, m.weights + m.arena);
    CHECK(m.arena >= 2 * VALUE);
    CHECK(weft__schedule_fits(s)); /* nothing is known of the memory */
    w.d[0].memory = all;
    CHECK(weft__schedule_fits(s));
    w.d[0].memory = all - 1;
    CHECK(!weft__schedule_fits(s));
    weft__schedule_destroy(s);
    s = make(&w);
    if (s) CHECK(s->split == NULL && !weft__schedule_fits(s));
    weft__schedule_destroy(s);
    w.desc.spread = true;
    w.d[0].memory = all;
    s = make(&w);
    if (s) CHECK(s->split == NULL && weft__schedule_fits(s));
    weft__schedule_destroy(s);
    w.d[0].memory = all - 1;
    s = make(&w);
    if (s && CHECK(s->split != NULL)) {
        CHECK(s->by_memory);
        CHECK(s->split[0] < 2);
        check_place(s, WEFT_OP_gelu, 1, WEFT_PLACE_MEMORY, "null/any");
        CHECK(weft__schedule_fits(s));
    }
    weft__schedule_destroy(s);
    end(&w);
}

/* A weight that both devices read is on both, and counted on both. */
static void counts_what_two_devices_hold(void)
{
    world w;
    if (!begin(&w, 2, "weft-graph 1\n"
                      "%1 = input \"x\" : f32[4, 8]\n"
                      "%2 = weight \"a\" : f32[8, 8]\n"
                      "%3 = state \"s\" : f32[6, 8]\n"
                      "%4 = matmul_nt %1, %2\n"
                      "%5 = matmul %4, %2\n"
                      "%6 = add %5, %5\n"
                      "%7 = reduce_sum %3\n"
                      "output \"y\" = %6\n"
                      "output \"z\" = %7\n"))
        return;
    w.d[0].lacks = WEFT_OP_matmul;
    const weft__schedule *s = make(&w);
    if (s) {
        CHECK_EQ_INT(weft__resident_bytes(s, 0, (weft_ref){ 2 }), WEIGHT);
        CHECK_EQ_INT(weft__resident_bytes(s, 1, (weft_ref){ 2 }), WEIGHT);
        CHECK_EQ_INT(weft__schedule_memory(s, 0).states, 6 * 8 * 4);
        CHECK_EQ_INT(weft__schedule_memory(s, 1).states, 0);
    }
    weft__schedule_destroy(s);
    end(&w);
}

/* ---- legalising ---- */

/* Two readers of a transposed value share the copy that they need; one that reads it as it is needs none. */
static void copies_what_cannot_be_read(void)
{
    static const char text[] = "weft-graph 1\n"
                               "%1 = input \"x\" : f32[4, 8]\n"
                               "%2 = permute %1 {order = (1, 0)}\n"
                               "%3 = relu %2\n"
                               "%4 = tanh %2\n"
                               "%5 = add %3, %4\n"
                               "output \"y\" = %5\n";
    static const uint8_t needs[] = { WEFT_NEED_ANY, WEFT_NEED_ROWS, WEFT_NEED_DENSE };
    for (size_t i = 0; i < sizeof needs; i++) {
        world w;
        if (!begin(&w, 1, text)) return;
        w.d[0].kernels[0] = (kernel){ WEFT_OP_relu, "relu/picky", WEFT_VERDICT_PASSED, needs[i] };
        w.d[0].kernels[1] = (kernel){ WEFT_OP_tanh, "tanh/picky", WEFT_VERDICT_PASSED, needs[i] };
        const weft__schedule *s = make(&w);
        if (s) CHECK_EQ_INT(count(s, WEFT_OP_copy), needs[i] != WEFT_NEED_ANY);
        if (s && needs[i] != WEFT_NEED_ANY) {
            uint32_t copy = id_of(s, WEFT_OP_copy);
            const weft_node *relu = weft_graph_node_by_id(s->g, id_of(s, WEFT_OP_relu));
            CHECK_EQ_INT(weft__maker(s->g, relu->in[0])->id, copy);
            check_place(s, WEFT_OP_copy, 0, WEFT_PLACE_FOLLOWS, "null/any");
        }
        weft__schedule_destroy(s);
        end(&w);
    }
}

/* What is read from outside lies in one piece; a transposed output is copied, a weight too. */
static void copies_outputs(void)
{
    world w;
    if (!begin(&w, 1, "weft-graph 1\n"
                      "%1 = input \"x\" : f32[4, 8]\n"
                      "%2 = relu %1\n"
                      "%3 = permute %2 {order = (1, 0)}\n"
                      "%4 = weight \"a\" : f32[8, 8]\n"
                      "output \"y\" = %2\n"
                      "output \"t\" = %3\n"
                      "output \"a\" = %4\n"))
        return;
    const weft__schedule *s = make(&w);
    if (s) {
        CHECK_EQ_INT(count(s, WEFT_OP_copy), 2);
        CHECK_EQ_INT(weft__maker(s->g, weft_graph_find(s->g, "y"))->op, WEFT_OP_relu);
        CHECK_EQ_INT(weft__maker(s->g, weft_graph_find(s->g, "t"))->op, WEFT_OP_copy);
        CHECK_EQ_INT(weft__maker(s->g, weft_graph_find(s->g, "a"))->op, WEFT_OP_copy);
    }
    weft__schedule_destroy(s);
    end(&w);
}

/* A state is where it is stored to; what reads its old value elsewhere gets it by a transfer, and a store does not read
 * the bytes that it writes. */
static void states_are_where_they_are_stored_to(void)
{
    world w;
    if (!begin(&w, 2, "weft-graph 1\n"
                      "%1 = state \"s\" : f32[4, 8]\n"
                      "%2 = input \"at\" : i32[4]\n"
                      "%3 = relu %1\n"
                      "%4 = reshape %1 {dims = [4, 8]}\n"
                      "%5 = store %1, %4, %2 {axis = 0}\n"
                      "%6 = store %5, %3, %2 {axis = 0}\n"
                      "output \"y\" = %6\n"))
        return;
    w.d[0].lacks = WEFT_OP_relu;
    const weft__schedule *s = make(&w);
    if (s) {
        check_place(s, WEFT_OP_state, 0, WEFT_PLACE_FOLLOWS, "");
        check_place(s, WEFT_OP_relu, 1, WEFT_PLACE_NO_KERNEL, "null/any");
        CHECK_EQ_INT(count(s, WEFT_OP_transfer), 2);
        CHECK_EQ_INT(count(s, WEFT_OP_copy), 1);
        const weft_node *store = weft_graph_node_by_id(s->g, id_of(s, WEFT_OP_store));
        CHECK_EQ_INT(weft__maker(s->g, store->in[1])->op, WEFT_OP_copy);
    }
    weft__schedule_destroy(s);
    end(&w);
}

/* A state that no step reads is held all the same if it can be read from outside. */
static void holds_states_that_are_outputs(void)
{
    world w;
    if (!begin(&w, 1, "weft-graph 1\n"
                      "%1 = state \"s\" : f32[4, 8]\n"
                      "%2 = reshape %1 {dims = [32]}\n"
                      "output \"y\" = %2\n"))
        return;
    const weft__schedule *s = make(&w);
    if (s) CHECK_EQ_INT(weft__schedule_memory(s, 0).states, 4 * 8 * 4);
    weft__schedule_destroy(s);
    end(&w);
}

/* ---- a function of what it is given ---- */

/* ---- weights ---- */

static void says_how_weights_are_used(void)
{
    static const char text[] = "weft-graph 1\n"
                               "%1 = input \"x\" : f32[4, 8]\n"
                               "%2 = input \"i\" : i32[3]\n"
                               "%3 = weight \"matrix\" : f32[8, 8]\n"
                               "%4 = weight \"tied\" : f32[8, 8]\n"
                               "%5 = weight \"table\" : f32[8, 8]\n"
                               "%6 = weight \"added\" : f32[8]\n"
                               "%7 = weight \"both\" : f32[8, 8]\n"
                               "%14 = weight \"experts\" : f32[2, 8, 8]\n"
                               "%15 = input \"ids\" : i32[4, 1]\n"
                               "%8 = matmul_nt %1, %3\n"
                               "%9 = matmul_nt %8, %4\n"
                               "%10 = gather %4, %2\n"
                               "%11 = gather %5, %2\n"
                               "%12 = add %9, %6\n"
                               "%13 = matmul_nt %7, %7\n"
                               "%16 = linear_select %1, %14, %15\noutput \"e\" = %16\n"
                               "output \"a\" = %10\noutput \"b\" = %11\noutput \"c\" = %12\noutput \"d\" = %13\n";
    static const struct { const char *name; uint32_t uses; } weights[] = {
        { "matrix", WEFT_USE_MULTIPLIED }, { "tied", WEFT_USE_MULTIPLIED | WEFT_USE_GATHERED },
        { "table", WEFT_USE_GATHERED },    { "added", WEFT_USE_ELEMENTS },
        { "both", WEFT_USE_MULTIPLIED | WEFT_USE_ELEMENTS },
        { "experts", WEFT_USE_SELECTED },
    };
    world w;
    if (!begin(&w, 1, text)) return;
    const weft__schedule *s = make(&w);
    uint32_t found = 0;
    for (uint32_t i = 0; s && i < weft_graph_node_count(s->g); i++) {
        const weft_node *n = weft_graph_node(s->g, i);
        for (uint32_t k = 0; k < 6 && n->op == WEFT_OP_weight; k++) {
            if (strcmp(n->name, weights[k].name)) continue;
            CHECK_EQ_INT(s->layouts[weft__at(s, 0, n->out[0].id)], weights[k].uses);
            found++;
        }
    }
    CHECK_EQ_INT(found, 6);
    weft__schedule_destroy(s);
    end(&w);
}

static void is_repeatable(void)
{
    world w;
    weft_text text[2] = { { 0 } };
    if (!begin(&w, 2, CHAIN)) return;
    w.d[0].lacks = WEFT_OP_relu;
    for (int i = 0; i < 2; i++) {
        const weft__schedule *s = make(&w);
        weft_writer out = weft_text_writer(&text[i]);
        if (s) CHECK_OK(weft_graph_print(s->g, &out, &err), err);
        if (s) CHECK_OK(weft_plan_print(s->g, s->plan, &out, &err), err);
        weft__schedule_destroy(s);
    }
    CHECK_STR(text[0].data, text[1].data);
    for (int i = 0; i < 2; i++) weft_text_free(&text[i]);
    end(&w);
}

static void survives_failing_allocations(void)
{
    for (int way = 0; way < 3; way++) { /* all on the first; with transfers; spread */
        world w;
        if (!begin(&w, 2, CHAIN)) return;
        if (way == 1) w.d[0].lacks = WEFT_OP_relu;
        if (way == 2) {
            w.desc.spread = true;
            w.d[0].memory = WEIGHT + VALUE;
        }
        OOM_LOOP(n)
        {
            const weft__schedule *s = NULL;
            weft_status status = weft__schedule_create(w.g, &w.desc, &s, &err);
            OOM_CHECK(status, err);
            CHECK((s != NULL) == (status == WEFT_OK));
            weft__schedule_destroy(s);
        }
        end(&w);
    }
}

static const weft_test tests[] = {
    { "places on the first device", places_on_the_first_device },
    { "steps join up to a barrier", steps_join_up_to_a_barrier },
    { "falls back", falls_back },
    { "avoids what failed", avoids_what_failed },
    { "tests until nothing is untested", tests_until_nothing_is_untested },
    { "trusts what no probe has", trusts_what_no_probe_has },
    { "splits as asked", splits_as_asked },
    { "spreads by memory", spreads_by_memory },
    { "counts what two devices hold", counts_what_two_devices_hold },
    { "copies what cannot be read", copies_what_cannot_be_read },
    { "copies outputs", copies_outputs },
    { "says how weights are used", says_how_weights_are_used },
    { "states are where they are stored to", states_are_where_they_are_stored_to },
    { "holds states that are outputs", holds_states_that_are_outputs },
    { "is repeatable", is_repeatable },
    { "survives failing allocations", survives_failing_allocations },
};
TEST_MAIN(tests)
