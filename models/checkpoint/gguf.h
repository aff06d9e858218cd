/* gguf.h: a GGUF model: one file, or all files of a split set. Everything is validated before anything of it is used.
 *
 * The format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3, in either byte order: the
 * counts, then values by key, then the tensors' names, shapes, types and places, then their data. Reading takes the
 * first three; no tensor is looked at. A value's text and numbers stay in the mapped file. */
#ifndef WEFT_CHECKPOINT_GGUF_H
#define WEFT_CHECKPOINT_GGUF_H

#include "file.h"
#include "tensor.h"

/* By their numbers in files. */
typedef enum weft__gguf_type {
    WEFT__GGUF_U8, WEFT__GGUF_I8, WEFT__GGUF_U16, WEFT__GGUF_I16, WEFT__GGUF_U32, WEFT__GGUF_I32, WEFT__GGUF_F32,
    WEFT__GGUF_BOOL, WEFT__GGUF_STRING, WEFT__GGUF_ARRAY, WEFT__GGUF_U64, WEFT__GGUF_I64, WEFT__GGUF_F64,
    WEFT__GGUF_TYPE_COUNT
} weft__gguf_type;

/* Lent by the file; may hold zero bytes and what is no UTF-8, and nothing ends it. */
typedef struct weft__gguf_string {
    const char *text;
    size_t size;
} weft__gguf_string;

typedef struct weft__gguf_value {
    const char *key; /* UTF-8 */
    weft__gguf_type type, element; /* element: the type of an array's; else `type` again */
    uint64_t count; /* an array's elements; else 1 */
    /* how it is read: the functions below */
    const unsigned char *data;
    const uint32_t *places; /* of each string: bytes from `data` to its length */
    bool swapped;
} weft__gguf_value;

typedef struct weft__gguf_file weft__gguf_file;

/* Any file of a split set ("x-00002-of-00007.gguf") stands for all of it. NOT_FOUND: no such file, or one of the set is
 * missing; UNSUPPORTED: a version or kind of value that is not known; FORMAT for every fault of the contents; LIMIT:
 * more values or tensors than any model has; IO, OOM. The text names the file, and the key or tensor. */
WEFT_MUST_USE weft_status weft__gguf_open(const char *path, weft__gguf_file **out, weft_error *err);
/* One file's image in memory, which must outlive *out; `name` is its name in messages. */
WEFT_MUST_USE weft_status weft__gguf_parse(const void *data, size_t size, const char *name, weft__gguf_file **out,
                                           weft_error *err);
void weft__gguf_close(weft__gguf_file *f); /* accepts NULL */

const char *weft__gguf_path(const weft__gguf_file *f); /* of the first file of a set; for messages */

/* What a file is beside its contents. */
typedef struct weft__gguf_header {
    uint32_t version, alignment;
    uint32_t n_files;
    bool big_endian;
} weft__gguf_header;
weft__gguf_header weft__gguf_header_of(const weft__gguf_file *f);

/* The values, of a set the first file's, in the file's order; NULL past the end, or if there is none of that key. */
const weft__gguf_value *weft__gguf_at(const weft__gguf_file *f, size_t i);
const weft__gguf_value *weft__gguf_find(const weft__gguf_file *f, const char *key);

/* A value, i = 0, or element i of an array. False: v is NULL, has no element i, or is not of that kind. Whole numbers
 * and booleans are numbers, too, and booleans whole numbers. Each takes a few instructions. */
bool weft__gguf_number(const weft__gguf_value *v, uint64_t i, double *out);
bool weft__gguf_integer(const weft__gguf_value *v, uint64_t i, int64_t *out);
bool weft__gguf_text(const weft__gguf_value *v, uint64_t i, weft__gguf_string *out);

/* "u32", "string", "array": for messages. */
const char *weft__gguf_type_name(weft__gguf_type t);

/* The one of its mapped files that bytes lie in, and its path; NULL: none. */
const weft__file_map *weft__gguf_map_of(const weft__gguf_file *f, const void *data, uint64_t bytes, const char **path);

/* Sorted by name. Dims are outermost first, as in a graph: the other way round than in the file. */
const weft__file_tensor *weft__gguf_tensors(const weft__gguf_file *f, size_t *n);

#endif
