/* fuzz_tokenizer_file.c: any bytes as tokenizer.json, and as the files beside it; what parses must encode, decode and
 * stay in bounds. A byte 0x1E ends a file, in the order of WEFT__TOKENIZER_FILES; an empty one is not there. */
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const weft__tokenizer *tok)
{
    static const char text[] = "Hello, world's  12 <x>e\xCC\x81 \xE5\x93\x88\xFF\n\n ab";
    int32_t *ids;
    size_t n, n_text;
    char *back;
    if (weft__tokenizer_encode(tok, text, sizeof text - 1, 0, NULL, &ids, &n, NULL) == WEFT_OK) {
        for (size_t i = 0; i < n; i++)
            if (ids[i] < 0 || (uint32_t)ids[i] >= weft__tokenizer_size(tok)) abort();
        if (weft__tokenizer_decode(tok, ids, n, WEFT__DECODE_LOSSY, &back, &n_text, NULL) !=
            WEFT_OK)
            abort();
        free(back);
        free(ids);
    }
    for (size_t i = 0; i < weft__tokenizer_added_count(tok); i++)
        if (!weft__tokenizer_token(tok, weft__tokenizer_added(tok, i))) abort();
    for (uint32_t id = 0; id < weft__tokenizer_size(tok); id++) {
        const char *token = weft__tokenizer_token(tok, (int32_t)id);
        if (token && weft__tokenizer_find(tok, token) != (int32_t)id) abort();
    }
    for (size_t i = 0; weft__tokenizer_note(tok, i); i++)
        if (!*weft__tokenizer_note(tok, i)) abort();
    if (weft__tokenizer_bos(tok) >= 0 && !weft__tokenizer_token(tok, weft__tokenizer_bos(tok))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__tokenizer *tok;
    weft__tokenizer_file files[WEFT__N_FILES] = { { 0 } };
    weft_error err;
    err.text[0] = 0;
    for (size_t i = 0, at = 0; i < WEFT__N_FILES && at < size; i++) {
        const uint8_t *end = memchr(data + at, 0x1E, size - at);
        size_t n = end ? (size_t)(end - data) - at : size - at;
        if (n) files[i] = (weft__tokenizer_file){ NULL, data + at, n };
        at += n + 1;
    }
    if (weft__tokenizer_parse_files(files, &tok, &err) == WEFT_OK) {
        use(tok);
        weft__tokenizer_destroy(tok);
    } else if (!err.text[0] || tok) {
        abort();
    }
    return 0;
}
