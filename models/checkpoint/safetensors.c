/* safetensors.c: the header check. Its one data structure is the array of weft__file_tensor, filled
 * in the header's order, sorted by position to prove that the tensors tile the data, then sorted by
 * name for lookup. No number of the file is used before it was compared with the size of the file. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

/* A non-negative integer, or a fault. */
static bool read_u64(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static weft_status read_shape(const weft__safetensors *st, const char *name, const json_t *shape,
                              weft__file_tensor *t, weft_error *err)
{
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: shape is %s, not an array", st->file,
                         name, weft__json_kind(shape));
    if (rank > WEFT__FILE_RANK)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: %zu dimensions, more than %d", st->file,
                         name, rank, WEFT__FILE_RANK);
    t->rank = (uint32_t)rank;
    for (size_t i = 0; i < rank; i++)
        if (!read_u64(json_array_get(shape, i), &t->dims[i]))
            return WEFT_FAIL(err, WEFT_FORMAT,
                             "%s: tensor %s: dimension %zu is not a non-negative integer", st->file,
                             name, i);
    return WEFT_OK;
}

static weft_status read_offsets(const weft__safetensors *st, const char *name,
                                const json_t *offsets, const unsigned char *data,
                                weft__file_tensor *t, weft_error *err)
{
    uint64_t begin, end, want;
    if (json_array_size(offsets) != 2 || !read_u64(json_array_get(offsets, 0), &begin) ||
        !read_u64(json_array_get(offsets, 1), &end))
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: tensor %s: data_offsets are not two non-negative integers", st->file,
                         name);
    if (begin > end)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: tensor %s: data begins at %llu, behind its end at %llu", st->file,
                         name, (unsigned long long)begin, (unsigned long long)end);
    if (end > st->data_size)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: tensor %s: data ends at %llu, but the file holds %llu bytes of data: an incomplete "
                         "download?", st->file, name, (unsigned long long)end,
                         (unsigned long long)st->data_size);
    if (!weft__file_size(t->dtype, t->rank, t->dims, &want))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: the product of its dimensions overflows",
                         st->file, name);
    if (t->dtype->bytes && end - begin != want)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: tensor %s: %llu bytes of data, but its shape and type take %llu",
                         st->file, name, (unsigned long long)(end - begin),
                         (unsigned long long)want);
    t->data = data + begin;
    t->size = (size_t)(end - begin);
    return WEFT_OK;
}

/* A type that tensor.def has no row of: its tensors are as large as their offsets say, and no weight has it. */
static weft_status make_dtype(weft__safetensors *st, const char *name, const weft__file_dtype **out, weft_error *err)
{
    char clean[WEFT__QUOTE_SIZE];
    weft__file_dtype *t = weft__arena_alloc(&st->arena, 1, sizeof *t);
    if (!t || !(t->name = weft__arena_strdup(&st->arena, weft__quote(clean, name))))
        return WEFT_OOM_FAIL(err, st->file);
    t->block = 1;
    t->bytes = 0;
    t->ggml = -1;
    t->type = WEFT_ANY;
    *out = t;
    return WEFT_OK;
}

static weft_status read_tensor(weft__safetensors *st, const char *key, const json_t *v,
                               const unsigned char *data, weft__file_tensor *t, weft_error *err)
{
    char name[WEFT__QUOTE_SIZE];
    weft__quote(name, key);
    if (!json_is_object(v))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: its entry is %s, not an object",
                         st->file, name, weft__json_kind(v));
    const json_t *dtype = json_object_get(v, "dtype");
    if (!json_is_string(dtype))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: dtype is %s, not a string", st->file,
                         name, weft__json_kind(dtype));
    t->dtype = weft__file_dtype_find(json_string_value(dtype));
    if (!t->dtype || t->dtype->block > 1) WEFT_TRY(make_dtype(st, json_string_value(dtype), &t->dtype, err));
    WEFT_TRY(read_shape(st, name, json_object_get(v, "shape"), t, err));
    WEFT_TRY(read_offsets(st, name, json_object_get(v, "data_offsets"), data, t, err));
    t->name = weft__arena_strdup(&st->arena, key);
    t->file = st->file;
    return t->name ? WEFT_OK : WEFT_OOM_FAIL(err, st->file);
}

/* A string-to-string map; the values mean nothing to us. */
static weft_status check_metadata(const weft__safetensors *st, json_t *meta, weft_error *err)
{
    const char *key;
    json_t *v;
    char name[WEFT__QUOTE_SIZE];
    if (!json_is_object(meta))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: __metadata__ is %s, not an object", st->file,
                         weft__json_kind(meta));
    json_object_foreach(meta, key, v)
    {
        if (!json_is_string(v))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: __metadata__: \"%s\" is %s, not a string",
                             st->file, weft__quote(name, key), weft__json_kind(v));
    }
    return WEFT_OK;
}

