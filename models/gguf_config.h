/* gguf_config.h: a GGUF file's configuration. */
#ifndef WEFT_GGUF_CONFIG_H
#define WEFT_GGUF_CONFIG_H

#include "models/checkpoint/gguf.h"
#include "models/config.h"

/* As weft_config_file_open gives that of a folder. FORMAT, UNSUPPORTED: what is missing, or no such value; LIMIT; OOM.
 * Of an architecture that no definition is of it has its name alone. Keeps nothing of f. */
WEFT_MUST_USE weft_status weft__gguf_config(const weft__gguf_file *f, weft_config_file **out, weft_error *err);

#endif
