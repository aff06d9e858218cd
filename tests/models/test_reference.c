/* test_reference.c: the bundled model against float64: logits, greedy continuations, log-probabilities, perplexities of
 * the weight formats, and the independence of results from how a prompt is cut and with what it is batched. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>

static weft_error err;

static const char *device = "cpu,threads=2";

/* ---- logits of the prompts ---- */

typedef struct accuracy {
    double worst, error, size; /* worst prompt; squared sums over all */
} accuracy;

static void add_prompt(bundled *b, const reference *r, const json_t *prompt, accuracy *a)
{
    const char *every = json_string_value(json_object_get(prompt, "logits_all"));
    const char *last = json_string_value(json_object_get(prompt, "logits_last"));
    size_t n, rows;
    int32_t *ids = reference_ids(json_object_get(prompt, "ids"), &n);
    double *want = reference_logits(r, every ? every : last, &rows);
    float *got = malloc(rows * REF_VOCAB * sizeof *got);
    CHECK_OK(weft_session_truncate(b->s, 0, 0, &err), err);
    if (CHECK(ids && want && got) && CHECK_EQ_INT(rows, every ? n : 1) &&
        CHECK_OK(eval_tokens(b->s, 0, ids, n, every != NULL, got, &err), err)) {
        a->worst = fmax(a->worst, relative_error(got, want, rows * REF_VOCAB));
        for (size_t i = 0; i < rows * REF_VOCAB; i++) {
            a->error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
            a->size += want[i] * want[i];
        }
    }
    free(ids);
    free(want);
    free(got);
}

/* Relative L2 error over all prompts of at most `longest` tokens within `limit`, and no single prompt
 * much worse. */
static void compare_logits(const char *spec, const weft_session_desc *desc, size_t longest, double limit)
{
    const reference *r = reference_get();
    bundled b;
    accuracy a = { 0 };
    json_t *prompt;
    if (r && bundled_open(&b, spec, desc)) {
        for (size_t i = 0; (prompt = json_array_get(json_object_get(r->root, "prompts"), i)); i++)
            if (json_array_size(json_object_get(prompt, "ids")) <= longest) add_prompt(&b, r, prompt, &a);
        printf("  relative error of all logits %.3g, of the worst prompt %.3g\n", sqrt(a.error / a.size), a.worst);
        CHECK(sqrt(a.error / a.size) <= limit);
        CHECK(a.worst <= 2 * limit);
    }
    if (r) bundled_close(&b);
}

enum { ALL = 512, SHORT = 64 }; /* the prompts have 1 to 49 tokens, 300 and 448 */

static const weft_session_desc exact = { .weights = WEFT_F32, .exact = true };

static void logits_exact(void)
{
    compare_logits(device, &exact, REF_QUICK ? SHORT : ALL, 5e-6);
}

static void logits_exact_scalar(void)
{
    compare_logits("cpu,isa=scalar,threads=2", &exact, SHORT, 5e-6);
}

static void logits_exact_avx2(void)
{
    weft_backend *b;
    weft_status s = weft_backend_open("cpu,isa=avx2", &b, &err);
    if (s != WEFT_OK) TEST_SKIP("the processor has no AVX2");
    weft_backend_close(b);
    compare_logits("cpu,isa=avx2,threads=2", &exact, SHORT, 5e-6);
}

static void logits_default(void)
{
    compare_logits(device, NULL, ALL, 1e-3);
}

/* Formats that lose something: only that nothing is badly wrong. */
static void logits_other_formats(void)
{
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_BF16 }, SHORT, 2e-2);
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_Q8_0 }, SHORT, 2e-2);
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_Q8_0, .exact = true }, SHORT, 2e-2);
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_Q5_1 }, SHORT, 1e-1);
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_Q5_0 }, SHORT, 1e-1);
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_Q4_1 }, SHORT, 2e-1);
    compare_logits(device, &(weft_session_desc){ .weights = WEFT_Q4_0 }, SHORT, 2e-1);
}

