/* sampler.h: what generation needs of sampling beside the public interface. */
#ifndef WEFT_SAMPLER_H
#define WEFT_SAMPLER_H

#include "models/model.h"

/* The natural logarithm of the probability of each of n ids under softmax(logits). */
void weft__logprobs(const float *logits, uint32_t n_vocab, const int32_t *ids, uint32_t n, float *out);
/* The n largest logits' ids, descending, the lower id first among equals; NaN counts as smallest. n <= n_vocab. */
void weft__best_ids(const float *logits, uint32_t n_vocab, uint32_t n, int32_t *out);

#endif
