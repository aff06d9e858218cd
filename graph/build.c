/* build.c: the builders: one function per public op, sticky errors, scopes, and sealing.
 *
 * A builder normalises its arguments (negative axes, another axis than the last) and hands over to weft__graph_make,
 * which checks them. The first error stays in g->error, and every later call returns id 0 at once. */
#include "graph/attr.h"
#include "graph/calls.h"
#include "graph/graph_impl.h"
#include "graph/map.h"

#include <stdio.h>
#include <string.h>

static const weft_ref none = { 0 };

/* True if builders have nothing more to do. */
static bool stopped(weft_graph *g)
{
    if (!g || g->error.status != WEFT_OK) return true;
    if (g->sealed) WEFT__STICKY(g, WEFT_INVALID, "the graph is sealed");
    return g->sealed;
}

static weft_ref add(weft_graph *g, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n_in)
{
    if (stopped(g)) return none;
    weft_error err;
    const weft_node *n = weft__graph_add(g, op, attrs, in, n_in, g->scope, NULL, &err);
    if (!n) g->error = err;
    return n ? n->out[0] : none;
}

static weft_ref add1(weft_graph *g, weft_op op, const weft_attrs *attrs, weft_ref x)
{
    return add(g, op, attrs, &x, 1);
}

static weft_ref add2(weft_graph *g, weft_op op, weft_ref a, weft_ref b)
{
    return add(g, op, NULL, (weft_ref[]){ a, b }, 2);
}

/* The dims of an argument; NULL, with the error recorded, if it is no value. */
static const weft_dims *dims_of(weft_graph *g, weft_op op, weft_ref x)
{
    if (stopped(g)) return NULL;
    const weft_value *v = weft_graph_value(g, x);
    if (!v) WEFT__STICKY(g, WEFT_INVALID, "%s: input 0 is no value of this graph", weft_op_get(op)->name);
    return v ? &v->dims : NULL;
}

/* Axes may count from the end. False, with the error recorded, if there is no such axis. */
static bool fix_axis(weft_graph *g, weft_op op, weft_ref x, int axis, uint32_t *out)
{
    const weft_dims *d = dims_of(g, op, x);
    char text[160];
    if (!d) return false;
    int64_t a = axis < 0 ? (int64_t)axis + d->rank : axis;
    if (a < 0 || a >= d->rank) {
        WEFT__STICKY(g, WEFT_SHAPE, "%s: axis %d is not one of %s", weft_op_get(op)->name, axis,
                     weft__dims_text(g, d, text, sizeof text));
        return false;
    }
    *out = (uint32_t)a;
    return true;
}

/* ---- extents and scopes ---- */

weft_dim weft_extent(weft_graph *g, const char *name, uint32_t bound)
{
    weft_dim d = { 1, 0 };
    if (stopped(g)) return d;
    weft_error err;
    if (weft__graph_add_extent(g, name, bound, &d.extent, &err) != WEFT_OK) g->error = err;
    return d;
}

/* An overflow gives a size that no value may have. */
weft_dim weft_dim_mul(weft_dim a, int64_t factor)
{
    if (__builtin_mul_overflow(a.n, factor, &a.n)) a.n = -1;
    return a;
}

void weft_scope_begin(weft_graph *g, const char *fmt, ...)
{
    if (stopped(g)) return;
    uint32_t depth = g->scope_depth;
    if (depth == sizeof g->scope_ends / sizeof *g->scope_ends) {
        WEFT__STICKY(g, WEFT_LIMIT, "scopes are nested too deep");
        return;
    }
    size_t used = strlen(g->scope), start = used + (used ? 1 : 0);
    va_list args;
    va_start(args, fmt);
    int n = start < sizeof g->scope ? vsnprintf(g->scope + start, sizeof g->scope - start, fmt, args) : -1;
    va_end(args);
    bool fits = n > 0 && (size_t)n < sizeof g->scope - start, clean = true;
    for (size_t i = start; fits && g->scope[i]; i++)
        clean = clean && (unsigned char)g->scope[i] >= ' ' && g->scope[i] != 127;
    g->scope[used] = fits && clean && used ? '.' : g->scope[used];
    if (!fits || !clean) {
        g->scope[used] = 0;
        WEFT__STICKY(g, n == 0 || !clean ? WEFT_INVALID : WEFT_LIMIT, "a scope's name is %s",
                     n == 0   ? "empty"
                     : !clean ? "not printable"
                              : "too long");
        return;
    }
    g->scope_ends[depth] = (uint32_t)used;
    g->scope_depth++;
}

