/* rows.h: the rows of an export's tensors as blocks, quantised by all threads. */
#ifndef WEFT_QUANTIZE_ROWS_H
#define WEFT_QUANTIZE_ROWS_H

#include "models/gguf_export.h"
#include "models/quantize/importance.h"

typedef struct weft__quantize_rows {
    weft__gguf_export *from;
    weft__importance *importance; /* NULL: not known */
    const weft__file_tensor *tensors; /* as they will be; those of the export whose type is theirs are only copied */
    uint32_t threads;
    float *numbers;     /* [threads, longest]: a row each */
    float *means;       /* [matrices, longest]: the importance of the open tensor's columns */
    bool *known;        /* [matrices]: it is */
    size_t longest, most; /* columns, and matrices of a tensor, that there is room for */
    size_t open;        /* 1 + the tensor that `data` is */
    weft_weight_data data;
} weft__quantize_rows;

/* r has `from` and `importance`. threads 0: one for each processor. */
WEFT_MUST_USE weft_status weft__quantize_rows_make(weft__quantize_rows *r, const weft__file_tensor *tensors, size_t n,
                                                   uint32_t threads, weft_error *err);
void weft__quantize_rows_free(weft__quantize_rows *r); /* what _make has taken */

/* A weft__tensor_fill (checkpoint/writer.h) of the tensors; ctx is the rows. FORMAT: a weight is no finite number, or
 * none that the type can have. */
weft_status weft__quantize_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err);

#endif
