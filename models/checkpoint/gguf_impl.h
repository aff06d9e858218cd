/* gguf_impl.h: an open GGUF file, and one that is written, for the files that read and write them. */
#ifndef WEFT_CHECKPOINT_GGUF_IMPL_H
#define WEFT_CHECKPOINT_GGUF_IMPL_H

#include "gguf_out.h"

struct weft__gguf_file {
    weft__gguf_value *values;         /* in the file's order */
    const weft__gguf_value **by_key;  /* sorted */
    size_t n_values, values_capacity;
    weft__file_tensor *tensors; /* sorted by name; of a set, in its first file, those of all */
    size_t n_tensors, tensors_capacity;
    weft__gguf_header header;
    struct weft__gguf_file *next; /* of the set that this is the first file of */
    char *path;
    weft__arena arena; /* names, places of strings */
    weft__file_map map;
};

/* Fills f, whose path is set, from the image. FORMAT, UNSUPPORTED, LIMIT, OOM; f is to be closed either way. */
WEFT_MUST_USE weft_status weft__gguf_read(weft__gguf_file *f, const unsigned char *data, size_t size, weft_error *err);

/* Sorts f's tensors by name. FORMAT if two have the same. */
WEFT_MUST_USE weft_status weft__gguf_sort(weft__gguf_file *f, weft_error *err);

/* A whole number of 2, 4 or 8 bytes at p. */
uint64_t weft__gguf_whole(const unsigned char *p, size_t bytes, bool swapped);
size_t weft__gguf_type_bytes(weft__gguf_type t); /* 0: strings, arrays */

/* What a file that is written consists of: bytes, whole numbers of 1 to 8 bytes, texts with their lengths. */
void weft__gguf_add(weft__gguf_bytes *b, const void *data, size_t n);
void weft__gguf_add_whole(weft__gguf_bytes *b, uint64_t x, size_t bytes);
void weft__gguf_add_text(weft__gguf_bytes *b, const char *text, size_t size);

#endif