/* What the type of the cache costs, everything else being exact. */
static void logits_of_caches(void)
{
    static const struct { weft_dtype kv, values; double limit; } caches[] = {
        { WEFT_F16, WEFT_F16, 5e-4 }, { WEFT_BF16, WEFT_BF16, 5e-3 }, { WEFT_Q8_0, WEFT_Q8_0, 1e-2 },
        { WEFT_Q8_0, WEFT_Q4_0, 2e-1 }, { WEFT_Q4_0, WEFT_Q8_0, 2e-1 }, { WEFT_Q4_0, WEFT_Q4_0, 2e-1 },
        { WEFT_Q4_1, WEFT_Q4_1, 2e-1 }, { WEFT_Q5_0, WEFT_Q5_0, 1e-1 }, { WEFT_Q5_1, WEFT_Q5_1, 1e-1 }
    };
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        printf("  a cache of %s and %s\n", weft_dtype_get(caches[i].kv)->name, weft_dtype_get(caches[i].values)->name);
        const weft_session_desc d = { .weights = WEFT_F32, .kv = caches[i].kv, .kv_values = caches[i].values,
                                      .exact = true };
        compare_logits(device, &d, REF_QUICK ? SHORT : ALL, caches[i].limit);
    }
}

/* ---- greedy continuations ---- */

/* With the reference's own tokens before it, each token must be the most probable one again. Where the reference's
 * margin is within the error of the arithmetic either may win: those are excused, and counted. */
static void check_steps(bundled *b, const json_t *prompt, double error, unsigned *excused)
{
    size_t n, n_greedy;
    int32_t *ids = reference_ids(json_object_get(prompt, "ids"), &n);
    int32_t *greedy = reference_ids(json_object_get(prompt, "greedy_ids"), &n_greedy);
    const char *name = json_string_value(json_object_get(prompt, "name"));
    float *logits = malloc(n_greedy * REF_VOCAB * sizeof *logits);
    CHECK_OK(weft_session_truncate(b->s, 0, 0, &err), err);
    bool ok = CHECK_OK(eval_tokens(b->s, 0, ids, n, false, logits, &err), err) &&
              CHECK_OK(eval_tokens(b->s, 0, greedy, n_greedy - 1, true, logits + REF_VOCAB, &err), err);
    for (size_t i = 0; ok && i < n_greedy; i++) {
        const float *row = logits + i * REF_VOCAB;
        double margin = json_real_value(json_array_get(json_object_get(prompt, "greedy_margins"), i));
        int32_t best = 0;
        for (int32_t k = 1; k < REF_VOCAB; k++)
            if (row[k] > row[best]) best = k;
        if (best == greedy[i]) continue;
        printf("  %s, step %zu: token %d, the reference has %d with a margin of %.4f\n", name, i, best, greedy[i],
               margin);
        ++*excused;
        CHECK(margin <= 2 * error);
    }
    free(ids);
    free(greedy);
    free(logits);
}

/* The text as a person sees it: without the end-of-text token. */
static char *visible(const char *text)
{
    static const char special[] = "<|endoftext|>";
    char *copy = strdup(text), *at;
    while (copy && (at = strstr(copy, special))) memmove(at, at + strlen(special), strlen(at + strlen(special)) + 1);
    return copy;
}

static void check_generation(bundled *b, const json_t *prompt)
{
    size_t n, n_greedy;
    int32_t *ids = reference_ids(json_object_get(prompt, "ids"), &n);
    int32_t *greedy = reference_ids(json_object_get(prompt, "greedy_ids"), &n_greedy);
    weft_generated got;
    const weft_generate_desc desc = { .max_tokens = (uint32_t)n_greedy, .ignore_eos = true };
    CHECK_OK(weft_session_truncate(b->s, 0, 0, &err), err);
    if (CHECK_OK(weft_generate(b->s, 0, ids, n, &desc, &got, &err), err)) {
        CHECK_EQ_INT(got.n_tokens, n_greedy);
        CHECK_EQ_INT(got.stop, WEFT_STOP_LENGTH);
        for (size_t i = 0; i < got.n_tokens && i < n_greedy; i++)
            if (!CHECK_EQ_INT(got.tokens[i], greedy[i])) {
                printf("  %s, step %zu\n", json_string_value(json_object_get(prompt, "name")), i);
                break;
            }
        char *text = visible(json_string_value(json_object_get(prompt, "greedy_text")));
        CHECK_STR(got.text, text);
        free(text);
        weft_generated_free(&got);
    }
    free(ids);
    free(greedy);
}

