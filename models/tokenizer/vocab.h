/* vocab.h: token texts by id and ids by text. */
#ifndef WEFT_TOKENIZER_VOCAB_H
#define WEFT_TOKENIZER_VOCAB_H

#include "unicode.h"

/* A piece of text owned by somebody else. */
typedef struct weft__span {
    const char *data;
    size_t n;
} weft__span;

/* Zero-initialise; weft__vocab_free at the end, also after a failure. */
typedef struct weft__vocab {
    uint32_t n;           /* ids are below it; some may be no tokens */
    uint8_t *of_model;    /* [n]: 1 = the model itself can give it */
    char *text;           /* all token texts, each NUL-terminated, in order of id; nothing for no token */
    uint32_t *text_at;    /* [n + 1]: where each starts */
    size_t longest;       /* bytes of the longest */
    char *bytes;          /* all tokens as the bytes they stand for in a decoded text */
    uint32_t *bytes_at;   /* [n + 1] */
    uint32_t *slots;      /* hash of token texts: id + 1, 0 = empty */
    uint32_t slot_mask;   /* number of slots - 1, a power of two - 1 */
} weft__vocab;

/* Takes texts[0..n), whose data is NULL where an id is no token; the others must differ. v->of_model is allocated and
 * filled before. Errors: OOM. */
weft_status weft__vocab_build(weft__vocab *v, const weft__span *texts, uint32_t n, weft_error *err);
void weft__vocab_free(weft__vocab *v);

/* The id of a token text, -1 if there is none. */
int32_t weft__vocab_find(const weft__vocab *v, const char *text, size_t n);
/* The same of the tokens that the model can give. */
int32_t weft__vocab_find_model(const weft__vocab *v, const char *text, size_t n);
/* Whether an id below v->n is a token. */
bool weft__vocab_has(const weft__vocab *v, uint32_t id);

/* Fills the bytes of all tokens: `append` adds those of one to `out`. Errors: those of `append`; LIMIT, OOM. */
typedef weft_status weft__token_bytes_fn(void *ctx, uint32_t id, weft__bytes *out, weft_error *err);
weft_status weft__vocab_set_bytes(weft__vocab *v, weft__token_bytes_fn *append, void *ctx, weft_error *err);

/* The tokens that stand for bytes, "<0x00>" to "<0xFF>", as far as the model has them; -1. */
void weft__vocab_byte_tokens(const weft__vocab *v, int32_t ids[256]);

/* The mask of an open-addressing table for n entries, at most half full. */
uint32_t weft__table_mask(size_t n);

/* Token ids that grow. */
typedef struct weft__ids {
    int32_t *data;
    size_t size, capacity;
} weft__ids;

/* False = out of memory. */
static inline bool weft__ids_append(weft__ids *ids, const int32_t *data, size_t n)
{
    if (!weft__grow(&ids->data, &ids->capacity, ids->size + n, sizeof *ids->data)) return false;
    if (n) memcpy(ids->data + ids->size, data, n * sizeof *data);
    ids->size += n;
    return true;
}

#endif
