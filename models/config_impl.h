/* config_impl.h: what models alone need of a configuration. */
#ifndef WEFT_CONFIG_IMPL_H
#define WEFT_CONFIG_IMPL_H

#include <jansson.h>

#include "models/config.h"
#include "models/config_keys.h"

/* weft_config_file_parse in two steps: of no type; then of one. Without the keys it knows none but the file's own. */
weft_status weft__config_parse(const char *text, size_t n, const char *generation, size_t n_generation,
                               const char *origin, weft_config_file **out, weft_error *err);
weft_status weft__config_take_keys(weft_config_file *c, const weft__config_keys *keys, weft_error *err);

/* A configuration of what a file says in words of its own: `tree` has the keys that definitions ask for (an object for
 * what has a dot in its name), `spelled` the file's word for each. Takes both, whatever comes of it. Then give it its
 * type's keys, whose defaults count but no spellings. */
weft_status weft__config_from_tree(json_t *tree, json_t *spelled, const char *origin, weft_config_file **out,
                                   weft_error *err);
/* Keeps a note. */
weft_status weft__config_warn(weft_config_file *c, weft_error *err, const char *fmt, ...) WEFT_PRINTF(3, 4);

/* What the tensors show counts more than the file: of one key. key and source must outlive c. Before anybody else reads
 * it. */
void weft__config_replace(weft_config_file *c, const char *key, double value, const char *source);
/* The path that counts for a key: where the file has it. The key itself where it has not. */
const char *weft__config_spelling(const weft_config_file *c, const char *key);

/* The file's path; a view's origin is that, or the part of it that the keys stand in. */
const char *weft__config_origin(const weft_config_file *c);

/* weft_config_file_view, whatever the file asks for. */
weft_config weft__config_view_unchecked(const weft_config_file *c);

/* The longest sequence that can be run: max_position_embeddings where rope_type is dynamic, for
 * beyond it that scaling turns every earlier key anew with each token; else 0, no limit. */
uint32_t weft__config_context_limit(const weft_config_file *c);

#endif
