/* fuzz_tokenizer_file.c: any bytes as tokenizer.json; what parses must encode, decode and stay in
 * bounds. */
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
    if (weft__tokenizer_encode(tok, text, sizeof text - 1, 0, &ids, &n, NULL) == WEFT_OK) {
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
    for (uint32_t id = 0; id < weft__tokenizer_size(tok); id++)
        if (weft__tokenizer_find(tok, weft__tokenizer_token(tok, (int32_t)id)) != (int32_t)id)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__tokenizer *tok;
    weft_error err;
    err.text[0] = 0;
    if (weft__tokenizer_parse(data, size, "fuzz", &tok, &err) == WEFT_OK) {
        use(tok);
        weft__tokenizer_destroy(tok);
    } else if (!err.text[0] || tok) {
        abort();
    }
    return 0;
}
