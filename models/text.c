/* text.c: the tokenizer of an open model, read on first use. */
#include "models/checkpoint/file.h"
#include "models/model_impl.h"
#include "models/tokenizer/unicode.h"

#include <stdlib.h>
#include <string.h>

/* Reads the tokenizer and, for its start token, the configuration, as far as there is a good one. */
static weft_status open_text(weft_model *m, const char *path, weft_error *err)
{
    int32_t bos[16];
    size_t n = 0;
    bool alone = weft__ends_with(path, "tokenizer.json") && !weft__path_is_folder(path);
    m->path = strdup(path);
    m->info = (weft_model_info){ .path = m->path, .architecture = "", .bos = -1, .eos = -1, .has_tokenizer = true };
    if (!m->path) return WEFT_OOM_FAIL(err, "a model");
    if (alone) return weft__tokenizer_open(path, &m->tokenizer, err);
    WEFT_TRY(weft__model_folder(path, &m->folder, err));
    WEFT_TRY(weft__tokenizer_open_folder(m->folder, &m->tokenizer, err));
    weft_status s = weft__hf_config_open(path, &m->hf, NULL);
    if (!s) s = weft__hf_config_tokens(m->hf, "bos_token_id", bos, sizeof bos / sizeof *bos, &n, NULL);
    if (!s && n) m->info.bos = bos[0];
    return s == WEFT_OOM ? WEFT_OOM_FAIL(err, path) : WEFT_OK;
}

weft_status weft_model_open_text(const char *path, weft_model **out, weft_error *err)
{
    *out = NULL;
    weft_model *m = calloc(1, sizeof *m);
    if (!m) return WEFT_OOM_FAIL(err, "a model");
    weft_status s = open_text(m, path, err);
    if (s) weft_model_close(m);
    else *out = m;
    return s;
}

weft_status weft__model_tokenizer(weft_model *m, const weft__tokenizer **out, weft_error *err)
{
    if (!m->tokenizer) WEFT_TRY(weft__tokenizer_open_folder(m->folder, &m->tokenizer, err));
    *out = m->tokenizer;
    return WEFT_OK;
}

const char *weft_model_text_note(const weft_model *m, const weft_encode_desc *desc, uint32_t i)
{
    if (!m->tokenizer) return NULL;
    bool decided = desc && desc->bos != WEFT_BOS_AS_FILES;
    const char *of_bos = decided ? weft__tokenizer_bos_note(m->tokenizer) : NULL, *note;
    for (size_t k = 0; (note = weft__tokenizer_note(m->tokenizer, k)); k++)
        if (note != of_bos && !i--) return note;
    return NULL;
}

/* Puts the start token in front, unless the tokenizer does that itself. */
static weft_status put_bos(const weft_model *m, const weft__tokenizer *tok, weft_tokens *t, weft_error *err)
{
    size_t n;
    const int32_t *prefix = weft__tokenizer_prefix(tok, &n);
    int32_t bos = weft__tokenizer_bos(tok) >= 0 ? weft__tokenizer_bos(tok) : m->info.bos;
    if (bos < 0)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: neither the tokenizer's files nor the configuration name a bos token",
                         m->path);
    if (n && prefix[0] == bos) return WEFT_OK;
    size_t capacity = t->n;
    if (!weft__grow(&t->ids, &capacity, t->n + 1, sizeof *t->ids)) return WEFT_OOM_FAIL(err, "token ids");
    memmove(t->ids + 1, t->ids, t->n++ * sizeof *t->ids);
    t->ids[0] = bos;
    return WEFT_OK;
}

weft_status weft_model_encode_as(weft_model *m, const char *text, size_t n_bytes, const weft_encode_desc *desc,
                                 weft_tokens *out, weft_error *err)
{
    const weft__tokenizer *tok;
    *out = (weft_tokens){ 0 };
    WEFT_TRY(weft__model_tokenizer(m, &tok, err));
    unsigned flags = desc->bos == WEFT_BOS_OFF ? WEFT__ENCODE_NO_PREFIX : 0;
    if (desc->special_as_text) flags |= WEFT__ENCODE_SPECIAL_AS_TEXT;
    WEFT_TRY(weft__tokenizer_encode(tok, text, n_bytes, flags, &desc->progress, &out->ids, &out->n, err));
    weft_status s = desc->bos == WEFT_BOS_ON ? put_bos(m, tok, out, err) : WEFT_OK;
    if (s) weft_tokens_free(out);
    return s;
}

weft_status weft_model_encode(weft_model *m, const char *text, size_t n_bytes, weft_tokens *out, weft_error *err)
{
    return weft_model_encode_as(m, text, n_bytes, &(weft_encode_desc){ 0 }, out, err);
}

size_t weft_text_faults(const char *text, size_t n_bytes)
{
    size_t faults = 0;
    for (size_t i = 0; i < n_bytes;) {
        weft__utf8_kind kind;
        i += weft__utf8_step(text + i, n_bytes - i, &kind);
        faults += kind != WEFT__UTF8_VALID;
    }
    return faults;
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
