/* model.h: the model of a tokenizer: a word to token ids.
 *
 * It is made in two steps. weft__model_begin takes what a few words of a tokenizer.json say of it. What is long comes
 * when the vocabulary is known: from the same object (weft__model_read), or from wherever else it lies
 * (weft__model_fill). */
#ifndef WEFT_TOKENIZER_MODEL_H
#define WEFT_TOKENIZER_MODEL_H

#include <jansson.h>

#include "bpe.h"
#include "unigram.h"
#include "wordpiece.h"

/* Zero-initialise; weft__model_free. */
typedef struct weft__model {
    const struct weft__model_kind *kind;
    bool raw_bytes; /* words come as bytes that stand for their characters in the byte-level alphabet (BPE) */
    weft__bpe bpe;  /* of these, the kind's own */
    weft__unigram unigram;
    weft__wordpiece wordpiece;
} weft__model;
void weft__model_free(weft__model *m);

/* Finds the kind of a model's object, and checks what needs no vocabulary. byte_level: words come in the byte-level
 * alphabet. Errors: FORMAT, UNSUPPORTED. */
weft_status weft__model_begin(weft__model *m, const json_t *object, bool byte_level, weft_error *err);
/* Its vocabulary, text to id, as a new object. Errors: FORMAT, OOM. */
weft_status weft__model_vocab(const weft__model *m, const json_t *object, json_t **out, weft_error *err);
/* The rest, with the vocabulary. Errors: FORMAT, UNSUPPORTED, OOM. */
weft_status weft__model_read(weft__model *m, const json_t *object, const weft__vocab *v, weft_error *err);

/* The rest of a model, of which its kind takes its own. */
typedef struct weft__model_lists {
    size_t n_merges; /* of BPE: the two parts of each, in order of rank. False: it is no pair */
    bool (*merge)(const void *ctx, size_t i, weft__span *left, weft__span *right);
    const void *ctx;
    const double *scores; /* by id, finite: of Unigram; of BPE instead of merges */
    int32_t unk_id;       /* -1: none */
} weft__model_lists;
weft_status weft__model_fill(weft__model *m, const weft__model_lists *lists, const weft__vocab *v, weft_error *err);

const char *weft__model_name(const weft__model *m);

/* Kept from word to word. Zero-initialise; free. */
typedef struct weft__model_scratch {
    weft__bpe_scratch bpe;
    weft__unigram_scratch unigram;
} weft__model_scratch;
void weft__model_scratch_free(weft__model_scratch *s);

/* Appends the ids of one word, n > 0. Errors: UNSUPPORTED, OOM. */
weft_status weft__model_encode(const weft__model *m, const weft__vocab *v, weft__model_scratch *s, const char *word,
                               size_t n, weft__ids *out, weft_error *err);

#endif
