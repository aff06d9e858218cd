/* test_tuned.c: settings of devices that are not here: which there are, what kernels become by them, and their lines in
 * a file, sound and damaged. */
#include "tests/test.h"

#include <stdlib.h>

#include "backends/gpu/choose.h"
#include "backends/tune_impl.h"

static weft_error err;

static gpu_caps radeon(const char *row)
{
    return (gpu_caps){ .type = WEFT_DEVICE_DISCRETE, .subgroup = 32, .subgroup_min = 32, .subgroup_max = 64,
                       .subgroup_control = true, .subgroup_ops = true, .max_subgroups = 32, .max_invocations = 1024,
                       .max_groups = 0xffffffffu, .max_binding = UINT64_C(1) << 31,
                       .max_allocation = UINT64_C(1) << 31, .max_shared = 65536, .alignment = 64, .storage16 = true,
                       .tuning = gpu_tuning_named(row) };
}

static const weft_tune_shape vector = { WEFT_Q4_0, 4096, 4096, 1, 0, 0 }, prompt = { WEFT_F16, 4096, 4096, 512, 0, 0 },
                             attention = { WEFT_F16, 4096, 128, 1, 32, 8 };

static bool nobody(const char *process)
{
    (void)process;
    return false;
}

static bool somebody(const char *process)
{
    (void)process;
    return true;
}

/* Every setting of a shape is one that the device takes, is written as it is read, and differs from the others. */
static void settings_are_taken(void)
{
    const weft_tune_shape *shapes[] = { &vector, &prompt, &attention };
    for (uint32_t s = 0; s < 3; s++) {
        gpu_caps caps = radeon("amd_rdna3");
        caps.matrix = (gpu_matrix){ 16, 16, 16, false };
        gpu_tuned_set *set = calloc(1, sizeof *set);
        const gpu_tuned_key key = gpu_tuned_key_of_shape(shapes[s]);
        char a[WEFT_TUNE_TEXT], b[WEFT_TUNE_TEXT];
        uint32_t n = 0;
        for (; gpu_setting_next(&caps, &key, "", n, a); n++) {
            CHECK(*a && !strchr(a, ' '));
            CHECK(gpu_form_of(set, &caps, &key, a) != NULL);
            for (uint32_t k = 0; k < n; k++) CHECK(gpu_setting_next(&caps, &key, "", k, b) && strcmp(a, b));
        }
        CHECK(n >= 5);
        gpu_tuned_free(set);
    }
}

static void settings_are_refused(void)
{
    static const char *const none[] = { "rows", "rows=", "rows=3", "rows=2,", "rows=2,rows=9", "rowses=2", "keys=128",
                                        "block=9999999999999", "=2", "rows=2 ", "subgroup=8" };
    gpu_caps caps = radeon("amd_rdna");
    gpu_tuned_set *set = calloc(1, sizeof *set);
    const gpu_tuned_key key = gpu_tuned_key_of_shape(&vector);
    for (uint32_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strcmp(none[i], "rows=2,")) CHECK(!gpu_form_of(set, &caps, &key, none[i]));
    CHECK(gpu_form_of(set, &caps, &key, "rows=4") != NULL);
    CHECK(gpu_form_of(set, &caps, &key, "") == &caps);
    caps.subgroup_control = false;
    CHECK(!gpu_form_of(set, &caps, &key, "subgroup=64,block=128"));
    gpu_tuned_free(set);
}

/* Products of few tokens share launches, so their settings must not depend on what those may differ in. */
static void keys(void)
{
    weft_tune_shape tall = vector, deep = vector, few = vector;
    tall.rows = 11008;
    deep.columns = 11008;
    few.tokens = 5;
    gpu_tuned_key a = gpu_tuned_key_of_shape(&vector), b = gpu_tuned_key_of_shape(&tall);
    CHECK(a.rows == b.rows && a.columns == b.columns && a.tokens == b.tokens);
    CHECK(gpu_tuned_key_of_shape(&deep).columns == 16384);
    CHECK(gpu_tuned_key_of_shape(&few).tokens == 8);
    CHECK(gpu_tuned_key_of_shape(&prompt).rows == 4096);
}

