/* plan_view.c: the layout of a value on the storage of its root, as an offset and one stride per
 * axis.
 *
 * Everything lies at the extents' bounds. So an axis whose size is an extent can be merged with, or
 * split from, the axes inside it only: [tokens, 64] -> [tokens * 64] is a view, [64, tokens] -> [64
 * * tokens] is none, for with fewer tokens than the bound its elements lie apart. */
#include "graph/alias.h"
#include "graph/plan_impl.h"

enum { MAX_CHAIN = 64 }; /* longer chains of views are copied somewhere */

/* Gives axes of size 1 the stride they would have in a dense layout, so that equal layouts have
 * equal strides. */
static void settle_ones(const int64_t *dim, uint32_t rank, int64_t *stride)
{
    for (uint32_t i = rank; i-- > 0;)
        if (dim[i] == 1) stride[i] = i + 1 < rank ? stride[i + 1] * dim[i + 1] : 1;
}

static void row_major(const int64_t *dim, uint32_t rank, int64_t *stride)
{
    int64_t step = 1;
    for (uint32_t i = rank; i-- > 0;) {
        stride[i] = step;
        step *= dim[i];
    }
}

/* An axis of more than one element; an extent that can only be 1 is none. */
typedef struct axis {
    int64_t n, stride;
    uint32_t extent, at;
} axis;

static uint32_t real_axes(const weft_dims *d, const int64_t *dim, const int64_t *stride, axis *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->rank; i++) {
        uint32_t extent = dim[i] == d->d[i].n ? 0 : d->d[i].extent;
        if (dim[i] != 1) out[n++] = (axis){ dim[i], stride ? stride[i] : 0, extent, i };
    }
    return n;
}

/* a and b cover the same elements: gives b's axes their strides if a's lie as one axis would. */
static bool regroup(const axis *a, uint32_t na, const axis *b, uint32_t nb, int64_t *stride)
{
    if (na > 1 || nb > 1) {
        for (uint32_t i = 1; i < na; i++)
            if (a[i].extent || a[i - 1].stride != a[i].n * a[i].stride) return false;
        for (uint32_t i = 1; i < nb; i++)
            if (b[i].extent) return false;
    }
    int64_t step = a[na - 1].stride;
    for (uint32_t i = nb; i-- > 0;) {
        stride[b[i].at] = step;
        step *= b[i].n;
    }
    return true;
}

static bool view_reshape(const weft_node *n, const weft_dims *from, const int64_t *in,
                         const weft_dims *to, const int64_t *out, weft_slot *s)
{
    (void)n;
    axis a[WEFT_MAX_RANK], b[WEFT_MAX_RANK];
    uint32_t na = real_axes(from, in, s->stride, a), nb = real_axes(to, out, NULL, b), i = 0, j = 0;
    int64_t stride[WEFT_MAX_RANK] = { 0 };
    while (i < na && j < nb) { /* the smallest groups of axes that hold the same elements */
        uint32_t i0 = i, j0 = j, extents_a = 1u << a[i].extent, extents_b = 1u << b[j].extent;
        int64_t pa = a[i++].n, pb = b[j++].n;
        while (pa != pb || (extents_a | 1) != (extents_b | 1)) {
            if (pa <= pb) {
                if (i == na) return false;
                extents_a |= 1u << a[i].extent;
                pa *= a[i++].n;
            } else {
                if (j == nb) return false;
                extents_b |= 1u << b[j].extent;
                pb *= b[j++].n;
            }
        }
        if (!regroup(a + i0, i - i0, b + j0, j - j0, stride)) return false;
    }
    if (i != na || j != nb) return false;
    for (i = 0; i < to->rank; i++) s->stride[i] = stride[i];
    return true;
}

static bool view_permute(const weft_node *n, const weft_dims *from, const int64_t *in,
                         const weft_dims *to, const int64_t *out, weft_slot *s)
{
    (void)in, (void)out;
    int64_t stride[WEFT_MAX_RANK];
    for (uint32_t i = 0; i < to->rank; i++) {
        if (n->attrs.permute.order.axis[i] >= from->rank) return false;
        stride[i] = s->stride[n->attrs.permute.order.axis[i]];
    }
    for (uint32_t i = 0; i < to->rank; i++) s->stride[i] = stride[i];
    return true;
}

static uint32_t axis_of(int32_t given, uint32_t rank)
{
    return given < 0 ? rank - (uint32_t)-given : (uint32_t)given;
}

static bool view_slice(const weft_node *n, const weft_dims *from, const int64_t *in,
                       const weft_dims *to, const int64_t *out, weft_slot *s)
{
    (void)in, (void)to, (void)out;
    uint32_t at = axis_of(n->attrs.slice.axis, from->rank);
    if (at >= from->rank) return false;
    s->first += n->attrs.slice.start * s->stride[at];
    return true;
}

