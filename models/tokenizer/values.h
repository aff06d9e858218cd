/* values.h: values of a tokenizer's JSON files, checked; texts of errors do not name the file. */
#ifndef WEFT_TOKENIZER_VALUES_H
#define WEFT_TOKENIZER_VALUES_H

#include <jansson.h>

#include "graph/base.h"
#include "models/checkpoint/file.h"

/* The string at obj[key], or NULL if it is not one. */
const char *weft__string_at(const json_t *obj, const char *key);

/* The "type" of a part of the file, for comparisons and messages; never NULL. */
const char *weft__type_of(const json_t *part);

/* Not there, or null. */
bool weft__is_absent(const json_t *value);

/* obj[key] as a boolean. `fallback` < 0: it must be there. */
weft_status weft__read_bool(const json_t *obj, const char *where, const char *key, int fallback,
                            bool *out, weft_error *err);

/* A token id below `limit`. */
weft_status weft__read_id(const json_t *value, const char *what, uint32_t limit, int32_t *out,
                          weft_error *err);

/* A text from a file as it may stand in a message: in quotes, cut to fit. */
typedef struct weft__quoted {
    char text[WEFT__QUOTE_SIZE + 2];
} weft__quoted;
weft__quoted weft__quote_text(const char *text, size_t n);

#endif
