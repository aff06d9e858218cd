/* random_graph.c: the generator. It keeps a pool of values made so far; each step draws an op from op.def, and the
 * maker of the op's shape rule draws inputs that fit, or makes sources that do. A maker returns false where it finds
 * none. */
#include "tests/random_graph.h"

#include "graph/alias.h"
#include "graph/graph_impl.h"
#include "graph/map.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_POOL     256
#define MAX_ELEMENTS 4096

typedef struct gen {
    weft_graph *g;
    random_graph *out;
    uint64_t state;
    weft_dim extents[WEFT_MAX_EXTENTS];
    weft_ref pool[MAX_POOL];
    uint32_t n_extents, n_pool, n_names;
} gen;

/* ---- chance; never twice in one expression, whose order would be the compiler's ---- */

static uint64_t draw(gen *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t below(gen *r, uint32_t n)
{
    return (uint32_t)(draw(r) >> 32) % n;
}

static bool chance(gen *r, uint32_t percent)
{
    return below(r, 100) < percent;
}

static weft_dtype random_float(gen *r)
{
    static const weft_dtype types[] = { WEFT_F32, WEFT_F32, WEFT_F16, WEFT_BF16 };
    return types[below(r, 4)];
}

static int64_t random_size(gen *r)
{
    static const int64_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 13, 17, 32 };
    return sizes[below(r, 10)];
}

static weft_dim random_extent(gen *r)
{
    return r->extents[below(r, r->n_extents)];
}

static weft_dims random_dims(gen *r, bool extents)
{
    weft_dims d = { .rank = 1 + below(r, 3) };
    for (uint32_t i = 0; i < d.rank; i++) d.d[i] = (weft_dim){ random_size(r), 0 };
    if (extents && chance(r, 50)) d.d[0] = random_extent(r);
    return d;
}

/* ---- values ---- */

static const weft_value *value(const gen *r, weft_ref x)
{
    return weft_graph_value(r->g, x);
}

static bool is_float(const gen *r, weft_ref x)
{
    return weft_dtype_get(value(r, x)->dtype)->class_ == WEFT_DTYPE_FLOAT;
}

/* Puts a value into the pool unless it is too large. */
static bool keep(gen *r, weft_ref x)
{
    if (!x.id || r->n_pool == MAX_POOL) return false;
    if (weft_value_elements(r->g, x, NULL) <= MAX_ELEMENTS) r->pool[r->n_pool++] = x;
    return true;
}

static weft_ref new_input(gen *r, weft_dtype t, weft_dims d)
{
    char name[32];
    snprintf(name, sizeof name, "in%u", r->n_names++);
    return weft_input(r->g, t, d, name);
}

static weft_ref new_weight(gen *r, weft_dtype t, weft_dims d)
{
    char name[32];
    snprintf(name, sizeof name, "w%u", r->n_names++);
    return weft_weight(r->g, t, d, name);
}

static weft_ref new_state(gen *r, weft_dtype t, weft_dims d)
{
    char name[32];
    snprintf(name, sizeof name, "s%u", r->n_names++);
    return weft_state(r->g, t, d, name);
}

/* An i32 input of values lo..hi; none once the list is full. */
static weft_ref new_index(gen *r, weft_dims d, int64_t lo, int64_t hi, bool unique)
{
    if (r->out->n_indices == RANDOM_GRAPH_INDICES) return (weft_ref){ 0 };
    random_index *i = &r->out->indices[r->out->n_indices++];
    snprintf(i->name, sizeof i->name, "index%u", r->n_names++);
    i->lo = (int32_t)lo;
    i->hi = (int32_t)hi;
    i->unique = unique;
    return weft_input(r->g, WEFT_I32, d, i->name);
}