static void greedy_continuations(void)
{
    const reference *r = reference_get();
    bundled b;
    json_t *prompt;
    unsigned excused = 0;
    if (!r) return;
    if (bundled_open(&b, device, NULL)) {
        /* 0.01 is what a relative error of 1e-3 makes of logits around 10. */
        for (size_t i = 0; (prompt = json_array_get(json_object_get(r->root, "prompts"), i)); i++)
            if (!REF_QUICK || i % 4 == 0) check_steps(&b, prompt, 0.01, &excused);
        printf("  %u steps excused\n", excused);
    }
    bundled_close(&b);
}

static void greedy_continuations_exact(void)
{
    const reference *r = reference_get();
    bundled b;
    json_t *prompt;
    unsigned excused = 0;
    if (!r) return;
    if (bundled_open(&b, device, &exact)) {
        for (size_t i = 0; (prompt = json_array_get(json_object_get(r->root, "prompts"), i)); i++) {
            if (REF_QUICK && i % 4) continue;
            check_steps(&b, prompt, 1e-4, &excused);
            check_generation(&b, prompt); /* every margin is far above the error */
        }
        CHECK_EQ_INT(excused, 0);
    }
    bundled_close(&b);
}

/* ---- log-probabilities of a text ---- */

/* What a session makes of the excerpt: 2,000 tokens in chunks of 500, of which each follows an end-of-text token. */
typedef struct scores {
    double mean, want; /* negative log-probability per token, and the reference's of the same tokens */
    double most;       /* the largest difference of a single token */
} scores;

enum { CHUNK = 500, CHUNKS = REF_QUICK ? 1 : 4 };

static scores excerpt(const weft_session_desc *like)
{
    const reference *r = reference_get();
    weft_session_desc desc = like ? *like : (weft_session_desc){ 0 };
    scores result = { 0 };
    bundled b;
    size_t n;
    desc.max_rows = 64;
    if (!r) return result;
    json_t *e = json_object_get(r->root, "excerpt");
    int32_t *ids = reference_ids(json_object_get(e, "ids"), &n);
    const json_t *logprobs = json_object_get(e, "logprobs");
    float *logits = malloc(CHUNK * REF_VOCAB * sizeof *logits);
    if (bundled_open(&b, device, &desc) && CHECK(ids && logits && n == 4 * CHUNK))
        for (size_t at = 0; at < CHUNKS * CHUNK; at += CHUNK) {
            int32_t input[CHUNK] = { 0 }; /* the end-of-text token, then all but the last */
            memcpy(input + 1, ids + at, (CHUNK - 1) * sizeof *ids);
            CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
            if (!CHECK_OK(eval_tokens(b.s, 0, input, CHUNK, true, logits, &err), err)) break;
            for (size_t i = 0; i < CHUNK; i++) {
                double p = log_probability(logits + i * REF_VOCAB, REF_VOCAB, ids[at + i]);
                double want = json_real_value(json_array_get(logprobs, at + i));
                result.most = fmax(result.most, fabs(p - want));
                result.mean -= p / (CHUNKS * CHUNK);
                result.want -= want / (CHUNKS * CHUNK);
            }
        }
    bundled_close(&b);
    free(ids);
    free(logits);
    return result;
}

