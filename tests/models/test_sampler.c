/* test_sampler.c: the distribution that a sampler draws from, against probabilities computed here by the definition. */
#include <math.h>
#include <stdlib.h>

#include "models/sampler_impl.h"
#include "tests/oom.h"
#include "tests/test.h"

enum { VOCAB = 14, DRAWS = 20000 };

static weft_error err;

static const float logits[VOCAB] = { 1.5f, -0.5f, 3.0f, 2.25f, -4.0f, 0.0f,  2.25f,
                                     1.0f, -1.0f, 2.9f, 0.5f,  -2.0f, 1.25f, -30.0f };

/* -1: nothing can be picked. */
static int32_t pick(weft_sampler *s, const float *row, const int32_t *history, size_t n)
{
    int32_t token;
    weft_status status = weft_sampler_pick(s, row, history, n, &token, NULL, &err);
    CHECK(status ? status == WEFT_NOT_FINITE && token == -1 : token >= 0);
    return token;
}

static int32_t pick_candidate(weft_sampler *s, const weft_candidate *c, uint32_t n_candidates, const int32_t *history,
                              size_t n)
{
    int32_t token;
    weft_status status = weft_sampler_pick_candidate(s, c, n_candidates, history, n, &token, &err);
    CHECK(status ? status == WEFT_NOT_FINITE && token == -1 : token >= 0);
    return token;
}

/* ---- the definition: penalties, temperature, softmax, top-k, top-p, min-p ---- */

typedef struct ranked {
    double p;
    int id;
} ranked;

static int by_probability(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    return x->id - y->id;
}

static void define(const weft_sampling *s, const int32_t *recent, size_t n_recent, double p[VOCAB])
{
    ranked r[VOCAB];
    double sum = 0.0, kept = 0.0, x[VOCAB];
    size_t window = s->repeat_window ? s->repeat_window : 64, n = VOCAB;
    for (int i = 0; i < VOCAB; i++) {
        int seen = 0;
        for (size_t k = n_recent > window ? n_recent - window : 0; k < n_recent; k++) seen += recent[k] == i;
        x[i] = (double)logits[i];
        if (seen && s->repeat_penalty > 0.0f)
            x[i] = x[i] > 0 ? x[i] / (double)s->repeat_penalty : x[i] * (double)s->repeat_penalty;
        x[i] -= seen * (double)s->frequency_penalty + (seen ? (double)s->presence_penalty : 0.0);
    }
    for (int i = 0; i < VOCAB; i++) sum += exp(x[i] / (double)s->temperature);
    for (int i = 0; i < VOCAB; i++) r[i] = (ranked){ exp(x[i] / (double)s->temperature) / sum, i };
    qsort(r, VOCAB, sizeof *r, by_probability);
    if (s->top_k && s->top_k < n) n = s->top_k;
    for (size_t i = 0; i < n; i++) kept += r[i].p;
    if (s->top_p > 0.0f && s->top_p < 1.0f) {
        double mass = 0.0;
        size_t m = 0;
        while (m < n && mass < (double)s->top_p * kept) mass += r[m++].p;
        n = m;
    }
    while (n > 1 && r[n - 1].p < (double)s->min_p * r[0].p) n--;
    kept = 0.0;
    for (size_t i = 0; i < n; i++) kept += r[i].p;
    for (int i = 0; i < VOCAB; i++) p[i] = 0.0;
    for (size_t i = 0; i < n; i++) p[r[i].id] = r[i].p / kept;
}

/* The same of any chain: logits of those that are left, best first, one step after another. */
typedef struct chained { double x; int id; } chained;

static int by_logit(const void *a, const void *b)
{
    const chained *x = a, *y = b;
    if (x->x != y->x) return x->x > y->x ? -1 : 1;
    return x->id - y->id;
}

static double probability(const chained *c, int n, int i)
{
    double sum = 0.0;
    for (int k = 0; k < n; k++) sum += exp(c[k].x - c[i].x);
    return 1.0 / sum;
}

