/* gguf_read.c: a GGUF file's image, checked from the first byte to the last tensor's place. No number of the file is
 * used before it was compared with what is left of it, and what is allocated grows with what was read: a table of a
 * billion entries in a file of a hundred bytes costs nothing. */
#include "gguf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/json.h"

#define MAX_ENTRIES ((uint64_t)1 << 14) /* values, or tensors, of a file; models have up to some thousands */
#define MAX_NAME    ((size_t)1 << 16)   /* bytes */

/* The fewest bytes that one takes in the file. */
enum { LEAST_VALUE = 8 + 1 + 4 + 1, LEAST_TENSOR = 8 + 1 + 4 + 4 + 8 };

typedef struct reader {
    weft__gguf_file *f;
    const unsigned char *p;
    size_t size, at;
    bool swapped;
    char what[WEFT__QUOTE_SIZE + 16]; /* "tensor blk.0.attn_q.weight" */
    uint64_t *offsets; /* of the tensors */
    size_t offsets_capacity;
    weft_error *err;
} reader;

/* ---- pieces ---- */

static weft_status fault(const reader *r, weft_status s, const char *why)
{
    return WEFT_FAIL(r->err, s, "%s: %s: %s", r->f->path, r->what, why);
}

static weft_status take(reader *r, size_t n, const unsigned char **out)
{
    *out = r->p + r->at;
    if (n > r->size - r->at)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: the file ends within %s: an incomplete download?", r->f->path,
                         r->what);
    r->at += n;
    return WEFT_OK;
}

static weft_status take_u32(reader *r, uint32_t *out)
{
    const unsigned char *p;
    WEFT_TRY(take(r, 4, &p));
    *out = (uint32_t)weft__gguf_whole(p, 4, r->swapped);
    return WEFT_OK;
}

static weft_status take_u64(reader *r, uint64_t *out)
{
    const unsigned char *p;
    WEFT_TRY(take(r, 8, &p));
    *out = weft__gguf_whole(p, 8, r->swapped);
    return WEFT_OK;
}

/* `count` pieces of `bytes`, however large the count. */
static weft_status take_many(reader *r, uint64_t count, size_t bytes, const unsigned char **out)
{
    *out = r->p + r->at;
    if (count > (r->size - r->at) / bytes)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s: %llu elements do not fit in what the file has left", r->f->path,
                         r->what, (unsigned long long)count);
    return take(r, (size_t)count * bytes, out);
}

static bool is_utf8(const char *s)
{
    for (size_t n; *s; s += n)
        if (!(n = weft__utf8_sequence(s))) return false;
    return true;
}

/* A key or a tensor's name: text that messages can show and programs can pass on. */
static weft_status take_name(reader *r, const char *kind, const char **out)
{
    uint64_t n;
    const unsigned char *p;
    WEFT_TRY(take_u64(r, &n));
    if (n > MAX_NAME)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s: a name of %llu bytes, of %zu at most", r->f->path, r->what,
                         (unsigned long long)n, MAX_NAME);
    WEFT_TRY(take(r, (size_t)n, &p));
    if (!n || memchr(p, 0, (size_t)n)) return fault(r, WEFT_FORMAT, "a name that is empty or has a zero byte");
    char quoted[WEFT__QUOTE_SIZE], *name = weft__arena_alloc(&r->f->arena, (size_t)n + 1, 1);
    if (!name) return WEFT_OOM_FAIL(r->err, r->f->path);
    memcpy(name, p, (size_t)n);
    if (!is_utf8(name)) return fault(r, WEFT_FORMAT, "a name that is not UTF-8");
    snprintf(r->what, sizeof r->what, "%s %s", kind, weft__quote(quoted, name));
    *out = name;
    return WEFT_OK;
}

/* ---- values ---- */

