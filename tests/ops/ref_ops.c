/* ref_ops.c: the oracle's views, reductions and moves. */
#include "ref_impl.h"

#include <stdio.h>
#include <stdlib.h>

bool ref_complain(const ref_call *c, const char *what)
{
    printf("oracle: node %u (%s): %s\n", c->n->id, weft_op_get(c->n->op)->name, what);
    return false;
}

static double spacing(weft_dtype t, double v)
{
    int digits = t == WEFT_F16 ? 11 : 8, lowest = t == WEFT_F16 ? -14 : -126, exponent;
    frexp(v, &exponent);
    if (exponent < lowest + 1) exponent = lowest + 1;
    return ldexp(1.0, exponent - digits);
}

void ref_set(ref_tensor *t, int64_t i, double v, double e)
{
    if (!isfinite(v)) e = 0.0;
    if (isnan(e)) e = INFINITY; /* an unbounded error times zero */
    t->v[i] = v;
    t->e[i] = e;
    if (t->dtype != WEFT_F16 && t->dtype != WEFT_BF16) return;
    t->v[i] = ref_round(t->dtype, v);
    if (e > 0.0) t->e[i] = e + spacing(t->dtype, v);
}

ref_axis ref_around(const ref_tensor *t, int32_t axis)
{
    uint32_t k = axis < 0 ? (uint32_t)(axis + (int32_t)t->rank) : (uint32_t)axis;
    ref_axis a = { 1, t->dim[k], 1 };
    for (uint32_t i = 0; i < k; i++) a.outer *= t->dim[i];
    for (uint32_t i = k + 1; i < t->rank; i++) a.inner *= t->dim[i];
    return a;
}

void ref_resolve(const ref_call *c, const weft_dims *d, int64_t *out)
{
    for (uint32_t i = 0; i < d->rank; i++)
        out[i] = d->d[i].n * (d->d[i].extent ? c->extents[d->d[i].extent - 1] : 1);
}

int64_t ref_broadcast_index(const ref_tensor *out, const ref_tensor *x, int64_t i)
{
    int64_t at = 0, step = 1;
    for (uint32_t k = 0; k < out->rank; k++) {
        uint32_t axis = out->rank - 1 - k;
        int64_t coordinate = i % out->dim[axis];
        i /= out->dim[axis];
        if (k >= x->rank) continue;
        int64_t extent = x->dim[x->rank - 1 - k];
        if (extent != 1) at += coordinate * step;
        step *= extent;
    }
    return at;
}

bool ref_broadcast_dims(const ref_tensor *a, const ref_tensor *b, uint32_t *rank, int64_t *dim)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t k = 0; k < *rank; k++) {
        int64_t p = k < a->rank ? a->dim[a->rank - 1 - k] : 1,
                q = k < b->rank ? b->dim[b->rank - 1 - k] : 1;
        if (p != q && p != 1 && q != 1) return false;
        dim[*rank - 1 - k] = p == 1 ? q : p;
    }
    return true;
}

/* ---- sources: filled in by the caller ---- */

#define SOURCE(name)                                          \
    bool ref_op_##name(const ref_call *c)                     \
    {                                                         \
        return ref_complain(c, "a source has no arithmetic"); \
    }
SOURCE(input)
SOURCE(weight)
SOURCE(state)
SOURCE(constant)

/* ---- views and moves ---- */

static void take(ref_tensor *out, int64_t i, const ref_tensor *x, int64_t j)
{
    ref_set(out, i, x->v[j], x->e[j]);
}

bool ref_op_reshape(const ref_call *c)
{
    int64_t dim[WEFT_MAX_RANK];
    ref_resolve(c, &c->n->attrs.shape.dims, dim);
    ref_alloc(c->out, c->in[0]->dtype, c->n->attrs.shape.dims.rank, dim);
    if (c->out->n != c->in[0]->n) return ref_complain(c, "reshape changes the number of elements");
    for (int64_t i = 0; i < c->out->n; i++) take(c->out, i, c->in[0], i);
    return true;
}

bool ref_op_permute(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    const weft_perm *order = &c->n->attrs.permute.order;
    int64_t dim[WEFT_MAX_RANK], step[WEFT_MAX_RANK];
    if (order->rank != x->rank) return ref_complain(c, "the order's rank is not the input's");
    for (uint32_t i = x->rank, s = 1; i-- > 0; s *= (uint32_t)x->dim[i]) step[i] = s;
    for (uint32_t i = 0; i < x->rank; i++) dim[i] = x->dim[order->axis[i]];
    ref_alloc(c->out, x->dtype, x->rank, dim);
    for (int64_t i = 0; i < c->out->n; i++) {
        int64_t rest = i, at = 0;
        for (uint32_t k = x->rank; k-- > 0; rest /= dim[k])
            at += rest % dim[k] * step[order->axis[k]];
        take(c->out, i, x, at);
    }
    return true;
}

