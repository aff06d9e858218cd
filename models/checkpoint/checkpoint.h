/* checkpoint.h: a model folder's tensors, whether they lie in one safetensors file or in shards with an index.
 *
 * MODEL may be the folder, its config.json, its model.safetensors.index.json, or one .safetensors
 * file. A shard ("model-00001-of-00003.safetensors") beside an index stands for the whole checkpoint.
 * Opening maps the files and validates their headers; the weights themselves are not read. */
#ifndef WEFT_CHECKPOINT_CHECKPOINT_H
#define WEFT_CHECKPOINT_CHECKPOINT_H

#include "tensor.h"

typedef struct weft__checkpoint weft__checkpoint;

/* The folder that MODEL means, to be freed by the caller: MODEL itself or the folder around the
 * file it names. NOT_FOUND if there is nothing of that name; UNSUPPORTED for a GGUF file; INVALID
 * for any other kind of file. */
WEFT_MUST_USE weft_status weft__model_folder(const char *model, char **folder, weft_error *err);

/* NOT_FOUND: no weights, a missing shard, a tensor that the index promises and its shard lacks.
 * UNSUPPORTED: weights in another format only. FORMAT: a faulty file or index. Also IO, OOM.
 * Of a tensor that stands in several shards the one in the file that the index names counts. */
WEFT_MUST_USE weft_status weft__checkpoint_open(const char *model, weft__checkpoint **out,
                                                weft_error *err);
void weft__checkpoint_destroy(weft__checkpoint *ck);

/* Tensors in the order of their names. The records belong to the checkpoint, as does the data that they point to. */
size_t weft__checkpoint_count(const weft__checkpoint *ck);
const weft__file_tensor *weft__checkpoint_at(const weft__checkpoint *ck, size_t i);
const weft__file_tensor *weft__checkpoint_find(const weft__checkpoint *ck,
                                               const char *name); /* NULL: absent */
uint64_t weft__checkpoint_bytes(const weft__checkpoint *ck);      /* of all tensors */

/* What is worth telling of the files, or NULL. */
const char *weft__checkpoint_note(const weft__checkpoint *ck);

size_t weft__checkpoint_file_count(const weft__checkpoint *ck);

/* What a graph's weight of this name is bound to: *out has a dtype->type other than WEFT_ANY.
 * NOT_FOUND, UNSUPPORTED for a type that no weight can have (complex numbers, 8-bit floats, ...), FORMAT for a tensor
 * that stands in two shards and not in the index. */
WEFT_MUST_USE weft_status weft__checkpoint_weight(const weft__checkpoint *ck, const char *name,
                                                  const weft__file_tensor **out, weft_error *err);

/* Starts reading the tensor's pages from the disk and returns: for the loader, just before it uses them. */
void weft__file_tensor_prefetch(const weft__file_tensor *t);

/* Reads an index file's text: the fuzz targets' way in. Each entry is checked (a string, a plain file name). */
WEFT_MUST_USE weft_status weft__checkpoint_check_index(const char *text, size_t n, const char *file,
                                                       weft_error *err);

#endif