/* Where each of an array's strings begins, so that any of them is found at once. */
static weft_status index_strings(reader *r, weft__gguf_value *v)
{
    uint64_t n;
    const unsigned char *p;
    if (v->count > (r->size - r->at) / 8) return take_many(r, v->count, 8, &p);
    uint32_t *places = weft__arena_alloc(&r->f->arena, (size_t)v->count + 1, sizeof *places);
    if (!places) return WEFT_OOM_FAIL(r->err, r->f->path);
    v->data = r->p + r->at;
    v->places = places;
    for (const size_t from = r->at; places < v->places + v->count; places++) {
        if (r->at - from > UINT32_MAX) return fault(r, WEFT_LIMIT, "more than 4 GiB of strings");
        *places = (uint32_t)(r->at - from);
        WEFT_TRY(take_u64(r, &n));
        WEFT_TRY(take_many(r, n, 1, &p));
    }
    return WEFT_OK;
}

static weft_status take_type(reader *r, weft__gguf_type *out)
{
    uint32_t type;
    WEFT_TRY(take_u32(r, &type));
    if (type >= WEFT__GGUF_TYPE_COUNT)
        return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: %s: a value of type %u, which is not known", r->f->path,
                         r->what, type);
    *out = (weft__gguf_type)type;
    return WEFT_OK;
}

static weft_status take_value(reader *r, weft__gguf_value *v)
{
    uint64_t n;
    *v = (weft__gguf_value){ .count = 1, .swapped = r->swapped };
    WEFT_TRY(take_name(r, "key", &v->key));
    WEFT_TRY(take_type(r, &v->type));
    v->element = v->type;
    if (v->type == WEFT__GGUF_ARRAY) {
        WEFT_TRY(take_type(r, &v->element));
        WEFT_TRY(take_u64(r, &v->count));
        if (v->element == WEFT__GGUF_ARRAY) return fault(r, WEFT_UNSUPPORTED, "an array of arrays");
        if (v->element == WEFT__GGUF_STRING) return index_strings(r, v);
    } else if (v->type == WEFT__GGUF_STRING) {
        const unsigned char *text;
        v->data = r->p + r->at;
        WEFT_TRY(take_u64(r, &n));
        return take_many(r, n, 1, &text);
    }
    return take_many(r, v->count, weft__gguf_type_bytes(v->element), &v->data);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(const weft__gguf_value *const *)a)->key, (*(const weft__gguf_value *const *)b)->key);
}

static weft_status read_values(reader *r, uint64_t n)
{
    weft__gguf_file *f = r->f;
    char quoted[WEFT__QUOTE_SIZE];
    for (uint64_t i = 0; i < n; i++) {
        snprintf(r->what, sizeof r->what, "key %llu of %llu", (unsigned long long)i + 1, (unsigned long long)n);
        if (!weft__grow(&f->values, &f->values_capacity, f->n_values + 1, sizeof *f->values))
            return WEFT_OOM_FAIL(r->err, f->path);
        WEFT_TRY(take_value(r, &f->values[f->n_values]));
        f->n_values++;
    }
    f->by_key = calloc(f->n_values + 1, sizeof *f->by_key);
    if (!f->by_key) return WEFT_OOM_FAIL(r->err, f->path);
    for (size_t i = 0; i < f->n_values; i++) f->by_key[i] = &f->values[i];
    qsort(f->by_key, f->n_values, sizeof *f->by_key, compare_keys);
    for (size_t i = 1; i < f->n_values; i++)
        if (!strcmp(f->by_key[i]->key, f->by_key[i - 1]->key))
            return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: the key %s stands there twice", f->path,
                             weft__quote(quoted, f->by_key[i]->key));
    return WEFT_OK;
}

/* ---- tensors ---- */

/* A type that is in no table: as large as the place up to the next tensor, and no weight has it. */
static const weft__file_dtype *unknown_dtype(reader *r, uint32_t number)
{
    char name[32];
    weft__file_dtype *t = weft__arena_alloc(&r->f->arena, 1, sizeof *t);
    snprintf(name, sizeof name, "ggml type %u", number);
    if (!t || !(t->name = weft__arena_strdup(&r->f->arena, name))) return NULL;
    t->block = 1;
    t->ggml = -1;
    t->type = WEFT_ANY;
    return t;
}

