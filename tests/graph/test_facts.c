/* test_facts.c: costs of nodes, hyperparameters, and floats as text. */
#include <math.h>

#include "graph/map.h"
#include "graph/number.h"
#include "support.h"

/* ---- costs ---- */

static weft_cost cost_of(const weft_graph *g, weft_ref r, const int64_t *values)
{
    return weft_node_cost(g, weft_graph_node_by_id(g, weft_graph_value(g, r)->node), values);
}

#define CHECK_COST(c, f, r, w)                   \
    do {                                         \
        weft_cost cost_ = (c);                   \
        CHECK_NEAR(cost_.flops, (f), 0);         \
        CHECK_NEAR(cost_.bytes_read, (r), 0);    \
        CHECK_NEAR(cost_.bytes_written, (w), 0); \
    } while (0)

static void costs(void)
{
    weft_graph *g = test_graph();
    const weft_ref none = { 0 };
    const int64_t run[] = { 3 };
    weft_dim t = weft_extent(g, "t", 10);
    weft_ref x = weft_input(g, WEFT_F32, WEFT_DIMS(t, 64), "x"), at = weft_input(g, WEFT_I32, WEFT_DIMS(t), "at");
    weft_ref w = weft_weight(g, WEFT_Q8_0, WEFT_DIMS(32, 64), "w"), v = weft_weight(g, WEFT_F16, WEFT_DIMS(64), "v");
    weft_ref s = weft_state(g, WEFT_F16, WEFT_DIMS(2, 100, 32), "s");
    CHECK_COST(cost_of(g, x, run), 0, 0, 0);
    CHECK_COST(cost_of(g, weft_reshape(g, x, WEFT_DIMS(t, 2, 32)), run), 0, 0, 0);
    CHECK_COST(cost_of(g, weft_matmul_nt(g, x, w), run), 2 * 3 * 64 * 32, 3 * 64 * 4 + 32 * 68, 3 * 32 * 4);
    CHECK_COST(cost_of(g, weft_matmul_nt(g, x, w), NULL), 2 * 10 * 64 * 32, 10 * 64 * 4 + 32 * 68, 10 * 32 * 4);
    CHECK_COST(cost_of(g, weft_mul(g, x, v), run), 3 * 64, 3 * 64 * 4 + 128, 3 * 64 * 4);
    CHECK_COST(cost_of(g, weft_layer_norm(g, x, v, none, 0), run), 8 * 3 * 64, 3 * 64 * 4 + 128, 3 * 64 * 4);
    CHECK_COST(cost_of(g, weft_reduce_sum(g, x, 1), run), 8 * 3 * 64, 3 * 64 * 4, 3 * 4);
    CHECK_COST(cost_of(g, weft_cast(g, x, WEFT_F16), run), 0, 3 * 64 * 4, 3 * 64 * 2);
    CHECK_COST(cost_of(g, weft_gather(g, w, at), run), 0, 3 * 4 + 3 * 68, 3 * 64 * 4);
    /* decode reads the two experts of its one token; more choices than experts read each of them once */
    weft_ref experts = weft_weight(g, WEFT_Q4_0, WEFT_DIMS(8, 16, 64), "experts");
    weft_ref ids = weft_input(g, WEFT_I32, WEFT_DIMS(t, 2), "ids");
    weft_ref chosen = weft_linear_select(g, x, experts, ids);
    const int64_t one[] = { 1 };
    CHECK_COST(cost_of(g, chosen, one), 2 * 2 * 64 * 16, 64 * 4 + 2 * 4 + 2 * 16 * 36, 2 * 16 * 4);
    CHECK_COST(cost_of(g, chosen, run), 2 * 6 * 64 * 16, 3 * 64 * 4 + 6 * 4 + 6 * 16 * 36, 6 * 16 * 4);
    CHECK_COST(cost_of(g, chosen, NULL), 2 * 20 * 64 * 16, 10 * 64 * 4 + 20 * 4 + 8 * 16 * 36, 20 * 16 * 4);
    weft_ref rows = weft_transpose(g, weft_reshape(g, x, WEFT_DIMS(t, 2, 32)), 0, 1);
    weft_ref kv = weft_store(g, s, rows, at, 1);
    CHECK_COST(cost_of(g, kv, run), 0, 3 * 64 * 4 + 3 * 4, 3 * 64 * 2);
    weft_ref q = weft_reshape(g, x, WEFT_DIMS(t, 2, 32)), y = weft_attention(g, q, kv, kv, at, at, 1);
    CHECK_COST(cost_of(g, y, run), 3 * 2 * 100 * (4 * 32 + 5), 3 * 64 * 4 + 2 * 2 * 100 * 32 * 2 + 2 * 3 * 4,
               3 * 64 * 4);
    weft_ref blocks = weft_store(g, weft_state(g, WEFT_Q8_0, WEFT_DIMS(2, 100, 32), "blocks"), rows, at, 1);
    CHECK_COST(cost_of(g, blocks, run), 0, 3 * 64 * 4 + 3 * 4, 3 * 2 * 34);
    CHECK_COST(cost_of(g, weft_attention(g, q, blocks, blocks, at, at, 1), run), 3 * 2 * 100 * (4 * 32 + 5),
               3 * 64 * 4 + 2 * 2 * 100 * 34 + 2 * 3 * 4, 3 * 64 * 4);
    /* rows of as many sequences as there are, at most one per token */
    weft_ref h = weft_state(g, WEFT_F16, WEFT_DIMS(6, 64), "h"), scan = weft_linear_scan(g, h, x, x, at, at, NULL);
    CHECK_COST(cost_of(g, scan, run), 2 * 3 * 64, 2 * 3 * 64 * 4 + 2 * 3 * 4 + 3 * 64 * 2, 3 * 64 * (4 + 2));
    CHECK_COST(cost_of(g, scan, NULL), 2 * 10 * 64, 2 * 10 * 64 * 4 + 2 * 10 * 4 + 6 * 64 * 2, 64 * (10 * 4 + 6 * 2));
    weft_ref tail = weft_state(g, WEFT_F32, WEFT_DIMS(2, 3, 64), "tail");
    weft_ref taps = weft_weight(g, WEFT_F32, WEFT_DIMS(64, 4), "taps");
    CHECK_COST(cost_of(g, weft_conv1d(g, tail, x, taps, none, at, at, NULL), run), 8 * 3 * 64,
               3 * 64 * 4 + 64 * 4 * 4 + 2 * 3 * 4 + 2 * 3 * 64 * 4, 3 * 64 * 4 + 2 * 3 * 64 * 4);
    weft_ref k = weft_input(g, WEFT_F32, WEFT_DIMS(2, t, 32), "k"); /* one causal sequence */
    CHECK_NEAR(cost_of(g, weft_attention(g, q, k, k, at, at, 1), run).flops, 3 * 2 * 2 * (4 * 32 + 5), 0);
    weft_graph_destroy(g);
}

