/* generate.h: a sequence of a session is continued: tokens are picked (sampler.h, grammar.h) and read, until something
 * ends the text. Part of model.h. */
#ifndef WEFT_GENERATE_H
#define WEFT_GENERATE_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* natural logarithm, before sampling changes */
typedef struct weft_logprob { int32_t token; float logprob; } weft_logprob;

typedef enum weft_stop {
    WEFT_STOP_LENGTH, WEFT_STOP_EOS, WEFT_STOP_STRING, WEFT_STOP_CANCELLED, WEFT_STOP_CONTEXT
} weft_stop;
WEFT_API const char *weft_stop_name(weft_stop s); /* "length", "eos", "stop", "cancelled", "context" */

typedef struct weft_generate_desc {
    weft_sampling sampling;
    uint32_t max_tokens;      /* 0: as many as the context holds */
    const char *const *stop;  /* text that ends the output and is not part of it (needs a tokenizer) */
    uint32_t n_stop;
    bool ignore_eos;          /* else any of the model's end-of-text tokens stops; it is the last of `tokens` */
    uint32_t n_logprobs;      /* the best n of every step, beside the chosen one */
    /* Called for each token with the text that became complete (whole UTF-8 sequences; may be empty; text held back
     * while it could be the start of a stop string comes later). Return false to cancel. May be NULL. */
    bool (*on_token)(void *ctx, int32_t token, const char *text, size_t n);
    void *ctx;
    /* Of a grammar (grammar.h), or NULL: it says which tokens may be picked, is moved on, and stays where this ends.
     * The text also ends (WEFT_STOP_EOS) where nothing else may come. */
    struct weft_matcher *matcher;
    /* Guesses what comes next (draft.h), or NULL. The text is the same with it (in a deterministic session bit for bit,
     * log-probabilities, too), only sooner. */
    const struct weft_drafter *drafter;
    /* Tokens of a draft at most; 0: 15. Of the session they take a row each and one more (max_rows), and where layers
     * see windows `rollback`: what it has less of shortens them. */
    uint32_t draft_tokens;
    bool draft_always; /* whether or not it pays: for tests and measurements */
} weft_generate_desc;

typedef struct weft_generated {
    int32_t *tokens; /* all that were picked, also those of a stop string */
    uint32_t n_tokens;
    char *text; /* NUL-terminated, valid UTF-8; "" without a tokenizer */
    size_t text_size;
    weft_logprob *logprobs; /* [n_tokens, 1 + n_logprobs]: the chosen one, then the best; NULL if none asked */
    uint32_t n_logprobs;
    weft_stop stop;
    double prompt_seconds, decode_seconds; /* decode: from the first token's pick to the last's */
    uint32_t drafted, accepted; /* tokens that were guessed and checked; those that were right */
} weft_generated;

/* A session of candidates must have as many as desc.sampling needs, and gives no log-probabilities (INVALID).
 * Continues a sequence: appends the prompt (at least one token), then picks and appends until something stops it. The
 * last token picked is not appended, for nothing has needed its logits: to go on, let the next prompt begin with it.
 * The repeat penalty looks at this call's prompt and picks alone. UNSUPPORTED: there is a drafter, and the model cannot
 * go back where a draft was wrong (weft_session_check_rollback). After a failure the sequence is as it was, or empty
 * if it cannot go back there (weft_session_truncate). */
WEFT_API WEFT_MUST_USE weft_status weft_generate(weft_session *s, uint32_t sequence, const int32_t *prompt,
                                                 size_t n_prompt, const weft_generate_desc *desc, weft_generated *out,
                                                 weft_error *err);
WEFT_API void weft_generated_free(weft_generated *r);

#ifdef __cplusplus
}
#endif
#endif
