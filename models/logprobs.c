/* logprobs.c: passes over whole rows of logits: log-probabilities, and the best of them. */
#include "models/sampler_impl.h"

#include <math.h>
#include <string.h>

/* exp(x) for x <= 0 to 2e-7: branch-free, so that a loop over a vocabulary is vectorised. 2^n by exponent bits, the
 * rest by its Taylor polynomial on [-ln 2 / 2, ln 2 / 2]. */
static inline float exp_negative(float x)
{
    x = x < -87.0f ? -87.0f : x;
    float n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to a whole number in the low bits */
    uint32_t bits; /* a shift past the top only drops what the rounding constant brought in */
    memcpy(&bits, &n, sizeof bits);
    n -= 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (1.66666667e-1f +
                                                  r * (4.16666667e-2f + r * (8.33333333e-3f + r * 1.38888889e-3f)))));
    bits = (bits + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

void weft_logprobs(const float *logits, uint32_t n_vocab, const int32_t *ids, uint32_t n, float *out)
{
    enum { BLOCK = 256 };
    float top = -INFINITY;
    double sum = 0.0;
    for (uint32_t i = 0; i < n_vocab; i++) top = logits[i] > top ? logits[i] : top;
    for (uint32_t i = 0; i < n_vocab; i += BLOCK) {
        uint32_t end = n_vocab - i < BLOCK ? n_vocab : i + BLOCK;
        float e[BLOCK];
        for (uint32_t k = i; k < end; k++) e[k - i] = exp_negative(logits[k] - top);
        for (uint32_t k = i; k < end; k++) sum += (double)e[k - i];
    }
    double log_sum = (double)top + log(sum);
    for (uint32_t i = 0; i < n; i++) out[i] = (float)((double)logits[ids[i]] - log_sum);
}

static float rank_of(float logit)
{
    return isnan(logit) ? -INFINITY : logit;
}

/* Insertion into a short sorted list: n is small beside the vocabulary. */
void weft__best_ids(const float *logits, uint32_t n_vocab, uint32_t n, int32_t *out)
{
    uint32_t have = 0;
    for (uint32_t i = 0; n && i < n_vocab; i++) {
        float x = rank_of(logits[i]);
        if (have == n && !(x > rank_of(logits[out[n - 1]]))) continue;
        uint32_t at = have < n ? have++ : n - 1;
        for (; at > 0 && x > rank_of(logits[out[at - 1]]); at--) out[at] = out[at - 1];
        out[at] = (int32_t)i;
    }
}
