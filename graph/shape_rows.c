/* shape_rows.c: the shape rules of ops that work along the last axis: norms, reductions, choices, products. */
#include "graph/linear.h"
#include "graph/shape_rule.h"

#include <math.h>
#include <stdio.h>

/* ---- rows ---- */

weft_status weft__shape_rows(const weft__rule *r)
{
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_rank(r, 0, 1));
    weft__rule_result(r, WEFT_F32, &r->v[0]->dims);
    return WEFT_OK;
}

static weft_status need_norm_attrs(const weft__rule *r)
{
    const weft_attr_norm *a = &r->attrs->norm;
    weft_dim last = weft__dim_last(&r->v[0]->dims);
    if (!isfinite(a->eps) || a->eps < 0)
        return WEFT_FAIL(r->err, WEFT_INVALID, "%s: eps is %g", r->op->name, (double)a->eps);
    WEFT_TRY(weft__need_flag(r, a->one_plus, "one_plus"));
    if (a->one_plus && r->n_in < 2)
        return WEFT_FAIL(r->err, WEFT_INVALID, "%s: one_plus without a weight", r->op->name);
    if (a->group < 0 || (a->group && (last.extent || last.n % a->group))) {
        char what[80];
        snprintf(what, sizeof what, "groups of %d do not divide the last dimension", a->group);
        return weft__rule_refuse(r, what);
    }
    return WEFT_OK;
}

weft_status weft__shape_norm(const weft__rule *r)
{
    const weft_dims *d = &r->v[0]->dims;
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_rank(r, 0, 1));
    for (uint32_t i = 1; i < r->n_in; i++) {
        WEFT_TRY(weft__need_float(r, i));
        if (!weft__is_vector_of(r->v[i], weft__dim_last(d)))
            return weft__rule_refuse(r, "weight and bias must be vectors of the last dimension");
    }
    WEFT_TRY(need_norm_attrs(r));
    weft__rule_result(r, WEFT_F32, d);
    return WEFT_OK;
}

weft_status weft__shape_norm_pair(const weft__rule *r)
{
    WEFT_TRY(weft__shape_norm(r));
    r->out->dtype[1] = WEFT_F32;
    r->out->dims[1] = r->v[0]->dims;
    return WEFT_OK;
}

weft_status weft__shape_reduce(const weft__rule *r)
{
    weft_dims to = r->v[0]->dims;
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_rank(r, 0, 1));
    weft__dims_drop(&to, to.rank - 1);
    weft__rule_result(r, WEFT_F32, &to);
    return WEFT_OK;
}

weft_status weft__shape_argmax(const weft__rule *r)
{
    WEFT_TRY(weft__shape_reduce(r));
    r->out->dtype[0] = WEFT_I32;
    return WEFT_OK;
}

weft_status weft__shape_top_k(const weft__rule *r)
{
    weft_dims to = r->v[0]->dims;
    int32_t k = r->attrs->top_k.k;
    char what[80];
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_rank(r, 0, 1));
    snprintf(what, sizeof what, "k = %d is not from 1 to the last dimension", k);
    if (k < 1 || k > weft__dim_last(&to).n) return weft__rule_refuse(r, what);
    to.d[to.rank - 1] = (weft_dim){ k, 0 };
    weft__rule_result(r, WEFT_F32, &to);
    r->out->dtype[1] = WEFT_I32;
    r->out->dims[1] = to;
    return WEFT_OK;
}

/* ---- products ---- */

/* a [.., M, K] by b [.., K, N], or b [.., N, K] if `nt`. */
static weft_status matmul_dims(const weft__rule *r, bool nt)
{
    const weft_dims *a = &r->v[0]->dims, *b = &r->v[1]->dims;
    weft_dims to = { 0 };
    WEFT_TRY(weft__need_rank(r, 0, 2));
    WEFT_TRY(weft__need_rank(r, 1, 2));
    if (!weft__dim_equal(weft__dim_last(a), b->d[b->rank - (nt ? 1 : 2)]))
        return weft__rule_refuse(r, "inner sizes differ");
    if (!weft__dims_broadcast(a, a->rank - 2, b, b->rank - 2, &to))
        return weft__rule_refuse(r, "leading sizes do not broadcast");
    to.d[to.rank++] = a->d[a->rank - 2];
    to.d[to.rank++] = b->d[b->rank - (nt ? 2 : 1)];
    weft__rule_result(r, WEFT_F32, &to);
    return WEFT_OK;
}

weft_status weft__shape_matmul(const weft__rule *r)
{
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_float(r, 1));
    return matmul_dims(r, false);
}

weft_status weft__shape_matmul_nt(const weft__rule *r)
{
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_numbers(r, 1));
    return matmul_dims(r, true);
}

