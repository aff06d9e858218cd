/* gguf_values.h: what a GGUF file says of a model beside its tensors: general.architecture, sizes and what else its
 * architecture's keys say, and the tokenizer. */
#ifndef WEFT_GGUF_VALUES_H
#define WEFT_GGUF_VALUES_H

#include "models/checkpoint/gguf_out.h"
#include "models/gguf_export.h"

/* What keys begin with that have the text of a file of a Hugging Face folder: "huggingface.config.json". */
#define WEFT__GGUF_FILES "huggingface."

/* Adds them, and the folder's other small files; of a model that is a GGUF file what it has, less what is of the file
 * alone (general.file_type, general.quantization_version, general.alignment, split.*). UNSUPPORTED: a configuration
 * that the keys cannot say; what reading the tokenizer gives; OOM. */
WEFT_MUST_USE weft_status weft__gguf_export_values(weft__gguf_export *e, weft__gguf_kv *kv, weft_error *err);

/* general.file_type, after what most bytes are of, and general.quantization_version where there are blocks. */
void weft__gguf_put_types(weft__gguf_kv *kv, const weft__file_tensor *tensors, size_t n);

#endif