static int define_step(const weft_sampler_step *s, const int32_t *recent, size_t n_recent, chained *c, int n)
{
    double v = (double)s->value, mass = 0.0;
    size_t window = s->n ? s->n : 64;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int seen = 0;
        for (size_t k = n_recent > window ? n_recent - window : 0; k < n_recent; k++) seen += recent[k] == c[i].id;
        if (s->kind == WEFT_STEP_REPEAT && seen) c[i].x = c[i].x > 0 ? c[i].x / v : c[i].x * v;
        if (s->kind == WEFT_STEP_FREQUENCY) c[i].x -= seen * v;
        if (s->kind == WEFT_STEP_PRESENCE && seen) c[i].x -= v;
        if (s->kind == WEFT_STEP_TEMPERATURE) c[i].x /= v;
    }
    qsort(c, (size_t)n, sizeof *c, by_logit);
    if (s->kind == WEFT_STEP_TOP_K) return (int)s->n < n ? (int)s->n : n;
    if (s->kind == WEFT_STEP_MIN_P)
        while (kept < n && exp(c[kept].x - c[0].x) >= v) kept++;
    if (s->kind == WEFT_STEP_TOP_P)
        while (kept < n && mass < v) mass += probability(c, n, kept++);
    return kept ? kept : n;
}

static void define_chain(const weft_sampling *s, const int32_t *recent, size_t n_recent, double p[VOCAB])
{
    chained c[VOCAB];
    int n = VOCAB;
    for (int i = 0; i < VOCAB; i++) c[i] = (chained){ (double)logits[i], i };
    for (uint32_t i = 0; i < s->n_steps; i++) n = define_step(&s->steps[i], recent, n_recent, c, n);
    for (int i = 0; i < VOCAB; i++) p[i] = 0.0;
    for (int i = 0; i < n; i++) p[c[i].id] = probability(c, n, i);
}

/* ---- draws ---- */

static void compare(const char *what, const weft_sampling *s, const int32_t *recent, size_t n_recent)
{
    weft_sampler *sampler;
    double p[VOCAB];
    unsigned count[VOCAB] = { 0 };
    if (s->steps) define_chain(s, recent, n_recent, p);
    else define(s, recent, n_recent, p);
    if (!CHECK_OK(weft_sampler_create(s, VOCAB, &sampler, &err), err)) return;
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = pick(sampler, logits, recent, n_recent);
        if (!CHECK(id >= 0 && id < VOCAB)) break;
        count[id]++;
    }
    for (int i = 0; i < VOCAB; i++) { /* five standard deviations of a binomial count */
        double expected = p[i] * DRAWS, deviation = sqrt(expected * (1.0 - p[i]));
        bool ok = p[i] == 0.0 ? count[i] == 0 : fabs((double)count[i] - expected) <= 5.0 * deviation + 1.0;
        if (!CHECK(ok)) printf("  %s: token %d drawn %u times, expected %.1f\n", what, i, count[i], expected);
    }
    weft_sampler_destroy(sampler);
}

