/* gguf_factors.h: what a configuration says of rotary frequencies and GGUF has as tensors: divisors, one for each. */
#ifndef WEFT_GGUF_FACTORS_H
#define WEFT_GGUF_FACTORS_H

#include "models/model.h"

enum { WEFT__MAX_FACTORS = 512 };

typedef struct weft__gguf_factors {
    const char *name; /* of the tensor */
    uint32_t n;
    float values[WEFT__MAX_FACTORS];
} weft__gguf_factors;

/* The i-th of a model's; false: there are no more. */
bool weft__gguf_factors_of(const weft_model *m, uint32_t i, weft__gguf_factors *out);

/* Dimensions of a head that turn. */
uint32_t weft__gguf_rope_width(const weft_model *m);

/* A setting of the model's rotary embeddings ("rope_type", "factor"), in the group that its architecture asks in. */
const weft_setting_info *weft__gguf_rope_setting(const weft_model *m, const char *name);

#endif