static weft_ref constant(gen *r, weft_dims d)
{
    float data[32 * 32];
    int64_t n = 1;
    for (uint32_t i = 0; i < d.rank; i++) n *= d.d[i].n;
    if (n > (int64_t)(sizeof data / sizeof *data)) return new_weight(r, WEFT_F32, d);
    for (int64_t i = 0; i < n; i++) data[i] = (float)below(r, 4001) / 1000 - 2;
    return weft_constant(r->g, WEFT_F32, d, data);
}

static weft_dims vector_of(weft_dim d)
{
    return (weft_dims){ 1, { d } };
}

static bool plain(const weft_dims *d)
{
    for (uint32_t i = 0; i < d->rank; i++)
        if (d->d[i].extent) return false;
    return true;
}

/* A float source of these dims: an input, and for plain dims perhaps a weight or a constant. */
static weft_ref new_float(gen *r, weft_dims d)
{
    uint32_t kind = plain(&d) ? below(r, 3) : 0;
    return kind == 0   ? new_input(r, random_float(r), d)
           : kind == 1 ? new_weight(r, random_float(r), d)
                       : constant(r, d);
}

/* A float of the pool with at least this rank, or a new one. */
static weft_ref pick(gen *r, uint32_t rank)
{
    for (int tries = 0; tries < 20 && r->n_pool; tries++) {
        weft_ref x = r->pool[below(r, r->n_pool)];
        if (is_float(r, x) && value(r, x)->dims.rank >= rank) return x;
    }
    weft_dims d = random_dims(r, true);
    while (d.rank < rank) d.d[d.rank++] = (weft_dim){ random_size(r), 0 };
    return new_float(r, d);
}

static weft_ref pick_any(gen *r)
{
    return r->n_pool ? r->pool[below(r, r->n_pool)] : pick(r, 1);
}

static bool emit(gen *r, weft_op op, const weft_attrs *a, const weft_ref *in, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!in[i].id) return false;
    weft_error err;
    const weft_node *node = weft__graph_add(r->g, op, a, in, n, r->g->scope, NULL, &err);
    if (!node) weft_graph_fail(r->g, err.status, "%s", err.text);
    for (uint32_t i = 0; node && i < node->n_out; i++) keep(r, node->out[i]);
    return node != NULL;
}

/* ---- makers, one per shape rule ---- */

static bool make_source(gen *r, weft_op op)
{
    weft_dtype t = random_float(r);
    weft_dims d = random_dims(r, op == WEFT_OP_input);
    if (op == WEFT_OP_input) return keep(r, new_input(r, t, d));
    if (op == WEFT_OP_weight) return keep(r, new_weight(r, t, d));
    if (op == WEFT_OP_state) return keep(r, new_state(r, t, d));
    return op == WEFT_OP_constant && keep(r, constant(r, d));
}

/* Joins two neighbours, or splits one number in two. What stands before an extent is not joined with it: the result
 * would have gaps, which no program can lay out. */
static bool make_reshape(gen *r, weft_op op)
{
    weft_ref x = pick_any(r);
    weft_dims from = value(r, x)->dims, to = { 0 };
    uint32_t at = from.rank ? below(r, from.rank) : 0;
    bool join = chance(r, 50);
    for (uint32_t i = 0; i < from.rank; i++) {
        weft_dim d = from.d[i], next = i + 1 < from.rank ? from.d[i + 1] : (weft_dim){ 1, 0 };
        int64_t half = d.n % 2 ? 1 : d.n / 2;
        if (i != at) {
            to.d[to.rank++] = d;
        } else if (join && i + 1 < from.rank && (!next.extent || (d.n == 1 && !d.extent))) {
            to.d[to.rank++] = (weft_dim){ d.n * next.n, d.extent + next.extent };
            i++;
        } else {
            if (from.rank == WEFT_MAX_RANK) return false;
            to.d[to.rank++] = (weft_dim){ half, d.extent };
            to.d[to.rank++] = (weft_dim){ d.n / half, 0 };
        }
    }
    return emit(r, op, &(weft_attrs){ .shape = { .dims = to } }, &x, 1);
}

