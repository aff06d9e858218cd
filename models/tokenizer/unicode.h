/* unicode.h: UTF-8, the byte-level alphabet, and a growing byte buffer. */
#ifndef WEFT_TOKENIZER_UNICODE_H
#define WEFT_TOKENIZER_UNICODE_H

#include <string.h>

#include "graph/base.h"

/* Bytes that grow. Zero-initialise; free `data`. */
typedef struct weft__bytes {
    char *data;
    size_t size, capacity;
} weft__bytes;

/* False = out of memory. */
static inline bool weft__bytes_append(weft__bytes *b, const char *data, size_t n)
{
    if (n > SIZE_MAX - b->size || !weft__grow(&b->data, &b->capacity, b->size + n, 1)) return false;
    if (n) memcpy(b->data + b->size, data, n);
    b->size += n;
    return true;
}

typedef enum weft__utf8_kind {
    WEFT__UTF8_VALID,  /* a whole sequence */
    WEFT__UTF8_BROKEN, /* bytes that no further byte can make valid */
    WEFT__UTF8_CUT     /* the text ends inside a sequence that may still become valid */
} weft__utf8_kind;

/* Looks at the first sequence of text[0..n), n > 0: its length, or for BROKEN and CUT that of its
 * maximal subpart, which is what one U+FFFD stands for. */
size_t weft__utf8_step(const char *text, size_t n, weft__utf8_kind *kind);

/* The code point of a valid sequence, and its length in *n. */
uint32_t weft__utf8_decode(const char *text, size_t *n);

/* Writes a code point (not a surrogate) and returns its length, 1..4. */
size_t weft__utf8_encode(uint32_t c, char out[4]);

bool weft__utf8_is_valid(const char *text, size_t n);

#define WEFT__REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Appends the text with broken and cut sequences replaced. False = out of memory. */
bool weft__utf8_append_lossy(weft__bytes *out, const char *text, size_t n);

/* The byte-level alphabet writes each byte as one printable character: itself where it is printable
 * Latin-1, else one from U+0100 on, in order. */
uint32_t weft__byte_char(uint8_t byte);
int weft__char_byte(uint32_t c); /* -1: not in the alphabet */

#endif
