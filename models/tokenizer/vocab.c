/* vocab.c: the vocabulary's tables.
 *
 * All token texts lie in one block, all token bytes in another, found by id through offsets; an open-addressing table
 * leads from text to id. Nothing is allocated per token. */
#include "vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unicode.h"

static uint64_t hash_text(const char *text, size_t n)
{
    const uint64_t mul = 0x9E3779B97F4A7C15u;
    uint64_t h = n * mul, w;
    for (; n >= 8; n -= 8, text += 8) {
        memcpy(&w, text, 8);
        h = (h ^ w) * mul;
        h ^= h >> 32;
    }
    w = 0;
    if (n) memcpy(&w, text, n);
    h = (h ^ w) * mul;
    return h ^ h >> 29;
}

uint32_t weft__table_mask(size_t n)
{
    uint32_t mask = 15;
    while (mask / 2 < n) mask = mask * 2 + 1;
    return mask;
}

static void index_text(weft__vocab *v, uint32_t id)
{
    const char *text = v->text + v->text_at[id];
    uint32_t slot =
        (uint32_t)hash_text(text, v->text_at[id + 1] - v->text_at[id] - 1) & v->slot_mask;
    while (v->slots[slot]) slot = (slot + 1) & v->slot_mask;
    v->slots[slot] = id + 1;
}

weft_status weft__vocab_build(weft__vocab *v, const weft__span *texts, uint32_t n, weft_error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) total += texts[i].n + 1;
    if (total > UINT32_MAX || n > INT32_MAX / 2)
        return WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    v->n = n;
    v->slot_mask = weft__table_mask(n);
    v->text = malloc(total + 1);
    v->text_at = malloc(((size_t)n + 1) * sizeof *v->text_at);
    v->slots = calloc((size_t)v->slot_mask + 1, sizeof *v->slots);
    if (!v->text || !v->text_at || !v->slots) return WEFT_OOM_FAIL(err, "the vocabulary");
    uint32_t text_at = 0;
    for (uint32_t i = 0; i < n; i++) {
        v->text_at[i] = text_at;
        v->text_at[i + 1] = text_at;
        if (!texts[i].data) continue;
        memcpy(v->text + text_at, texts[i].data, texts[i].n);
        v->text[text_at + texts[i].n] = 0;
        text_at += (uint32_t)texts[i].n + 1;
        if (texts[i].n > v->longest) v->longest = texts[i].n;
        v->text_at[i + 1] = text_at;
        index_text(v, i);
    }
    v->text_at[n] = text_at;
    return WEFT_OK;
}

void weft__vocab_free(weft__vocab *v)
{
    free(v->text);
    free(v->text_at);
    free(v->bytes);
    free(v->bytes_at);
    free(v->slots);
    free(v->of_model);
    *v = (weft__vocab){ 0 };
}

int32_t weft__vocab_find(const weft__vocab *v, const char *text, size_t n)
{
    uint32_t slot = (uint32_t)hash_text(text, n) & v->slot_mask;
    for (; v->slots[slot]; slot = (slot + 1) & v->slot_mask) {
        uint32_t id = v->slots[slot] - 1;
        if (v->text_at[id + 1] - v->text_at[id] - 1 == n &&
            memcmp(v->text + v->text_at[id], text, n) == 0)
            return (int32_t)id;
    }
    return -1;
}

int32_t weft__vocab_find_model(const weft__vocab *v, const char *text, size_t n)
{
    int32_t id = weft__vocab_find(v, text, n);
    return id >= 0 && v->of_model[id] ? id : -1;
}

bool weft__vocab_has(const weft__vocab *v, uint32_t id)
{
    return v->text_at[id + 1] > v->text_at[id];
}

weft_status weft__vocab_set_bytes(weft__vocab *v, weft__token_bytes_fn *append, void *ctx, weft_error *err)
{
    weft__bytes all = { 0 };
    weft_status status = WEFT_OK;
    v->bytes_at = malloc(((size_t)v->n + 1) * sizeof *v->bytes_at);
    if (!v->bytes_at) return WEFT_OOM_FAIL(err, "the vocabulary");
    for (uint32_t i = 0; i < v->n && status == WEFT_OK; i++) {
        v->bytes_at[i] = (uint32_t)all.size;
        if (weft__vocab_has(v, i)) status = append(ctx, i, &all, err);
        if (status == WEFT_OK && all.size > UINT32_MAX)
            status = WEFT_FAIL(err, WEFT_LIMIT, "the vocabulary is too large");
    }
    v->bytes_at[v->n] = (uint32_t)all.size;
    if (status == WEFT_OK && !weft__bytes_append(&all, "", 1)) status = WEFT_OOM_FAIL(err, "the vocabulary");
    v->bytes = all.data;
    return status;
}

void weft__vocab_byte_tokens(const weft__vocab *v, int32_t ids[256])
{
    for (unsigned b = 0; b < 256; b++) {
        char text[8];
        ids[b] = weft__vocab_find_model(v, text, (size_t)snprintf(text, sizeof text, "<0x%02X>", b));
    }
}
