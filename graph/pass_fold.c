/* pass_fold.c: drops nodes that change nothing, joins pairs that are one, and brings add and mul into one form.
 *
 *     identity   reshape, broadcast, slice to the same dims; permute to the same order; cast to the same type;
 *                scale by 1; x * 1, x / 1, x + -0, x - 0 with a constant: exact for every x (x + 0 turns -0 into 0)
 *     pairs      reshape, broadcast, permute, scale of the same op's result; slice of a slice along one axis
 *     one form   x * constant and x / power of two become scale; add and mul have the larger operand first, so that
 *                it is the one whose bytes the result may take */
#include "graph/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a rule decides: at most one of `same` and `made` is set. */
typedef struct verdict {
    weft_ref same;
    weft_node *made;
    const weft_node *joined; /* the inner node of a pair */
} verdict;

typedef weft_status fold_rule(weft_graph *g, const weft_node *n, verdict *v, weft_error *err);

static weft_status make(weft_graph *g, const weft_node *n, weft_op op, const weft_attrs *attrs, const weft_ref *in,
                        uint32_t n_in, verdict *v, weft_error *err)
{
    v->made = weft__graph_add(g, op, attrs, in, n_in, n->scope, NULL, err);
    return v->made ? WEFT_OK : err->status;
}

/* Same type and dims: a node that only re-arranges or converts is then the identity, permute apart. */
static bool like_result(const weft_graph *g, const weft_node *n, weft_ref r)
{
    const weft_value *a = weft_graph_value(g, r), *b = weft_graph_value(g, n->out[0]);
    return a->dtype == b->dtype && weft__dims_equal(&a->dims, &b->dims);
}

/* The node that makes input 0, if it has the same op. */
static const weft_node *inner_of(const weft_graph *g, const weft_node *n)
{
    const weft_node *inner = weft__producer(g, n->in[0]);
    return inner && inner->op == n->op ? inner : NULL;
}

static weft_status fold_shape(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    if (like_result(g, n, n->in[0])) {
        v->same = n->in[0];
        return WEFT_OK;
    }
    v->joined = inner_of(g, n);
    if (!v->joined) return WEFT_OK;
    if (like_result(g, n, v->joined->in[0])) { /* there and back */
        v->same = v->joined->in[0];
        return WEFT_OK;
    }
    return make(g, n, n->op, &n->attrs, v->joined->in, 1, v, err);
}

static weft_status fold_cast(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    (void)err;
    if (like_result(g, n, n->in[0])) v->same = n->in[0];
    return WEFT_OK;
}

static weft_status fold_slice(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    if (like_result(g, n, n->in[0])) {
        v->same = n->in[0];
        return WEFT_OK;
    }
    v->joined = inner_of(g, n);
    if (!v->joined || v->joined->attrs.slice.axis != n->attrs.slice.axis) return WEFT_OK;
    weft_attrs attrs = n->attrs;
    attrs.slice.start += v->joined->attrs.slice.start;
    return make(g, n, n->op, &attrs, v->joined->in, 1, v, err);
}

static weft_status fold_permute(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    weft_attrs attrs = n->attrs;
    weft_perm *p = &attrs.permute.order;
    v->joined = inner_of(g, n);
    if (v->joined)
        for (uint32_t i = 0; i < p->rank; i++) p->axis[i] = v->joined->attrs.permute.order.axis[p->axis[i]];
    bool identity = true;
    for (uint32_t i = 0; i < p->rank; i++) identity = identity && p->axis[i] == i;
    if (identity) {
        v->same = v->joined ? v->joined->in[0] : n->in[0];
        return WEFT_OK;
    }
    return v->joined ? make(g, n, n->op, &attrs, v->joined->in, 1, v, err) : WEFT_OK;
}

static weft_status fold_scale(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    if (n->attrs.scale.factor == 1.0f && like_result(g, n, n->in[0])) {
        v->same = n->in[0];
        return WEFT_OK;
    }
    v->joined = inner_of(g, n);
    if (!v->joined) return WEFT_OK;
    weft_attrs attrs = { .scale = { .factor = n->attrs.scale.factor * v->joined->attrs.scale.factor } };
    if (!isnormal(attrs.scale.factor)) return WEFT_OK; /* the product lost what the factors had */
    return make(g, n, n->op, &attrs, v->joined->in, 1, v, err);
}

/* ---- arithmetic with a constant ---- */

