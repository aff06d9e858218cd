/* shape.c: the shape rules: one function per rule named in op.def, from inputs and attributes to types and dims.
 *
 * A rule reads one `rule` record and fills a weft__shape_result. The verifier calls the same rules, so a rule must
 * refuse whatever a kernel could not run: it checks types, ranks, sizes and the range of every attribute. Two
 * dimensions are equal when both their numbers and their extents are: the rules never guess what a run will choose. */
#include "graph/attr.h"
#include "graph/graph_impl.h"
#include "graph/map.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct rule {
    const weft_graph *g;
    weft_op id;
    const weft_op_info *op;
    const weft_attrs *attrs;
    const weft_ref *in;
    uint32_t n_in;
    const weft_value *v[WEFT_MAX_INPUTS];
    weft__shape_result *out;
    weft_error *err;
} rule;

/* ---- what rules say ---- */

static bool is_one(weft_dim d)
{
    return d.n == 1 && !d.extent;
}

/* "op: what: [2, 3] x [4]": the dims of all inputs follow the message. */
static weft_status refuse(const rule *r, const char *what)
{
    char list[400], text[160];
    size_t used = 0;
    for (uint32_t i = 0; i < r->n_in && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? " x " : "",
                                 weft__dims_text(r->g, &r->v[i]->dims, text, sizeof text));
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: %s: %s", r->op->name, what, list);
}

static weft_dtype_class class_of(const rule *r, uint32_t i)
{
    return weft_dtype_get(r->v[i]->dtype)->class_;
}

static weft_status need_class(const rule *r, uint32_t i, bool ok, const char *wanted)
{
    if (ok) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: input %u is %s, must be %s", r->op->name, i,
                     weft_dtype_get(r->v[i]->dtype)->name, wanted);
}

static weft_status need_float(const rule *r, uint32_t i)
{
    return need_class(r, i, class_of(r, i) == WEFT_DTYPE_FLOAT, "f32, f16 or bf16");
}

static weft_status need_i32(const rule *r, uint32_t i)
{
    return need_class(r, i, r->v[i]->dtype == WEFT_I32, "i32");
}

/* A float, or a weight in blocks. Block types exist as weights only, and no view makes another value of them. */
static weft_status need_weight(const rule *r, uint32_t i)
{
    weft_dtype_class c = class_of(r, i);
    return need_class(r, i, c == WEFT_DTYPE_FLOAT || c == WEFT_DTYPE_BLOCK, "a float or a block type");
}

static weft_status need_plain(const rule *r, uint32_t i)
{
    return need_class(r, i, class_of(r, i) != WEFT_DTYPE_BLOCK, "a plain type");
}

static weft_status need_rank(const rule *r, uint32_t i, uint32_t lo)
{
    if (r->v[i]->dims.rank >= lo) return WEFT_OK;
    char text[160];
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: input %u %s has a rank below %u", r->op->name, i,
                     weft__dims_text(r->g, &r->v[i]->dims, text, sizeof text), lo);
}

static weft_status need_axis(const rule *r, int32_t axis, uint32_t rank)
{
    if (axis >= 0 && (uint32_t)axis < rank) return WEFT_OK;
    char text[160];
    return WEFT_FAIL(r->err, WEFT_SHAPE, "%s: axis %d is not one of %s", r->op->name, axis,
                     weft__dims_text(r->g, &r->v[0]->dims, text, sizeof text));
}

static weft_status need_flag(const rule *r, int32_t flag, const char *name)
{
    if (flag == 0 || flag == 1) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_INVALID, "%s: %s is %d, must be 0 or 1", r->op->name, name, flag);
}

static weft_status need_finite(const rule *r, float x, bool positive, const char *name)
{
    if (isfinite(x) && (!positive || x > 0)) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_INVALID, "%s: %s is %g, must be %s", r->op->name, name, (double)x,
                     positive ? "positive and finite" : "finite");
}

static void result(const rule *r, weft_dtype t, const weft_dims *d)
{
    r->out->dtype[0] = t;
    r->out->dims[0] = *d;
}

static weft_dim last_dim(const weft_dims *d)
{
    return d->d[d->rank - 1];
}

