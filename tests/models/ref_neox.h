/* ref_neox.h: GPT-NeoX in double precision, written from the definition (Black et al., arXiv:2204.06745, and Hugging
 * Face's names and order of operations), one token at a time. It shares nothing with the library. */
#ifndef TEST_REF_NEOX_H
#define TEST_REF_NEOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum neox_act { NEOX_GELU, NEOX_GELU_TANH, NEOX_RELU, NEOX_SILU } neox_act;

typedef struct neox_config {
    uint32_t n_layer, n_embed, n_head, n_inner, n_vocab;
    double rotary, theta, eps;
    neox_act act;
    bool parallel, attention_bias, tied;
} neox_config;

/* A tensor by its name in the checkpoint; the values as float32 files hold them. */
typedef struct neox_tensor {
    char name[96];
    uint32_t rank;
    size_t dim[2], n;
    float *v;
} neox_tensor;

typedef struct neox_model {
    neox_config c;
    neox_tensor *tensors;
    size_t n_tensors;
} neox_model;

/* All tensors of the configuration with random values from the seed. */
void neox_create(neox_model *m, const neox_config *c, uint64_t seed);
void neox_free(neox_model *m);
/* logits [n, n_vocab] of a sequence, and hidden [n_layer + 1, n, n_embed]: the embeddings, then the state after each
 * layer, the last one after the final norm. Either may be NULL. */
void neox_run(const neox_model *m, const int32_t *ids, size_t n, double *logits, double *hidden);

#endif
