/* prefixes.h: which tokens of a model a text begins with. */
#ifndef WEFT_TOKENIZER_PREFIXES_H
#define WEFT_TOKENIZER_PREFIXES_H

#include "vocab.h"

/* The model's tokens in order of their texts' bytes. Zero-initialise; free `order`. */
typedef struct weft__prefixes {
    uint32_t *order;
    uint32_t n;
} weft__prefixes;
weft_status weft__prefixes_build(weft__prefixes *p, const weft__vocab *v, weft_error *err);

/* Those that begin with the bytes seen so far. */
typedef struct weft__prefix_walk {
    uint32_t low, high; /* in `order` */
    size_t n;           /* bytes seen */
} weft__prefix_walk;

static inline weft__prefix_walk weft__prefixes_begin(const weft__prefixes *p)
{
    return (weft__prefix_walk){ 0, p->n, 0 };
}

/* One more byte. False: no token begins so. */
bool weft__prefixes_step(const weft__prefixes *p, const weft__vocab *v, weft__prefix_walk *w, char byte);

/* The token that is what has been seen; -1: none. */
int32_t weft__prefixes_here(const weft__prefixes *p, const weft__vocab *v, const weft__prefix_walk *w);

#endif
