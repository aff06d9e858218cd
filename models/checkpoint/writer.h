/* writer.h: writes a checkpoint folder, in shards, with one buffer of memory whatever the model's size.
 *
 * The tensors are declared first; their data is then asked for in order, piece by piece. Files get
 * their names only when all of them are complete (the texts last, in their order), and a failure leaves nothing
 * behind. */
#ifndef WEFT_CHECKPOINT_WRITER_H
#define WEFT_CHECKPOINT_WRITER_H

#include "tensor.h"

#define WEFT__WRITE_PIECE ((size_t)1 << 20) /* bytes asked for at once; a multiple of every element size */

/* Writes bytes offset..offset+n of tensor `index` to out. Pieces hold whole elements. A failure stops the writing. */
typedef weft_status (*weft__tensor_fill)(void *ctx, size_t index, uint64_t offset, void *out,
                                         size_t n, weft_error *err);

/* A small file beside the tensors. */
typedef struct weft__write_text { const char *name, *text; size_t size; } weft__write_text;

typedef struct weft__write_desc {
    const char *folder; /* made if it does not exist; must not hold a checkpoint yet */
    const weft__file_tensor *tensors; /* name, dtype, rank and dims are read */
    size_t n_tensors;
    uint64_t shard_bytes; /* most data in one file (a larger tensor gets a file of its own); 0 means 5 GB */
    const weft__write_text *texts; /* config.json and others */
    size_t n_texts;
    weft__tensor_fill fill;
    void *ctx;
    const weft_progress_sink *progress; /* told after each piece; may be NULL */
} weft__write_desc;

/* INVALID: a name twice, a shape that overflows, a folder with a checkpoint. IO: disk full and the
 * like. OOM; CANCELLED; what fill returns. */
WEFT_MUST_USE weft_status weft__checkpoint_write(const weft__write_desc *desc, weft_error *err);

#endif
