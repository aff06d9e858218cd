/* test_model.c: the bundled model through Vulkan: logits against the float64 reference, greedy continuations
 * against the CPU's, weight formats against the CPU's own error, pieces of weights, staging, validation, and
 * counted work. The driver is the one that the environment chooses. */
#include "graph/convert.h"
#include "tests/models/reference.h"
#include "tests/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static weft_error err;

enum { SHORT = 40 }; /* tokens of the longest prompt that is used */

static const weft_session_desc exact = { .weights = WEFT_F32, .exact = true };
static const weft_session_desc bf16_cache = { .weights = WEFT_F16, .kv = WEFT_BF16 };
static const weft_session_desc q8_0_cache = { .weights = WEFT_F16, .kv = WEFT_Q8_0 };
static const weft_session_desc f16 = { .weights = WEFT_F16 };
/* few tokens at once: only weights exceed 256 KiB, and come in pieces */
static const weft_session_desc exact_small = { .weights = WEFT_F32, .exact = true, .max_tokens = 64,
                                               .context = 128 };
static const weft_session_desc f16_small = { .weights = WEFT_F16, .max_tokens = 64, .context = 128 };

/* Several tokens at once and a single one (they have kernels of their own) are always there. The CPU, when it is
 * compared with, takes the same ones. */
static bool takes_prompt(size_t i, const weft_session_desc *desc)
{
    char row[64];
    snprintf(row, sizeof row, "prompt %zu, weights %d, cache %d", i, (int)desc->weights, (int)desc->kv);
    return i == 0 || i == 2 || sample_takes_slow(row, "vulkan_model");
}

/* The relative L2 error of the logits of all short prompts; of some, where only a sample is taken. */
static double logits_error(const char *spec, const weft_session_desc *desc)
{
    const reference *r = reference_get();
    bundled b;
    double error = 0.0, size = 0.0;
    json_t *prompt;
    bool open = r && bundled_open(&b, spec, desc);
    for (size_t i = 0; open && (prompt = json_array_get(json_object_get(r->root, "prompts"), i)); i++) {
        if (!takes_prompt(i, desc)) continue;
        const char *every = json_string_value(json_object_get(prompt, "logits_all"));
        const char *last = json_string_value(json_object_get(prompt, "logits_last"));
        size_t n, rows;
        int32_t *ids = reference_ids(json_object_get(prompt, "ids"), &n);
        double *want = n <= SHORT ? reference_logits(r, every ? every : last, &rows) : NULL;
        float *got = want ? malloc(rows * REF_VOCAB * sizeof *got) : NULL;
        CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
        if (got && CHECK_OK(eval_tokens(b.s, 0, ids, n, every != NULL, got, &err), err))
            for (size_t k = 0; k < rows * REF_VOCAB; k++) {
                error += ((double)got[k] - want[k]) * ((double)got[k] - want[k]);
                size += want[k] * want[k];
            }
        free(ids);
        free(want);
        free(got);
    }
    if (r) bundled_close(&b);
    double relative = sqrt(error / size);
    printf("  %s: relative error %.3g\n", spec, relative);
    return relative;
}

static void logits(void)
{
    CHECK(logits_error("vulkan:0", &exact) <= 2e-5);
    CHECK(logits_error("vulkan:0", &f16) <= 1e-3);
    CHECK(logits_error("vulkan:0", &bf16_cache) <= 5e-3);
    CHECK(logits_error("vulkan:0", &q8_0_cache) <= 1e-2);
    CHECK(logits_error("vulkan:0,without=subgroup,staging=1,max-binding=262144", &exact_small) <= 2e-5);
}

static void logits_validated(void)
{
    weft_backend *b;
    weft_status s = weft_backend_open("vulkan:0,validation=1", &b, &err);
    if (s == WEFT_NOT_FOUND) TEST_SKIP("no validation layer");
    if (!CHECK_OK(s, err)) return;
    weft_backend_close(b);
    CHECK(logits_error("vulkan:0,validation=1", &f16) <= 1e-3);
    CHECK(logits_error("vulkan:0,validation=1,staging=1,max-binding=262144,submit-ms=1", &f16_small) <= 1e-3);
}

/* Activations stay f32 on the GPU, so a format's error is the CPU's exact one, up to rounding. */
static void logits_other_formats(void)
{
    static const weft_dtype formats[] = { WEFT_BF16, WEFT_Q8_0, WEFT_Q4_0 };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        weft_session_desc desc = { .weights = formats[i], .exact = true };
        double cpu = logits_error("cpu,threads=2", &desc), gpu = logits_error("vulkan:0", &desc);
        CHECK(gpu <= 1.02 * cpu);
    }
}

/* ---- numbers that are none ---- */

/* The model's weights, but for one number of one of them. */
typedef struct spoilt {
    weft_weight_source real;
    const char *name;
    size_t at;
    float value, *copy;
} spoilt;