/* `size` of the axis from `start`; the axis itself goes when `drop`. */
static bool part(const ref_call *c, int32_t axis, int64_t start, int64_t size, bool drop)
{
    const ref_tensor *x = c->in[0];
    ref_axis a = ref_around(x, axis);
    uint32_t k = axis < 0 ? (uint32_t)(axis + (int32_t)x->rank) : (uint32_t)axis, rank = 0;
    int64_t dim[WEFT_MAX_RANK];
    for (uint32_t i = 0; i < x->rank; i++) {
        if (i == k && drop) continue;
        dim[rank++] = i == k ? size : x->dim[i];
    }
    if (start < 0 || start + size > a.n) return ref_complain(c, "the slice is outside the axis");
    ref_alloc(c->out, x->dtype, rank, dim);
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t j = 0; j < size * a.inner; j++)
            take(c->out, o * size * a.inner + j, x, (o * a.n + start) * a.inner + j);
    return true;
}

bool ref_op_slice(const ref_call *c)
{
    return part(c, c->n->attrs.slice.axis, c->n->attrs.slice.start, c->n->attrs.slice.size, false);
}

bool ref_op_select(const ref_call *c)
{
    return part(c, c->n->attrs.select.axis, c->n->attrs.select.index, 1, true);
}

bool ref_op_broadcast(const ref_call *c)
{
    int64_t dim[WEFT_MAX_RANK];
    ref_resolve(c, &c->n->attrs.shape.dims, dim);
    ref_alloc(c->out, c->in[0]->dtype, c->n->attrs.shape.dims.rank, dim);
    for (int64_t i = 0; i < c->out->n; i++)
        take(c->out, i, c->in[0], ref_broadcast_index(c->out, c->in[0], i));
    return true;
}

bool ref_op_copy(const ref_call *c)
{
    ref_copy(c->out, c->in[0]);
    return true;
}

bool ref_op_transfer(const ref_call *c)
{
    return ref_op_copy(c);
}

/* Towards zero; what does not fit becomes the nearest end of the range, NaN 0. */
static double to_whole(double x)
{
    if (isnan(x)) return 0;
    return fmin(fmax(trunc(x), -2147483648.0), 2147483647.0);
}

bool ref_op_cast(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    ref_alloc(c->out, c->n->attrs.cast.dtype, x->rank, x->dim);
    bool to_int = c->out->dtype == WEFT_I32 && x->dtype != WEFT_I32;
    for (int64_t i = 0; i < x->n; i++) {
        double v = to_int ? to_whole(x->v[i]) : x->v[i];
        if (to_int && x->e[i] > 0.0 && to_whole(x->v[i] - x->e[i]) != to_whole(x->v[i] + x->e[i]))
            c->out->unsure = true;
        if (to_int) {
            ref_set(c->out, i, v, 0.0);
        } else {
            bool inexact = c->out->dtype == WEFT_F32 && (double)(float)v != v;
            ref_set(c->out, i, v, x->e[i] + (inexact ? REF_U * fabs(v) : 0.0));
        }
    }
    return true;
}

bool ref_op_concat(const ref_call *c)
{
    int64_t dim[WEFT_MAX_RANK], total = 0, at = 0;
    int32_t axis = c->n->attrs.axis.axis;
    const ref_tensor *x = c->in[0];
    uint32_t k = axis < 0 ? (uint32_t)(axis + (int32_t)x->rank) : (uint32_t)axis;
    for (uint32_t i = 0; i < c->n_in; i++) total += c->in[i]->dim[k];
    for (uint32_t i = 0; i < x->rank; i++) dim[i] = i == k ? total : x->dim[i];
    ref_alloc(c->out, x->dtype, x->rank, dim);
    ref_axis whole = ref_around(c->out, axis);
    for (uint32_t i = 0; i < c->n_in; i++) {
        ref_axis a = ref_around(c->in[i], axis);
        for (int64_t o = 0; o < a.outer; o++)
            for (int64_t j = 0; j < a.n * a.inner; j++)
                take(c->out, (o * whole.n + at) * whole.inner + j, c->in[i], o * a.n * a.inner + j);
        at += a.n;
    }
    return true;
}

/* ---- along the last axis, which goes ---- */

static int64_t reduced(const ref_call *c, weft_dtype dtype)
{
    const ref_tensor *x = c->in[0];
    ref_alloc(c->out, dtype, x->rank - 1, x->dim);
    return x->dim[x->rank - 1];
}

static bool sum(const ref_call *c, bool mean)
{
    const ref_tensor *x = c->in[0];
    int64_t n = reduced(c, WEFT_F32);
    double by = mean ? 1.0 / (double)n : 1.0;
    for (int64_t row = 0; row < c->out->n; row++) {
        double s = 0.0, magnitude = 0.0, e = 0.0;
        for (int64_t j = row * n; j < row * n + n; j++) {
            s += x->v[j];
            magnitude += fabs(x->v[j]);
            e += x->e[j];
        }
        ref_set(c->out, row, s * by, (e + ref_gamma(n) * magnitude) * by);
    }
    return true;
}

bool ref_op_reduce_sum(const ref_call *c)
{
    return sum(c, false);
}

bool ref_op_reduce_mean(const ref_call *c)
{
    return sum(c, true);
}

