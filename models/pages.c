#include "models/pages.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static size_t table_size(const weft__pages *p)
{
    return (size_t)p->n_sequences * p->pages_each;
}

weft_status weft__pages_create(weft__pages *p, uint32_t page, uint32_t n_pages, uint32_t context, uint32_t n_sequences,
                               weft_error *err)
{
    *p = (weft__pages){ .page = page, .n_pages = n_pages, .pages_each = weft__pages_of(page, context),
                        .n_sequences = n_sequences };
    p->users = calloc(n_pages, sizeof *p->users);
    p->free = calloc(n_pages, sizeof *p->free);
    p->table = calloc(table_size(p), sizeof *p->table);
    p->lists = calloc(n_sequences, sizeof *p->lists);
    if (!p->users || !p->free || !p->table || !p->lists) return WEFT_OOM_FAIL(err, "the pages of a session");
    memset(p->table, 0xff, table_size(p) * sizeof *p->table);
    while (p->n_free < n_pages) {
        p->free[p->n_free] = (int32_t)(n_pages - 1 - p->n_free); /* the lowest is taken first */
        p->n_free++;
    }
    return WEFT_OK;
}

void weft__pages_destroy(weft__pages *p)
{
    free(p->users);
    free(p->free);
    free(p->table);
    free(p->lists);
    *p = (weft__pages){ 0 };
}

void weft__pages_copy(weft__pages *to, const weft__pages *from)
{
    to->n_free = from->n_free;
    memcpy(to->users, from->users, from->n_pages * sizeof *to->users);
    memcpy(to->free, from->free, from->n_free * sizeof *to->free);
    memcpy(to->table, from->table, table_size(from) * sizeof *to->table);
    memcpy(to->lists, from->lists, from->n_sequences * sizeof *to->lists);
}

/* ---- pages ---- */

static int32_t take(weft__pages *p)
{
    int32_t page = p->free[--p->n_free];
    p->users[page] = 1;
    return page;
}

static void give_back(weft__pages *p, int32_t *page)
{
    if (*page >= 0 && !--p->users[*page]) p->free[p->n_free++] = *page;
    *page = -1;
}

/* The page that a sequence's next token goes to, if it is begun; NULL: it is not. */
static int32_t *tail_of(const weft__pages *p, uint32_t sequence)
{
    uint32_t n = p->lists[sequence].length;
    return n % p->page ? weft__pages_row(p, sequence) + n / p->page : NULL;
}

/* Sequences before this one that go on, too, in the page that it has begun: they have left it then. */
static uint32_t leave(const weft__pages *p, uint32_t sequence, int32_t page, const uint32_t *fresh)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < sequence; i++) {
        const int32_t *tail = fresh[i] ? tail_of(p, i) : NULL;
        n += tail && *tail == page;
    }
    return n;
}

uint64_t weft__pages_wanted(const weft__pages *p, const uint32_t *fresh)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < p->n_sequences; i++) {
        uint32_t length = p->lists[i].length;
        const int32_t *tail = fresh[i] ? tail_of(p, i) : NULL;
        n += weft__pages_of(p->page, length + fresh[i]) - weft__pages_of(p->page, length);
        n += tail && p->users[*tail] > 1 && p->users[*tail] - leave(p, i, *tail, fresh) > 1;
    }
    return n;
}

bool weft__pages_copies(const weft__pages *p, uint32_t sequence, weft__page_copy *copy)
{
    const int32_t *tail = tail_of(p, sequence);
    if (!tail || p->users[*tail] == 1) return false;
    *copy = (weft__page_copy){ *tail, p->free[p->n_free - 1], p->lists[sequence].length % p->page };
    return true;
}

void weft__pages_append(weft__pages *p, uint32_t sequence, uint32_t n)
{
    weft__page_list *l = &p->lists[sequence];
    int32_t *pages = weft__pages_row(p, sequence);
    weft__page_copy copy;
    if (weft__pages_copies(p, sequence, &copy)) {
        p->users[copy.from]--;
        pages[l->length / p->page] = take(p); /* copy.to */
    }
    uint32_t end = weft__pages_of(p->page, l->length + n);
    for (uint32_t i = weft__pages_of(p->page, l->length); i < end; i++) pages[i] = take(p);
    l->length += n;
}

/* ---- sequences ---- */

void weft__pages_truncate(weft__pages *p, uint32_t sequence, uint32_t n)
{
    weft__page_list *l = &p->lists[sequence];
    int32_t *pages = weft__pages_row(p, sequence);
    for (uint32_t i = weft__pages_of(p->page, n); i < p->pages_each; i++) give_back(p, &pages[i]);
    l->length = n;
    if (!n) l->begin = 0;
}

void weft__pages_discard(weft__pages *p, uint32_t sequence, uint32_t n)
{
    weft__page_list *l = &p->lists[sequence];
    int32_t *pages = weft__pages_row(p, sequence);
    uint32_t whole = (n < l->length ? n : l->length) / p->page;
    for (uint32_t i = l->begin / p->page; i < whole; i++) give_back(p, &pages[i]);
    if (whole * p->page > l->begin) l->begin = whole * p->page;
}

void weft__pages_begin(weft__pages *p, uint32_t sequence, uint32_t n)
{
    p->lists[sequence] = (weft__page_list){ .begin = n, .length = n / p->page * p->page };
}

void weft__pages_share(weft__pages *p, uint32_t from, uint32_t to, uint32_t first, uint32_t n)
{
    const int32_t *a = weft__pages_row(p, from);
    int32_t *b = weft__pages_row(p, to);
    uint32_t begin = first / p->page * p->page, all = p->lists[from].begin;
    for (uint32_t i = first / p->page; i < weft__pages_of(p->page, n); i++) {
        b[i] = a[i];
        p->users[b[i]]++;
    }
    p->lists[to] = (weft__page_list){ .begin = begin > all ? begin : all, .length = n };
}

/* ---- names ---- */

bool weft__pages_extent(const char *name, uint32_t *window)
{
    static const char stem[] = "pages";
    size_t n = sizeof stem - 1;
    *window = 0;
    if (strncmp(name, stem, n)) return false;
    if (!name[n]) return true;
    if (name[n] != '_' || name[n + 1] < '1' || name[n + 1] > '9') return false; /* "pages_each" */
    for (name += n + 1; *name >= '0' && *name <= '9'; name++) *window = *window * 10 + (uint32_t)(*name - '0');
    return !*name;
}
