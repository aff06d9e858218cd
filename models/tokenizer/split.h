/* split.h: cuts text into pieces by the matches of a regular expression. */
#ifndef WEFT_TOKENIZER_SPLIT_H
#define WEFT_TOKENIZER_SPLIT_H

#include "regex.h"

typedef struct weft__splitter weft__splitter;

/* What becomes of the matches of the expression and of the gaps between them. */
typedef enum weft__split_behavior {
    WEFT__SPLIT_ISOLATED,   /* each match and each gap is a piece */
    WEFT__SPLIT_REMOVED,    /* gaps alone are pieces */
    WEFT__SPLIT_PREVIOUS,   /* a match ends the gap before it; matches in a row stay apart */
    WEFT__SPLIT_NEXT,       /* a match begins the gap after it; matches in a row stay apart */
    WEFT__SPLIT_CONTIGUOUS, /* matches in a row are one piece */
} weft__split_behavior;

typedef struct weft__split_options {
    bool literal; /* the pattern is a plain string */
    bool invert;  /* matches are what is between the matches */
    weft__split_behavior behavior;
} weft__split_options;

/* Errors: as weft__regex_create; FORMAT for an empty pattern. */
weft_status weft__splitter_create(const char *pattern, size_t n, weft__split_options options,
                                  weft__splitter **out, weft_error *err);
/* Each character for which `holds` is true is a match. Errors: OOM. */
weft_status weft__splitter_create_class(bool (*holds)(uint32_t c), weft__split_behavior behavior, weft__splitter **out,
                                        weft_error *err);
void weft__splitter_destroy(weft__splitter *s);

/* Calls `piece` for every non-empty piece of valid UTF-8, in order, and stops at its first failure.
 * `piece` may use the same scratch. Errors: those of `piece`, and of
 * weft__regex_next. */
typedef weft_status weft__piece_fn(void *ctx, const char *text, size_t n, weft_error *err);
weft_status weft__split(const weft__splitter *s, weft__regex_scratch *scratch, const char *text,
                        size_t n, weft__piece_fn *piece, void *ctx, weft_error *err);

#endif
