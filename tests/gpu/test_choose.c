/* test_choose.c: which kernel takes a node, decided on data alone: caps, options and verdicts of the test's own. */
#include "tests/test.h"

#include "backends/gpu/choose.h"
#include "backends/gpu/weights.h"

static weft_error err;
static gpu_verdicts verdicts;

static gpu_caps radeon(void)
{
    return (gpu_caps){ .type = WEFT_DEVICE_DISCRETE, .subgroup = 32, .subgroup_min = 32, .subgroup_max = 64,
                       .subgroup_control = true, .subgroup_ops = true, .max_subgroups = 32, .max_invocations = 1024,
                       .max_groups = 0xffffffffu, .max_binding = UINT64_C(1) << 31,
                       .max_allocation = UINT64_C(1) << 31, .max_shared = 65536, .alignment = 64, .storage16 = true,
                       .tuning = gpu_tuning_named("amd_rdna") };
}

typedef struct sample {
    weft_graph *g;
    const weft_node *product;
    gpu_caps caps;
    gpu_rules rules;
} sample;

/* A product of three rows of x and w. */
static void sample_of(sample *s, const char *type, const char *product)
{
    static char text[512];
    snprintf(text, sizeof text, "weft-graph 1\n%%1 = input \"x\" : f32[3, 256]\n%%2 = weight \"w\" : %s[96, 256]\n"
             "%%3 = weight \"n\" : f32[256]\n%%4 = %s\noutput \"y\" = %%4\n", type, product);
    *s = (sample){ .caps = radeon() };
    s->rules = (gpu_rules){ .caps = &s->caps, .without = "", .verdicts = &verdicts };
    verdicts.n = 0;
    if (!CHECK_OK(weft_graph_parse(text, strlen(text), "sample", NULL, &s->g, &err), err)) return;
    for (uint32_t i = 0; i < weft_graph_node_count(s->g); i++)
        if (weft_graph_node(s->g, i)->n_in) s->product = weft_graph_node(s->g, i);
}

static void product_of(sample *s, const char *type)
{
    sample_of(s, type, "matmul_nt %1, %2");
}

static weft_place_reason choose(sample *s, weft_kernel_choice *out)
{
    static const int64_t no_bounds[WEFT_MAX_EXTENTS];
    weft_layout layouts[] = { GPU_LAYOUT_PLAIN, GPU_LAYOUT_PANEL, GPU_LAYOUT_PLAIN };
    weft_kernel_query q = { .g = s->g, .node = s->product, .bounds = no_bounds, .layouts = layouts };
    return gpu_choose(&s->rules, &q, out);
}

static void failed_forms(void)
{
    sample s;
    weft_kernel_choice first, second;
    product_of(&s, "q8_0");
    CHECK_EQ_INT(choose(&s, &first), WEFT_PLACE_REQUESTED);
    CHECK_STR(first.name, "matvec_subgroup/q8_0");
    CHECK(!first.instead_of);

    gpu_verdicts_set(&verdicts, first.name, first.compiled + 1, WEFT_VERDICT_FAILED, "another form");
    choose(&s, &second);
    CHECK_STR(second.name, "matvec_subgroup/q8_0");

    gpu_verdicts_set(&verdicts, first.name, first.compiled, WEFT_VERDICT_FAILED, "this form");
    choose(&s, &second);
    CHECK_STR(second.name, "matvec/q8_0");
    CHECK_STR(second.instead_of, "matvec_subgroup");
    s.rules.verdicts = NULL;
    choose(&s, &second);
    CHECK_STR(second.name, "matvec_subgroup/q8_0");
    s.rules.verdicts = &verdicts;

    gpu_verdicts_set(&verdicts, first.name, first.compiled, WEFT_VERDICT_NONE, "");
    choose(&s, &second);
    CHECK_STR(second.name, "matvec_subgroup/q8_0");
    weft_graph_destroy(s.g);
}

static void nothing_left(void)
{
    sample s;
    weft_kernel_choice c;
    product_of(&s, "f16");
    s.rules.without = "+matvec_subgroup+storage16+";
    CHECK_EQ_INT(choose(&s, &c), WEFT_PLACE_REQUESTED);
    CHECK_STR(c.name, "matvec/f16");
    s.rules.without = "+matvec_subgroup+matvec+matmul_lanes+matmul_tile+matmul_any+";
    CHECK_EQ_INT(choose(&s, &c), WEFT_PLACE_DISABLED);
    weft_graph_destroy(s.g);
}

