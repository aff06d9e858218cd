/* sampler.c: picking a token from logits by a chain of steps.
 *
 * The candidates are an array, in any order but for the first `ordered` of them, which are the best, best first. Steps
 * ask for as many in order as they need: of a vocabulary of 50,000 top-k and top-p look at a few. A candidate's weight,
 * exp((logit - largest) / temperature), is computed in double precision where it is needed; the temperature stays apart
 * from the logits until a step needs them whole. */
#include "models/sampler_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW = 64, NO_PICK = -1 };

struct weft_sampler {
    weft_sampler_step *steps;
    uint32_t n_steps, n_vocab;
    bool plain; /* greedy, and nothing else: no candidates are needed */
    uint64_t state; /* of the generator */
    /* of one pick */
    weft_candidate *c;
    uint32_t n, ordered; /* candidates, and how many of the best stand first, in order */
    bool by_id;          /* c[i].id is i */
    bool greedy;
    double temperature; /* what logits are still to be divided by */
    uint32_t *count;    /* [n_vocab], zero between steps; NULL without penalties */
    const int32_t *history;
    size_t n_history;
};

/* ---- descriptions ---- */

static bool is_penalty(const weft_sampler_step *s)
{
    return s->kind == WEFT_STEP_REPEAT || s->kind == WEFT_STEP_FREQUENCY || s->kind == WEFT_STEP_PRESENCE;
}

static bool does_nothing(const weft_sampler_step *s)
{
    switch (s->kind) {
    case WEFT_STEP_NONE: return true;
    case WEFT_STEP_REPEAT: return s->value == 0.0f || s->value == 1.0f;
    case WEFT_STEP_FREQUENCY:
    case WEFT_STEP_PRESENCE:
    case WEFT_STEP_MIN_P: return s->value == 0.0f;
    case WEFT_STEP_TEMPERATURE: return s->value == 1.0f;
    case WEFT_STEP_TOP_K: return !s->n;
    case WEFT_STEP_TOP_P: return s->value == 0.0f || s->value >= 1.0f;
    case WEFT_STEP_CALL: return false;
    }
    return false;
}

static bool is_greedy(const weft_sampler_step *s)
{
    return s->kind == WEFT_STEP_TEMPERATURE && s->value == 0.0f;
}

uint32_t weft_sampling_steps(const weft_sampling *p, weft_sampler_step out[WEFT_SAMPLING_STEPS])
{
    const weft_sampler_step usual[WEFT_SAMPLING_STEPS] = {
        { .kind = WEFT_STEP_REPEAT, .value = p->repeat_penalty, .n = p->repeat_window },
        { .kind = WEFT_STEP_FREQUENCY, .value = p->frequency_penalty, .n = p->repeat_window },
        { .kind = WEFT_STEP_PRESENCE, .value = p->presence_penalty, .n = p->repeat_window },
        { .kind = WEFT_STEP_TEMPERATURE, .value = p->temperature },
        { .kind = WEFT_STEP_TOP_K, .n = p->top_k },
        { .kind = WEFT_STEP_TOP_P, .value = p->top_p },
        { .kind = WEFT_STEP_MIN_P, .value = p->min_p },
    };
    const weft_sampler_step *from = p->steps ? p->steps : usual;
    uint32_t n = p->steps ? p->n_steps : WEFT_SAMPLING_STEPS;
    memcpy(out, from, (n < WEFT_SAMPLING_STEPS ? n : WEFT_SAMPLING_STEPS) * sizeof *out);
    return n;
}

