/* weights.c: weights as they lie on devices, found by name or loaded. An entry is one weight in one layout on one
 * device; it never changes, so any number of programs may read it. */
#include "backends/weights.h"
#include "graph/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    struct entry *next;
    weft_backend *b;
    weft_buf *buf;
    char *name;
    bool borrowed;
    weft_layout layout;
    weft_dtype dtype;
    uint32_t rank;
    int64_t dims[WEFT_MAX_RANK];
    uint64_t bytes;
} entry;

enum { BUCKETS = 1024 };

struct weft_weights {
    weft_weight_source *sources;
    uint32_t n_sources;
    entry *buckets[BUCKETS];
};

weft_status weft_weights_create(const weft_weight_source *sources, uint32_t n, weft_weights **out, weft_error *err)
{
    weft_weights *w = *out = calloc(1, sizeof *w);
    if (w) w->sources = calloc(n + (n == 0), sizeof *w->sources);
    if (!w || !w->sources) {
        free(w);
        *out = NULL;
        return WEFT_OOM_FAIL(err, "weights");
    }
    if (n) memcpy(w->sources, sources, n * sizeof *sources);
    w->n_sources = n;
    return WEFT_OK;
}

static void free_entry(entry *e)
{
    if (e->buf) {
        e->b->vt->buf_destroy(e->buf);
        e->b->users--;
    }
    free(e->name);
    free(e);
}

void weft_weights_destroy(weft_weights *w)
{
    if (!w) return;
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (entry *e = w->buckets[i], *next; e; e = next) {
            next = e->next;
            free_entry(e);
        }
    free(w->sources);
    free(w);
}

uint64_t weft_weights_bytes(const weft_weights *w)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (const entry *e = w->buckets[i]; e; e = e->next)
            if (!e->borrowed) sum += e->bytes;
    return sum;
}

static uint32_t hash_name(const char *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 16777619u;
    return h % BUCKETS;
}

static bool same(const entry *e, const entry *key)
{
    return e->b == key->b && e->layout == key->layout && e->dtype == key->dtype &&
           e->rank == key->rank && !memcmp(e->dims, key->dims, key->rank * sizeof *key->dims) &&
           !strcmp(e->name, key->name);
}

/* "[50304, 768]" */
static const char *dims_text(uint32_t rank, const int64_t *dims, char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "[");
    for (uint32_t i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (at < size) snprintf(buf + at, size - at, "]");
    return buf;
}

/* The data are as many bytes as their type and dims say: what converts or borrows them trusts that. */
static weft_status check_bytes(const entry *e, const weft_weight_data *data, weft_error *err)
{
    uint64_t row, bytes = 0;
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < e->rank; i++) rows *= e->dims[i];
    if (weft_dtype_row_bytes(data->dtype, e->rank ? e->dims[e->rank - 1] : 1, &row) &&
        !__builtin_mul_overflow(row, (uint64_t)rows, &bytes) && bytes == data->bytes) {
        weft_status s = weft__weight_check(data, err);
        return s ? weft__annotate(err, s, "weight '%s'", e->name) : WEFT_OK;
    }
    return WEFT_FAIL(err, WEFT_FORMAT, "weight '%s' has %llu bytes of data, but its shape and type make %llu", e->name,
                     (unsigned long long)data->bytes, (unsigned long long)bytes);
}

static weft_status find_data(weft_weights *w, const entry *e, weft_weight_data *data, weft_error *err)
{
    weft_status found = WEFT_NOT_FOUND;
    for (uint32_t i = 0; i < w->n_sources && found == WEFT_NOT_FOUND; i++) {
        *data = (weft_weight_data){ 0 };
        found = w->sources[i].find(w->sources[i].ctx, e->name, data, err);
    }
    if (!w->n_sources) return WEFT_FAIL(err, WEFT_NOT_FOUND, "weight '%s': there is no source of weights", e->name);
    WEFT_TRY(found);
    char want[160], have[160];
    if (data->rank == e->rank && !memcmp(data->dims, e->dims, e->rank * sizeof *e->dims))
        return check_bytes(e, data, err);
    return WEFT_FAIL(err, WEFT_SHAPE, "weight '%s' is %s in the file, but %s in the graph", e->name,
                     dims_text(data->rank, data->dims, have, sizeof have),
                     dims_text(e->rank, e->dims, want, sizeof want));
}

