/* json.h: one way to parse JSON that came from a file: duplicate keys refused by name, faults
 * placed, OOM told apart. */
#ifndef WEFT_CHECKPOINT_JSON_H
#define WEFT_CHECKPOINT_JSON_H

#include <jansson.h>

#include "graph/base.h"

/* Parses n bytes that must be one JSON object. *out is released by json_decref. `what` opens the error text
 * ("model.safetensors: header"). FORMAT or OOM. */
WEFT_MUST_USE weft_status weft__json_parse(const char *text, size_t n, const char *what,
                                           json_t **out, weft_error *err);

/* The text of a value, NUL-terminated, to be freed; NULL: out of memory. `flags` as for json_dumps. */
char *weft__json_dump(const json_t *v, size_t flags, size_t *n);

/* "an object", "a string", ...: what a value is, for messages. NULL gives "nothing". */
const char *weft__json_kind(const json_t *v);

#endif
