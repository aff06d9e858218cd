/* added.h: added tokens, found in text before the model sees it. */
#ifndef WEFT_TOKENIZER_ADDED_H
#define WEFT_TOKENIZER_ADDED_H

#include "graph/base.h"

typedef struct weft__added_token {
    int32_t id;
    bool special, normalized;
    bool single_word;    /* only where no word character stands next to it */
    bool lstrip, rstrip; /* takes the white space before, after it */
} weft__added_token;

/* The patterns of one pass over the text: a trie. Zero-initialise, add, free. */
typedef struct weft__matcher {
    struct weft__trie_node *nodes; /* node 0 is the root, once there is a pattern */
    size_t n_nodes, capacity;
    bool starts[256]; /* bytes that a pattern starts with */
} weft__matcher;

/* Adds a non-empty pattern for added token `index`; *taken says that the pattern was there already
 * (and nothing was added). Errors: OOM. */
weft_status weft__matcher_add(weft__matcher *m, const char *pattern, size_t n, uint32_t index,
                              bool *taken, weft_error *err);
void weft__matcher_free(weft__matcher *m);

/* What a text is cut into, in order: stretches without added tokens (id -1) and added tokens. */
typedef weft_status weft__stretch_fn(void *ctx, const char *text, size_t n, int32_t id,
                                     weft_error *err);

/* Cuts valid UTF-8; never calls `stretch` for an empty one. `skip_special`: special tokens are not
 * recognised (but still end a search, as in Hugging Face). */
weft_status weft__matcher_cut(const weft__matcher *m, const weft__added_token *tokens,
                              bool skip_special, const char *text, size_t n,
                              weft__stretch_fn *stretch, void *ctx, weft_error *err);

#endif