static void distributions(void)
{
    compare("plain", &(weft_sampling){ .temperature = 1.0f, .seed = 1 }, NULL, 0);
    compare("cold", &(weft_sampling){ .temperature = 0.3f, .seed = 2 }, NULL, 0);
    compare("hot", &(weft_sampling){ .temperature = 4.0f, .seed = 3 }, NULL, 0);
    compare("top-k 1", &(weft_sampling){ .temperature = 1.0f, .top_k = 1, .seed = 4 }, NULL, 0);
    compare("top-k 4 (two are equal)", &(weft_sampling){ .temperature = 1.0f, .top_k = 4, .seed = 5 }, NULL, 0);
    compare("top-k 3", &(weft_sampling){ .temperature = 1.0f, .top_k = 3, .seed = 6 }, NULL, 0);
    compare("top-k above the vocabulary", &(weft_sampling){ .temperature = 1.0f, .top_k = 99, .seed = 7 }, NULL, 0);
    compare("top-p 0.5", &(weft_sampling){ .temperature = 1.0f, .top_p = 0.5f, .seed = 8 }, NULL, 0);
    compare("top-p 0.9", &(weft_sampling){ .temperature = 1.0f, .top_p = 0.9f, .seed = 9 }, NULL, 0);
    compare("top-p tiny", &(weft_sampling){ .temperature = 1.0f, .top_p = 1e-6f, .seed = 10 }, NULL, 0);
    compare("min-p 0.2", &(weft_sampling){ .temperature = 1.0f, .min_p = 0.2f, .seed = 11 }, NULL, 0);
    compare("min-p 1", &(weft_sampling){ .temperature = 1.0f, .min_p = 1.0f, .seed = 12 }, NULL, 0);
    compare("top-k and top-p", &(weft_sampling){ .temperature = 0.9f, .top_k = 6, .top_p = 0.8f, .seed = 13 }, NULL, 0);
    compare("all", &(weft_sampling){ .temperature = 1.3f, .top_k = 8, .top_p = 0.9f, .min_p = 0.15f, .seed = 14 }, NULL,
            0);
}

static void penalties(void)
{
    const int32_t recent[] = { 2, 1, 9, 2, 2, 4, -7, 99 };
    size_t n = sizeof recent / sizeof *recent;
    compare("penalty", &(weft_sampling){ .temperature = 1.0f, .repeat_penalty = 1.7f, .seed = 21 }, recent, n);
    compare("reward", &(weft_sampling){ .temperature = 1.0f, .repeat_penalty = 0.8f, .seed = 22 }, recent, n);
    compare("window", &(weft_sampling){ .temperature = 1.0f, .repeat_penalty = 2.0f, .repeat_window = 5, .seed = 23 },
            recent, n);
    compare("none", &(weft_sampling){ .temperature = 1.0f, .repeat_penalty = 1.0f, .seed = 24 }, recent, n);
    compare("with the rest",
            &(weft_sampling){ .temperature = 0.7f, .top_k = 5, .top_p = 0.95f, .repeat_penalty = 1.3f, .seed = 25 },
            recent, n);
    compare("frequency", &(weft_sampling){ .temperature = 1.0f, .frequency_penalty = 0.4f, .seed = 26 }, recent, n);
    compare("presence", &(weft_sampling){ .temperature = 1.0f, .presence_penalty = 1.1f, .seed = 27 }, recent, n);
    compare("a bonus", &(weft_sampling){ .temperature = 0.8f, .frequency_penalty = -0.3f, .presence_penalty = -0.2f,
                                         .repeat_window = 6, .seed = 28 }, recent, n);
    compare("all three", &(weft_sampling){ .temperature = 0.9f, .repeat_penalty = 1.2f, .frequency_penalty = 0.5f,
                                           .presence_penalty = 0.25f, .top_k = 9, .min_p = 0.02f, .seed = 29 },
            recent, n);
    weft_sampler *s; /* greedy heeds the penalty, too */
    if (!CHECK_OK(weft_sampler_create(&(weft_sampling){ .repeat_penalty = 1.5f }, VOCAB, &s, &err), err)) return;
    CHECK_EQ_INT(pick(s, logits, recent, n), 3);
    CHECK_EQ_INT(pick(s, logits, NULL, 0), 2);
    weft_sampler_destroy(s);
}

