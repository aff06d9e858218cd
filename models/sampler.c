/* sampler.c: descriptions of samplers, their life, and picking: the chain of steps, then a draw. */
#include "models/sampler_impl.h"

#include <stdlib.h>
#include <string.h>

enum { NO_PICK = -1 };

/* ---- descriptions ---- */

static bool does_nothing(const weft_sampler_step *s)
{
    const weft__step_row *row = weft__step_row_of(s->kind);
    return !row || !row->run || (row->idle && row->idle(s));
}

/* All fields, in the order of weft_step_kind. */
static void fields(const weft_sampling *p, weft_sampler_step out[WEFT_SAMPLING_STEPS])
{
    const weft_sampler_step all[WEFT_SAMPLING_STEPS] = {
        { .kind = WEFT_STEP_BIAS, .tokens = p->bias_tokens, .values = p->bias_values, .n_tokens = p->n_bias },
        { .kind = WEFT_STEP_REPEAT, .value = p->repeat_penalty, .n = p->repeat_window },
        { .kind = WEFT_STEP_FREQUENCY, .value = p->frequency_penalty, .n = p->repeat_window },
        { .kind = WEFT_STEP_PRESENCE, .value = p->presence_penalty, .n = p->repeat_window },
        { .kind = WEFT_STEP_DRY, .value = p->dry_multiplier, .second = p->dry_base, .n = p->dry_allowed,
          .window = p->dry_window, .tokens = p->dry_breakers, .n_tokens = p->n_dry_breakers },
        { .kind = WEFT_STEP_TEMPERATURE, .value = p->temperature },
        { .kind = WEFT_STEP_TOP_K, .n = p->top_k },
        { .kind = WEFT_STEP_TYPICAL, .value = p->typical_p },
        { .kind = WEFT_STEP_TOP_P, .value = p->top_p },
        { .kind = WEFT_STEP_MIN_P, .value = p->min_p },
        { .kind = WEFT_STEP_XTC, .value = p->xtc_probability, .second = p->xtc_threshold },
        { .kind = WEFT_STEP_MIROSTAT, .value = p->mirostat_tau, .second = p->mirostat_eta },
    };
    memcpy(out, all, sizeof all);
}

uint32_t weft_sampling_steps(const weft_sampling *p, weft_sampler_step out[WEFT_SAMPLING_STEPS])
{
    weft_sampler_step all[WEFT_SAMPLING_STEPS];
    uint32_t n = 0;
    if (p->steps) {
        memcpy(out, p->steps, (p->n_steps < WEFT_SAMPLING_STEPS ? p->n_steps : WEFT_SAMPLING_STEPS) * sizeof *out);
        return p->n_steps;
    }
    fields(p, all);
    if (!p->order) return memcpy(out, all, sizeof all), WEFT_SAMPLING_STEPS;
    for (uint32_t i = 0; i < p->n_order; i++)
        for (uint32_t k = 0; k < WEFT_SAMPLING_STEPS && n < WEFT_SAMPLING_STEPS; k++)
            if (all[k].kind == p->order[i]) out[n++] = all[k];
    return n;
}

/* The steps of a description: its own, or `usual` filled. */
static const weft_sampler_step *steps_of(const weft_sampling *p, weft_sampler_step usual[WEFT_SAMPLING_STEPS],
                                         uint32_t *n)
{
    *n = weft_sampling_steps(p, usual);
    return p->steps ? p->steps : usual;
}

static weft_status check_range(double x, double least, double most, uint32_t i, const char *name, const char *what,
                               weft_error *err)
{
    if (x >= least && x <= most) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u, %s: %s %g is not from %g to %g", i, name, what, x, least,
                     most);
}

