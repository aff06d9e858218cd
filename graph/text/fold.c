/* fold.c: finds repeats in lists of units: turns that follow each other, in which the same units come in the same order
 * and numbers in their names count. What turns do not have in common becomes conditional (join.c). */
#include "graph/text/unit.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PERIOD = 32, MOST_TRIES = 8, MOST_ROWS = 64, LONGEST = 8192 }; /* of a list, whose work is bounded */

/* Turns of `period` units each, from unit `start` on. */
typedef struct row {
    uint32_t start, period, n;
    int64_t first, step; /* of the number that counts */
} row;

typedef struct list {
    weft__unit **at;
    uint32_t n;
} list;

static bool same_stem(const weft__unit *a, const weft__unit *b)
{
    return a->kind == b->kind && !strcmp(a->sig, b->sig);
}

/* Number k of a unit's label; -1: there are no so many. */
static int64_t label_number(const weft__unit *u, uint32_t k)
{
    const char *at = u->places[0].label, *begin;
    int64_t x = at ? weft__label_number(&at, &begin) : -1;
    while (k-- && x >= 0) x = weft__label_number(&at, &begin);
    return x;
}

/* How many turns, at most r->n, the numbers of unit q of each go up evenly; *counts: they do not stay. */
static uint32_t even_turns(const list *l, const row *r, uint32_t q, int64_t *first, int64_t *step, bool *counts)
{
    uint32_t n = r->n;
    for (uint32_t k = 0;; k++) {
        int64_t x0 = label_number(l->at[r->start + q], k), x1 = label_number(l->at[r->start + r->period + q], k);
        if (x0 < 0) return n;
        for (uint32_t t = 2; t < n; t++)
            if (label_number(l->at[r->start + t * r->period + q], k) != x0 + t * (x1 - x0)) n = t;
        if (x1 == x0 || *counts) continue;
        *first = x0;
        *step = x1 - x0;
        *counts = true;
    }
}

/* Cuts the row where its names no longer count; false: they do not count at all. Scopes' numbers are preferred. */
static bool count(const list *l, row *r)
{
    bool counts = false;
    for (int scopes = 1; scopes >= 0; scopes--)
        for (uint32_t q = 0; q < r->period && r->n > 1; q++) {
            if ((l->at[r->start + q]->kind == UNIT_SCOPE) != (bool)scopes) continue;
            r->n = even_turns(l, r, q, &r->first, &r->step, &counts);
        }
    return counts && r->n > 1;
}

static uint32_t saved(const list *l, const row *r)
{
    uint32_t lines = 0;
    if (!r->n) return 0;
    for (uint32_t q = 0; q < r->period; q++) lines += l->at[r->start + q]->lines;
    return lines * (r->n - 1);
}

/* The best of the rows that may begin at unit k or a bit later, for units up to `end` have what those a period before
 * them have. */
static void try_rows(const list *l, const bool *refused, uint32_t p, uint32_t k, uint32_t end, row *best)
{
    for (uint32_t start = k; start < end && start < k + 2 * p; start++) {
        row r = { .start = start, .period = p, .n = (end - start) / p + 1 };
        if (r.n > 1 && !refused[start] && count(l, &r) && saved(l, &r) > saved(l, best)) *best = r;
    }
}

/* The row that saves most, of those that are not refused. */
static row find_row(const list *l, const bool *refused)
{
    row best = { .n = 0 };
    for (uint32_t p = 1; p <= MAX_PERIOD && 2 * p <= l->n; p++)
        for (uint32_t k = 0, end; k + p < l->n; k = end + 1) {
            end = k;
            while (end + p < l->n && same_stem(l->at[end], l->at[end + p])) end++;
            try_rows(l, refused, p, k, end, &best);
        }
    return best;
}

/* ---- making it ---- */

static void set_counter(weft__unit *u, int64_t x)
{
    for (; u; u = u->next) {
        for (uint32_t i = 0; i < u->n && u->depth < WEFT__LOOPS; i++) u->places[i].counter[u->depth] = x;
        u->depth++;
        set_counter(u->body, x);
    }
}

