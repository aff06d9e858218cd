/* checkpoint_impl.h: an open checkpoint, for the files of this folder and for models. */
#ifndef WEFT_CHECKPOINT_IMPL_H
#define WEFT_CHECKPOINT_IMPL_H

#include "checkpoint.h"
#include "safetensors.h"

struct weft_checkpoint {
    weft__safetensors **files;
    size_t n_files, files_capacity;
    weft__file_tensor *tensors; /* sorted by name; copied from the files' records */
    size_t n_tensors, tensors_capacity;
    weft_tensor_info *infos; /* of each of them */
    float **converted;       /* of each: its values, where the file has them in a type that no graph has (F64) */
    uint64_t bytes;
    char *note; /* NULL: nothing to tell */
};

/* The folder that a path means, to be freed by the caller: the path itself or the folder around the
 * file it names. NOT_FOUND if there is nothing of that name; UNSUPPORTED for a GGUF file; INVALID
 * for any other kind of file. */
WEFT_MUST_USE weft_status weft__model_folder(const char *path, char **folder, weft_error *err);

/* The records behind weft_checkpoint_tensor and weft_checkpoint_find. */
const weft__file_tensor *weft__checkpoint_at(const weft_checkpoint *ck, size_t i);
const weft__file_tensor *weft__checkpoint_find(const weft_checkpoint *ck, const char *name);
size_t weft__checkpoint_file_count(const weft_checkpoint *ck);

/* What a graph's weight of this name is bound to, as weft_checkpoint_source says: *out has a dtype->type other than
 * WEFT_ANY. Looks at no data. */
WEFT_MUST_USE weft_status weft__checkpoint_weight(const weft_checkpoint *ck, const char *name,
                                                  const weft__file_tensor **out, weft_error *err);
/* The data of what weft__checkpoint_weight gave, in the type that a weight has; starts reading it from the disk. */
WEFT_MUST_USE weft_status weft__checkpoint_data(const weft_checkpoint *ck, const weft__file_tensor *t,
                                                weft_weight_data *out, weft_error *err);

/* Reads an index file's text: the fuzz targets' way in. Each entry is checked (a string, a plain file name). */
WEFT_MUST_USE weft_status weft__checkpoint_check_index(const char *text, size_t n, const char *file,
                                                       weft_error *err);

#endif
