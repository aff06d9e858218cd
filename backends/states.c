/* states.c: a set of states: what programs keep from one run to the next, by name, an entry for each, which is one
 * buffer on one device; and the memory that they work in, which they share because they run in turn. */
#include "backends/states.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    weft_backend *b;
    weft_buf *buf;
    char *name;
    weft_state_info info;
} entry;

typedef struct arena {
    weft_backend *b;
    weft_buf *buf;
    uint64_t bytes;
} arena;

struct weft_states {
    entry *entries;
    size_t n, capacity;
    arena *arenas;
    size_t n_arenas, arena_capacity;
};

enum { PIECE = 16384 };

weft_status weft_states_create(weft_states **out, weft_error *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? WEFT_OK : WEFT_OOM_FAIL(err, "a set of states");
}

void weft_states_destroy(weft_states *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) {
        s->entries[i].b->vt->buf_destroy(s->entries[i].buf);
        s->entries[i].b->users--;
        free(s->entries[i].name);
    }
    for (size_t i = 0; i < s->n_arenas; i++) {
        s->arenas[i].b->vt->buf_destroy(s->arenas[i].buf);
        s->arenas[i].b->users--;
    }
    free(s->entries);
    free(s->arenas);
    free(s);
}

/* ---- what there is ---- */

uint32_t weft_states_find(const weft_states *s, const char *name)
{
    uint32_t i = 0;
    while (i < s->n && strcmp(s->entries[i].name, name)) i++;
    return i < s->n ? i : UINT32_MAX;
}

bool weft_states_get(const weft_states *s, uint32_t i, weft_state_info *out)
{
    if (i >= s->n) return false;
    *out = s->entries[i].info;
    return true;
}

uint64_t weft_states_bytes(const weft_states *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n; i++) sum += s->entries[i].info.bytes;
    return sum;
}

uint64_t weft_states_arena_bytes(const weft_states *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n_arenas; i++) sum += s->arenas[i].bytes;
    return sum;
}

/* ---- for programs ---- */

static bool same(const entry *e, const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims)
{
    return e->b == b && e->info.dtype == t && e->info.rank == rank &&
           !memcmp(e->info.dims, dims, rank * sizeof *dims);
}

static weft_status make(entry *e, weft_backend *b, const char *name, weft_dtype t, uint32_t rank, const int64_t *dims,
                        weft_error *err)
{
    uint64_t bytes = b->vt->weight_bytes(b, WEFT_LAYOUT_PLAIN, t, rank, dims);
    *e = (entry){ .b = b, .name = strdup(name), .info = { .dtype = t, .rank = rank, .bytes = bytes } };
    if (!e->name) return WEFT_OOM_FAIL(err, name);
    e->info.name = e->name;
    memcpy(e->info.dims, dims, rank * sizeof *dims);
    weft_status s = b->vt->buf_create(b, bytes, &e->buf, err);
    if (s) free(e->name);
    else b->users++;
    return s;
}

weft_status weft__states_get(weft_states *s, weft_backend *b, const char *name, weft_dtype t, uint32_t rank,
                            const int64_t *dims, weft_buf **out, weft_error *err)
{
    uint32_t i = weft_states_find(s, name);
    if (i != UINT32_MAX && !same(&s->entries[i], b, t, rank, dims))
        return WEFT_FAIL(err, WEFT_INVALID, "state '%s' has another type, shape or device in another program", name);
    if (i == UINT32_MAX) {
        if (!weft__grow(&s->entries, &s->capacity, s->n + 1, sizeof *s->entries)) return WEFT_OOM_FAIL(err, name);
        i = (uint32_t)s->n;
        WEFT_TRY(make(&s->entries[i], b, name, t, rank, dims, err));
        s->n++;
    }
    *out = s->entries[i].buf;
    return WEFT_OK;
}

uint64_t weft__states_have(const weft_states *s, const weft_backend *b, const char *name)
{
    uint32_t i = weft_states_find(s, name);
    return i != UINT32_MAX && s->entries[i].b == b ? s->entries[i].info.bytes : 0;
}

static const arena *largest(const weft_states *s, const weft_backend *b)
{
    const arena *found = NULL;
    for (size_t i = 0; i < s->n_arenas; i++)
        if (s->arenas[i].b == b && (!found || s->arenas[i].bytes > found->bytes)) found = &s->arenas[i];
    return found;
}

