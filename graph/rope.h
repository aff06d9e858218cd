/* rope.h: what the kinds of rotary embedding make of their parameters, in double precision: for whoever fills a
 * table of angles. The definitions are those of transformers 5.24, modeling_rope_utils.py; docs/ops.md has them. */
#ifndef WEFT_ROPE_H
#define WEFT_ROPE_H

#include "graph/graph.h"

enum { WEFT__MAX_ROTARY = 1024 }; /* n_rot at most */

/* Radians per position of each pair, out[n_rot / 2]. Of a dynamic kind: up to its original length; of longrope: before
 * they are divided by factors. */
void weft__rope_frequencies(const weft_attr_rope_table *a, double *out);
/* What cos and sin are multiplied with. */
double weft__rope_scale(const weft_attr_rope_table *a);
/* By what the base of a dynamic kind is multiplied in a sequence of this length, to the power n / (n - 2): pair i's
 * frequency is divided by stretch^(2i / (n - 2)). 1 for the other kinds. */
double weft__rope_stretch(const weft_attr_rope_table *a, double length);

const char *weft__rope_name(weft_rope_kind kind); /* never NULL; unknown: "?" */
bool weft__rope_parse(const char *name, weft_rope_kind *out);

#endif
