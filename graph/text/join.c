/* join.c: units of several places put together: the turns of a repeat, the same statements of several graphs. */
#include "graph/text/unit.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LIST = 256 }; /* units of a list beyond which only equal lists are joined */

void *weft__fold_alloc(weft__fold *f, size_t n, size_t size)
{
    void *p = f->failed ? NULL : weft__arena_alloc(f->arena, n, size);
    if (!p) f->failed = true;
    return p;
}

void *weft__fold_scratch(weft__fold *f, size_t n, size_t size)
{
    void *p = f->failed ? NULL : weft__arena_alloc(&f->scratch, n, size);
    if (!p) f->failed = true;
    return p;
}

bool weft__units_add_place(weft__fold *f, weft__unit *u, const weft__place *p)
{
    if (u->n == u->cap) {
        uint32_t cap = u->cap ? 2 * u->cap : 1;
        weft__place *places = weft__fold_alloc(f, cap, sizeof *places);
        if (!places) return false;
        if (u->n) memcpy(places, u->places, u->n * sizeof *places);
        u->places = places;
        u->cap = cap;
    }
    u->places[u->n++] = *p;
    return true;
}

uint32_t weft__units_lines(const weft__unit *list)
{
    uint32_t n = 0;
    for (; list; list = list->next) n += list->lines;
    return n;
}

static weft__unit *copy_unit(weft__fold *f, const weft__unit *u)
{
    weft__unit *c = weft__fold_alloc(f, 1, sizeof *c);
    if (!c) return NULL;
    *c = *u;
    c->next = NULL;
    c->n = c->cap = 0;
    for (uint32_t i = 0; i < u->n; i++)
        if (!weft__units_add_place(f, c, &u->places[i])) return NULL;
    c->body = weft__units_copy(f, u->body);
    return f->failed ? NULL : c;
}

weft__unit *weft__units_copy(weft__fold *f, const weft__unit *list)
{
    weft__unit *head = NULL, **last = &head;
    for (; list && !f->failed; list = list->next) {
        *last = copy_unit(f, list);
        if (*last) last = &(*last)->next;
    }
    return head;
}

static bool same_data(const weft__place *a, const weft__place *b, bool samples)
{
    if (!a->node || !a->node->data || weft__data_is_slots(a->g, a->node)) return true;
    uint64_t n = weft_value_bytes(a->g, a->node->out[0], NULL);
    if (n != weft_value_bytes(b->g, b->node->out[0], NULL)) return false;
    return (samples && weft__data_is_list(a->g, a->node)) || !memcmp(a->node->data, b->node->data, (size_t)n);
}

/* Apart from their bodies. */
static bool same_kind(const weft__unit *a, const weft__unit *b, bool samples)
{
    return a->kind == b->kind && !strcmp(a->sig, b->sig) && same_data(a->places, b->places, samples);
}

bool weft__units_fit(const weft__unit *a, const weft__unit *b, bool samples)
{
    for (; a && b; a = a->next, b = b->next)
        if (!same_kind(a, b, samples) || !weft__units_fit(a->body, b->body, samples)) return false;
    return !a && !b;
}

static bool add_places(weft__fold *f, weft__unit *a, const weft__unit *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        weft__place p = b->places[i];
        if (f->keeps_labels && b->kind == UNIT_SCOPE) p.label = weft__arena_strdup(f->arena, p.label);
        if ((b->kind == UNIT_SCOPE && !p.label) || !weft__units_add_place(f, a, &p)) return !(f->failed = true);
    }
    return true;
}

/* ---- lists that are not equal ---- */

static uint32_t list_of(weft__unit *list, weft__unit *out[MAX_LIST])
{
    uint32_t n = 0;
    for (; list && n < MAX_LIST; list = list->next) out[n++] = list;
    return list ? 0 : n;
}

/* Lines that two units may share: those of a scope's shell alone count little. */
static uint32_t worth(const weft__unit *a, const weft__unit *b)
{
    if (!same_kind(a, b, false)) return 0;
    return a->kind == UNIT_REPEAT && !weft__units_fit(a->body, b->body, false) ? 0 : 1 + (a->lines + b->lines) / 2;
}

