/* support.h: what the tokenizer tests share: small tokenizer files made from the bundled one. */
#ifndef WEFT_TEST_TOKENIZER_SUPPORT_H
#define WEFT_TEST_TOKENIZER_SUPPORT_H

#include <jansson.h>
#include <stdlib.h>

#include "models/tokenizer/files.h"
#include "tests/test.h"

#define BUNDLED WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/tokenizer.json"

/* A tokenizer file changed as a vector set's "patch" says; see make_vectors.py. */
json_t *patched_file(const json_t *file, const json_t *patch);

/* Parses a tree as the tokenizer would parse its text. */
weft_status parse_tree(const json_t *file, weft_tokenizer **out, weft_error *err);

/* Merges as a merges.txt. Freed by the caller. */
char *merges_text(const json_t *merges);

/* The bytes of a text of the vectors, {"hex": ...} included. Freed by the caller. */
char *text_bytes(const json_t *text, size_t *n);

/* Encodes and compares. False, with a message, if the ids differ. */
bool encodes_to(const weft_tokenizer *tok, const char *text, size_t n, const weft_encode_desc *desc,
                const json_t *ids);

#endif