static weft_status find_spoilt(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    spoilt *s = ctx;
    WEFT_TRY(s->real.find(s->real.ctx, name, out, e));
    if (strcmp(name, s->name)) return WEFT_OK;
    int64_t n = 1;
    for (uint32_t i = 0; i < out->rank; i++) n *= out->dims[i];
    if (!s->copy) s->copy = malloc((size_t)n * sizeof *s->copy);
    if (!s->copy || !weft__convert_row(out->dtype, out->data, WEFT_F32, s->copy, n))
        return WEFT_FAIL(e, WEFT_OOM, "a test");
    s->copy[s->at] = s->value;
    out->dtype = WEFT_F32;
    out->data = s->copy;
    out->bytes = (uint64_t)n * sizeof *s->copy;
    return WEFT_OK;
}

static weft_status run_spoilt(const char *name, size_t at, float value, weft_dtype kv, uint32_t candidates)
{
    const uint32_t wants = candidates ? WEFT_WANT_CANDIDATES : WEFT_WANT_LOGITS;
    const weft_batch_token tokens[] = { { .id = 11 }, { .id = 402 }, { .id = 77, .wants = wants } };
    weft_model *m = NULL;
    weft_backend *b = NULL;
    weft_session *s = NULL;
    spoilt source = { .name = name, .at = at, .value = value };
    static float row[REF_VOCAB];
    weft_candidate best[4];
    weft_status status = weft_model_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", NULL, &m, &err);
    if (!status) status = weft_backend_open("vulkan:0", &b, &err);
    if (!status) {
        source.real = weft_model_weights(m);
        weft_model_set_weights(m, &(weft_weight_source){ &source, find_spoilt });
        weft_session_desc d = { .devices = &b, .n_devices = 1, .kv = kv, .candidates = candidates,
                                .context = 64, .max_tokens = 8 };
        status = weft_session_create(m, &d, &s, &err);
    }
    const weft_rows out = { .logits = row, .candidates = best };
    if (!status) status = weft_session_eval(s, tokens, 3, &out, &err);
    weft_session_destroy(s);
    weft_backend_close(b);
    weft_model_close(m);
    free(source.copy);
    return status;
}

/* As tests/models/test_finite.c has it for the CPU: what the device reduces does not hide a NaN, and a key that is too
 * large for a cache of f16 is named, while the other types hold it. */
static void numbers_that_are_none(void)
{
    for (uint32_t k = 0; k <= 4; k += k ? 3 : 1) {
        CHECK_STATUS(run_spoilt("embed_out.weight", 5 * 256 + 2, NAN, WEFT_F16, k), WEFT_NOT_FINITE, err);
        CHECK_CONTAINS(err.text, "token 77 at position 2");
    }
    static const char bias[] = "gpt_neox.layers.1.attention.query_key_value.bias";
    CHECK_STATUS(run_spoilt(bias, 32 + 9, 1e6f, WEFT_F16, 1), WEFT_NOT_FINITE, err);
    CHECK_CONTAINS(err.text, "'gpt_neox.layers.1.attention.key'");
    CHECK_OK(run_spoilt(bias, 32 + 9, 1e6f, WEFT_BF16, 1), err);
    CHECK_OK(run_spoilt(bias, 32 + 9, 1e6f, WEFT_F32, 0), err);
}

/* ---- generation ---- */

static bool continue_text(const char *spec, const weft_session_desc *desc, uint32_t n, weft_generated *out,
                          weft_counters *work)
{
    static const int32_t prompt[] = { 11, 402, 77, 1033, 5 };
    bundled b;
    const weft_generate_desc how = { .max_tokens = n, .ignore_eos = true };
    bool ok = bundled_open(&b, spec, desc) && CHECK_OK(weft_generate(b.s, 0, prompt, 5, &how, out, &err), err);
    if (ok && work) *work = weft_program_counters(weft_session_program(b.s, 1));
    bundled_close(&b);
    return ok;
}

static void greedy(void)
{
    weft_generated a = { 0 }, b = { 0 };
    if (continue_text("cpu,threads=2", &exact, 32, &a, NULL) && continue_text("vulkan:0", &exact, 32, &b, NULL) &&
        CHECK_EQ_INT(a.n_tokens, b.n_tokens))
        CHECK(!memcmp(a.tokens, b.tokens, a.n_tokens * sizeof *a.tokens));
    weft_generated_free(&a);
    weft_generated_free(&b);
}

/* After the first token nothing is recorded, written into descriptors or allocated, and launches and barriers are those
 * of the plan: six and five a layer, and six besides. */