static void log_probabilities_of_an_excerpt(void)
{
    const reference *r = reference_get();
    if (!r) return;
    scores s = excerpt(&exact);
    CHECK_NEAR(s.mean, s.want, 1e-6);
    CHECK(s.most <= 2e-4);
    if (!REF_QUICK)
        CHECK_NEAR(s.want, json_real_value(json_object_get(json_object_get(r->root, "excerpt"), "mean_nll")), 1e-9);
}

static void perplexity_of_formats(void)
{
    if (!reference_get()) return;
    scores f16 = excerpt(NULL), q8 = excerpt(&(weft_session_desc){ .weights = WEFT_Q8_0 });
    scores q4 = excerpt(&(weft_session_desc){ .weights = WEFT_Q4_0 });
    CHECK_NEAR(f16.mean, f16.want, 5e-4);
    CHECK(f16.most <= 5e-2);
    double q8_more = exp(q8.mean - f16.mean) - 1, q4_more = exp(q4.mean - f16.mean) - 1;
    printf("  perplexity: f16 %.4f, q8_0 %+.2f %%, q4_0 %+.2f %%\n", exp(f16.mean), q8_more * 100, q4_more * 100);
    CHECK(fabs(q8_more) <= 0.005);
    CHECK(q4_more <= 0.03);
}

/* ---- cutting and batching ---- */

static const json_t *prompt_named(const reference *r, const char *name)
{
    json_t *prompt;
    for (size_t i = 0; (prompt = json_array_get(json_object_get(r->root, "prompts"), i)); i++)
        if (!strcmp(json_string_value(json_object_get(prompt, "name")), name)) return prompt;
    return NULL;
}

static void cut_prompts(const weft_session_desc *desc, double limit)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 64 };
    const reference *r = reference_get();
    bundled b;
    if (!r) return;
    size_t n;
    int32_t *ids = reference_ids(json_object_get(prompt_named(r, "long300"), "ids"), &n);
    n = REF_QUICK ? 70 : 150;
    float *whole = malloc(n * REF_VOCAB * sizeof *whole), *cut = malloc(n * REF_VOCAB * sizeof *cut);
    if (bundled_open(&b, device, desc) && CHECK(whole && cut) &&
        CHECK_OK(eval_tokens(b.s, 0, ids, n, true, whole, &err), err)) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
            for (size_t at = 0; at < n; at += sizes[k]) {
                size_t m = n - at < sizes[k] ? n - at : sizes[k];
                CHECK_OK(eval_tokens(b.s, 0, ids + at, m, true, cut + at * REF_VOCAB, &err), err);
            }
            double difference = relative_difference(cut, whole, n * REF_VOCAB);
            if (!CHECK(difference <= limit)) printf("  chunks of %zu: %.3g\n", sizes[k], difference);
        }
        /* Back to the middle, and on again. */
        CHECK_OK(weft_session_truncate(b.s, 0, (uint32_t)(n / 2), &err), err);
        CHECK_OK(eval_tokens(b.s, 0, ids + n / 2, n - n / 2, true, cut + n / 2 * REF_VOCAB, &err), err);
        CHECK(relative_difference(cut, whole, n * REF_VOCAB) <= limit);
    }
    bundled_close(&b);
    free(ids);
    free(whole);
    free(cut);
}

static void prompts_in_chunks(void)
{
    cut_prompts(&(weft_session_desc){ .weights = WEFT_F32, .exact = true, .max_rows = 32 }, 2e-6);
    cut_prompts(&(weft_session_desc){ .max_rows = 32 }, 1e-3);
    /* Small runs: the prompt is cut by the session itself. */
    cut_prompts(
        &(weft_session_desc){
            .weights = WEFT_F32, .exact = true, .max_tokens = 19, .max_rows = 4, .bounds = { 2 } },
        2e-6);
}

