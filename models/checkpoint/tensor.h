/* tensor.h: a tensor as a file holds it: name, element type, shape, and the bytes, whichever file
 * format they come from. */
#ifndef WEFT_CHECKPOINT_TENSOR_H
#define WEFT_CHECKPOINT_TENSOR_H

#include "graph/graph.h"

#define WEFT__FILE_RANK 8

/* A row of tensor.def, which says what its columns mean. */
typedef struct weft__file_dtype {
    const char *name;      /* "F16" */
    uint32_t block, bytes; /* bytes 0: a type without a row, of which only a tensor's size is known */
    weft_dtype type;
    int ggml;
    const char *layout;
} weft__file_dtype;

/* The row of that name, or NULL. */
const weft__file_dtype *weft__file_dtype_find(const char *name);
/* The row of a GGUF file's number for a type, or NULL. */
const weft__file_dtype *weft__file_dtype_ggml(uint32_t number);

typedef struct weft__file_tensor {
    const char *name;
    const weft__file_dtype *dtype;
    uint32_t rank;
    bool swapped; /* its numbers lie in the other byte order: weft__file_swap */
    uint64_t dims[WEFT__FILE_RANK]; /* outermost first; rank 0 is one element */
    const void *data; /* row-major, little-endian, not necessarily aligned; belongs to the file's map */
    size_t size;      /* bytes: product of dims / dtype->block * dtype->bytes */
    const char *file; /* for messages */
    const char *also_in; /* another file that has a tensor of this name, where nothing says which counts; or NULL */
} weft__file_tensor;

/* The bytes of a tensor (elements, where those of one are not known); false if they do not fit in 63 bits, or the last
 * dimension is no multiple of the block. */
bool weft__file_size(const weft__file_dtype *dtype, uint32_t rank, const uint64_t *dims,
                     uint64_t *out);

/* Whether rows of that many elements are whole blocks: the last dimension's, 1 for rank 0. */
bool weft__file_is_whole(const weft__file_dtype *dtype, uint32_t rank, const uint64_t *dims);

/* Turns the byte order of n bytes, which are whole blocks of a type that has a layout. */
void weft__file_swap(const weft__file_dtype *dtype, const void *in, void *out, size_t n);

/* By name, for sorting and searching. */
int weft__file_tensor_compare(const void *a, const void *b);
/* By where their data lies, then by size: to see what overlaps. */
int weft__file_tensor_compare_place(const void *a, const void *b);
const weft__file_tensor *weft__file_tensor_find(const weft__file_tensor *sorted, size_t n,
                                                const char *name);

#endif