/* Turn t as a list of its own. */
static weft__unit *turn_of(weft__fold *f, const list *l, const row *r, uint32_t t, int64_t lo)
{
    weft__unit *head = NULL, **last = &head;
    for (uint32_t q = 0; q < r->period; q++) {
        weft__unit *u = l->at[r->start + t * r->period + q], *next = u->next;
        u->next = NULL;
        *last = weft__units_copy(f, u);
        u->next = next;
        if (!*last) return NULL;
        last = &(*last)->next;
    }
    set_counter(head, lo + t);
    return head;
}

static weft__unit *repeat_of(weft__fold *f, const list *l, const row *r)
{
    const int64_t lo = r->step == 1 ? r->first : 0;
    const weft__place *first = &l->at[r->start]->places[0];
    weft__place p = { .g = first->g, .sample = first->sample, .order = first->order, .lo = lo, .hi = lo + r->n };
    weft__unit *u = weft__fold_alloc(f, 1, sizeof *u);
    if (!u || !weft__units_add_place(f, u, &p)) return NULL;
    u->kind = UNIT_REPEAT;
    u->sig = "repeat";
    u->body = turn_of(f, l, r, 0, lo);
    for (uint32_t t = 1; t < r->n && u->body; t++) {
        weft__unit *turn = turn_of(f, l, r, t, lo);
        if (!turn || !weft__units_join(f, &u->body, turn, true)) return NULL;
    }
    u->lines = 2 + weft__units_lines(u->body);
    return u->body ? u : NULL;
}

static uint32_t deepest(const weft__unit *u)
{
    uint32_t most = 0;
    for (; u; u = u->next) {
        uint32_t inside = deepest(u->body);
        if (u->depth + 1 > most) most = u->depth + 1;
        if (inside > most) most = inside;
    }
    return most;
}

/* A row's repeat, and what stands before it; NULL: it cannot be said, or saves nothing. */
static weft__unit *make_repeat(weft__fold *f, const list *l, const row *r, bool late, weft__unit **before)
{
    f->late = late;
    weft__unit *u = repeat_of(f, l, r);
    f->late = false;
    if (!u || u->lines >= saved(l, r) + saved(l, r) / (r->n - 1) || deepest(u->body) > WEFT__LOOPS) return NULL;
    return weft__units_bind(f, u, before) ? u : NULL;
}

/* Puts a repeat in the place of a row's units. */
static bool fold_row(weft__fold *f, list *l, const row *r)
{
    weft__unit *before = NULL, *u = make_repeat(f, l, r, false, &before);
    const uint32_t end = r->start + r->n * r->period;
    if (!u && !f->failed) u = make_repeat(f, l, r, true, &before);
    if (!u) return false;
    uint32_t at = r->start;
    for (; before && at + 1 < end; before = before->next) l->at[at++] = before;
    l->at[at++] = u;
    memmove(l->at + at, l->at + end, (l->n - end) * sizeof *l->at);
    l->n -= end - at;
    return !before;
}

static weft__unit *chain(const list *l)
{
    for (uint32_t i = 0; i < l->n; i++) l->at[i]->next = i + 1 < l->n ? l->at[i + 1] : NULL;
    return l->n ? l->at[0] : NULL;
}

static void fold_list(weft__fold *f, list *l)
{
    bool *refused = calloc((size_t)l->n + 1, 1);
    uint32_t tries = 0, rows = 0;
    if (!refused) f->failed = true;
    while (refused && !f->failed && tries < MOST_TRIES && rows < MOST_ROWS && l->n <= LONGEST) {
        row r = find_row(l, refused);
        if (!r.n) break;
        if (fold_row(f, l, &r)) {
            memset(refused, 0, l->n);
            rows++;
        } else {
            refused[r.start] = true;
            tries++;
        }
    }
    free(refused);
}

void weft__units_fold(weft__fold *f, weft__unit **units)
{
    list l = { 0 };
    for (weft__unit *u = *units; u; u = u->next) {
        if (u->body) weft__units_fold(f, &u->body);
        if (u->kind == UNIT_SCOPE) u->lines = 2 + weft__units_lines(u->body);
        l.n++;
    }
    l.at = calloc((size_t)l.n + 1, sizeof *l.at);
    if (!l.at) {
        f->failed = true;
        return;
    }
    uint32_t i = 0;
    for (weft__unit *u = *units; u; u = u->next) l.at[i++] = u;
    fold_list(f, &l);
    *units = chain(&l);
    free(l.at);
}
