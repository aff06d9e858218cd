/* fuzz_tokenizer_text.c: any bytes as text for the bundled tokenizer; the first one chooses the
 * flags. Decoding must give the text back, repaired and in form C, and the stream must agree with
 * it. */
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer/forms.h"
#include "models/tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text on both sides of a special token is normalised by itself, so that the whole need not be in
 * form C. */
static bool has_special(const weft_tokenizer *tok, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (weft_tokenizer_is_special(tok, ids[i])) return true;
    return false;
}

static weft__bytes expected(const char *text, size_t n)
{
    weft__bytes repaired = { 0 }, nfc = { 0 };
    if (!weft__utf8_append_lossy(&repaired, text, n) ||
        !weft__form_append(&nfc, WEFT__FORM_C, repaired.data, repaired.size))
        abort();
    free(repaired.data);
    return nfc;
}

static void check_stream(const weft_tokenizer *tok, const int32_t *ids, size_t n, const char *text,
                         size_t n_text)
{
    weft_token_stream *stream;
    weft_token_stream_desc desc = { .keep_special = true };
    size_t at = 0, k;
    if (weft_token_stream_create(tok, &desc, &stream, NULL) != WEFT_OK) abort();
    for (size_t i = 0; i <= n; i++) {
        const char *piece = i < n ? weft_token_stream_push(stream, ids[i], &k)
                                  : weft_token_stream_finish(stream, &k);
        if (!weft__utf8_is_valid(piece, k) || k > n_text - at || memcmp(piece, text + at, k) != 0)
            abort();
        at += k;
    }
    if (at != n_text) abort();
    weft_token_stream_destroy(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static weft_tokenizer *tok;
    if (!tok && weft_tokenizer_open(
                    WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/tokenizer.json", &tok, NULL))
        abort();
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    weft_tokens t;
    weft_text back;
    weft_encode_desc how = { .special_as_text = data[0] & 1 };
    static const weft_decode_desc repaired = { .repair = true };
    if (weft_tokenizer_encode(tok, text, n, &how, &t, NULL) != WEFT_OK) abort();
    if (weft_tokenizer_decode(tok, t.ids, t.n, &repaired, &back, NULL) != WEFT_OK) abort();
    weft__bytes want = expected(text, n);
    if (!has_special(tok, t.ids, t.n) &&
        (back.size != want.size || (back.size && memcmp(back.data, want.data, back.size) != 0)))
        abort();
    check_stream(tok, t.ids, t.n, back.data, back.size);
    free(want.data);
    weft_text_free(&back);
    weft_tokens_free(&t);
    return 0;
}
