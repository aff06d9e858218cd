/* tokenizer.h: text to token ids and back, from a Hugging Face tokenizer.json and the files beside it, or the metadata
 * of a GGUF file.
 *
 *     weft_tokenizer *tok;
 *     weft_tokens t;
 *     weft_text text;
 *     if (weft_tokenizer_open("pythia-160m", &tok, &err) ||               // a folder, or a tokenizer.json by itself
 *         weft_tokenizer_encode(tok, "Once upon", 9, NULL, &t, &err) ||
 *         weft_tokenizer_decode(tok, t.ids, t.n, NULL, &text, &err)) ...
 *
 * The components that tokenizer.json names decide: normalizers, added tokens, pre-tokenizers that cut text into
 * words, BPE, Unigram or WordPiece inside each word, template tokens around the result, and a chain of decoders
 * back. Every id and text is the one that Hugging Face `tokenizers` gives. A component that is not known here is
 * refused by name. docs/tokenizers.md says which are, and which files and keys count.
 *
 * A tokenizer never changes once it is open: any number of threads may use one at the same time. A token stream
 * belongs to one thread at a time. */
#ifndef WEFT_TOKENIZER_H
#define WEFT_TOKENIZER_H

#include "graph/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_tokenizer weft_tokenizer;

/* path: a model folder, any file of one or a GGUF file (as for weft_model_open, but nothing beside the tokenizer's
 * files needs to be there); or a tokenizer.json, and then nothing beside it is read. Reads and closes the files.
 * NOT_FOUND: there is no tokenizer. FORMAT (a broken file), UNSUPPORTED (a kind that is not known here), IO, OOM; the
 * text names the file. */
WEFT_API WEFT_MUST_USE weft_status weft_tokenizer_open(const char *path, weft_tokenizer **out, weft_error *err);
/* A tokenizer.json in memory; `name` stands in messages where the path would. `data` is not kept. */
WEFT_API WEFT_MUST_USE weft_status weft_tokenizer_parse(const void *data, size_t size, const char *name,
                                                        weft_tokenizer **out, weft_error *err);
/* Accepts NULL. No stream may use it any more. */
WEFT_API void weft_tokenizer_close(weft_tokenizer *tok);

/* ---- encode ---------------------------------------------------------------------------------------------------- */

typedef struct weft_tokens { int32_t *ids; size_t n; } weft_tokens; /* the caller's: weft_tokens_free */
WEFT_API void weft_tokens_free(weft_tokens *t);

/* The token that begins a text: as the tokenizer's files put it or not, there in any case (once), or nothing before
 * the text. */
typedef enum weft_bos { WEFT_BOS_AS_FILES, WEFT_BOS_ON, WEFT_BOS_OFF } weft_bos;

typedef struct weft_encode_desc {
    weft_bos bos;
    bool no_template;            /* none of the tokens that the files put around a text; `bos` ON still counts */
    bool special_as_text;        /* "<|endoftext|>" in the text is thirteen characters, no token */
    weft_progress_sink progress; /* of texts of 64 KiB and more: "encoding" */
} weft_encode_desc;

/* n_bytes of text (may hold NUL bytes). Invalid UTF-8 becomes U+FFFD, one for each maximal part of a sequence, as
 * Python's errors="replace" does. desc may be NULL. INVALID: `bos` is ON and no file names such a token. LIMIT: 512 MiB
 * of text or more, a normalizer makes it far too long, or a regular expression of the files needs too many steps on it.
 * UNSUPPORTED: a character has no token, and the model nothing to stand for it. CANCELLED, OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_tokenizer_encode(const weft_tokenizer *tok, const char *text, size_t n_bytes,
                                                         const weft_encode_desc *desc, weft_tokens *out,
                                                         weft_error *err);
/* Places of a text that are not UTF-8, each of which encoding replaces by one U+FFFD. */
WEFT_API size_t weft_text_faults(const char *text, size_t n_bytes);

/* What the files ask for and do not get. desc NULL: all of it; else what still matters to a text that is encoded so.
 * NULL past the end. */
WEFT_API const char *weft_tokenizer_note(const weft_tokenizer *tok, const weft_encode_desc *desc, size_t i);

/* ---- decode ---------------------------------------------------------------------------------------------------- */

typedef struct weft_decode_desc {
    bool skip_special; /* special tokens give no text */
    bool repair;       /* what is not UTF-8 becomes U+FFFD, as Hugging Face decodes; without it: the tokens' bytes */
} weft_decode_desc;

/* The text of the ids; weft_text_free it. desc may be NULL. An id past the vocabulary (models pad their output rows)
 * gives no text, as in Hugging Face. INVALID: a negative id. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_tokenizer_decode(const weft_tokenizer *tok, const int32_t *ids, size_t n,
                                                         const weft_decode_desc *desc, weft_text *out,
                                                         weft_error *err);

/* Decodes ids one by one, as a model picks them, into pieces that can be shown at once: each is whole UTF-8 sequences,
 * and no piece holds a stop string or the beginning of one. Bytes of an unfinished sequence wait for the next id; bytes
 * that can no longer become valid turn into U+FFFD; text that may still become a stop string waits until it is decided.
 * Tokens for single bytes ("<0x0A>") wait for the end of their run, which decides whether all of it is UTF-8.
 * Without stop strings all pieces together are what weft_tokenizer_decode gives with `repair`. */