static bool make_permute(gen *r, weft_op op)
{
    weft_ref x = pick_any(r);
    weft_perm p = { .rank = value(r, x)->dims.rank };
    for (uint32_t i = 0; i < p.rank; i++) {
        uint32_t j = below(r, i + 1);
        p.axis[i] = p.axis[j];
        p.axis[j] = (uint8_t)i;
    }
    return emit(r, op, &(weft_attrs){ .permute = { .order = p } }, &x, 1);
}

static bool make_slice(gen *r, weft_op op)
{
    weft_ref x = pick(r, 1);
    uint32_t axis = below(r, value(r, x)->dims.rank);
    int64_t n = value(r, x)->dims.d[axis].n, start = below(r, (uint32_t)n);
    weft_attrs a = { .slice = { (int32_t)axis, start, 1 + below(r, (uint32_t)(n - start)), 0 } };
    return emit(r, op, &a, &x, 1);
}

static bool make_select(gen *r, weft_op op)
{
    weft_ref x = pick(r, 1);
    uint32_t axis = below(r, value(r, x)->dims.rank);
    weft_attrs a = { .select = { (int32_t)axis, below(r, (uint32_t)value(r, x)->dims.d[axis].n), 0 } };
    return emit(r, op, &a, &x, 1);
}

/* A new leading dimension, and every 1 stretched. */
static bool make_broadcast(gen *r, weft_op op)
{
    weft_ref x = pick(r, 0);
    weft_dims d = value(r, x)->dims;
    if (weft_value_elements(r->g, x, NULL) > MAX_ELEMENTS / 8 || d.rank == WEFT_MAX_RANK) return false;
    for (uint32_t i = 0; i < d.rank; i++)
        if (d.d[i].n == 1 && !d.d[i].extent && chance(r, 50)) d.d[i].n = 3;
    if (chance(r, 50)) {
        for (uint32_t i = d.rank++; i; i--) d.d[i] = d.d[i - 1];
        d.d[0] = chance(r, 50) ? random_extent(r) : (weft_dim){ 2, 0 };
    }
    return emit(r, op, &(weft_attrs){ .shape = { .dims = d } }, &x, 1);
}

static bool make_rows(gen *r, weft_op op)
{
    weft_ref x = pick(r, 1);
    return emit(r, op, NULL, &x, 1);
}

static bool make_cast(gen *r, weft_op op)
{
    weft_ref x = pick_any(r);
    return emit(r, op, &(weft_attrs){ .cast = { .dtype = random_float(r) } }, &x, 1);
}

/* Of the pool, or a new one. */
static weft_ref pick_whole(gen *r)
{
    for (int tries = 0; tries < 20 && r->n_pool; tries++) {
        weft_ref x = r->pool[below(r, r->n_pool)];
        if (value(r, x)->dtype == WEFT_I32) return x;
    }
    return new_index(r, random_dims(r, true), -50, 50, false);
}

/* An operand beside x: its dims, or its last ones, or 1 in places. */
static weft_ref beside(gen *r, weft_ref x, bool whole)
{
    weft_dims a = value(r, x)->dims, b = { 0 };
    for (int tries = 0; tries < 10 && r->n_pool; tries++) {
        weft_ref y = r->pool[below(r, r->n_pool)];
        bool fits = whole ? value(r, y)->dtype == WEFT_I32 : is_float(r, y);
        if (fits && weft__dims_equal(&value(r, y)->dims, &a) && chance(r, 70)) return y;
    }
    for (uint32_t i = a.rank ? below(r, a.rank) : 0; i < a.rank; i++)
        b.d[b.rank++] = chance(r, 20) ? (weft_dim){ 1, 0 } : a.d[i];
    return whole ? new_index(r, b, -50, 50, false) : new_float(r, b);
}

/* x brought into 1/e..e. */
static weft_ref positive(gen *r, weft_ref x)
{
    return weft_exp(r->g, weft_tanh(r->g, x));
}

