/* checkpoint_impl.h: an open checkpoint, for the files of this folder and for models. */
#ifndef WEFT_CHECKPOINT_IMPL_H
#define WEFT_CHECKPOINT_IMPL_H

#include "checkpoint.h"
#include "gguf.h"
#include "safetensors.h"

#define WEFT__SINGLE_FILE "model.safetensors"
#define WEFT__INDEX_FILE  "model.safetensors.index.json"

struct weft_checkpoint {
    weft__safetensors **files;
    size_t n_files, files_capacity;
    weft__gguf_file *gguf; /* NULL: safetensors; else there are none of those */
    weft__file_tensor *tensors; /* sorted by name; copied from the files' records */
    size_t n_tensors, tensors_capacity;
    weft_tensor_info *infos; /* of each of them */
    void **converted; /* of each: its values, where the file has them in a type that no graph has (F64), or swapped */
    uint64_t bytes;
    char *note; /* NULL: nothing to tell */
};

/* The folder that a path means, to be freed by the caller: the path itself or the folder around the
 * file it names. NOT_FOUND if there is nothing of that name; INVALID for a file of another kind than those of models.
 * */
WEFT_MUST_USE weft_status weft__model_folder(const char *path, char **folder, weft_error *err);
/* The GGUF file that a path means, to be freed by the caller; NULL: it means none. A file of that format, whatever its
 * name, or the folder of one such model (one file, or one set) and no safetensors; INVALID: it has several. */
WEFT_MUST_USE weft_status weft__model_gguf(const char *path, char **gguf, weft_error *err);
/* Why a folder has no weights: what is there instead. */
WEFT_MUST_USE weft_status weft__folder_without_weights(const char *folder, weft_error *err);

/* The records behind weft_checkpoint_tensor and weft_checkpoint_find. */
const weft__file_tensor *weft__checkpoint_at(const weft_checkpoint *ck, size_t i);
const weft__file_tensor *weft__checkpoint_find(const weft_checkpoint *ck, const char *name);
size_t weft__checkpoint_file_count(const weft_checkpoint *ck);
const weft__gguf_file *weft__checkpoint_gguf(const weft_checkpoint *ck); /* NULL: safetensors */

/* What a graph's weight of this name is bound to, as weft_checkpoint_source says: *out has a dtype->type other than
 * WEFT_ANY. Looks at no data. */
WEFT_MUST_USE weft_status weft__checkpoint_weight(const weft_checkpoint *ck, const char *name,
                                                  const weft__file_tensor **out, weft_error *err);
/* The data of what weft__checkpoint_weight gave, in the type that a weight has. */
WEFT_MUST_USE weft_status weft__checkpoint_data(const weft_checkpoint *ck, const weft__file_tensor *t,
                                                weft_weight_data *out, weft_error *err);

/* Reads an index file's text: the fuzz targets' way in. Each entry is checked (a string, a plain file name). */
WEFT_MUST_USE weft_status weft__checkpoint_check_index(const char *text, size_t n, const char *file,
                                                       weft_error *err);

#endif