/* A NaN is smaller than every number. */
static bool above(double a, double b)
{
    return isnan(b) ? !isnan(a) : a > b;
}

bool ref_op_reduce_max(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    int64_t n = reduced(c, WEFT_F32);
    for (int64_t row = 0; row < c->out->n; row++) {
        double best = NAN, e = 0.0;
        for (int64_t j = row * n; j < row * n + n; j++) {
            if (above(x->v[j], best)) best = x->v[j];
            e = fmax(e, x->e[j]);
        }
        ref_set(c->out, row, best, e);
    }
    return true;
}

bool ref_op_argmax(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    int64_t n = reduced(c, WEFT_I32);
    for (int64_t row = 0; row < c->out->n; row++) {
        const double *v = x->v + row * n, *e = x->e + row * n;
        int64_t best = 0;
        for (int64_t j = 1; j < n; j++)
            if (above(v[j], v[best])) best = j;
        for (int64_t j = 0; j < n; j++)
            if (j != best && e[j] + e[best] > 0.0 && v[best] - v[j] <= e[j] + e[best])
                c->out->unsure = true;
        ref_set(c->out, row, (double)best, 0.0);
    }
    return true;
}

bool ref_op_top_k(const ref_call *c)
{
    const ref_tensor *x = c->in[0];
    int64_t dim[WEFT_MAX_RANK], n = x->dim[x->rank - 1], k = c->n->attrs.top_k.k;
    for (uint32_t i = 0; i < x->rank; i++) dim[i] = i + 1 == x->rank ? k : x->dim[i];
    ref_alloc(&c->out[0], WEFT_F32, x->rank, dim);
    ref_alloc(&c->out[1], WEFT_I32, x->rank, dim);
    bool *taken = malloc((size_t)n);
    if (!taken || k > n) {
        free(taken);
        return ref_complain(c, "k is larger than the axis, or memory is short");
    }
    for (int64_t row = 0; row < x->n / n; row++) {
        const double *v = x->v + row * n, *e = x->e + row * n;
        for (int64_t j = 0; j < n; j++) taken[j] = false;
        for (int64_t i = 0; i < k; i++) {
            int64_t best = -1;
            for (int64_t j = 0; j < n; j++)
                if (!taken[j] && (best < 0 || above(v[j], v[best]))) best = j;
            taken[best] = true;
            ref_set(&c->out[0], row * k + i, v[best], e[best]);
            ref_set(&c->out[1], row * k + i, (double)best, 0.0);
            for (int64_t j = 0; j < n; j++)
                if (!taken[j] && e[j] + e[best] > 0.0 && v[best] - v[j] <= e[j] + e[best])
                    c->out[1].unsure = true;
        }
    }
    free(taken);
    return true;
}

/* ---- by index ---- */

bool ref_op_gather(const ref_call *c)
{
    const ref_tensor *table = c->in[0], *index = c->in[1];
    int64_t dim[WEFT_MAX_RANK], row = table->n / table->dim[0];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < index->rank; i++) dim[rank++] = index->dim[i];
    for (uint32_t i = 1; i < table->rank; i++) dim[rank++] = table->dim[i];
    ref_alloc(c->out, WEFT_F32, rank, dim);
    for (int64_t i = 0; i < index->n; i++) {
        if (index->v[i] < 0.0 || index->v[i] >= (double)table->dim[0]) continue;
        int64_t from = (int64_t)index->v[i] * row;
        double u =
            table->dtype == WEFT_I32 || weft_dtype_get(table->dtype)->class_ == WEFT_DTYPE_BLOCK
                ? REF_U
                : 0.0;
        for (int64_t j = 0; j < row; j++)
            ref_set(c->out, i * row + j, table->v[from + j],
                    table->e[from + j] + u * fabs(table->v[from + j]));
    }
    return true;
}

bool ref_op_store(const ref_call *c)
{
    const ref_tensor *rows = c->in[1], *index = c->in[2];
    ref_copy(c->out, c->in[0]);
    ref_axis s = ref_around(c->out, c->n->attrs.axis.axis),
             r = ref_around(rows, c->n->attrs.axis.axis);
    if (r.n != index->n || s.inner != r.inner || s.outer != r.outer)
        return ref_complain(c, "rows do not fit the state");
    for (int64_t t = 0; t < r.n; t++) {
        if (index->v[t] < 0.0 || index->v[t] >= (double)s.n) continue;
        for (int64_t o = 0; o < s.outer; o++)
            for (int64_t i = 0; i < s.inner; i++) {
                int64_t to = (o * s.n + (int64_t)index->v[t]) * s.inner + i;
                int64_t from = (o * r.n + t) * r.inner + i;
                take(c->out, to, rows, from);
                if (c->out->dtype == WEFT_F16 && isinf(c->out->v[to]) && !isinf(rows->v[from]))
                    c->out->v[to] = NAN; /* too large for the state */
            }
        for (int64_t o = 0; o < s.outer && weft_dtype_get(c->out->dtype)->block > 1; o++)
            ref_requantise(c->out, (o * s.n + (int64_t)index->v[t]) * s.inner, s.inner);
    }
    return true;
}
