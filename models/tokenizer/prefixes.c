/* prefixes.c: a sorted list of tokens, whose range narrows byte by byte. */
#include "prefixes.h"

#include <stdlib.h>

/* Texts hold no zero bytes, and end in one. */
static bool is_before(const weft__vocab *v, const uint32_t *order, size_t a, size_t b)
{
    return strcmp(v->text + v->text_at[order[a]], v->text + v->text_at[order[b]]) < 0;
}

static void swap(uint32_t *order, size_t a, size_t b)
{
    uint32_t t = order[a];
    order[a] = order[b];
    order[b] = t;
}

/* A step of heap sort; qsort would not pass the vocabulary on. */
static void sift(const weft__vocab *v, uint32_t *order, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && is_before(v, order, child, child + 1)) child++;
        if (!is_before(v, order, root, child)) return;
        swap(order, root, child);
    }
}

weft_status weft__prefixes_build(weft__prefixes *p, const weft__vocab *v, weft_error *err)
{
    p->order = malloc(((size_t)v->n + 1) * sizeof *p->order);
    if (!p->order) return WEFT_OOM_FAIL(err, "the vocabulary");
    for (uint32_t id = 0; id < v->n; id++)
        if (v->of_model[id]) p->order[p->n++] = id;
    for (size_t i = p->n / 2; i-- > 0;) sift(v, p->order, i, p->n);
    for (size_t i = p->n; i-- > 1;) {
        swap(p->order, 0, i);
        sift(v, p->order, 0, i);
    }
    return WEFT_OK;
}

/* The first of the range whose next byte is no less than `byte`. */
static uint32_t bound(const weft__prefixes *p, const weft__vocab *v, const weft__prefix_walk *w, unsigned byte)
{
    uint32_t low = w->low, high = w->high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uint8_t)v->text[v->text_at[p->order[middle]] + w->n] < byte) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool weft__prefixes_step(const weft__prefixes *p, const weft__vocab *v, weft__prefix_walk *w, char byte)
{
    if (!byte) return false;
    w->low = bound(p, v, w, (uint8_t)byte);
    w->high = bound(p, v, w, (uint8_t)byte + 1u);
    w->n++;
    return w->low < w->high;
}

int32_t weft__prefixes_here(const weft__prefixes *p, const weft__vocab *v, const weft__prefix_walk *w)
{
    uint32_t id = p->order[w->low]; /* the shortest comes first */
    return v->text_at[id + 1] - v->text_at[id] - 1 == w->n ? (int32_t)id : -1;
}
