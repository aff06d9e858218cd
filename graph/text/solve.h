/* solve.h: what numbers follow that differ between places: parameters, counters of repeats.
 *
 * A slot (unit.h) has a value at each place of its unit. The smallest of the expressions tried that gives all of them
 * is taken, so it is true of the graphs that were looked at, and a guess for others. */
#ifndef WEFT_TEXT_SOLVE_H
#define WEFT_TEXT_SOLVE_H

#include "graph/text/unit.h"

typedef enum weft__param_kind { PARAM_WHOLE, PARAM_FLOAT, PARAM_WORD, PARAM_LIST } weft__param_kind;

/* A list's value in a sample. */
typedef struct weft__param_list { const char *const *words; const double *numbers; uint32_t n; } weft__param_list;

/* What a text may name besides counters; the values are by sample. */
typedef struct weft__param {
    const char *name;
    weft__param_kind kind;
    const double *numbers;
    const char *const *words;
    const weft__param_list *lists;
    const bool *given; /* by sample: it is said, not what others make it; NULL: always */
    bool literal; /* may not be named: samples in which it is another are left out */
    bool idle; /* no sample has another, and none needs to: all that it may be is checked otherwise */
    bool used;
} weft__param;

/* A sample beside the first: another one, of which one parameter differs. */
typedef struct weft__sample {
    uint32_t like;    /* which sample it was made from */
    int32_t changed;  /* the parameter; -1: several */
    bool left_out, dropped;
} weft__sample;

typedef struct weft__solver {
    weft__fold *f;
    weft__param *params;
    uint32_t n_params;
    const weft__sample *samples; /* by number; [0] the base */
    uint32_t n_samples;
    const char *counter[WEFT__LOOPS]; /* their names, the outermost first */
    bool *odd; /* by sample: one in which an expression fails that fits most; scratch of general.c */
    uint32_t n_culprits, culprit[16]; /* parameters that moved what could not be solved */
} weft__solver;

/* The values at the n places of a unit whose samples are not left out. NULL: no expression was found, and who moved
 * them is noted; or failed. */
weft__expr *weft__solve(weft__solver *s, const weft__place *const *places, uint32_t n, uint32_t depth,
                        const weft__slot *values);
weft__expr *weft__solve_truth(weft__solver *s, const weft__place *const *places, uint32_t n, uint32_t depth,
                              const bool *values);

/* Notes who moves constants' data. */
void weft__solve_blame(weft__solver *s, const weft__place *const *places, uint32_t n);

/* Expressions. NULL (failed) where a part is. */
weft__expr *weft__expr_whole(weft__fold *f, int64_t x);
weft__expr *weft__expr_float(weft__fold *f, float x);
weft__expr *weft__expr_double(weft__fold *f, double x);
weft__expr *weft__expr_name(weft__fold *f, const char *name);
weft__expr *weft__expr_text(weft__fold *f, const char *text); /* a string without braces */
weft__expr *weft__expr_characters(weft__fold *f, const char *text); /* a part of a string */
weft__expr *weft__expr_string(weft__fold *f, weft__expr *const *parts, uint32_t n);
weft__expr *weft__expr_many(weft__fold *f, weft__expr_kind kind, const char *text, weft__expr *const *args, uint32_t n);

#endif
