/* values.h: the values of units: which of them need one name (values.c), and which name (names.c). */
#ifndef WEFT_TEXT_VALUES_H
#define WEFT_TEXT_VALUES_H

#include "graph/text/unit.h"

/* A statement of the graph. */
typedef struct weft__event { weft__unit *unit; const weft__place *place; } weft__event;

/* Definitions are results of units (id * WEFT_MAX_OUTPUTS + result), then values from outside of the list. */
typedef struct weft__values {
    weft__unit **units; /* by id */
    uint32_t n_units;
    weft__event *events; /* of the first graph, in its order */
    uint32_t n_events;
    uint32_t *parent, n_defs; /* by definition: towards its class */
    uint32_t *outside;   /* by definition: the value */
    uint32_t *made;      /* by value: 1 + its definition */
    uint32_t *reads;     /* by unit and input: 1 + a definition that it reads; 0: none */
} weft__values;

bool weft__values_find(weft__fold *f, weft__unit *list, weft__values *v); /* v to be freed, also after false */
bool weft__values_hold(weft__fold *f, const weft__values *v); /* one name for each class will do */
uint32_t weft__values_class(const weft__values *v, uint32_t definition);
void weft__values_free(weft__values *v);

#endif