static void write_graph(const weft_tune_shape *s, char *text, size_t size)
{
    const char *type = weft_dtype_get(s->type)->name;
    if (s->heads)
        snprintf(text, size, "weft-graph 1\n%%1 = input \"x\" : f32[%u, %u, %u]\n%%2 = weight \"k\" : %s[%u, %u, %u]\n"
                 "%%3 = weight \"v\" : %s[%u, %u, %u]\n%%4 = input \"f\" : i32[%u]\n%%5 = input \"l\" : i32[%u]\n"
                 "%%6 = attention %%1, %%2, %%3, %%4, %%5 {scale = 0.125}\noutput \"y\" = %%6\n",
                 s->tokens, s->heads, s->columns, type, s->groups, s->rows, s->columns, type, s->groups, s->rows,
                 s->columns, s->tokens, s->tokens);
    else
        snprintf(text, size, "weft-graph 1\n%%1 = input \"x\" : f32[%u, %u]\n%%2 = weight \"w\" : %s[%u, %u]\n"
                 "%%3 = matmul_nt %%1, %%2\noutput \"y\" = %%3\n", s->tokens, s->columns, type, s->rows, s->columns);
}

static weft_place_reason choose_for(const gpu_rules *rules, const weft_tune_shape *s, bool deterministic,
                                    weft_kernel_choice *out)
{
    static const int64_t no_bounds[WEFT_MAX_EXTENTS];
    char text[1024];
    weft_graph *g = NULL;
    const weft_layout w = s->heads ? GPU_LAYOUT_PLAIN : GPU_LAYOUT_PANEL;
    weft_layout layouts[] = { GPU_LAYOUT_PLAIN, w, GPU_LAYOUT_PLAIN, GPU_LAYOUT_PLAIN, GPU_LAYOUT_PLAIN };
    write_graph(s, text, sizeof text);
    if (!CHECK_OK(weft_graph_parse(text, strlen(text), "test", NULL, &g, &err), err)) return WEFT_PLACE_COUNT;
    weft_kernel_query q = { .g = g, .bounds = no_bounds, .layouts = layouts, .deterministic = deterministic };
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++)
        if (weft_graph_node(g, i)->n_in) q.node = weft_graph_node(g, i);
    const weft_place_reason why = gpu_choose(rules, &q, out);
    weft_graph_destroy(g);
    return why;
}

static weft_place_reason choose(const gpu_rules *rules, uint32_t rows, bool deterministic, weft_kernel_choice *out)
{
    return choose_for(rules, &(weft_tune_shape){ WEFT_Q4_0, rows, 4096, 1, 0, 0 }, deterministic, out);
}

/* What is tested in place of a shape is what it runs, by the row and by every setting beside it. */
static void expect_same_form(const gpu_caps *caps, gpu_tuned_set *set, const weft_tune_shape *shape)
{
    const gpu_rules rules = { .caps = caps, .without = "", .tuned = set };
    const weft_tune_shape small = weft__tune_smaller(shape);
    const gpu_tuned_key key = gpu_tuned_key_of_shape(shape), other = gpu_tuned_key_of_shape(&small);
    char setting[WEFT_TUNE_TEXT] = "";
    for (uint32_t i = 0;; i++) {
        weft_kernel_choice a = { .name = "" }, b = { .name = "" };
        CHECK(gpu_tuned_try(set, caps, &key, setting));
        const weft_place_reason why = choose_for(&rules, shape, false, &a);
        const bool taken = gpu_tuned_try(set, caps, &other, setting);
        const weft_place_reason as = taken ? choose_for(&rules, &small, false, &b) : WEFT_PLACE_COUNT;
        const bool same = a.compiled == b.compiled && !strcmp(a.name, b.name) && why == as;
        if (!test_note(same, __FILE__, __LINE__))
            printf("%s, %s %u x %u, %u tokens, '%s': %s, tested: %s%s\n", caps->tuning->name,
                      weft_dtype_get(shape->type)->name, shape->rows, shape->columns, shape->tokens, setting, a.name,
                      b.name, a.compiled != b.compiled ? ", another form" : "");
        if (!gpu_setting_next(caps, &key, "", i, setting)) break;
    }
    gpu_tuned_try(set, caps, &key, NULL);
}

