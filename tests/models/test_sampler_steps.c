/* test_sampler_steps.c: biases, repetitions (DRY), typical, XTC, mirostat and orders, against their definitions written
 * down here in double precision. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/sampler.h"
#include "tests/oom.h"
#include "tests/test.h"

enum { VOCAB = 14, DRAWS = 20000 };

static weft_error err;

static const float logits[VOCAB] = { 1.5f, -0.5f, 3.0f, 2.25f, -4.0f, 0.0f,  2.25f,
                                     1.0f, -1.0f, 2.9f, 0.5f,  -2.0f, 1.25f, -30.0f };

/* A token's probability; those that a step has taken away have 0. */
static void softmax(const double x[VOCAB], double p[VOCAB])
{
    double sum = 0.0, top = -INFINITY;
    for (int i = 0; i < VOCAB; i++) top = fmax(top, x[i]);
    for (int i = 0; i < VOCAB; i++) sum += p[i] = exp(x[i] - top);
    for (int i = 0; i < VOCAB; i++) p[i] /= sum;
}

static void begin(double x[VOCAB])
{
    for (int i = 0; i < VOCAB; i++) x[i] = (double)logits[i];
}

/* Draws against probabilities: five standard deviations of a binomial count. */
static void compare(const char *what, const weft_sampling *s, const int32_t *history, size_t n, const double p[VOCAB])
{
    weft_sampler *sampler;
    unsigned count[VOCAB] = { 0 };
    if (!CHECK_OK(weft_sampler_create(s, VOCAB, &sampler, &err), err)) return;
    for (int i = 0; i < DRAWS; i++) {
        int32_t id;
        if (!CHECK_OK(weft_sampler_pick(sampler, logits, history, n, &id, NULL, &err), err)) break;
        count[id]++;
    }
    for (int i = 0; i < VOCAB; i++) {
        double expected = p[i] * DRAWS, deviation = sqrt(expected * (1.0 - p[i]));
        bool ok = p[i] == 0.0 ? count[i] == 0 : fabs((double)count[i] - expected) <= 5.0 * deviation + 1.0;
        if (!CHECK(ok)) printf("  %s: token %d drawn %u times, expected %.1f\n", what, i, count[i], expected);
    }
    weft_sampler_destroy(sampler);
}

/* ---- biases ---- */

static void biases(void)
{
    static const int32_t tokens[] = { 4, 2, 99, -1, 4, 9 };
    static const float values[] = { 3.0f, -1.5f, 8.0f, 8.0f, 2.5f, -INFINITY };
    const weft_sampling how = { .temperature = 0.8f, .seed = 1, .bias_tokens = tokens, .bias_values = values,
                                .n_bias = 6 };
    double x[VOCAB], p[VOCAB];
    begin(x);
    x[4] += 5.5;
    x[2] -= 1.5;
    x[9] = -INFINITY;
    for (int i = 0; i < VOCAB; i++) x[i] /= 0.8;
    softmax(x, p);
    compare("biases", &how, NULL, 0, p);
    const weft_step_kind late[] = { WEFT_STEP_TOP_K, WEFT_STEP_BIAS, WEFT_STEP_TEMPERATURE };
    weft_sampling behind = how;
    behind.order = late;
    behind.n_order = 3;
    behind.top_k = 4; /* 2, 9, 3, 6 */
    for (int i = 0; i < VOCAB; i++) x[i] = i == 2 || i == 3 || i == 6 ? x[i] : -INFINITY;
    softmax(x, p);
    compare("biases behind top-k", &behind, NULL, 0, p);
    weft_sampler *s; /* greedy heeds them, and +inf always is picked */
    int32_t id;
    const weft_sampling sure = { .bias_tokens = &(int32_t){ 13 }, .bias_values = &(float){ INFINITY }, .n_bias = 1 };
    if (!CHECK_OK(weft_sampler_create(&sure, VOCAB, &s, &err), err)) return;
    CHECK_OK(weft_sampler_pick(s, logits, NULL, 0, &id, NULL, &err), err);
    CHECK_EQ_INT(id, 13);
    weft_sampler_destroy(s);
}

/* ---- repetitions ---- */

