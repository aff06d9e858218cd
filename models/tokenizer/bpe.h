/* bpe.h: byte pair encoding of one word. */
#ifndef WEFT_TOKENIZER_BPE_H
#define WEFT_TOKENIZER_BPE_H

#include "vocab.h"

/* One merge rule in its hash slot: the pair of ids, its rank (the lowest goes first) and the id of the whole. */
typedef struct weft__merge {
    uint64_t pair; /* left id << 32 | right id; UINT64_MAX in an empty slot */
    uint32_t rank;
    int32_t id;
} weft__merge;

#define WEFT__NO_RANK UINT32_MAX

/* Zero-initialise; weft__bpe_free at the end, also after a failure. */
typedef struct weft__bpe {
    uint32_t *rank;      /* [ids]: any two neighbours merge that are the text of a token together, the lowest rank first
                          * (WEFT__NO_RANK: never), as in SentencePiece; NULL: by the rules alone */
    weft__merge *merges; /* the rules: hash of pairs */
    uint32_t merge_mask; /* number of slots - 1, a power of two - 1 */
    int32_t byte_id[256];     /* the token of each byte's character in the byte-level alphabet, -1 = none */
    int32_t fallback_id[256]; /* "<0x00>" and so on, -1 = none */
    int32_t unk_id;           /* what stands for characters without a token; -1: they are dropped */
    bool fuse_unk;            /* one unk_id for a run of them */
    bool byte_fallback;       /* they become their bytes' tokens, if all of them have one */
    bool ignore_merges;       /* a word that is a token is not merged up to it */
    weft__bytes prefix, suffix; /* what a character's token has in front within a word, and at the end of one */
} weft__bpe;
void weft__bpe_free(weft__bpe *m);

/* Room for n merge rules; then each in order of rank. A pair that comes again takes the later rank. Errors: OOM. */
weft_status weft__bpe_reserve_merges(weft__bpe *m, size_t n, weft_error *err);
void weft__bpe_add_merge(weft__bpe *m, int32_t left, int32_t right, uint32_t rank, int32_t id);

/* Ranks instead of rules, from scores[0..v->n): the highest score first, of equal ones the lowest id. Tokens without
 * the model's mark get none, nor do those for single bytes. Errors: FORMAT (a score that is not a number), OOM. */
weft_status weft__bpe_rank(weft__bpe *m, const weft__vocab *v, const double *scores, weft_error *err);

/* Scratch of weft__bpe_encode, kept from word to word. Zero-initialise; free. */
typedef struct weft__bpe_scratch {
    struct weft__bpe_symbol *symbols;
    struct weft__bpe_candidate *heap;
    size_t n_symbols, symbol_capacity, heap_size, heap_capacity;
    weft__bytes text;
    const weft__vocab *vocab; /* of the call: it, and the word */
    weft__span word;
} weft__bpe_scratch;
void weft__bpe_scratch_free(weft__bpe_scratch *s);

/* Appends the ids of one word of n < 2^31 bytes, in time n log n. raw_bytes: they stand for their characters in the
 * byte-level alphabet, and the model has neither affixes nor byte_fallback. False = out of memory. */
bool weft__bpe_encode(const weft__bpe *m, const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n,
                      bool raw_bytes, weft__ids *out);

#endif
