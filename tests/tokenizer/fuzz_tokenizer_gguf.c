/* fuzz_tokenizer_gguf.c: any bytes as a GGUF file with a tokenizer in its metadata; what opens must encode, decode and
 * stay in bounds, and what ends a text is a token. */
#include <stdlib.h>

#include "models/tokenizer/gguf.h"
#include "tests/tokenizer/fuzz_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_beside(const weft__gguf_file *f)
{
    enum { ROOM = 8 };
    int32_t ends[ROOM];
    weft__gguf_string text;
    const size_t n = weft__gguf_end_tokens(f, ends, ROOM);
    if (n > ROOM) abort();
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (ends[i] < 0 || ends[i] == ends[k]) abort();
    if (weft__gguf_chat_template(f, NULL, &text) && text.size && !text.text) abort();
    (void)weft__gguf_chat_template(f, "tool_use", &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__gguf_file *f;
    weft_tokenizer *tok;
    weft_error err = { 0 };
    if (weft__gguf_parse(data, size, "fuzz", &f, &err)) return 0;
    look_beside(f);
    if (weft__tokenizer_from_gguf(f, -1, &tok, &err) == WEFT_OK) {
        fuzz_use(tok);
        weft_tokenizer_close(tok);
    } else if (!err.text[0] || tok) {
        abort();
    }
    weft__gguf_close(f);
    return 0;
}
