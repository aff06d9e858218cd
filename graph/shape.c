/* shape.c: the shape rules (shape_rule.h) of sources, views and element-wise ops; and which rule an op has. */
#include "graph/map.h"
#include "graph/shape_rule.h"

#include <stdio.h>
#include <string.h>

/* ---- sources and views ---- */

/* The type and dims of a source come from outside. */
weft_status weft__shape_source(const weft__rule *r)
{
    const weft_dims scalar = { 0 };
    weft__rule_result(r, WEFT_F32, &scalar);
    return WEFT_OK;
}

/* Numbers multiply and extents are counted; both must come out the same. */
weft_status weft__shape_reshape(const weft__rule *r)
{
    const weft_dims *from = &r->v[0]->dims, *to = &r->attrs->shape.dims;
    int64_t n_from = 1, n_to = 1, bound_total;
    int balance[WEFT_MAX_EXTENTS + 1] = { 0 };
    bool same;
    char text[160];
    WEFT_TRY(weft__need_plain(r, 0));
    weft_status s = weft__dims_check(r->g, to, &bound_total, r->err);
    if (s != WEFT_OK) return weft__annotate(r->err, s, "reshape");
    for (uint32_t i = 0; i < from->rank; i++) {
        n_from *= from->d[i].n;
        balance[from->d[i].extent]++;
    }
    for (uint32_t i = 0; i < to->rank; i++) {
        n_to *= to->d[i].n;
        balance[to->d[i].extent]--;
    }
    same = n_from == n_to;
    for (uint32_t e = 1; e <= WEFT_MAX_EXTENTS; e++) same = same && !balance[e];
    if (!same) {
        char list[160];
        return WEFT_FAIL(r->err, WEFT_SHAPE, "reshape: %s does not hold as many elements as %s",
                         weft__dims_text(r->g, to, text, sizeof text), weft__dims_text(r->g, from, list, sizeof list));
    }
    weft__rule_result(r, r->v[0]->dtype, to);
    return WEFT_OK;
}

