/* split.c: the pieces of a text, by what becomes of matches and of the gaps between them. */
#include "split.h"

#include <stdlib.h>

#include "unicode.h"

struct weft__splitter {
    weft__regex *regex;           /* or */
    bool (*holds)(uint32_t c);    /* each character of this class is a match */
    weft__split_options options;
};

weft_status weft__splitter_create_class(bool (*holds)(uint32_t c), weft__split_behavior behavior, weft__splitter **out,
                                        weft_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return WEFT_OOM_FAIL(err, "a pre-tokenizer");
    **out = (weft__splitter){ .holds = holds, .options = { .behavior = behavior } };
    return WEFT_OK;
}

weft_status weft__splitter_create(const char *pattern, size_t n, weft__split_options options, weft__splitter **out,
                                  weft_error *err)
{
    *out = NULL;
    if (n == 0) return WEFT_FAIL(err, WEFT_FORMAT, "the pattern is empty");
    weft__splitter *s = calloc(1, sizeof *s);
    if (!s) return WEFT_OOM_FAIL(err, "a regular expression");
    s->options = options;
    weft_status status = weft__regex_create(pattern, n, options.literal, &s->regex, err);
    if (status != WEFT_OK) weft__splitter_destroy(s);
    else *out = s;
    return status;
}

void weft__splitter_destroy(weft__splitter *s)
{
    if (!s) return;
    weft__regex_destroy(s->regex);
    free(s);
}

/* ---- pieces ---- */

/* The piece that may still grow: [start, end), made of matches and gaps. */
typedef struct piece_state {
    const weft__splitter *s;
    const char *text;
    size_t start, end;
    bool open, last_match; /* there is one; its last part is a match */
    weft__piece_fn *piece;
    void *ctx;
} piece_state;

static bool joins(weft__split_behavior behavior, bool is_match, bool after_match)
{
    switch (behavior) {
    case WEFT__SPLIT_PREVIOUS: return is_match && !after_match;
    case WEFT__SPLIT_NEXT: return !is_match && after_match;
    case WEFT__SPLIT_CONTIGUOUS: return is_match == after_match;
    default: return false;
    }
}

static weft_status flush_piece(piece_state *p, weft_error *err)
{
    bool full = p->open && p->end > p->start;
    p->open = false;
    return full ? p->piece(p->ctx, p->text + p->start, p->end - p->start, err) : WEFT_OK;
}

/* The next match, perhaps empty, or gap. Empty ones give no piece, but they stand between others. */
static weft_status add_part(piece_state *p, size_t start, size_t end, bool is_match,
                            weft_error *err)
{
    is_match ^= p->s->options.invert;
    if (p->open && joins(p->s->options.behavior, is_match, p->last_match)) {
        p->end = end;
    } else {
        WEFT_TRY(flush_piece(p, err));
        p->start = start;
        p->end = end;
        p->open = !(is_match && p->s->options.behavior == WEFT__SPLIT_REMOVED);
    }
    p->last_match = is_match;
    return WEFT_OK;
}

/* The matches of a class, one character each. */
static weft_status add_class_parts(piece_state *p, size_t n, weft_error *err)
{
    size_t done = 0;
    for (size_t i = 0, k; i < n; i += k) {
        if (!p->s->holds(weft__utf8_decode(p->text + i, &k))) continue;
        if (i > done) WEFT_TRY(add_part(p, done, i, false, err));
        WEFT_TRY(add_part(p, i, i + k, true, err));
        done = i + k;
    }
    return n > done ? add_part(p, done, n, false, err) : WEFT_OK;
}

static weft_status add_regex_parts(piece_state *p, weft__regex_scratch *scratch, size_t n, weft_error *err)
{
    weft__regex_walk w = { .regex = p->s->regex, .scratch = scratch, .text = p->text, .n = n };
    size_t done = 0; /* the end of the last match */
    for (bool found;; done = w.end) {
        WEFT_TRY(weft__regex_next(&w, &found, err));
        if (!found) break;
        if (w.start > done) WEFT_TRY(add_part(p, done, w.start, false, err));
        WEFT_TRY(add_part(p, w.start, w.end, true, err));
    }
    return n > done ? add_part(p, done, n, false, err) : WEFT_OK;
}

weft_status weft__split(const weft__splitter *s, weft__regex_scratch *scratch, const char *text, size_t n,
                        weft__piece_fn *piece, void *ctx, weft_error *err)
{
    piece_state p = { .s = s, .text = text, .piece = piece, .ctx = ctx };
    WEFT_TRY(s->holds ? add_class_parts(&p, n, err) : add_regex_parts(&p, scratch, n, err));
    return flush_piece(&p, err);
}