/* ---- hyperparameters ---- */

typedef struct entry {
    const char *key;
    double number; /* NAN: a text */
    const char *text;
} entry;

static const entry entries[] = {
    { "size", 768, NULL },        { "half", 0.5, NULL },      { "huge", 1e30, NULL },    { "negative", -3, NULL },
    { "nothing", 0, NULL },       { "on", 1, NULL },          { "name", NAN, "llm" },    { "gelu", NAN, "gelu" },
    { "fast", NAN, "gelu_fast" }, { "new", NAN, "gelu_new" }, { "swish", NAN, "swish" }, { "odd", NAN, "quick_gelu" },
    { "fine", 0.29, NULL },       { "nan", NAN, NULL },       { "infinite", INFINITY, NULL },
};

static const entry *find(const char *key)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (!strcmp(entries[i].key, key)) return &entries[i];
    return NULL;
}

static int find_number(const void *ctx, const char *key, double *out)
{
    (void)ctx;
    const entry *e = find(key);
    if (!e) return 0;
    if (e->text) return -1;
    *out = e->number;
    return 1;
}

static int find_text(const void *ctx, const char *key, const char **out)
{
    (void)ctx;
    const entry *e = find(key);
    if (!e) return 0;
    if (!e->text) return -1;
    *out = e->text;
    return 1;
}

