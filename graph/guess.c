/* guess.c: "did you mean": the distance of Damerau and Levenshtein (optimal string alignment). */
#include "graph/guess.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 48 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned weft__guess_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned d[MOST][MOST]; /* d[i][j]: of the first i bytes of a and j of b */
    if (n >= MOST || m >= MOST) return MOST;
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            if (!i || !j) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = least(change, 1 + least(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

/* Near: a few slips for its length, or the word is a beginning. */
void weft__guess_try(weft__guess *g, const char *candidate, size_t n)
{
    char word[MOST];
    if (n >= sizeof word) return;
    memcpy(word, candidate, n);
    word[n] = 0;
    size_t length = strlen(g->word);
    unsigned distance = weft__guess_distance(g->word, word);
    if (length > 1 && !strncmp(g->word, word, length)) distance = 1;
    if (distance > 1 + length / 4 || (*g->best && distance >= g->distance)) return;
    memcpy(g->best, word, n + 1);
    g->distance = distance;
}

const char *weft__guess_text(const weft__guess *g, char *buf, size_t size)
{
    snprintf(buf, size, *g->best ? " (did you mean '%s'?)" : "%s", g->best);
    return buf;
}
