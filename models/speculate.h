/* speculate.h: how many tokens are worth drafting. All of it is arithmetic on what was measured: it looks at no clock.
 *
 * A run of w tokens takes T(w) seconds. A draft of k tokens, each of which is right with probability a where the one
 * before it was, gives E = 1 + a + .. + a^k tokens for T(1 + k) instead of one for T(1). The k that gives the most
 * tokens per second is taken; 0, where none gives more than without. Then drafts are still tried, but so rarely that
 * what they cost stays below a hundredth of the time; another hundredth, and the time of two tokens, is what expected
 * gains may cost where they do not come. What a draft model must read before it can draft is read when what is left of
 * the text would repay it, and of the time five hundredths have been spent on such reading at most. The time is what
 * the text would have taken without drafts, its prompt included. */
#ifndef WEFT_SPECULATE_H
#define WEFT_SPECULATE_H

#include "models/draft.h"

/* ---- what runs take ---- */

enum { WEFT__WIDTHS = 16 };

typedef struct weft__timing { double seconds; uint32_t n; } weft__timing; /* n: measurements; 0: not known */
/* Of the first two the shorter, for the first may have had to fetch what it works on; then the newest count most. One
 * that took much longer than usual counts little, for it was disturbed. */
void weft__timing_add(weft__timing *t, double seconds);

typedef struct weft__widths { weft__timing at[WEFT__WIDTHS]; } weft__widths;
/* Of widths that are not told apart nothing is kept: those to 6, and from there about every half as much again. Beyond
 * the last every token takes the same. */
void weft__widths_add(weft__widths *w, uint32_t width, double seconds);
/* The first run of this width is to come, which may take longer than those behind it: it counts as it was expected. */
bool weft__widths_is_cold(const weft__widths *w, uint32_t width);
/* Seconds of a run: measured (twice), or between what was, or a guess beyond, which is a hopeful one, so that it is
 * tried. 0: nothing is known. */
double weft__widths_get(const weft__widths *w, uint32_t width);

/* ---- a draft model ---- */

/* Whether m has the vocabulary of `target`. UNSUPPORTED, and how they differ. */
weft_status weft__draft_vocabulary_check(weft_model *m, weft_model *target, weft_error *err);

/* ---- one text ---- */

enum { WEFT__DRAFT_OF_MODEL = 2 }; /* the kind of a draft model's drafts */

typedef struct weft__pace {
    double hits[WEFT_DRAFT_KINDS], misses[WEFT_DRAFT_KINDS]; /* tokens that were right, drafts that went wrong */
    double plain;  /* seconds that it would have taken without drafts */
    double lost;   /* seconds that drafts cost beyond what they gained; less than 0: they gained */
    double probed; /* of drafts that were tried without hope: what they cost */
    double read;   /* seconds that a draft model has read by itself */
} weft__pace;

/* What a run looks like without the draft: `width` tokens, of which `others` are picked for other texts. */
typedef struct weft__plain { uint32_t width, others; } weft__plain;
/* What could be drafted: at most `most` tokens of a kind (WEFT_DRAFT_KINDS: of the one that is right most often), which
 * take `read` seconds before the first and `each` for each; `left` tokens of the text are to come. */
typedef struct weft__offer { uint32_t kind, most, left; double read, each; } weft__offer;
/* Tokens to draft, without hope for gain; reads: what is read first is for all that is left, and is no part of what the
 * draft takes: weft__pace_read. */
typedef struct weft__choice { uint32_t n; bool probe, reads; } weft__choice;

weft__choice weft__pace_choose(const weft__pace *p, const weft__widths *w, const weft__plain *plain,
                               const weft__offer *o);
/* A token of this text came alone; or a draft was checked: `accepted` of `drafted` tokens were right, in a run that
 * took extra_seconds more with it, drafting included. token_seconds: what a token takes without. */
void weft__pace_alone(weft__pace *p, double token_seconds);
void weft__pace_prompt(weft__pace *p, double seconds); /* its prompt was read */
void weft__pace_read(weft__pace *p, double seconds);   /* a draft model has read */
void weft__pace_wasted(weft__pace *p, double seconds, bool probe); /* a draft was made, and not checked after all */
void weft__pace_checked(weft__pace *p, uint32_t kind, uint32_t drafted, uint32_t accepted, bool probe,
                        double extra_seconds, double token_seconds);

#endif
