/* gguf_out.h: writes a GGUF file, version 3, little-endian, with one buffer of memory whatever its size. It gets its
 * name when it is complete: what stood there before is replaced then or not at all. Until then, and after a crash,
 * there is NAME.partial, which the next run begins anew. */
#ifndef WEFT_CHECKPOINT_GGUF_OUT_H
#define WEFT_CHECKPOINT_GGUF_OUT_H

#include "gguf.h"
#include "writer.h"

/* ---- values ---- */

/* Bytes that grow. Zero-initialise; after an allocation failure `failed` is set, and nothing is added any more. */
typedef struct weft__gguf_bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed;
} weft__gguf_bytes;

/* Values by key, as they will stand in the file, in the order of adding. Zero-initialise; add; write; free. No key may
 * be added twice. An allocation that fails is kept in mind, and told by weft__gguf_write. */
typedef struct weft__gguf_kv {
    weft__gguf_bytes bytes;
    uint64_t n;
} weft__gguf_kv;

void weft__gguf_kv_free(weft__gguf_kv *kv);

void weft__gguf_put_u32(weft__gguf_kv *kv, const char *key, uint32_t x);
void weft__gguf_put_f32(weft__gguf_kv *kv, const char *key, float x);
void weft__gguf_put_bool(weft__gguf_kv *kv, const char *key, bool x);
void weft__gguf_put_text(weft__gguf_kv *kv, const char *key, const char *text, size_t size);
/* An array of n numbers, each as C has it: int32_t for WEFT__GGUF_I32, one byte for a boolean. */
void weft__gguf_put_numbers(weft__gguf_kv *kv, const char *key, weft__gguf_type element, const void *x, size_t n);
/* An array of n strings, which n calls of weft__gguf_put_string follow. */
void weft__gguf_put_strings(weft__gguf_kv *kv, const char *key, size_t n);
void weft__gguf_put_string(weft__gguf_kv *kv, const char *text, size_t size);
/* What another file has, under the same key. */
void weft__gguf_put_copy(weft__gguf_kv *kv, const weft__gguf_value *v);

/* ---- the file ---- */

typedef struct weft__gguf_write_desc {
    const char *path;
    const weft__gguf_kv *values;      /* general.alignment is not for it to say */
    const weft__file_tensor *tensors; /* name, dtype, rank and dims are read */
    size_t n_tensors;
    weft__tensor_fill fill; /* asked for the tensors in this order, each in pieces of whole rows (blocks, if it is one
                                                                                                  row), in order */
    void *ctx;
    size_t piece; /* bytes asked for at most at once, if a row is not longer; 0: WEFT__WRITE_PIECE */
    /* Looks at the complete file, which still has another name; a failure leaves nothing. May be NULL. */
    weft_status (*check)(void *ctx, const char *path, weft_error *err);
    void *check_ctx;
    const char *what; /* static text for the progress; NULL: "writing weights" */
    const weft_progress_sink *progress; /* told after each piece; may be NULL */
} weft__gguf_write_desc;

/* INVALID: a name twice, or longer than the 63 bytes that ggml allows, more than 4 dimensions, a size that overflows.
 * UNSUPPORTED: a type that GGUF does not have. IO, OOM; CANCELLED; what fill returns. */
WEFT_MUST_USE weft_status weft__gguf_write(const weft__gguf_write_desc *desc, weft_error *err);

#endif