static bool is_vector_of(const weft_value *v, weft_dim n)
{
    return v->dims.rank == 1 && weft__dim_equal(v->dims.d[0], n);
}

/* numpy's rule for one pair of dims. */
static bool broadcast_dim(weft_dim a, weft_dim b, weft_dim *out)
{
    *out = is_one(a) ? b : a;
    return is_one(a) || is_one(b) || weft__dim_equal(a, b);
}

/* numpy's rule for the first `na` and `nb` dims of a and b, aligned at their ends. */
static bool broadcast_dims(const weft_dims *a, uint32_t na, const weft_dims *b, uint32_t nb, weft_dims *out)
{
    const weft_dim one = { 1, 0 };
    out->rank = na > nb ? na : nb;
    for (uint32_t i = 1; i <= out->rank; i++) {
        weft_dim da = i <= na ? a->d[na - i] : one, db = i <= nb ? b->d[nb - i] : one;
        if (!broadcast_dim(da, db, &out->d[out->rank - i])) return false;
    }
    return true;
}

/* ---- sources and views ---- */

/* The type and dims of a source come from outside. */
static weft_status shape_source(const rule *r)
{
    const weft_dims scalar = { 0 };
    result(r, WEFT_F32, &scalar);
    return WEFT_OK;
}

/* Numbers multiply and extents are counted; both must come out the same. */
static weft_status shape_reshape(const rule *r)
{
    const weft_dims *from = &r->v[0]->dims, *to = &r->attrs->shape.dims;
    int64_t n_from = 1, n_to = 1, bound_total;
    int balance[WEFT_MAX_EXTENTS + 1] = { 0 };
    bool same;
    char text[160];
    WEFT_TRY(need_plain(r, 0));
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
    result(r, r->v[0]->dtype, to);
    return WEFT_OK;
}

