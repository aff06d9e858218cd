/* sampler_impl.h: what the parts of the sampler share, and what generation needs beside the public interface.
 *
 * The candidates are an array, in any order but for the first `ordered` of them, which are the best, best first. Steps
 * ask for as many in order as they need: of a vocabulary of 50,000 top-k and top-p look at a few. A candidate's weight,
 * exp((logit - largest) / temperature), is computed in double precision where it is needed; the temperature stays apart
 * from the logits until a step needs them whole. */
#ifndef WEFT_SAMPLER_IMPL_H
#define WEFT_SAMPLER_IMPL_H

#include "models/sampler.h"

#include <math.h>

struct weft_sampler {
    weft_sampler_step *steps;
    uint32_t n_steps, n_vocab;
    bool plain;     /* greedy, and nothing that changes which is the best: no candidates are needed */
    uint64_t state; /* of the generator */
    double mu;      /* of mirostat: between picks */
    /* of one pick */
    weft_candidate *c, *other; /* [n_vocab]; the other is room for TYPICAL, NULL without it */
    uint32_t n, ordered; /* candidates, and how many of the best stand first, in order */
    bool by_id;          /* c[i].id is i */
    bool greedy;
    double temperature; /* what logits are still to be divided by */
    uint32_t *count;    /* [n_vocab], zero between steps; NULL without a step that counts */
    const int32_t *history;
    size_t n_history;
    uint32_t *runs; /* of DRY: [runs_size] lengths, kept from pick to pick */
    size_t runs_size;
};

/* SplitMix64 (Steele et al., OOPSLA 2014): uniform in [0, 1). */
static inline double weft__sampler_uniform(weft_sampler *s)
{
    uint64_t z = s->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

/* ---- order (sampler_order.c) ---- */
/* The k best to the front, in order. */
void weft__sampler_order(weft_sampler *s, uint32_t k);
/* The k best stay. */
void weft__sampler_keep(weft_sampler *s, uint32_t k);
float weft__sampler_top(const weft_sampler *s);
/* The sum of all weights. */
double weft__sampler_total(const weft_sampler *s, float top);

static inline double weft__sampler_weight(const weft_sampler *s, weft_candidate c, float top)
{
    return exp(((double)c.logit - (double)top) / s->temperature);
}

/* Candidate i by order. Asks for more than one at a time. */
static inline weft_candidate weft__sampler_ranked(weft_sampler *s, uint32_t i)
{
    if (i >= s->ordered) weft__sampler_order(s, i < 16 ? 16 : 4 * i);
    return s->c[i];
}

/* The n largest logits' ids, descending, the lower id first among equals; NaN counts as -inf. 1 <= n <= n_vocab. */
void weft__best_ids(const float *logits, uint32_t n_vocab, uint32_t n, int32_t *out);

/* ---- steps (sampler_steps.c) ---- */
typedef struct weft__step_row {
    const char *name;
    double least, most, least2, most2; /* what value and second may be */
    bool history;    /* it looks at the history, and needs weft_sampler.count */
    bool keeps_best; /* the best candidate before it is the best behind it */
    bool (*idle)(const weft_sampler_step *p); /* changes nothing. NULL: it always does */
    /* How many tokens it may lower, all others staying as they are; of those of the history, where it looks at that.
     * UINT64_MAX, and NULL: it lifts some, or looks at all. */
    uint64_t (*lowers)(const weft_sampler_step *p);
    weft_status (*run)(weft_sampler *s, const weft_sampler_step *p, weft_error *err); /* NULL: nothing */
} weft__step_row;
/* NULL: there is no such kind. */
const weft__step_row *weft__step_row_of(weft_step_kind kind);
bool weft__step_is_greedy(const weft_sampler_step *p);
double weft__step_eta(const weft_sampler_step *p); /* of MIROSTAT */
int weft__compare_ids(const void *a, const void *b);

#endif
