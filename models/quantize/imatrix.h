/* imatrix.h: gathers how much the columns of a model's matrices matter: over many tokens, the squares of what each is
 * multiplied with. The file is llama.cpp's of that name, and weft_model_quantize reads it.
 *
 *     weft_session_desc how = { .as_built = true, .max_tokens = 512, .context = 512, ... };
 *     if (weft_imatrix_create(session, &gathered, &err)) ...
 *     if (weft_imatrix_add(gathered, ids, n, &err)) ...                    // as often as wanted
 *     if (weft_imatrix_write(gathered, "model.imatrix.gguf", "text.txt", &err)) ... */
#ifndef WEFT_IMATRIX_H
#define WEFT_IMATRIX_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_imatrix weft_imatrix;

/* Of an empty session whose programs are as built, which it uses as long as it lives. INVALID: they are not;
 * UNSUPPORTED: an architecture that GGUF has no names for. */
WEFT_API WEFT_MUST_USE weft_status weft_imatrix_create(weft_session *s, weft_imatrix **out, weft_error *err);
WEFT_API void weft_imatrix_destroy(weft_imatrix *i); /* accepts NULL */

/* Adds tokens that follow nothing, at most as many as a run of the session takes: more are left out. FORMAT: a value is
 * no finite number. */
WEFT_API WEFT_MUST_USE weft_status weft_imatrix_add(weft_imatrix *i, const int32_t *ids, size_t n, weft_error *err);

/* The file gets its name when it is complete. `text` says what the tokens are from. INVALID: nothing was added. */
WEFT_API WEFT_MUST_USE weft_status weft_imatrix_write(const weft_imatrix *i, const char *path, const char *text,
                                                      weft_error *err);

#ifdef __cplusplus
}
#endif
#endif