static weft_status shape_permute(const rule *r)
{
    const weft_dims *d = &r->v[0]->dims;
    const weft_perm *order = &r->attrs->permute.order;
    weft_dims to = { .rank = d->rank };
    uint32_t seen = 0;
    WEFT_TRY(need_plain(r, 0));
    if (order->rank != d->rank) return refuse(r, "the order has another rank");
    for (uint32_t i = 0; i < d->rank; i++) {
        uint32_t axis = order->axis[i];
        if (axis >= d->rank || (seen >> axis & 1)) return refuse(r, "the order is no permutation");
        seen |= 1u << axis;
        to.d[i] = d->d[axis];
    }
    result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

/* An extent is at least 1 in every run, so of n * extent the first n are always there: what is taken must lie among
 * them. The result's dimension is a plain number. */
static weft_status shape_slice(const rule *r)
{
    const weft_attr_slice *a = &r->attrs->slice;
    weft_dims to = r->v[0]->dims;
    int64_t end;
    WEFT_TRY(need_plain(r, 0));
    WEFT_TRY(need_axis(r, a->axis, to.rank));
    if (a->start < 0 || a->size < 1 || __builtin_add_overflow(a->start, a->size, &end) || end > to.d[a->axis].n) {
        char what[120];
        snprintf(what, sizeof what, "%lld from %lld along axis %d is not inside", (long long)a->size,
                 (long long)a->start, a->axis);
        return refuse(r, what);
    }
    to.d[a->axis] = (weft_dim){ a->size, 0 };
    result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

static void drop_axis(weft_dims *d, uint32_t axis)
{
    d->rank--;
    for (uint32_t i = axis; i < d->rank; i++) d->d[i] = d->d[i + 1];
    d->d[d->rank] = (weft_dim){ 0 };
}

static weft_status shape_select(const rule *r)
{
    const weft_attr_select *a = &r->attrs->select;
    weft_dims to = r->v[0]->dims;
    WEFT_TRY(need_plain(r, 0));
    WEFT_TRY(need_axis(r, a->axis, to.rank));
    if (a->index < 0 || a->index >= to.d[a->axis].n) {
        char what[120];
        snprintf(what, sizeof what, "index %lld along axis %d is not inside", (long long)a->index, a->axis);
        return refuse(r, what);
    }
    drop_axis(&to, (uint32_t)a->axis);
    result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

static weft_status shape_broadcast(const rule *r)
{
    const weft_dims *from = &r->v[0]->dims, *to = &r->attrs->shape.dims;
    weft_dims both;
    char text[160], what[240];
    int64_t n;
    WEFT_TRY(need_plain(r, 0));
    weft_status s = weft__dims_check(r->g, to, &n, r->err);
    if (s != WEFT_OK) return weft__annotate(r->err, s, "broadcast");
    if (!broadcast_dims(from, from->rank, to, to->rank, &both) || !weft__dims_equal(&both, to)) {
        snprintf(what, sizeof what, "does not stretch to %s", weft__dims_text(r->g, to, text, sizeof text));
        return refuse(r, what);
    }
    result(r, r->v[0]->dtype, to);
    return WEFT_OK;
}

/* ---- element-wise ---- */

/* Element-wise, of one operand or more. */
static weft_status shape_map(const rule *r)
{
    weft_dims to = r->v[0]->dims;
    weft__map_kind kind = weft__map_kind_of(r->id);
    uint32_t first = kind == WEFT__MAP_CHOICE ? 1 : 0; /* operand; before it stands what chooses */
    bool whole = kind != WEFT__MAP_FLOAT && r->v[first]->dtype == WEFT_I32;
    for (uint32_t i = 0; i < r->n_in; i++) {
        const weft_dims so_far = to, *d = &r->v[i]->dims;
        WEFT_TRY(whole || i < first ? need_i32(r, i) : need_float(r, i));
        if (!broadcast_dims(&so_far, so_far.rank, d, d->rank, &to)) return refuse(r, "do not broadcast");
    }
    result(r, whole || kind == WEFT__MAP_TRUTH ? WEFT_I32 : WEFT_F32, &to);
    return WEFT_OK;
}

static weft_status shape_cast(const rule *r)
{
    weft_dtype t = r->attrs->cast.dtype;
    weft_dtype_class c = weft_dtype_get(t)->class_;
    WEFT_TRY(need_plain(r, 0));
    if (c != WEFT_DTYPE_FLOAT && c != WEFT_DTYPE_INT)
        return WEFT_FAIL(r->err, WEFT_SHAPE, "cast: %s is no type to cast to", weft_dtype_get(t)->name);
    result(r, t, &r->v[0]->dims);
    return WEFT_OK;
}

static weft_status shape_same(const rule *r)
{
    WEFT_TRY(need_plain(r, 0));
    result(r, r->v[0]->dtype, &r->v[0]->dims);
    return WEFT_OK;
}

/* ---- rows ---- */

static weft_status shape_rows(const rule *r)
{
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_rank(r, 0, 1));
    result(r, WEFT_F32, &r->v[0]->dims);
    return WEFT_OK;
}

static weft_status shape_norm(const rule *r)
{
    const weft_dims *d = &r->v[0]->dims;
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_rank(r, 0, 1));
    for (uint32_t i = 1; i < r->n_in; i++) {
        WEFT_TRY(need_float(r, i));
        if (!is_vector_of(r->v[i], last_dim(d)))
            return refuse(r, "weight and bias must be vectors of the last dimension");
    }
    float eps = r->attrs->norm.eps;
    if (!isfinite(eps) || eps < 0) return WEFT_FAIL(r->err, WEFT_INVALID, "%s: eps is %g", r->op->name, (double)eps);
    result(r, WEFT_F32, d);
    return WEFT_OK;
}

static weft_status shape_norm_pair(const rule *r)
{
    WEFT_TRY(shape_norm(r));
    r->out->dtype[1] = WEFT_F32;
    r->out->dims[1] = r->v[0]->dims;
    return WEFT_OK;
}

static weft_status shape_reduce(const rule *r)
{
    weft_dims to = r->v[0]->dims;
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_rank(r, 0, 1));
    drop_axis(&to, to.rank - 1);
    result(r, WEFT_F32, &to);
    return WEFT_OK;
}

static weft_status shape_argmax(const rule *r)
{
    WEFT_TRY(shape_reduce(r));
    r->out->dtype[0] = WEFT_I32;
    return WEFT_OK;
}

