/* gguf_json.h: what gguf.json tells of a GGUF file, as that file in memory. */
#ifndef WEFT_TEST_GGUF_JSON_H
#define WEFT_TEST_GGUF_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/gguf.h"

typedef struct image {
    unsigned char *data; /* to be freed */
    size_t size;
    uint64_t n_values;
} image;

static inline void put(image *f, const void *data, size_t n)
{
    unsigned char *grown = realloc(f->data, f->size + n + 1);
    if (!grown) abort();
    if (n) memcpy(grown + f->size, data, n);
    f->data = grown;
    f->size += n;
}

/* Little endian, whatever the machine. */
static inline void put_number(image *f, uint64_t x, size_t n)
{
    for (size_t i = 0; i < n; i++, x >>= 8) put(f, &(unsigned char){ (unsigned char)(x & 255) }, 1);
}

static inline void put_text(image *f, const char *text, size_t n)
{
    put_number(f, n, 8);
    put(f, text, n);
}

static inline void put_key(image *f, const char *key, weft__gguf_type type)
{
    put_text(f, key, strlen(key));
    put_number(f, type, 4);
    f->n_values++;
}

static inline void put_float(image *f, double value)
{
    float x = (float)value;
    uint32_t bits;
    memcpy(&bits, &x, 4);
    put_number(f, bits, 4);
}

/* A JSON value by its kind; numbers as `number`. */
static inline void put_value(image *f, const char *key, const json_t *value, weft__gguf_type number)
{
    if (!value) return;
    const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;
    weft__gguf_type type = json_is_string(first) ? WEFT__GGUF_STRING : number;
    if (json_is_boolean(first)) type = WEFT__GGUF_BOOL;
    put_key(f, key, json_is_array(value) ? WEFT__GGUF_ARRAY : type);
    if (json_is_array(value)) put_number(f, type, 4);
    if (json_is_array(value)) put_number(f, json_array_size(value), 8);
    for (size_t i = 0, n = json_is_array(value) ? json_array_size(value) : 1; i < n; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (type == WEFT__GGUF_STRING) put_text(f, json_string_value(item), json_string_length(item));
        else if (type == WEFT__GGUF_BOOL) put_number(f, json_is_true(item), 1);
        else if (type == WEFT__GGUF_F32) put_float(f, json_number_value(item));
        else put_number(f, (uint64_t)json_integer_value(item), 4);
    }
}

/* A file of gguf.json; pre NULL: it names none. Freed by the caller. */
static inline image make_image(json_t *file, const json_t *pre)
{
    image f = { 0 }, body = { 0 };
    const char *key;
    json_t *value;
    put_value(&body, "general.architecture", json_object_get(file, "arch"), WEFT__GGUF_U32);
    put_value(&body, "general.name", json_object_get(file, "name"), WEFT__GGUF_U32);
    json_object_foreach(json_object_get(file, "keys"), key, value)
    {
        char name[128];
        snprintf(name, sizeof name, "tokenizer.ggml.%s", key);
        put_value(&body, name, value, WEFT__GGUF_U32);
    }
    put_value(&body, "tokenizer.ggml.pre", pre, WEFT__GGUF_U32);
    put_value(&body, "tokenizer.ggml.tokens", json_object_get(file, "tokens"), WEFT__GGUF_U32);
    put_value(&body, "tokenizer.ggml.token_type", json_object_get(file, "types"), WEFT__GGUF_I32);
    put_value(&body, "tokenizer.ggml.scores", json_object_get(file, "scores"), WEFT__GGUF_F32);
    put_value(&body, "tokenizer.ggml.merges", json_object_get(file, "merges"), WEFT__GGUF_U32);
    put(&f, "GGUF", 4);
    put_number(&f, 3, 4);
    put_number(&f, 0, 8);
    put_number(&f, body.n_values, 8);
    put(&f, body.data, body.size);
    free(body.data);
    return f;
}

#endif
