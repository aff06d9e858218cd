/* unigram.h: the most probable tokens of one word. */
#ifndef WEFT_TOKENIZER_UNIGRAM_H
#define WEFT_TOKENIZER_UNIGRAM_H

#include "prefixes.h"

/* Zero-initialise; weft__unigram_free at the end, also after a failure. */
typedef struct weft__unigram {
    double *score;   /* by id: the logarithm of its probability */
    weft__prefixes tokens;
    double unk_score;    /* of a character without a token */
    int32_t unk_id;      /* what stands for a run of them; -1: they are an error */
    bool byte_fallback;  /* they become their bytes' tokens, if all of them have one */
    int32_t fallback_id[256];
} weft__unigram;
void weft__unigram_free(weft__unigram *m);

/* Kept from word to word. Zero-initialise; free. */
typedef struct weft__unigram_scratch {
    struct weft__unigram_node *nodes;
    size_t capacity;
} weft__unigram_scratch;
void weft__unigram_scratch_free(weft__unigram_scratch *s);

/* Appends the ids of one word of n < 2^31 bytes. Errors: UNSUPPORTED (a character without a token, and no unk_id),
 * OOM. */
weft_status weft__unigram_encode(const weft__unigram *m, const weft__vocab *v, weft__unigram_scratch *s,
                                 const char *word, size_t n, weft__ids *out, weft_error *err);

#endif