/* The file has "half" elsewhere. */
static const char *find_spelling(const void *ctx, const char *key)
{
    (void)ctx;
    return !strcmp(key, "half") ? "a.half" : key;
}

static weft_config_value told[8];
static unsigned n_told;

static void hear(void *sink, const weft_config_value *v)
{
    CHECK(sink == told);
    if (n_told < 8) told[n_told++] = *v;
}

static const weft_config config = { .number = find_number, .text = find_text, .origin = "a/config.json",
                                    .spelling = find_spelling };

static void hyperparameters(void)
{
    weft_graph *g = test_graph();
    CHECK_EQ_INT(weft_config_u32(g, &config, "size", 1, 1000), 768);
    CHECK_EQ_INT(weft_config_u32_or(g, &config, "size", 5, 1, 1000), 768);
    CHECK_EQ_INT(weft_config_u32_or(g, &config, "absent", 5, 1, 1000), 5);
    CHECK_NEAR(weft_config_f64(g, &config, "half", 0, 1), 0.5, 0);
    CHECK_NEAR(weft_config_f64(g, &config, "fine", 0, 1), 0.29, 0); /* not the nearest float */
    CHECK(weft_config_bool(g, &config, "on"));
    CHECK(!weft_config_bool(g, &config, "nothing"));
    CHECK_EQ_INT(weft_config_act(g, &config, "gelu"), WEFT_ACT_GELU);
    CHECK_EQ_INT(weft_config_act(g, &config, "fast"), WEFT_ACT_GELU_TANH);
    CHECK_EQ_INT(weft_config_act(g, &config, "new"), WEFT_ACT_GELU_TANH);
    CHECK_EQ_INT(weft_config_act(g, &config, "swish"), WEFT_ACT_SILU);
    CHECK_EQ_INT(g->error.status, WEFT_OK);
    weft_graph_destroy(g);
}

