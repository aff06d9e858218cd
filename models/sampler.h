/* sampler.h: which token comes next: a chain of steps that thin out and change the candidates, then one draw.
 *
 *     weft_sampler *s;
 *     int32_t token;
 *     weft_sampling how = { .temperature = 0.8f, .top_k = 40, .seed = 1 };
 *     if (weft_sampler_create(&how, n_vocab, &s, &err)) ...
 *     weft_sampler_pick(s, logits, history, n_history, &token, NULL, &err);       // as often as wanted
 *
 * The candidates are at first all tokens with the model's logits. Each step takes what the one before left; what a
 * candidate's probability is at any step is the softmax over those that are left. A sampler needs no session: any
 * row of logits will do. It belongs to one thread at a time, and holds on to nothing but what a step of the caller
 * names. */
#ifndef WEFT_SAMPLER_H
#define WEFT_SAMPLER_H

#include "graph/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_candidate { float logit; int32_t id; } weft_candidate;

/* ---- steps ----------------------------------------------------------------------------------------------------- */

/* In the formulas l is a logit, v the step's value, w its `second`. REPEAT, FREQUENCY and PRESENCE look at the last `n`
 * tokens of the history (0: 64), and take each token that occurs there once. */
typedef enum weft_step_kind {
    WEFT_STEP_NONE,
    WEFT_STEP_BIAS,        /* l + values[i] for tokens[i] (logit_bias of OpenAI's API reference); -inf forbids */
    WEFT_STEP_REPEAT,      /* l / v if l is positive, else l v (Keskar et al., arXiv:1909.05858). v 0 or 1: nothing */
    WEFT_STEP_FREQUENCY,   /* l - v times its occurrences (frequency_penalty of OpenAI's API reference) */
    WEFT_STEP_PRESENCE,    /* l - v (presence_penalty there) */
    WEFT_STEP_DRY,         /* l - v w^(r - n) for a token that would go on with a repetition of r >= n tokens: the
                              longest run that ends the history and occurs in it before, there followed by this
                              token. tokens end a run, and are never penalised themselves (github.com/oobabooga/
                              text-generation-webui, pull request 5677). w 0: 1.75; n 0: 2; of the last `window`
                              tokens, 0: all. v 0: nothing */
    WEFT_STEP_TEMPERATURE, /* l / v. 0: only the best candidate stays, the lowest id of equals */
    WEFT_STEP_TOP_K,       /* the n best stay (Fan et al., arXiv:1805.04833). n 0: all */
    WEFT_STEP_TYPICAL,     /* the smallest set that has at least probability v of those whose -log p is nearest to the
                              entropy (Meister et al., arXiv:2202.00666); at least one. v 0, or 1 and more: all */
    WEFT_STEP_TOP_P,       /* the smallest set of the best that has at least probability v (arXiv:1904.09751); at least
                              one. v 0, or 1 and more: all */
    WEFT_STEP_MIN_P,       /* those stay that have at least v times the best one's probability (arXiv:2407.01082) */
    WEFT_STEP_XTC,         /* with the chance v: of those that have at least probability w only the last stays,
                              besides the less probable (text-generation-webui, pull request 6335). w 0: 0.1; above
                              0.5: nothing */
    WEFT_STEP_MIROSTAT,    /* those stay whose surprise, -log2 p, is at most mu, at least one; mu begins at 2 v and
                              loses w (surprise - v) with each pick, whose surprise is of what is left at the end (Basu
                              et al., arXiv:2007.14966, its second version). w 0: 0.1. v 0: nothing. At most one */
    WEFT_STEP_CALL         /* what the caller's function leaves */
} weft_step_kind;

/* The caller's own step: a grammar's mask, another formula. May change the logits of c[0..n), their order, and
 * leave fewer; returns how many are left. Every id must stay below the vocabulary and come once, no logit may be NaN;
 * -inf is a candidate that is never picked. Where no step before thinned them out c[i].id is i. The history is that of
 * weft_sampler_pick. */
typedef uint32_t weft_sampler_call(void *ctx, weft_candidate *c, uint32_t n, const int32_t *history, size_t n_history);

typedef struct weft_sampler_step {
    weft_step_kind kind;
    float value;
    uint32_t n;
    weft_sampler_call *call; /* of CALL, with ctx; they outlive the sampler */
    void *ctx;
    float second;
    uint32_t window;       /* of DRY */
    const int32_t *tokens; /* [n_tokens] of BIAS and DRY; copied. Those that are not in the vocabulary mean nothing */
    const float *values;   /* [n_tokens] of BIAS; copied */
    uint32_t n_tokens;
} weft_sampler_step;

/* The kinds that a name stands for, as llama.cpp and Hugging Face spell them: "top_k", "temperature", "typ_p" or
 * "typical_p", "penalties" (REPEAT, FREQUENCY, PRESENCE), "repetition_penalty" ... Returns how many: 0, there is no
 * such name, to WEFT_STEP_SHARED. */
enum { WEFT_STEP_SHARED = 3 };
WEFT_API uint32_t weft_steps_named(const char *name, weft_step_kind out[WEFT_STEP_SHARED]);