static void what_is_tested_is_what_runs(void)
{
    static const char *const names[] = {
#define GPU_TUNING(name, ...) #name,
#include "backends/gpu/tuning.def"
#undef GPU_TUNING
    };
    static const weft_dtype types[] = { WEFT_F16, WEFT_Q8_0, WEFT_Q4_0, WEFT_Q4_K, WEFT_Q6_K };
    static const uint32_t columns[] = { 1024, 2048, 4096, 11008, 14336 }, tokens[] = { 1, 8, 32, 512 };
    for (uint32_t r = 0; r < sizeof names / sizeof *names; r++) {
        gpu_caps caps = radeon(names[r]);
        gpu_tuned_set *set = calloc(1, sizeof *set);
        caps.subgroup = caps.tuning->subgroup ? caps.tuning->subgroup : 32;
        caps.subgroup_min = caps.subgroup < 32 ? caps.subgroup : 32;
        if (caps.tuning->matrix.rows && caps.tuning->panel == 1) caps.matrix = (gpu_matrix){ 16, 16, 16, false };
        for (uint32_t i = 0; i < 5 * 5 * 4; i++)
            expect_same_form(&caps, set, &(weft_tune_shape){ types[i % 5], i % 3 ? 4096 : 32000, columns[i / 5 % 5],
                                                             tokens[i / 25], 0, 0 });
        for (uint32_t i = 0; i < 8; i++)
            expect_same_form(&caps, set, &(weft_tune_shape){ WEFT_F16, 4096, i % 2 ? 64 : 128, tokens[i / 2], 32, 8 });
        gpu_tuned_free(set);
    }
}

static const gpu_caps *form_of(const weft_kernel_choice *c)
{
    return ((const gpu_kernel *)c->kernel)->form;
}

static void what_is_kept_is_used(void)
{
    static gpu_verdicts verdicts;
    gpu_caps caps = radeon("amd_rdna");
    gpu_tuned_set *set = calloc(1, sizeof *set);
    const gpu_rules rules = { .caps = &caps, .without = "", .verdicts = &verdicts, .tuned = set };
    const gpu_tuned_key key = gpu_tuned_key_of_shape(&vector);
    weft_kernel_choice row, tuned, other, same;
    CHECK_EQ_INT(choose(&rules, 96, false, &row), WEFT_PLACE_REQUESTED);
    CHECK(gpu_tuned_put(set, &caps, &(gpu_tuned){ .key = key, .setting = "rows=4" }));
    choose(&rules, 96, false, &tuned);
    choose(&rules, 512, false, &other);
    CHECK(!form_of(&row) && form_of(&tuned) && tuned.compiled != row.compiled);
    CHECK(tuned.kernel == other.kernel); /* they may share a launch */
    CHECK(gpu_joins((const weft_kernel_choice *const[]){ &tuned }, 1, &other));
    CHECK(!gpu_joins((const weft_kernel_choice *const[]){ &row }, 1, &tuned));
    choose(&rules, 96, true, &same);
    CHECK(!form_of(&same)); /* deterministic programs do as the row says */
    gpu_verdicts_set(&verdicts, tuned.name, tuned.compiled, WEFT_VERDICT_FAILED, "by hand");
    choose(&rules, 96, false, &same);
    CHECK(!form_of(&same) && same.compiled == row.compiled); /* and where the self-test says no */
    CHECK(gpu_tuned_try(set, &caps, &key, "rows=1"));
    choose(&rules, 96, false, &same);
    CHECK(form_of(&same) && form_of(&same) != form_of(&tuned));
    CHECK(gpu_tuned_try(set, &caps, &key, NULL) && !gpu_tuned_try(set, &caps, &key, "rows=7"));
    gpu_tuned_free(set);
}

