/* gguf_values.c: what an open GGUF file holds, and what its values say. */
#include "gguf_impl.h"

#include <string.h>

static const struct { const char *name; uint32_t bytes; } types[WEFT__GGUF_TYPE_COUNT] = {
    [WEFT__GGUF_U8] = { "u8", 1 },   [WEFT__GGUF_I8] = { "i8", 1 },     [WEFT__GGUF_U16] = { "u16", 2 },
    [WEFT__GGUF_I16] = { "i16", 2 }, [WEFT__GGUF_U32] = { "u32", 4 },   [WEFT__GGUF_I32] = { "i32", 4 },
    [WEFT__GGUF_F32] = { "f32", 4 }, [WEFT__GGUF_BOOL] = { "bool", 1 }, [WEFT__GGUF_STRING] = { "string", 0 },
    [WEFT__GGUF_ARRAY] = { "array", 0 }, [WEFT__GGUF_U64] = { "u64", 8 }, [WEFT__GGUF_I64] = { "i64", 8 },
    [WEFT__GGUF_F64] = { "f64", 8 },
};

const char *weft__gguf_type_name(weft__gguf_type t)
{
    return (unsigned)t < WEFT__GGUF_TYPE_COUNT ? types[t].name : "?";
}

size_t weft__gguf_type_bytes(weft__gguf_type t)
{
    return types[t].bytes;
}

uint64_t weft__gguf_whole(const unsigned char *p, size_t bytes, bool swapped)
{
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++) n = n << 8 | p[swapped ? i : bytes - 1 - i];
    return n;
}

/* ---- what it holds ---- */

const char *weft__gguf_path(const weft__gguf_file *f)
{
    return f->path;
}

weft__gguf_header weft__gguf_header_of(const weft__gguf_file *f)
{
    return f->header;
}

const weft__gguf_value *weft__gguf_at(const weft__gguf_file *f, size_t i)
{
    return i < f->n_values ? &f->values[i] : NULL;
}

const weft__gguf_value *weft__gguf_find(const weft__gguf_file *f, const char *key)
{
    for (size_t lo = 0, hi = f->n_values; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(key, f->by_key[mid]->key);
        if (c == 0) return f->by_key[mid];
        if (c < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

const weft__file_tensor *weft__gguf_tensors(const weft__gguf_file *f, size_t *n)
{
    *n = f->n_tensors;
    return f->tensors;
}

/* ---- values ---- */

/* Element i's bits, or false. */
static bool bits_of(const weft__gguf_value *v, uint64_t i, uint64_t *out)
{
    const size_t bytes = v && i < v->count ? types[v->element].bytes : 0;
    if (bytes) *out = weft__gguf_whole(v->data + i * bytes, bytes, v->swapped);
    return bytes;
}

bool weft__gguf_integer(const weft__gguf_value *v, uint64_t i, int64_t *out)
{
    uint64_t bits;
    if (!bits_of(v, i, &bits)) return false;
    switch (v->element) {
    case WEFT__GGUF_I8: *out = (int8_t)bits; return true;
    case WEFT__GGUF_I16: *out = (int16_t)bits; return true;
    case WEFT__GGUF_I32: *out = (int32_t)bits; return true;
    case WEFT__GGUF_I64: *out = (int64_t)bits; return true;
    case WEFT__GGUF_BOOL: *out = bits != 0; return true;
    case WEFT__GGUF_F32:
    case WEFT__GGUF_F64: return false;
    default: *out = (int64_t)bits; return bits <= INT64_MAX;
    }
}

bool weft__gguf_number(const weft__gguf_value *v, uint64_t i, double *out)
{
    int64_t whole;
    uint64_t bits;
    float single;
    if (!bits_of(v, i, &bits)) return false;
    if (v->element == WEFT__GGUF_F64) memcpy(out, &bits, sizeof *out);
    else if (v->element == WEFT__GGUF_F32) {
        const uint32_t half = (uint32_t)bits;
        memcpy(&single, &half, sizeof single);
        *out = (double)single;
    } else *out = weft__gguf_integer(v, i, &whole) ? (double)whole : (double)bits;
    return true;
}

bool weft__gguf_text(const weft__gguf_value *v, uint64_t i, weft__gguf_string *out)
{
    if (!v || v->element != WEFT__GGUF_STRING || i >= v->count) return false;
    const unsigned char *p = v->data + (v->places ? v->places[i] : 0);
    *out = (weft__gguf_string){ (const char *)p + 8, (size_t)weft__gguf_whole(p, 8, v->swapped) };
    return true;
}
