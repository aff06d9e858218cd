/* gguf_image.h: a GGUF file in memory, put together piece by piece, whether it is right or not. */
#ifndef WEFT_TEST_GGUF_IMAGE_H
#define WEFT_TEST_GGUF_IMAGE_H

#include <stdlib.h>

#include "models/checkpoint/gguf.h"
#include "tests/test.h"

typedef struct gguf_image {
    unsigned char *p; /* to be freed */
    size_t n, room;
    bool big; /* byte order */
} gguf_image;

/* Small files end with their memory, so that a sanitizer sees what is read behind them. */
static inline void gguf_put(gguf_image *g, const void *data, size_t n)
{
    const size_t need = g->n + n + 1;
    if (need > g->room) {
        const size_t room = need < 4096 ? need : 2 * need;
        unsigned char *p = realloc(g->p, room);
        if (!CHECK(p)) return;
        g->p = p;
        g->room = room;
    }
    if (n) memcpy(g->p + g->n, data, n);
    g->n += n;
}

static inline void gguf_whole(gguf_image *g, uint64_t x, unsigned bytes)
{
    unsigned char b[8];
    for (unsigned i = 0; i < bytes; i++) b[g->big ? bytes - 1 - i : i] = (unsigned char)(x >> (8 * i));
    gguf_put(g, b, bytes);
}

static inline void gguf_u32(gguf_image *g, uint32_t x) { gguf_whole(g, x, 4); }
static inline void gguf_u64(gguf_image *g, uint64_t x) { gguf_whole(g, x, 8); }

static inline void gguf_string(gguf_image *g, const char *s)
{
    gguf_u64(g, strlen(s));
    gguf_put(g, s, strlen(s));
}

static inline void gguf_begin(gguf_image *g, uint32_t version, uint64_t n_tensors, uint64_t n_values)
{
    gguf_put(g, "GGUF", 4);
    gguf_u32(g, version);
    gguf_u64(g, n_tensors);
    gguf_u64(g, n_values);
}

static inline void gguf_key(gguf_image *g, const char *key, weft__gguf_type type)
{
    gguf_string(g, key);
    gguf_u32(g, type);
}

static inline void gguf_key_u32(gguf_image *g, const char *key, uint32_t x)
{
    gguf_key(g, key, WEFT__GGUF_U32);
    gguf_u32(g, x);
}

static inline void gguf_array(gguf_image *g, const char *key, weft__gguf_type element, uint64_t n)
{
    gguf_key(g, key, WEFT__GGUF_ARRAY);
    gguf_u32(g, element);
    gguf_u64(g, n);
}

/* ne as in the file: innermost first; up to a 0. */
static inline void gguf_tensor(gguf_image *g, const char *name, const uint64_t *ne, uint32_t type, uint64_t offset)
{
    uint32_t rank = 0;
    while (rank < 4 && ne[rank]) rank++;
    gguf_string(g, name);
    gguf_u32(g, rank);
    for (uint32_t i = 0; i < rank; i++) gguf_u64(g, ne[i]);
    gguf_u32(g, type);
    gguf_u64(g, offset);
}

static inline void gguf_pad(gguf_image *g, size_t alignment)
{
    while (g->n % alignment) gguf_put(g, "", 1);
}

/* Data: the bytes 0, 1, 2, ... */
static inline void gguf_data(gguf_image *g, size_t n)
{
    for (size_t i = 0; i < n; i++) gguf_whole(g, i & 255, 1);
}

/* An image whose end is the end of what may be read, so that ASan sees what reads on. */
static inline unsigned char *gguf_exact(const gguf_image *g, size_t n)
{
    unsigned char *p = malloc(n ? n : 1);
    if (CHECK(p) && n) memcpy(p, g->p, n);
    return p;
}

#endif
