/* config_types.c: the tables, from the configuration classes of Hugging Face transformers (5.24). To add a type: its
 * rows, with every key that its definition asks for and the class's default, and a line in `types`. */
#include "config_types.h"

#include <stdbool.h>
#include <string.h>

#define NUMBER(x) .fallback = WEFT__DEFAULT_NUMBER, .number = (x)
#define TEXT(x)   .fallback = WEFT__DEFAULT_TEXT, .text = (x)

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct weft__config_type {
    const char *model_type;
    const char *family; /* class names are this, then "Model" or "For" and a task */
    const weft__config_key *keys;
    size_t n_keys;
};

/* PreTrainedConfig: what every class has. */
static const weft__config_key common[] = {
    { "num_labels", NUMBER(2) },
    { .key = "dtype", .spelling = { "dtype", "torch_dtype" } },
    { .key = "rope_type",
      .spelling = { "rope_scaling.rope_type", "rope_scaling.type", "rope_parameters.rope_type",
                    "rope_parameters.type" } },
    { .key = "rope_factor", .spelling = { "rope_scaling.factor", "rope_parameters.factor" } },
};

/* GPTNeoXConfig reads rotary_* alone: a rope_theta of its own beside them means nothing to it. */
static const weft__config_key gpt_neox[] = {
    { "vocab_size", NUMBER(50432) },
    { "hidden_size", NUMBER(6144) },
    { "num_hidden_layers", NUMBER(44) },
    { "num_attention_heads", NUMBER(64) },
    { "intermediate_size", NUMBER(24576) },
    { "hidden_act", TEXT("gelu") },
    { "max_position_embeddings", NUMBER(2048) },
    { "initializer_range", NUMBER(0.02) },
    { "layer_norm_eps", NUMBER(1e-5) },
    { "bos_token_id", NUMBER(0) },
    { "eos_token_id", NUMBER(2) },
    { "tie_word_embeddings", NUMBER(false) },
    { "use_parallel_residual", NUMBER(true) },
    { "attention_bias", NUMBER(true) },
    { "rope_theta",
      { "rope_scaling.rope_theta", "rope_parameters.rope_theta", "rotary_emb_base" },
      .unread = "rope_theta",
      NUMBER(10000) },
    { "partial_rotary_factor",
      { "rope_scaling.partial_rotary_factor", "rope_parameters.partial_rotary_factor", "rotary_pct" },
      .unread = "partial_rotary_factor",
      NUMBER(0.25) },
};

static const weft__config_type types[] = {
    { "gpt_neox", "GPTNeoX", gpt_neox, COUNT(gpt_neox) },
};
static const weft__config_type unknown = { 0 };

static bool is_of_family(const char *architecture, const char *family)
{
    size_t n = strlen(family);
    const char *task = architecture + n;
    return !strncmp(architecture, family, n) && (!strcmp(task, "Model") || !strncmp(task, "For", 3));
}

const weft__config_type *weft__config_type_find(const char *model_type, const char *architecture)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (model_type ? !strcmp(model_type, types[i].model_type)
                       : architecture && is_of_family(architecture, types[i].family))
            return &types[i];
    return &unknown;
}

const char *weft__config_type_name(const weft__config_type *t)
{
    return t->model_type;
}

const weft__config_key *weft__config_key_at(const weft__config_type *t, size_t i)
{
    if (i < t->n_keys) return &t->keys[i];
    return i - t->n_keys < COUNT(common) ? &common[i - t->n_keys] : NULL;
}

const weft__config_key *weft__config_key_find(const weft__config_type *t, const char *key)
{
    const weft__config_key *row;
    for (size_t i = 0; (row = weft__config_key_at(t, i)); i++)
        if (!strcmp(row->key, key)) return row;
    return NULL;
}