/* Steps in any order, each on what the one before left, against the same in double precision. */
static void chains(void)
{
    static const int32_t recent[] = { 2, 1, 9, 2, 2, 4, -7, 99 };
    static const weft_sampler_step rows[][5] = {
        { { .kind = WEFT_STEP_TOP_P, .value = 0.7f }, { .kind = WEFT_STEP_TEMPERATURE, .value = 2.0f } },
        { { .kind = WEFT_STEP_TOP_K, .n = 7 }, { .kind = WEFT_STEP_REPEAT, .value = 3.0f, .n = 6 } },
        { { .kind = WEFT_STEP_MIN_P, .value = 0.1f }, { .kind = WEFT_STEP_TOP_P, .value = 0.8f },
          { .kind = WEFT_STEP_TEMPERATURE, .value = 3.0f }, { .kind = WEFT_STEP_TOP_K, .n = 3 } },
        { { .kind = WEFT_STEP_TEMPERATURE, .value = 2.0f }, { .kind = WEFT_STEP_FREQUENCY, .value = 0.5f },
          { .kind = WEFT_STEP_MIN_P, .value = 0.3f }, { .kind = WEFT_STEP_TEMPERATURE, .value = 0.5f },
          { .kind = WEFT_STEP_PRESENCE, .value = -1.0f } },
        { { .kind = WEFT_STEP_TOP_K, .n = 12 }, { .kind = WEFT_STEP_MIN_P, .value = 0.05f },
          { .kind = WEFT_STEP_TOP_P, .value = 0.95f }, { .kind = WEFT_STEP_TOP_P, .value = 0.6f } },
        { { .kind = WEFT_STEP_REPEAT, .value = 1.5f }, { .kind = WEFT_STEP_REPEAT, .value = 1.5f, .n = 4 } },
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char what[16];
        uint32_t n = 0;
        while (n < 5 && rows[i][n].kind) n++;
        snprintf(what, sizeof what, "chain %u", i);
        compare(what, &(weft_sampling){ .steps = rows[i], .n_steps = n, .seed = 50 + i }, recent, 8);
    }
}

/* ---- a step of the caller's own ---- */

typedef struct caller {
    uint32_t calls, n, leaves;
    size_t n_history;
    bool by_id;
    float first, put;
} caller;

/* Bans even tokens and adds one to token 5. */
static uint32_t odd_ones(void *ctx, weft_candidate *c, uint32_t n, const int32_t *history, size_t n_history)
{
    caller *seen = ctx;
    seen->calls++;
    seen->n = n;
    seen->n_history = n_history;
    seen->first = c[0].logit;
    seen->by_id = true;
    for (uint32_t i = 0; i < n; i++) {
        seen->by_id &= c[i].id == (int32_t)i;
        if (c[i].id % 2 == 0) c[i].logit = -INFINITY;
        if (c[i].id == 5) c[i].logit += 1.0f;
    }
    return history ? n : 0;
}

static uint32_t breaks_its_word(void *ctx, weft_candidate *c, uint32_t n, const int32_t *history, size_t n_history)
{
    const caller *how = ctx;
    (void)history;
    (void)n_history;
    c[1].logit = how->put;
    c[1].id += (int32_t)how->n;
    return n + how->leaves;
}

static void the_callers_own_step(void)
{
    static const int32_t recent[] = { 3, 4, 5 };
    caller seen = { 0 };
    const weft_sampler_step steps[] = { { .kind = WEFT_STEP_TEMPERATURE, .value = 2.0f },
                                        { .kind = WEFT_STEP_CALL, .call = odd_ones, .ctx = &seen },
                                        { .kind = WEFT_STEP_TOP_K, .n = 3 } };
    const weft_sampling p = { .steps = steps, .n_steps = 3, .seed = 9 };
    weft_sampler *s;
    unsigned count[VOCAB] = { 0 };
    double sum = 0.0;
    int32_t token;
    CHECK_EQ_INT(weft_sampling_candidates(&p), 0); /* the step sees all */
    if (!CHECK_OK(weft_sampler_create(&p, VOCAB, &s, &err), err)) return;
    for (int i = 0; i < DRAWS; i++) count[pick(s, logits, recent, 3)]++;
    CHECK(seen.calls == DRAWS && seen.n == VOCAB && seen.n_history == 3 && seen.by_id && seen.first == logits[0] / 2);
    /* 3: 2.25 / 2, 5: 0 / 2 + 1, 9: 2.9 / 2 are the best three */
    const double x[] = { 1.125, 1.0, 1.45 };
    for (int i = 0; i < 3; i++) sum += exp(x[i]);
    for (int i = 0; i < 3; i++) {
        double want = exp(x[i]) / sum * DRAWS;
        CHECK(fabs(count[2 * i + 3 + (i == 2 ? 2 : 0)] - want) < 5 * sqrt(want));
    }
    CHECK_EQ_INT(count[3] + count[5] + count[9], DRAWS);
    CHECK_STATUS(weft_sampler_pick(s, logits, NULL, 0, &token, NULL, &err), WEFT_NOT_FINITE, err); /* leaves none */
    weft_sampler_destroy(s);
}

