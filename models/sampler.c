/* sampler.c: picking a token from logits.
 *
 * Candidates are (logit, id) pairs in a heap, largest first: of a vocabulary of 50,000 only the few that top-k and
 * top-p let through are ever put in order. */
#include "models/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW = 64, NO_PICK = -1 };

typedef struct candidate {
    float logit;
    int32_t id;
    double p; /* exp(logit - largest), once chosen */
} candidate;

struct weft_sampler {
    weft_sampling p;
    uint32_t n_vocab, n; /* n: candidates in the heap */
    uint64_t state; /* of the generator */
    candidate *heap;
};

weft_status weft_sampler_create(const weft_sampling *p, uint32_t n_vocab, weft_sampler **out, weft_error *err)
{
    *out = NULL;
    if (!n_vocab) return WEFT_FAIL(err, WEFT_INVALID, "a sampler needs a vocabulary");
    if (!(p->temperature >= 0) || !(p->top_p >= 0) || !(p->min_p >= 0 && p->min_p <= 1) || !(p->repeat_penalty >= 0))
        return WEFT_FAIL(err, WEFT_INVALID,
                         "temperature, top-p, min-p (at most 1) and repeat-penalty must not be negative");
    weft_sampler *s = calloc(1, sizeof *s);
    if (s) s->heap = calloc(n_vocab, sizeof *s->heap);
    if (!s || !s->heap) {
        weft_sampler_destroy(s);
        return WEFT_OOM_FAIL(err, "a sampler");
    }
    s->p = *p;
    if (!s->p.repeat_window) s->p.repeat_window = DEFAULT_WINDOW;
    s->n_vocab = n_vocab;
    s->state = p->seed;
    *out = s;
    return WEFT_OK;
}

void weft_sampler_destroy(weft_sampler *s)
{
    if (!s) return;
    free(s->heap);
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

/* ---- heap, largest logit first, lowest id first among equals ---- */

static bool before(const candidate *a, const candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static void sift_down(candidate *h, uint32_t n, uint32_t i)
{
    candidate moving = h[i];
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&h[child + 1], &h[child])) child++;
        if (!before(&h[child], &moving)) break;
        h[i] = h[child];
    }
    h[i] = moving;
}

static void heapify(candidate *h, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;) sift_down(h, n, i);
}

/* Takes the largest out; it ends up behind the remaining n - 1. */
static candidate pop(candidate *h, uint32_t n)
{
    candidate top = h[0];
    h[0] = h[n - 1];
    sift_down(h, n - 1, 0);
    h[n - 1] = top;
    return top;
}

/* ---- picking ---- */

static bool is_recent(const int32_t *recent, size_t n, int32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (recent[i] == id) return true;
    return false;
}

static candidate *find(weft_sampler *s, int32_t id)
{
    if (s->n == s->n_vocab) return id >= 0 && (uint32_t)id < s->n ? &s->heap[id] : NULL; /* in the order of ids */
    for (uint32_t i = 0; i < s->n; i++)
        if (s->heap[i].id == id) return &s->heap[i];
    return NULL;
}

static void penalise(weft_sampler *s, const int32_t *recent, size_t n)
{
    float r = s->p.repeat_penalty;
    size_t from = n > s->p.repeat_window ? n - s->p.repeat_window : 0;
    for (size_t i = from; i < n; i++) {
        candidate *c = find(s, recent[i]);
        if (!c || is_recent(recent + from, i - from, recent[i])) continue; /* once each */
        c->logit = c->logit > 0 ? c->logit / r : c->logit * r;
    }
}

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

static const candidate *largest(const weft_sampler *s)
{
    const candidate *best = &s->heap[0];
    for (uint32_t i = 1; i < s->n; i++)
        if (before(&s->heap[i], best)) best = &s->heap[i];
    return best;
}

/* Puts the kept candidates, best first, at the end of the heap (index n - 1 downwards); returns how many. */
static uint32_t select_candidates(weft_sampler *s, double *total)
{
    uint32_t n = s->n, kept = 0, k = s->p.top_k && s->p.top_k < n ? s->p.top_k : n;
    double t = s->p.temperature, sum = 0.0, target = INFINITY, all = 0.0;
    float top = largest(s)->logit;
    bool nucleus = s->p.top_p > 0 && s->p.top_p < 1;
    for (uint32_t i = 0; i < n; i++) s->heap[i].p = exp(((double)s->heap[i].logit - (double)top) / t);
    heapify(s->heap, n);
    if (nucleus && k == n) {
        for (uint32_t i = 0; i < n; i++) all += s->heap[i].p;
    } else if (nucleus) { /* top-p is of what top-k leaves: look at the k best, then put them back */
        for (uint32_t i = 0; i < k; i++) all += pop(s->heap, n - i).p;
        heapify(s->heap, n);
    }
    if (nucleus) target = all * (double)s->p.top_p;
    while (kept < k && sum < target) {
        candidate c = s->heap[0];
        if (kept && (c.p < (double)s->p.min_p || c.p == 0.0)) break;
        pop(s->heap, n - kept);
        sum += c.p;
        kept++;
    }
    *total = sum;
    return kept;
}

