/* pages.h: who has which cells of a cache: sequences, each a list of pages, over one pool. Data alone; the cells'
 * contents are the caller's to copy where a function says so.
 *
 * Position p of a sequence is cell pages[p / page] * page + p % page. A page belongs to every sequence that begins with
 * the tokens in it, and is counted; it is written only by a sequence that has it alone, so one that goes on from a
 * shared page that is not full first gets a copy. A page that was given back stands as -1. */
#ifndef WEFT_PAGES_H
#define WEFT_PAGES_H

#include "graph/graph.h"

typedef struct weft__sequence {
    int32_t *pages;     /* [pages_each]; those of its length are set */
    int32_t *tokens;    /* [context] */
    uint32_t length;    /* tokens, each of which has a cell */
    uint32_t discarded; /* positions below this were given back; a multiple of the page */
} weft__sequence;

typedef struct weft__pages {
    uint32_t page, n_pages, context, pages_each, n_sequences, n_free;
    uint32_t *users;  /* [n_pages] sequences that a page belongs to */
    int32_t *free;    /* [n_pages] a stack of n_free pages */
    weft__sequence *sequences;
} weft__pages;

/* The cells of one page that are to be copied to another: the first n of it. */
typedef struct weft__page_copy { int32_t from, to; uint32_t n; } weft__page_copy;

weft_status weft__pages_create(weft__pages *p, uint32_t page, uint32_t n_pages, uint32_t context, uint32_t n_sequences,
                               weft_error *err);
void weft__pages_destroy(weft__pages *p);

/* Pages that n more tokens of a sequence take from the pool: of several that share a page which is not full, and all go
 * on, one too many, for the last may keep it. */
uint32_t weft__pages_wanted(const weft__pages *p, uint32_t sequence, uint32_t n);
/* Makes room for n tokens, which there must be. True: *copy is to be carried out before they are written. */
bool weft__pages_reserve(weft__pages *p, uint32_t sequence, uint32_t n, weft__page_copy *copy);
/* Forgets all but the first n tokens, and the room for others. n >= discarded, or 0. */
void weft__pages_truncate(weft__pages *p, uint32_t sequence, uint32_t n);
/* Gives back whole pages of positions below n. */
void weft__pages_discard(weft__pages *p, uint32_t sequence, uint32_t n);
/* `to`, which is empty, begins with the first n tokens of `from`. */
void weft__pages_share(weft__pages *p, uint32_t from, uint32_t to, uint32_t n);

/* Pages that hold n tokens. */
static inline uint32_t weft__pages_of(uint32_t page, uint32_t n)
{
    return n / page + (n % page != 0);
}

/* Cells of a page where nobody says it: fewer for a short context, of which most would be wasted. */
static inline uint32_t weft__pages_usual(uint32_t context)
{
    return context <= 16 ? 16 : context <= 32 ? 32 : 64;
}

static inline int32_t weft__pages_cell(const weft__pages *p, uint32_t sequence, uint32_t position)
{
    return p->sequences[sequence].pages[position / p->page] * (int32_t)p->page + (int32_t)(position % p->page);
}

#endif
