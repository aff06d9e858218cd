/* sampler_steps.c: what each step does to the candidates; a row of the table at the end for each kind. */
#include "models/sampler_impl.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW = 64, DEFAULT_DRY_ALLOWED = 2 };
static const double default_dry_base = 1.75, default_xtc_threshold = 0.1, default_mirostat_eta = 0.1;

static double second_or(const weft_sampler_step *p, double fallback)
{
    return p->second > 0.0f ? (double)p->second : fallback;
}

/* ---- steps that change logits ---- */

static void settle_temperature(weft_sampler *s)
{
    for (uint32_t i = 0; i < s->n && s->temperature != 1.0; i++)
        s->c[i].logit = (float)((double)s->c[i].logit / s->temperature);
    s->temperature = 1.0;
}

static bool in_vocabulary(const weft_sampler *s, int32_t id)
{
    return id >= 0 && (uint32_t)id < s->n_vocab;
}

/* `count`: how often the token occurs; for DRY the length of the run that it would go on with. */
static float penalised(const weft_sampler_step *p, float logit, uint32_t count)
{
    double most = 1e30; /* what is penalised stays finite: it is picked where nothing else is left */
    switch (p->kind) {
    case WEFT_STEP_REPEAT: return logit > 0 ? logit / p->value : logit * p->value;
    case WEFT_STEP_FREQUENCY: return logit - p->value * (float)count;
    case WEFT_STEP_DRY:
        return (float)((double)logit - fmin(most, (double)p->value * pow(second_or(p, default_dry_base),
                                                                        count - (double)p->n)));
    default: return logit - p->value;
    }
}

/* Changes the logits of the history's tokens that have a count, from `from` on, and sets the counts back to zero. */
static void penalise_counted(weft_sampler *s, const weft_sampler_step *p, size_t from)
{
    settle_temperature(s);
    for (uint32_t i = 0; i < s->n && !s->by_id; i++) {
        uint32_t count = s->count[s->c[i].id];
        if (count) s->c[i].logit = penalised(p, s->c[i].logit, count);
    }
    for (size_t i = from; i < s->n_history; i++) {
        int32_t id = s->history[i];
        if (!in_vocabulary(s, id) || !s->count[id]) continue; /* once each */
        if (s->by_id) s->c[id].logit = penalised(p, s->c[id].logit, s->count[id]);
        s->count[id] = 0;
        s->ordered = 0;
    }
}

static size_t window_begins(const weft_sampler *s, uint32_t window)
{
    return s->n_history > window ? s->n_history - window : 0;
}

static weft_status penalise(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    size_t from = window_begins(s, p->n ? p->n : DEFAULT_WINDOW);
    (void)err;
    for (size_t i = from; i < s->n_history; i++)
        if (in_vocabulary(s, s->history[i])) s->count[s->history[i]]++;
    penalise_counted(s, p, from);
    return WEFT_OK;
}

static weft_status add_bias(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    settle_temperature(s);
    s->ordered = 0;
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        if (!in_vocabulary(s, p->tokens[i])) continue;
        if (s->by_id) s->c[p->tokens[i]].logit += p->values[i];
        for (uint32_t k = 0; k < s->n && !s->by_id; k++)
            if (s->c[k].id == p->tokens[i]) s->c[k].logit += p->values[i];
    }
    for (uint32_t i = 0; i < s->n; i++) /* +inf and -inf */
        if (isnan(s->c[i].logit)) s->c[i].logit = -INFINITY;
    return WEFT_OK;
}

/* ---- repetitions (DRY) ---- */

