/* internal.h: what a tokenizer consists of; filled by parse.c, used by tokenizer.c. */
#ifndef WEFT_TOKENIZER_INTERNAL_H
#define WEFT_TOKENIZER_INTERNAL_H

#include "added.h"
#include "decode.h"
#include "files.h"
#include "fill.h"
#include "model.h"
#include "pretokenize.h"

struct weft_tokenizer {
    weft__vocab vocab;
    weft__normalizers normalizers;
    weft__pre_steps pre;
    weft__model model;
    weft__decoders decoders;
    bool special_as_text;     /* special tokens in a text are text */
    weft__added_token *added; /* in the order of adding */
    size_t n_added;
    uint8_t *special;         /* [vocab.n]: 1 = a special token */
    weft__matcher raw;        /* added tokens looked for in the text as it comes */
    weft__matcher normalized; /* those looked for after normalization */
    weft__ids prefix, suffix; /* the tokens around a text */
    int32_t named[WEFT_TOKEN_COUNT]; /* -1: the files name none */
    int32_t fills[WEFT__FILLS];      /* 1 + the id; 0: the files name none */
    int32_t other_bos;        /* what begins a text where they name none: of the configuration, -1: neither */
    char *origin;             /* the file, for messages */
    char **notes;
    size_t n_notes, note_capacity;
    size_t bos_note; /* which of them is about add_bos_token, from 1; 0: none */
};

/* The cache of words of one call is direct-mapped: the entry that a word goes to. */
#define WEFT__CACHE_WORDS 4096u
#define WEFT__CACHE_MIN_TEXT \
    512u /* shorter texts repeat too few words to pay for clearing the cache */
static inline uint32_t weft__cache_slot(const char *word, size_t n)
{
    uint32_t h = (uint32_t)n;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)word[i]) * 0x01000193u;
    return (h ^ h >> 15) % WEFT__CACHE_WORDS;
}

/* Keeps a note for the user. */
weft_status weft__tokenizer_add_note(weft_tokenizer *tok, weft_error *err, const char *fmt, ...)
    WEFT_PRINTF(3, 4);

#endif