weft_ref weft_scope_end(weft_graph *g, weft_ref r)
{
    if (stopped(g)) return r;
    if (!g->scope_depth) {
        WEFT__STICKY(g, WEFT_INVALID, "weft_scope_end without a scope");
        return none;
    }
    g->scope[g->scope_ends[--g->scope_depth]] = 0;
    return r;
}

/* ---- sources ---- */

static weft_ref add_source(weft_graph *g, weft_op op, weft_dtype t, const weft_dims *d, const char *scope,
                           const char *name, const void *data)
{
    weft_error err;
    const weft_node *n = weft__graph_add_source(g, op, t, d, scope, name, data, &err);
    if (!n) g->error = err;
    return n ? n->out[0] : none;
}

weft_ref weft_input(weft_graph *g, weft_dtype t, weft_dims d, const char *name)
{
    if (stopped(g)) return none;
    return add_source(g, WEFT_OP_input, t, &d, "", name, NULL);
}

weft_ref weft_constant(weft_graph *g, weft_dtype t, weft_dims d, const void *data)
{
    if (stopped(g)) return none;
    return add_source(g, WEFT_OP_constant, t, &d, g->scope, NULL, data);
}

/* A weight or state by its name within the scope: the one that exists, or a new one. */
static weft_ref scoped_source(weft_graph *g, weft_op op, weft_dtype t, const weft_dims *d, const char *name)
{
    char full[1024], old_text[160], new_text[160];
    const char *kind = weft_op_get(op)->name;
    if (stopped(g)) return none;
    if (!name || !*name) return WEFT__STICKY(g, WEFT_INVALID, "%s: the name is empty", kind);
    int n = snprintf(full, sizeof full, "%s%s%s", g->scope, g->scope_depth ? "." : "", name);
    if (n < 0 || (size_t)n >= sizeof full)
        return WEFT__STICKY(g, WEFT_LIMIT, "%s '%.40s...': the name is too long", kind, name);
    const weft_node *old = weft__graph_source(g, op, full);
    if (!old) {
        if (t == WEFT_ANY && op == WEFT_OP_weight) {
            weft_error err;
            if (weft__graph_weight_dtype(g, full, &t, &err) != WEFT_OK) {
                g->error = err;
                return none;
            }
        }
        return add_source(g, op, t, d, g->scope, full, NULL);
    }
    const weft_value *v = weft_graph_value(g, old->out[0]);
    if (!weft__dims_equal(&v->dims, d) || (t != WEFT_ANY && t != v->dtype))
        return WEFT__STICKY(g, WEFT_SHAPE, "%s '%s': %s %s, but %s %s before", kind, full, weft_dtype_get(t)->name,
                            weft__dims_text(g, d, new_text, sizeof new_text), weft_dtype_get(v->dtype)->name,
                            weft__dims_text(g, &v->dims, old_text, sizeof old_text));
    return old->out[0];
}

weft_ref weft_weight(weft_graph *g, weft_dtype t, weft_dims d, const char *name)
{
    return scoped_source(g, WEFT_OP_weight, t, &d, name);
}

weft_ref weft_state(weft_graph *g, weft_dtype t, weft_dims d, const char *name)
{
    return scoped_source(g, WEFT_OP_state, t, &d, name);
}

/* ---- views ---- */

weft_ref weft_reshape(weft_graph *g, weft_ref x, weft_dims d)
{
    return add1(g, WEFT_OP_reshape, &(weft_attrs){ .shape = { .dims = d } }, x);
}

