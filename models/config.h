/* config.h: Hugging Face's config.json (and generation_config.json), read as the configuration class of its model type
 * reads it.
 *
 *     weft_config_file *file;
 *     weft_config c;
 *     if (weft_config_file_open("pythia-160m", &file, &err) || weft_config_file_view(file, &c, &err)) ...
 *     uint32_t width = weft_config_u32(g, &c, "hidden_size", 1, 1 << 20);      // in a definition: graph.h
 *
 * A key is a name, a dotted path ("architectures.0"), or what a definition asks for, which stands for the spellings
 * that the type's table has, by precedence, and for its default. A type without a table has no spellings and no
 * defaults: a key is then what the file has. Shared by all types:
 *
 *   dtype, rope_type   spelled dtype or torch_dtype; rope_type or type in the group below
 *   rope.factor, rope.low_freq_factor and what else a kind of rotary embedding has: in the group
 *   num_labels         computed: how many entries id2label has, if it is there
 *
 * Of a model that sees or hears beside a language model (wrappers.def) the keys stand in its text_config, read as the
 * class of that type; beside it count tie_word_embeddings, vision_config, audio_config, and dtype and token ids if set.
 *
 * What the file says of rotary embeddings stands in the group rope_scaling or else in rope_parameters: as in
 * transformers, rope_scaling replaces all of rope_parameters unless it is null or empty.
 *
 * Numbers are doubles. null counts as absent where the class has no default, says that there is none where the class
 * takes it (sliding_window of some), and is a fault elsewhere.
 * Spellings that contradict each other are not refused (published folders do it): the order decides, and a note is
 * kept. A configuration does not change once it is open; any number of threads may read it. What it lends is valid as
 * long as it is. */
#ifndef WEFT_CONFIG_H
#define WEFT_CONFIG_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_config_file weft_config_file;

/* path: a folder with a config.json, any file of one (as for weft_model_open), or a config of another name that ends
 * in .json. Reads and closes the files: it, and where there is one the generation_config.json beside it. NOT_FOUND,
 * FORMAT, IO, OOM; the text names the file. */
WEFT_API WEFT_MUST_USE weft_status weft_config_file_open(const char *path, weft_config_file **out, weft_error *err);
/* From texts, which are not kept; generation may be NULL. `origin` is the path that errors name; they name
 * generation_config.json beside it. */
WEFT_API WEFT_MUST_USE weft_status weft_config_file_parse(const char *text, size_t n, const char *generation,
                                                          size_t n_generation, const char *origin,
                                                          weft_config_file **out, weft_error *err);
WEFT_API void weft_config_file_close(weft_config_file *c); /* accepts NULL */

/* What a model definition reads: weft_config_u32 and its like, with errors that name the file and its spelling.
 * Borrows from c. UNSUPPORTED and FORMAT, by name, for what no definition would notice: a quantised checkpoint, a group
 * of rotary embeddings that is none. */
WEFT_API WEFT_MUST_USE weft_status weft_config_file_view(const weft_config_file *c, weft_config *out, weft_error *err);

/* 1 found (or the type's default), 0 absent, -1 of another type. Booleans read as the numbers 1 and 0; a string is
 * never a number. */
WEFT_API int weft_config_file_number(const weft_config_file *c, const char *key, double *out);
WEFT_API int weft_config_file_text(const weft_config_file *c, const char *key, const char **out);

/* "bos_token_id", "eos_token_id" or "pad_token_id", each one id or a list of them: from generation_config.json if that
 * has the key, else from config.json, else the type's default. null, an empty list and negative ids mean none. LIMIT
 * if there are more than `max`. FORMAT: no token ids. */
WEFT_API WEFT_MUST_USE weft_status weft_config_file_tokens(const weft_config_file *c, const char *key, int32_t *out,
                                                           size_t max, size_t *n, weft_error *err);

/* Where a value comes from, for people: "config.json", "config.json: rotary_emb_base", "generation_config.json",
 * "default of gpt_neox", or "default" where neither files nor type have the key. Returns buf. */
#define WEFT_CONFIG_SOURCE_SIZE 160
WEFT_API const char *weft_config_file_source(const weft_config_file *c, const char *key,
                                             char buf[WEFT_CONFIG_SOURCE_SIZE]);

/* Contradictions, and keys that are not read. NULL past the end. */
WEFT_API const char *weft_config_file_note(const weft_config_file *c, size_t i);

#ifdef __cplusplus
}
#endif
#endif
