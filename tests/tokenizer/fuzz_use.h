/* fuzz_use.h: what a tokenizer must bear that was read from any bytes. */
#ifndef WEFT_TEST_FUZZ_USE_H
#define WEFT_TEST_FUZZ_USE_H

#include "models/tokenizer/tokenizer.h"

/* Encodes, decodes, streams and asks for everything; aborts where answers do not agree. */
void fuzz_use(const weft_tokenizer *tok);

#endif
