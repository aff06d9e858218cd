/* config.h: Hugging Face's config.json (and generation_config.json), in every spelling, behind canonical keys.
 *
 * A key is a name, a dotted path ("rope_parameters.factor", "architectures.0"), or a canonical name
 * that stands for several spellings; the first that is present and not null counts, in this order:
 *
 *   rope_theta               rope_parameters.rope_theta, rope_theta, rotary_emb_base
 *   partial_rotary_factor    rope_parameters.partial_rotary_factor, partial_rotary_factor, rotary_pct
 *   rope_type                rope_parameters.{rope_type, type}, rope_scaling.{rope_type, type}
 *   rope_factor              rope_parameters.factor, rope_scaling.factor
 *   dtype                    dtype, torch_dtype
 *   hidden_act               hidden_act, activation_function
 *   hidden_size              hidden_size, n_embd
 *   num_hidden_layers        num_hidden_layers, n_layer
 *   num_attention_heads      num_attention_heads, n_head
 *   max_position_embeddings  max_position_embeddings, n_positions
 *   intermediate_size        intermediate_size, n_inner
 *   layer_norm_eps           layer_norm_eps, layer_norm_epsilon
 *   num_labels               computed: how many entries id2label has, if it is there
 *   rope_position_scale      computed: 1 / rope_factor if rope_type is linear, else 1
 *
 * Spellings that contradict each other are not refused (published folders do it): the order
 * decides, and a warning is kept. Defaults are the model definition's, except for token ids, whose
 * defaults depend on model_type.
 */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

#include "graph/graph.h"

typedef struct weft__hf_config weft__hf_config;

/* Reads config.json of MODEL (see models/checkpoint/checkpoint.h; MODEL may also be a config of
 * another name that ends in .json) and, where there is one, generation_config.json beside it.
 * NOT_FOUND, FORMAT, IO, OOM. */
WEFT_MUST_USE weft_status weft__hf_config_open(const char *model, weft__hf_config **out,
                                               weft_error *err);
/* From texts; generation may be NULL. `origin` is named in errors. */
WEFT_MUST_USE weft_status weft__hf_config_parse(const char *text, size_t n, const char *generation,
                                                size_t n_generation, const char *origin,
                                                weft__hf_config **out, weft_error *err);
void weft__hf_config_destroy(weft__hf_config *c);

/* 1 found, 0 absent or null, -1 of another type. Booleans read as the numbers 1 and 0; a string is never a number. */
int weft__hf_config_number(const weft__hf_config *c, const char *key, double *out);
int weft__hf_config_text(const weft__hf_config *c, const char *key, const char **out);
/* An array of numbers: up to `max` of them are written, *n is how many there are. */
int weft__hf_config_numbers(const weft__hf_config *c, const char *key, double *out, size_t max,
                            size_t *n);
/* A whole number in min..max; NOT_FOUND if absent, FORMAT (naming key, value and range) if it is anything else. */
WEFT_MUST_USE weft_status weft__hf_config_u32(const weft__hf_config *c, const char *key,
                                              uint32_t min, uint32_t max, uint32_t *out,
                                              weft_error *err);

/* "bos_token_id", "eos_token_id" or "pad_token_id", each one id or a list of them: from
 * generation_config.json, else from config.json, else the default of the model type. null means
 * none. LIMIT if there are more than `max`. */
WEFT_MUST_USE weft_status weft__hf_config_tokens(const weft__hf_config *c, const char *key,
                                                 int32_t *out, size_t max, size_t *n,
                                                 weft_error *err);

/* What a model definition reads. The view borrows from c. Refuses, by name, what no definition
 * would notice: a quantised checkpoint, a kind of rotary scaling that is not supported, a scaling
 * factor without sense. */
WEFT_MUST_USE weft_status weft__hf_config_view(const weft__hf_config *c, weft_config *out,
                                               weft_error *err);

size_t weft__hf_config_warning_count(const weft__hf_config *c);
const char *weft__hf_config_warning(const weft__hf_config *c, size_t i);
const char *weft__hf_config_origin(const weft__hf_config *c);

#endif
