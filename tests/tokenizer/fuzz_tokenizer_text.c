/* fuzz_tokenizer_text.c: any bytes as text for the bundled tokenizer; the first one chooses the
 * flags. Decoding must give the text back, repaired and in form C, and the stream must agree with
 * it. */
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text on both sides of a special token is normalised by itself, so that the whole need not be in
 * form C. */
static bool has_special(const weft__tokenizer *tok, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (weft__tokenizer_is_special(tok, ids[i])) return true;
    return false;
}

static weft__bytes expected(const char *text, size_t n)
{
    weft__bytes repaired = { 0 }, nfc = { 0 };
    if (!weft__utf8_append_lossy(&repaired, text, n) ||
        !weft__nfc_append(&nfc, repaired.data, repaired.size))
        abort();
    free(repaired.data);
    return nfc;
}

static void check_stream(const weft__tokenizer *tok, const int32_t *ids, size_t n, const char *text,
                         size_t n_text)
{
    weft__token_stream stream;
    size_t at = 0, k;
    if (weft__token_stream_init(&stream, tok, false, NULL) != WEFT_OK) abort();
    for (size_t i = 0; i <= n; i++) {
        const char *piece = i < n ? weft__token_stream_push(&stream, ids[i], &k)
                                  : weft__token_stream_flush(&stream, &k);
        if (!weft__utf8_is_valid(piece, k) || k > n_text - at || memcmp(piece, text + at, k) != 0)
            abort();
        at += k;
    }
    if (at != n_text) abort();
    weft__token_stream_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static weft__tokenizer *tok;
    if (!tok && weft__tokenizer_open(
                    WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/tokenizer.json", &tok, NULL))
        abort();
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    size_t n = size - 1, n_ids, n_back;
    int32_t *ids;
    char *back;
    unsigned flags = data[0] & 1 ? WEFT__ENCODE_SPECIAL_AS_TEXT : 0;
    if (weft__tokenizer_encode(tok, text, n, flags, NULL, &ids, &n_ids, NULL) != WEFT_OK) abort();
    if (weft__tokenizer_decode(tok, ids, n_ids, WEFT__DECODE_LOSSY, &back, &n_back, NULL) !=
        WEFT_OK)
        abort();
    weft__bytes want = expected(text, n);
    if (!has_special(tok, ids, n_ids) &&
        (n_back != want.size || (n_back && memcmp(back, want.data, n_back) != 0)))
        abort();
    check_stream(tok, ids, n_ids, back, n_back);
    free(want.data);
    free(back);
    free(ids);
    return 0;
}