static weft_status shape_top_k(const rule *r)
{
    weft_dims to = r->v[0]->dims;
    int32_t k = r->attrs->top_k.k;
    char what[80];
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_rank(r, 0, 1));
    snprintf(what, sizeof what, "k = %d is not from 1 to the last dimension", k);
    if (k < 1 || k > last_dim(&to).n) return refuse(r, what);
    to.d[to.rank - 1] = (weft_dim){ k, 0 };
    result(r, WEFT_F32, &to);
    r->out->dtype[1] = WEFT_I32;
    r->out->dims[1] = to;
    return WEFT_OK;
}

/* ---- products ---- */

/* a [.., M, K] by b [.., K, N], or b [.., N, K] if `nt`. */
static weft_status matmul_dims(const rule *r, bool nt)
{
    const weft_dims *a = &r->v[0]->dims, *b = &r->v[1]->dims;
    weft_dims to = { 0 };
    WEFT_TRY(need_rank(r, 0, 2));
    WEFT_TRY(need_rank(r, 1, 2));
    if (!weft__dim_equal(last_dim(a), b->d[b->rank - (nt ? 1 : 2)])) return refuse(r, "inner sizes differ");
    if (!broadcast_dims(a, a->rank - 2, b, b->rank - 2, &to)) return refuse(r, "leading sizes do not broadcast");
    to.d[to.rank++] = a->d[a->rank - 2];
    to.d[to.rank++] = b->d[b->rank - (nt ? 2 : 1)];
    result(r, WEFT_F32, &to);
    return WEFT_OK;
}

static weft_status shape_matmul(const rule *r)
{
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_float(r, 1));
    return matmul_dims(r, false);
}

static weft_status shape_matmul_nt(const rule *r)
{
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_weight(r, 1));
    if (class_of(r, 1) == WEFT_DTYPE_BLOCK && r->v[1]->dims.rank != 2)
        return refuse(r, "a weight of a block type must be a matrix");
    return matmul_dims(r, true);
}

/* act(x w^T + bias) + residuals: x [.., M, K], w [N, K], bias [N], each residual as the result. */
static weft_status shape_linear(const rule *r)
{
    const weft_attr_linear *a = &r->attrs->linear;
    WEFT_TRY(need_float(r, 0));
    WEFT_TRY(need_weight(r, 1));
    WEFT_TRY(need_flag(r, a->has_bias, "has_bias"));
    if ((unsigned)a->act >= WEFT_ACT_COUNT) return WEFT_FAIL(r->err, WEFT_INVALID, "linear: no such activation");
    if (a->n_residual < 0 || a->n_residual > WEFT_MAX_INPUTS ||
        r->n_in != 2u + (uint32_t)a->has_bias + (uint32_t)a->n_residual)
        return WEFT_FAIL(r->err, WEFT_INVALID, "linear: %u inputs for %d bias and %d residuals", r->n_in, a->has_bias,
                         a->n_residual);
    if (r->v[1]->dims.rank != 2) return refuse(r, "the weight must be a matrix");
    WEFT_TRY(matmul_dims(r, true));
    for (uint32_t i = 2; i < r->n_in; i++) {
        WEFT_TRY(need_float(r, i));
        bool bias = a->has_bias && i == 2;
        if (bias ? !is_vector_of(r->v[i], r->v[1]->dims.d[0]) : !weft__dims_equal(&r->v[i]->dims, &r->out->dims[0]))
            return refuse(r, bias ? "the bias does not fit" : "a residual does not fit");
    }
    return WEFT_OK;
}

/* ---- moving rows ---- */

static weft_status shape_gather(const rule *r)
{
    const weft_dims *table = &r->v[0]->dims, *index = &r->v[1]->dims;
    weft_dims to = *index;
    WEFT_TRY(need_rank(r, 0, 1));
    WEFT_TRY(need_i32(r, 1));
    if (index->rank + table->rank - 1 > WEFT_MAX_RANK) return refuse(r, "the result's rank is too high");
    if (class_of(r, 0) == WEFT_DTYPE_BLOCK && table->rank < 2) return refuse(r, "a table of a block type needs rows");
    for (uint32_t i = 1; i < table->rank; i++) to.d[to.rank++] = table->d[i];
    result(r, WEFT_F32, &to);
    return WEFT_OK;
}

