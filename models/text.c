/* text.c: the tokenizer of an open model, read on first use. */
#include "models/checkpoint/file.h"
#include "models/model_impl.h"

#include <stdlib.h>

weft_status weft__model_tokenizer(weft_model *m, const weft__tokenizer **out, weft_error *err)
{
    if (!m->tokenizer) {
        char *path = weft__path_join(m->folder, "tokenizer.json");
        if (!path) return WEFT_OOM_FAIL(err, "a path");
        weft_status s = m->info.has_tokenizer
            ? weft__tokenizer_open(path, &m->tokenizer, err)
            : WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: not there, so text cannot be read or written (tokens can)", path);
        free(path);
        if (s) return s;
    }
    *out = m->tokenizer;
    return WEFT_OK;
}

weft_status weft_model_encode(weft_model *m, const char *text, size_t n_bytes, weft_tokens *out, weft_error *err)
{
    const weft__tokenizer *tok;
    *out = (weft_tokens){ 0 };
    WEFT_TRY(weft__model_tokenizer(m, &tok, err));
    return weft__tokenizer_encode(tok, text, n_bytes, 0, &out->ids, &out->n, err);
}

void weft_tokens_free(weft_tokens *t)
{
    free(t->ids);
    *t = (weft_tokens){ 0 };
}

weft_status weft_model_decode(weft_model *m, const int32_t *ids, size_t n, bool skip_special, weft_text *out,
                              weft_error *err)
{
    const weft__tokenizer *tok;
    char *text;
    size_t size;
    WEFT_TRY(weft__model_tokenizer(m, &tok, err));
    WEFT_TRY(weft__tokenizer_decode(tok, ids, n, skip_special ? WEFT__DECODE_SKIP_SPECIAL : 0, &text, &size, err));
    *out = (weft_text){ .data = text, .size = size, .capacity = size + 1 };
    return WEFT_OK;
}

weft_status weft_model_tokenizer_info(weft_model *m, uint32_t *n_vocab, uint32_t *n_added, weft_error *err)
{
    const weft__tokenizer *tok;
    WEFT_TRY(weft__model_tokenizer(m, &tok, err));
    *n_vocab = weft__tokenizer_size(tok);
    *n_added = (uint32_t)weft__tokenizer_added_count(tok);
    return WEFT_OK;
}
