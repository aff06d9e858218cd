/* quantize.h: writes a model as a GGUF file with weights of other types.
 *
 *     weft_quantize_desc d = { .weights = "q4_K_M" };
 *     if (weft_model_quantize(model, "model-q4_K_M.gguf", &d, &err)) ...
 *
 * What the file is made of is read row by row and forgotten again: memory for a few rows is taken, whatever the
 * size. */
#ifndef WEFT_MODEL_QUANTIZE_H
#define WEFT_MODEL_QUANTIZE_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a tensor. */
typedef struct weft_quantized {
    const char *name, *from, *to; /* its name in the file; types: "F16", "Q4_K" */
    uint64_t elements, bytes;     /* bytes: in the file */
    bool importance;              /* of its columns is known */
} weft_quantized;

typedef struct weft_quantize_desc {
    const char *weights; /* one of weft_quantize_name */
    /* "PATTERN=TYPE": tensors whose GGUF names fit (* and ? as in shells) have that type; the first that fits counts.
     * Vectors are in no type of blocks. */
    const char *const *keep;
    uint32_t n_keep;
    const char *importance; /* NULL, or the path of what `weft imatrix` or llama.cpp's tool of that name has written */
    uint32_t threads;       /* 0: one for each processor */
    void (*tell)(void *ctx, const weft_quantized *t); /* of each tensor before any is written; may be NULL */
    void *ctx;
    const weft_progress_sink *progress; /* may be NULL */
} weft_quantize_desc;

/* What `weights` may be: mixtures, in which tensors that matter more have more bits ("q4_K_M"), and types, which all
 * matrices get ("q4_K"). NULL past the end. */
WEFT_API const char *weft_quantize_name(size_t i);

/* The file gets its name when it is complete. m must not be used by anybody else meanwhile. INVALID: no such type or
 * pattern; UNSUPPORTED: an architecture, or a weight, that GGUF files have no name for; FORMAT: a weight that is no
 * finite number, or what is wrong with the file of importance; SHAPE: it is another model's; IO, OOM, CANCELLED. */
WEFT_API WEFT_MUST_USE weft_status weft_model_quantize(weft_model *m, const char *path, const weft_quantize_desc *desc,
                                                       weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
