/* checkpoint.h: the tensors of a model's files, whether they lie in one safetensors or GGUF file, in shards with an
 * index, or in a split GGUF set: listed, found by name, read where they are, and as the weights of any graph.
 *
 *     weft_checkpoint *ck;
 *     if (weft_checkpoint_open("pythia-160m", &ck, &err)) ...
 *     const weft_tensor_info *t = weft_checkpoint_find(ck, "embed_out.weight");
 *     weft_weight_source source = weft_checkpoint_source(ck);             // for a graph whose weights have these names
 *
 * Files are mapped, not read: opening a checkpoint of 40 GB takes milliseconds, and a page of it memory when it is
 * first looked at. Nobody may shorten a file meanwhile (replacing it by rename is safe). A checkpoint does not change
 * once it is open; any number of threads may list and find. Its source belongs to one thread at a time. */
#ifndef WEFT_CHECKPOINT_H
#define WEFT_CHECKPOINT_H

#include "backends/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_checkpoint weft_checkpoint;

/* path: a folder, its config.json, its model.safetensors.index.json, one .safetensors file, or a GGUF file. A shard
 * ("model-00001-of-00003.safetensors") beside an index stands for the whole checkpoint, any file of a split GGUF set
 * for the set, and a folder without safetensors for the one GGUF model in it. Every header is validated completely
 * before anything of it is used; of a tensor that stands in several shards the one in the file that the index names
 * counts. NOT_FOUND: no weights, a missing shard, a tensor that the index promises and its shard lacks. INVALID: a
 * folder of several GGUF models. UNSUPPORTED: weights in another format or version only. FORMAT: a faulty file or
 * index. LIMIT, IO, OOM. The text names the file. Names and shapes are the file's own, which in GGUF are not those of
 * Hugging Face. */
WEFT_API WEFT_MUST_USE weft_status weft_checkpoint_open(const char *path, weft_checkpoint **out, weft_error *err);
/* Accepts NULL. No program may use its data any more: what is loaded may lie in the mapped files. */
WEFT_API void weft_checkpoint_close(weft_checkpoint *ck);

/* A tensor as a file holds it: lent by the checkpoint, valid as long as it. */
typedef struct weft_tensor_info {
    const char *name;
    const char *dtype;   /* as the file calls it: "F16", "BF16", "F64", "F8_E4M3"; in GGUF "Q4_0", "IQ2_XXS" */
    weft_dtype type;     /* that a weight of it has (F64 becomes f32); WEFT_ANY: it can be no weight */
    uint32_t rank;
    const int64_t *dims; /* outermost first; of rank 0 one element */
    const void *data;    /* row-major, little-endian unless big_endian, not necessarily aligned */
    uint64_t bytes;
    const char *file;    /* its path */
    bool big_endian;
} weft_tensor_info;

WEFT_API size_t weft_checkpoint_count(const weft_checkpoint *ck);
/* In the order of the names. NULL past the end. */
WEFT_API const weft_tensor_info *weft_checkpoint_tensor(const weft_checkpoint *ck, size_t i);
WEFT_API const weft_tensor_info *weft_checkpoint_find(const weft_checkpoint *ck, const char *name); /* NULL: none */
WEFT_API uint64_t weft_checkpoint_bytes(const weft_checkpoint *ck); /* of all tensors */
/* What is worth telling of the files. NULL past the end. */
WEFT_API const char *weft_checkpoint_note(const weft_checkpoint *ck, size_t i);

/* The tensors as weights of those names. It fails with NOT_FOUND for a name that is not there, UNSUPPORTED for a type
 * that no weight can have (complex numbers, 8-bit floats) or an F64 beyond the range of f32, FORMAT for a tensor that
 * stands in two shards and not in the index. What is big-endian, or F64, is converted when it is asked for, and kept in
 * memory. Valid as long as the checkpoint. */
WEFT_API weft_weight_source weft_checkpoint_source(weft_checkpoint *ck);

#ifdef __cplusplus
}
#endif
#endif