/* exp only of what is small, lest everything after it be infinite; what is divided by or has its root or logarithm
 * taken stays away from 0. */
static bool make_float_map(gen *r, weft_op op, const weft_ref *operands, uint32_t n)
{
    weft_attrs a = { .scale = { .factor = (float)below(r, 400) / 100 - 2 } };
    weft_ref x = operands[0], y = operands[1];
    if (op == WEFT_OP_clamp) a.clamp.high = a.clamp.low + (float)below(r, 300) / 100;
    if (op == WEFT_OP_exp) x = weft_tanh(r->g, x);
    if (op == WEFT_OP_sqrt || op == WEFT_OP_rsqrt || op == WEFT_OP_log || op == WEFT_OP_pow) x = positive(r, x);
    if (op == WEFT_OP_div || op == WEFT_OP_pow) y = positive(r, y);
    return emit(r, op, &a, (weft_ref[]){ x, y }, n);
}

static bool make_map(gen *r, weft_op op)
{
    weft__map_kind kind = weft__map_kind_of(op);
    uint32_t n = weft_op_get(op)->min_in;
    bool whole = kind != WEFT__MAP_FLOAT && chance(r, 40);
    weft_ref in[3] = { whole ? pick_whole(r) : pick(r, 0) };
    if (!in[0].id) return false;
    if (n > 1) in[1] = beside(r, in[0], whole);
    if (n > 2) in[2] = beside(r, in[0], true);
    if (n > 1 && !in[n - 1].id) return false;
    if (n > 1 && chance(r, 30)) {
        weft_ref first = in[0];
        in[0] = in[1];
        in[1] = first;
    }
    if (kind == WEFT__MAP_CHOICE) return emit(r, op, NULL, (weft_ref[]){ in[2], in[0], in[1] }, n);
    return whole ? emit(r, op, NULL, in, n) : make_float_map(r, op, in, n);
}

static bool make_norm(gen *r, weft_op op)
{
    weft_ref in[3] = { pick(r, 1) };
    const weft_dims *d = &value(r, in[0])->dims;
    weft_dims v = vector_of(d->d[d->rank - 1]);
    uint32_t n = 1 + below(r, weft_op_get(op)->max_in);
    for (uint32_t i = 1; i < n; i++) in[i] = new_float(r, v);
    weft_attrs a = { .norm = { .eps = 1e-5f, .one_plus = n > 1 && chance(r, 30) } };
    if (!v.d[0].extent && v.d[0].n % 4 == 0 && chance(r, 30)) a.norm.group = (int32_t)(v.d[0].n / 4);
    return emit(r, op, &a, in, n);
}

static bool make_reduce(gen *r, weft_op op)
{
    weft_ref x = pick(r, 1);
    return emit(r, op, NULL, &x, 1);
}

static bool make_argmax(gen *r, weft_op op)
{
    return make_reduce(r, op);
}

static bool make_top_k(gen *r, weft_op op)
{
    weft_ref x = pick(r, 1);
    const weft_dims *d = &value(r, x)->dims;
    uint32_t k = 1 + below(r, (uint32_t)d->d[d->rank - 1].n);
    return emit(r, op, &(weft_attrs){ .top_k = { .k = (int32_t)k } }, &x, 1);
}

/* A weight for K inner elements, in blocks where they fit; or a batch of matrices as input 0 has them. */
static bool product(gen *r, weft_op op, bool nt)
{
    static const weft_dtype block_types[] = {
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) WEFT_##id,
#include "graph/block.def"
#undef WEFT_BLOCK
    };
    weft_dtype block = block_types[below(r, sizeof block_types / sizeof *block_types)];
    weft_ref in[2] = { pick(r, 2) };
    weft_dims a = value(r, in[0])->dims, b = a;
    weft_dim k = a.d[a.rank - 1], n = { random_size(r), 0 };
    b.d[b.rank - 2] = nt ? n : k;
    b.d[b.rank - 1] = nt ? k : n;
    if (chance(r, 60)) {
        b.d[0] = b.d[b.rank - 2];
        b.d[1] = b.d[b.rank - 1];
        b.rank = 2;
    }
    bool blocks = nt && plain(&b) && !k.extent && k.n % weft_dtype_get(block)->block == 0 && chance(r, 50);
    in[1] = blocks ? new_weight(r, block, b) : new_float(r, b);
    return emit(r, op, NULL, in, 2);
}