/* *out: the one number that all elements of a constant are. */
static bool uniform(const weft_graph *g, weft_ref r, float *out)
{
    const weft_node *n = weft__producer(g, r);
    if (!n || n->op != WEFT_OP_constant || weft_graph_value(g, r)->dtype != WEFT_F32) return false;
    const float *data = n->data;
    memcpy(out, data, sizeof *out);
    for (int64_t i = weft_value_elements(g, r, NULL); i-- > 0;)
        if (memcmp(&data[i], out, sizeof *out)) return false;
    return true;
}

static bool is_zero(float x, bool negative)
{
    return x == 0 && !signbit(x) == !negative;
}

static weft_status scaled(weft_graph *g, const weft_node *n, weft_ref x, float factor, verdict *v, weft_error *err)
{
    weft_attrs attrs = { .scale = { .factor = factor } };
    if (factor == 1.0f && like_result(g, n, x)) {
        v->same = x;
        return WEFT_OK;
    }
    return make(g, n, WEFT_OP_scale, &attrs, &x, 1, v, err);
}

static bool has_result_dims(const weft_graph *g, const weft_node *n, uint32_t input)
{
    return weft__dims_equal(&weft_graph_value(g, n->in[input])->dims, &weft_graph_value(g, n->out[0])->dims);
}

static weft_status larger_first(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    weft_ref in[2] = { n->in[1], n->in[0] };
    if (has_result_dims(g, n, 0) || !has_result_dims(g, n, 1)) return WEFT_OK;
    return make(g, n, n->op, &n->attrs, in, 2, v, err);
}

static weft_status fold_add(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    float c;
    for (uint32_t i = 0; i < 2; i++) {
        if (!uniform(g, n->in[1 - i], &c) || !is_zero(c, true) || !like_result(g, n, n->in[i])) continue;
        v->same = n->in[i];
        return WEFT_OK;
    }
    return larger_first(g, n, v, err);
}

static weft_status fold_sub(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    float c;
    (void)err;
    if (uniform(g, n->in[1], &c) && is_zero(c, false) && like_result(g, n, n->in[0])) v->same = n->in[0];
    return WEFT_OK;
}

static weft_status fold_mul(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    float c;
    for (uint32_t i = 0; i < 2; i++)
        if (uniform(g, n->in[1 - i], &c) && has_result_dims(g, n, i)) return scaled(g, n, n->in[i], c, v, err);
    return larger_first(g, n, v, err);
}

static weft_status fold_div(weft_graph *g, const weft_node *n, verdict *v, weft_error *err)
{
    float c;
    int exponent;
    if (!uniform(g, n->in[1], &c) || !has_result_dims(g, n, 0)) return WEFT_OK;
    bool power_of_two = isnormal(c) && fabsf(frexpf(c, &exponent)) == 0.5f && isnormal(1.0f / c);
    return power_of_two ? scaled(g, n, n->in[0], 1.0f / c, v, err) : WEFT_OK;
}

static fold_rule *const rules[WEFT_OP_COUNT] = {
    [WEFT_OP_reshape] = fold_shape, [WEFT_OP_broadcast] = fold_shape, [WEFT_OP_permute] = fold_permute,
    [WEFT_OP_slice] = fold_slice,   [WEFT_OP_cast] = fold_cast,       [WEFT_OP_scale] = fold_scale,
    [WEFT_OP_add] = fold_add,       [WEFT_OP_sub] = fold_sub,         [WEFT_OP_mul] = fold_mul,
    [WEFT_OP_div] = fold_div,
};

static weft_status apply(weft__edit *e, const weft_node *n, const verdict *v, weft_error *err)
{
    uint32_t from[2] = { n->id, v->joined ? v->joined->id : 0 };
    bool view = weft_op_get(n->op)->traits & WEFT_TRAIT_VIEW;
    if (v->same.id && !view && weft__edit_is_old(e, v->same)) return WEFT_OK; /* n keeps what a store replaces */
    if (v->same.id) {
        weft__edit_forward(e, n->out[0], v->same);
        weft__edit_remove(e, n);
    } else if (v->made) {
        if (!weft__graph_set_origin(e->g, v->made, from, v->joined ? 2 : 1)) return WEFT_OOM_FAIL(err, "a pass");
        weft__edit_swap(e, n, v->made);
    }
    return WEFT_OK;
}

weft_status weft__pass_fold(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    WEFT_TRY(weft__edit_begin(g, &e, err));
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < e.count && s == WEFT_OK; i++) {
        const weft_node *n = weft_graph_node(g, i);
        verdict v = { 0 };
        weft__edit_inputs(&e, n); /* what it reads may have been folded */
        if (rules[n->op]) s = rules[n->op](g, n, &v, err);
        if (s == WEFT_OK) s = apply(&e, n, &v, err);
    }
    weft__edit_end(&e, changed);
    return s;
}
