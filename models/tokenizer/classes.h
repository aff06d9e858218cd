/* classes.h: classes of characters that tokenization depends on. */
#ifndef WEFT_TOKENIZER_CLASSES_H
#define WEFT_TOKENIZER_CLASSES_H

#include "unicode.h"

/* Unicode White_Space. */
bool weft__is_space(uint32_t c);

/* A character of words: letters, marks, decimal digits, connectors, joiners (UTS 18, \w). */
bool weft__is_word(uint32_t c);

bool weft__is_mark(uint32_t c);
bool weft__is_nonspacing(uint32_t c); /* a mark without a space of its own (Mn) */
bool weft__is_punctuation(uint32_t c); /* and what is a symbol in ASCII */
bool weft__is_control(uint32_t c);     /* controls, formats, private use */

/* Writes a character in lower case, without regard to its neighbours, and returns how many it becomes. */
size_t weft__to_lower(uint32_t c, uint32_t out[2]);

/* Whether c lies in one of n ranges [first, last], in ascending order. */
bool weft__in_ranges(const uint32_t (*ranges)[2], size_t n, uint32_t c);
#define WEFT__IN_RANGES(ranges, c) weft__in_ranges(ranges, sizeof(ranges) / sizeof *(ranges), c)

#endif
