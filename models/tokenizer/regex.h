/* regex.h: regular expressions written for Oniguruma, as tokenizer.json has them; PCRE2 runs them, within bounds. */
#ifndef WEFT_TOKENIZER_REGEX_H
#define WEFT_TOKENIZER_REGEX_H

#include "graph/base.h"

typedef struct weft__regex weft__regex;

/* literal: the pattern is a plain string. Errors: FORMAT (not a regular expression), UNSUPPORTED (a construct that the
 * two read differently), LIMIT, OOM. */
weft_status weft__regex_create(const char *pattern, size_t n, bool literal, weft__regex **out, weft_error *err);
void weft__regex_destroy(weft__regex *r);

/* Room for the matches of one thread; good for every expression. */
typedef struct weft__regex_scratch weft__regex_scratch;
weft__regex_scratch *weft__regex_scratch_create(void); /* NULL = out of memory */
void weft__regex_scratch_destroy(weft__regex_scratch *scratch);

/* The matches of a text of valid UTF-8, from left to right. An empty one that touches the one before does not count. */
typedef struct weft__regex_walk {
    const weft__regex *regex;
    weft__regex_scratch *scratch;
    const char *text;
    size_t n;
    size_t at;         /* where the search goes on */
    size_t start, end; /* the match */
    bool matched;      /* there was one */
    uint64_t spent;    /* steps, roughly, of those matches that were not cheap */
} weft__regex_walk;

/* The next match, in w->start and w->end. Errors: LIMIT (too many steps), OOM. */
weft_status weft__regex_next(weft__regex_walk *w, bool *found, weft_error *err);

#endif
