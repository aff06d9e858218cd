/* finite.h: results that are no numbers. */
#ifndef WEFT_FINITE_H
#define WEFT_FINITE_H

#include "graph/convert.h"
#include "models/model.h"

/* How many of n numbers are NaN or infinite, and the first of them. */
uint32_t weft__count_not_finite(const float *x, uint32_t n, uint32_t *first);

#endif
