/* linear.h: which inputs a node of op linear has after x and w: those that its attributes say, in this order.
 *
 *     y = act(n(x) w^T + bias) + residuals, or, if gated, act(n(x) w^T + bias) (n(x) up^T + up_bias)
 *
 * n(x) is x, or with a gain its rms_norm by it. */
#ifndef WEFT_LINEAR_H
#define WEFT_LINEAR_H

#include "graph/types.h"

enum { WEFT__MAX_RESIDUALS = 2 }; /* of a product */

/* Numbers of inputs; 0: the node has none such. */
typedef struct weft__linear_inputs {
    uint32_t up, bias, up_bias, gain, residual /* the first */;
    uint32_t count; /* of all inputs */
} weft__linear_inputs;

static inline weft__linear_inputs weft__linear_inputs_of(const weft_attr_linear *a)
{
    weft__linear_inputs in = { .count = 2 };
    if (a->gated) in.up = in.count++;
    if (a->has_bias) in.bias = in.count++;
    if (a->has_bias && a->gated) in.up_bias = in.count++;
    if (a->norm) in.gain = in.count++;
    if (a->n_residual > 0) in.residual = in.count;
    in.count += (uint32_t)a->n_residual;
    return in;
}

#endif
