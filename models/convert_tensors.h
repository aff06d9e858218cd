/* convert_tensors.h: the tensors that a folder of safetensors has of a model, as published ones do. */
#ifndef WEFT_CONVERT_TENSORS_H
#define WEFT_CONVERT_TENSORS_H

#include "models/checkpoint/tensor.h"
#include "models/model.h"

typedef struct weft__folder_tensors weft__folder_tensors;

/* In type dtype; WEFT_ANY: as they are stored, blocks as f32. m belongs to them as long as they live. NOT_FOUND: no
 * files; UNSUPPORTED: a type that does not become that one; OOM. */
WEFT_MUST_USE weft_status weft__folder_tensors_make(weft_model *m, weft_dtype dtype, weft__folder_tensors **out,
                                                    weft_error *err);
void weft__folder_tensors_free(weft__folder_tensors *t); /* accepts NULL */
/* same_types: all are as stored. */
const weft__file_tensor *weft__folder_tensors_list(const weft__folder_tensors *t, size_t *n, bool *same_types);
/* A weft__tensor_fill (checkpoint/writer.h). */
weft_status weft__folder_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err);

#endif
