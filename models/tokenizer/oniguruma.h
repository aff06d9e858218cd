/* oniguruma.h: regular expressions of Oniguruma spelled as PCRE2 reads them. */
#ifndef WEFT_TOKENIZER_ONIGURUMA_H
#define WEFT_TOKENIZER_ONIGURUMA_H

#include "unicode.h"

/* Errors: UNSUPPORTED (a construct without a spelling in PCRE2, or one that is not known), OOM. What is no regular
 * expression at all is left for PCRE2 to say. */
weft_status weft__oniguruma_rewrite(const char *pattern, size_t n, weft__bytes *out, weft_error *err);

#endif