static void a_step_that_breaks_its_word(void)
{
    caller rows[] = { { .leaves = 1, .put = 1.0f }, { .put = NAN }, { .n = VOCAB, .put = 1.0f } };
    int32_t token;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_sampler *s;
        const weft_sampler_step step = { .kind = WEFT_STEP_CALL, .call = breaks_its_word, .ctx = &rows[i] };
        const weft_sampling p = { .steps = &step, .n_steps = 1 };
        if (!CHECK_OK(weft_sampler_create(&p, VOCAB, &s, &err), err)) return;
        CHECK_STATUS(weft_sampler_pick(s, logits, NULL, 0, &token, NULL, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "a sampling step of the caller left");
        CHECK_EQ_INT(token, -1);
        weft_sampler_destroy(s);
    }
}

/* With a pick comes its probability under the logits as they were. */
static void picks_tell_their_probability(void)
{
    weft_sampler *s;
    int32_t token;
    float got;
    double sum = 0.0;
    for (int i = 0; i < VOCAB; i++) sum += exp((double)logits[i]);
    weft_sampling p = { .temperature = 3.0f, .top_k = 5, .seed = 4 };
    if (!CHECK_OK(weft_sampler_create(&p, VOCAB, &s, &err), err)) return;
    for (int i = 0; i < 20; i++) {
        CHECK_OK(weft_sampler_pick(s, logits, NULL, 0, &token, &got, &err), err);
        CHECK_NEAR((double)got, (double)logits[token] - log(sum), 1e-5);
    }
    weft_sampler_destroy(s);
}

/* The chain of a description, and all of it failing to be made. */
static void descriptions_are_chains(void)
{
    const weft_sampling p = { .temperature = 0.7f, .top_k = 5, .repeat_penalty = 1.1f, .repeat_window = 7,
                              .min_p = 0.1f };
    weft_sampler_step steps[WEFT_SAMPLING_STEPS];
    uint32_t n = weft_sampling_steps(&p, steps);
    CHECK_EQ_INT(n, WEFT_SAMPLING_STEPS);
    CHECK(steps[1].kind == WEFT_STEP_REPEAT && steps[1].n == 7 && steps[5].kind == WEFT_STEP_TEMPERATURE);
    const weft_sampling same = { .steps = steps, .n_steps = n };
    CHECK_EQ_INT(weft_sampling_candidates(&same), weft_sampling_candidates(&p));
    weft_sampler *a, *b;
    if (!CHECK_OK(weft_sampler_create(&p, VOCAB, &a, &err), err)) return;
    if (!CHECK_OK(weft_sampler_create(&same, VOCAB, &b, &err), err)) return;
    for (int i = 0; i < 200; i++) CHECK_EQ_INT(pick(a, logits, NULL, 0), pick(b, logits, NULL, 0));
    weft_sampler_destroy(a);
    weft_sampler_destroy(b);
    OOM_LOOP(k)
    {
        weft_status s = weft_sampler_create(&p, VOCAB, &a, &err);
        OOM_CHECK(s, err);
        CHECK((a != NULL) == (s == WEFT_OK));
        weft_sampler_destroy(a);
    }
}