/* Data that needs no change is used where the file is mapped, if the device can and its elements are aligned. */
static weft_status load_weight(weft_weights *w, entry *e, weft__task *task, weft_error *err)
{
    weft_weight_data data;
    WEFT_TRY(find_data(w, e, &data, err));
    if (!weft__converts(data.dtype, e->dtype))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "weight '%s': %s cannot be turned into %s", e->name,
                         weft_dtype_get(data.dtype)->name, weft_dtype_get(e->dtype)->name);
    uint32_t align = weft_dtype_get(e->dtype)->block == 1 ? weft_dtype_get(e->dtype)->bytes : 2;
    if (e->layout == WEFT_LAYOUT_PLAIN && data.dtype == e->dtype && weft__weight_is_plain(&data) &&
        (uintptr_t)data.data % align == 0) {
        WEFT_TRY(e->b->vt->buf_wrap(e->b, data.data, data.bytes, &e->buf, err));
        e->borrowed = e->buf != NULL;
    }
    if (!e->buf) {
        const weft_backend_vt *vt = e->b->vt;
        WEFT_TRY(vt->weight_create ? vt->weight_create(e->b, e->layout, e->dtype, e->rank, e->dims, &e->buf, err)
                                   : vt->buf_create(e->b, e->bytes, &e->buf, err));
        weft_status s = vt->weight_write(e->buf, e->layout, e->dtype, &data, task, err);
        weft__weight_done(&data, 0, INT64_MAX);
        if (s) {
            vt->buf_destroy(e->buf);
            e->buf = NULL;
            return s == WEFT_CANCELLED ? s : weft__annotate(err, s, "weight '%s'", e->name);
        }
    }
    e->b->users++;
    return WEFT_OK;
}

static entry make_key(const weft_backend *b, const char *name, weft_layout layout, weft_dtype t, uint32_t rank,
                      const int64_t *dims)
{
    entry key = { .b = (weft_backend *)(uintptr_t)b, .name = (char *)(uintptr_t)name, .layout = layout, .dtype = t,
                  .rank = rank };
    memcpy(key.dims, dims, rank * sizeof *dims);
    return key;
}

static entry *find(const weft_weights *w, const entry *key)
{
    entry *e = w->buckets[hash_name(key->name)];
    while (e && !same(e, key)) e = e->next;
    return e;
}

static weft_status find_or_make(weft_weights *w, const entry *key, weft__task *task, weft_buf **out, weft_error *err)
{
    entry **bucket = &w->buckets[hash_name(key->name)], *e = find(w, key);
    if (e) {
        *out = e->buf;
        return WEFT_OK;
    }
    e = malloc(sizeof *e);
    if (!e) return WEFT_OOM_FAIL(err, key->name);
    *e = *key;
    e->name = strdup(key->name);
    if (!e->name) {
        free(e);
        return WEFT_OOM_FAIL(err, key->name);
    }
    e->bytes = e->b->vt->weight_bytes(e->b, e->layout, e->dtype, e->rank, e->dims);
    weft_status s = load_weight(w, e, task, err);
    if (s) {
        free_entry(e);
        return s;
    }
    e->next = *bucket;
    *bucket = e;
    *out = e->buf;
    return WEFT_OK;
}

weft_status weft__weights_get(weft_weights *w, weft_backend *b, const char *name, weft_layout layout, weft_dtype t,
                              uint32_t rank, const int64_t *dims, weft__task *task, weft_buf **out, weft_error *err)
{
    entry key = make_key(b, name, layout, t, rank, dims);
    uint64_t end = task ? task->at.done + b->vt->weight_bytes(b, layout, t, rank, dims) : 0;
    WEFT_TRY(find_or_make(w, &key, task, out, err));
    return weft__task_reach(task, end, err);
}

uint64_t weft__weights_have(const weft_weights *w, const weft_backend *b, const char *name, weft_layout layout,
                            weft_dtype t, uint32_t rank, const int64_t *dims)
{
    entry key = make_key(b, name, layout, t, rank, dims);
    const entry *e = find(w, &key);
    return e ? e->bytes : 0;
}
