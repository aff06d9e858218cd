/* problem.h: values to be explained, and what may be named in doing so (solve.c). */
#ifndef WEFT_TEXT_PROBLEM_H
#define WEFT_TEXT_PROBLEM_H

#include "graph/text/solve.h"

enum { WEFT__MAX_ATOMS = 24, WEFT__MAX_MEMBERS = 1024 };

/* What may be named; its value at each place. */
typedef struct weft__atom {
    weft__expr *expr;
    double *at;
    bool whole;
    int32_t param, other; /* that it is or is made of; -1: a counter; other -1: none */
} weft__atom;

typedef struct weft__problem {
    weft__solver *s;
    const weft__place *const *places;
    uint32_t n, depth;
    weft__atom atoms[WEFT__MAX_ATOMS];
    uint32_t n_atoms;
    bool *moves;  /* by parameter: whether values follow it */
    bool floats;  /* values are */
} weft__problem;

/* forms.c. The shortest form that all values have; NULL: none. */
weft__expr *weft__problem_form(weft__problem *p, const weft__slot *want);
/* k a + c of one atom: what goes up evenly. */
weft__expr *weft__problem_line(weft__problem *p, const weft__slot *want);
/* Marks the samples in which the form that is wrong in the fewest is wrong, if these are few. */
void weft__problem_mark_odd(weft__problem *p, const weft__slot *want);
weft__expr *weft__problem_binary(weft__problem *p, const char *op, weft__expr *x, weft__expr *y);
weft__expr *weft__problem_number(weft__problem *p, double x);
bool weft__is_whole(double x);

/* truth.c. A condition; NULL: none. */
weft__expr *weft__problem_truth(weft__problem *p, const bool *want);

#endif
