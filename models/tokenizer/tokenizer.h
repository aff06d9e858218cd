/* tokenizer.h: text to token ids and back, from a Hugging Face tokenizer.json.
 *
 * Byte-level BPE as the GPT-NeoX, GPT-2 and LLaMA-3 families use it: normalizer (none or NFC),
 * added tokens, a regular expression that cuts text into words, merges inside each word, optional
 * template tokens around the result. Every id is the one that Hugging Face `tokenizers` gives. A
 * file that asks for anything else is refused by name. The file's `truncation` and `padding` are not applied.
 * The files beside it count as well: docs/tokenizers.md says how.
 *
 *     weft__tokenizer *tok;
 *     WEFT_TRY(weft__tokenizer_open("model/tokenizer.json", &tok, err));
 *     int32_t *ids;
 *     size_t n;
 *     WEFT_TRY(weft__tokenizer_encode(tok, "Once upon", 9, 0, NULL, &ids, &n, err));
 *     ...
 *     free(ids);
 *     weft__tokenizer_destroy(tok);
 *
 * A tokenizer is immutable once open; any number of threads may use one at the same time (not one stream). */
#ifndef WEFT_TOKENIZER_H
#define WEFT_TOKENIZER_H

#include "graph/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft__tokenizer weft__tokenizer;

/* Reads a tokenizer.json by itself. Errors: NOT_FOUND, IO, FORMAT (broken file), UNSUPPORTED (a kind of
 * tokenizer not known here), OOM. */
weft_status weft__tokenizer_open(const char *path, weft__tokenizer **out,
                                 weft_error *err) WEFT_MUST_USE;

/* The same from memory; `name` stands in error texts where the path would. `data` is not kept. */
weft_status weft__tokenizer_parse(const void *data, size_t size, const char *name,
                                  weft__tokenizer **out, weft_error *err) WEFT_MUST_USE;

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
weft_status weft__tokenizer_parse_files(const weft__tokenizer_file files[WEFT__N_FILES],
                                        weft__tokenizer **out, weft_error *err) WEFT_MUST_USE;

/* The same from a folder. NOT_FOUND if it has no tokenizer. */
weft_status weft__tokenizer_open_folder(const char *folder, weft__tokenizer **out,
                                        weft_error *err) WEFT_MUST_USE;
/* Whether the folder has one: tokenizer.json, or vocab.json and merges.txt. */
weft_status weft__tokenizer_in_folder(const char *folder, bool *there, weft_error *err) WEFT_MUST_USE;

/* What of the files is not done, or not as they say it. NULL past the end. */
const char *weft__tokenizer_note(const weft__tokenizer *tok, size_t i);
/* The one of them that says what becomes of add_bos_token, or NULL. */
const char *weft__tokenizer_bos_note(const weft__tokenizer *tok);

void weft__tokenizer_destroy(weft__tokenizer *tok);

/* ---- encode ---- */

typedef enum weft__encode_flags {
    WEFT__ENCODE_SPECIAL_AS_TEXT =
        1, /* "<|endoftext|>" in the text is thirteen characters, not a token */
    WEFT__ENCODE_NO_TEMPLATE =
        2, /* leave out the tokens that the file's template puts before and after */
    WEFT__ENCODE_NO_PREFIX = 4 /* leave out those before */
} weft__encode_flags;

/* Encodes `n_bytes` of text (may hold NUL bytes; NULL if n_bytes is 0) into a malloc'd array that
 * the caller frees. Invalid UTF-8 becomes U+FFFD, one for each maximal part of a sequence, as
 * Python's errors="replace" does. *ids is never NULL on success. Texts of 64 KiB and more tell
 * `progress` (may be NULL). Errors: CANCELLED by it; OOM; LIMIT (2 GiB of text
 * or more, or the file's own regular expression needs too many steps on this text). */
