/* windows.h: a tiny model whose layers see windows of their own, with its arithmetic in double precision.
 *
 * h = embed[token]; each layer adds what attention with itself as query, key and value makes of h; logits = head h. */
#ifndef TEST_WINDOWS_H
#define TEST_WINDOWS_H

#include "models/model.h"

enum { WINDOWS_VOCAB = 40, WINDOWS_HEADS = 2, WINDOWS_EMBED = 16, WINDOWS_MOST = 512 };
enum { WINDOWS_NAN = WINDOWS_VOCAB - 1 }; /* a token whose embedding is NaN: a call with it fails */

typedef struct windows_model { const char *name; uint32_t n_layers, window[4]; } windows_model;

/* Over these windows, lent, 0: all; sequences of up to `context` tokens. */
weft_status windows_open(const windows_model *w, uint32_t context, weft_model **out, weft_error *err);
/* Logits of the last of n tokens, at most MOST. */
void windows_logits(const windows_model *w, const int32_t *ids, uint32_t n, double *out);

/* A token of the i-th place of a text, not NAN. */
int32_t windows_word(uint32_t i);

/* Where a sequence of n tokens has cells from, in pages of `page`: those that the next token sees, and before them in
 * their page. */
uint32_t windows_begin(uint32_t window, uint32_t n, uint32_t page);
/* Whether one of n tokens can become its first k. Of one that was loaded when it had `loaded` tokens there is nothing
 * of the page but what that token saw. */
bool windows_can_end(const windows_model *w, uint32_t n, uint32_t loaded, uint32_t k, uint32_t page);

#endif