/* Sizes along the axis add up: plain numbers, or multiples of one extent. All inputs have one type, which stays. */
static weft_status shape_concat(const rule *r)
{
    weft_dims to = r->v[0]->dims;
    int32_t axis = r->attrs->axis.axis;
    WEFT_TRY(need_plain(r, 0));
    WEFT_TRY(need_axis(r, axis, to.rank));
    for (uint32_t i = 1; i < r->n_in; i++) {
        const weft_dims *d = &r->v[i]->dims;
        if (r->v[i]->dtype != r->v[0]->dtype)
            return WEFT_FAIL(r->err, WEFT_SHAPE, "concat: types differ: %s and %s",
                             weft_dtype_get(r->v[0]->dtype)->name, weft_dtype_get(r->v[i]->dtype)->name);
        if (d->rank != to.rank) return refuse(r, "ranks differ");
        for (uint32_t j = 0; j < to.rank; j++) {
            bool along = j == (uint32_t)axis;
            if (along ? to.d[j].extent != d->d[j].extent : !weft__dim_equal(to.d[j], d->d[j]))
                return refuse(r, "sizes differ");
            if (along && __builtin_add_overflow(to.d[j].n, d->d[j].n, &to.d[j].n)) return refuse(r, "too large");
        }
    }
    result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

/* Input 0 of an op that writes into a state: the state itself, or the result of another such op. */
static weft_status need_state(const rule *r)
{
    const weft_node *maker = weft_graph_node_by_id(r->g, r->v[0]->node);
    bool state = maker->op == WEFT_OP_state || (weft_op_get(maker->op)->traits & WEFT_TRAIT_STATE);
    if (!state)
        return WEFT_FAIL(r->err, WEFT_INVALID, "%s: input 0 is made by %s, must be a state", r->op->name,
                         weft_op_get(maker->op)->name);
    return need_plain(r, 0);
}

static weft_status shape_store(const rule *r)
{
    const weft_dims *state = &r->v[0]->dims, *rows = &r->v[1]->dims;
    int32_t axis = r->attrs->axis.axis;
    WEFT_TRY(need_state(r));
    WEFT_TRY(need_axis(r, axis, state->rank));
    WEFT_TRY(need_i32(r, 2));
    if (r->v[0]->dtype == WEFT_I32)
        WEFT_TRY(need_i32(r, 1));
    else
        WEFT_TRY(need_float(r, 1));
    bool fits = rows->rank == state->rank;
    for (uint32_t i = 0; i < state->rank && fits; i++)
        fits = i == (uint32_t)axis ? is_vector_of(r->v[2], rows->d[i]) : weft__dim_equal(rows->d[i], state->d[i]);
    if (!fits) return refuse(r, "rows or index do not fit the state");
    result(r, r->v[0]->dtype, state);
    return WEFT_OK;
}

/* ---- rotary embedding and attention ---- */

static weft_status shape_rope_angles(const rule *r)
{
    const weft_attr_rope_angles *a = &r->attrs->rope_angles;
    WEFT_TRY(need_i32(r, 0));
    if (r->v[0]->dims.rank != 1) return refuse(r, "positions must be a vector");
    if (a->n_rot < 2 || a->n_rot % 2)
        return WEFT_FAIL(r->err, WEFT_INVALID, "rope_angles: n_rot is %d, must be even and at least 2", a->n_rot);
    WEFT_TRY(need_finite(r, a->theta, true, "theta"));
    WEFT_TRY(need_finite(r, a->position_scale, true, "position_scale"));
    weft_dims to = { 3, { r->v[0]->dims.d[0], { a->n_rot / 2, 0 }, { 2, 0 } } };
    if (r->n_in == 2) {
        WEFT_TRY(need_class(r, 1, r->v[1]->dtype == WEFT_F32, "f32"));
        if (!is_vector_of(r->v[1], to.d[1])) return refuse(r, "factors must be a vector of n_rot/2");
    }
    result(r, WEFT_F32, &to);
    return WEFT_OK;
}

/* x [T, .., D] by angles [T, n_rot/2, 2], D >= n_rot. */
static weft_status need_rotatable(const rule *r, uint32_t x, uint32_t angles)
{
    const weft_dims *d = &r->v[x]->dims, *a = &r->v[angles]->dims;
    WEFT_TRY(need_float(r, x));
    WEFT_TRY(need_rank(r, x, 2));
    WEFT_TRY(need_class(r, angles, r->v[angles]->dtype == WEFT_F32, "f32"));
    if (a->rank != 3 || a->d[1].extent || a->d[2].n != 2 || a->d[2].extent || !weft__dim_equal(a->d[0], d->d[0]))
        return refuse(r, "angles do not fit");
    if (last_dim(d).extent || last_dim(d).n / 2 < a->d[1].n)
        return refuse(r, "the last dimension is shorter than what rotates");
    return WEFT_OK;
}

static weft_status shape_rope(const rule *r)
{
    WEFT_TRY(need_rotatable(r, 0, 1));
    WEFT_TRY(need_flag(r, r->attrs->rope.interleaved, "interleaved"));
    result(r, WEFT_F32, &r->v[0]->dims);
    return WEFT_OK;
}

/* state [G, C, D] with axis 1 or [C, G, D] with axis 0; rows [T, G, D] before rotation; index [T]. */
static weft_status shape_rope_store(const rule *r)
{
    const weft_dims *state = &r->v[0]->dims, *rows = &r->v[1]->dims;
    int32_t axis = r->attrs->rope_store.axis;
    WEFT_TRY(need_state(r));
    WEFT_TRY(need_class(r, 0, class_of(r, 0) == WEFT_DTYPE_FLOAT, "a float state"));
    WEFT_TRY(need_rotatable(r, 1, 2));
    WEFT_TRY(need_i32(r, 3));
    WEFT_TRY(need_flag(r, r->attrs->rope_store.interleaved, "interleaved"));
    WEFT_TRY(need_flag(r, axis, "axis"));
    if (state->rank != 3 || rows->rank != 3 || !weft__dim_equal(state->d[1 - axis], rows->d[1]) ||
        !weft__dim_equal(state->d[2], rows->d[2]) || !is_vector_of(r->v[3], rows->d[0]))
        return refuse(r, "rows or index do not fit the state");
    result(r, r->v[0]->dtype, state);
    return WEFT_OK;
}

/* q [T, H, D], k and v [G, C, D], first and last [T]. */
static weft_status shape_attention(const rule *r)
{
    const weft_dims *q = &r->v[0]->dims, *k = &r->v[1]->dims;
    for (uint32_t i = 0; i < 3; i++) {
        WEFT_TRY(need_float(r, i));
        if (r->v[i]->dims.rank != 3) return refuse(r, "q, k and v must have rank 3");
    }
    WEFT_TRY(need_finite(r, r->attrs->attention.scale, false, "scale"));
    if (!weft__dims_equal(k, &r->v[2]->dims)) return refuse(r, "k and v differ");
    if (!weft__dim_equal(q->d[2], k->d[2]) || q->d[2].extent) return refuse(r, "head sizes differ");
    if (q->d[1].extent || k->d[0].extent || q->d[1].n % k->d[0].n)
        return refuse(r, "the number of groups must divide the number of heads");
    for (uint32_t i = 3; i < 5; i++) {
        WEFT_TRY(need_i32(r, i));
        if (!is_vector_of(r->v[i], q->d[0])) return refuse(r, "first and last must be vectors of tokens");
    }
    result(r, WEFT_F32, q);
    return WEFT_OK;
}

/* ---- dispatch ---- */

typedef weft_status shape_fn(const rule *r);
static shape_fn *const shape_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) [WEFT_OP_##name] = shape_##shape,
#include "op.def"
#undef WEFT_OP
};

weft_status weft__shape(const weft_graph *g, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n_in,
                        weft__shape_result *out, weft_error *err)
{
    rule r = { g, op, weft_op_get(op), attrs, in, n_in, { NULL }, out, err };
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
