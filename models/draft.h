/* draft.h: speculative decoding. A *drafter* guesses the tokens that come next; weft_generate evaluates some of them
 * together with the last token that is certain, and keeps those that it would have picked anyway: what is picked from
 * each row of logits is picked as ever, so the text is the one that there would be without, only sooner.
 *
 *     weft_ngrams *n;
 *     weft_ngrams_create(NULL, 0, &n, &err);
 *     weft_drafter d = weft_ngrams_drafter(n);
 *     weft_generate(s, 0, ids, count, &(weft_generate_desc){ .max_tokens = 200, .drafter = &d }, &result, &err);
 *
 * A run of several tokens takes longer than one of a single token, so drafts that are wrong cost time. weft_generate
 * measures both as it goes, and drafts as much as pays: nothing, where it does not. docs/speculative.md has the rule.
 *
 * A drafter is used by one generation at a time, and outlives it. */
#ifndef WEFT_DRAFT_H
#define WEFT_DRAFT_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT_DRAFT_MOST = 64, WEFT_DRAFT_KINDS = 4 }; /* tokens of a draft at most; kinds of drafts */

typedef struct weft_draft {
    uint32_t n; /* of tokens; 0: it has no guess */
    uint32_t kind; /* below WEFT_DRAFT_KINDS: how often a kind is right is counted by itself */
    int32_t ids[WEFT_DRAFT_MOST];
} weft_draft;

/* What the next draft would take, of a drafter that takes time: seconds. */
typedef struct weft_draft_price {
    uint32_t kind; /* of all its drafts */
    double read; /* before the first token of it: reading what it has not read of the text */
    double each; /* for each token */
} weft_draft_price;

/* One of the caller's own may be given wherever one is asked for. A failure of it ends the generation. */
typedef struct weft_drafter {
    /* A text begins with these tokens. */
    weft_status (*begin)(void *ctx, const int32_t *ids, size_t n, weft_error *err);
    /* These are the next of it. */
    weft_status (*push)(void *ctx, const int32_t *ids, size_t n, weft_error *err);
    /* Guesses how it goes on: at most `most` tokens, which are from 1 to WEFT_DRAFT_MOST. *out is zero. Ids that the
     * model has not end a draft. */
    weft_status (*propose)(void *ctx, uint32_t most, weft_draft *out, weft_error *err);
    void *ctx;
    /* What a draft would take, so that none is asked for which does not pay. NULL: hardly any time, which is measured
     * as it goes. */
    weft_draft_price (*price)(void *ctx);
} weft_drafter;

/* ---- n-grams ---------------------------------------------------------------------------------------------------- */

/* The text goes on as it did when its last tokens came before (prompt lookup): the longest of 12, 6, 3 or 2 last tokens
 * that did, where they did so last. A token takes constant time; of a text of more
 * than some 100,000 tokens older places are forgotten, so that the tables have 4 MiB at most. */
typedef struct weft_ngrams weft_ngrams;
/* `text`: n tokens, copied, that are looked up, too, as if they stood before every text: what is expected to come.
 * May be NULL if n is 0. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_ngrams_create(const int32_t *text, size_t n, weft_ngrams **out,
                                                      weft_error *err);
WEFT_API void weft_ngrams_destroy(weft_ngrams *n); /* accepts NULL */
WEFT_API weft_drafter weft_ngrams_drafter(weft_ngrams *n);

/* ---- a draft model ---------------------------------------------------------------------------------------------- */

/* A smaller model with the same tokenizer guesses: its most probable tokens, one after the other. It reads the whole
 * text, the prompt, too, when it is asked for a draft. */
typedef struct weft_draft_model weft_draft_model;
/* s: a session of the smaller model, which gives candidates or logits; its sequence 0 is the drafter's, and it outlives
 * the drafter. Where layers of it see windows, its rollback is at least that of the session that drafts are made for,
 * and one token more. m: the model that drafts are made for. A few runs tell what it takes. UNSUPPORTED: the
 * vocabularies differ (by more than 128 tokens at the end, in what a token is called, or in what ends texts), or the
 * model keeps states that cannot go back; the text says how. INVALID: the session gives neither. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_draft_model_create(weft_session *s, weft_model *m, weft_draft_model **out,
                                                           weft_error *err);
WEFT_API void weft_draft_model_destroy(weft_draft_model *d); /* accepts NULL */
WEFT_API weft_drafter weft_draft_model_drafter(weft_draft_model *d);

/* ---- where it can be used --------------------------------------------------------------------------------------- */

/* Whether n tokens of a sequence can be taken back again, as drafts need it. UNSUPPORTED: the model keeps states that
 * cannot go back, or its layers see windows and the session's rollback is smaller; the text says which. */
WEFT_API WEFT_MUST_USE weft_status weft_session_check_rollback(const weft_session *s, uint32_t n, weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