static bool make_matmul(gen *r, weft_op op)
{
    return product(r, op, false);
}

static bool make_matmul_nt(gen *r, weft_op op)
{
    return product(r, op, true);
}

static bool make_linear_select(gen *r, weft_op op)
{
    weft_ref in[3] = { pick(r, 2) };
    weft_dims x = value(r, in[0])->dims;
    weft_dim n = x.d[x.rank - 1], k = x.rank == 3 ? x.d[1] : (weft_dim){ 2, 0 };
    if (x.rank > 3 || n.extent || k.extent) return false;
    weft_dims experts = { 3, { { 3, 0 }, { chance(r, 50) ? 16 : random_size(r), 0 }, n } };
    bool blocks = n.n % 32 == 0 && chance(r, 50);
    in[1] = blocks ? new_weight(r, WEFT_Q4_0, experts) : new_float(r, experts);
    in[2] = new_index(r, (weft_dims){ 2, { x.d[0], k } }, -1, 3, false);
    return emit(r, op, NULL, in, 3);
}

static bool make_gather(gen *r, weft_op op)
{
    bool blocks = chance(r, 30);
    weft_dim row = { blocks ? 32 : random_size(r), 0 };
    weft_dims table = { 2, { { random_size(r), 0 }, row } }, index = vector_of(random_extent(r));
    weft_ref in[2] = { new_weight(r, blocks ? WEFT_Q8_0 : random_float(r), table) };
    in[1] = new_index(r, index, -1, table.d[0].n - 1, false);
    return emit(r, op, NULL, in, 2);
}

static bool make_concat(gen *r, weft_op op)
{
    weft_ref in[4] = { pick(r, 1) };
    weft_dims d = value(r, in[0])->dims;
    uint32_t axis = below(r, d.rank), n = 1 + below(r, 4);
    for (uint32_t i = 1; i < n; i++) {
        weft_dims other = d;
        if (!d.d[axis].extent) other.d[axis].n = 1 + below(r, 5);
        in[i] = chance(r, 30) ? in[0] : new_input(r, value(r, in[0])->dtype, other);
    }
    return emit(r, op, &(weft_attrs){ .axis = { .axis = (int32_t)axis } }, in, n);
}

/* What a store has replaced is not read after it. */
static void forget(gen *r, weft_ref old)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->n_pool; i++)
        if (weft__behind_views(r->g, r->pool[i]).id != old.id) r->pool[kept++] = r->pool[i];
    r->n_pool = kept;
}

/* A state of the pool, which others may have read or stored to; none if there is none. */
static weft_ref pick_state(gen *r)
{
    for (int tries = 0; tries < 20 && r->n_pool; tries++) {
        weft_ref x = r->pool[below(r, r->n_pool)];
        const weft_node *n = weft__maker(r->g, x);
        bool stored = weft_op_get(n->op)->traits & WEFT_TRAIT_STATE && value(r, x)->index == 0;
        if (n->op == WEFT_OP_state || stored) return x;
    }
    return (weft_ref){ 0 };
}

