/* importance_dat.c: files of importance as llama.cpp wrote them before GGUF (llama-imatrix --output-format dat): how
 * many entries, and of each the length of its name, the name, how many rows were added up, how many numbers, and these,
 * little-endian: means of squares times the rows, of each column of each matrix. What follows is not read. */
#include "models/quantize/importance_dat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ENTRIES = 1 << 20, LEAST_ENTRY = 13 }; /* bytes: three numbers, a name of one */

typedef struct entry {
    const char *name;
    size_t name_length;
    float rows;
    uint64_t n;
    const unsigned char *values;
} entry;

struct weft__importance_dat {
    entry *list;
    size_t n;
};

typedef struct reader { const unsigned char *at; size_t left; } reader;

static const unsigned char *take(reader *r, uint64_t n)
{
    const unsigned char *p = r->at;
    if (n > r->left) return NULL;
    r->at += n;
    r->left -= (size_t)n;
    return p;
}

static bool take_u32(reader *r, uint32_t *out)
{
    const unsigned char *p = take(r, 4);
    if (p) *out = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return p != NULL;
}

static float value_at(const entry *e, uint64_t i)
{
    const unsigned char *p = e->values + 4 * i;
    const uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool take_entry(reader *r, entry *e)
{
    uint32_t length, rows, n;
    if (!take_u32(r, &length) || !length || !(e->name = (const char *)take(r, length))) return false;
    if (!take_u32(r, &rows) || !take_u32(r, &n) || !n || n > INT32_MAX || rows > INT32_MAX) return false;
    e->name_length = length;
    e->rows = rows ? (float)rows : 1;
    e->n = n;
    e->values = take(r, 4 * (uint64_t)n);
    for (uint64_t i = 0; e->values && i < n; i++)
        if (!(value_at(e, i) >= 0 && isfinite(value_at(e, i)))) return false;
    return e->values && !memchr(e->name, 0, length);
}

weft_status weft__importance_dat_parse(const void *data, size_t size, const char *name, weft__importance_dat **out,
                                       weft_error *err)
{
    reader r = { data, size };
    uint32_t n = 0;
    *out = NULL;
    if (!take_u32(&r, &n) || !n || n > MAX_ENTRIES || n > r.left / LEAST_ENTRY)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: no file of importance, neither as GGUF nor as llama.cpp wrote them "
                         "before", name);
    weft__importance_dat *d = calloc(1, sizeof *d);
    if (d) d->list = calloc(n, sizeof *d->list);
    if (!d || !d->list) {
        free(d);
        return WEFT_OOM_FAIL(err, name);
    }
    *out = d;
    for (; d->n < n && take_entry(&r, &d->list[d->n]); d->n++) continue;
    if (d->n == n) return WEFT_OK;
    const unsigned at = (unsigned)d->n;
    weft__importance_dat_free(d);
    *out = NULL;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: entry %u of %u is cut off, or has numbers that are no means of squares",
                     name, at, n);
}

void weft__importance_dat_free(weft__importance_dat *d)
{
    if (!d) return;
    free(d->list);
    free(d);
}

static const entry *find(const weft__importance_dat *d, const char *tensor)
{
    const size_t length = strlen(tensor);
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].name_length == length && !memcmp(d->list[i].name, tensor, length)) return &d->list[i];
    return NULL;
}

uint64_t weft__importance_dat_count(const weft__importance_dat *d, const char *tensor)
{
    const entry *e = find(d, tensor);
    return e ? e->n : 0;
}

void weft__importance_dat_read(const weft__importance_dat *d, const char *tensor, uint64_t first, uint64_t n,
                               float *out)
{
    const entry *e = find(d, tensor);
    for (uint64_t i = 0; i < n; i++) out[i] = value_at(e, first + i) / e->rows;
}