static weft_status check_step(const weft_sampler_step *s, uint32_t i, weft_error *err)
{
    bool penalty = s->kind == WEFT_STEP_FREQUENCY || s->kind == WEFT_STEP_PRESENCE;
    if ((unsigned)s->kind > WEFT_STEP_CALL)
        return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u: there is no kind %d", i, (int)s->kind);
    if (penalty ? !isfinite(s->value) : !(s->value >= 0))
        return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u: temperature, top-p, min-p and repeat penalty must not "
                         "be negative, other penalties must be numbers; it is %g", i, (double)s->value);
    if (s->kind == WEFT_STEP_MIN_P && !(s->value <= 1))
        return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u: min-p is %g, must be at most 1", i, (double)s->value);
    if (s->kind == WEFT_STEP_CALL && !s->call)
        return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u: the caller's function is missing", i);
    return WEFT_OK;
}

/* The steps of a description: its own, or `usual` filled. */
static const weft_sampler_step *steps_of(const weft_sampling *p, weft_sampler_step usual[WEFT_SAMPLING_STEPS],
                                         uint32_t *n)
{
    *n = weft_sampling_steps(p, usual);
    return p->steps ? p->steps : usual;
}

/* ---- life ---- */

static weft_status take_steps(weft_sampler *s, const weft_sampling *p, weft_error *err)
{
    weft_sampler_step usual[WEFT_SAMPLING_STEPS];
    uint32_t n;
    bool counts = false, calls = false;
    const weft_sampler_step *steps = steps_of(p, usual, &n);
    s->steps = malloc(n * sizeof *s->steps + 1);
    if (!s->steps) return WEFT_OOM_FAIL(err, "a sampler");
    for (uint32_t i = 0; i < n; i++) {
        WEFT_TRY(check_step(&steps[i], i, err));
        if (does_nothing(&steps[i])) continue;
        counts |= is_penalty(&steps[i]);
        calls |= steps[i].kind == WEFT_STEP_CALL;
        s->plain |= is_greedy(&steps[i]);
        s->steps[s->n_steps++] = steps[i];
    }
    s->plain &= !counts && !calls;
    if (counts && !(s->count = calloc(s->n_vocab, sizeof *s->count))) return WEFT_OOM_FAIL(err, "a sampler");
    return WEFT_OK;
}

weft_status weft_sampler_create(const weft_sampling *p, uint32_t n_vocab, weft_sampler **out, weft_error *err)
{
    *out = NULL;
    if (!n_vocab) return WEFT_FAIL(err, WEFT_INVALID, "a sampler needs a vocabulary");
    weft_sampler *s = calloc(1, sizeof *s);
    if (!s) return WEFT_OOM_FAIL(err, "a sampler");
    s->n_vocab = n_vocab;
    s->state = p->seed;
    weft_status status = take_steps(s, p, err);
    if (!status && !(s->c = calloc(n_vocab, sizeof *s->c))) status = WEFT_OOM_FAIL(err, "a sampler");
    if (status) weft_sampler_destroy(s);
    else *out = s;
    return status;
}

void weft_sampler_destroy(weft_sampler *s)
{
    if (!s) return;
    free(s->steps);
    free(s->count);
    free(s->c);
    free(s);
}

/* SplitMix64 (Steele et al., OOPSLA 2014): uniform in [0, 1). */
static double next_uniform(weft_sampler *s)
{
    uint64_t z = s->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

/* ---- order ---- */

/* Larger logits come first, lower ids among equals. */
static bool before(weft_candidate a, weft_candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/* A heap of n candidates with the worst at its root; the one at i has been replaced. */
static void sift_down(weft_candidate *h, uint32_t n, uint32_t i)
{
    weft_candidate moving = h[i];
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(h[child], h[child + 1])) child++;
        if (!before(moving, h[child])) break;
        h[i] = h[child];
    }
    h[i] = moving;
}

/* The k best to the front, in order: the k that are there make a heap, better ones replace its root, then it is sorted.
 * Those in order already are the best of all, and stay. */
