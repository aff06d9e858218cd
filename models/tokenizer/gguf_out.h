/* gguf_out.h: a tokenizer.json as the metadata of a GGUF file. */
#ifndef WEFT_TOKENIZER_GGUF_OUT_H
#define WEFT_TOKENIZER_GGUF_OUT_H

#include "models/checkpoint/gguf_out.h"
#include "tokenizer.h"

typedef struct weft__tokenizer_out {
    const char *text; /* tokenizer.json's */
    size_t size;
    const char *origin;       /* its path, for messages */
    const weft_tokenizer *of; /* the same, open: which tokens it puts around a text */
    uint32_t n_vocab;         /* rows of the embedding: what is beyond the tokenizer's tokens gets names, too */
    int32_t bos, eos;         /* -1: none */
} weft__tokenizer_out;

/* Adds tokenizer.ggml.*, and the file itself as tokenizer.huggingface.json. What GGUF has no kind for is there as that
 * only. FORMAT: not such a file; LIMIT, OOM. */
WEFT_MUST_USE weft_status weft__tokenizer_put(const weft__tokenizer_out *t, weft__gguf_kv *kv, weft_error *err);

#endif