/* The tensors cover the data exactly once. */
static weft_status check_tiling(const weft__safetensors *st, const unsigned char *data,
                                weft_error *err)
{
    char a[WEFT__QUOTE_SIZE], b[WEFT__QUOTE_SIZE];
    uint64_t at = 0;
    for (size_t i = 0; i < st->n_tensors; i++) {
        const weft__file_tensor *t = &st->tensors[i];
        uint64_t begin = (uint64_t)((uintptr_t)t->data - (uintptr_t)data);
        if (begin < at)
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor %s: its data overlaps that of %s",
                             st->file, weft__quote(a, t->name),
                             weft__quote(b, st->tensors[i - 1].name));
        if (begin > at)
            return WEFT_FAIL(err, WEFT_FORMAT,
                             "%s: tensor %s: %llu bytes before its data belong to no tensor",
                             st->file, weft__quote(a, t->name), (unsigned long long)(begin - at));
        at += t->size;
    }
    if (at != st->data_size)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %llu bytes at the end belong to no tensor",
                         st->file, (unsigned long long)(st->data_size - at));
    return WEFT_OK;
}

static weft_status read_header(weft__safetensors *st, json_t *header, const unsigned char *data,
                               weft_error *err)
{
    const char *key;
    json_t *v;
    size_t n = json_object_size(header);
    st->tensors = weft__arena_alloc(&st->arena, n + 1,
                                    sizeof *st->tensors); /* n is at most the header's bytes / 4 */
    if (!st->tensors) return WEFT_OOM_FAIL(err, st->file);
    json_object_foreach(header, key, v)
    {
        if (strcmp(key, "__metadata__") == 0)
            WEFT_TRY(check_metadata(st, v, err));
        else
            WEFT_TRY(read_tensor(st, key, v, data, &st->tensors[st->n_tensors++], err));
    }
    qsort(st->tensors, st->n_tensors, sizeof *st->tensors, weft__file_tensor_compare_place);
    WEFT_TRY(check_tiling(st, data, err));
    qsort(st->tensors, st->n_tensors, sizeof *st->tensors, weft__file_tensor_compare);
    return WEFT_OK;
}

static weft_status parse(weft__safetensors *st, const unsigned char *p, size_t size,
                         weft_error *err)
{
    uint64_t length = 0;
    json_t *header;
    WEFT_TRY(weft__file_check_fetched(st->file, p, size, err));
    if (size < 8)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %zu bytes are too few for a safetensors file",
                         st->file, size);
    for (int i = 7; i >= 0; i--) length = length << 8 | p[i];
    if (length > WEFT__SAFETENSORS_MAX_HEADER)
        return WEFT_FAIL(
            err, WEFT_FORMAT,
            "%s: a header of %llu bytes is longer than the %d allowed (not a safetensors file?)",
            st->file, (unsigned long long)length, WEFT__SAFETENSORS_MAX_HEADER);
    if (length > size - 8)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: a header of %llu bytes does not fit in a file of %zu", st->file,
                         (unsigned long long)length, size);
    const char *text = (const char *)p + 8;
    if (length == 0 || text[0] != '{')
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: the header does not begin with {", st->file);
    st->data_size = size - 8 - length;
    weft_status s = weft__json_parse(text, (size_t)length, "header", &header, err);
    if (s != WEFT_OK) return weft__annotate(err, s, "%s", st->file);
    s = read_header(st, header, p + 8 + length, err);
    json_decref(header);
    return s;
}

static weft_status create(const char *file, weft__safetensors **out, weft_error *err)
{
    weft__safetensors *st = calloc(1, sizeof *st);
    *out = st;
    if (!st || !(st->file = weft__arena_strdup(&st->arena, file))) {
        weft__safetensors_destroy(st);
        *out = NULL;
        return WEFT_OOM_FAIL(err, file);
    }
    return WEFT_OK;
}

weft_status weft__safetensors_parse(const void *data, size_t size, const char *file,
                                    weft__safetensors **out, weft_error *err)
{
    WEFT_TRY(create(file, out, err));
    weft_status s = parse(*out, data, size, err);
    if (s != WEFT_OK) {
        weft__safetensors_destroy(*out);
        *out = NULL;
    }
    return s;
}

weft_status weft__safetensors_open(const char *path, weft__safetensors **out, weft_error *err)
{
    WEFT_TRY(create(path, out, err));
    weft_status s = weft__file_map_open(path, &(*out)->map, err);
    if (s == WEFT_OK) s = parse(*out, (*out)->map.data, (*out)->map.size, err);
    if (s != WEFT_OK) {
        weft__safetensors_destroy(*out);
        *out = NULL;
    }
    return s;
}

void weft__safetensors_destroy(weft__safetensors *st)
{
    if (!st) return;
    weft__file_map_close(&st->map);
    weft__arena_free(&st->arena);
    free(st);
}