weft_status weft__tokenizer_encode(const weft__tokenizer *tok, const char *text, size_t n_bytes,
                                   unsigned flags, const weft_progress_sink *progress, int32_t **ids,
                                   size_t *n_ids, weft_error *err) WEFT_MUST_USE;

/* ---- decode ---- */

typedef enum weft__decode_flags {
    WEFT__DECODE_SKIP_SPECIAL = 1, /* special tokens give no text */
    WEFT__DECODE_LOSSY =
        2 /* invalid UTF-8 becomes U+FFFD, as Hugging Face decodes; without it: exact bytes */
} weft__decode_flags;

/* Decodes ids into a malloc'd, NUL-terminated text that the caller frees. An id past the vocabulary
 * (models pad their output rows) gives no text, as in Hugging Face. Errors: OOM; INVALID (a negative id). */
weft_status weft__tokenizer_decode(const weft__tokenizer *tok, const int32_t *ids, size_t n_ids,
                                   unsigned flags, char **text, size_t *n_bytes,
                                   weft_error *err) WEFT_MUST_USE;

/* Decodes ids one by one. What push returns is always whole UTF-8 sequences: bytes of an unfinished
 * one wait for the next id, bytes that can no longer become valid turn into U+FFFD. All texts put
 * together, flush included, are what weft__tokenizer_decode gives with WEFT__DECODE_LOSSY.
 * Zero-initialise, init, push..., flush, free. */
typedef struct weft__token_stream {
    const weft__tokenizer *tok;
    char *text;        /* room for the longest token, all of it invalid */
    char pending[4];   /* the start of a sequence, not yet returned */
    uint8_t n_pending; /* 0..3 */
    bool skip_special;
} weft__token_stream;

weft_status weft__token_stream_init(weft__token_stream *s, const weft__tokenizer *tok,
                                    bool skip_special, weft_error *err) WEFT_MUST_USE;
/* The text is the stream's, not NUL-terminated, valid until the next call; *n_bytes may be 0.
 * Cannot fail: an id outside the vocabulary gives no text. */
const char *weft__token_stream_push(weft__token_stream *s, int32_t id, size_t *n_bytes);
/* Ends a text: an unfinished sequence comes out as one U+FFFD. The stream can then take a new text. */
const char *weft__token_stream_flush(weft__token_stream *s, size_t *n_bytes);
void weft__token_stream_free(weft__token_stream *s);

/* ---- the vocabulary ---- */

/* The largest id and one more, added tokens included; not every id below needs to be a token. */
uint32_t weft__tokenizer_size(const weft__tokenizer *tok);

/* The token as the file spells it ("Ġthe"), NUL-terminated, owned by the tokenizer; NULL for an unknown id. */
const char *weft__tokenizer_token(const weft__tokenizer *tok, int32_t id);

/* The bytes that the token stands for (" the"), owned by the tokenizer, not NUL-terminated, perhaps
 * not UTF-8 by themselves; NULL and 0 for an unknown id. */
const char *weft__tokenizer_bytes(const weft__tokenizer *tok, int32_t id, size_t *n_bytes);

/* The id of a token by the file's spelling, or -1. */
int32_t weft__tokenizer_find(const weft__tokenizer *tok, const char *token);

/* Special tokens are left out by WEFT__DECODE_SKIP_SPECIAL. False for an unknown id. */
bool weft__tokenizer_is_special(const weft__tokenizer *tok, int32_t id);

/* The id of bos_token; -1: the files name none. */
int32_t weft__tokenizer_bos(const weft__tokenizer *tok);
/* The ids that are put before a text. */
const int32_t *weft__tokenizer_prefix(const weft__tokenizer *tok, size_t *n);

/* Added tokens in the order of adding: their number, and the id of the i-th (-1 past the end). */
size_t weft__tokenizer_added_count(const weft__tokenizer *tok);
int32_t weft__tokenizer_added(const weft__tokenizer *tok, size_t i);

#ifdef __cplusplus
}
#endif
#endif