static weft_status check_step(const weft_sampler_step *s, uint32_t i, weft_error *err)
{
    const weft__step_row *row = weft__step_row_of(s->kind);
    if (!row) return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u: there is no kind %d", i, (int)s->kind);
    if (!row->run) return WEFT_OK;
    WEFT_TRY(check_range((double)s->value, row->least, row->most, i, row->name, "value", err));
    WEFT_TRY(check_range((double)s->second, row->least2, row->most2, i, row->name, "second value", err));
    if (s->kind == WEFT_STEP_CALL && !s->call)
        return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u: the caller's function is missing", i);
    if (s->n_tokens && (!s->tokens || (s->kind == WEFT_STEP_BIAS && !s->values)))
        return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u, %s: its %u tokens are missing", i, row->name,
                         s->n_tokens);
    for (uint32_t k = 0; s->kind == WEFT_STEP_BIAS && k < s->n_tokens; k++)
        if (isnan(s->values[k]))
            return WEFT_FAIL(err, WEFT_INVALID, "sampling step %u, %s: the bias of token %d is NaN", i, row->name,
                             s->tokens[k]);
    return WEFT_OK;
}

static weft_status check_order(const weft_sampling *p, weft_error *err)
{
    for (uint32_t i = 0; !p->steps && p->order && i < p->n_order; i++) {
        if ((int)p->order[i] <= WEFT_STEP_NONE || p->order[i] >= WEFT_STEP_CALL)
            return WEFT_FAIL(err, WEFT_INVALID, "the order of sampling has %d, which is no field's kind",
                             (int)p->order[i]);
        for (uint32_t k = 0; k < i; k++)
            if (p->order[k] == p->order[i])
                return WEFT_FAIL(err, WEFT_INVALID, "the order of sampling has %s twice",
                                 weft__step_row_of(p->order[i])->name);
    }
    return WEFT_OK;
}

/* ---- life ---- */

static weft_status copy_tokens(weft_sampler_step *s, weft_error *err)
{
    const int32_t *tokens = s->tokens;
    const float *values = s->kind == WEFT_STEP_BIAS ? s->values : NULL;
    s->tokens = NULL;
    s->values = NULL;
    if (!s->n_tokens) return WEFT_OK;
    int32_t *ids = malloc(s->n_tokens * sizeof *ids);
    if (!ids) return WEFT_OOM_FAIL(err, "a sampler's tokens");
    memcpy(ids, tokens, s->n_tokens * sizeof *ids);
    s->tokens = ids;
    if (!values) return qsort(ids, s->n_tokens, sizeof *ids, weft__compare_ids), WEFT_OK;
    float *copy = malloc(s->n_tokens * sizeof *copy);
    if (!copy) return WEFT_OOM_FAIL(err, "a sampler's tokens");
    memcpy(copy, values, s->n_tokens * sizeof *copy);
    s->values = copy;
    return WEFT_OK;
}

static weft_status begin_mirostat(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    if (s->mu > 0.0) return WEFT_FAIL(err, WEFT_INVALID, "a chain of sampling steps has mirostat twice");
    s->mu = 2.0 * (double)p->value;
    return WEFT_OK;
}