static weft_status need_linear_attrs(const weft__rule *r)
{
    const weft_attr_linear *a = &r->attrs->linear;
    WEFT_TRY(weft__need_flag(r, a->has_bias, "has_bias"));
    WEFT_TRY(weft__need_flag(r, a->gated, "gated"));
    WEFT_TRY(weft__need_flag(r, a->norm, "norm"));
    WEFT_TRY(weft__need_flag(r, a->one_plus, "one_plus"));
    if ((unsigned)a->act >= WEFT_ACT_COUNT) return WEFT_FAIL(r->err, WEFT_INVALID, "linear: no such activation");
    if (!isfinite(a->eps) || a->eps < 0)
        return WEFT_FAIL(r->err, WEFT_INVALID, "linear: eps is %g", (double)a->eps);
    if (!a->norm && (a->eps != 0 || a->one_plus))
        return WEFT_FAIL(r->err, WEFT_INVALID, "linear: eps or one_plus without a norm");
    if (a->gated && a->n_residual) return WEFT_FAIL(r->err, WEFT_INVALID, "linear: a gated product takes no residuals");
    if (a->n_residual > WEFT__MAX_RESIDUALS)
        return WEFT_FAIL(r->err, WEFT_INVALID, "linear: %d residuals, more than %d", a->n_residual,
                         WEFT__MAX_RESIDUALS);
    if (a->n_residual < 0 || r->n_in != weft__linear_inputs_of(a).count)
        return WEFT_FAIL(r->err, WEFT_INVALID, "linear: %u inputs for %d bias and %d residuals%s%s", r->n_in,
                         a->has_bias, a->n_residual, a->gated ? ", gated" : "", a->norm ? ", with a norm" : "");
    return WEFT_OK;
}

/* What linear.h says: x [.., M, K], w and up [N, K], biases [N], gain [K], each residual as the result. */
weft_status weft__shape_linear(const weft__rule *r)
{
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_numbers(r, 1));
    WEFT_TRY(need_linear_attrs(r));
    if (r->v[1]->dims.rank != 2) return weft__rule_refuse(r, "the weight must be a matrix");
    WEFT_TRY(matmul_dims(r, true));
    const weft__linear_inputs in = weft__linear_inputs_of(&r->attrs->linear);
    const weft_value *w = r->v[1];
    for (uint32_t i = 2; i < r->n_in; i++) {
        if (i == in.up) {
            if (r->v[i]->dtype != w->dtype || !weft__dims_equal(&r->v[i]->dims, &w->dims))
                return weft__rule_refuse(r, "the second weight is not as the first");
            continue;
        }
        WEFT_TRY(weft__need_float(r, i));
        bool bias = i == in.bias || i == in.up_bias;
        bool fits = bias ? weft__is_vector_of(r->v[i], w->dims.d[0])
                    : i == in.gain ? weft__is_vector_of(r->v[i], w->dims.d[1])
                                   : weft__dims_equal(&r->v[i]->dims, &r->out->dims[0]);
        if (!fits)
            return weft__rule_refuse(r, bias           ? "the bias does not fit"
                                        : i == in.gain ? "the norm's weight does not fit"
                                                       : "a residual does not fit");
    }
    return WEFT_OK;
}

/* x [T, n] or [T, K, n], experts [E, m, n], ids [T, K]. */
weft_status weft__shape_linear_select(const weft__rule *r)
{
    const weft_dims *x = &r->v[0]->dims, *experts = &r->v[1]->dims, *ids = &r->v[2]->dims;
    WEFT_TRY(weft__need_float(r, 0));
    WEFT_TRY(weft__need_numbers(r, 1));
    WEFT_TRY(weft__need_i32(r, 2));
    if (experts->rank != 3 || ids->rank != 2)
        return weft__rule_refuse(r, "needs experts of rank 3 and ids of rank 2");
    bool own = x->rank == 3; /* a row of x for each choice */
    if ((!own && x->rank != 2) || !weft__dim_equal(x->d[0], ids->d[0]) ||
        (own && !weft__dim_equal(x->d[1], ids->d[1])))
        return weft__rule_refuse(r, "x must have a row for each token, or for each of its ids");
    if (!weft__dim_equal(x->d[x->rank - 1], experts->d[2])) return weft__rule_refuse(r, "inner sizes differ");
    for (uint32_t i = 0; i < 3; i++)
        if (experts->d[i].extent) return weft__rule_refuse(r, "experts cannot have extents");
    weft__rule_result(r, WEFT_F32, &(weft_dims){ 3, { ids->d[0], ids->d[1], experts->d[1] } });
    return WEFT_OK;
}
