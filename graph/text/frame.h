/* frame.h: what is known in one place of a running text: names, and memory that is given back at the end of a body.
 *
 * Names of values ('%x') and of everything else (parameters, lets, counters) are apart, in one table. */
#ifndef WEFT_TEXT_FRAME_H
#define WEFT_TEXT_FRAME_H

#include "graph/text/datum.h"

/* ---- memory: taken in order, given back in the opposite order ---- */

typedef struct weft__heap { struct weft__heap_chunk *first, *current; } weft__heap; /* zero-initialise */
typedef struct weft__heap_mark { struct weft__heap_chunk *chunk; size_t used; } weft__heap_mark;

void *weft__heap_alloc(weft__heap *h, size_t n, size_t size); /* zeroed; NULL = OOM */
char *weft__heap_copy(weft__heap *h, const char *text, size_t n); /* with an end; NULL = OOM */
weft__heap_mark weft__heap_at(const weft__heap *h);
void weft__heap_release(weft__heap *h, weft__heap_mark to); /* what was taken since */
void weft__heap_free(weft__heap *h);

/* ---- names ---- */

typedef struct weft__entry {
    const char *name; /* in the tree */
    uint32_t hash;
    bool is_value;
    bool bound;  /* else its body has ended */
    bool global; /* blocks see it */
    weft_ref ref;       /* of a value */
    weft__datum datum;  /* of others */
    const void *thing;  /* of a block */
} weft__entry;

typedef struct weft__names {
    weft__entry *entries; /* in the order of their coming */
    size_t cap;
    uint32_t n;
    struct weft__slot { uint32_t round, at; } *slots; /* hash table of places in `entries`; older rounds are free */
    uint32_t n_slots, round;
} weft__names; /* zero-initialise */

/* NULL: never bound here. */
weft__entry *weft__names_find(const weft__names *names, const char *name, bool is_value);
/* The entry, or a new one that is not bound; NULL = OOM. Pointers hold until the next. */
weft__entry *weft__names_put(weft__names *names, const char *name, bool is_value);
void weft__names_clear(weft__names *names);
void weft__names_free(weft__names *names);

#endif