/* By the definition: each place before the end, how far the text before it agrees with the text at the end. */
static void define_dry(const weft_sampling *how, const int32_t *h, size_t n, double x[VOCAB])
{
    size_t from = how->dry_window && n > how->dry_window ? n - how->dry_window : 0, longest[VOCAB] = { 0 };
    for (size_t at = from + 1; at < n; at++) {
        size_t r = 0;
        bool breaker = false;
        while (at >= from + r + 1 && h[at - 1 - r] == h[n - 1 - r]) {
            for (uint32_t b = 0; b < how->n_dry_breakers; b++) breaker |= h[n - 1 - r] == how->dry_breakers[b];
            if (breaker) break;
            r++;
        }
        breaker = h[at] < 0 || h[at] >= VOCAB;
        for (uint32_t b = 0; b < how->n_dry_breakers; b++) breaker |= h[at] == how->dry_breakers[b];
        if (!breaker && r > longest[h[at]]) longest[h[at]] = r;
    }
    double allowed = how->dry_allowed ? how->dry_allowed : 2, base = how->dry_base > 0 ? (double)how->dry_base : 1.75;
    for (int i = 0; i < VOCAB; i++)
        if ((double)longest[i] >= allowed)
            x[i] -= (double)how->dry_multiplier * pow(base, (double)longest[i] - allowed);
}

static void repetitions(void)
{
    static const int32_t texts[][24] = {
        { 1, 2, 3, 9, 5, 1, 2, 3 },                                  /* 9 would go on */
        { 2, 3, 2, 3, 2, 3, 2, 3, 2, 3 },                            /* overlapping runs */
        { 7, 7, 7, 7, 7, 7, 7, 7 },                                  /* of one token */
        { 1, 2, 3, 2, 4, 2, 3, 6, 5, 1, 2, 3 },                      /* two places, of different lengths */
        { 5, 0, 2, 3, 9, 5, 0, 2, 3 },                               /* 0 may break */
        { 2, 3, -5, 99, 2, 3, 6, 2, 3, -5, 99, 2, 3 },               /* ids that are no tokens */
        { 6, 2, 3, 6, 2, 3, 6, 2, 3, 9, 2, 3, 6, 2, 3, 6, 2, 3 },
        { 2 },
    };
    static const size_t lengths[] = { 8, 10, 8, 12, 9, 13, 18, 1 };
    static const int32_t breakers[] = { 12, 0 };
    static const weft_sampling ways[] = {
        { .dry_multiplier = 0.8f },
        { .dry_multiplier = 0.4f, .dry_base = 2.0f, .dry_allowed = 3 },
        { .dry_multiplier = 1.5f, .dry_base = 1.2f, .dry_allowed = 1, .dry_window = 7 },
        { .dry_multiplier = 0.8f, .dry_breakers = breakers, .n_dry_breakers = 2 },
    };
    for (size_t w = 0; w < 4; w++)
        for (size_t t = 0; t < sizeof lengths / sizeof *lengths; t++) {
            char what[32];
            double x[VOCAB], p[VOCAB];
            weft_sampling how = ways[w];
            how.temperature = 1.0f;
            how.seed = 100 * w + t;
            begin(x);
            define_dry(&how, texts[t], lengths[t], x);
            softmax(x, p);
            snprintf(what, sizeof what, "way %zu, text %zu", w, t);
            compare(what, &how, texts[t], lengths[t], p);
        }
}

