/* attention.h: which inputs a node of op attention has after q, k, v, first and last: those that its attributes say, in
 * this order. */
#ifndef WEFT_ATTENTION_H
#define WEFT_ATTENTION_H

#include "graph/types.h"

/* Numbers of inputs; 0: the node has none such. */
typedef struct weft__attention_inputs {
    uint32_t sequence, pages, sinks, slopes, bias;
    uint32_t count; /* of all inputs */
} weft__attention_inputs;

static inline weft__attention_inputs weft__attention_inputs_of(const weft_attr_attention *a)
{
    weft__attention_inputs in = { .count = 5 };
    if (a->page) {
        in.sequence = in.count++;
        in.pages = in.count++;
    }
    if (a->sinks) in.sinks = in.count++;
    if (a->slopes) in.slopes = in.count++;
    if (a->bias) in.bias = in.count++;
    return in;
}

#endif
