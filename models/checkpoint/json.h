/* json.h: one way to parse JSON that came from a file, as Python's json module writes it: NaN,
 * Infinity, -Infinity and numbers of any size are numbers. Faults are placed, OOM is told apart.
 * Objects are at most 2,048 deep. */
#ifndef WEFT_CHECKPOINT_JSON_H
#define WEFT_CHECKPOINT_JSON_H

#include <jansson.h>

#include "file.h"
#include "graph/base.h"

/* Parses n bytes that must be one JSON object. *out is released by json_decref. `what` opens the error text
 * ("model.safetensors: header"). A key that stands twice in an object is refused by name. FORMAT or OOM. */
WEFT_MUST_USE weft_status weft__json_parse(const char *text, size_t n, const char *what,
                                           json_t **out, weft_error *err);
/* The same for files of settings, of which most keys concern nobody: of keys that stand there twice
 * the last counts, as in Python, and `twice` has the name of the first of them (else ""); in strings
 * \u0000 and lone surrogates become U+FFFD. */
WEFT_MUST_USE weft_status weft__json_parse_lenient(const char *text, size_t n, const char *what,
                                                   json_t **out, char twice[WEFT__QUOTE_SIZE],
                                                   weft_error *err);

/* The value of a number, which may be NaN or an infinity: json_number_value does not know those.
 * Whole numbers beyond 64 bits are reals. False if it is no number. */
bool weft__json_number(const json_t *v, double *out);

/* The text of a value, NUL-terminated, to be freed; NULL: out of memory. `flags` as for json_dumps. */
char *weft__json_dump(const json_t *v, size_t flags, size_t *n);

/* "an object", "a string", ...: what a value is, for messages. NULL gives "nothing". */
const char *weft__json_kind(const json_t *v);

#endif
