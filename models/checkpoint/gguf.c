/* gguf.c: opens GGUF files and sets of them. gguf_read.c reads one. */
#include "gguf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static weft_status create(const char *path, weft__gguf_file **out, weft_error *err)
{
    weft__gguf_file *f = calloc(1, sizeof *f);
    *out = f;
    if (f && (f->path = strdup(path))) return WEFT_OK;
    weft__gguf_close(f);
    *out = NULL;
    return WEFT_OOM_FAIL(err, path);
}

/* *out closed and NULL, after a failure. */
static weft_status settle(weft_status s, weft__gguf_file **out)
{
    if (s == WEFT_OK) return s;
    weft__gguf_close(*out);
    *out = NULL;
    return s;
}

weft_status weft__gguf_parse(const void *data, size_t size, const char *name, weft__gguf_file **out, weft_error *err)
{
    WEFT_TRY(create(name, out, err));
    return settle(weft__gguf_read(*out, data, size, err), out);
}

static weft_status open_one(const char *path, weft__gguf_file **out, weft_error *err)
{
    WEFT_TRY(create(path, out, err));
    weft_status s = weft__file_map_open(path, &(*out)->map, err);
    if (s == WEFT_OK) s = weft__gguf_read(*out, (*out)->map.data, (*out)->map.size, err);
    return settle(s, out);
}

void weft__gguf_close(weft__gguf_file *f)
{
    for (weft__gguf_file *next; f; f = next) {
        next = f->next;
        weft__file_map_close(&f->map);
        weft__arena_free(&f->arena);
        free(f->values);
        free(f->by_key);
        free(f->tensors);
        free(f->path);
        free(f);
    }
}

const weft__file_map *weft__gguf_map_of(const weft__gguf_file *f, const void *data, uint64_t bytes, const char **path)
{
    for (; f && !weft__file_map_holds(&f->map, data, bytes); f = f->next) continue;
    *path = f ? f->path : NULL;
    return f ? &f->map : NULL;
}

/* ---- sets ---- */

/* One of the whole numbers that the files of a set have; -1: none, or no such number. */
static int64_t split_number(const weft__gguf_file *f, const char *key)
{
    int64_t n;
    return weft__gguf_integer(weft__gguf_find(f, key), 0, &n) && n >= 0 && n <= INT32_MAX ? n : -1;
}

/* "x-00002-of-00007.gguf": where its number stands, or NULL. */
static char *number_in(char *path, int64_t number, int64_t count)
{
    char tail[64];
    int n = snprintf(tail, sizeof tail, "-%05lld-of-%05lld.gguf", (long long)number + 1, (long long)count);
    size_t size = strlen(path);
    if (n < 0 || size < (size_t)n || strcmp(path + size - (size_t)n, tail)) return NULL;
    return path + size - (size_t)n + 1;
}

/* Another file of the set, checked to be the one that its name says. */
static weft_status open_member(const char *path, int64_t number, int64_t count, weft__gguf_file **out, weft_error *err)
{
    weft_status s = open_one(path, out, err);
    if (s) return s == WEFT_NOT_FOUND ? weft__annotate(err, s, "a file of the set is missing") : s;
    if (split_number(*out, "split.no") == number && split_number(*out, "split.count") == count) return WEFT_OK;
    return settle(WEFT_FAIL(err, WEFT_FORMAT, "%s: split.no and split.count do not say that it is file %lld of %lld",
                            path, (long long)number + 1, (long long)count), out);
}

/* Adds a file to the set that begins with `first`. */
static weft_status join(weft__gguf_file *first, weft__gguf_file *f, weft_error *err)
{
    f->next = first->next; /* in any order: it is kept to be closed */
    first->next = f;
    first->header.n_files++;
    if (f->header.big_endian != first->header.big_endian)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: its byte order is not that of %s", f->path, first->path);
    if (!weft__grow(&first->tensors, &first->tensors_capacity, first->n_tensors + f->n_tensors, sizeof *f->tensors))
        return WEFT_OOM_FAIL(err, f->path);
    if (f->n_tensors) memcpy(first->tensors + first->n_tensors, f->tensors, f->n_tensors * sizeof *f->tensors);
    first->n_tensors += f->n_tensors;
    return WEFT_OK;
}

static weft_status join_all(weft__gguf_file *first, char *path, char *number, int64_t count, weft_error *err)
{
    for (int64_t i = 1; i < count; i++) {
        weft__gguf_file *f;
        char digits[24];
        snprintf(digits, sizeof digits, "%05lld", (long long)i + 1);
        memcpy(number, digits, 5);
        WEFT_TRY(open_member(path, i, count, &f, err));
        WEFT_TRY(join(first, f, err));
    }
    const int64_t said = split_number(first, "split.tensors.count");
    if (said >= 0 && (size_t)said != first->n_tensors)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: split.tensors.count is %lld, but the files of the set have %zu",
                         first->path, (long long)said, first->n_tensors);
    return weft__gguf_sort(first, err);
}

/* The set that *out, opened by that name, is of: *out becomes its first file. */
static weft_status open_set(const char *name, int64_t count, weft__gguf_file **out, weft_error *err)
{
    const int64_t no = split_number(*out, "split.no");
    char *path = strdup(name), *number = path ? number_in(path, no, count) : NULL;
    weft_status s = WEFT_OK;
    if (!path) s = WEFT_OOM_FAIL(err, name);
    else if (no < 0 || no >= count || !number || count > 99999)
        s = WEFT_FAIL(err, WEFT_FORMAT, "%s: file %lld of a set of %lld, which its name must end with "
                      "(-00001-of-00002.gguf)", name, (long long)no + 1, (long long)count);
    if (!s && no) {
        weft__gguf_close(*out);
        memcpy(number, "00001", 5);
        s = open_member(path, 0, count, out, err);
    }
    if (!s) s = join_all(*out, path, number, count, err);
    free(path);
    return s;
}

weft_status weft__gguf_open(const char *path, weft__gguf_file **out, weft_error *err)
{
    WEFT_TRY(open_one(path, out, err));
    const int64_t count = split_number(*out, "split.count");
    return count > 1 ? settle(open_set(path, count, out, err), out) : WEFT_OK;
}