static void greedy_takes_the_first_of_equals(void)
{
    weft_sampler *s;
    float row[5] = { 1.0f, 2.0f, 0.0f, 2.0f, -INFINITY };
    if (!CHECK_OK(weft_sampler_create(&(weft_sampling){ 0 }, 5, &s, &err), err)) return;
    CHECK_EQ_INT(pick(s, row, NULL, 0), 1);
    row[3] = INFINITY;
    CHECK_EQ_INT(pick(s, row, NULL, 0), 3);
    weft_sampler_destroy(s);
}

/* What is picked from logits that are not finite: nothing (-1) where there is a NaN or all are -inf, never a token of
 * -inf, always one of +inf; from logits and from candidates. Rows of 20, so that there are whole vectors and a tail. */
static void logits_that_are_not_finite(void)
{
    enum { N = 20 };
    static const struct {
        int32_t at[2];
        float value[2], rest;
        int32_t want; /* -2: any token but the second */
    } rows[] = {
        { { 3, 0 }, { NAN, 1.0f }, 0.0f, -1 },       { { 19, 0 }, { NAN, 1.0f }, 0.0f, -1 },
        { { 3, 0 }, { NAN, NAN }, NAN, -1 },         { { 0, 1 }, { -INFINITY, -INFINITY }, -INFINITY, -1 },
        { { 17, 2 }, { INFINITY, NAN }, 1.0f, -1 },  { { 17, 2 }, { INFINITY, 9.0f }, 1.0f, 17 },
        { { 2, 19 }, { 1.0f, -INFINITY }, 1.0f, -2 }, { { 5, 6 }, { 3e38f, -3e38f }, -3e38f, 5 },
        { { 18, 0 }, { -1.0f, -INFINITY }, -INFINITY, 18 },
    };
    static const weft_sampling ways[] = {
        { 0 }, { .repeat_penalty = 1.3f }, { .temperature = 0.8f }, { .temperature = 0.8f, .top_k = 2 },
        { .temperature = 0.8f, .top_p = 0.9f }, { .temperature = 0.8f, .top_k = 3, .top_p = 0.9f },
    };
    for (size_t m = 0; m < sizeof ways / sizeof *ways; m++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            weft_sampler *s;
            float row[N];
            weft_candidate c[N];
            static const int32_t recent[] = { 9 };
            for (int k = 0; k < N; k++) row[k] = rows[i].rest;
            for (int k = 0; k < 2; k++) row[rows[i].at[k]] = rows[i].value[k];
            for (int k = 0; k < N; k++) c[k] = (weft_candidate){ row[k], k };
            if (!CHECK_OK(weft_sampler_create(&ways[m], N, &s, &err), err)) return;
            for (int k = 0; k < 20; k++) {
                int32_t a = pick(s, row, recent, 1), b = pick_candidate(s, c, N, recent, 1);
                if (rows[i].want == -2) CHECK(a >= 0 && a != rows[i].at[1] && b >= 0 && b != rows[i].at[1]);
                else CHECK(a == rows[i].want && b == rows[i].want);
            }
            weft_sampler_destroy(s);
        }
}

static void log_probabilities_of_what_is_not_finite(void)
{
    float row[300], got;
    for (int i = 0; i < 300; i++) row[i] = 0.0f;
    row[7] = -INFINITY;
    weft_logprobs(row, 300, &(int32_t){ 8 }, 1, &got);
    CHECK_NEAR((double)got, -log(299), 1e-5);
    weft_logprobs(row, 300, &(int32_t){ 7 }, 1, &got);
    CHECK(got == -INFINITY);
    row[299] = NAN;
    weft_logprobs(row, 300, &(int32_t){ 8 }, 1, &got);
    CHECK(isnan(got));
    row[299] = INFINITY;
    weft_logprobs(row, 300, &(int32_t){ 8 }, 1, &got);
    CHECK(isnan(got));
    for (int i = 0; i < 300; i++) row[i] = -INFINITY;
    weft_logprobs(row, 300, &(int32_t){ 8 }, 1, &got);
    CHECK(isnan(got));
}

