/* tensor.h: a tensor as a file holds it: name, element type, shape, and the bytes, whichever file
 * format they come from. */
#ifndef WEFT_CHECKPOINT_TENSOR_H
#define WEFT_CHECKPOINT_TENSOR_H

#include "graph/graph.h"

#define WEFT__FILE_RANK 8

typedef struct weft__file_dtype {
    const char *name; /* "F16" */
    uint32_t bytes;   /* per element; 0: a type without a row, of which only a tensor's size is known */
    weft_dtype type;  /* that a weight has of it; WEFT_ANY: may stand in a file, but is no type of weights */
} weft__file_dtype;

/* The row of tensor.def of that name, or NULL. */
const weft__file_dtype *weft__file_dtype_find(const char *name);

typedef struct weft__file_tensor {
    const char *name;
    const weft__file_dtype *dtype;
    uint32_t rank;
    uint64_t dims[WEFT__FILE_RANK]; /* outermost first; rank 0 is one element */
    const void *data; /* row-major, little-endian, not necessarily aligned; belongs to the file's map */
    size_t size;      /* bytes: product of dims * dtype->bytes */
    const char *file; /* for messages */
    const char *also_in; /* another file that has a tensor of this name, where nothing says which counts; or NULL */
} weft__file_tensor;

/* Product of dims * bytes per element (1 where they are not known); false if it does not fit in 63 bits. */
bool weft__file_size(const weft__file_dtype *dtype, uint32_t rank, const uint64_t *dims,
                     uint64_t *out);

/* By name, for sorting and searching. */
int weft__file_tensor_compare(const void *a, const void *b);
const weft__file_tensor *weft__file_tensor_find(const weft__file_tensor *sorted, size_t n,
                                                const char *name);

#endif