static void unfit_hyperparameters(void)
{
    weft_graph *g = test_graph();
    CHECK_EQ_INT(weft_config_u32(g, &config, "absent", 3, 1000), 3);
    weft_config_u32(g, &config, "name", 1, 2); /* the first stays */
    test_fails(g, WEFT_NOT_FOUND, "a/config.json: 'absent' is missing");
    static const struct {
        const char *key, *part;
    } rows[] = {
        { "half", "'a.half' is 0.5, must be a whole number from 1 to 1000" },
        { "huge", "'huge' is 1e+30, must be" },
        { "negative", "'negative' is -3, must be" },
        { "nothing", "'nothing' is 0, must be" },
        { "nan", "'nan' is nan, must be" },
        { "infinite", "'infinite' is inf, must be" },
        { "name", "'name' is not a number" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        g = test_graph();
        CHECK_EQ_INT(weft_config_u32(g, &config, rows[i].key, 1, 1000), 1);
        test_fails(g, WEFT_FORMAT, rows[i].part);
        g = test_graph();
        CHECK_EQ_INT(weft_config_u32_or(g, &config, rows[i].key, 7, 1, 1000), 7);
        test_fails(g, WEFT_FORMAT, rows[i].part);
    }
    g = test_graph();
    CHECK(!weft_config_bool(g, &config, "size"));
    test_fails(g, WEFT_FORMAT, "'size' is 768");
    g = test_graph();
    weft_config_f64(g, &config, "huge", 0, 1e10);
    test_fails(g, WEFT_FORMAT, "'huge' is 1e+30, must be a number from 0 to 1e+10");
    g = test_graph();
    CHECK_EQ_INT(weft_config_act(g, &config, "odd"), WEFT_ACT_NONE);
    test_fails(g, WEFT_UNSUPPORTED, "'odd' is 'quick_gelu', an activation that is not known");
    g = test_graph();
    weft_config_act(g, &config, "size");
    test_fails(g, WEFT_FORMAT, "'size' is not a text");
}

/* Every value that a definition gets is told once, with whether the configuration had it; faults are not. */
static void tells_what_was_asked(void)
{
    weft_graph *g = test_graph();
    weft_config c = config;
    c.asked = hear;
    c.sink = told;
    n_told = 0;
    weft_config_u32(g, &c, "size", 1, 1000);
    weft_config_u32_or(g, &c, "absent", 5, 1, 1000);
    weft_config_f64(g, &c, "fine", 0, 1);
    weft_config_bool(g, &c, "nothing");
    weft_config_act(g, &c, "fast");
    weft_config_u32(g, &c, "nothing", 1, 2);
    weft_config_act(g, &c, "odd");
    weft_config_f64(g, &c, "absent", 0, 1);
    if (!CHECK_EQ_INT(n_told, 5)) return;
    CHECK_STR(told[0].key, "size");
    CHECK(told[0].number == 768 && told[0].found && !told[0].truth && !told[0].text);
    CHECK(told[1].number == 5 && !told[1].found);
    CHECK(told[2].number == 0.29 && told[2].found);
    CHECK(told[3].number == 0 && told[3].truth);
    CHECK_STR(told[4].text, "gelu_fast");
    weft_graph_destroy(g);
}

/* ---- floats as text ---- */

/* Every bit pattern of a sample reads back; what is not finite is written as its bits. */
static void floats_read_back(void)
{
    char buf[WEFT__FLOAT_TEXT];
    for (uint32_t u = 0; u < 0xfffe0000u; u += 99991) {
        float x, y = 0;
        memcpy(&x, &u, sizeof x);
        weft__float_text(x, buf);
        if (!isfinite(x)) {
            CHECK(strncmp(buf, "0x", 2) == 0);
            continue;
        }
        bool ok = weft__float_scan(buf, &y) && !memcmp(&x, &y, sizeof x);
        if (!CHECK(ok)) printf("  %08" PRIx32 " %s\n", u, buf);
    }
    CHECK_STR(weft__float_text(1e-5f, buf), "1e-05");
    CHECK_STR(weft__float_text(-0.0f, buf), "-0");
    float x;
    CHECK(!weft__float_scan("", &x));
    CHECK(!weft__float_scan("1 ", &x));
    CHECK(!weft__float_scan("nan", &x));
    CHECK(!weft__float_scan("0x1p3", &x));
    CHECK(!weft__float_scan("1e400", &x));
    CHECK(!weft__float_scan("1.2.3", &x));
    CHECK(weft__float_scan(".5", &x) && x == 0.5f);
}

/* ---- map.def ---- */

/* Shaders tell rows apart by their numbers; those of activations are weft_act. */
static void rows_of_maps(void)
{
    bool taken[256] = { false };
    for (unsigned op = 0; op < WEFT_OP_COUNT; op++) {
        uint32_t number = weft__map_number((weft_op)op);
        bool map = weft_op_get((weft_op)op)->traits & WEFT_TRAIT_MAP;
        CHECK(map == (number != 0) && number < 256 && !(number && taken[number]));
        taken[number] = true;
        weft_act act = weft__act_of_op((weft_op)op);
        CHECK(act == WEFT_ACT_NONE || (act == (weft_act)number && weft__op_of_act(act) == (weft_op)op));
    }
    for (unsigned act = WEFT_ACT_NONE + 1; act < WEFT_ACT_COUNT; act++) CHECK(taken[act]);
}

static void parameters_of_maps(void)
{
    float param[2] = { 9, 9 };
    weft__map_params(WEFT_OP_clamp, &(weft_attrs){ .clamp = { -1, 2, 0 } }, param);
    CHECK(param[0] == -1 && param[1] == 2);
    weft__map_params(WEFT_OP_scale, &(weft_attrs){ .scale = { 3, 0 } }, param);
    CHECK(param[0] == 3 && param[1] == 0);
    weft__map_params(WEFT_OP_add, &(weft_attrs){ .none = { 0 } }, param);
    CHECK(param[0] == 0 && param[1] == 0);
}

static const weft_test tests[] = {
    { "rows_of_maps", rows_of_maps },
    { "parameters_of_maps", parameters_of_maps },
    { "costs", costs },
    { "hyperparameters", hyperparameters },
    { "unfit_hyperparameters", unfit_hyperparameters },
    { "tells_what_was_asked", tells_what_was_asked },
    { "floats_read_back", floats_read_back },
};
TEST_MAIN(tests)