/* Long histories of few tokens have long runs in many places; every length is seen, by what is picked greedily. */
static void repetitions_of_long_texts(void)
{
    enum { LONG = 400 };
    static int32_t text[LONG];
    const weft_sampling how = { .dry_multiplier = 0.05f, .dry_base = 1.1f };
    uint32_t state = 7;
    weft_sampler *s;
    if (!CHECK_OK(weft_sampler_create(&how, VOCAB, &s, &err), err)) return;
    for (size_t n = 0; n < LONG; n++) {
        double x[VOCAB];
        int best = 0;
        int32_t id;
        begin(x);
        define_dry(&how, text, n, x);
        for (int i = 1; i < VOCAB; i++) best = x[i] > x[best] ? i : best;
        CHECK_OK(weft_sampler_pick(s, logits, text, n, &id, NULL, &err), err);
        if (id != best) CHECK_NEAR(x[id], x[best], 1e-5); /* 2, 3, 6 and 9 come near each other */
        state = state * 1664525u + 1013904223u;
        text[n] = n % 7 == 6 ? (int32_t)(state >> 24) % 3 + 2 : id;
    }
    weft_sampler_destroy(s);
    const weft_sampling huge = { .dry_multiplier = 5.0f, .dry_base = 100.0f }; /* stays finite */
    for (size_t i = 0; i < LONG; i++) text[i] = (int32_t)i % 2;
    const float row[2] = { 0.0f, -1.0f };
    int32_t id;
    if (!CHECK_OK(weft_sampler_create(&huge, 2, &s, &err), err)) return;
    CHECK_OK(weft_sampler_pick(s, row, text, LONG, &id, NULL, &err), err);
    CHECK_EQ_INT(id, 1);
    weft_sampler_destroy(s);
}

/* ---- typical, XTC ---- */

static void define_typical(double v, const double x[VOCAB], double p[VOCAB])
{
    double all[VOCAB], entropy = 0.0, mass = 0.0, sum = 0.0;
    bool stays[VOCAB] = { false };
    softmax(x, all);
    for (int i = 0; i < VOCAB; i++) entropy -= all[i] * log(all[i]);
    while (mass < v) {
        int next = -1;
        for (int i = 0; i < VOCAB; i++)
            if (!stays[i] && (next < 0 || fabs(-log(all[i]) - entropy) < fabs(-log(all[next]) - entropy))) next = i;
        if (next < 0) break;
        stays[next] = true;
        mass += all[next];
    }
    for (int i = 0; i < VOCAB; i++) sum += stays[i] ? all[i] : 0.0;
    for (int i = 0; i < VOCAB; i++) p[i] = stays[i] ? all[i] / sum : 0.0;
}

static void typical(void)
{
    static const float values[] = { 0.05f, 0.3f, 0.5f, 0.8f, 0.95f, 0.999f };
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        for (int hot = 0; hot < 2; hot++) {
            double x[VOCAB], p[VOCAB], temperature = hot ? 2.5 : 0.6;
            begin(x);
            for (int i = 0; i < VOCAB; i++) x[i] /= temperature;
            define_typical((double)values[k], x, p);
            compare("typical", &(weft_sampling){ .temperature = (float)temperature, .typical_p = values[k],
                                                 .seed = 60 + k }, NULL, 0, p);
        }
}

static void define_xtc(double chance, double threshold, const double x[VOCAB], double p[VOCAB])
{
    double all[VOCAB], sum = 0.0, least = 2.0;
    softmax(x, all);
    for (int i = 0; i < VOCAB; i++)
        if (all[i] >= threshold) least = fmin(least, all[i]);
    bool passed = false; /* of equals the last id stays */
    for (int i = VOCAB; i-- > 0;) {
        bool stays = all[i] < threshold || (all[i] == least && !passed);
        passed |= all[i] == least;
        p[i] = stays ? all[i] : 0.0;
        sum += p[i];
    }
    for (int i = 0; i < VOCAB; i++) p[i] = chance * p[i] / sum + (1.0 - chance) * all[i];
}

static void top_choices_are_left_out(void)
{
    static const float chances[] = { 1.0f, 0.5f, 0.1f }, thresholds[] = { 0.0f, 0.02f, 0.15f, 0.3f, 0.5f, 0.6f };
    double x[VOCAB], p[VOCAB];
    begin(x);
    for (size_t c = 0; c < 3; c++)
        for (size_t t = 0; t < 6; t++) {
            double threshold = t ? (double)thresholds[t] : 0.1;
            define_xtc(threshold > 0.5 ? 0.0 : (double)chances[c], threshold, x, p);
            compare("xtc", &(weft_sampling){ .temperature = 1.0f, .xtc_probability = chances[c],
                                             .xtc_threshold = thresholds[t], .seed = 80 + 6 * c + t }, NULL, 0, p);
        }
}

/* ---- mirostat ---- */

/* mu is followed along the picks: none is of a token with more surprise than it, unless it is the best one; over many
 * picks all that may come do come. */
