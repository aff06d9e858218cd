/* print.h: a model's text while it is made (print.c) and held against what it shall be true of (print_verify.c). */
#ifndef WEFT_MODELS_PRINT_H
#define WEFT_MODELS_PRINT_H

#include "models/follow.h"

#include <string.h>

enum { WEFT__MOST_TOKENS = 1 << 24 }; /* that are looked at of a session */

typedef struct weft__printing {
    const weft_model *m;
    weft__follows x;
    weft_graph_text *tree; /* being made; the arena is its own */
    weft__fold *f;         /* to allocate from it */
    weft__stmt **last;     /* where the next statement goes */
    uint32_t least, most;  /* tokens of a session for which the text holds; most 0: it holds for all */
} weft__printing;

/* Whether a parameter is what a session may be long, which the caller decides. */
static inline bool weft__print_is_session(const weft__printing *p, uint32_t m)
{
    return !strcmp(p->x.at[m].key, WEFT__SESSION_CONTEXT);
}

/* Whether the text is true; if not, and *again: there is a smaller one to try. */
bool weft__print_verify(weft__printing *p, const char *text, size_t n, bool *again, weft_error *err);

#endif
