/* components.h: the parts of a tokenizer.json that are lists of steps, read by rows. */
#ifndef WEFT_TOKENIZER_COMPONENTS_H
#define WEFT_TOKENIZER_COMPONENTS_H

#include "values.h"

/* A kind of step: `read` adds what its object asks for to the list `ctx`. */
typedef struct weft__component weft__component;
struct weft__component {
    const char *type;
    weft_status (*read)(void *ctx, const weft__component *row, const json_t *part, weft_error *err);
    int arg; /* what tells rows apart that one function reads */
};

typedef struct weft__component_set {
    const char *key;  /* of tokenizer.json: "pre_tokenizer" */
    const char *what; /* in messages: "pre-tokenizer" */
    const char *list; /* of a Sequence: "pretokenizers" */
    const weft__component *rows;
    size_t n;
} weft__component_set;

/* Calls the row of root[key], or of all parts of a Sequence, which may nest. None is there: nothing happens.
 * Errors: those of the rows, with the part's name in front; UNSUPPORTED for what has no row; FORMAT. */
weft_status weft__read_components(void *ctx, const json_t *root, const weft__component_set *set, weft_error *err);

/* {"String": ...} or {"Regex": ...} under "pattern". */
typedef struct weft__pattern {
    const char *text;
    size_t n;
    bool literal;
} weft__pattern;
weft_status weft__read_pattern(const json_t *part, weft__pattern *out, weft_error *err);

/* Metaspace's "prepend_scheme": where its space is put in front. Older files have "add_prefix_space" instead. */
typedef enum weft__lead { WEFT__LEAD_NEVER, WEFT__LEAD_ALWAYS, WEFT__LEAD_FIRST } weft__lead;
weft_status weft__read_scheme(const json_t *part, weft__lead *out, weft_error *err);

#endif
