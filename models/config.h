/* config.h: Hugging Face's config.json (and generation_config.json) as the configuration class of
 * its model type reads it (config_types.c).
 *
 * A key is a name, a dotted path ("architectures.0"), or what a definition asks for, which stands for
 * the spellings that the type's table has, by precedence, and for its default. Shared by all types:
 *
 *   dtype, rope_type, rope_factor   spelled dtype or torch_dtype; type and factor of the scaling
 *   num_labels                      computed: how many entries id2label has, if it is there
 *   rope_position_scale             computed: 1 / rope_factor if rope_type is linear, else 1
 *
 * What the file says of rotary embeddings stands in rope_scaling or else in rope_parameters: as in
 * transformers, rope_scaling replaces all of rope_parameters unless it is null or empty.
 *
 * Numbers are doubles. null counts as absent where the class has no default, and is a fault where it
 * has one. Spellings that contradict each other are not refused (published folders do it): the order
 * decides, and a warning is kept. */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

#include "graph/graph.h"

typedef struct weft__hf_config weft__hf_config;

/* Reads config.json of MODEL (see models/checkpoint/checkpoint.h; MODEL may also be a config of
 * another name that ends in .json) and, where there is one, generation_config.json beside it.
 * NOT_FOUND, FORMAT, IO, OOM. */
WEFT_MUST_USE weft_status weft__hf_config_open(const char *model, weft__hf_config **out,
                                               weft_error *err);
/* From texts; generation may be NULL. `origin` is the path that errors name; they name
 * generation_config.json beside it. */
WEFT_MUST_USE weft_status weft__hf_config_parse(const char *text, size_t n, const char *generation,
                                                size_t n_generation, const char *origin,
                                                weft__hf_config **out, weft_error *err);
void weft__hf_config_destroy(weft__hf_config *c);

/* 1 found (or the type's default), 0 absent, -1 of another type. Booleans read as the numbers 1 and
 * 0; a string is never a number. */
int weft__hf_config_number(const weft__hf_config *c, const char *key, double *out);
int weft__hf_config_text(const weft__hf_config *c, const char *key, const char **out);
/* What the tensors show counts more than the file: of one key. key and source must outlive c. */
void weft__hf_config_replace(weft__hf_config *c, const char *key, double value, const char *source);
/* The path that counts for a key: where the file has it. The key itself where it has not. */
const char *weft__hf_config_spelling(const weft__hf_config *c, const char *key);

/* "bos_token_id", "eos_token_id" or "pad_token_id", each one id or a list of them: from
 * generation_config.json if that has the key, else from config.json, else the type's default. null,
 * an empty list and negative ids mean none. LIMIT if there are more than `max`. */
WEFT_MUST_USE weft_status weft__hf_config_tokens(const weft__hf_config *c, const char *key,
                                                 int32_t *out, size_t max, size_t *n,
                                                 weft_error *err);

/* Where a value comes from, for people: "config.json", "config.json: rotary_emb_base",
 * "generation_config.json", "default of gpt_neox", the source of a replacement, or "default" where
 * neither files nor type have the key. Valid until the next call with the same buffer. */
#define WEFT__SOURCE_SIZE 160
const char *weft__hf_config_source(const weft__hf_config *c, const char *key,
                                   char buf[WEFT__SOURCE_SIZE]);

/* What a model definition reads. The view borrows from c. Refuses, by name, what no definition
 * would notice: a quantised checkpoint, a kind of rotary scaling that is not supported, a scaling
 * factor without sense. */
WEFT_MUST_USE weft_status weft__hf_config_view(const weft__hf_config *c, weft_config *out,
                                               weft_error *err);

/* The longest sequence that can be run: max_position_embeddings where rope_type is dynamic, for
 * beyond it that scaling turns every earlier key anew with each token; else 0, no limit. */
uint32_t weft__hf_config_context_limit(const weft__hf_config *c);

size_t weft__hf_config_warning_count(const weft__hf_config *c);
const char *weft__hf_config_warning(const weft__hf_config *c, size_t i);
const char *weft__hf_config_origin(const weft__hf_config *c);

#endif
