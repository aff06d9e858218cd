/* importance.h: how much the columns of matrices matter: the mean square of what each is multiplied with, as
 * llama.cpp's files of "imatrix" have it: of a tensor NAME the sums of squares NAME.in_sum2 [matrices, columns], and
 * how many rows were added up, NAME.counts [matrices, 1]. Experts are matrices of one tensor. Files
 * that it wrote before are read, too (importance_dat.h). */
#ifndef WEFT_IMPORTANCE_H
#define WEFT_IMPORTANCE_H

#include "models/checkpoint/gguf.h"

typedef struct weft__importance weft__importance;

/* FORMAT: no file of that kind, sums that are no finite numbers or negative, counts that are missing. */
WEFT_MUST_USE weft_status weft__importance_open(const char *path, weft__importance **out, weft_error *err);
/* The same of a file's image in memory, which stays. */
WEFT_MUST_USE weft_status weft__importance_parse(const void *data, size_t size, const char *name,
                                                 weft__importance **out, weft_error *err);
void weft__importance_close(weft__importance *i); /* accepts NULL */

/* The means of matrix `which` of a tensor, as many as it has columns, in out. *found false: nothing is known of it.
 * SHAPE: it has others. */
WEFT_MUST_USE weft_status weft__importance_read(const weft__importance *i, const weft__file_tensor *t, uint64_t which,
                                                float *out, bool *found, weft_error *err);
bool weft__importance_has(const weft__importance *i, const char *tensor);

#endif