/* Rows that replace some of a state's: a part of it, any value that fits, or new ones. */
static weft_ref rows_for(gen *r, weft_ref state, uint32_t axis)
{
    weft_dims d = value(r, state)->dims;
    uint32_t had = (uint32_t)d.d[axis].n, count = 1 + below(r, had), start = below(r, had - count + 1);
    d.d[axis].n = count;
    for (int tries = 0; tries < 10 && r->n_pool; tries++) {
        weft_ref x = r->pool[below(r, r->n_pool)];
        if (is_float(r, x) && weft__dims_equal(&value(r, x)->dims, &d)) return x;
    }
    if (chance(r, 60)) return new_float(r, d);
    weft_ref part = weft_slice(r->g, state, (int)axis, start, count);
    return chance(r, 50) ? part : weft_tanh(r->g, part);
}

static bool store_again(gen *r, weft_op op, weft_ref state)
{
    const weft_dims *d = &value(r, state)->dims;
    uint32_t axis = below(r, d->rank);
    int64_t cells = d->d[axis].n;
    if (d->d[axis].extent) return false;
    weft_ref rows = rows_for(r, state, axis);
    weft_attrs a = { .axis = { .axis = (int32_t)axis } };
    weft_ref at = new_index(r, vector_of(value(r, rows)->dims.d[axis]), -1, cells - 1, true);
    bool made = emit(r, op, &a, (weft_ref[]){ state, rows, at }, 3);
    if (made) forget(r, state);
    return made;
}

/* Into a state that is there, or into one of its own. */
static bool make_store(gen *r, weft_op op)
{
    static const weft_dtype types[] = { WEFT_F32, WEFT_F16, WEFT_BF16 };
    weft_ref old = chance(r, 60) ? pick_state(r) : (weft_ref){ 0 }, rows;
    if (old.id) return store_again(r, op, old);
    rows = pick(r, 1);
    weft_dims d = value(r, rows)->dims;
    uint32_t axis = below(r, d.rank), cells = 24; /* more than any number of rows to store without repetition */
    weft_dims state = d, index = vector_of(d.d[axis]);
    int64_t most[WEFT_MAX_RANK];
    weft_dims_resolve(r->g, &d, NULL, most);
    if (most[axis] > cells) return false;
    state.d[axis] = (weft_dim){ cells, 0 };
    weft_attrs a = { .axis = { .axis = (int32_t)axis } };
    weft_ref at = new_index(r, index, -1, cells - 1, true);
    weft_ref in[3] = { new_state(r, types[below(r, 3)], state), rows, at };
    return emit(r, op, &a, in, 3);
}

/* Tokens of some sequences: a state for these dims, which is new or what another op left, and the op's inputs 3, 4. */
static bool emit_recurrence(gen *r, weft_op op, weft_dims state, weft_ref *in, uint32_t n)
{
    weft_dims tokens = vector_of(value(r, in[1])->dims.d[0]);
    weft_ref old = pick_state(r);
    bool again = old.id && weft__dims_equal(&value(r, old)->dims, &state);
    in[0] = again ? old : new_state(r, random_float(r), state);
    in[3] = new_index(r, tokens, -1, state.d[0].n - 1, false);
    in[4] = new_index(r, tokens, 0, 1, false);
    bool made = emit(r, op, NULL, in, n);
    if (made) forget(r, in[0]);
    return made;
}

/* Factors stay below 1, lest the numbers grow with every token. */
static bool make_linear_scan(gen *r, weft_op op)
{
    weft_dims x = { 2, { random_extent(r), { random_size(r), 0 } } }, state = { 2, { { 2, 0 }, x.d[1] } };
    weft_ref a = weft_tanh(r->g, new_float(r, x)), b = beside(r, a, false);
    if (!weft__dims_equal(&value(r, b)->dims, &x)) b = new_float(r, x);
    return emit_recurrence(r, op, state, (weft_ref[5]){ { 0 }, a, b }, 5);
}

static bool make_conv1d(gen *r, weft_op op)
{
    weft_dim channels = { random_size(r), 0 }, length = { 2 + below(r, 3), 0 };
    weft_dims x = { 2, { random_extent(r), channels } }, w = { 2, { channels, length } };
    weft_dims state = { 3, { { 2, 0 }, { length.n - 1, 0 }, channels } };
    weft_ref in[6] = { { 0 }, new_float(r, x), new_float(r, w) };
    in[5] = new_float(r, vector_of(channels));
    return emit_recurrence(r, op, state, in, 5 + below(r, 2));
}

