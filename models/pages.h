/* pages.h: who has which cells of a cache: sequences, each a list of pages, over one pool. Data alone; the cells'
 * contents are the caller's to copy where a function says so.
 *
 * Position p of a sequence is cell table[sequence][p / page] * page + p % page. A page belongs to every sequence that
 * has the tokens in it, and is counted; it is written only by a sequence that has it alone, so one that goes on from a
 * shared page that is not full first gets a copy. A page that was given back, or never taken, stands as -1. */
#ifndef WEFT_PAGES_H
#define WEFT_PAGES_H

#include "graph/graph.h"

/* The positions of a sequence whose cells it has: [begin, length). */
typedef struct weft__page_list { uint32_t begin, length; } weft__page_list;

typedef struct weft__pages {
    uint32_t page, n_pages, pages_each, n_sequences, n_free;
    uint32_t *users;        /* [n_pages] sequences that a page belongs to */
    int32_t *free;          /* [n_pages] a stack of n_free pages */
    int32_t *table;         /* [n_sequences, pages_each] */
    weft__page_list *lists; /* [n_sequences] */
} weft__pages;

/* The cells of one page that are to be copied to another: the first n of it. */
typedef struct weft__page_copy { int32_t from, to; uint32_t n; } weft__page_copy;

weft_status weft__pages_create(weft__pages *p, uint32_t page, uint32_t n_pages, uint32_t context, uint32_t n_sequences,
                               weft_error *err);
void weft__pages_destroy(weft__pages *p);
/* `to` becomes as `from`, whose sizes it has. */
void weft__pages_copy(weft__pages *to, const weft__pages *from);

/* Pages that fresh[i] more tokens of each sequence i take from the pool. */
uint64_t weft__pages_wanted(const weft__pages *p, const uint32_t *fresh);
/* Whether a sequence goes on in a page of which it has begun its own copy: *copy is then to be carried out before
 * weft__pages_append, for which there must be pages. */
bool weft__pages_copies(const weft__pages *p, uint32_t sequence, weft__page_copy *copy);
/* Gives n > 0 more positions of a sequence cells, for which there must be pages. */
void weft__pages_append(weft__pages *p, uint32_t sequence, uint32_t n);
/* Forgets all but the first n positions, where begin is not above n, or n is 0. */
void weft__pages_truncate(weft__pages *p, uint32_t sequence, uint32_t n);
/* Gives back the whole pages of positions below n. */
void weft__pages_discard(weft__pages *p, uint32_t sequence, uint32_t n);
/* An empty sequence begins at position n: it becomes as long as the pages before that of n are. */
void weft__pages_begin(weft__pages *p, uint32_t sequence, uint32_t n);
/* `to`, which is empty, has positions first to n of `from`, and what that has of their page before them. */
void weft__pages_share(weft__pages *p, uint32_t from, uint32_t to, uint32_t first, uint32_t n);

/* Whether an extent of a graph counts the pages of a cache, and of which window: "pages" (0: of all tokens) or
 * "pages_128". */
bool weft__pages_extent(const char *name, uint32_t *window);

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

static inline int32_t *weft__pages_row(const weft__pages *p, uint32_t sequence)
{
    return p->table + (size_t)sequence * p->pages_each;
}

static inline int32_t weft__pages_cell(const weft__pages *p, uint32_t sequence, uint32_t position)
{
    return weft__pages_row(p, sequence)[position / p->page] * (int32_t)p->page + (int32_t)(position % p->page);
}

#endif