/* ---- a usual chain --------------------------------------------------------------------------------------------- */

/* All zero: the most probable token. The fields are steps; `order` says in which order, and which of them count: NULL
 * is that of weft_step_kind, all of them. */
typedef struct weft_sampling {
    float repeat_penalty;    /* 0 or 1: none */
    float frequency_penalty; /* 0: none; may be negative */
    float presence_penalty;  /* the same */
    uint32_t repeat_window;  /* of all three. 0: 64 */
    float temperature;       /* 0: greedy, and nothing below applies */
    uint32_t top_k;          /* 0: all */
    float top_p;             /* 0, or 1 and more: all */
    float min_p;             /* 0: all */
    uint64_t seed;           /* of the draws: SplitMix64 (Steele et al., OOPSLA 2014) */
    float typical_p;         /* 0, or 1 and more: all */
    float xtc_probability;   /* 0: never */
    float xtc_threshold;     /* 0: 0.1 */
    float dry_multiplier;    /* 0: none */
    float dry_base;          /* 0: 1.75 */
    uint32_t dry_allowed;    /* the length that a repetition may have for nothing. 0: 2 */
    uint32_t dry_window;     /* 0: the whole history */
    const int32_t *dry_breakers; /* [n_dry_breakers] tokens: weft_tokens_with finds those of a text */
    uint32_t n_dry_breakers;
    float mirostat_tau; /* the surprise aimed at, in bits. 0: none */
    float mirostat_eta; /* 0: 0.1 */
    const int32_t *bias_tokens; /* [n_bias] */
    const float *bias_values;
    uint32_t n_bias;
    const weft_step_kind *order; /* [n_order] kinds of fields, each once at most */
    uint32_t n_order;
    /* A chain of the caller's instead of the fields above, but for the seed. Copied. */
    const weft_sampler_step *steps;
    uint32_t n_steps;
} weft_sampling;

enum { WEFT_SAMPLING_STEPS = 12 };
/* The steps that a description stands for, to put others beside them; returns how many (with `steps` given: those, and
 * at most WEFT_SAMPLING_STEPS are written). Kinds in `order` that are no field's, or beyond the twelfth, are left
 * out. */
WEFT_API uint32_t weft_sampling_steps(const weft_sampling *p, weft_sampler_step out[WEFT_SAMPLING_STEPS]);

/* How many of the largest logits decide what is picked: 1 for greedy picks, k of top-k, and those that penalties could
 * push out of them. 0: all logits do (a step of the caller that is not behind a top-k sees all), or too many (above
 * 1024) to be worth it. */
WEFT_API uint32_t weft_sampling_candidates(const weft_sampling *p);

/* Whether tokens that are not allowed may be left out after a pick instead of before, by a second pick in the rare case
 * that one was picked, and each token is as probable: of greedy picks, and where no step leaves out candidates, learns
 * from the pick or is the caller's. */
WEFT_API bool weft_sampling_may_pick_first(const weft_sampling *p);

/* ---- samplers -------------------------------------------------------------------------------------------------- */

typedef struct weft_sampler weft_sampler;
/* INVALID: no vocabulary; a step whose value is out of its range or NaN, a CALL without function, tokens that are
 * missing, a second MIROSTAT; an order that names a kind twice or one that is no field's. */
WEFT_API WEFT_MUST_USE weft_status weft_sampler_create(const weft_sampling *p, uint32_t n_vocab, weft_sampler **out,
                                                       weft_error *err);
WEFT_API void weft_sampler_destroy(weft_sampler *s);
/* Picks a token from n_vocab logits. history: the sequence's tokens so far, the newest last, for penalties and the
 * caller's steps; may be NULL if n_history is 0. A logit of -inf is a token that is never picked, one of +inf always
 * is. logprob: if not NULL, the natural logarithm of the token's probability under the logits as they came
 * (weft_logprobs). NOT_FINITE: a logit is NaN, or nothing is left but -inf. INVALID: a step of the caller broke its
 * word. */
WEFT_API WEFT_MUST_USE weft_status weft_sampler_pick(weft_sampler *s, const float *logits, const int32_t *history,
                                                     size_t n_history, int32_t *token, float *logprob,
                                                     weft_error *err);
/* The same from the n best candidates, descending, where n is at least weft_sampling_candidates (or the vocabulary):
 * picks what it would from all logits. n is at most the vocabulary. Of a single candidate the logit does not matter. */
WEFT_API WEFT_MUST_USE weft_status weft_sampler_pick_candidate(weft_sampler *s, const weft_candidate *c, uint32_t n,
                                                               const int32_t *history, size_t n_history,
                                                               int32_t *token, weft_error *err);

/* The natural logarithm of the probability of each of n ids (all below n_vocab) under softmax(logits). NaN where there
 * is no such distribution: a logit is NaN or +inf, or all are -inf. */
WEFT_API void weft_logprobs(const float *logits, uint32_t n_vocab, const int32_t *ids, uint32_t n, float *out);

#ifdef __cplusplus
}
#endif
#endif