weft_ref weft_broadcast(weft_graph *g, weft_ref x, weft_dims d)
{
    return add1(g, WEFT_OP_broadcast, &(weft_attrs){ .shape = { .dims = d } }, x);
}

weft_ref weft_permute(weft_graph *g, weft_ref x, const uint8_t *order, uint32_t rank)
{
    weft_attrs a = { .permute = { .order = { .rank = rank } } };
    if (stopped(g)) return none;
    if (rank > WEFT_MAX_RANK) return WEFT__STICKY(g, WEFT_SHAPE, "permute: rank %u is above %u", rank, WEFT_MAX_RANK);
    if (rank) memcpy(a.permute.order.axis, order, rank);
    return add1(g, WEFT_OP_permute, &a, x);
}

weft_ref weft_transpose(weft_graph *g, weft_ref x, int axis0, int axis1)
{
    uint32_t a0, a1;
    uint8_t order[WEFT_MAX_RANK] = { 0, 1, 2, 3, 4, 5 };
    if (!fix_axis(g, WEFT_OP_permute, x, axis0, &a0) || !fix_axis(g, WEFT_OP_permute, x, axis1, &a1)) return none;
    order[a0] = (uint8_t)a1;
    order[a1] = (uint8_t)a0;
    return weft_permute(g, x, order, weft_graph_value(g, x)->dims.rank);
}

weft_ref weft_slice(weft_graph *g, weft_ref x, int axis, int64_t start, int64_t size)
{
    uint32_t at;
    if (!fix_axis(g, WEFT_OP_slice, x, axis, &at)) return none;
    return add1(g, WEFT_OP_slice, &(weft_attrs){ .slice = { .axis = (int32_t)at, .start = start, .size = size } }, x);
}

weft_ref weft_select(weft_graph *g, weft_ref x, int axis, int64_t index)
{
    uint32_t at;
    if (!fix_axis(g, WEFT_OP_select, x, axis, &at)) return none;
    return add1(g, WEFT_OP_select, &(weft_attrs){ .select = { .axis = (int32_t)at, .index = index } }, x);
}

void weft_split(weft_graph *g, weft_ref x, int axis, uint32_t n, weft_ref *out)
{
    uint32_t at;
    char text[160];
    for (uint32_t i = 0; i < n; i++) out[i] = none;
    if (!fix_axis(g, WEFT_OP_slice, x, axis, &at)) return;
    const weft_dims *d = &weft_graph_value(g, x)->dims;
    weft_dim dim = d->d[at];
    if (!n || dim.extent || dim.n % n) {
        WEFT__STICKY(g, WEFT_SHAPE, "split: %s does not split into %u along axis %d",
                     weft__dims_text(g, d, text, sizeof text), n, axis);
        return;
    }
    int64_t size = dim.n / n;
    for (uint32_t i = 0; i < n; i++) out[i] = weft_slice(g, x, (int)at, i * size, size);
}

/* ---- element-wise ---- */

