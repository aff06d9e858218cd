/* guess.h: the word that was meant, among those that there are. */
#ifndef WEFT_TOOLS_GUESS_H
#define WEFT_TOOLS_GUESS_H

#include <stddef.h>

typedef struct guess {
    const char *word;
    char best[48];
    unsigned distance; /* of best; meaningless while that is "" */
} guess;

/* Insertions, deletions, changes and swaps of neighbours that make b of a. Words above 47 bytes are far apart. */
unsigned guess_distance(const char *a, const char *b);
/* One of the words: its n bytes. Of equally near ones the first stays. */
void guess_try(guess *g, const char *candidate, size_t n);
/* "; did you mean 'x'?", or "" if nothing is near. */
const char *guess_text(const guess *g, char *buf, size_t size);

#endif