static weft_status take_steps(weft_sampler *s, const weft_sampling *p, weft_error *err)
{
    weft_sampler_step usual[WEFT_SAMPLING_STEPS];
    uint32_t n;
    bool counts = false, typical = false, greedy = false, keeps_best = true;
    const weft_sampler_step *steps = steps_of(p, usual, &n);
    WEFT_TRY(check_order(p, err));
    s->steps = calloc(n + 1, sizeof *s->steps);
    if (!s->steps) return WEFT_OOM_FAIL(err, "a sampler");
    for (uint32_t i = 0; i < n; i++) {
        WEFT_TRY(check_step(&steps[i], i, err));
        if (does_nothing(&steps[i])) continue;
        const weft__step_row *row = weft__step_row_of(steps[i].kind);
        if (steps[i].kind == WEFT_STEP_MIROSTAT) WEFT_TRY(begin_mirostat(s, &steps[i], err));
        counts |= row->history;
        typical |= steps[i].kind == WEFT_STEP_TYPICAL;
        greedy |= weft__step_is_greedy(&steps[i]);
        keeps_best &= row->keeps_best;
        s->steps[s->n_steps] = steps[i];
        WEFT_TRY(copy_tokens(&s->steps[s->n_steps++], err));
    }
    s->plain = greedy && keeps_best;
    if (counts && !(s->count = calloc(s->n_vocab, sizeof *s->count))) return WEFT_OOM_FAIL(err, "a sampler");
    if (typical && !(s->other = calloc(s->n_vocab, sizeof *s->other))) return WEFT_OOM_FAIL(err, "a sampler");
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
    for (uint32_t i = 0; i < s->n_steps; i++) {
        free((void *)s->steps[i].tokens);
        free((void *)s->steps[i].values);
    }
    free(s->steps);
    free(s->count);
    free(s->c);
    free(s->other);
    free(s->runs);
    free(s);
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

static weft_candidate draw(weft_sampler *s)
{
    float top = weft__sampler_top(s);
    double at = weft__sampler_uniform(s) * weft__sampler_total(s, top);
    weft_candidate last = weft__sampler_ranked(s, 0);
    for (uint32_t i = 0; i < s->n; i++) {
        weft_candidate c = weft__sampler_ranked(s, i);
        double w = weft__sampler_weight(s, c, top);
        if (at < w) return c;
        if (w > 0.0) last = c; /* what rounding leaves over goes to the last that can be picked */
        at -= w;
    }
    return last;
}

/* Mirostat's mu moves by how far the surprise was from the one aimed at. It stays above zero, which is no mirostat. */
static void learn_surprise(weft_sampler *s, weft_candidate picked, float top)
{
    double surprise = log2(weft__sampler_total(s, top) / weft__sampler_weight(s, picked, top));
    for (uint32_t i = 0; i < s->n_steps; i++)
        if (s->steps[i].kind == WEFT_STEP_MIROSTAT)
            s->mu = fmax(1e-9, s->mu - weft__step_eta(&s->steps[i]) * (surprise - (double)s->steps[i].value));
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
        WEFT_TRY(weft__step_row_of(s->steps[i].kind)->run(s, &s->steps[i], err));
        if (!s->n) return nothing_left(err);
    }
    float top = weft__sampler_top(s);
    if (!(top > -INFINITY)) return nothing_left(err);
    weft_candidate picked = s->greedy || top == INFINITY ? weft__sampler_ranked(s, 0) : draw(s);
    *token = picked.id;
    if (s->mu > 0.0 && isfinite(top)) learn_surprise(s, picked, top);
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

/* How many of the best the steps look at that change nothing but lower logits. 0: all. Steps that look at the history
 * lower the same tokens. */
static uint32_t looked_at(const weft_sampler_step *steps, uint32_t n)
{
    uint64_t window = 0, others = 0;
    for (uint32_t i = 0; i < n; i++) {
        const weft_sampler_step *p = &steps[i];
        const weft__step_row *row = weft__step_row_of(p->kind);
        if (does_nothing(p)) continue;
        if (weft__step_is_greedy(p) || p->kind == WEFT_STEP_TOP_K) {
            uint64_t all = window + others + (weft__step_is_greedy(p) ? 1 : p->n);
            return all <= UINT32_MAX ? (uint32_t)all : 0;
        }
        uint64_t lowers = row->lowers ? row->lowers(p) : UINT64_MAX;
        if (lowers == UINT64_MAX) return 0;
        if (row->history) window = lowers > window ? lowers : window;
        else others += lowers;
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

/* Of steps, those with `lowers` change each candidate by itself. */
bool weft_sampling_may_pick_first(const weft_sampling *p)
{
    weft_sampler_step usual[WEFT_SAMPLING_STEPS];
    uint32_t n;
    bool leaves_out = false;
    const weft_sampler_step *steps = steps_of(p, usual, &n);
    for (uint32_t i = 0; i < n; i++) {
        const weft__step_row *row = weft__step_row_of(steps[i].kind);
        if (does_nothing(&steps[i])) continue;
        if (weft__step_is_greedy(&steps[i])) return true;
        if (row->lowers) continue;
        if (!row->keeps_best || steps[i].kind == WEFT_STEP_MIROSTAT) return false;
        leaves_out = true;
    }
    return !leaves_out;
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
