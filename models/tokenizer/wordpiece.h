/* wordpiece.h: the longest token that a word begins with, again and again. */
#ifndef WEFT_TOKENIZER_WORDPIECE_H
#define WEFT_TOKENIZER_WORDPIECE_H

#include "prefixes.h"

/* Zero-initialise; weft__wordpiece_free at the end, also after a failure. */
typedef struct weft__wordpiece {
    weft__prefixes tokens;
    weft__bytes prefix; /* what a token that continues a word begins with */
    size_t most;        /* characters of a word; a longer one is unknown */
    int32_t unk_id;     /* the whole word, if a part of it has no token */
} weft__wordpiece;
void weft__wordpiece_free(weft__wordpiece *m);

/* Appends the ids of one word. False = out of memory. */
bool weft__wordpiece_encode(const weft__wordpiece *m, const weft__vocab *v, const char *word, size_t n, weft__ids *out);

#endif
