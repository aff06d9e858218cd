/* imatrix_impl.h: what imatrix.c gathers and imatrix_out.c writes. */
#ifndef WEFT_IMATRIX_IMPL_H
#define WEFT_IMATRIX_IMPL_H

#include "graph/base.h"
#include "models/checkpoint/tensor.h"
#include "models/quantize/imatrix.h"

/* A weight: of each of its matrices (experts) the sums, and how many rows they are of. */
typedef struct weft__imatrix_entry {
    char name[128], second[128]; /* in the file; second: of what is two tensors there */
    uint64_t matrices, columns;
    double *sums;     /* [matrices, columns] */
    uint64_t *counts; /* [matrices] */
} weft__imatrix_entry;

struct weft_imatrix {
    weft_session *session;
    weft__imatrix_entry *entries;
    size_t n, capacity;
    unsigned char *root; /* the bytes that a value shows */
    float *numbers;      /* the same as numbers */
    int32_t *ids;        /* of experts */
    size_t root_room, numbers_room, ids_room;
    uint32_t chunks, tokens;
};

/* Tensors in pairs: the sums of an entry, and its counts; of two tensors the same twice. */
typedef struct weft__imatrix_writing {
    const weft_imatrix *i;
    weft__file_tensor *tensors;
    const weft__imatrix_entry **of; /* per tensor */
    size_t n;
    weft__arena names;
} weft__imatrix_writing;

/* A weft__tensor_fill (checkpoint/writer.h) of those tensors; ctx is a weft__imatrix_writing. */
weft_status weft__imatrix_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err);

#endif
