/* gguf_keys.h: what the values of a GGUF file mean. Its keys, which are llama.cpp's, become those that definitions ask
 * for (config_keys.h), so that one definition does for both kinds of file. What most architectures share is in
 * gguf_config.c; what one has for itself stands in its own file (arch.h). Some of what a configuration says there is no
 * key for: it follows from which tensors there are, or llama.cpp holds it for a fact. */
#ifndef WEFT_GGUF_KEYS_H
#define WEFT_GGUF_KEYS_H

#include <math.h>
#include <stddef.h>

typedef enum weft__gguf_rule {
    WEFT__GGUF_VALUE, /* the file's number; else `number`, or nothing if that is no number */
    WEFT__GGUF_SOME,  /* the same, of which 0 says that there is none */
    WEFT__GGUF_IS,    /* whether the file's number is `number` */
    WEFT__GGUF_THERE, /* whether there is a tensor of that name */
    WEFT__GGUF_LACKS, /* whether there is none */
    WEFT__GGUF_ONE_MORE, /* 1, and 2 where there is one */
    WEFT__GGUF_FACT,  /* `number`, whatever the file */
    WEFT__GGUF_SCALE, /* of attention: the file's number; else (width of a head)^-1/2 */
    WEFT__GGUF_WIDTH, /* of a head: the file's; of models with `number` layers the embedding's by heads */
} weft__gguf_rule;

typedef struct weft__gguf_key {
    const char *key;     /* that definitions ask for */
    weft__gguf_rule rule;
    const char *in_file; /* a key without the architecture that begins it, or a tensor */
    double number;
} weft__gguf_key;

/* ---- words for tables ---- */

#define TAKEN(key, in_file)            { key, WEFT__GGUF_VALUE, in_file, NAN }
#define TAKEN_OR(key, in_file, number) { key, WEFT__GGUF_VALUE, in_file, number }
#define TAKEN_SOME(key, in_file)       { key, WEFT__GGUF_SOME, in_file, NAN }
#define IS(key, in_file, number)       { key, WEFT__GGUF_IS, in_file, number }
#define THERE(key, tensor)             { key, WEFT__GGUF_THERE, tensor, NAN }
#define LACKS(key, tensor)             { key, WEFT__GGUF_LACKS, tensor, NAN }
#define ONE_MORE(key, tensor)          { key, WEFT__GGUF_ONE_MORE, tensor, NAN }
#define FACT(key, number)              { key, WEFT__GGUF_FACT, NULL, number }
#define SCALE(key, in_file)            { key, WEFT__GGUF_SCALE, in_file, NAN }
#define WIDTH(key, layers)             { key, WEFT__GGUF_WIDTH, "attention.key_length", layers }

#endif