static bool has_penalty(const weft_sampling *p)
{
    return p->repeat_penalty != 0.0f && p->repeat_penalty != 1.0f;
}

/* From the heap's n candidates, none of which is NaN. */
static int32_t pick(weft_sampler *s, const int32_t *recent, size_t n_recent)
{
    if (recent && has_penalty(&s->p)) penalise(s, recent, n_recent);
    const candidate *best = largest(s);
    if (!(best->logit > -INFINITY)) return NO_PICK;
    /* An infinite logit leaves nothing to weigh. */
    if (s->p.temperature == 0.0f || !isfinite(best->logit)) return best->id;
    double total;
    uint32_t kept = select_candidates(s, &total);
    double at = next_uniform(s) * total;
    for (uint32_t i = 0; i + 1 < kept; i++) {
        const candidate *c = &s->heap[s->n - 1 - i];
        if (at < c->p) return c->id;
        at -= c->p;
    }
    return s->heap[s->n - kept].id;
}

int32_t weft_sampler_pick(weft_sampler *s, const float *logits, const int32_t *recent, size_t n_recent)
{
    if (s->p.temperature == 0.0f && !(recent && has_penalty(&s->p))) return greedy(logits, s->n_vocab);
    s->n = s->n_vocab;
    for (uint32_t i = 0; i < s->n; i++) {
        if (isnan(logits[i])) return NO_PICK;
        s->heap[i] = (candidate){ .logit = logits[i], .id = (int32_t)i };
    }
    return pick(s, recent, n_recent);
}

/* ---- from candidates ---- */

uint32_t weft_sampling_candidates(const weft_sampling *p)
{
    enum { MOST = 1024 };
    uint32_t k = p->temperature == 0.0f ? 1 : p->top_k, window = p->repeat_window ? p->repeat_window : DEFAULT_WINDOW;
    if (!k || k > MOST || !has_penalty(p)) return k <= MOST ? k : 0;
    if (!(p->repeat_penalty > 1.0f) || window > MOST) return 0; /* below 1 it lifts tokens from anywhere */
    return k + window <= MOST ? k + window : 0;
}

int32_t weft_sampler_pick_candidate(weft_sampler *s, const weft_candidate *c, uint32_t n, const int32_t *recent,
                                    size_t n_recent)
{
    if (n == 1) return c[0].id; /* whose logit need not be known */
    bool all = n == s->n_vocab; /* then in the order of ids */
    s->n = n;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(c[i].logit)) return NO_PICK;
        s->heap[all ? (uint32_t)c[i].id : i] = (candidate){ .logit = c[i].logit, .id = c[i].id };
    }
    return pick(s, recent, n_recent);
}

/* ---- log-probabilities ---- */

/* exp(x) for x <= 0 to 2e-7: branch-free, so that a loop over a vocabulary is vectorised. 2^n by exponent bits, the
 * rest by its Taylor polynomial on [-ln 2 / 2, ln 2 / 2]. */
static inline float exp_negative(float x)
{
    x = x < -87.0f ? -87.0f : x;
    float n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to a whole number in the low bits */
    uint32_t bits; /* a shift past the top only drops what the rounding constant brought in */
    memcpy(&bits, &n, sizeof bits);
    n -= 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (1.66666667e-1f +
                                                  r * (4.16666667e-2f + r * (8.33333333e-3f + r * 1.38888889e-3f)))));
    bits = (bits + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

void weft_logprobs(const float *logits, uint32_t n_vocab, const int32_t *ids, uint32_t n, float *out)
{
    enum { BLOCK = 256 };
    float top = -INFINITY;
    double sum = 0.0;
    for (uint32_t i = 0; i < n_vocab; i++) top = logits[i] > top ? logits[i] : top;
    for (uint32_t i = 0; i < n_vocab; i += BLOCK) {
        uint32_t end = n_vocab - i < BLOCK ? n_vocab : i + BLOCK;
        float e[BLOCK];
        for (uint32_t k = i; k < end; k++) e[k - i] = exp_negative(logits[k] - top);
        for (uint32_t k = i; k < end; k++) sum += (double)e[k - i];
    }
    double log_sum = (double)top + log(sum);
    for (uint32_t i = 0; i < n; i++) out[i] = (float)((double)logits[ids[i]] - log_sum);
}

static float rank_of(float logit)
{
    return isnan(logit) ? -INFINITY : logit;
}

/* Insertion into a short sorted list: n is small beside the vocabulary. */
void weft__best_ids(const float *logits, uint32_t n_vocab, uint32_t n, int32_t *out)
{
    uint32_t have = 0;
    for (uint32_t i = 0; i < n_vocab; i++) {
        float x = rank_of(logits[i]);
        if (have == n && !(x > rank_of(logits[out[n - 1]]))) continue;
        uint32_t at = have < n ? have++ : n - 1;
        for (; at > 0 && x > rank_of(logits[out[at - 1]]); at--) out[at] = out[at - 1];
        out[at] = (int32_t)i;
    }
}
