/* quantize.h: rows of floats as blocks of which the scales are searched for, so that the error is small: the formats
 * of search.def.
 *
 * What is made small is the sum over a block of w (x - y)^2, where y is what is read from it and w is 1, or how much
 * an element's column matters: the mean square of what it is multiplied with. Results are the same on every machine. */
#ifndef WEFT_QUANTIZE_H
#define WEFT_QUANTIZE_H

#include "graph/convert.h"

/* Quantises n elements, a multiple of the block. importance: n numbers that are finite and not negative, or NULL: all
 * the same. A block with what is no finite number, or of which a scale is too large, is read as no finite number.
 * False, with nothing written: not of that kind. */
bool weft__quantize_row(weft_dtype t, const float *x, const float *importance, void *out, int64_t n);

#endif
