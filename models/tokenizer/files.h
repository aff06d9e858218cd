/* files.h: the files that a tokenizer is made from, for the rest of the library. */
#ifndef WEFT_TOKENIZER_FILES_H
#define WEFT_TOKENIZER_FILES_H

#include "models/checkpoint/gguf.h"
#include "tokenizer.h"

/* The files of a folder that say what its tokenizer is. config.json counts only where there is no tokenizer.json. */
enum {
    WEFT__FILE_TOKENIZER,
    WEFT__FILE_VOCAB,
    WEFT__FILE_MERGES,
    WEFT__FILE_CONFIG,
    WEFT__FILE_SPECIAL,
    WEFT__FILE_ADDED,
    WEFT__FILE_MODEL,
    WEFT__N_FILES
};
#define WEFT__TOKENIZER_FILES                                             \
    "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", \
        "special_tokens_map.json", "added_tokens.json", "config.json"
#define WEFT__TOKENIZER_FILE_MAX ((size_t)256 << 20) /* offsets into token texts have 32 bits */

typedef struct weft__tokenizer_file {
    const char *name; /* for messages; NULL: its usual name */
    const void *data; /* NULL: not there */
    size_t size;
} weft__tokenizer_file;

/* A tokenizer from all of its files, in the order above. tokenizer.json, or vocab.json and merges.txt, must be there;
 * with the first, the other two and config.json are not looked at. */
WEFT_MUST_USE weft_status weft__tokenizer_parse_files(const weft__tokenizer_file files[WEFT__N_FILES],
                                                      weft_tokenizer **out, weft_error *err);
/* The same from a folder. bos: the token that begins a text where the tokenizer's files name none; -1: no such.
 * NOT_FOUND if it has no tokenizer. */
WEFT_MUST_USE weft_status weft__tokenizer_open_folder(const char *folder, int32_t bos, weft_tokenizer **out,
                                                      weft_error *err);
/* Whether the folder has one: tokenizer.json, or vocab.json and merges.txt. */
WEFT_MUST_USE weft_status weft__tokenizer_in_folder(const char *folder, bool *there, weft_error *err);

/* The tokenizer.json of a folder that has a tokenizer, `of`: the file as it is, or what stands for vocab.json,
 * merges.txt and what the files beside them say. To be freed. */
WEFT_MUST_USE weft_status weft__tokenizer_text(const char *folder, const weft_tokenizer *of, char **text, size_t *n,
                                               weft_error *err);

/* The tokenizer of a model: that of its GGUF file, if it comes from one (NULL: it does not) and that has one, else the
 * folder's (NULL: it has none). */
WEFT_MUST_USE weft_status weft__tokenizer_in_model(const weft__gguf_file *gguf, const char *folder, bool *there,
                                                   weft_error *err);
WEFT_MUST_USE weft_status weft__tokenizer_open_model(const weft__gguf_file *gguf, const char *folder, int32_t bos,
                                                     weft_tokenizer **out, weft_error *err);

#endif