static void put_in_order(weft_sampler *s, uint32_t k)
{
    if (k > s->n) k = s->n;
    if (k <= s->ordered) return;
    weft_candidate *h = s->c + s->ordered;
    uint32_t n = s->n - s->ordered, m = k - s->ordered;
    for (uint32_t i = m / 2; i-- > 0;) sift_down(h, m, i);
    for (uint32_t i = m; i < n; i++) {
        if (!before(h[i], h[0])) continue;
        weft_candidate worst = h[0];
        h[0] = h[i];
        h[i] = worst;
        sift_down(h, m, 0);
    }
    for (uint32_t left = m; left > 1;) {
        weft_candidate worst = h[0];
        h[0] = h[--left];
        h[left] = worst;
        sift_down(h, left, 0);
    }
    s->ordered = k;
    s->by_id = false;
}

/* Candidate i by order. Asks for more than one at a time. */
static weft_candidate ranked(weft_sampler *s, uint32_t i)
{
    if (i >= s->ordered) put_in_order(s, i < 16 ? 16 : 4 * i);
    return s->c[i];
}

static double weight_of(const weft_sampler *s, weft_candidate c, float top)
{
    return exp(((double)c.logit - (double)top) / s->temperature);
}

static double total_weight(const weft_sampler *s, float top)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < s->n; i++) sum += weight_of(s, s->c[i], top);
    return sum;
}

static float top_logit(weft_sampler *s)
{
    if (s->ordered) return s->c[0].logit;
    float top = s->c[0].logit;
    for (uint32_t i = 1; i < s->n; i++) top = s->c[i].logit > top ? s->c[i].logit : top;
    return top;
}

static void keep(weft_sampler *s, uint32_t n)
{
    if (n >= s->n) return;
    put_in_order(s, n);
    s->n = n;
}

/* ---- steps that change logits ---- */

static void settle_temperature(weft_sampler *s)
{
    for (uint32_t i = 0; i < s->n && s->temperature != 1.0; i++)
        s->c[i].logit = (float)((double)s->c[i].logit / s->temperature);
    s->temperature = 1.0;
}

static weft_candidate *find(weft_sampler *s, int32_t id)
{
    if (s->by_id) return &s->c[id];
    for (uint32_t i = 0; i < s->n; i++)
        if (s->c[i].id == id) return &s->c[i];
    return NULL;
}

static float penalised(const weft_sampler_step *p, float logit, uint32_t count)
{
    if (p->kind == WEFT_STEP_REPEAT) return logit > 0 ? logit / p->value : logit * p->value;
    return logit - p->value * (float)(p->kind == WEFT_STEP_FREQUENCY ? count : 1);
}

static void penalise(weft_sampler *s, const weft_sampler_step *p)
{
    uint32_t window = p->n ? p->n : DEFAULT_WINDOW;
    size_t from = s->n_history > window ? s->n_history - window : 0;
    settle_temperature(s);
    for (size_t i = from; i < s->n_history; i++)
        if (s->history[i] >= 0 && (uint32_t)s->history[i] < s->n_vocab) s->count[s->history[i]]++;
    for (size_t i = from; i < s->n_history; i++) {
        int32_t id = s->history[i];
        if (id < 0 || (uint32_t)id >= s->n_vocab || !s->count[id]) continue; /* once each */
        weft_candidate *c = find(s, id);
        if (c) c->logit = penalised(p, c->logit, s->count[id]);
        s->count[id] = 0;
        s->ordered = 0;
    }
}

static weft_status call(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    settle_temperature(s);
    uint32_t n = p->call(p->ctx, s->c, s->n, s->history, s->n_history);
    if (n > s->n)
        return WEFT_FAIL(err, WEFT_INVALID, "a sampling step of the caller left %u candidates of %u", n, s->n);
    s->n = n;
    s->ordered = 0;
    s->by_id = false;
    for (uint32_t i = 0; i < n; i++)
        if (isnan(s->c[i].logit) || s->c[i].id < 0 || (uint32_t)s->c[i].id >= s->n_vocab)
            return WEFT_FAIL(err, WEFT_INVALID, "a sampling step of the caller left the logit %g for token %d",
                             (double)s->c[i].logit, s->c[i].id);
    return WEFT_OK;
}

