/* decode.h: the decoder of a tokenizer: token texts to text, one after the other. */
#ifndef WEFT_TOKENIZER_DECODE_H
#define WEFT_TOKENIZER_DECODE_H

#include <jansson.h>

#include "vocab.h"

#define WEFT__DECODERS_MAX 16

/* A step of the chain: tokens come in, tokens go to the next step. */
typedef struct weft__decoder {
    const char *name;
    const struct weft__decoder_kind *kind;
    weft__bytes pattern, content; /* Replace; the replacement, prefix or suffix of the others */
    uint32_t start, stop;         /* Strip */
    bool flag;                    /* Metaspace: a space in front goes; WordPiece: spaces before punctuation go */
    bool fused;                   /* all tokens are one here: after Fuse */
    size_t most;                  /* bytes that come in at once */
} weft__decoder;

typedef struct weft__decoders {
    weft__decoder step[WEFT__DECODERS_MAX];
    size_t n;
    bool bytes;  /* the tokens' bytes alone make the text: ByteLevel, and what else there is changes nothing */
    size_t most; /* bytes that one token can give, with what waited for it */
} weft__decoders;

/* From "decoder" of a tokenizer.json. Free in any case. */
weft_status weft__read_decoders(weft__decoders *list, const json_t *root, weft_error *err);
void weft__decoders_free(weft__decoders *list);

/* Sets how much comes in at each step, for tokens of up to `longest` bytes. Errors: LIMIT. */
weft_status weft__decoders_measure(weft__decoders *list, size_t longest, weft_error *err);

/* Takes text as it comes out at the end. False = out of memory. */
typedef bool weft__text_fn(void *ctx, const char *text, size_t n);

/* A chain at work on one text. */
typedef struct weft__decoding weft__decoding;

/* raw: the tokens' bytes, also where they are not UTF-8. NULL = out of memory. */
weft__decoding *weft__decoding_create(const weft__decoders *list, bool raw, weft__text_fn *text, void *ctx);
void weft__decoding_destroy(weft__decoding *d);

/* The next token's text. False = `text` said so. */
bool weft__decoding_push(weft__decoding *d, const char *token, size_t n);
/* No more tokens: what waits comes out, and a new text begins. */
bool weft__decoding_finish(weft__decoding *d);

/* The bytes that a token stands for in the middle of a text, each text by itself. */
bool weft__decoding_alone(weft__decoding *d, const char *token, size_t n);

#endif
