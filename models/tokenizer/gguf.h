/* gguf.h: the tokenizer in the metadata of a GGUF file. */
#ifndef WEFT_TOKENIZER_GGUF_H
#define WEFT_TOKENIZER_GGUF_H

#include "models/checkpoint/gguf.h"
#include "tokenizer.h"

/* Whether the file has one; some hold weights alone. */
bool weft__gguf_has_tokenizer(const weft__gguf_file *f);

/* A tokenizer, which keeps nothing of the file. bos: the token that begins a text where the file names none; -1: no
 * such. NOT_FOUND: it has none; FORMAT, UNSUPPORTED (a kind of tokenizer, or a pre-tokenizer's name, that is not
 * known), LIMIT, OOM; the text names the file and the key. */
WEFT_MUST_USE weft_status weft__tokenizer_from_gguf(const weft__gguf_file *f, int32_t bos, weft_tokenizer **out,
                                                    weft_error *err);

/* The tokens that end a text or a turn: those that the file names, then those that are known by their texts
 * ("<|im_end|>"), each once, the first `room` of them. Returns how many. */
size_t weft__gguf_end_tokens(const weft__gguf_file *f, int32_t *ids, size_t room);

/* The chat template as the file has it; name NULL: the usual one. False: there is none of that name. */
bool weft__gguf_chat_template(const weft__gguf_file *f, const char *name, weft__gguf_string *out);

#endif