/* A product that norms x reads it as floats: not where bytes are wanted, which its parts then take. */
static void bytes_before_norms(void)
{
    static const char *const types[] = { "q8_0", "f16" }; /* of the second there are no bytes */
    static const char normed[] = "linear %1, %2, %3 {has_bias = 0, act = none, n_residual = 0, norm = 1, eps = 1e-05}";
    for (int t = 0; t < 2; t++) {
        sample s;
        weft_kernel_choice c;
        char name[64];
        snprintf(name, sizeof name, "matvec_fused_subgroup/%s", types[t]);
        sample_of(&s, types[t], normed);
        CHECK_EQ_INT(choose(&s, &c), WEFT_PLACE_REQUESTED);
        CHECK_STR(c.name, name);
        s.caps.dot_least = (gpu_by_bits){ 1, 1, 1 };
        CHECK_EQ_INT(choose(&s, &c) == WEFT_PLACE_REQUESTED, t == 1);
        weft_graph_destroy(s.g);
        product_of(&s, types[t]);
        s.caps.dot_least = (gpu_by_bits){ 1, 1, 1 };
        snprintf(name, sizeof name, "%s/%s", t ? "matvec_subgroup" : "matvec_dot_subgroup", types[t]);
        CHECK_EQ_INT(choose(&s, &c), WEFT_PLACE_REQUESTED);
        CHECK_STR(c.name, name);
        weft_graph_destroy(s.g);
    }
}

static void verdicts_of_forms(void)
{
    char list[64];
    verdicts.n = 0;
    gpu_verdicts_set(&verdicts, "norm", 1, WEFT_VERDICT_PASSED, "");
    gpu_verdicts_set(&verdicts, "norm", 2, WEFT_VERDICT_UNTESTED, "");
    CHECK_EQ_INT(gpu_verdicts_find(&verdicts, "norm", 2)->verdict, WEFT_VERDICT_UNTESTED);
    CHECK(!gpu_verdicts_failed(&verdicts, "norm", 0));
    gpu_verdicts_set(&verdicts, "norm", 3, WEFT_VERDICT_FAILED, "two\nlines");
    gpu_verdicts_set(&verdicts, "norm", 2, WEFT_VERDICT_UNTESTED, ""); /* a form like one that failed */
    CHECK_EQ_INT(gpu_verdicts_find(&verdicts, "norm", 2)->verdict, WEFT_VERDICT_FAILED);
    CHECK_STR(gpu_verdicts_find(&verdicts, "norm", 3)->detail, "two lines");
    CHECK(gpu_verdicts_failed(&verdicts, "norm", 3) && !gpu_verdicts_failed(&verdicts, "norm", 1));
    gpu_verdicts_list(&verdicts, list, sizeof list);
    CHECK_STR(list, "norm");
    CHECK(!gpu_verdicts_find(&verdicts, "softmax", 1));
    gpu_verdicts_set(&verdicts, "norm", 1, WEFT_VERDICT_NONE, ""); /* the last takes its place */
    CHECK(verdicts.n == 2 && !gpu_verdicts_find(&verdicts, "norm", 1) && gpu_verdicts_find(&verdicts, "norm", 3));
}

static void rows_of_makers(void)
{
    static const struct { gpu_maker maker; uint32_t subgroup_min; bool dot_mixed; const char *row; } cases[] = {
        { { 0x1002, GPU_DRIVER_OTHER, 103 }, 64, false, "amd_gcn" },
        { { 0x1002, GPU_DRIVER_OTHER, 103 }, 32, false, "amd_rdna" },
        { { 0x1002, GPU_DRIVER_OTHER, 104 }, 32, true, "amd_rdna3" },
        { { 0x10de, GPU_DRIVER_OTHER, 104 }, 32, true, "nvidia" },
        { { 0x8086, GPU_DRIVER_OTHER, 103 }, 8, false, "intel_xe1" },
        { { 0x8086, GPU_DRIVER_OTHER, 104 }, 16, true, "intel_xe2" },
        { { 0x10005, GPU_DRIVER_LAVAPIPE, 103 }, 8, false, "lavapipe_old" },
        { { 0x10005, GPU_DRIVER_LAVAPIPE, 104 }, 8, false, "lavapipe" },
        { { 0x1ae0, GPU_DRIVER_SWIFTSHADER, 103 }, 4, false, "swiftshader" },
        { { 0x5143, GPU_DRIVER_OTHER, 103 }, 64, false, "other" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gpu_caps f = { .subgroup_min = cases[i].subgroup_min, .dot_mixed = cases[i].dot_mixed };
        CHECK_STR(gpu_tuning_find(&f, &cases[i].maker)->name, cases[i].row);
    }
    CHECK(!gpu_tuning_named("abacus"));
}

static const weft_test tests[] = {
    { "failed forms", failed_forms },
    { "nothing left", nothing_left },
    { "bytes before norms", bytes_before_norms },
    { "verdicts of forms", verdicts_of_forms },
    { "rows of makers", rows_of_makers },
};
TEST_MAIN(tests)
