/* out.h: a file that is written from beginning to end, such as a safetensors file: its header, then the tensors'
 * bytes. */
#ifndef WEFT_CHECKPOINT_OUT_H
#define WEFT_CHECKPOINT_OUT_H

#include "tensor.h"

typedef struct weft__out {
    int fd;
    char *path;
} weft__out;

/* IO with the path and the system's reason, errno's. */
weft_status weft__out_fail(weft_error *err, const char *path, const char *what);

/* A new file, or an emptied one, which is locked until it is closed. IO: another process is writing it. */
WEFT_MUST_USE weft_status weft__out_open(const char *path, weft__out *out, weft_error *err);
WEFT_MUST_USE weft_status weft__out_write(weft__out *out, const void *data, size_t n, weft_error *err);
/* A safetensors header for tensors (name, dtype, rank and dims are read) whose bytes follow in this order. */
WEFT_MUST_USE weft_status weft__out_header(weft__out *out, const weft__file_tensor *tensors, size_t n,
                                           weft_error *err);
/* What is written so far is on the disk, if s is OK: a name given before that could be that of a file of zeros after a
 * crash. Returns s, or why that failed. A file that gets another name keeps its lock until it has that. */
WEFT_MUST_USE weft_status weft__out_sync(const weft__out *out, weft_status s, weft_error *err);
/* The same, and closes it. */
WEFT_MUST_USE weft_status weft__out_close(weft__out *out, weft_status s, weft_error *err);
/* Refuses to replace what is neither a file nor a folder. */
WEFT_MUST_USE weft_status weft__out_rename(const char *from, const char *to, weft_error *err);

#endif
