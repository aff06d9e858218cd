/* config_keys.c: the keys that all types share, and lookup. */
#include "config_keys.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ROPE(name) { .key = "rope." name, .spelling = ROPE_OR(name, NULL) }

/* PreTrainedConfig (transformers 5.24): what every class has. */
static const weft__config_key common[] = {
    { "num_labels", NUMBER(2) },
    { .key = "dtype", .spelling = { "dtype", "torch_dtype" } },
    { .key = "rope_type",
      .spelling = { "rope_scaling.rope_type", "rope_scaling.type", "rope_parameters.rope_type",
                    "rope_parameters.type" } },
    ROPE("factor"), ROPE("low_freq_factor"), ROPE("high_freq_factor"), ROPE("beta_fast"), ROPE("beta_slow"),
    ROPE("mscale"), ROPE("mscale_all_dim"), ROPE("attention_factor"),
    { .key = "rope.truncate", .spelling = ROPE_OR("truncate", NULL), OR_FALSE },
    { .key = "rope.original_max_position_embeddings", /* what stands outside wins */
      .spelling = { "original_max_position_embeddings", "rope_scaling.original_max_position_embeddings",
                    "rope_parameters.original_max_position_embeddings" } },
};

const weft__config_key *weft__config_key_at(const weft__config_keys *t, size_t i)
{
    if (i < t->n_own) return &t->own[i];
    return i - t->n_own < COUNT(common) ? &common[i - t->n_own] : NULL;
}

const weft__config_key *weft__config_key_find(const weft__config_keys *t, const char *key)
{
    const weft__config_key *row;
    for (size_t i = 0; (row = weft__config_key_at(t, i)); i++)
        if (!strcmp(row->key, key)) return row;
    return NULL;
}