int weft__compare_ids(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool breaks(const weft_sampler_step *p, int32_t id)
{
    return p->n_tokens && bsearch(&id, p->tokens, p->n_tokens, sizeof id, weft__compare_ids);
}

/* The lengths of the runs that end the history and end `k` tokens before its end as well, for every k below n: the Z
 * function of the reversed history (Gusfield, Algorithms on Strings, 1.4). z[0] is not written. */
static void find_runs(const int32_t *end, size_t n, uint32_t *z)
{
#define AT(i) end[-1 - (ptrdiff_t)(i)]
    size_t left = 0, right = 0; /* the run that reaches furthest: [left, right) */
    for (size_t k = 1; k < n; k++) {
        size_t r = k < right && z[k - left] < right - k ? z[k - left] : k < right ? right - k : 0;
        while (k + r < n && AT(r) == AT(k + r)) r++;
        z[k] = (uint32_t)r;
        if (k + r > right) {
            left = k;
            right = k + r;
        }
    }
#undef AT
}

static weft_status room_for_runs(weft_sampler *s, size_t n, weft_error *err)
{
    if (n <= s->runs_size) return WEFT_OK;
    uint32_t *more = realloc(s->runs, 2 * n * sizeof *more);
    if (!more) return WEFT_OOM_FAIL(err, "a sampler's runs");
    s->runs = more;
    s->runs_size = 2 * n;
    return WEFT_OK;
}

static weft_status penalise_repetitions(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    weft_sampler_step how = *p;
    how.n = p->n ? p->n : DEFAULT_DRY_ALLOWED;
    size_t from = p->window ? window_begins(s, p->window) : 0, n = s->n_history - from, most = 0;
    if (n > UINT32_MAX) return WEFT_FAIL(err, WEFT_INVALID, "a history of %zu tokens", n);
    const int32_t *end = s->history + s->n_history;
    while (most < n && !breaks(p, end[-1 - (ptrdiff_t)most])) most++; /* no run reaches past what ends one */
    if (most < how.n || n < 2) return WEFT_OK;
    WEFT_TRY(room_for_runs(s, n, err));
    find_runs(end, n, s->runs);
    for (size_t k = 1; k < n; k++) {
        uint32_t length = s->runs[k] < most ? s->runs[k] : (uint32_t)most;
        int32_t next = end[-(ptrdiff_t)k];
        if (length < how.n || !in_vocabulary(s, next) || breaks(p, next)) continue;
        if (s->count[next] < length) s->count[next] = length;
    }
    penalise_counted(s, &how, from);
    return WEFT_OK;
}

/* ---- steps that thin out ---- */

static weft_status take_temperature(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    s->greedy |= weft__step_is_greedy(p);
    if (weft__step_is_greedy(p)) weft__sampler_keep(s, 1);
    else s->temperature *= (double)p->value;
    return WEFT_OK;
}

static weft_status keep_best(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    weft__sampler_keep(s, p->n);
    return WEFT_OK;
}

/* Where the best is infinite nothing can be weighed: it alone stays. */
static bool only_infinity(weft_sampler *s, float top)
{
    if (isfinite(top)) return false;
    weft__sampler_keep(s, 1);
    return true;
}

static weft_status keep_probable(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    float top = weft__sampler_top(s);
    if (only_infinity(s, top)) return WEFT_OK;
    double target = weft__sampler_total(s, top) * (double)p->value, sum = 0.0;
    uint32_t n = 0;
    while (n < s->n && sum < target) sum += weft__sampler_weight(s, weft__sampler_ranked(s, n++), top);
    weft__sampler_keep(s, n ? n : 1);
    return WEFT_OK;
}

/* Those of at least this weight stay; the best, if none has it. */
static void keep_weighty(weft_sampler *s, float top, double weight)
{
    uint32_t n = 0;
    if (weight > 1.0) return weft__sampler_keep(s, 1);
    for (uint32_t i = 0; i < s->n; i++)
        if (weft__sampler_weight(s, s->c[i], top) >= weight) s->c[n++] = s->c[i];
    s->by_id &= n == s->n;
    s->n = n;
    s->ordered = s->ordered < n ? s->ordered : n; /* those that stay of what is in order are its beginning */
}

static weft_status keep_near_best(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    float top = weft__sampler_top(s);
    if (!only_infinity(s, top)) keep_weighty(s, top, (double)p->value);
    return WEFT_OK;
}

static weft_status keep_expected(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)p;
    (void)err;
    float top = weft__sampler_top(s);
    if (!only_infinity(s, top)) keep_weighty(s, top, exp2(-s->mu) * weft__sampler_total(s, top));
    return WEFT_OK;
}