static bool make_rope_table(gen *r, weft_op op)
{
    static const weft_attr_rope_table kinds[] = {
        { .kind = WEFT_ROPE_LINEAR, .factor = 2 },
        { .kind = WEFT_ROPE_BANDS, .factor = 2, .original = 16, .low = 1, .high = 4 },
        { .kind = WEFT_ROPE_YARN, .factor = 2, .original = 16 },
        { .kind = WEFT_ROPE_DYNAMIC, .factor = 2, .original = 16 },
    };
    int32_t half = 2 + (int32_t)below(r, 3);
    weft_dims tokens = vector_of(random_extent(r));
    weft_ref in[2] = { new_index(r, tokens, 0, 50, false) };
    weft_attrs a = { .rope_table = { 0 } };
    uint32_t n = chance(r, 50) ? 2 : 1;
    if (chance(r, 50)) a.rope_table = kinds[below(r, 4)];
    if (a.rope_table.kind == WEFT_ROPE_DYNAMIC) {
        in[1] = new_index(r, tokens, 1, 50, false);
        n = 2;
    } else if (n == 2) {
        float factors[4] = { 1, 1.5f, 2, 4 };
        in[1] = weft_constant(r->g, WEFT_F32, vector_of((weft_dim){ half, 0 }), factors);
    }
    a.rope_table.n_rot = 2 * half;
    a.rope_table.theta = 10000;
    return emit(r, op, &a, in, n);
}

/* Angles made for one of the extents serve any x whose first dimension is that extent. */
static bool make_rope(gen *r, weft_op op)
{
    int64_t heads = 1 + below(r, 3), size = 2 + 2 * below(r, 6);
    weft_dim tokens = random_extent(r);
    weft_dims d = { 3, { tokens, { heads, 0 }, { size, 0 } } };
    uint32_t n_rot = 2 * (1 + below(r, (uint32_t)d.d[2].n / 2));
    weft_ref pos = new_index(r, vector_of(tokens), 0, 50, false);
    if (!pos.id) return false;
    weft_ref x = new_float(r, d), in[2] = { x, weft_rope_angles(r->g, pos, n_rot, 100) };
    return emit(r, op, &(weft_attrs){ .rope = { .interleaved = (int32_t)below(r, 2) } }, in, 2);
}

static bool make_attention(gen *r, weft_op op)
{
    int64_t groups = 1 + below(r, 3), heads = groups * (1 + below(r, 3)), size = 4 * (1 + below(r, 4));
    bool paged = chance(r, 50);
    int64_t cells = paged ? 48 : 11;
    weft_dim tokens = random_extent(r);
    weft_dims q = { 3, { tokens, { heads, 0 }, { size, 0 } } }, one = vector_of(tokens);
    weft_dims kv = { 3, { { groups, 0 }, { cells, 0 }, { size, 0 } } };
    weft_ref first = new_index(r, one, 0, cells / 2, false), last = new_index(r, one, 0, cells - 1, false);
    weft_ref x = new_float(r, q), keys = new_float(r, kv), values = new_float(r, kv);
    weft_ref in[10] = { x, keys, values, first, last };
    uint32_t n = 5;
    weft_attr_attention a = { .scale = 0.5f, .page = paged ? 16 : 0, .soft_cap = chance(r, 20) ? 3 : 0,
                              .sinks = chance(r, 20), .slopes = chance(r, 20), .bias = chance(r, 20) };
    if (paged) {
        in[n++] = new_index(r, one, -1, 3, false);
        in[n++] = new_index(r, (weft_dims){ 2, { { 3, 0 }, { 3, 0 } } }, -1, 2, false);
    }
    weft_dims per_head = { 1, { { heads, 0 } } }, all = { 3, { { 1, 0 }, tokens, { cells, 0 } } };
    if (a.sinks) in[n++] = new_input(r, WEFT_F32, per_head);
    if (a.slopes) in[n++] = constant(r, per_head);
    if (a.bias) in[n++] = new_input(r, WEFT_F32, all);
    return emit(r, op, &(weft_attrs){ .attention = a }, in, n);
}

