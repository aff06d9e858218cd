/* vocab.h: token texts by id and ids by text, the merge rules, and BPE of one word. */
#ifndef WEFT_TOKENIZER_VOCAB_H
#define WEFT_TOKENIZER_VOCAB_H

#include "graph/base.h"

/* A piece of text owned by somebody else. */
typedef struct weft__span {
    const char *data;
    size_t n;
} weft__span;

/* One merge rule in its hash slot: the pair of ids, its rank (the lowest goes first) and the id of the whole. */
typedef struct weft__merge {
    uint64_t pair; /* left id << 32 | right id; WEFT__NO_PAIR in an empty slot */
    uint32_t rank;
    int32_t id;
} weft__merge;
#define WEFT__NO_PAIR UINT64_MAX

/* Zero-initialise; weft__vocab_free at the end, also after a failure. */
typedef struct weft__vocab {
    uint32_t n;           /* ids are below it; some may be no tokens */
    uint8_t *of_model;    /* [n]: 1 = BPE itself can give it */
    char *text;           /* all token texts, each NUL-terminated, in order of id; nothing for no token */
    uint32_t *text_at;    /* [n + 1]: where each starts */
    char *bytes;          /* all tokens as the bytes they stand for */
    uint32_t *bytes_at;   /* [n + 1] */
    size_t longest;       /* bytes of the longest */
    uint32_t *slots;      /* hash of token texts: id + 1, 0 = empty */
    uint32_t slot_mask;   /* number of slots - 1, a power of two - 1 */
    weft__merge *merges;  /* hash of pairs */
    uint32_t merge_mask;  /* as slot_mask */
    int32_t byte_id[256]; /* the token of each byte, -1 = none */
    int32_t unk_id;       /* what stands for bytes without a token; -1: such bytes are dropped */
    bool fuse_unk;        /* one unk_id for a run of them */
} weft__vocab;

/* Takes texts[0..n), whose data is NULL where an id is no token; the others must differ. v->of_model is allocated and
 * filled before. Errors: OOM. */
weft_status weft__vocab_build(weft__vocab *v, const weft__span *texts, uint32_t n, weft_error *err);
void weft__vocab_free(weft__vocab *v);

/* The id of a token text, -1 if there is none. */
int32_t weft__vocab_find(const weft__vocab *v, const char *text, size_t n);
/* The same of the tokens that BPE can give. */
int32_t weft__vocab_find_model(const weft__vocab *v, const char *text, size_t n);
/* Whether an id below v->n is a token. */
bool weft__vocab_has(const weft__vocab *v, uint32_t id);

/* Room for n merge rules; then each in order of rank. A pair that comes again takes the later rank. Errors: OOM. */
weft_status weft__vocab_reserve_merges(weft__vocab *v, size_t n, weft_error *err);
void weft__vocab_add_merge(weft__vocab *v, int32_t left, int32_t right, uint32_t rank, int32_t id);

/* ---- BPE ---- */

/* Token ids that grow. */
typedef struct weft__ids {
    int32_t *data;
    size_t size, capacity;
} weft__ids;

/* Scratch of weft__bpe, kept from word to word. Zero-initialise; weft__bpe_scratch_free. */
typedef struct weft__bpe_scratch {
    struct weft__bpe_symbol *symbols;
    struct weft__bpe_candidate *heap;
    size_t n_symbols, symbol_capacity, heap_size, heap_capacity;
} weft__bpe_scratch;
void weft__bpe_scratch_free(weft__bpe_scratch *s);

/* Appends the ids of one word of n < 2^31 bytes, in time n log n. False = out of memory. */
bool weft__bpe(const weft__vocab *v, weft__bpe_scratch *s, const char *word, size_t n,
               weft__ids *out);

#endif