/* Three sequences whose tokens alternate in one batch, against each by itself. */
static void sequences_in_one_batch(void)
{
    static const char *const names[] = { "dialogue", "unicode", "newlines" };
    const reference *r = reference_get();
    bundled b;
    int32_t *ids[3];
    size_t n[3], total = 0, longest = 0, wanted = 0;
    if (!r) return;
    for (int i = 0; i < 3; i++) {
        ids[i] = reference_ids(json_object_get(prompt_named(r, names[i]), "ids"), &n[i]);
        total += n[i];
        longest = n[i] > longest ? n[i] : longest;
    }
    weft_batch_token *batch = calloc(total, sizeof *batch);
    float *alone = malloc(longest * REF_VOCAB * sizeof *alone),
          *together = malloc(total * REF_VOCAB * sizeof *together);
    const weft_session_desc desc = {
        .weights = WEFT_F32, .exact = true, .n_sequences = 4, .max_tokens = 40
    };
    if (bundled_open(&b, device, &desc) && CHECK(batch && alone && together)) {
        size_t at = 0;
        for (size_t i = 0; i < longest; i++)
            for (uint32_t k = 0; k < 3; k++)
                if (i < n[k]) batch[at++] = (weft_batch_token){ ids[k][i], k + 1, i + 1 == n[k] || i % 3 == k };
        CHECK_OK(weft_session_eval(b.s, batch, total, &(weft_rows){ .logits = together }, &err), err);
        for (uint32_t k = 0; k < 3; k++) CHECK_EQ_INT(weft_session_length(b.s, k + 1), n[k]);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 0);
        for (uint32_t k = 0; k < 3; k++) {
            CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
            CHECK_OK(eval_tokens(b.s, 0, ids[k], n[k], true, alone, &err), err);
            size_t row = 0, position = 0;
            for (size_t i = 0; i < total; i++) {
                if (batch[i].sequence == k + 1 && batch[i].wants) {
                    const float *want = alone + position * REF_VOCAB;
                    CHECK(relative_difference(together + row * REF_VOCAB, want, REF_VOCAB) <= 5e-6);
                    wanted++;
                }
                row += batch[i].wants;
                position += batch[i].sequence == k + 1;
            }
        }
        CHECK(wanted > 20);
    }
    bundled_close(&b);
    for (int i = 0; i < 3; i++) free(ids[i]);
    free(batch);
    free(alone);
    free(together);
}

/* ---- node by node ---- */

static bool count_failed(void *ctx, const weft_check_node *n)
{
    unsigned *failed = ctx;
    if (n->failed) {
        printf("  node %u: error %.3g, allowed %.3g\n", n->node, n->max_error, n->tolerance);
        ++*failed;
    }
    return true;
}

static void every_node_checks(void)
{
    static const weft_dtype types[] = { WEFT_ANY, WEFT_F32, WEFT_BF16, WEFT_Q8_0, WEFT_Q4_0 };
    const reference *r = reference_get();
    if (!r) return;
    size_t n;
    int32_t *ids = reference_ids(json_object_get(prompt_named(r, "park"), "ids"), &n);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        bundled b;
        unsigned failed = 0;
        if (bundled_open(&b, device, &(weft_session_desc){ .weights = types[t], .max_tokens = 32 })) {
            CHECK_OK(weft_session_check(b.s, ids, n, count_failed, &failed, &err), err);
            if (!CHECK_EQ_INT(failed, 0)) printf("  weights %s\n", weft_dtype_get(types[t])->name);
        }
        bundled_close(&b);
    }
    free(ids);
}

static const weft_test tests[] = {
    { "logits exact", logits_exact },
    { "logits exact scalar", logits_exact_scalar },
    { "logits exact avx2", logits_exact_avx2 },
    { "logits default", logits_default },
    { "logits of other formats", logits_other_formats },
    { "logits of caches", logits_of_caches },
    { "greedy continuations exact", greedy_continuations_exact },
    { "greedy continuations", greedy_continuations },
    { "log-probabilities of an excerpt", log_probabilities_of_an_excerpt },
    { "perplexity of formats", perplexity_of_formats },
    { "prompts in chunks", prompts_in_chunks },
    { "sequences in one batch", sequences_in_one_batch },
    { "every node checks", every_node_checks },
};
TEST_MAIN(tests)
