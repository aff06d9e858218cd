/* shape_rule.c: what shape rules have in common: refusals with numbers, needs, arithmetic of dims. */
#include "graph/shape_rule.h"

#include <math.h>
#include <stdio.h>

weft_status weft__rule_refuse(const weft__rule *r, const char *what)
{
    char list[400], text[160];
    size_t used = 0;
    for (uint32_t i = 0; i < r->n_in && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? " x " : "",
                                 weft__dims_text(r->g, &r->v[i]->dims, text, sizeof text));
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: %s: %s", r->op->name, what, list);
}

weft_dtype_class weft__rule_class(const weft__rule *r, uint32_t i)
{
    return weft_dtype_get(r->v[i]->dtype)->class_;
}

weft_status weft__need_class(const weft__rule *r, uint32_t i, bool ok, const char *wanted)
{
    if (ok) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: input %u is %s, must be %s", r->op->name, i,
                     weft_dtype_get(r->v[i]->dtype)->name, wanted);
}

weft_status weft__need_float(const weft__rule *r, uint32_t i)
{
    return weft__need_class(r, i, weft__rule_class(r, i) == WEFT_DTYPE_FLOAT, "f32, f16 or bf16");
}

weft_status weft__need_i32(const weft__rule *r, uint32_t i)
{
    return weft__need_class(r, i, r->v[i]->dtype == WEFT_I32, "i32");
}

weft_status weft__need_numbers(const weft__rule *r, uint32_t i)
{
    weft_dtype_class c = weft__rule_class(r, i);
    return weft__need_class(r, i, c == WEFT_DTYPE_FLOAT || c == WEFT_DTYPE_BLOCK, "a float or a block type");
}

weft_status weft__need_plain(const weft__rule *r, uint32_t i)
{
    return weft__need_class(r, i, weft__rule_class(r, i) != WEFT_DTYPE_BLOCK, "a plain type");
}

weft_status weft__need_rank(const weft__rule *r, uint32_t i, uint32_t lo)
{
    if (r->v[i]->dims.rank >= lo) return WEFT_OK;
    char text[160];
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: input %u %s has a rank below %u", r->op->name, i,
                     weft__dims_text(r->g, &r->v[i]->dims, text, sizeof text), lo);
}

weft_status weft__need_axis(const weft__rule *r, int32_t axis, uint32_t rank)
{
    if (axis >= 0 && (uint32_t)axis < rank) return WEFT_OK;
    char text[160];
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: axis %d is not one of %s", r->op->name, axis,
                     weft__dims_text(r->g, &r->v[0]->dims, text, sizeof text));
}

weft_status weft__need_flag(const weft__rule *r, int32_t flag, const char *name)
{
    if (flag == 0 || flag == 1) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_INVALID, "%s: %s is %d, must be 0 or 1", r->op->name, name, flag);
}

weft_status weft__need_finite(const weft__rule *r, float x, bool positive, const char *name)
{
    if (isfinite(x) && (!positive || x > 0)) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_INVALID, "%s: %s is %g, must be %s", r->op->name, name, (double)x,
                     positive ? "positive and finite" : "finite");
}

weft_status weft__need_state(const weft__rule *r)
{
    const weft_node *maker = weft_graph_node_by_id(r->g, r->v[0]->node);
    bool state = maker->op == WEFT_OP_state ||
                 (weft_op_get(maker->op)->traits & WEFT_TRAIT_STATE && r->v[0]->index == 0);
    if (!state)
        return WEFT_FAIL(r->err, WEFT_INVALID, "%s: input 0 is made by %s, must be a state", r->op->name,
                         weft_op_get(maker->op)->name);
    return WEFT_OK;
}

void weft__rule_result(const weft__rule *r, weft_dtype t, const weft_dims *d)
{
    r->out->dtype[0] = t;
    r->out->dims[0] = *d;
}

/* ---- dims ---- */

static bool is_one(weft_dim d)
{
    return d.n == 1 && !d.extent;
}

weft_dim weft__dim_last(const weft_dims *d)
{
    return d->d[d->rank - 1];
}

bool weft__is_vector_of(const weft_value *v, weft_dim n)
{
    return v->dims.rank == 1 && weft__dim_equal(v->dims.d[0], n);
}

/* numpy's rule for one pair of dims. */
static bool broadcast_dim(weft_dim a, weft_dim b, weft_dim *out)
{
    *out = is_one(a) ? b : a;
    return is_one(a) || is_one(b) || weft__dim_equal(a, b);
}

bool weft__dims_broadcast(const weft_dims *a, uint32_t na, const weft_dims *b, uint32_t nb, weft_dims *out)
{
    const weft_dim one = { 1, 0 };
    out->rank = na > nb ? na : nb;
    for (uint32_t i = 1; i <= out->rank; i++) {
        weft_dim da = i <= na ? a->d[na - i] : one, db = i <= nb ? b->d[nb - i] : one;
        if (!broadcast_dim(da, db, &out->d[out->rank - i])) return false;
    }
    return true;
}

void weft__dims_drop(weft_dims *d, uint32_t axis)
{
    d->rank--;
    for (uint32_t i = axis; i < d->rank; i++) d->d[i] = d->d[i + 1];
    d->d[d->rank] = (weft_dim){ 0 };
}
