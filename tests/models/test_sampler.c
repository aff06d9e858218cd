/* test_sampler.c: the distribution that a sampler draws from, against probabilities computed here by the definition. */
#include <math.h>
#include <stdlib.h>

#include "models/sampler.h"
#include "tests/test.h"

enum { VOCAB = 14, DRAWS = 20000 };

static weft_error err;

static const float logits[VOCAB] = { 1.5f, -0.5f, 3.0f, 2.25f, -4.0f, 0.0f,  2.25f,
                                     1.0f, -1.0f, 2.9f, 0.5f,  -2.0f, 1.25f, -30.0f };

/* ---- the definition: penalty, temperature, softmax, top-k, top-p, min-p ---- */

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
        bool seen = false;
        for (size_t k = n_recent > window ? n_recent - window : 0; k < n_recent; k++) seen |= recent[k] == i;
        x[i] = (double)logits[i];
        if (seen && s->repeat_penalty > 0.0f)
            x[i] = x[i] > 0 ? x[i] / (double)s->repeat_penalty : x[i] * (double)s->repeat_penalty;
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

/* ---- draws ---- */

static void compare(const char *what, const weft_sampling *s, const int32_t *recent, size_t n_recent)
{
    weft_sampler *sampler;
    double p[VOCAB];
    unsigned count[VOCAB] = { 0 };
    define(s, recent, n_recent, p);
    if (!CHECK_OK(weft_sampler_create(s, VOCAB, &sampler, &err), err)) return;
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = weft_sampler_pick(sampler, logits, recent, n_recent);
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
    weft_sampler *s; /* greedy heeds the penalty, too */
    if (!CHECK_OK(weft_sampler_create(&(weft_sampling){ .repeat_penalty = 1.5f }, VOCAB, &s, &err), err)) return;
    CHECK_EQ_INT(weft_sampler_pick(s, logits, recent, n), 3);
    CHECK_EQ_INT(weft_sampler_pick(s, logits, NULL, 0), 2);
    weft_sampler_destroy(s);
}

static void greedy_takes_the_first_of_equals(void)
{
    weft_sampler *s;
    float row[5] = { 1.0f, 2.0f, 0.0f, 2.0f, -INFINITY };
    if (!CHECK_OK(weft_sampler_create(&(weft_sampling){ 0 }, 5, &s, &err), err)) return;
    CHECK_EQ_INT(weft_sampler_pick(s, row, NULL, 0), 1);
    row[3] = INFINITY;
    CHECK_EQ_INT(weft_sampler_pick(s, row, NULL, 0), 3);
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
                int32_t a = weft_sampler_pick(s, row, recent, 1), b = weft_sampler_pick_candidate(s, c, N, recent, 1);
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
        for (int i = 0; i < 200; i++) all[k][i] = weft_sampler_pick(s, logits, NULL, 0);
        weft_sampler_destroy(s);
    }
    CHECK(!memcmp(a, b, sizeof a));
    CHECK(memcmp(a, c, sizeof a));
}

static void refuses_nonsense(void)
{
    static const weft_sampling bad[] = {
        { .temperature = -1.0f }, { .temperature = NAN }, { .top_p = -0.1f },          { .top_p = NAN },
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

static void candidates_decide_the_same(void)
{
    enum { BIG = 3000, RECENT = 90 };
    static float big[BIG];
    static const struct { weft_sampling p; uint32_t need; } cases[] = {
        { { 0 }, 1 },
        { { .top_k = 7 }, 1 },
        { { .repeat_penalty = 1.3f }, 65 },
        { { .repeat_penalty = 1.3f, .repeat_window = 9 }, 10 },
        { { .temperature = 0.8f, .top_k = 40 }, 40 },
        { { .temperature = 2.5f, .top_k = 40, .top_p = 0.9f, .min_p = 0.01f }, 40 },
        { { .temperature = 1.5f, .top_k = 20, .repeat_penalty = 1.5f, .repeat_window = 80 }, 100 },
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
            int32_t want = weft_sampler_pick(a, big, recent, RECENT);
            CHECK_EQ_INT(weft_sampler_pick_candidate(b, c, n, recent, RECENT), want);
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
    { "seeds", seeds },
    { "refuses nonsense", refuses_nonsense },
    { "log-probabilities", log_probabilities },
    { "best ids take the first of equals first", best_ids_take_the_first_of_equals_first },
    { "log-probabilities of what is not finite", log_probabilities_of_what_is_not_finite },
};
TEST_MAIN(tests)
