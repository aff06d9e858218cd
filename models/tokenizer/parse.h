/* parse.h: what the readers of a tokenizer's files share. */
#ifndef WEFT_TOKENIZER_PARSE_H
#define WEFT_TOKENIZER_PARSE_H

#include <jansson.h>

#include "internal.h"

/* The files as trees; NULL: not there. merges.txt becomes an array of pairs. */
typedef struct weft__trees {
    const char *name[WEFT__N_FILES]; /* for messages */
    json_t *file[WEFT__N_FILES];
    bool from_vocab; /* file[WEFT__FILE_TOKENIZER] was made from vocab.json and merges.txt */
} weft__trees;

/* Parses the files that are there. Release in any case. */
weft_status weft__trees_parse(weft__trees *t, const weft__tokenizer_file *files, weft_error *err);
void weft__trees_free(weft__trees *t);

/* Makes what tokenizer.json would be, from vocab.json, merges.txt and the class that reads them. */
weft_status weft__trees_make_tokenizer(weft__trees *t, weft_error *err);

/* The text of what was made, completed by what the other files say of the tokenizer that all of them are: spaces in
 * front, added tokens, tokens around a text. To be freed. */
weft_status weft__trees_write_tokenizer(weft__trees *t, const weft_tokenizer *of, char **text, size_t *n,
                                        weft_error *err);

/* The Python class that the files name, without its ending "Fast"; "" if they name none. */
typedef struct weft__class_name {
    char text[64];
} weft__class_name;
weft__class_name weft__tokenizer_class(const weft__trees *t);
bool weft__is_class(const weft__trees *t, const char *name);
/* Of classes that write add_prefix_space into the ByteLevel step, false if tokenizer_config.json does not say. */
bool weft__sets_prefix_space(const weft__trees *t);
/* What that class takes for bos_token and the like where no file says; NULL: nothing. */
const char *weft__default_token(const weft__trees *t, const char *key);

/* The tokens around a text, from "post_processor" of tokenizer.json; needs the vocabulary. */
weft_status weft__read_post_processor(weft_tokenizer *tok, const json_t *root, weft_error *err);
/* What tokenizer_config.json says of spaces, special tokens and the tokens around a text; last of all. */
weft_status weft__read_config(weft_tokenizer *tok, const weft__trees *t, weft_error *err);

/* The added tokens that all files together ask for, in the order in which Hugging Face adds them, with the ids that
 * they get there: that of the vocabulary, or the next one. Zero-initialise; free. */
typedef struct weft__added_entry {
    weft__span text; /* lent by the trees */
    weft__added_token token;
} weft__added_entry;

typedef struct weft__added_list {
    weft__added_entry *data;
    size_t n, capacity;
    json_t *index;       /* text to position */
    const json_t *vocab; /* text to id */
    int64_t last;        /* the largest id so far, -1: none */
    struct {
        size_t n;     /* tokens whose file gives another id */
        size_t first; /* position of the first of them */
        int64_t id;   /* and what its file says */
    } moved[WEFT__N_FILES];
} weft__added_list;
weft_status weft__added_collect(weft__added_list *list, const weft__trees *t, const json_t *vocab,
                                weft_error *err);
void weft__added_free(weft__added_list *list);
/* The texts of all ids while they are put together. */
typedef struct weft__id_texts {
    weft__span *data; /* NULL texts: no token has that id */
    size_t size;
    uint32_t n; /* the largest id and one more */
} weft__id_texts;

/* What needs no vocabulary: normalizers, pre-tokenizers, decoders, the kind of the model. */
weft_status weft__read_shape(weft_tokenizer *tok, const json_t *root, weft_error *err);
/* The vocabulary from the model's texts, to which it adds those of the added tokens. Errors: FORMAT, UNSUPPORTED,
 * OOM. */
weft_status weft__build_vocab(weft_tokenizer *tok, weft__id_texts *texts, const weft__added_list *list,
                              weft_error *err);
/* What each token is in a text, with the decoders. */
weft_status weft__read_token_bytes(weft_tokenizer *tok, weft_error *err);

/* The text of bos_token and the like; data NULL if the files name none. */
weft_status weft__named_token(const weft__trees *t, weft_named_token which, weft__span *out, weft_error *err);

#endif