/* ---- steps that thin out ---- */

static void keep_probable(weft_sampler *s, double p)
{
    float top = top_logit(s);
    if (!isfinite(top)) return keep(s, 1);
    double target = total_weight(s, top) * p, sum = 0.0;
    uint32_t n = 0;
    while (n < s->n && sum < target) sum += weight_of(s, ranked(s, n++), top);
    keep(s, n ? n : 1);
}

static void keep_near_best(weft_sampler *s, double p)
{
    float top = top_logit(s);
    if (!isfinite(top)) return keep(s, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (weight_of(s, s->c[i], top) >= p) s->c[n++] = s->c[i];
    s->by_id &= n == s->n;
    s->n = n;
    s->ordered = s->ordered < n ? s->ordered : n; /* those that stay of what is in order are its beginning */
}

/* ---- picking ---- */

/* The id of the largest logit, the lowest of equals; NO_PICK if there is a NaN, or nothing above -inf. Lanes keep their
 * own maxima, so that no comparison waits for the one before; the id is looked up after the pass. */
static int32_t greedy(const float *logits, uint32_t n)
{
    enum { LANES = 16 };
    float lane[LANES], best = -INFINITY;
    uint32_t i = 0, nan[LANES] = { 0 }, nans = 0;
    for (uint32_t k = 0; k < LANES; k++) lane[k] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t k = 0; k < LANES; k++) {
            lane[k] = logits[i + k] > lane[k] ? logits[i + k] : lane[k];
            nan[k] |= isnan(logits[i + k]) != 0;
        }
    for (; i < n; i++) {
        best = logits[i] > best ? logits[i] : best;
        nans |= isnan(logits[i]) != 0;
    }
    for (uint32_t k = 0; k < LANES; k++) {
        best = lane[k] > best ? lane[k] : best;
        nans |= nan[k];
    }
    if (nans || best == -INFINITY) return NO_PICK;
    for (i = 0; logits[i] != best; i++) {}
    return (int32_t)i;
}

static weft_status nothing_left(weft_error *err)
{
    return WEFT_FAIL(err, WEFT_NOT_FINITE, "no token can be picked: the logits are NaN or all -inf");
}

static weft_status run_step(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    switch (p->kind) {
    case WEFT_STEP_NONE: break;
    case WEFT_STEP_REPEAT:
    case WEFT_STEP_FREQUENCY:
    case WEFT_STEP_PRESENCE: penalise(s, p); break;
    case WEFT_STEP_TEMPERATURE:
        s->greedy |= is_greedy(p);
        if (is_greedy(p)) keep(s, 1);
        else s->temperature *= (double)p->value;
        break;
    case WEFT_STEP_TOP_K: keep(s, p->n); break;
    case WEFT_STEP_TOP_P: keep_probable(s, (double)p->value); break;
    case WEFT_STEP_MIN_P: keep_near_best(s, (double)p->value); break;
    case WEFT_STEP_CALL: return call(s, p, err);
    }
    return WEFT_OK;
}

static int32_t draw(weft_sampler *s)
{
    float top = top_logit(s);
    double at = next_uniform(s) * total_weight(s, top);
    int32_t last = ranked(s, 0).id;
    for (uint32_t i = 0; i < s->n; i++) {
        weft_candidate c = ranked(s, i);
        double w = weight_of(s, c, top);
        if (at < w) return c.id;
        if (w > 0.0) last = c.id; /* what rounding leaves over goes to the last that can be picked */
        at -= w;
    }
    return last;
}

/* From the candidates, none of which is NaN. An infinite logit leaves nothing to weigh: then the best is it. */
static weft_status run(weft_sampler *s, const int32_t *history, size_t n_history, int32_t *token, weft_error *err)
{
    s->history = history;
    s->n_history = history ? n_history : 0;
    s->greedy = false;
    s->temperature = 1.0;
    s->ordered = 0;
    for (uint32_t i = 0; i < s->n_steps; i++) {
        WEFT_TRY(run_step(s, &s->steps[i], err));
        if (!s->n) return nothing_left(err);
    }
    float top = top_logit(s);
    if (!(top > -INFINITY)) return nothing_left(err);
    *token = s->greedy || top == INFINITY ? ranked(s, 0).id : draw(s);
    return WEFT_OK;
}

