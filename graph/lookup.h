/* lookup.h: single reads of a configuration, shared by what definitions call (config.c) and the parameters of texts. */
#ifndef WEFT_LOOKUP_H
#define WEFT_LOOKUP_H

#include "graph/graph_impl.h"

typedef struct weft__lookup_range {
    double min, max;
    bool whole, truth;
} weft__lookup_range;

/* 1: found and fit, which is told to `asked`; 0: absent; -1: of the wrong type or out of range, which is recorded in
 * g. */
int weft__lookup_number(weft_graph *g, const weft_config *c, const char *key, weft__lookup_range r, double *out);
/* The same of a text; what was found is not told yet. */
int weft__lookup_text(weft_graph *g, const weft_config *c, const char *key, const char **out);
/* Tells `asked`, if anybody listens. */
void weft__lookup_tell(const weft_config *c, const weft_config_value *v);

const char *weft__lookup_origin(const weft_config *c);
const char *weft__lookup_spelling(const weft_config *c, const char *key); /* the key as the file has it */

/* An activation by any of the names that configurations have for it. */
bool weft__act_named(const char *name, weft_act *out);

#endif