static weft_status take_shape(reader *r, weft__file_tensor *t)
{
    WEFT_TRY(take_u32(r, &t->rank));
    if (t->rank > WEFT__FILE_RANK)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s: %u dimensions, more than %d", r->f->path, r->what, t->rank,
                         WEFT__FILE_RANK);
    for (uint32_t i = t->rank; i-- > 0;) {
        WEFT_TRY(take_u64(r, &t->dims[i]));
        if (t->dims[i] > INT64_MAX)
            return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s: dimension %u is %llu", r->f->path, r->what, i,
                             (unsigned long long)t->dims[i]);
    }
    return WEFT_OK;
}

static weft_status take_tensor(reader *r, weft__file_tensor *t, uint64_t *offset)
{
    uint32_t number;
    uint64_t size;
    *t = (weft__file_tensor){ .file = r->f->path, .swapped = r->swapped };
    WEFT_TRY(take_name(r, "tensor", &t->name));
    WEFT_TRY(take_shape(r, t));
    WEFT_TRY(take_u32(r, &number));
    WEFT_TRY(take_u64(r, offset));
    t->dtype = weft__file_dtype_ggml(number);
    if (!t->dtype && !(t->dtype = unknown_dtype(r, number))) return WEFT_OOM_FAIL(r->err, r->f->path);
    if (!weft__file_is_whole(t->dtype, t->rank, t->dims))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s: rows of %llu elements are no whole blocks of %u, which %s has",
                         r->f->path, r->what, (unsigned long long)(t->rank ? t->dims[t->rank - 1] : 1), t->dtype->block,
                         t->dtype->name);
    if (!weft__file_size(t->dtype, t->rank, t->dims, &size))
        return fault(r, WEFT_FORMAT, "the product of its dimensions overflows");
    t->size = t->dtype->bytes ? (size_t)size : 0;
    return WEFT_OK;
}

static weft_status read_tensors(reader *r, uint64_t n)
{
    weft__gguf_file *f = r->f;
    for (uint64_t i = 0; i < n; i++) {
        snprintf(r->what, sizeof r->what, "tensor %llu of %llu", (unsigned long long)i + 1, (unsigned long long)n);
        if (!weft__grow(&f->tensors, &f->tensors_capacity, f->n_tensors + 1, sizeof *f->tensors) ||
            !weft__grow(&r->offsets, &r->offsets_capacity, f->n_tensors + 1, sizeof *r->offsets))
            return WEFT_OOM_FAIL(r->err, f->path);
        WEFT_TRY(take_tensor(r, &f->tensors[f->n_tensors], &r->offsets[f->n_tensors]));
        f->n_tensors++;
    }
    return WEFT_OK;
}

/* ---- places ---- */

/* Multiples of it are where the tensors begin. */
static weft_status read_alignment(reader *r)
{
    int64_t n = 32;
    const weft__gguf_value *v = weft__gguf_find(r->f, "general.alignment");
    if (v && (v->type == WEFT__GGUF_ARRAY || !weft__gguf_integer(v, 0, &n) || n <= 0 || n > INT32_MAX || (n & (n - 1))))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: general.alignment is no power of two", r->f->path);
    r->f->header.alignment = (uint32_t)n;
    return WEFT_OK;
}

/* Where one tensor is, of `size` bytes of data. */
static weft_status place(const reader *r, weft__file_tensor *t, uint64_t offset, const unsigned char *data, size_t size)
{
    char name[WEFT__QUOTE_SIZE];
    weft__quote(name, t->name);
    if (offset % r->f->header.alignment)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: tensor %s: its offset %llu is no multiple of the alignment, %u",
                         r->f->path, name, (unsigned long long)offset, r->f->header.alignment);
    if (offset > size || t->size > size - offset)
        return WEFT_FAIL(r->err, WEFT_FORMAT,
                         "%s: tensor %s: %zu bytes at %llu, but the file holds %zu bytes of data: an "
                         "incomplete download?", r->f->path, name, t->size, (unsigned long long)offset, size);
    t->data = data + offset;
    return WEFT_OK;
}

