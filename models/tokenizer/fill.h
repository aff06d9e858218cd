/* fill.h: tokens of which a text that is to be filled in is made: what is before the gap, behind it and in it, and what
 * begins another file's. */
#ifndef WEFT_TOKENIZER_FILL_H
#define WEFT_TOKENIZER_FILL_H

#include "models/tokenizer/tokenizer.h"

typedef enum weft__fill {
    WEFT__FILL_PREFIX, WEFT__FILL_SUFFIX, WEFT__FILL_MIDDLE, WEFT__FILL_REPOSITORY, WEFT__FILL_FILE, WEFT__FILLS
} weft__fill;

/* That the files name; -1: none. */
int32_t weft__tokenizer_fill(const weft_tokenizer *tok, weft__fill which);

#endif
