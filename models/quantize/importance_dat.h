/* importance_dat.h: the older form of files of importance (importance.h). */
#ifndef WEFT_IMPORTANCE_DAT_H
#define WEFT_IMPORTANCE_DAT_H

#include "graph/base.h"

typedef struct weft__importance_dat weft__importance_dat;

/* Of a file's image, which stays. FORMAT: it is none. */
WEFT_MUST_USE weft_status weft__importance_dat_parse(const void *data, size_t size, const char *name,
                                                     weft__importance_dat **out, weft_error *err);
void weft__importance_dat_free(weft__importance_dat *d); /* accepts NULL */

/* How many numbers there are of a tensor, all its matrices together; 0: it is not there. */
uint64_t weft__importance_dat_count(const weft__importance_dat *d, const char *tensor);
/* Some of them, which are there: means of squares. */
void weft__importance_dat_read(const weft__importance_dat *d, const char *tensor, uint64_t first, uint64_t n,
                               float *out);

#endif
