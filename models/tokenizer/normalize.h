/* normalize.h: the normalizer of a tokenizer: what happens to a text before it is cut. */
#ifndef WEFT_TOKENIZER_NORMALIZE_H
#define WEFT_TOKENIZER_NORMALIZE_H

#include <jansson.h>

#include "regex.h"
#include "unicode.h"

/* A text on its way, valid UTF-8. */
typedef struct weft__stretch {
    const char *data;
    size_t n;
    size_t first; /* its bytes that come from the first character of the whole text; 0: it begins further on */
} weft__stretch;

/* The steps in order. Zero-initialise; free. */
typedef struct weft__normalizers {
    struct weft__normalizer *step;
    size_t n, capacity;
} weft__normalizers;
void weft__normalizers_free(weft__normalizers *list);

/* From "normalizer" of a tokenizer.json. */
weft_status weft__read_normalizers(weft__normalizers *list, const json_t *root, weft_error *err);

/* Room for the texts in between; one thread's. Zero-initialise; free. */
typedef struct weft__normal_scratch {
    weft__bytes text[2];
} weft__normal_scratch;
void weft__normal_scratch_free(weft__normal_scratch *s);

/* Normalises *text in place or into the scratch, which *text then points into. Errors: LIMIT (the text becomes far too
 * long, or a regular expression needs too many steps), OOM. */
weft_status weft__normalize(const weft__normalizers *list, weft__normal_scratch *s, weft__regex_scratch *regex,
                            weft__stretch *text, weft_error *err);

/* The i-th step's name, as its file has it; NULL past the end. One component may be several steps. */
const char *weft__normalizer_name(const weft__normalizers *list, size_t i);

#endif
