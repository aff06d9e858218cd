#include "models/pages.h"

#include <stdlib.h>
#include <string.h>

weft_status weft__pages_create(weft__pages *p, uint32_t page, uint32_t n_pages, uint32_t context, uint32_t n_sequences,
                               weft_error *err)
{
    *p = (weft__pages){ .page = page, .n_pages = n_pages, .context = context, .n_sequences = n_sequences };
    p->pages_each = weft__pages_of(p->page, context);
    p->users = calloc(n_pages, sizeof *p->users);
    p->free = malloc(n_pages * sizeof *p->free);
    p->sequences = calloc(n_sequences, sizeof *p->sequences);
    bool whole = p->users && p->free && p->sequences;
    for (uint32_t i = 0; whole && i < n_sequences; i++) {
        p->sequences[i].pages = malloc(p->pages_each * sizeof *p->sequences[i].pages);
        p->sequences[i].tokens = malloc(context * sizeof *p->sequences[i].tokens);
        whole = p->sequences[i].pages && p->sequences[i].tokens;
        if (whole) memset(p->sequences[i].pages, 0xff, p->pages_each * sizeof *p->sequences[i].pages);
    }
    if (!whole) return WEFT_OOM_FAIL(err, "the sequences of a session");
    while (p->n_free < n_pages) {
        p->free[p->n_free] = (int32_t)(n_pages - 1 - p->n_free); /* the lowest is taken first */
        p->n_free++;
    }
    return WEFT_OK;
}

void weft__pages_destroy(weft__pages *p)
{
    for (uint32_t i = 0; p->sequences && i < p->n_sequences; i++) {
        free(p->sequences[i].pages);
        free(p->sequences[i].tokens);
    }
    free(p->users);
    free(p->free);
    free(p->sequences);
    *p = (weft__pages){ 0 };
}

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

/* The page that a sequence's next token goes to, if it is begun and belongs to others, too; NULL: it is not so. */
static int32_t *shared_tail(const weft__pages *p, const weft__sequence *s)
{
    if (s->length % p->page == 0) return NULL;
    int32_t *tail = &s->pages[s->length / p->page];
    return p->users[*tail] > 1 ? tail : NULL;
}

uint32_t weft__pages_wanted(const weft__pages *p, uint32_t sequence, uint32_t n)
{
    const weft__sequence *s = &p->sequences[sequence];
    if (!n) return 0;
    return weft__pages_of(p->page, s->length + n) - weft__pages_of(p->page, s->length) + (shared_tail(p, s) != NULL);
}

bool weft__pages_reserve(weft__pages *p, uint32_t sequence, uint32_t n, weft__page_copy *copy)
{
    weft__sequence *s = &p->sequences[sequence];
    int32_t *tail = n ? shared_tail(p, s) : NULL;
    if (tail) {
        *copy = (weft__page_copy){ *tail, take(p), s->length % p->page };
        p->users[*tail]--;
        *tail = copy->to;
    }
    uint32_t end = weft__pages_of(p->page, s->length + n);
    for (uint32_t i = weft__pages_of(p->page, s->length); i < end; i++) s->pages[i] = take(p);
    return tail != NULL;
}

void weft__pages_truncate(weft__pages *p, uint32_t sequence, uint32_t n)
{
    weft__sequence *s = &p->sequences[sequence];
    for (uint32_t i = weft__pages_of(p->page, n); i < p->pages_each; i++) give_back(p, &s->pages[i]);
    s->length = n;
    if (!n) s->discarded = 0;
}

void weft__pages_discard(weft__pages *p, uint32_t sequence, uint32_t n)
{
    weft__sequence *s = &p->sequences[sequence];
    uint32_t whole = (n < s->length ? n : s->length) / p->page;
    for (uint32_t i = s->discarded / p->page; i < whole; i++) give_back(p, &s->pages[i]);
    if (whole * p->page > s->discarded) s->discarded = whole * p->page;
}

void weft__pages_share(weft__pages *p, uint32_t from, uint32_t to, uint32_t n)
{
    weft__sequence *a = &p->sequences[from], *b = &p->sequences[to];
    for (uint32_t i = 0; i < weft__pages_of(p->page, n); i++) {
        b->pages[i] = a->pages[i];
        if (b->pages[i] >= 0) p->users[b->pages[i]]++;
    }
    memcpy(b->tokens, a->tokens, n * sizeof *b->tokens);
    b->length = n;
    b->discarded = a->discarded;
}
