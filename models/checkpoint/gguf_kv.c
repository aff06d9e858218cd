/* gguf_kv.c: the values of a GGUF file that is written. */
#include "gguf_out.h"

#include <stdlib.h>
#include <string.h>

#include "gguf_impl.h"

/* ---- bytes ---- */

void weft__gguf_add(weft__gguf_bytes *b, const void *data, size_t n)
{
    b->failed = b->failed || n > SIZE_MAX - b->size || !weft__grow(&b->data, &b->capacity, b->size + n, 1);
    if (b->failed || !n) return;
    memcpy(b->data + b->size, data, n);
    b->size += n;
}

void weft__gguf_add_whole(weft__gguf_bytes *b, uint64_t x, size_t bytes)
{
    unsigned char p[8];
    for (size_t i = 0; i < bytes; i++) p[i] = (unsigned char)(x >> (8 * i));
    weft__gguf_add(b, p, bytes);
}

void weft__gguf_add_text(weft__gguf_bytes *b, const char *text, size_t size)
{
    weft__gguf_add_whole(b, size, 8);
    weft__gguf_add(b, text, size);
}

/* ---- values ---- */

void weft__gguf_kv_free(weft__gguf_kv *kv)
{
    free(kv->bytes.data);
    *kv = (weft__gguf_kv){ 0 };
}

static void put_key(weft__gguf_kv *kv, const char *key, weft__gguf_type type)
{
    kv->n++;
    weft__gguf_add_text(&kv->bytes, key, strlen(key));
    weft__gguf_add_whole(&kv->bytes, type, 4);
}

static void put_array(weft__gguf_kv *kv, const char *key, weft__gguf_type element, uint64_t n)
{
    put_key(kv, key, WEFT__GGUF_ARRAY);
    weft__gguf_add_whole(&kv->bytes, element, 4);
    weft__gguf_add_whole(&kv->bytes, n, 8);
}

void weft__gguf_put_u32(weft__gguf_kv *kv, const char *key, uint32_t x)
{
    put_key(kv, key, WEFT__GGUF_U32);
    weft__gguf_add_whole(&kv->bytes, x, 4);
}

void weft__gguf_put_f32(weft__gguf_kv *kv, const char *key, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_key(kv, key, WEFT__GGUF_F32);
    weft__gguf_add_whole(&kv->bytes, bits, 4);
}

void weft__gguf_put_bool(weft__gguf_kv *kv, const char *key, bool x)
{
    put_key(kv, key, WEFT__GGUF_BOOL);
    weft__gguf_add_whole(&kv->bytes, x, 1);
}

void weft__gguf_put_text(weft__gguf_kv *kv, const char *key, const char *text, size_t size)
{
    put_key(kv, key, WEFT__GGUF_STRING);
    weft__gguf_add_text(&kv->bytes, text, size);
}

void weft__gguf_put_numbers(weft__gguf_kv *kv, const char *key, weft__gguf_type element, const void *x, size_t n)
{
    put_array(kv, key, element, n);
    weft__gguf_add(&kv->bytes, x, n * weft__gguf_type_bytes(element));
}

void weft__gguf_put_strings(weft__gguf_kv *kv, const char *key, size_t n)
{
    put_array(kv, key, WEFT__GGUF_STRING, n);
}

void weft__gguf_put_string(weft__gguf_kv *kv, const char *text, size_t size)
{
    weft__gguf_add_text(&kv->bytes, text, size);
}

void weft__gguf_put_copy(weft__gguf_kv *kv, const weft__gguf_value *v)
{
    const size_t bytes = weft__gguf_type_bytes(v->element);
    weft__gguf_string s;
    if (v->type == WEFT__GGUF_ARRAY) put_array(kv, v->key, v->element, v->count);
    else put_key(kv, v->key, v->type);
    for (uint64_t i = 0; i < v->count && !kv->bytes.failed; i++)
        if (weft__gguf_text(v, i, &s)) weft__gguf_add_text(&kv->bytes, s.text, s.size);
        else weft__gguf_add_whole(&kv->bytes, weft__gguf_whole(v->data + i * bytes, bytes, v->swapped), bytes);
}