static weft_status pick(weft_sampler *s, const float *logits, const int32_t *history, size_t n_history,
                        int32_t *token, weft_error *err)
{
    if (s->plain) {
        *token = greedy(logits, s->n_vocab);
        return *token < 0 ? nothing_left(err) : WEFT_OK;
    }
    s->n = s->n_vocab;
    s->by_id = true;
    for (uint32_t i = 0; i < s->n; i++) {
        if (isnan(logits[i])) return nothing_left(err);
        s->c[i] = (weft_candidate){ .logit = logits[i], .id = (int32_t)i };
    }
    return run(s, history, n_history, token, err);
}

weft_status weft_sampler_pick(weft_sampler *s, const float *logits, const int32_t *history, size_t n_history,
                              int32_t *token, float *logprob, weft_error *err)
{
    *token = NO_PICK;
    weft_status status = pick(s, logits, history, n_history, token, err);
    if (status) *token = NO_PICK;
    else if (logprob) weft_logprobs(logits, s->n_vocab, token, 1, logprob);
    return status;
}

/* ---- from candidates ---- */

/* How many of the best the steps look at that change nothing but lower logits. 0: all. */
static uint32_t looked_at(const weft_sampler_step *steps, uint32_t n)
{
    uint64_t window = 0;
    for (uint32_t i = 0; i < n; i++) {
        const weft_sampler_step *p = &steps[i];
        uint64_t its = p->n ? p->n : DEFAULT_WINDOW, kept = is_greedy(p) ? 1 : p->n;
        bool lowers = p->value > (p->kind == WEFT_STEP_REPEAT ? 1.0f : 0.0f); /* else it lifts tokens from anywhere */
        if (does_nothing(p)) continue;
        if (is_penalty(p) && !lowers) return 0;
        if (is_penalty(p)) window = its > window ? its : window;
        else if (is_greedy(p) || p->kind == WEFT_STEP_TOP_K)
            return window + kept <= UINT32_MAX ? (uint32_t)(window + kept) : 0;
        else if (p->kind != WEFT_STEP_TEMPERATURE) return 0;
    }
    return 0;
}

uint32_t weft_sampling_candidates(const weft_sampling *p)
{
    enum { MOST = 1024 };
    weft_sampler_step usual[WEFT_SAMPLING_STEPS];
    uint32_t n;
    bool calls = false;
    const weft_sampler_step *steps = steps_of(p, usual, &n);
    for (uint32_t i = 0; i < n; i++) calls |= steps[i].kind == WEFT_STEP_CALL;
    uint32_t k = looked_at(steps, n);
    if (k == 1 && calls) k = 2; /* of one alone the logit is not known */
    return k <= MOST ? k : 0;
}

weft_status weft_sampler_pick_candidate(weft_sampler *s, const weft_candidate *c, uint32_t n, const int32_t *history,
                                        size_t n_history, int32_t *token, weft_error *err)
{
    *token = NO_PICK;
    if (!n || n > s->n_vocab)
        return WEFT_FAIL(err, WEFT_INVALID, "%u candidates of a vocabulary of %u", n, s->n_vocab);
    if (n == 1) { /* whose logit need not be known */
        *token = c[0].id;
        return WEFT_OK;
    }
    s->n = n;
    s->by_id = n == s->n_vocab;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(c[i].logit)) return nothing_left(err);
        s->c[s->by_id ? (uint32_t)c[i].id : i] = c[i];
    }
    weft_status status = run(s, history, n_history, token, err);
    if (status) *token = NO_PICK;
    return status;
}
