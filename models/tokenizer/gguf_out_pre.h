/* gguf_out_pre.h: how a tokenizer.json cuts texts into words, by llama.cpp's name for it. */
#ifndef WEFT_TOKENIZER_GGUF_OUT_PRE_H
#define WEFT_TOKENIZER_GGUF_OUT_PRE_H

#include <jansson.h>

/* Of a byte-level BPE; NULL: it has none, or it is not known here. */
const char *weft__tokenizer_pre_name(const json_t *root);

#endif
