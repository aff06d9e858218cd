/* gguf_config.h: a GGUF file's configuration. */
#ifndef WEFT_GGUF_CONFIG_H
#define WEFT_GGUF_CONFIG_H

#include "models/checkpoint/gguf.h"
#include "models/arch.h"
#include "models/config.h"

/* As weft_config_file_open gives that of a folder. FORMAT, UNSUPPORTED: what is missing, or no such value; LIMIT; OOM.
 * Of an architecture that no definition is of it has its name alone. Keeps nothing of f. */
WEFT_MUST_USE weft_status weft__gguf_config(const weft__gguf_file *f, weft_config_file **out, weft_error *err);

/* Rows of an architecture, its own first; NULL past the end. */
const weft__gguf_key *weft__gguf_key_at(const weft__arch *a, size_t i);

#endif
