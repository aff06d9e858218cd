/* unit.h: a graph as its printer sees it: statements in the scopes that they stand in, of which those that are alike
 * are one unit with many places.
 *
 * units.c makes them from a graph, a place each. fold.c makes repeats of layers that are alike, join.c puts units
 * together, values.c, bind.c and names.c find names for values, slots.c and solve.c say numbers that differ between
 * places by what they follow, write.c and blocks.c make the tree. Everything lies in one arena. */
#ifndef WEFT_TEXT_UNIT_H
#define WEFT_TEXT_UNIT_H

#include "graph/calls.h"
#include "graph/text/ast.h"

enum {
    WEFT__LOOPS = 4,
    WEFT__MAX_SLOTS = 64,
    WEFT__LABEL_NUMBERS = 24, /* of a label that count; those behind them are characters like others */
    WEFT__SWAPS = 4,
};

/* A value that is read by the name that a bind gave it. Such names have ids beyond the graph's values. */
typedef struct weft__swap { uint32_t value, name, input; } weft__swap; /* by which input */

/* Where a unit stands in a graph. */
typedef struct weft__place {
    const weft_graph *g;
    const weft_node *node;     /* of a node, unless it is a call's */
    const weft__call *call;
    const weft_named *output;
    const char *label;         /* name of a scope, an output, a source, within the scopes around it; else NULL */
    int64_t lo, hi;            /* of a repeat */
    weft__swap swap[WEFT__SWAPS]; /* in what it reads; of a bind the first is what it binds */
    uint32_t n_swaps;
    uint32_t order;            /* which of its graph's statements; of a node, a call, an output */
    uint32_t sample;           /* which graph */
    int64_t counter[WEFT__LOOPS]; /* of the repeats around it, the innermost first */
} weft__place;

/* A bind gives a value another name: %a = %b. */
typedef enum weft__unit_kind {
    UNIT_NODE, UNIT_CALL, UNIT_BIND, UNIT_OUTPUT, UNIT_SCOPE, UNIT_REPEAT
} weft__unit_kind;

typedef struct weft__unit {
    weft__unit_kind kind;
    const char *sig; /* what all places have in common: words, with # for numbers */
    weft__place *places; /* ascending by sample and order */
    uint32_t n, cap;
    uint32_t lines;  /* that it takes, about */
    uint32_t depth;  /* repeats around it */
    uint32_t id;     /* names.c */
    struct weft__unit *next, *body;
    const char *result[WEFT_MAX_OUTPUTS], *input[WEFT_MAX_INPUTS]; /* names.c: of values */
    const char *gives; /* of a scope: the only value that others read; NULL: there are several, or none */
} weft__unit;

/* What is being printed. */
typedef struct weft__fold {
    weft__arena *arena;
    weft__arena scratch; /* of the unit that is being written; to be freed */
    bool calls;      /* calls may be written as such, by a text that is built where inputs are there */
    bool keeps_labels; /* of units that are joined to its own, and go */
    bool failed;     /* out of memory */
    bool late;       /* of equal ways to join lists the one that has later units in common */
    uint32_t *last_read; /* by value of the graph that was made last: the order of its last reader */
    uint32_t names;  /* that binds gave: the most of any graph */
} weft__fold;

void *weft__fold_alloc(weft__fold *f, size_t n, size_t size); /* NULL: failed is set */
void *weft__fold_scratch(weft__fold *f, size_t n, size_t size); /* the same, for a while */

/* The units of a graph, in order. NULL: an empty graph, or failed. */
weft__unit *weft__units_of(weft__fold *f, const weft_graph *g, uint32_t sample);

/* What a place reads; what it makes. */
uint32_t weft__place_inputs(const weft__place *p, weft_ref in[WEFT_MAX_INPUTS]);
uint32_t weft__place_results(const weft__place *p, weft_ref out[WEFT_MAX_OUTPUTS]);

/* join.c. Puts the places of the list b into a, which becomes the list of both: in order if it is not loose, else with
 * units that only one of them has. False: they do not fit (a is spoilt then), or failed. */
bool weft__units_join(weft__fold *f, weft__unit **a, const weft__unit *b, bool loose);
weft__unit *weft__units_copy(weft__fold *f, const weft__unit *list);
uint32_t weft__units_lines(const weft__unit *list);
bool weft__units_add_place(weft__fold *f, weft__unit *u, const weft__place *p);
/* Equal but for places and numbers; `samples`: of several graphs, of which a parameter may give constants' data. */
bool weft__units_fit(const weft__unit *a, const weft__unit *b, bool samples);

/* fold.c. Makes repeats within a list and the bodies of its scopes. */
void weft__units_fold(weft__fold *f, weft__unit **list);

/* values.c. Whether names can be given so that each place of a unit reads what it should. */
bool weft__units_can_be_named(weft__fold *f, weft__unit *u);
/* bind.c. Puts binds into a new repeat and before it (*before; NULL: none), so that it can be named. False: it cannot,
 * or failed. */
bool weft__units_bind(weft__fold *f, weft__unit *repeat, weft__unit **before);

/* names.c */
bool weft__units_name(weft__fold *f, weft__unit *list); /* gives them; false: it cannot be done, or failed */

/* slots.c. What differs between places of a unit. */
typedef enum weft__slot_kind { SLOT_WHOLE, SLOT_FLOAT, SLOT_WORD } weft__slot_kind;
typedef struct weft__slot {
    weft__slot_kind kind;
    int64_t whole;
    float number;
    const char *word;
} weft__slot;
bool weft__slots_equal(const weft__slot *a, const weft__slot *b);
/* All of a place, in the order in which they are written: numbers of its label, attributes, dims of its type, data. */
uint32_t weft__place_slots(const weft__unit *u, const weft__place *p, weft__slot out[WEFT__MAX_SLOTS]);
/* The next number in a text, which ends behind it: -1 and the text's end if there is none. Numbers with a 0 in front
 * and those beyond 15 digits are none. */
int64_t weft__label_number(const char **at, const char **begin);
bool weft__data_is_slots(const weft_graph *g, const weft_node *n); /* of a constant; else all of it is equal */
bool weft__data_is_list(const weft_graph *g, const weft_node *n); /* a parameter may be all of it */

#endif