weft_status weft__shape_permute(const weft__rule *r)
{
    const weft_dims *d = &r->v[0]->dims;
    const weft_perm *order = &r->attrs->permute.order;
    weft_dims to = { .rank = d->rank };
    uint32_t seen = 0;
    WEFT_TRY(weft__need_plain(r, 0));
    if (order->rank != d->rank) return weft__rule_refuse(r, "the order has another rank");
    for (uint32_t i = 0; i < d->rank; i++) {
        uint32_t axis = order->axis[i];
        if (axis >= d->rank || (seen >> axis & 1)) return weft__rule_refuse(r, "the order is no permutation");
        seen |= 1u << axis;
        to.d[i] = d->d[axis];
    }
    weft__rule_result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

/* An extent is at least 1 in every run, so of n * extent the first n are always there: what is taken must lie among
 * them. The result's dimension is a plain number. */
weft_status weft__shape_slice(const weft__rule *r)
{
    const weft_attr_slice *a = &r->attrs->slice;
    weft_dims to = r->v[0]->dims;
    int64_t end;
    WEFT_TRY(weft__need_plain(r, 0));
    WEFT_TRY(weft__need_axis(r, a->axis, to.rank));
    if (a->start < 0 || a->size < 1 || __builtin_add_overflow(a->start, a->size, &end) || end > to.d[a->axis].n) {
        char what[120];
        snprintf(what, sizeof what, "%lld from %lld along axis %d is not inside", (long long)a->size,
                 (long long)a->start, a->axis);
        return weft__rule_refuse(r, what);
    }
    to.d[a->axis] = (weft_dim){ a->size, 0 };
    weft__rule_result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

weft_status weft__shape_select(const weft__rule *r)
{
    const weft_attr_select *a = &r->attrs->select;
    weft_dims to = r->v[0]->dims;
    WEFT_TRY(weft__need_plain(r, 0));
    WEFT_TRY(weft__need_axis(r, a->axis, to.rank));
    if (a->index < 0 || a->index >= to.d[a->axis].n) {
        char what[120];
        snprintf(what, sizeof what, "index %lld along axis %d is not inside", (long long)a->index, a->axis);
        return weft__rule_refuse(r, what);
    }
    weft__dims_drop(&to, (uint32_t)a->axis);
    weft__rule_result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

weft_status weft__shape_broadcast(const weft__rule *r)
{
    const weft_dims *from = &r->v[0]->dims, *to = &r->attrs->shape.dims;
    weft_dims both;
    char text[160], what[240];
    int64_t n;
    WEFT_TRY(weft__need_plain(r, 0));
    weft_status s = weft__dims_check(r->g, to, &n, r->err);
    if (s != WEFT_OK) return weft__annotate(r->err, s, "broadcast");
    if (!weft__dims_broadcast(from, from->rank, to, to->rank, &both) || !weft__dims_equal(&both, to)) {
        snprintf(what, sizeof what, "does not stretch to %s", weft__dims_text(r->g, to, text, sizeof text));
        return weft__rule_refuse(r, what);
    }
    weft__rule_result(r, r->v[0]->dtype, to);
    return WEFT_OK;
}

/* ---- element-wise ---- */

/* Element-wise, of one operand or more. */
weft_status weft__shape_map(const weft__rule *r)
{
    weft_dims to = r->v[0]->dims;
    weft__map_kind kind = weft__map_kind_of(r->id);
    uint32_t first = kind == WEFT__MAP_CHOICE ? 1 : 0; /* operand; before it stands what chooses */
    bool whole = kind != WEFT__MAP_FLOAT && r->v[first]->dtype == WEFT_I32;
    for (uint32_t i = 0; i < r->n_in; i++) {
        const weft_dims so_far = to, *d = &r->v[i]->dims;
        WEFT_TRY(whole || i < first ? weft__need_i32(r, i) : weft__need_float(r, i));
        if (!weft__dims_broadcast(&so_far, so_far.rank, d, d->rank, &to))
            return weft__rule_refuse(r, "do not broadcast");
    }
    weft__rule_result(r, whole || kind == WEFT__MAP_TRUTH ? WEFT_I32 : WEFT_F32, &to);
    return WEFT_OK;
}

weft_status weft__shape_cast(const weft__rule *r)
{
    weft_dtype t = r->attrs->cast.dtype;
    weft_dtype_class c = weft_dtype_get(t)->class_;
    WEFT_TRY(weft__need_plain(r, 0));
    if (c != WEFT_DTYPE_FLOAT && c != WEFT_DTYPE_INT)
        return WEFT_FAIL(r->err, WEFT_SHAPE, "cast: %s is no type to cast to", weft_dtype_get(t)->name);
    weft__rule_result(r, t, &r->v[0]->dims);
    return WEFT_OK;
}

/* A transfer moves bytes, whatever they are. */
weft_status weft__shape_same(const weft__rule *r)
{
    if (r->id != WEFT_OP_transfer) WEFT_TRY(weft__need_plain(r, 0));
    weft__rule_result(r, r->v[0]->dtype, &r->v[0]->dims);
    return WEFT_OK;
}

/* ---- dispatch ---- */

static weft__shape_fn *const shape_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) [WEFT_OP_##name] = weft__shape_##shape,
#include "op.def"
#undef WEFT_OP
};

weft_status weft__shape(const weft_graph *g, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n_in,
                        weft__shape_result *out, weft_error *err)
{
    weft__rule r = { g, op, weft_op_get(op), attrs, in, n_in, { NULL }, out, err };
    if (n_in < r.op->min_in || n_in > r.op->max_in)
        return WEFT_FAIL(err, WEFT_INVALID, "%s: %u inputs, needs %u to %u", r.op->name, n_in, r.op->min_in,
                         r.op->max_in);
    for (uint32_t i = 0; i < n_in; i++) {
        r.v[i] = weft_graph_value(g, in[i]);
        if (!r.v[i]) return WEFT_FAIL(err, WEFT_INVALID, "%s: input %u is no value of this graph", r.op->name, i);
    }
    memset(out, 0, sizeof *out);
    WEFT_TRY(shape_of_op[op](&r));
    for (uint32_t i = 0; i < r.op->n_out && !(r.op->traits & WEFT_TRAIT_SOURCE); i++) {
        weft_status s = weft__value_check(g, out->dtype[i], &out->dims[i], err);
        if (s != WEFT_OK) return weft__annotate(err, s, "%s: the result", r.op->name);
    }
    return WEFT_OK;
}
