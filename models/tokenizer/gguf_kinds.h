/* gguf_kinds.h: the kinds of tokenizers in GGUF files (tokenizer.ggml.model), as what a tokenizer.json would say. */
#ifndef WEFT_TOKENIZER_GGUF_KINDS_H
#define WEFT_TOKENIZER_GGUF_KINDS_H

#include <jansson.h>

#include "gguf_pre.h"
#include "models/checkpoint/gguf.h"
#include "vocab.h"

typedef struct weft__gguf_kind weft__gguf_kind;
struct weft__gguf_kind {
    const char *name;
    /* Fills what would be a tokenizer.json, without its vocabulary and what goes with it. */
    weft_status (*shape)(const weft__gguf_file *f, const weft__gguf_pre *pre, json_t *root, weft_error *err);
    bool merges, scores; /* what goes with it */
    bool raw;            /* added tokens are looked for in the text as it comes, not in the normalised one */
    bool wordpiece;      /* tokens that begin a word have U+2581 in front; in a tokenizer.json the others have ## */
    bool add_bos, add_eos;               /* where the file says nothing */
    int32_t bos, eos, unk, sep, pad, mask; /* the same; -1: none */
};

/* NULL: not known. */
const weft__gguf_kind *weft__gguf_kind_find(const char *name, size_t n);

/* The parts of merge i of an array of texts "a b". False: it is no pair. */
bool weft__gguf_merge(const void *merges, size_t i, weft__span *left, weft__span *right);

/* A boolean of the file. */
bool weft__gguf_flag(const weft__gguf_file *f, const char *key, bool otherwise);

#endif
