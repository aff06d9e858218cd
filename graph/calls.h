/* calls.h: which nodes of a graph one call made, where what made them has a name in the language of graphs: a printer
 * writes one line for them (text/fold.h). Recorded while builders run, dropped by passes. */
#ifndef WEFT_CALLS_H
#define WEFT_CALLS_H

#include "graph/graph_impl.h"

/* What a call is given besides values. */
typedef struct weft__call_attr {
    const char *name; /* static, as are words */
    const char *word; /* NULL: a number */
    double number;
    bool whole;
    bool flag; /* 1 or 0: which inputs there are */
} weft__call_attr;

struct weft__call {
    const char *name, *scope; /* static; that was open */
    const weft_ref *in;
    uint32_t n_in;
    weft_ref out;
    const weft__call_attr *attrs;
    uint32_t n_attrs;
    uint32_t begin, end; /* its nodes: places in the graph's order */
};

/* Between these two stands what makes the nodes. Nothing is recorded after an error, nor within another call. Of `in`
 * that are no values nothing is kept. */
void weft__call_begin(weft_graph *g, const char *name, const weft_ref *in, uint32_t n_in, const weft__call_attr *attrs,
                      uint32_t n_attrs);
weft_ref weft__call_end(weft_graph *g, weft_ref out); /* gives `out` */

#endif
