/* gguf_export.h: the tensors of any model as a GGUF file has them: by llama.cpp's names, in its shapes and order of
 * rows. Rows are moved, never changed but for what the format wants as other numbers (gguf_names.h: MORE). Of a model
 * that is a GGUF file: those of the file. */
#ifndef WEFT_GGUF_EXPORT_H
#define WEFT_GGUF_EXPORT_H

#include "models/model.h"
#include "models/checkpoint/tensor.h"

typedef struct weft__gguf_export weft__gguf_export;

/* m stays, and belongs to the export as long as it lives: its weights may not be asked for otherwise. UNSUPPORTED: an
 * architecture, or a weight, that llama.cpp has no name for; NOT_FOUND: no files; OOM; what the model's files lack. */
WEFT_MUST_USE weft_status weft__gguf_export_make(weft_model *m, weft__gguf_export **out, weft_error *err);
/* Of a model without files, whose matrices are to have that type where their rows are whole blocks of it, else q8_0 or
 * f16. There is no data. */
WEFT_MUST_USE weft_status weft__gguf_export_plan(weft_model *m, weft_dtype type, weft__gguf_export **out,
                                                 weft_error *err);
void weft__gguf_export_free(weft__gguf_export *e); /* accepts NULL */

weft_model *weft__gguf_export_model(const weft__gguf_export *e); /* that it is of */
/* "llama": general.architecture. */
const char *weft__gguf_export_arch(const weft__gguf_export *e);

/* Names, types, rank and dims: no data. The types are those that the values are stored in now, but F32 where llama.cpp
 * wants it so: vectors, norms, biases, routers, learned positions. */
const weft__file_tensor *weft__gguf_export_tensors(const weft__gguf_export *e, size_t *n);

/* Tensor i's rows, in a type that converts into its type (weft__weight_rows). Valid until the next call. */
WEFT_MUST_USE weft_status weft__gguf_export_data(weft__gguf_export *e, size_t i, weft_weight_data *out, weft_error
                                                 *err);

/* A weft__tensor_fill (checkpoint/writer.h): the tensors as they are. ctx is the export. */
weft_status weft__gguf_export_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err);

#endif
