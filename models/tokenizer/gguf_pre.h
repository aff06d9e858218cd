/* gguf_pre.h: what tokenizer.ggml.pre of a GGUF file stands for: how a text is cut into words. */
#ifndef WEFT_TOKENIZER_GGUF_PRE_H
#define WEFT_TOKENIZER_GGUF_PRE_H

#include <jansson.h>

#include "graph/base.h"

#define WEFT__PRE_STEP_COUNT 6
#define WEFT__PRE_NAME       32 /* bytes that hold any name */

typedef struct weft__gguf_pre {
    const char *names; /* between blanks; the first is that of files that are written */
    unsigned flags;
    const char *step[WEFT__PRE_STEP_COUNT]; /* a regular expression whose matches are pieces, or "@" and a component */
} weft__gguf_pre;

/* Flags of a row. */
enum {
    WEFT__PRE_NFC = 1,   /* the text is put into that form first */
    WEFT__PRE_WHOLE = 2, /* a word that is a token is not merged up to it */
    WEFT__PRE_BOS = 4,   /* a text begins with bos unless the file says otherwise */
    WEFT__PRE_RAW = 8,   /* words are UTF-8 with U+2581 for spaces, not in the byte-level alphabet */
    WEFT__PRE_MASK = 16, /* the mask token takes the spaces before it */
};

/* NULL: not known. */
const weft__gguf_pre *weft__gguf_pre_find(const char *name, size_t n);
/* What files of an architecture had before they said it; NULL: that cannot be known. */
const char *weft__gguf_pre_of_arch(const char *arch, size_t n);

/* The row's "normalizer" and "pre_tokenizer" into what would be a tokenizer.json. Errors: OOM. */
weft_status weft__gguf_pre_add(const weft__gguf_pre *row, json_t *root, weft_error *err);

/* The other way round: the name of how a tokenizer.json of a byte-level BPE cuts texts. False: it has none. */
bool weft__gguf_pre_name(const json_t *root, char name[WEFT__PRE_NAME]);

#endif