typedef struct table {
    weft__unit *a[MAX_LIST], *b[MAX_LIST];
    uint32_t n_a, n_b;
    uint16_t *best; /* [n_a + 1][n_b + 1]: of what is left from i and j on */
} table;

static uint16_t *best(table *t, uint32_t i, uint32_t j)
{
    return &t->best[i * (t->n_b + 1) + j];
}

static void fill(table *t)
{
    for (uint32_t i = t->n_a; i--;)
        for (uint32_t j = t->n_b; j--;) {
            uint32_t w = worth(t->a[i], t->b[j]), with = w ? w + *best(t, i + 1, j + 1) : 0;
            uint32_t skip_a = *best(t, i + 1, j), skip_b = *best(t, i, j + 1);
            uint32_t most = with > skip_a ? with : skip_a;
            most = most > skip_b ? most : skip_b;
            *best(t, i, j) = (uint16_t)(most < UINT16_MAX ? most : UINT16_MAX);
        }
}

/* Where little is common all of a stands before all of b: two wholes are easier to read than pieces. */
static bool is_little(table *t, const weft__unit *a, const weft__unit *b)
{
    const uint32_t lines_a = weft__units_lines(a), lines_b = weft__units_lines(b);
    return 2u * *best(t, 0, 0) < (lines_a < lines_b ? lines_a : lines_b);
}

/* a's and b's in one list, in the order of both. */
static bool interleave(weft__fold *f, table *t, weft__unit **list)
{
    uint32_t i = 0, j = 0;
    weft__unit **last = list;
    while (i < t->n_a || j < t->n_b) {
        uint32_t w = i < t->n_a && j < t->n_b ? worth(t->a[i], t->b[j]) : 0;
        bool later = f->late && i < t->n_a && j < t->n_b &&
                     (*best(t, i, j) == *best(t, i + 1, j) || *best(t, i, j) == *best(t, i, j + 1));
        if (w && !later && *best(t, i, j) == w + *best(t, i + 1, j + 1)) {
            *last = t->a[i++];
            const weft__unit *b = t->b[j++];
            if (!add_places(f, *last, b) || !weft__units_join(f, &(*last)->body, b->body, true)) return false;
            if ((*last)->kind == UNIT_SCOPE) (*last)->lines = 2 + weft__units_lines((*last)->body);
        } else if (j == t->n_b || (i < t->n_a && *best(t, i, j) == *best(t, i + 1, j))) {
            *last = t->a[i++];
        } else {
            *last = copy_unit(f, t->b[j++]);
            if (!*last) return false;
        }
        last = &(*last)->next;
    }
    *last = NULL;
    return true;
}

static bool append(weft__fold *f, weft__unit **a, const weft__unit *b)
{
    while (*a) a = &(*a)->next;
    *a = weft__units_copy(f, b);
    return !f->failed;
}

static bool join_loosely(weft__fold *f, weft__unit **a, const weft__unit *b)
{
    table t;
    t.n_a = list_of(*a, t.a);
    t.n_b = list_of((weft__unit *)(uintptr_t)b, t.b);
    if (!t.n_a || !t.n_b) return append(f, a, b);
    t.best = calloc((size_t)(t.n_a + 1) * (t.n_b + 1), sizeof *t.best);
    if (!t.best) return !(f->failed = true);
    fill(&t);
    bool joined = is_little(&t, *a, b) ? append(f, a, b) : interleave(f, &t, a);
    free(t.best);
    return joined;
}

static bool equal_shells(const weft__unit *a, const weft__unit *b, bool samples)
{
    for (; a && b; a = a->next, b = b->next)
        if (!same_kind(a, b, samples) || (a->kind == UNIT_REPEAT && !weft__units_fit(a->body, b->body, samples)))
            return false;
    return !a && !b;
}

bool weft__units_join(weft__fold *f, weft__unit **a, const weft__unit *b, bool loose)
{
    if (!equal_shells(*a, b, !loose)) return loose && join_loosely(f, a, b);
    for (weft__unit *u = *a; u; u = u->next, b = b->next) {
        if (!add_places(f, u, b) || !weft__units_join(f, &u->body, b->body, loose)) return false;
        if (u->kind == UNIT_SCOPE) u->lines = 2 + weft__units_lines(u->body);
    }
    return true;
}
