/* wordpiece.c: greedy longest match. */
#include "wordpiece.h"

#include <stdlib.h>

void weft__wordpiece_free(weft__wordpiece *m)
{
    free(m->tokens.order);
    free(m->prefix.data);
    *m = (weft__wordpiece){ 0 };
}

/* The longest token that word[at..n) begins with: its id or -1, and where it ends. */
static int32_t longest(const weft__wordpiece *m, const weft__vocab *v, const char *word, size_t n, size_t at,
                       size_t *end)
{
    weft__prefix_walk w = weft__prefixes_begin(&m->tokens);
    size_t n_prefix = at > 0 ? m->prefix.size : 0;
    int32_t best = -1;
    for (size_t i = 0; i < n_prefix; i++)
        if (!weft__prefixes_step(&m->tokens, v, &w, m->prefix.data[i])) return -1;
    while (at + w.n - n_prefix < n && weft__prefixes_step(&m->tokens, v, &w, word[at + w.n - n_prefix])) {
        int32_t id = weft__prefixes_here(&m->tokens, v, &w);
        if (id < 0) continue;
        best = id;
        *end = at + w.n - n_prefix;
    }
    return best;
}

bool weft__wordpiece_encode(const weft__wordpiece *m, const weft__vocab *v, const char *word, size_t n, weft__ids *out)
{
    size_t first = out->size, n_chars = 0;
    for (size_t i = 0; i < n; i++) n_chars += ((uint8_t)word[i] & 0xC0) != 0x80;
    bool known = n_chars <= m->most;
    for (size_t at = 0; at < n && known;) {
        int32_t id = longest(m, v, word, n, at, &at);
        known = id >= 0;
        if (known && !weft__ids_append(out, &id, 1)) return false;
    }
    if (known) return true;
    out->size = first;
    return weft__ids_append(out, &m->unk_id, 1);
}