/* The candidates' places are put in order by how far each is from what is typical, as candidates of their own; those
 * that stay are then taken from their places. */
static weft_status keep_typical(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    float top = weft__sampler_top(s);
    if (only_infinity(s, top)) return WEFT_OK;
    double total = weft__sampler_total(s, top), entropy = 0.0, sum = 0.0;
    weft_candidate *from = s->c, *to = s->other;
    for (uint32_t i = 0; i < s->n; i++) {
        double weight = weft__sampler_weight(s, from[i], top);
        if (weight > 0.0) entropy -= weight / total * log(weight / total);
    }
    for (uint32_t i = 0; i < s->n; i++) {
        double surprise = log(total) - ((double)from[i].logit - (double)top) / s->temperature;
        to[i] = (weft_candidate){ .logit = (float)-fabs(surprise - entropy), .id = (int32_t)i };
    }
    s->c = to;
    s->other = from;
    s->ordered = 0;
    uint32_t n = 0;
    while (n < s->n && sum < total * (double)p->value)
        sum += weft__sampler_weight(s, from[weft__sampler_ranked(s, n++).id], top);
    for (uint32_t i = 0; i < n; i++) to[i] = from[to[i].id];
    s->n = n;
    s->ordered = 0;
    s->by_id = false;
    return WEFT_OK;
}

static weft_status drop_best(weft_sampler *s, const weft_sampler_step *p, weft_error *err)
{
    (void)err;
    double threshold = second_or(p, default_xtc_threshold);
    float top = weft__sampler_top(s);
    if (threshold > 0.5 || s->n < 2 || weft__sampler_uniform(s) >= (double)p->value || !isfinite(top)) return WEFT_OK;
    double least = threshold * weft__sampler_total(s, top);
    uint32_t n = 0;
    while (n < s->n && weft__sampler_weight(s, weft__sampler_ranked(s, n), top) >= least) n++;
    if (n < 2) return WEFT_OK;
    s->n -= n - 1;
    s->ordered -= n - 1;
    s->by_id = false;
    memmove(s->c, s->c + n - 1, s->n * sizeof *s->c);
    return WEFT_OK;
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
        if (isnan(s->c[i].logit) || !in_vocabulary(s, s->c[i].id))
            return WEFT_FAIL(err, WEFT_INVALID, "a sampling step of the caller left the logit %g for token %d",
                             (double)s->c[i].logit, s->c[i].id);
    return WEFT_OK;
}

/* ---- what a step needs ---- */

static bool no_value(const weft_sampler_step *p) { return p->value == 0.0f; }
static bool value_is_one(const weft_sampler_step *p) { return p->value == 1.0f; }
static bool value_none_or_one(const weft_sampler_step *p) { return p->value == 0.0f || p->value == 1.0f; }
static bool value_is_all(const weft_sampler_step *p) { return p->value == 0.0f || p->value >= 1.0f; }
static bool no_number(const weft_sampler_step *p) { return !p->n; }
static bool no_tokens(const weft_sampler_step *p) { return !p->n_tokens; }

static uint64_t lowers_window(const weft_sampler_step *p)
{
    bool lowers = p->value > (p->kind == WEFT_STEP_REPEAT ? 1.0f : 0.0f); /* else it lifts tokens from anywhere */
    return !lowers ? UINT64_MAX : p->n ? p->n : DEFAULT_WINDOW;
}

static uint64_t lowers_repetitions(const weft_sampler_step *p)
{
    return p->window ? p->window : UINT64_MAX;
}

static uint64_t lowers_biased(const weft_sampler_step *p)
{
    for (uint32_t i = 0; i < p->n_tokens; i++)
        if (!(p->values[i] <= 0.0f)) return UINT64_MAX;
    return p->n_tokens;
}

static uint64_t lowers_none(const weft_sampler_step *p)
{
    (void)p;
    return 0;
}

