/* sampler_impl.h: what generation needs of sampling beside the public interface. */
#ifndef WEFT_SAMPLER_IMPL_H
#define WEFT_SAMPLER_IMPL_H

#include "models/sampler.h"

/* The n largest logits' ids, descending, the lower id first among equals; NaN counts as -inf. 1 <= n <= n_vocab. */
void weft__best_ids(const float *logits, uint32_t n_vocab, uint32_t n, int32_t *out);

#endif
