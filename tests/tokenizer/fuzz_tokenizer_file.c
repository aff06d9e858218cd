/* fuzz_tokenizer_file.c: any bytes as tokenizer.json, and as the files beside it; what parses must encode, decode and
 * stay in bounds. A byte 0x1E ends a file, in the order of WEFT__TOKENIZER_FILES; an empty one is not there. */
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer/files.h"
#include "tests/tokenizer/fuzz_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_tokenizer *tok;
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
        fuzz_use(tok);
        weft_tokenizer_close(tok);
    } else if (!err.text[0] || tok) {
        abort();
    }
    return 0;
}
