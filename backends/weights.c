/* weights.c: weights as they lie on devices, found by name or loaded. An entry is one weight in one layout on one
 * device; it never changes, so any number of programs may read it. */
#include "backends/kept.h"
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
    weft__kept_map kept; /* that the buffer is */
    weft_layout layout;
    weft_dtype dtype;
    uint32_t rank;
    int64_t dims[WEFT_MAX_RANK];
    uint64_t bytes;
} entry;

enum { BUCKETS = 1024, KEPT_FROM = 64 << 10 };

struct weft_weights {
    weft_weight_source *sources;
    uint32_t n_sources;
    weft_weights *under; /* that have what the sources have not; NULL: none */
    char *folder; /* of kept files; NULL: none are */
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

weft_status weft__weights_create_over(weft_weights *under, const weft_weight_source *source, weft_weights **out,
                                      weft_error *err)
{
    WEFT_TRY(weft_weights_create(source, 1, out, err));
    (*out)->under = under;
    return WEFT_OK;
}

static void free_entry(entry *e)
{
    if (e->buf) {
        e->b->vt->buf_destroy(e->buf);
        e->b->users--;
    }
    weft__kept_unmap(&e->kept);
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
    free(w->folder);
    free(w->sources);
    free(w);
}

weft_status weft_weights_keep(weft_weights *w, const char *folder, weft_error *err)
{
    WEFT_TRY(weft__kept_prepare(folder, err));
    char *copy = strdup(folder);
    if (!copy) return WEFT_OOM_FAIL(err, folder);
    free(w->folder);
    w->folder = copy;
    return WEFT_OK;
}

uint64_t weft_weights_bytes(const weft_weights *w)
{
    uint64_t sum = w->under ? weft_weights_bytes(w->under) : 0;
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

/* ---- loading ---- */

static weft_status wrap(entry *e, const void *data, weft_error *err)
{
    return e->b->vt->weight_wrap(e->b, e->layout, e->dtype, e->rank, e->dims, data, &e->buf, err);
}

/* Data that needs no change is used where the file is mapped, if the device can and its elements are aligned. */
static weft_status borrow(entry *e, const weft_weight_data *data, weft_error *err)
{
    const weft_dtype_info *t = weft_dtype_get(e->dtype);
    const uint32_t align = t->block == 1 ? t->bytes : 2;
    if (e->layout != WEFT_LAYOUT_PLAIN || data->dtype != e->dtype || !weft__weight_is_plain(data) ||
        (uintptr_t)data->data % align)
        return WEFT_OK;
    WEFT_TRY(wrap(e, data->data, err));
    e->borrowed = e->buf != NULL;
    return WEFT_OK;
}

static weft_status create_buf(entry *e, weft_error *err)
{
    const weft_backend_vt *vt = e->b->vt;
    return vt->weight_create ? vt->weight_create(e->b, e->layout, e->dtype, e->rank, e->dims, &e->buf, err)
                             : vt->buf_create(e->b, e->bytes, &e->buf, err);
}

static weft_status pack(entry *e, const weft_weight_data *data, weft__task *task, weft_error *err)
{
    WEFT_TRY(create_buf(e, err));
    weft_status s = e->b->vt->weight_write(e->buf, e->layout, e->dtype, data, task, err);
    weft__weight_done(data, 0, INT64_MAX);
    return s;
}

static weft_status take_kept(entry *e, weft_error *err)
{
    WEFT_TRY(wrap(e, e->kept.data, err));
    if (e->buf) return WEFT_OK;
    WEFT_TRY(create_buf(e, err));
    weft_status s = e->b->vt->buf_write(e->buf, 0, e->kept.data, e->bytes, err);
    weft__kept_unmap(&e->kept);
    return s;
}

static weft_status read_packed(void *ctx, uint64_t at, void *dst, uint64_t n, weft_error *err)
{
    const entry *e = ctx;
    return e->b->vt->buf_read(e->buf, at, dst, n, err);
}

/* As it was kept, else packed, and kept. */
static weft_status make(const weft_weights *w, entry *e, const weft_weight_data *data, weft__task *task,
                        weft_error *err)
{
    weft__kept_key key;
    bool fresh;
    const bool keep = w->folder && e->bytes >= KEPT_FROM &&
                      weft__weight_key(e->b, e->name, e->layout, e->dtype, data, &key, &fresh);
    if (keep) e->kept = weft__kept_find(w->folder, &key);
    if (e->kept.data) return take_kept(e, err);
    weft__weight_soon(data);
    WEFT_TRY(pack(e, data, task, err));
    return keep && !fresh ? weft__kept_write(w->folder, &key, read_packed, e, err) : WEFT_OK;
}

static weft_status load_weight(weft_weights *w, entry *e, weft__task *task, weft_error *err)
{
    weft_weight_data data;
    WEFT_TRY(find_data(w, e, &data, err));
    if (!weft__converts(data.dtype, e->dtype))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "weight '%s': %s cannot be turned into %s", e->name,
                         weft_dtype_get(data.dtype)->name, weft_dtype_get(e->dtype)->name);
    WEFT_TRY(borrow(e, &data, err));
    if (e->borrowed) weft__weight_soon(&data);
    else {
        weft_status s = make(w, e, &data, task, err);
        if (s) {
            if (e->buf) e->b->vt->buf_destroy(e->buf);
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
    weft_status s = find_or_make(w, &key, task, out, err);
    if (s == WEFT_NOT_FOUND && w->under) s = find_or_make(w->under, &key, task, out, err);
    return s ? s : weft__task_reach(task, end, err);
}

uint64_t weft__weights_have(const weft_weights *w, const weft_backend *b, const char *name, weft_layout layout,
                            weft_dtype t, uint32_t rank, const int64_t *dims)
{
    entry key = make_key(b, name, layout, t, rank, dims);
    const entry *e = find(w, &key);
    return e ? e->bytes : w->under ? weft__weights_have(w->under, b, name, layout, t, rank, dims) : 0;
}