typedef struct weft_token_stream weft_token_stream;

typedef struct weft_token_stream_desc {
    bool keep_special;       /* special tokens give their text, too */
    const char *const *stop; /* copied; a stop string may lie across tokens; empty ones never occur */
    uint32_t n_stop;
} weft_token_stream_desc;

/* The tokenizer outlives the stream. desc may be NULL. INVALID: a stop string that is not UTF-8. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_token_stream_create(const weft_tokenizer *tok,
                                                            const weft_token_stream_desc *desc,
                                                            weft_token_stream **out, weft_error *err);
WEFT_API void weft_token_stream_destroy(weft_token_stream *s);
/* What is certain after one more id: n_bytes (perhaps 0) of text that is the stream's, not NUL-terminated, valid until
 * the next call. Cannot fail: an id outside the vocabulary gives no text. Once a stop string has come, which is seen
 * here, the text before it is given and nothing after. */
WEFT_API const char *weft_token_stream_push(weft_token_stream *s, int32_t id, size_t *n_bytes);
/* Ends a text: gives what was held back, an unfinished sequence as one U+FFFD. The stream then takes a new text. */
WEFT_API const char *weft_token_stream_finish(weft_token_stream *s, size_t *n_bytes);
/* Which stop string the text has ended with: the first to be complete, of several that are so together the longest. -1:
 * none. How the text was cut into tokens makes no difference. */
WEFT_API int weft_token_stream_stopped(const weft_token_stream *s);

/* ---- the vocabulary -------------------------------------------------------------------------------------------- */

/* The largest id and one more, added tokens included; not every id below needs to be a token. */
WEFT_API uint32_t weft_tokenizer_size(const weft_tokenizer *tok);
/* The token as the files spell it ("Ġthe"), NUL-terminated, lent; NULL: no such id. */
WEFT_API const char *weft_tokenizer_token(const weft_tokenizer *tok, int32_t id);
/* The bytes that it stands for within a text (" the"), lent, not NUL-terminated, perhaps not UTF-8 by themselves;
 * NULL and 0: no such id. */
WEFT_API const char *weft_tokenizer_bytes(const weft_tokenizer *tok, int32_t id, size_t *n_bytes);
/* The tokens whose bytes contain one of n texts (none empty; NUL-terminated), ascending; weft_tokens_free gives them
 * back. INVALID: an empty text. OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_tokenizer_containing(const weft_tokenizer *tok, const char *const *texts,
                                                             uint32_t n, weft_tokens *out, weft_error *err);
/* The id of a token by the files' spelling; -1: none. */
WEFT_API int32_t weft_tokenizer_find(const weft_tokenizer *tok, const char *token);
WEFT_API bool weft_tokenizer_is_special(const weft_tokenizer *tok, int32_t id); /* false: no such id */
/* Added tokens in the order of adding: their number, and the id of the i-th (-1 past the end). */
WEFT_API uint32_t weft_tokenizer_added_count(const weft_tokenizer *tok);
WEFT_API int32_t weft_tokenizer_added(const weft_tokenizer *tok, uint32_t i);

/* Tokens with a name of their own: bos_token and its like in the files. */
typedef enum weft_named_token {
    WEFT_TOKEN_BOS, WEFT_TOKEN_EOS, WEFT_TOKEN_UNK, WEFT_TOKEN_SEP, WEFT_TOKEN_PAD, WEFT_TOKEN_CLS, WEFT_TOKEN_MASK,
    WEFT_TOKEN_COUNT
} weft_named_token;
/* Its id; -1: the tokenizer's files name none. (What ends a text is for the model's configuration to say, too:
 * weft_model_info.) */
WEFT_API int32_t weft_tokenizer_named(const weft_tokenizer *tok, weft_named_token which);

/* What it consists of: the i-th component of a part, by the name that the files have for it ("NFC"). Lent; NULL
 * past the end. */
typedef enum weft_tokenizer_part {
    WEFT_TOKENIZER_NORMALIZER, WEFT_TOKENIZER_PRE_TOKENIZER, WEFT_TOKENIZER_MODEL, WEFT_TOKENIZER_DECODER
} weft_tokenizer_part;
WEFT_API const char *weft_tokenizer_component(const weft_tokenizer *tok, weft_tokenizer_part part, uint32_t i);
/* The tokens that the files put before a text, or after it: the i-th id; -1 past the end. */
WEFT_API int32_t weft_tokenizer_before(const weft_tokenizer *tok, uint32_t i);
WEFT_API int32_t weft_tokenizer_after(const weft_tokenizer *tok, uint32_t i);

#ifdef __cplusplus
}
#endif
#endif
