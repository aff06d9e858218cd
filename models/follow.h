/* follow.h: which keys of a configuration a model's graph follows, and how: found by building the graph of other values
 * of one key, then of several (probe.h), and joining those that have the same statements (graph/text/general.h). */
#ifndef WEFT_FOLLOW_H
#define WEFT_FOLLOW_H

#include "graph/text/general.h"
#include "models/probe.h"

typedef enum weft__verdict {
    FOLLOW_PARAM,   /* the text may name it */
    FOLLOW_NEEDED,  /* the text holds for its value only */
    FOLLOW_NOTHING, /* the graph is the same whatever it is */
} weft__verdict;

/* What the definition makes of a configuration that has the key not. */
typedef enum weft__absence {
    ABSENT_REFUSED, /* nothing */
    ABSENT_SAME,    /* the same statements, of what it takes instead */
    ABSENT_OTHER,   /* other ones */
} weft__absence;

/* A key. */
typedef struct weft__follow {
    const char *key;  /* of a list: without the entry's number */
    weft__verdict verdict;
    bool is_list, truth, text; /* what it is; else a number */
    bool found;       /* the configuration has it */
    bool told;        /* the definition got a value; else it asked whether there is one */
    weft__absence absence; /* of a parameter that the configuration has */
    bool act;         /* a text that names an activation */
    const char *word_absent; /* what the definition takes instead of such a text */
    double number;
    const char *word;
    weft__param_list list;
    weft__said other[2]; /* values of which the graph has the same statements */
    uint32_t n_other, joined;
    bool lists;       /* other values go with lists that are as long */
} weft__follow;

/* A graph that was built, to hold the text against. */
typedef struct weft__trial {
    weft_graph *graph;
    weft__said *said;
    uint32_t n_said;
    uint32_t sample;  /* that it became; 0 and not the first trial: it has other statements */
    int32_t changed;  /* which key; -1: several, -2: none */
} weft__trial;

typedef struct weft__follows {
    weft__probe probe;
    weft__general general;
    weft__follow *at;    /* params beside them, by number */
    weft__param *params;
    bool **given;        /* by number and sample: the configuration has it */
    uint32_t n;
    size_t given_cap;
    weft__trial *trials;
    size_t n_trials, trial_cap, n_nodes;
    size_t n_alone; /* the first ones, in which one key is another */
    bool failed, crowded; /* more keys than are looked at */
} weft__follows;

/* Everything but the graphs lies in the arena, which outlives x. */
weft_status weft__follows_find(weft__follows *x, const weft_model *m, weft__arena *arena, weft_error *err);
void weft__follows_free(weft__follows *x);

#endif
