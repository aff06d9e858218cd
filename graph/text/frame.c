/* frame.c: the memory of bodies, a chain of chunks that stays for the next turn, and a table of names that is emptied
 * at once, whatever its size. */
#include "graph/text/frame.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

struct weft__heap_chunk {
    struct weft__heap_chunk *next; /* of a later one, which is free */
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

enum { CHUNK = 16 << 10 };

/* The chunk behind the current one, which is free: one that is too small is replaced. */
static struct weft__heap_chunk *next_chunk(weft__heap *h, size_t bytes)
{
    struct weft__heap_chunk **at = h->current ? &h->current->next : &h->first;
    while (*at && (*at)->size < bytes) {
        struct weft__heap_chunk *small = *at;
        *at = small->next;
        free(small);
    }
    if (*at) return *at;
    size_t size = bytes > CHUNK ? bytes : CHUNK;
    struct weft__heap_chunk *fresh = malloc(sizeof *fresh + size);
    if (!fresh) return NULL;
    fresh->size = size;
    fresh->next = NULL;
    *at = fresh;
    return fresh;
}

void *weft__heap_alloc(weft__heap *h, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 4) return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    if (!h->current || h->current->size - h->current->used < bytes) {
        struct weft__heap_chunk *chunk = next_chunk(h, bytes);
        if (!chunk) return NULL;
        chunk->used = 0;
        h->current = chunk;
    }
    void *p = h->current->data + h->current->used;
    h->current->used += bytes;
    return memset(p, 0, bytes);
}

char *weft__heap_copy(weft__heap *h, const char *text, size_t n)
{
    char *copy = weft__heap_alloc(h, n + 1, 1);
    if (copy && n) memcpy(copy, text, n);
    return copy;
}

weft__heap_mark weft__heap_at(const weft__heap *h)
{
    return (weft__heap_mark){ h->current, h->current ? h->current->used : 0 };
}

void weft__heap_release(weft__heap *h, weft__heap_mark to)
{
    h->current = to.chunk;
    if (to.chunk) to.chunk->used = to.used;
}

void weft__heap_free(weft__heap *h)
{
    for (struct weft__heap_chunk *c = h->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *h = (weft__heap){ NULL, NULL };
}

/* ---- names ---- */

static uint32_t hash_of(const char *name, bool is_value)
{
    uint32_t h = 0x811c9dc5u ^ is_value;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) h = (h ^ *p) * 0x01000193u;
    return h;
}

static bool is_entry(const weft__entry *e, const char *name, uint32_t hash, bool is_value)
{
    return e->hash == hash && e->is_value == is_value && (e->name == name || !strcmp(e->name, name));
}

/* The slot of a name, or the free one that it would have; at most half of them are taken. */
static struct weft__slot *slot_of(const weft__names *names, const char *name, uint32_t hash, bool is_value)
{
    for (uint32_t i = hash;; i++) {
        struct weft__slot *s = &names->slots[i & (names->n_slots - 1)];
        if (s->round != names->round || is_entry(&names->entries[s->at], name, hash, is_value)) return s;
    }
}

weft__entry *weft__names_find(const weft__names *names, const char *name, bool is_value)
{
    if (!names->n) return NULL;
    const struct weft__slot *s = slot_of(names, name, hash_of(name, is_value), is_value);
    return s->round == names->round ? &names->entries[s->at] : NULL;
}

/* Room for one more. Slots are filled anew when they grow. */
static bool reserve(weft__names *names)
{
    if (!weft__grow(&names->entries, &names->cap, (size_t)names->n + 1, sizeof *names->entries)) return false;
    if (2 * (names->n + 1) <= names->n_slots) return true;
    uint32_t n = names->n_slots ? 2 * names->n_slots : 32;
    struct weft__slot *slots = calloc(n, sizeof *slots);
    if (!slots) return false;
    free(names->slots);
    names->slots = slots;
    names->n_slots = n;
    names->round = 1;
    for (uint32_t i = 0; i < names->n; i++) {
        const weft__entry *e = &names->entries[i];
        *slot_of(names, e->name, e->hash, e->is_value) = (struct weft__slot){ names->round, i };
    }
    return true;
}

weft__entry *weft__names_put(weft__names *names, const char *name, bool is_value)
{
    if (!reserve(names)) return NULL;
    uint32_t hash = hash_of(name, is_value);
    struct weft__slot *s = slot_of(names, name, hash, is_value);
    if (s->round != names->round) {
        *s = (struct weft__slot){ names->round, names->n };
        names->entries[names->n++] = (weft__entry){ .name = name, .hash = hash, .is_value = is_value };
    }
    return &names->entries[s->at];
}

void weft__names_clear(weft__names *names)
{
    names->n = 0;
    names->round++; /* a text runs too few statements for it to come round */
}

void weft__names_free(weft__names *names)
{
    free(names->entries);
    free(names->slots);
    *names = (weft__names){ 0 };
}
