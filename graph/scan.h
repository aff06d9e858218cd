/* scan.h: a cursor over a text of lines. Everything that is taken may stand behind blanks; what is not there is an
 * error that reads "origin:line:column: fault". A word, number or string never reaches over the end of its line. */
#ifndef WEFT_SCAN_H
#define WEFT_SCAN_H

#include "graph/graph_impl.h"

enum { WEFT__SCAN_WORD = 64, WEFT__SCAN_STRING = WEFT__MAX_NAME + 1 }; /* bytes, with the end */

typedef struct weft__scanner {
    const char *at, *end, *line_start;
    uint32_t line;
    const char *origin;
    weft_error *err;
} weft__scanner;

/* Errors at the cursor or at a place before it; `word` is quoted behind the text. annotate: puts the place in front. */
weft_status weft__scan_fail(const weft__scanner *s, const char *text);
weft_status weft__scan_fail_at(const weft__scanner *s, const char *at, const char *text);
weft_status weft__scan_fail_word(const weft__scanner *s, const char *at, const char *text, const char *word);
weft_status weft__scan_annotate(const weft__scanner *s, const char *at, weft_status status);

int weft__scan_peek(const weft__scanner *s); /* the next character, -1 at the end */
void weft__scan_blanks(weft__scanner *s);
bool weft__scan_is_digit(int c);
/* Takes a character or a word if it is next. */
bool weft__scan_accept(weft__scanner *s, char c);
bool weft__scan_accept_word(weft__scanner *s, const char *word);
weft_status weft__scan_expect(weft__scanner *s, char c);
bool weft__scan_at_line_end(weft__scanner *s);
/* Goes to the next line; only a comment may stand before its end. */
weft_status weft__scan_end_line(weft__scanner *s);

/* A word of letters, digits, underscores and the characters of `extra`. wanted: the error where there is none. */
weft_status weft__scan_word(weft__scanner *s, const char *extra, char *out, const char *wanted);
weft_status weft__scan_int(weft__scanner *s, int64_t lo, int64_t hi, int64_t *out);
/* "..." with \" and \\ inside. */
weft_status weft__scan_string(weft__scanner *s, char out[WEFT__SCAN_STRING]);
/* A number, or its bits as 0x... of at most `digits` digits: then *is_bits is set, and *bits instead of *out. */
weft_status weft__scan_float(weft__scanner *s, size_t digits, bool *is_bits, uint32_t *bits, float *out);

#endif