uint64_t weft__states_arena_have(const weft_states *s, const weft_backend *b)
{
    const arena *a = largest(s, b);
    return a ? a->bytes : 0;
}

weft_status weft__states_arena(weft_states *s, weft_backend *b, uint64_t bytes, weft_buf **out, weft_error *err)
{
    const arena *a = largest(s, b);
    if (!a || a->bytes < bytes) {
        if (!weft__grow(&s->arenas, &s->arena_capacity, s->n_arenas + 1, sizeof *s->arenas))
            return WEFT_OOM_FAIL(err, "working memory");
        arena made = { .b = b, .bytes = bytes };
        WEFT_TRY(b->vt->buf_create(b, bytes, &made.buf, err));
        b->users++;
        s->arenas[s->n_arenas] = made;
        a = &s->arenas[s->n_arenas++];
    }
    *out = a->buf;
    return WEFT_OK;
}

/* ---- bytes ---- */

static weft_status check(const weft_states *s, uint32_t i, uint64_t offset, uint64_t n, weft_error *err)
{
    if (i >= s->n) return WEFT_FAIL(err, WEFT_INVALID, "state %u of %zu", i, s->n);
    const weft_state_info *info = &s->entries[i].info;
    if (offset > info->bytes || n > info->bytes - offset)
        return WEFT_FAIL(err, WEFT_INVALID, "bytes %llu to %llu of state '%s', which has %llu",
                         (unsigned long long)offset, (unsigned long long)(offset + n), info->name,
                         (unsigned long long)info->bytes);
    return WEFT_OK;
}

weft_status weft_states_write(weft_states *s, uint32_t i, uint64_t offset, const void *src, uint64_t n, weft_error *err)
{
    WEFT_TRY(check(s, i, offset, n, err));
    return s->entries[i].b->vt->buf_write(s->entries[i].buf, offset, src, n, err);
}

weft_status weft_states_read(const weft_states *s, uint32_t i, uint64_t offset, void *dst, uint64_t n, weft_error *err)
{
    WEFT_TRY(check(s, i, offset, n, err));
    return s->entries[i].b->vt->buf_read(s->entries[i].buf, offset, dst, n, err);
}

static weft_status clear(entry *e, weft_error *err)
{
    static const unsigned char zeros[PIECE];
    for (uint64_t at = 0; at < e->info.bytes; at += PIECE) {
        uint64_t n = e->info.bytes - at < PIECE ? e->info.bytes - at : PIECE;
        WEFT_TRY(e->b->vt->buf_write(e->buf, at, zeros, n, err));
    }
    return WEFT_OK;
}

weft_status weft_states_clear(weft_states *s, weft_error *err)
{
    for (size_t i = 0; i < s->n; i++) WEFT_TRY(clear(&s->entries[i], err));
    return WEFT_OK;
}

/* Through the host's memory, for devices that cannot. */
static weft_status bounce(entry *e, const weft_state_span *span, weft_error *err)
{
    unsigned char piece[PIECE];
    for (uint64_t at = 0; at < span->n; at += PIECE) {
        uint64_t n = span->n - at < PIECE ? span->n - at : PIECE;
        WEFT_TRY(e->b->vt->buf_read(e->buf, span->from + at, piece, n, err));
        WEFT_TRY(e->b->vt->buf_write(e->buf, span->to + at, piece, n, err));
    }
    return WEFT_OK;
}

weft_status weft_states_copy(weft_states *s, uint32_t i, const weft_state_span *spans, uint32_t n, weft_error *err)
{
    for (uint32_t k = 0; k < n; k++) {
        uint64_t apart = spans[k].from < spans[k].to ? spans[k].to - spans[k].from : spans[k].from - spans[k].to;
        WEFT_TRY(check(s, i, spans[k].from, spans[k].n, err));
        WEFT_TRY(check(s, i, spans[k].to, spans[k].n, err));
        if (apart < spans[k].n)
            return WEFT_FAIL(err, WEFT_INVALID, "state '%s': a copy overlaps itself", s->entries[i].name);
    }
    if (i >= s->n || !n) return check(s, i, 0, 0, err);
    entry *e = &s->entries[i];
    if (e->b->vt->buf_copy) return e->b->vt->buf_copy(e->buf, spans, n, err);
    for (uint32_t k = 0; k < n; k++) WEFT_TRY(bounce(e, &spans[k], err));
    return WEFT_OK;
}
