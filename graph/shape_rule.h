/* shape_rule.h: what the files shape*.c share: the record that a shape rule reads, and the checks and refusals that
 * rules are made of.
 *
 * A rule is a function named in a row of op.def; it reads one weft__rule and fills its weft__shape_result. The verifier
 * calls the same rules, so a rule must refuse whatever a kernel could not run: it checks types, ranks, sizes and the
 * range of every attribute. Two dimensions are equal when both their numbers and their extents are: the rules never
 * guess what a run will choose. */
#ifndef WEFT_SHAPE_RULE_H
#define WEFT_SHAPE_RULE_H

#include "graph/graph_impl.h"

typedef struct weft__rule {
    const weft_graph *g;
    weft_op id;
    const weft_op_info *op;
    const weft_attrs *attrs;
    const weft_ref *in;
    uint32_t n_in;
    const weft_value *v[WEFT_MAX_INPUTS];
    weft__shape_result *out;
    weft_error *err;
} weft__rule;

typedef weft_status weft__shape_fn(const weft__rule *r);

/* shape.c: sources, views, element-wise */
weft__shape_fn weft__shape_source, weft__shape_reshape, weft__shape_permute, weft__shape_slice, weft__shape_select;
weft__shape_fn weft__shape_broadcast, weft__shape_map, weft__shape_cast, weft__shape_same;
/* shape_rows.c: along the last axis, and products */
weft__shape_fn weft__shape_rows, weft__shape_norm, weft__shape_norm_pair, weft__shape_reduce, weft__shape_argmax;
weft__shape_fn weft__shape_top_k, weft__shape_matmul, weft__shape_matmul_nt, weft__shape_linear;
weft__shape_fn weft__shape_linear_select;
/* shape_state.c: what moves rows, and what writes states */
weft__shape_fn weft__shape_gather, weft__shape_concat, weft__shape_store, weft__shape_conv1d, weft__shape_linear_scan;
/* shape_attention.c */
weft__shape_fn weft__shape_rope_table, weft__shape_rope, weft__shape_rope_store, weft__shape_attention;

/* ---- results and refusals ---- */

/* Output 0. */
void weft__rule_result(const weft__rule *r, weft_dtype t, const weft_dims *d);
/* "op: what: [2, 3] x [4]": the dims of all inputs follow the message. */
weft_status weft__rule_refuse(const weft__rule *r, const char *what);
weft_dtype_class weft__rule_class(const weft__rule *r, uint32_t i);

/* Each refuses input `i`, or an attribute, that is not what its name says. */
weft_status weft__need_class(const weft__rule *r, uint32_t i, bool ok, const char *wanted);
weft_status weft__need_float(const weft__rule *r, uint32_t i);
weft_status weft__need_i32(const weft__rule *r, uint32_t i);
/* A float, or blocks: of a weight or a state, for no view makes another value of them. */
weft_status weft__need_numbers(const weft__rule *r, uint32_t i);
weft_status weft__need_plain(const weft__rule *r, uint32_t i);
weft_status weft__need_rank(const weft__rule *r, uint32_t i, uint32_t lo);
weft_status weft__need_axis(const weft__rule *r, int32_t axis, uint32_t rank);
weft_status weft__need_flag(const weft__rule *r, int32_t flag, const char *name);
weft_status weft__need_finite(const weft__rule *r, float x, bool positive, const char *name);
/* Input 0 of an op that writes into a state: the state itself, or the first result of another such op. */
weft_status weft__need_state(const weft__rule *r);

/* ---- dims ---- */

weft_dim weft__dim_last(const weft_dims *d);
bool weft__is_vector_of(const weft_value *v, weft_dim n);
/* numpy's rule for the first `na` and `nb` dims of a and b, aligned at their ends. False: they do not broadcast. */
bool weft__dims_broadcast(const weft_dims *a, uint32_t na, const weft_dims *b, uint32_t nb, weft_dims *out);
void weft__dims_drop(weft_dims *d, uint32_t axis);

#endif
