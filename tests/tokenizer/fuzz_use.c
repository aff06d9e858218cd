/* fuzz_use.c: see fuzz_use.h. */
#include "tests/tokenizer/fuzz_use.h"

#include <stdlib.h>
#include <string.h>

/* A stream gives what decoding gives. */
static void check_stream(const weft_tokenizer *tok, const int32_t *ids, size_t n)
{
    static const weft_decode_desc repaired = { .repair = true };
    static const weft_token_stream_desc all = { .keep_special = true };
    weft_token_stream *stream;
    weft_text text;
    size_t at = 0, k;
    if (weft_tokenizer_decode(tok, ids, n, &repaired, &text, NULL) != WEFT_OK) abort();
    if (weft_token_stream_create(tok, &all, &stream, NULL) != WEFT_OK) abort();
    for (size_t i = 0; i <= n; i++) {
        const char *piece = i < n ? weft_token_stream_push(stream, ids[i], &k) : weft_token_stream_finish(stream, &k);
        if (k > text.size - at || memcmp(piece, text.data + at, k) != 0) abort();
        at += k;
    }
    if (at != text.size) abort();
    weft_token_stream_destroy(stream);
    weft_text_free(&text);
}

void fuzz_use(const weft_tokenizer *tok)
{
    static const char text[] = "Hello, world's  12 <x>e\xCC\x81 \xE5\x93\x88\xFF\n\n ab";
    weft_tokens t;
    int32_t some[64];
    if (weft_tokenizer_encode(tok, text, sizeof text - 1, NULL, &t, NULL) == WEFT_OK) {
        for (size_t i = 0; i < t.n; i++)
            if (t.ids[i] < 0 || (uint32_t)t.ids[i] >= weft_tokenizer_size(tok)) abort();
        check_stream(tok, t.ids, t.n);
        weft_tokens_free(&t);
    }
    for (size_t i = 0; i < 64; i++) some[i] = (int32_t)(i * 7 % (weft_tokenizer_size(tok) + 1));
    check_stream(tok, some, 64);
    for (unsigned part = 0; part < 4; part++)
        for (uint32_t i = 0; weft_tokenizer_component(tok, (weft_tokenizer_part)part, i); i++)
            if (!*weft_tokenizer_component(tok, (weft_tokenizer_part)part, i)) abort();
    for (uint32_t i = 0; i < weft_tokenizer_added_count(tok); i++)
        if (!weft_tokenizer_token(tok, weft_tokenizer_added(tok, i))) abort();
    for (uint32_t id = 0; id < weft_tokenizer_size(tok); id++) {
        const char *token = weft_tokenizer_token(tok, (int32_t)id);
        if (token && weft_tokenizer_find(tok, token) != (int32_t)id) abort();
    }
    for (size_t i = 0; weft_tokenizer_note(tok, NULL, i); i++)
        if (!*weft_tokenizer_note(tok, NULL, i)) abort();
    for (weft_named_token k = 0; k < WEFT_TOKEN_COUNT; k++)
        if (weft_tokenizer_named(tok, k) >= 0 && !weft_tokenizer_token(tok, weft_tokenizer_named(tok, k))) abort();
}
