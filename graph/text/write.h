/* write.h: units as statements of a tree. */
#ifndef WEFT_TEXT_WRITE_H
#define WEFT_TEXT_WRITE_H

#include "graph/text/solve.h"

typedef struct weft__writing {
    weft__fold *f;
    weft__solver *s;
    const weft_graph *g; /* the first sample */
    bool *extents;       /* by number: it is named */
    uint32_t unsolved;   /* numbers and conditions that no expression was found for: s tells who moves them */
} weft__writing;

/* The statements of a list of units that have names. NULL: failed. */
weft__stmt *weft__write_units(weft__writing *w, const weft__unit *list);
weft__stmt *weft__stmt_make(weft__fold *f, weft__stmt_kind kind);
/* `extent` statements of those that are named, or of all. */
weft__stmt *weft__write_extents(weft__writing *w, bool all);
weft__stmt **weft__stmt_end(weft__stmt **list); /* where the next statement goes */


/* blocks.c. Makes scopes in the list that say the same uses of blocks, which it gives; NULL: none, or failed. */
weft__stmt *weft__write_blocks(weft__writing *w, weft__stmt *list);

/* of_graph.c. Names for counters, which are neither extents nor parameters. */
void weft__name_counters(weft__solver *s, const weft_graph *g);

#endif