/* ---- the kinds ---- */

#define ANY -(double)FLT_MAX, (double)FLT_MAX
#define POSITIVE 0.0, (double)FLT_MAX
#define PART 0.0, 1.0
static const weft__step_row rows[] = {
    [WEFT_STEP_NONE] = { .name = "none" },
    [WEFT_STEP_BIAS] = { "logit_bias", ANY, ANY, .idle = no_tokens, .lowers = lowers_biased, .run = add_bias },
    [WEFT_STEP_REPEAT] = { "repeat_penalty", POSITIVE, ANY, .history = true, .idle = value_none_or_one,
                           .lowers = lowers_window, .run = penalise },
    [WEFT_STEP_FREQUENCY] = { "frequency_penalty", ANY, ANY, .history = true, .idle = no_value,
                              .lowers = lowers_window, .run = penalise },
    [WEFT_STEP_PRESENCE] = { "presence_penalty", ANY, ANY, .history = true, .idle = no_value,
                             .lowers = lowers_window, .run = penalise },
    [WEFT_STEP_DRY] = { "dry", POSITIVE, POSITIVE, .history = true, .idle = no_value, .lowers = lowers_repetitions,
                        .run = penalise_repetitions },
    [WEFT_STEP_TEMPERATURE] = { "temperature", 0.0, INFINITY, ANY, .keeps_best = true, .idle = value_is_one,
                                .lowers = lowers_none, .run = take_temperature },
    [WEFT_STEP_TOP_K] = { "top_k", ANY, ANY, .keeps_best = true, .idle = no_number, .run = keep_best },
    [WEFT_STEP_TYPICAL] = { "typical_p", 0.0, INFINITY, ANY, .idle = value_is_all, .run = keep_typical },
    [WEFT_STEP_TOP_P] = { "top_p", 0.0, INFINITY, ANY, .keeps_best = true, .idle = value_is_all,
                          .run = keep_probable },
    [WEFT_STEP_MIN_P] = { "min_p", PART, ANY, .keeps_best = true, .idle = no_value, .run = keep_near_best },
    [WEFT_STEP_XTC] = { "xtc", PART, PART, .idle = no_value, .run = drop_best },
    [WEFT_STEP_MIROSTAT] = { "mirostat", POSITIVE, POSITIVE, .keeps_best = true, .idle = no_value,
                             .run = keep_expected },
    [WEFT_STEP_CALL] = { "call", ANY, ANY, .run = call },
};

const weft__step_row *weft__step_row_of(weft_step_kind kind)
{
    return (size_t)kind < sizeof rows / sizeof *rows ? &rows[kind] : NULL;
}

bool weft__step_is_greedy(const weft_sampler_step *p)
{
    return p->kind == WEFT_STEP_TEMPERATURE && p->value == 0.0f;
}

double weft__step_eta(const weft_sampler_step *p)
{
    return second_or(p, default_mirostat_eta);
}

uint32_t weft_steps_named(const char *name, weft_step_kind out[WEFT_STEP_SHARED])
{
    static const struct { const char *name; uint32_t n; weft_step_kind kinds[WEFT_STEP_SHARED]; } others[] = {
        { "penalties", 3, { WEFT_STEP_REPEAT, WEFT_STEP_FREQUENCY, WEFT_STEP_PRESENCE } },
        { "repetition_penalty", 1, { WEFT_STEP_REPEAT } },
        { "typ_p", 1, { WEFT_STEP_TYPICAL } },
        { "typical", 1, { WEFT_STEP_TYPICAL } },
        { "temp", 1, { WEFT_STEP_TEMPERATURE } },
    };
    for (int k = WEFT_STEP_NONE + 1; k < WEFT_STEP_CALL; k++)
        if (!strcmp(name, rows[k].name)) return *out = (weft_step_kind)k, 1;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(name, others[i].name)) continue;
        memcpy(out, others[i].kinds, sizeof others[i].kinds);
        return others[i].n;
    }
    return 0;
}
