/* grammar.h: texts that a grammar allows, as masks over the tokens of a vocabulary.
 *
 *     weft_token_trie *trie;                                              // once per tokenizer
 *     weft_grammar *g;                                                    // once per grammar
 *     weft_matcher *m;                                                    // once per text
 *     uint32_t bits[...];                                                 // weft_token_trie_words(trie)
 *     if (weft_token_trie_create(tok, n_vocab, eos, n_eos, &trie, &err) ||
 *         weft_grammar_parse(WEFT_GRAMMAR_JSON_SCHEMA, text, n, "schema", trie, &g, &err) ||
 *         weft_matcher_create(g, &m, &err)) ...
 *     for (;;) {
 *         if (weft_matcher_mask(m, bits, &err)) ...                       // pick a token whose bit is set
 *         if (weft_matcher_accept(m, token, &err)) ...
 *     }
 *
 * Grammars are context-free, written as GBNF (the language of llama.cpp's grammars) or as a JSON schema; a schema
 * becomes the same rules. docs/grammars.md says what of both is known; what is not is refused by name. Text is
 * matched byte for byte, so a token may end within a character; only whole characters can end a text.
 *
 * A grammar may come from anybody: sizes, nesting, work and memory have the limits below, and what runs into one fails
 * with LIMIT. A trie never changes: any number of threads may use one. Threads may have matchers of one grammar, which
 * keeps what it learns for all of them under a lock; a matcher belongs to one thread at a time. */
#ifndef WEFT_GRAMMAR_H
#define WEFT_GRAMMAR_H

#include "models/sampler.h"
#include "models/tokenizer/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEFT_GRAMMAR_MAX_TEXT = 1 << 20,     /* bytes of a grammar or schema */
    WEFT_GRAMMAR_MAX_STATES = 400000,    /* of the automaton: about one per byte, repetitions written out */
    WEFT_GRAMMAR_MAX_NESTING = 200,      /* parentheses and the like in the grammar's text */
    WEFT_GRAMMAR_MAX_DEPTH = 4096,       /* rules within rules in a matched text; what would go deeper is not allowed */
    WEFT_GRAMMAR_MAX_WAYS = 4096,        /* in which a text can be read so far: ambiguity */
    WEFT_GRAMMAR_MAX_MEMORY = 256 << 20, /* bytes that a grammar has with all of its matchers' states */
    WEFT_GRAMMAR_MAX_WORK = 200000000,   /* steps of one call, a second or so; masks usually take some thousands */
};

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

/* The tokens of a tokenizer by their bytes. */
typedef struct weft_token_trie weft_token_trie;

/* n_vocab: width of a mask and of a row of logits, which may be more than the tokenizer has. ends: [n_ends] tokens that
 * end a text (weft_model_eos); they, and no other special token, are allowed where the grammar may end. Nothing is kept
 * of the arguments. INVALID: no vocabulary. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_token_trie_create(const weft_tokenizer *tok, uint32_t n_vocab,
                                                          const int32_t *ends, uint32_t n_ends, weft_token_trie **out,
                                                          weft_error *err);
/* Accepts NULL. Grammars that use it end before. */
WEFT_API void weft_token_trie_destroy(weft_token_trie *trie);
/* 32-bit words of a mask: (n_vocab + 31) / 32. */
WEFT_API uint32_t weft_token_trie_words(const weft_token_trie *trie);

/* ---- grammars -------------------------------------------------------------------------------------------------- */

typedef enum weft_grammar_kind {
    WEFT_GRAMMAR_GBNF,        /* the rule `root` */
    WEFT_GRAMMAR_JSON_SCHEMA, /* a JSON document that the schema allows */
    WEFT_GRAMMAR_JSON_OBJECT, /* any JSON object; there is no text */
} weft_grammar_kind;

typedef struct weft_grammar weft_grammar;

/* text: n bytes, may be NULL if n is 0; `name` stands in messages. Nothing of both is kept. INVALID: a fault of the
 * text (its line and column, or the place in the schema), a rule that begins with itself, a grammar that matches no
 * text. UNSUPPORTED: a keyword, a format or a part of a regular expression that is not known here. LIMIT, OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_grammar_parse(weft_grammar_kind kind, const char *text, size_t n,
                                                      const char *name, const weft_token_trie *trie,
                                                      weft_grammar **out, weft_error *err);
/* Accepts NULL. Its matchers end before. */
WEFT_API void weft_grammar_destroy(weft_grammar *g);

/* ---- matching -------------------------------------------------------------------------------------------------- */

/* Where a text stands in its grammar. */
typedef struct weft_matcher weft_matcher;

/* At the beginning of a text. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_create(weft_grammar *g, weft_matcher **out, weft_error *err);
/* A second one, which stands where m does and goes on by itself. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_fork(const weft_matcher *m, weft_matcher **out, weft_error *err);
WEFT_API uint32_t weft_matcher_n_vocab(const weft_matcher *m); /* of its trie */
/* Accepts NULL. */
WEFT_API void weft_matcher_destroy(weft_matcher *m);

/* The tokens that may come next: bit (id % 32) of bits[id / 32]. All are 0 once the text has ended. LIMIT (also where
 * nothing within the limits can go on), OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_mask(weft_matcher *m, uint32_t *bits, weft_error *err);
/* Whether one token may come next; far less work than a mask that is not known yet. LIMIT, OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_allows(weft_matcher *m, int32_t token, bool *out, weft_error *err);
/* The text goes on with a token, or, for one that ends texts, ends. INVALID: it may not; nothing has changed then.
 * LIMIT, OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_accept(weft_matcher *m, int32_t token, weft_error *err);
/* The same for n bytes of text, as one step. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_accept_text(weft_matcher *m, const char *text, size_t n,
                                                            weft_error *err);
/* Takes back the last n steps (all, if there are fewer). */
WEFT_API void weft_matcher_rollback(weft_matcher *m, size_t n);
/* Whether the text may end here; whether it must, because nothing can follow or it has ended. */
WEFT_API bool weft_matcher_may_end(const weft_matcher *m);
WEFT_API bool weft_matcher_must_end(const weft_matcher *m);

/* ---- picking --------------------------------------------------------------------------------------------------- */

/* A step for a chain of a sampler, best the first: it leaves the candidates that may come next. It reads m, and does
 * not accept what is picked. Where the mask fails it leaves none, and weft_matcher_mask says why. The matcher outlives
 * the sampler. */
WEFT_API weft_sampler_step weft_matcher_step(weft_matcher *m);

/* weft_sampler_pick among the tokens that may come next; the matcher goes on with what was picked. pick_first
 * (weft_sampling_may_pick_first): a token is picked without a mask, and with one only if it may not come: each token is
 * as probable as with the mask, and a mask is rarely needed. logits[0..n_vocab) of tokens that may not come become -inf
 * where there is a mask. Errors: those of weft_sampler_pick and weft_matcher_mask. */
WEFT_API WEFT_MUST_USE weft_status weft_matcher_pick(weft_matcher *m, weft_sampler *s, bool pick_first, float *logits,
                                                     const int32_t *history, size_t n_history, int32_t *token,
                                                     weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
