/* convert.h: writes a model in the other format of files: safetensors as a GGUF file, or a GGUF file as a folder that
 * Hugging Face's classes open. Weights are moved, not changed: what one format has in another order, or in other
 * tensors, is put as the other has it. */
#ifndef WEFT_CONVERT_MODEL_H
#define WEFT_CONVERT_MODEL_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_convert_desc {
    weft_dtype dtype;     /* folders: of all tensors, f32, f16 or bf16. WEFT_ANY: as they are; of blocks, f32 */
    uint64_t shard_bytes; /* folders: most data in one file; 0: 5 GB */
    const weft_progress_sink *progress; /* may be NULL */
} weft_convert_desc;

/* out: "x.gguf", which is replaced if it is there, or a folder, which must be empty or not there. It is complete or not
 * there. m must not be used by anybody else meanwhile. desc may be NULL.
 *
 * To GGUF: vectors, norms and routers become f32, as llama.cpp wants them; the tokenizer's and the configuration's
 * files go with it. To a folder: config.json and tokenizer.json are those that the file was made from, if it has them;
 * else the first is made of its metadata, and the second is not there.
 *
 * UNSUPPORTED: an architecture, a weight or a setting that the format has no way to say; NOT_FOUND: no weights;
 * INVALID, IO, OOM, CANCELLED. */
WEFT_API WEFT_MUST_USE weft_status weft_model_convert(weft_model *m, const char *out, const weft_convert_desc *desc,
                                                      weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