#define BUILDER_1_none(name)                       \
    weft_ref weft_##name(weft_graph *g, weft_ref x) \
    {                                               \
        return add1(g, WEFT_OP_##name, NULL, x);    \
    }
#define BUILDER_2_none(name)                                    \
    weft_ref weft_##name(weft_graph *g, weft_ref x, weft_ref y) \
    {                                                           \
        return add2(g, WEFT_OP_##name, x, y);                   \
    }
#define BUILDER_3_none(name)                                                         \
    weft_ref weft_##name(weft_graph *g, weft_ref c, weft_ref x, weft_ref y)          \
    {                                                                                \
        return add(g, WEFT_OP_##name, NULL, (weft_ref[]){ c, x, y }, 3);             \
    }
#define BUILDER_1_scale(name)                                                               \
    weft_ref weft_##name(weft_graph *g, weft_ref x, float factor)                           \
    {                                                                                       \
        return add1(g, WEFT_OP_##name, &(weft_attrs){ .scale = { .factor = factor } }, x); \
    }
#define BUILDER_1_clamp(name)                                                                \
    weft_ref weft_##name(weft_graph *g, weft_ref x, float low, float high)                  \
    {                                                                                       \
        return add1(g, WEFT_OP_##name, &(weft_attrs){ .clamp = { low, high, 0 } }, x);       \
    }
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) BUILDER_##inputs##_##attrs(name)
#include "map.def"
#undef WEFT_MAP

weft_ref weft_activation(weft_graph *g, weft_ref x, weft_act act)
{
    if (act == WEFT_ACT_NONE) return x;
    if ((unsigned)act >= WEFT_ACT_COUNT) return WEFT__STICKY(g, WEFT_INVALID, "no such activation");
    const weft__call_attr a = { .name = "act", .word = weft__act_name(act) };
    weft__call_begin(g, "activation", &x, 1, &a, 1);
    return weft__call_end(g, add1(g, weft__op_of_act(act), NULL, x));
}

weft_ref weft_cast(weft_graph *g, weft_ref x, weft_dtype t)
{
    return add1(g, WEFT_OP_cast, &(weft_attrs){ .cast = { .dtype = t } }, x);
}

/* ---- rows ---- */

/* The op takes a weight, and a bias after it; a bias alone is an addition. */
weft_ref weft_norm(weft_graph *g, weft_ref x, const weft_norm_desc *d)
{
    static const weft_op ops[] = { WEFT_OP_layer_norm, WEFT_OP_rms_norm, WEFT_OP_l2_norm };
    if (stopped(g)) return none;
    if ((unsigned)d->kind >= sizeof ops / sizeof *ops) return WEFT__STICKY(g, WEFT_INVALID, "no such norm");
    weft_attrs a = { .norm = { .eps = d->eps, .group = d->group > INT32_MAX ? -1 : (int32_t)d->group,
                               .one_plus = d->one_plus } };
    weft_ref y = add(g, ops[d->kind], &a, (weft_ref[]){ x, d->w, d->b }, d->w.id ? d->b.id ? 3 : 2 : 1);
    return !d->w.id && d->b.id ? weft_add(g, y, d->b) : y;
}

weft_ref weft_layer_norm(weft_graph *g, weft_ref x, weft_ref w, weft_ref b, float eps)
{
    return weft_norm(g, x, &(weft_norm_desc){ .kind = WEFT_NORM_LAYER, .w = w, .b = b, .eps = eps });
}

weft_ref weft_rms_norm(weft_graph *g, weft_ref x, weft_ref w, float eps)
{
    return weft_norm(g, x, &(weft_norm_desc){ .kind = WEFT_NORM_RMS, .w = w, .eps = eps });
}

weft_ref weft_l2_norm(weft_graph *g, weft_ref x, float eps)
{
    return weft_norm(g, x, &(weft_norm_desc){ .kind = WEFT_NORM_L2, .eps = eps });
}

/* An op along the last axis, which keeps its dims, along another one. */
static weft_ref along(weft_graph *g, weft_op op, weft_ref x, int axis)
{
    uint32_t at;
    if (!fix_axis(g, op, x, axis, &at)) return none;
    int last = (int)weft_graph_value(g, x)->dims.rank - 1;
    if ((int)at == last) return add1(g, op, NULL, x);
    return weft_transpose(g, add1(g, op, NULL, weft_transpose(g, x, (int)at, last)), (int)at, last);
}

weft_ref weft_softmax(weft_graph *g, weft_ref x, int axis)
{
    return along(g, WEFT_OP_softmax, x, axis);
}

weft_ref weft_cumsum(weft_graph *g, weft_ref x, int axis)
{
    return along(g, WEFT_OP_cumsum, x, axis);
}

/* Ops that drop their axis: it is moved to the end, the others keep their order. */
static weft_ref reduce(weft_graph *g, weft_op op, weft_ref x, int axis)
{
    uint32_t at, n = 0;
    if (!fix_axis(g, op, x, axis, &at)) return none;
    uint32_t rank = weft_graph_value(g, x)->dims.rank;
    uint8_t order[WEFT_MAX_RANK] = { 0 };
    for (uint32_t i = 0; i < rank; i++)
        if (i != at) order[n++] = (uint8_t)i;
    order[n] = (uint8_t)at;
    return add1(g, op, NULL, at == rank - 1 ? x : weft_permute(g, x, order, rank));
}

weft_ref weft_reduce_sum(weft_graph *g, weft_ref x, int axis)
{
    return reduce(g, WEFT_OP_reduce_sum, x, axis);
}

weft_ref weft_reduce_mean(weft_graph *g, weft_ref x, int axis)
{
    return reduce(g, WEFT_OP_reduce_mean, x, axis);
}

weft_ref weft_reduce_max(weft_graph *g, weft_ref x, int axis)
{
    return reduce(g, WEFT_OP_reduce_max, x, axis);
}

weft_ref weft_argmax(weft_graph *g, weft_ref x, int axis)
{
    return reduce(g, WEFT_OP_argmax, x, axis);
}

void weft_top_k(weft_graph *g, weft_ref x, uint32_t k, weft_ref *values, weft_ref *indices)
{
    weft_attrs a = { .top_k = { .k = k > INT32_MAX ? INT32_MAX : (int32_t)k } };
    *values = add1(g, WEFT_OP_top_k, &a, x);
    const weft_value *v = values->id ? weft_graph_value(g, *values) : NULL;
    *indices = v ? weft_graph_node_by_id(g, v->node)->out[1] : none;
}

/* ---- products, rows of tables and states, rotary embedding, attention ---- */

weft_ref weft_matmul(weft_graph *g, weft_ref a, weft_ref b)
{
    return add2(g, WEFT_OP_matmul, a, b);
}

weft_ref weft_matmul_nt(weft_graph *g, weft_ref a, weft_ref b)
{
    return add2(g, WEFT_OP_matmul_nt, a, b);
}

weft_ref weft_linear_select(weft_graph *g, weft_ref x, weft_ref experts, weft_ref ids)
{
    return add(g, WEFT_OP_linear_select, NULL, (weft_ref[]){ x, experts, ids }, 3);
}

weft_ref weft_gather(weft_graph *g, weft_ref table, weft_ref index)
{
    return add2(g, WEFT_OP_gather, table, index);
}

weft_ref weft_concat(weft_graph *g, const weft_ref *x, uint32_t n, int axis)
{
    uint32_t at;
    if (!fix_axis(g, WEFT_OP_concat, n ? x[0] : none, axis, &at)) return none;
    return add(g, WEFT_OP_concat, &(weft_attrs){ .axis = { .axis = (int32_t)at } }, x, n);
}

weft_ref weft_store(weft_graph *g, weft_ref state, weft_ref rows, weft_ref index, int axis)
{
    uint32_t at;
    if (!fix_axis(g, WEFT_OP_store, state, axis, &at)) return none;
    return add(g, WEFT_OP_store, &(weft_attrs){ .axis = { .axis = (int32_t)at } }, (weft_ref[]){ state, rows, index },
               3);
}

/* An op of a state, whose results are the state's new value and y. */
static weft_ref add_recurrence(weft_graph *g, weft_op op, const weft_ref *in, uint32_t n_in, weft_ref *next)
{
    weft_ref made = add(g, op, NULL, in, n_in);
    const weft_value *v = made.id ? weft_graph_value(g, made) : NULL;
    if (next) *next = made;
    return v ? weft_graph_node_by_id(g, v->node)->out[1] : none;
}

weft_ref weft_conv1d(weft_graph *g, weft_ref state, weft_ref x, weft_ref weight, weft_ref bias, weft_ref sequence,
                     weft_ref reset, weft_ref *next)
{
    const weft_ref in[] = { state, x, weight, sequence, reset, bias };
    return add_recurrence(g, WEFT_OP_conv1d, in, bias.id ? 6 : 5, next);
}

weft_ref weft_linear_scan(weft_graph *g, weft_ref state, weft_ref a, weft_ref b, weft_ref sequence, weft_ref reset,
                          weft_ref *next)
{
    const weft_ref in[] = { state, a, b, sequence, reset };
    return add_recurrence(g, WEFT_OP_linear_scan, in, 5, next);
}

/* A length alone, and factors without a length, follow the positions directly. */
weft_ref weft_rope_table(weft_graph *g, weft_ref pos, const weft_rope_desc *d)
{
    weft_attrs a = { .rope_table = { .kind = d->kind, .n_rot = d->n_rot > INT32_MAX ? -1 : (int32_t)d->n_rot,
                                     .theta = d->theta, .factor = d->factor, .original = d->original, .low = d->low,
                                     .high = d->high, .untruncated = d->untruncated, .scale = d->scale,
                                     .pairs = d->pairs > INT32_MAX ? -1 : (int32_t)d->pairs } };
    const weft_ref more[] = { d->length, d->factors, d->long_factors };
    weft_ref in[4] = { pos };
    uint32_t n = 1;
    for (uint32_t i = 0; i < 3; i++)
        if (more[i].id) in[n++] = more[i];
    return add(g, WEFT_OP_rope_table, &a, in, n);
}

weft_ref weft_rope_angles(weft_graph *g, weft_ref pos, uint32_t n_rot, float theta)
{
    return weft_rope_table(g, pos, &(weft_rope_desc){ .n_rot = n_rot, .theta = theta });
}

weft_ref weft_rope(weft_graph *g, weft_ref x, weft_ref angles, bool interleaved)
{
    weft_attrs a = { .rope = { .interleaved = interleaved } };
    return add(g, WEFT_OP_rope, &a, (weft_ref[]){ x, angles }, 2);
}

weft_ref weft_attention(weft_graph *g, weft_ref q, weft_ref k, weft_ref v, weft_ref first, weft_ref last, float scale)
{
    return weft_attention_with(g, q, k, v, first, last, scale, &(weft_attention_desc){ .page = 0 });
}

weft_ref weft_attention_with(weft_graph *g, weft_ref q, weft_ref k, weft_ref v, weft_ref first, weft_ref last,
                             float scale, const weft_attention_desc *more)
{
    weft_attrs a = { .attention = { .scale = scale, .page = more->page > INT32_MAX ? -1 : (int32_t)more->page,
                                    .soft_cap = more->soft_cap, .sinks = more->sinks.id != 0,
                                    .slopes = more->slopes.id != 0, .bias = more->bias.id != 0 } };
    weft_ref in[WEFT_MAX_INPUTS] = { q, k, v, first, last };
    uint32_t n = 5;
    if (more->page || more->pages.id || more->sequence.id) {
        in[n++] = more->sequence;
        in[n++] = more->pages;
    }
    if (more->sinks.id) in[n++] = more->sinks;
    if (more->slopes.id) in[n++] = more->slopes;
    if (more->bias.id) in[n++] = more->bias;
    return add(g, WEFT_OP_attention, &a, in, n);
}

/* ---- outputs and sealing ---- */

weft_ref weft_output(weft_graph *g, weft_ref x, const char *fmt, ...)
{
    char name[512];
    weft_error err;
    if (stopped(g)) return none;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof name)
        return WEFT__STICKY(g, WEFT_LIMIT, "output '%.40s...': the name is too long", name);
    if (weft__graph_add_output(g, x, name, &err) != WEFT_OK) {
        g->error = err;
        return none;
    }
    return x;
}

weft_status weft_graph_seal(weft_graph *g, weft_error *err)
{
    if (g->error.status == WEFT_OK && g->scope_depth) WEFT__STICKY(g, WEFT_INVALID, "a scope was not ended");
    if (g->error.status == WEFT_OK && !g->n_outputs) WEFT__STICKY(g, WEFT_INVALID, "the graph has no output");
    WEFT_TRY(weft__graph_broken(g, err));
    WEFT_TRY(weft_graph_verify(g, err));
    g->sealed = true;
    return WEFT_OK;
}