static void lines(void)
{
    static const char *const damaged[] = {
        "", "kept", "kept product q4_0 1 0 4096", "kept product q4_0 1 0 4096 1 2 rows=3",
        "kept product q9_0 1 0 4096 1 2 row",
        "kept product q4_0 3 0 4096 1 2 row", "kept product q4_0 1 0 0 1 2 row", "kept thing q4_0 1 0 4096 1 2 row",
        "kept product q4_0 1 0 4096 nan 2 row", "kept product q4_0 1 0 4096 1 -2 row",
        "kept product q4_0 1 0 4096 1,5 2 row",
        "lost product q4_0 1 0 4096 row", "wrong product q4_0 1 0 4096", "kept product q4_0 1 0 4294967295 1 2 row",
        "kept product q4_0 1 0 4096 1 2 subgroup=16" };
    gpu_caps caps = radeon("amd_rdna");
    gpu_tuned_set *set = calloc(1, sizeof *set), *again = calloc(1, sizeof *again);
    uint32_t changed;
    for (uint32_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        CHECK(!gpu_tuned_take(set, &caps, damaged[i], nobody));
    CHECK_EQ_INT(set->n, 0);
    CHECK(gpu_tuned_take(set, &caps, "kept product q4_0 1 0 4096 12.5 15 rows=4", nobody));
    CHECK(gpu_tuned_take(set, &caps, "kept product f16 1 0 4096 20 20 row", nobody));
    CHECK(gpu_tuned_take(set, &caps, "wrong product q4_0 1 0 4096 rows=8 max error 0.3, as it were", nobody));
    CHECK(gpu_tuned_take(set, &caps, "trying attention f16 1 0 128 keys=512 4711", nobody));
    CHECK_EQ_INT(gpu_tuned_count(set, &changed), 2);
    CHECK_EQ_INT(changed, 1);
    const gpu_tuned_key key = gpu_tuned_key_of_shape(&attention);
    const gpu_tuned *gone = gpu_tuned_find(set, &key, GPU_TUNED_WRONG, "keys=512");
    if (CHECK(gone != NULL)) CHECK_STR(gone->detail, "its test did not come back");
    CHECK(gpu_tuned_take(again, &caps, "trying attention f16 1 0 128 keys=512 4711", somebody) && !again->n);
    weft_text text = { 0 };
    const weft_writer w = weft_text_writer(&text);
    gpu_tuned_print(set, "1:2", &w);
    for (char *at = text.data, *end; at && (end = strchr(at, '\n')); at = end + 1) {
        *end = 0;
        CHECK(gpu_tuned_take(again, &caps, at, nobody));
    }
    CHECK_EQ_INT(again->n, set->n);
    CHECK(gpu_tuned_replaces(set, "kept product q4_0 1 0 4096 9 9 rows=2", "1:2")); /* the set has its own */
    CHECK(gpu_tuned_replaces(set, "trying product f16 1 0 4096 rows=4 1:2", "1:2")); /* is over */
    CHECK(!gpu_tuned_replaces(set, "trying product f16 1 0 4096 rows=4 1:3", "1:2"));
    CHECK(!gpu_tuned_replaces(set, "kept product q4_0 1 0 8192 9 9 rows=2", "1:2")); /* somebody else's find */
    CHECK(!gpu_tuned_replaces(set, "kept of another release", "1:2"));
    for (uint32_t i = 0; i < set->n; i++) CHECK_STR(again->items[i].detail, set->items[i].detail);
    weft_text_free(&text);
    gpu_tuned_free(set);
    gpu_tuned_free(again);
}

static void rows(void)
{
    gpu_caps caps = radeon("amd_rdna");
    gpu_tuned_set *set = calloc(1, sizeof *set);
    weft_text text = { 0 };
    const weft_writer w = weft_text_writer(&text);
    gpu_tuned_take(set, &caps, "kept product q4_0 1 0 4096 12.5 15 block=32,rows=4", nobody);
    gpu_tuned_take(set, &caps, "kept product q4_0 1 0 8192 12.5 15 rows=8", nobody); /* the first counts */
    gpu_tuned_take(set, &caps, "kept attention f16 1 0 128 12.5 15 keys=512", nobody);
    CHECK(gpu_tuned_row(set, &caps, "mine", &w));
    CHECK_CONTAINS(text.data, "GPU_TUNING(mine,");
    CHECK_CONTAINS(text.data, ".block = 32,");
    CHECK_CONTAINS(text.data, ".rows = { .bits16 = 2, .bits8 = 2, .bits4 = 4 }");
    CHECK_CONTAINS(text.data, ".keys = 512");
    weft_text_free(&text);
    gpu_tuned_free(set);
}

static void a_full_set(void)
{
    gpu_caps caps = radeon("amd_rdna");
    gpu_tuned_set *set = calloc(1, sizeof *set);
    gpu_tuned_key key = gpu_tuned_key_of_shape(&attention);
    uint32_t n = 0;
    for (key.columns = 4; n <= GPU_MAX_TUNED; key.columns += 4, n++)
        if (!gpu_tuned_put(set, &caps, &(gpu_tuned){ .key = key })) break;
    CHECK_EQ_INT(n, GPU_MAX_TUNED);
    gpu_tuned_free(set);
}

static const weft_test tests[] = {
    { "settings are taken", settings_are_taken }, { "settings are refused", settings_are_refused },
    { "keys", keys },                             { "what is tested is what runs", what_is_tested_is_what_runs },
    { "what is kept is used", what_is_kept_is_used },
    { "lines", lines },                           { "rows", rows },
    { "a full set", a_full_set },
};
TEST_MAIN(tests)