static void counted(void)
{
    weft_generated a = { 0 };
    weft_counters w;
    if (!continue_text("vulkan:0,submit-ms=100000", &f16, 8, &a, &w)) return;
    uint32_t tokens = a.n_tokens - 1;
    printf("  per token: %.1f launches, %.1f barriers, %.1f submits, %.1f us of host time; %llu recordings\n",
           (double)w.launches / tokens, (double)w.barriers / tokens, (double)w.submits / tokens,
           1e6 * w.host_seconds / tokens, (unsigned long long)w.recordings);
    CHECK(w.launches <= (6u * 6u + 6u) * tokens);
    CHECK(w.barriers <= (5u * 6u + 6u) * tokens);
    CHECK(w.recordings <= 2);
    CHECK(w.bindings <= 6u * 6u + 6u);
    weft_generated_free(&a);
}

/* The 44-layer model of 20 thousand million parameters, planned for one token, from its configuration alone. */
static void plan_of_20b(void)
{
    static const char *const outputs[] = { "logits" };
    static const weft_bound bounds[] = { { "tokens", 1 }, { "rows", 1 } };
    weft_model *m = NULL;
    weft_backend *b = NULL;
    weft_graph *g = NULL;
    weft_program *p = NULL;
    weft_model_graph_desc d = { .weights = WEFT_Q4_0, .max_tokens = 1, .max_rows = 1 };
    if (CHECK_OK(weft_model_open(WEFT_TEST_ROOT "/models/configs/gpt-neox-20b.json", NULL, &m, &err), err) &&
        CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err) && CHECK_OK(weft_model_graph(m, &d, &g, &err), err)) {
        weft_program_desc pd = { .devices = &b, .n_devices = 1, .bounds = bounds, .n_bounds = 2, .outputs = outputs,
                                 .n_outputs = 1, .strict = true };
        if (CHECK_OK(weft_program_create(g, &pd, &p, &err), err)) {
            const weft_plan *plan = weft_program_plan(p);
            uint32_t groups = 0; /* launches, if nothing were cut */
            for (uint32_t i = 0; i < plan->n_steps; i++) groups += !plan->steps[i].joined;
            printf("  %u steps, %u launches, %u barriers\n", plan->n_steps, plan->n_launches, plan->n_barriers);
            CHECK(groups <= 6 * 44 + 6);
            CHECK(plan->n_barriers <= 5 * 44 + 6);
            CHECK(plan->n_launches <= groups + 5); /* embeddings and head are cut where a device binds little */
        }
    }
    weft_program_destroy(p);
    weft_graph_destroy(g);
    weft_backend_close(b);
    weft_model_close(m);
}

/* ---- refusals ---- */

static void refused(const char *spec, weft_status status, const char *part)
{
    weft_backend *b;
    weft_error e = { 0 };
    CHECK_EQ_INT(weft_backend_open(spec, &b, &e), status);
    if (!CHECK(strstr(e.text, part) != NULL)) printf("  %s: %s\n", spec, e.text);
}

static void bad_specs(void)
{
    refused("vulkan:99", WEFT_NOT_FOUND, "no such device");
    refused("vulkan:no such name", WEFT_NOT_FOUND, "no such device");
    refused("vulkan", WEFT_NOT_FOUND, "must be named");
    refused("vulkan:0,colour=red", WEFT_INVALID, "unknown option");
    refused("vulkan:0,max-binding=x", WEFT_INVALID, "number of bytes");
    refused("vulkan:0,loader=/no/such/file", WEFT_NOT_FOUND, "loader");
    refused("vulkan:0,without=dot+nonsense", WEFT_INVALID, "without=nonsense: no feature or kernel of that name (sub");
    refused("vulkan:0,without=", WEFT_INVALID, "names with '+'");
    refused("vulkan:0,without=dot+", WEFT_INVALID, "names with '+'");
}

/* A device's name is taken as it is printed, commas and all, with options behind it or without. */
static void whole_names(void)
{
    weft_device_info info, opened;
    char spec[256];
    if (!CHECK_OK(weft_backend_list("vulkan", 0, &info, &err), err)) return;
    for (int i = 0; i < 2; i++) {
        weft_backend *b;
        snprintf(spec, sizeof spec, "vulkan:%s%s", info.model, i ? ",without=dot+matvec,staging=1" : "");
        if (!CHECK_OK(weft_backend_open(spec, &b, &err), err)) continue;
        weft_backend_info(b, &opened);
        CHECK_EQ_INT(opened.index, 0);
        CHECK(!strcmp(opened.model, info.model));
        weft_backend_close(b);
    }
    snprintf(spec, sizeof spec, "vulkan:%s, and more", info.model);
    refused(spec, WEFT_NOT_FOUND, "and more: no such device");
}

static const weft_test tests[] = {
    { "logits", logits },           { "logits validated", logits_validated },
    { "logits of other formats", logits_other_formats },
    { "numbers that are none", numbers_that_are_none },
    { "greedy", greedy },           { "counted", counted },
    { "plan of 20b", plan_of_20b }, { "bad specs", bad_specs },
    { "whole names", whole_names },
};
TEST_MAIN(tests)
