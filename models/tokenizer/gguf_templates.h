/* gguf_templates.h: chat templates of a folder as keys of a GGUF file, and back. */
#ifndef WEFT_TOKENIZER_GGUF_TEMPLATES_H
#define WEFT_TOKENIZER_GGUF_TEMPLATES_H

#include "models/checkpoint/gguf_out.h"

/* "chat_template" of a tokenizer_config.json, a text or a list of named ones: tokenizer.chat_template, and of others
 * than "default" tokenizer.chat_template.NAME and the list of their names. usual: the template of chat_template.jinja,
 * which counts instead of the file's usual one; text NULL: there is no such file. FORMAT: no JSON. */
WEFT_MUST_USE weft_status weft__gguf_put_templates(const char *config, size_t n, const char *origin,
                                                   weft__gguf_string usual, weft__gguf_kv *kv, weft_error *err);

/* A tokenizer_config.json that has the file's templates and nothing else, to be freed; NULL: it has none. */
WEFT_MUST_USE weft_status weft__gguf_templates_config(const weft__gguf_file *f, char **text, size_t *n,
                                                      weft_error *err);

#endif