/* Rules of ops that only passes and schedulers make. */
static bool make_same(gen *r, weft_op op)
{
    (void)r;
    (void)op;
    return false;
}
#define make_linear     make_same
#define make_norm_pair  make_same
#define make_rope_store make_same

typedef bool make_fn(gen *r, weft_op op);
static make_fn *const maker_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) [WEFT_OP_##name] = make_##shape,
#include "graph/op.def"
#undef WEFT_OP
};

/* States and stores: few rows of the table, and what goes wrong with them needs several. */
static weft_op random_state_op(gen *r)
{
    weft_op op;
    do op = (weft_op)below(r, WEFT_OP_COUNT);
    while (op != WEFT_OP_state && !(weft_op_get(op)->traits & WEFT_TRAIT_STATE));
    return op;
}

/* ---- the graph ---- */

/* Outputs: what nothing uses, and now and then something that is used. */
static weft_status name_outputs(gen *r)
{
    uint32_t *uses = weft__graph_uses(r->g), limit = weft_graph_value_limit(r->g), n = 0;
    uint32_t *overwriter = weft__overwriters(r->g);
    if (!uses || !overwriter) {
        free(uses);
        free(overwriter);
        return WEFT_OOM;
    }
    for (uint32_t id = 1; id < limit; id++) {
        weft_ref x = { id };
        const weft_value *v = weft_graph_value(r->g, x);
        const weft_node *maker = weft_graph_node_by_id(r->g, v->node);
        bool source = weft_op_get(maker->op)->traits & WEFT_TRAIT_SOURCE;
        if (overwriter[weft__behind_views(r->g, x).id]) continue; /* gone after the run */
        if (!source && (!uses[id] || chance(r, 5))) weft_output(r->g, x, "out%u", n++);
    }
    free(uses);
    free(overwriter);
    return WEFT_OK;
}

weft_status random_graph_make(uint64_t seed, uint32_t size, random_graph *out, weft_error *err)
{
    *out = (random_graph){ 0 };
    gen r = { .out = out, .state = seed };
    WEFT_TRY(weft_graph_create(NULL, &r.g, err));
    r.n_extents = 2 + below(&r, WEFT_MAX_EXTENTS - 1);
    for (uint32_t e = 0; e < r.n_extents; e++) {
        char name[24];
        snprintf(name, sizeof name, "extent%u", e);
        r.extents[e] = weft_extent(r.g, name, 1 + below(&r, 9));
    }
    for (uint32_t made = 0, tries = 0; made < size && tries < 20 * size; tries++) {
        weft_op op = chance(&r, 6) ? random_state_op(&r) : (weft_op)below(&r, WEFT_OP_COUNT);
        if (r.g->error.status != WEFT_OK) break; /* told by sealing */
        if (weft_op_get(op)->traits & (WEFT_TRAIT_FUSED | WEFT_TRAIT_SCHED)) continue;
        bool scoped = chance(&r, 30);
        if (scoped) weft_scope_begin(r.g, "block.%u", made);
        if (maker_of_op[op](&r, op) && !(weft_op_get(op)->traits & WEFT_TRAIT_SOURCE)) made++;
        if (scoped) weft_scope_end(r.g, (weft_ref){ 0 });
    }
    weft_status s = r.g->error.status == WEFT_OK ? name_outputs(&r) : WEFT_OK;
    if (s == WEFT_OK) s = weft_graph_seal(r.g, err);
    if (s == WEFT_OK)
        out->g = r.g;
    else
        weft_graph_destroy(r.g);
    return s;
}