static void seeds(void)
{
    int32_t a[200], b[200], c[200], *const all[] = { a, b, c };
    static const uint64_t seed[] = { 77, 77, 78 };
    for (int k = 0; k < 3; k++) {
        weft_sampler *s;
        if (!CHECK_OK(weft_sampler_create(&(weft_sampling){ .temperature = 1.0f, .seed = seed[k] }, VOCAB, &s, &err),
                      err))
            return;
        for (int i = 0; i < 200; i++) all[k][i] = pick(s, logits, NULL, 0);
        weft_sampler_destroy(s);
    }
    CHECK(!memcmp(a, b, sizeof a));
    CHECK(memcmp(a, c, sizeof a));
}

static void refuses_nonsense(void)
{
    static const weft_sampler_step no_call = { .kind = WEFT_STEP_CALL }, no_kind = { .kind = (weft_step_kind)99 };
    static const weft_sampling bad[] = {
        { .temperature = -1.0f }, { .temperature = NAN }, { .top_p = -0.1f },          { .top_p = NAN },
        { .frequency_penalty = NAN }, { .presence_penalty = INFINITY },
        { .steps = &no_call, .n_steps = 1 }, { .steps = &no_kind, .n_steps = 1 },
        { .min_p = 1.5f },        { .min_p = NAN },       { .repeat_penalty = -1.0f }, { .repeat_penalty = NAN },
    };
    weft_sampler *s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(weft_sampler_create(&bad[i], VOCAB, &s, &err), WEFT_INVALID, err);
        CHECK(s == NULL);
    }
    CHECK_STATUS(weft_sampler_create(&(weft_sampling){ 0 }, 0, &s, &err), WEFT_INVALID, err);
    weft_sampler_destroy(NULL);
}

static void log_probabilities(void)
{
    int32_t ids[VOCAB];
    float got[VOCAB];
    double sum = 0.0, total = 0.0;
    for (int i = 0; i < VOCAB; i++) {
        ids[i] = i;
        sum += exp((double)logits[i]);
    }
    weft_logprobs(logits, VOCAB, ids, VOCAB, got);
    for (int i = 0; i < VOCAB; i++) {
        CHECK_NEAR((double)got[i], (double)logits[i] - log(sum), 1e-5);
        total += exp((double)got[i]);
    }
    CHECK_NEAR(total, 1.0, 1e-5);
}

static void best_ids_take_the_first_of_equals_first(void)
{
    static const float x[] = { 1.0f, 3.0f, 3.0f, NAN, 2.0f, 3.0f, 1.0f };
    static const int32_t want[] = { 1, 2, 5, 4, 0, 6, 3 };
    for (uint32_t n = 1; n <= 7; n++) {
        int32_t got[7];
        weft__best_ids(x, 7, n, got);
        for (uint32_t i = 0; i < n; i++) CHECK_EQ_INT(got[i], want[i]);
    }
}

/* ---- candidates ---- */

static uint32_t all_stay(void *ctx, weft_candidate *c, uint32_t n, const int32_t *history, size_t n_history)
{
    caller *seen = ctx;
    (void)history;
    (void)n_history;
    for (uint32_t i = 0; i < n; i++) CHECK(!isnan(c[i].logit));
    seen->calls++;
    return n;
}

