/* finite.h: results that are no numbers. */
#ifndef WEFT_FINITE_H
#define WEFT_FINITE_H

#include "graph/convert.h"
#include "models/model.h"

/* How many of n numbers are NaN or infinite, and the first of them. */
uint32_t weft__count_not_finite(const float *x, uint32_t n, uint32_t *first);
/* The name of the first state of f16 that was given a number too large for it, in the cells [first, first + cells) of
 * the extent "cells"; NULL: none, or it cannot be told. Reads states back: for when something has gone wrong. */
const char *weft__overflowed_state(weft_program *p, int64_t first, int64_t cells);

#endif