/* None lies where another does; what has no size by its type reaches to the next one. */
static weft_status check_places(const reader *r, const unsigned char *end)
{
    char a[WEFT__QUOTE_SIZE], b[WEFT__QUOTE_SIZE];
    for (size_t i = 0; i < r->f->n_tensors; i++) {
        weft__file_tensor *t = &r->f->tensors[i];
        const unsigned char *next = i + 1 < r->f->n_tensors ? t[1].data : end;
        size_t room = (size_t)(next - (const unsigned char *)t->data);
        if (!t->dtype->bytes) t->size = room;
        if (t->size > room)
            return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: tensor %s: its data overlaps that of %s", r->f->path,
                             weft__quote(a, t[1].name), weft__quote(b, t->name));
    }
    return WEFT_OK;
}

static weft_status place_all(reader *r)
{
    weft__gguf_file *f = r->f;
    WEFT_TRY(read_alignment(r));
    const uint64_t begin = ((uint64_t)r->at + f->header.alignment - 1) / f->header.alignment * f->header.alignment;
    const size_t from = begin < r->size ? (size_t)begin : r->size; /* what has no tensors may end before */
    for (size_t i = 0; i < f->n_tensors; i++)
        WEFT_TRY(place(r, &f->tensors[i], r->offsets[i], r->p + from, r->size - from));
    if (f->n_tensors) qsort(f->tensors, f->n_tensors, sizeof *f->tensors, weft__file_tensor_compare_place);
    WEFT_TRY(check_places(r, r->p + r->size));
    return weft__gguf_sort(f, r->err);
}

weft_status weft__gguf_sort(weft__gguf_file *f, weft_error *err)
{
    char name[WEFT__QUOTE_SIZE];
    if (f->n_tensors) qsort(f->tensors, f->n_tensors, sizeof *f->tensors, weft__file_tensor_compare);
    for (size_t i = 1; i < f->n_tensors; i++)
        if (!strcmp(f->tensors[i].name, f->tensors[i - 1].name))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: two tensors are called %s", f->tensors[i].file,
                             weft__quote(name, f->tensors[i].name));
    return WEFT_OK;
}

/* ---- the whole ---- */

static weft_status read_version(reader *r)
{
    uint32_t version;
    const unsigned char *magic;
    WEFT_TRY(take(r, 4, &magic));
    if (memcmp(magic, "GGUF", 4)) return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: not a GGUF file", r->f->path);
    WEFT_TRY(take_u32(r, &version));
    r->swapped = version && !(version & 0xffff); /* small numbers only are versions */
    if (r->swapped) version = __builtin_bswap32(version);
    r->f->header.big_endian = r->swapped;
    r->f->header.version = version;
    if (version == 2 || version == 3) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: version %u of GGUF is not supported, only 2 and 3 are", r->f->path,
                     version);
}

/* How many there are of one kind. */
static weft_status take_count(reader *r, const char *kind, size_t least, uint64_t *out)
{
    WEFT_TRY(take_u64(r, out));
    if (*out > (r->size - r->at) / least)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %llu %s do not fit in a file of %zu bytes", r->f->path,
                         (unsigned long long)*out, kind, r->size);
    if (*out > MAX_ENTRIES)
        return WEFT_FAIL(r->err, WEFT_LIMIT, "%s: %llu %s, more than %llu", r->f->path, (unsigned long long)*out, kind,
                         (unsigned long long)MAX_ENTRIES);
    return WEFT_OK;
}

static weft_status read_all(reader *r)
{
    uint64_t n_tensors, n_values;
    WEFT_TRY(weft__file_check_fetched(r->f->path, r->p, r->size, r->err));
    WEFT_TRY(read_version(r));
    WEFT_TRY(take_count(r, "tensors", LEAST_TENSOR, &n_tensors));
    WEFT_TRY(take_count(r, "values", LEAST_VALUE, &n_values));
    WEFT_TRY(read_values(r, n_values));
    WEFT_TRY(read_tensors(r, n_tensors));
    return place_all(r);
}

weft_status weft__gguf_read(weft__gguf_file *f, const unsigned char *data, size_t size, weft_error *err)
{
    reader r = { .f = f, .p = data, .size = size, .what = "the header", .err = err };
    f->header.n_files = 1;
    weft_status s = read_all(&r);
    free(r.offsets);
    return s;
}
