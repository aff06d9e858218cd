/* guess.h: the word that was meant, among those that there are: of options, commands and the names of a graph's
 * text. */
#ifndef WEFT_GUESS_H
#define WEFT_GUESS_H

#include <stddef.h>

typedef struct weft__guess {
    const char *word;
    char best[48];
    unsigned distance; /* of best; meaningless while that is "" */
} weft__guess;

/* Insertions, deletions, changes and swaps of neighbours that make b of a. Words above 47 bytes are far apart. */
unsigned weft__guess_distance(const char *a, const char *b);
/* One of the words: its n bytes. Of equally near ones the first stays. */
void weft__guess_try(weft__guess *g, const char *candidate, size_t n);
/* "; did you mean 'x'?", or "" if nothing is near. */
const char *weft__guess_text(const weft__guess *g, char *buf, size_t size);

#endif