static void surprise_is_kept(void)
{
    static const float taus[] = { 0.4f, 1.5f, 2.2f }, etas[] = { 0.0f, 0.3f };
    double x[VOCAB], all[VOCAB];
    begin(x);
    softmax(x, all);
    for (size_t t = 0; t < 3; t++)
        for (size_t e = 0; e < 2; e++) {
            double mu = 2.0 * (double)taus[t], eta = e ? (double)etas[e] : 0.1, mean = 0.0;
            weft_sampler *s;
            const weft_sampling how = { .temperature = 1.0f, .mirostat_tau = taus[t], .mirostat_eta = etas[e],
                                        .seed = t };
            if (!CHECK_OK(weft_sampler_create(&how, VOCAB, &s, &err), err)) return;
            for (int i = 0; i < 2000; i++) {
                double kept = 0.0;
                int32_t id;
                CHECK_OK(weft_sampler_pick(s, logits, NULL, 0, &id, NULL, &err), err);
                for (int k = 0; k < VOCAB; k++) kept += -log2(all[k]) <= mu ? all[k] : 0.0;
                if (kept == 0.0) kept = all[2];
                if (id != 2) CHECK(-log2(all[id]) <= mu + 1e-6);
                double surprise = -log2(all[id] / kept);
                mean += surprise / 2000;
                mu = fmax(1e-9, mu - eta * (surprise - (double)taus[t]));
            }
            if (t) CHECK_NEAR(mean, (double)taus[t], 0.1); /* what it aims at, where the distribution has it */
            weft_sampler_destroy(s);
        }
}

/* ---- orders, names, faults ---- */

static void orders(void)
{
    double x[VOCAB], p[VOCAB];
    begin(x);
    for (int i = 0; i < VOCAB; i++) x[i] = i == 2 || i == 3 || i == 9 ? x[i] / 3.0 : -INFINITY; /* 6 equals 3 */
    softmax(x, p);
    static const weft_step_kind order[] = { WEFT_STEP_TOP_K, WEFT_STEP_TEMPERATURE };
    const weft_sampling how = { .temperature = 3.0f, .top_k = 3, .top_p = 0.1f, .order = order, .n_order = 2 };
    compare("top-p is not named", &how, NULL, 0, p);
    weft_sampler_step steps[WEFT_SAMPLING_STEPS];
    CHECK_EQ_INT(weft_sampling_steps(&how, steps), 2);
    CHECK(steps[0].kind == WEFT_STEP_TOP_K && steps[1].kind == WEFT_STEP_TEMPERATURE && steps[1].value == 3.0f);
    CHECK_EQ_INT(weft_sampling_candidates(&how), 3);
}