static bool view_select(const weft_node *n, const weft_dims *from, const int64_t *in,
                        const weft_dims *to, const int64_t *out, weft_slot *s)
{
    (void)in, (void)out;
    uint32_t at = axis_of(n->attrs.select.axis, from->rank);
    if (at >= from->rank) return false;
    s->first += n->attrs.select.index * s->stride[at];
    for (uint32_t i = at; i < to->rank; i++) s->stride[i] = s->stride[i + 1];
    return true;
}

static bool view_broadcast(const weft_node *n, const weft_dims *from, const int64_t *in,
                           const weft_dims *to, const int64_t *out, weft_slot *s)
{
    (void)n;
    uint32_t added = to->rank - from->rank;
    for (uint32_t i = to->rank; i-- > 0;) {
        bool repeated = i < added || (in[i - added] == 1 && out[i] != 1);
        s->stride[i] = repeated ? 0 : s->stride[i - added];
    }
    return true;
}

/* in and out: the dims at the bounds. */
typedef bool view_rule(const weft_node *n, const weft_dims *from, const int64_t *in,
                       const weft_dims *to, const int64_t *out, weft_slot *s);
static view_rule *const rules[WEFT_OP_COUNT] = {
    [WEFT_OP_reshape] = view_reshape,     [WEFT_OP_permute] = view_permute,
    [WEFT_OP_slice] = view_slice,         [WEFT_OP_select] = view_select,
    [WEFT_OP_broadcast] = view_broadcast,
};

bool weft__slot_view(const weft_graph *g, const weft_node *n, const int64_t *bounds, weft_slot *s)
{
    const weft_value *from = weft_graph_value(g, n->in[0]), *to = weft_graph_value(g, n->out[0]);
    if (!from || !to || !rules[n->op]) return false;
    int64_t in[WEFT_MAX_RANK], out[WEFT_MAX_RANK];
    weft_dims_resolve(g, &from->dims, bounds, in);
    weft_dims_resolve(g, &to->dims, bounds, out);
    if (!rules[n->op](n, &from->dims, in, &to->dims, out, s)) return false;
    for (uint32_t i = to->dims.rank; i < WEFT_MAX_RANK; i++) s->stride[i] = 0;
    settle_ones(out, to->dims.rank, s->stride);
    return true;
}

static weft_storage storage_of(weft_op op)
{
    return op == WEFT_OP_weight     ? WEFT_STORAGE_WEIGHT
           : op == WEFT_OP_state    ? WEFT_STORAGE_STATE
           : op == WEFT_OP_constant ? WEFT_STORAGE_CONSTANT
                                    : WEFT_STORAGE_ARENA;
}

void weft__slot_root(const weft_graph *g, weft_ref r, const int64_t *bounds, weft_slot *out)
{
    const weft_value *v = weft_graph_value(g, r);
    int64_t dim[WEFT_MAX_RANK];
    weft_dims_resolve(g, &v->dims, bounds, dim);
    *out = (weft_slot){ .storage = storage_of(weft_graph_node_by_id(g, v->node)->op), .root = r };
    out->bytes = weft_value_bytes(g, r, bounds);
    row_major(dim, v->dims.rank, out->stride);
}

bool weft__slot_plain(const weft_graph *g, weft_ref r, const int64_t *bounds, const weft_slot *s)
{
    const weft_value *v = weft_graph_value(g, r);
    int64_t dim[WEFT_MAX_RANK], stride[WEFT_MAX_RANK];
    weft_dims_resolve(g, &v->dims, bounds, dim);
    row_major(dim, v->dims.rank, stride);
    bool plain = s->first == 0;
    for (uint32_t i = 0; i < v->dims.rank; i++)
        plain = plain && (dim[i] == 1 || stride[i] == s->stride[i]);
    return plain;
}

bool weft_plan_view(const weft_graph *g, weft_ref r, const int64_t *bounds, weft_slot *out)
{
    const weft_node *chain[MAX_CHAIN];
    uint32_t n = 0;
    *out = (weft_slot){ 0 };
    while (weft_graph_value(g, r) && weft__is_alias(g, r)) {
        const weft_node *made = weft__maker(g, r);
        r = made->in[0];
        if (weft_op_get(made->op)->traits & WEFT_TRAIT_STATE) continue; /* the state as it lies */
        if (n == MAX_CHAIN) return false;
        chain[n++] = made;
    }
    if (!weft_graph_value(g, r)) return false;
    weft__slot_root(g, r, bounds, out);
    while (n > 0)
        if (!weft__slot_view(g, chain[--n], bounds, out)) return false;
    return true;
}
