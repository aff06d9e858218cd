/* safetensors.h: one .safetensors file, validated completely before anything of it is used.
 *
 * The format (https://huggingface.co/docs/safetensors): an 8-byte little-endian header length, a
 * JSON header that maps tensor names to {dtype, shape, data_offsets}, and the data, which the
 * tensors cover without overlaps or holes. */
#ifndef WEFT_CHECKPOINT_SAFETENSORS_H
#define WEFT_CHECKPOINT_SAFETENSORS_H

#include "file.h"
#include "tensor.h"

#define WEFT__SAFETENSORS_MAX_HEADER 100000000 /* bytes; the reference implementation's limit */

typedef struct weft__safetensors {
    weft__file_tensor *tensors; /* sorted by name */
    size_t n_tensors;
    uint64_t data_size;
    char *file; /* the path, for messages */
    weft__arena arena;
    weft__file_map map;
} weft__safetensors;

/* Reads a file image in memory, which must outlive *out; `file` is the name in messages. FORMAT for
 * every fault of the contents, OOM. */
WEFT_MUST_USE weft_status weft__safetensors_parse(const void *data, size_t size, const char *file,
                                                  weft__safetensors **out, weft_error *err);
/* Maps the file. Also NOT_FOUND, IO. */
WEFT_MUST_USE weft_status weft__safetensors_open(const char *path, weft__safetensors **out,
                                                 weft_error *err);
void weft__safetensors_destroy(weft__safetensors *st);

#endif
