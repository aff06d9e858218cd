/* general.h: one text for several graphs of one definition, in which what differs between them follows parameters.
 *
 * The first graph gives the statements. Others are joined where they have the same ones, and numbers are then solved
 * for all of them. */
#ifndef WEFT_TEXT_GENERAL_H
#define WEFT_TEXT_GENERAL_H

#include "graph/text/write.h"

typedef struct weft__general {
    weft__fold fold;
    weft__unit *list;     /* of all samples that were joined */
    weft__sample *samples;
    size_t sample_cap;
    uint32_t n_samples;
    const weft_graph *first;
    bool *extents;        /* of the first graph, by number: the text names it */
} weft__general;

/* The first graph, which lives as long as x; everything else is in the arena. False: failed, or it has no such text. */
bool weft__general_begin(weft__general *x, weft__arena *arena, const weft_graph *g);
/* Another one, like sample `like` but for the parameter `changed` (-1: several). Its sample's number; 0: it has other
 * statements. */
uint32_t weft__general_add(weft__general *x, const weft_graph *g, uint32_t like, int32_t changed);
/* The statements, by these parameters, with their values by sample. Those that cannot be named become literal. NULL:
 * failed. */
weft__stmt *weft__general_write(weft__general *x, weft__param *params, uint32_t n);
/* Whether it is what others make it, where it is not given. */
bool weft__param_is_derived(const weft__param *p, uint32_t n_samples);
/* What a parameter is where it is not given: its value over the samples in which `given` is false, by the others. NULL:
 * it is the first sample's. */
weft__expr *weft__general_default(weft__general *x, weft__param *params, uint32_t n, uint32_t m, const bool *given);
void weft__general_end(weft__general *x);

#endif