static void names(void)
{
    weft_step_kind kinds[WEFT_STEP_SHARED];
    CHECK_EQ_INT(weft_steps_named("penalties", kinds), 3);
    CHECK(kinds[0] == WEFT_STEP_REPEAT && kinds[2] == WEFT_STEP_PRESENCE);
    static const struct { const char *name; weft_step_kind kind; } rows[] = {
        { "logit_bias", WEFT_STEP_BIAS }, { "repetition_penalty", WEFT_STEP_REPEAT }, { "dry", WEFT_STEP_DRY },
        { "temperature", WEFT_STEP_TEMPERATURE }, { "typ_p", WEFT_STEP_TYPICAL }, { "typical_p", WEFT_STEP_TYPICAL },
        { "top_k", WEFT_STEP_TOP_K }, { "min_p", WEFT_STEP_MIN_P }, { "xtc", WEFT_STEP_XTC },
        { "mirostat", WEFT_STEP_MIROSTAT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(weft_steps_named(rows[i].name, kinds) == 1 && kinds[0] == rows[i].kind);
    CHECK_EQ_INT(weft_steps_named("call", kinds), 0);
    CHECK_EQ_INT(weft_steps_named("none", kinds), 0);
    CHECK_EQ_INT(weft_steps_named("", kinds), 0);
}

static void faults(void)
{
    static const float nan[] = { NAN };
    static const int32_t one[] = { 1 };
    static const weft_step_kind twice[] = { WEFT_STEP_TOP_K, WEFT_STEP_TOP_K }, no_field[] = { WEFT_STEP_CALL };
    static const weft_sampler_step two[] = { { .kind = WEFT_STEP_MIROSTAT, .value = 1.0f },
                                             { .kind = WEFT_STEP_MIROSTAT, .value = 2.0f } };
    static const struct { weft_sampling p; const char *says; } rows[] = {
        { { .typical_p = -0.1f }, "typical_p" },
        { { .xtc_probability = 1.5f }, "xtc" },
        { { .xtc_probability = 0.5f, .xtc_threshold = NAN }, "xtc" },
        { { .dry_multiplier = -1.0f }, "dry" },
        { { .dry_multiplier = 1.0f, .dry_base = INFINITY }, "dry" },
        { { .mirostat_tau = -2.0f }, "mirostat" },
        { { .n_bias = 2 }, "logit_bias: its 2 tokens are missing" },
        { { .bias_tokens = one, .bias_values = nan, .n_bias = 1 }, "the bias of token 1 is NaN" },
        { { .dry_multiplier = 1.0f, .n_dry_breakers = 1 }, "dry: its 1 tokens are missing" },
        { { .order = twice, .n_order = 2 }, "top_k twice" },
        { { .order = no_field, .n_order = 1 }, "no field's kind" },
        { { .steps = two, .n_steps = 2 }, "mirostat twice" },
    };
    weft_sampler *s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STATUS(weft_sampler_create(&rows[i].p, VOCAB, &s, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, rows[i].says);
        CHECK(s == NULL);
    }
    const weft_sampling all = { .typical_p = 0.5f, .dry_multiplier = 1.0f, .dry_breakers = one, .n_dry_breakers = 1,
                                .bias_tokens = one, .bias_values = logits, .n_bias = 1, .temperature = 1.0f };
    static const int32_t text[] = { 2, 3, 9, 2, 3 };
    OOM_LOOP(k)
    {
        int32_t id;
        weft_status status = weft_sampler_create(&all, VOCAB, &s, &err);
        if (!status) status = weft_sampler_pick(s, logits, text, 5, &id, NULL, &err);
        OOM_CHECK(status, err);
        weft_sampler_destroy(s);
    }
}

/* Logits without anything to weigh: what is +inf is picked, what is -inf never, by every way. */
static void infinite_logits(void)
{
    static const weft_sampling ways[] = {
        { .temperature = 1.0f, .typical_p = 0.5f }, { .temperature = 1.0f, .xtc_probability = 1.0f },
        { .temperature = 1.0f, .mirostat_tau = 2.0f }, { .temperature = 1.0f, .dry_multiplier = 1.0f },
    };
    static const int32_t text[] = { 0, 1, 2, 0, 1 };
    for (size_t w = 0; w < 4; w++) {
        float row[6] = { 1.0f, -INFINITY, INFINITY, 1.0f, -INFINITY, -3.0f };
        weft_sampler *s;
        int32_t id;
        if (!CHECK_OK(weft_sampler_create(&ways[w], 6, &s, &err), err)) return;
        for (int i = 0; i < 20; i++) {
            CHECK_OK(weft_sampler_pick(s, row, text, 5, &id, NULL, &err), err);
            CHECK_EQ_INT(id, 2);
        }
        row[2] = -INFINITY;
        for (int i = 0; i < 200; i++) {
            CHECK_OK(weft_sampler_pick(s, row, text, 5, &id, NULL, &err), err);
            CHECK(id == 0 || id == 3 || id == 5);
        }
        for (int i = 0; i < 6; i++) row[i] = -INFINITY;
        CHECK_STATUS(weft_sampler_pick(s, row, text, 5, &id, NULL, &err), WEFT_NOT_FINITE, err);
        weft_sampler_destroy(s);
    }
}

static const weft_test tests[] = {
    { "biases", biases },
    { "repetitions", repetitions },
    { "repetitions of long texts", repetitions_of_long_texts },
    { "typical", typical },
    { "top choices are left out", top_choices_are_left_out },
    { "surprise is kept", surprise_is_kept },
    { "orders", orders },
    { "names", names },
    { "faults", faults },
    { "infinite logits", infinite_logits },
};
TEST_MAIN(tests)