static void candidates_decide_the_same(void)
{
    enum { BIG = 3000, RECENT = 90 };
    static float big[BIG];
    static caller ignored;
    static const weft_sampler_step behind[] = { { .kind = WEFT_STEP_TOP_K, .n = 12 }, { .kind = WEFT_STEP_TEMPERATURE },
                                                { .kind = WEFT_STEP_CALL, .call = all_stay, .ctx = &ignored } };
    static const struct { weft_sampling p; uint32_t need; } cases[] = {
        { { 0 }, 1 },
        { { .top_k = 7 }, 1 },
        { { .repeat_penalty = 1.3f }, 65 },
        { { .repeat_penalty = 1.3f, .repeat_window = 9 }, 10 },
        { { .temperature = 0.8f, .top_k = 40 }, 40 },
        { { .temperature = 2.5f, .top_k = 40, .top_p = 0.9f, .min_p = 0.01f }, 40 },
        { { .temperature = 1.5f, .top_k = 20, .repeat_penalty = 1.5f, .repeat_window = 80 }, 100 },
        { { .frequency_penalty = 0.5f, .presence_penalty = 0.1f, .repeat_window = 20 }, 21 },
        { { .temperature = 0.7f, .top_k = 30, .presence_penalty = 2.0f }, 94 },
        { { .temperature = 0.7f, .top_k = 30, .presence_penalty = -2.0f }, 0 },
        { { .temperature = 0.7f, .top_p = 0.9f }, 0 },
        { { .steps = behind, .n_steps = 3 }, 12 },
        { { .steps = behind + 1, .n_steps = 2 }, 2 }, /* the caller's step wants to know the logit */
        { { .temperature = 1.0f }, 0 },
        { { .temperature = 1.0f, .top_k = 2000 }, 0 },
        { { .temperature = 1.0f, .top_k = 10, .repeat_penalty = 0.9f }, 0 },
        { { .temperature = 1.0f, .top_k = 10, .repeat_penalty = 1.1f, .repeat_window = 5000 }, 0 },
    };
    for (uint32_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint32_t n = weft_sampling_candidates(&cases[k].p), state = 1;
        weft_sampler *a, *b;
        CHECK_EQ_INT(n, cases[k].need);
        if (!n || !CHECK_OK(weft_sampler_create(&cases[k].p, BIG, &a, &err), err)) continue;
        if (!CHECK_OK(weft_sampler_create(&cases[k].p, BIG, &b, &err), err)) return;
        for (int round = 0; round < 200; round++) {
            int32_t ids[128], recent[RECENT];
            weft_candidate c[128];
            for (int i = 0; i < BIG; i++) big[i] = (float)((state = state * 1664525u + 1013904223u) >> 20) * 0.004f - 8;
            weft__best_ids(big, BIG, n, ids); /* equal logits are common */
            for (uint32_t i = 0; i < n; i++) c[i] = (weft_candidate){ big[ids[i]], ids[i] };
            for (int i = 0; i < RECENT; i++) recent[i] = i % 3 ? ids[(uint32_t)i * 7 % n] : i * 31 % BIG;
            int32_t want = pick(a, big, recent, RECENT);
            CHECK_EQ_INT(pick_candidate(b, c, n, recent, RECENT), want);
        }
        weft_sampler_destroy(a);
        weft_sampler_destroy(b);
    }
}

static const weft_test tests[] = {
    { "candidates decide the same", candidates_decide_the_same },
    { "distributions", distributions },
    { "penalties", penalties },
    { "greedy takes the first of equals", greedy_takes_the_first_of_equals },
    { "logits that are not finite", logits_that_are_not_finite },
    { "chains", chains },
    { "the caller's own step", the_callers_own_step },
    { "a step that breaks its word", a_step_that_breaks_its_word },
    { "picks tell their probability", picks_tell_their_probability },
    { "descriptions are chains", descriptions_are_chains },
    { "seeds", seeds },
    { "refuses nonsense", refuses_nonsense },
    { "log-probabilities", log_probabilities },
    { "best ids take the first of equals first", best_ids_take_the_first_of_equals_first },
    { "log-probabilities of what is not finite", log_probabilities_of_what_is_not_finite },
};
TEST_MAIN(tests)
