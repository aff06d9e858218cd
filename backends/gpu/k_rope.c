/* k_rope.c: host sides of rope_table.comp and move.comp (rope, rope_store, store). */
#include "backends/gpu/kernel.h"
#include "graph/rope.h"

#include <math.h>
#include <string.h>

/* ---- rope_table ---- */

enum { PLAIN, DIVIDED, LONGROPE, DYNAMIC }; /* modes of rope_table.comp */
enum { PARTS = 64, CONSTANTS = 6 + 4 * PARTS }; /* of an octave; words that a dynamic kind needs besides */

/* A number as a float and what it leaves out. */
static float *put_pair(float *to, double x)
{
    to[0] = (float)x;
    to[1] = (float)(x - (double)to[0]);
    return to + 2;
}

/* Exponents, factor / original, 1 / ln 2 and ln 2, logarithms of the middles of parts, powers. */
static void put_dynamic(const weft_attr_rope_table *a, float *to)
{
    const double ln_2 = 0.693147180559945309417232121458;
    for (int32_t i = 0; i < a->n_rot / 2; i++) to = put_pair(to, 2.0 * i / (a->n_rot - 2));
    to = put_pair(to, (double)a->factor / (double)a->original);
    to = put_pair(put_pair(to, 1 / ln_2), ln_2);
    for (int i = 0; i < PARTS; i++) to = put_pair(to, log2(1 + (i + 0.5) / PARTS));
    for (int i = 0; i < PARTS; i++) to = put_pair(to, exp2(-(double)i / PARTS));
}

/* Per pair: the fraction of a turn in 64 bits, and the turns as a float and what it leaves out; then what a dynamic
 * kind needs. */
static uint64_t angle_table(const gpu_call *c, void *out)
{
    const weft_attr_rope_table *a = &c->attrs->rope_table;
    double frequency[WEFT__MAX_ROTARY / 2];
    uint32_t n = (uint32_t)a->n_rot / 2, more = a->kind == WEFT_ROPE_DYNAMIC ? 2 * n + CONSTANTS : 0;
    uint64_t bytes = 4 * (4 * (uint64_t)n + more);
    if (!out) return bytes;
    float *to = out;
    weft__rope_frequencies(a, frequency);
    for (uint32_t i = 0; i < n; i++) {
        double turns = frequency[i] / 6.283185307179586476925286766559, fraction = turns - floor(turns);
        double high = floor(fraction * 0x1p32);
        uint32_t words[2] = { (uint32_t)high, (uint32_t)floor((fraction * 0x1p32 - high) * 0x1p32) };
        memcpy(to, words, sizeof words);
        to = put_pair(to + 2, turns);
    }
    if (more) put_dynamic(a, to);
    return bytes;
}

static void table_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    const weft_attr_rope_table *a = &c->attrs->rope_table;
    uint32_t half = (uint32_t)a->n_rot / 2, mode = c->n_in == 2 ? DIVIDED : PLAIN;
    if (a->kind == WEFT_ROPE_LONGROPE) mode = LONGROPE;
    if (a->kind == WEFT_ROPE_DYNAMIC) mode = DYNAMIC;
    gpu_bind_in(c, l, 0, 0, 0);
    for (uint32_t k = 1; k < c->n_in; k++) gpu_bind_in(c, l, mode == DIVIDED ? k + 1 : k, k, 0);
    l->bind[4].kind = GPU_BIND_TABLE;
    gpu_bind_out(c, l, 5, 0);
    l->job.u0 = (weft_uvec4){ half, mode, (uint32_t)a->original, 0 };
    l->job.f0.x = (float)weft__rope_scale(a);
    gpu_launch_flat(c, l, WEFT_SHADER_rope_table, c->in[0].dim[0] * half);
}

/* ---- rope, rope_store, store ---- */

enum { X = 0, ANGLES = 1, INDEX = 2, Y = 3, NO_AXIS = 6 };

static void move(const gpu_call *c, const gpu_tensor *x, uint32_t index_axis, uint32_t angle_axis, uint32_t pairs,
                 bool interleaved, gpu_launch *l)
{
    uint32_t last = x->rank - 1;
    int64_t n = x->dim[last], per_row = index_axis == last ? n : (n + 1) / 2, rows = gpu_elements(x) / n;
    gpu_set_tensor(l, X, x, NULL);
    gpu_bind_out(c, l, Y, 0);
    gpu_set_walk(l, x);
    l->job.u0 = (weft_uvec4){ index_axis, angle_axis, pairs, interleaved };
    l->job.u1.x = (uint32_t)per_row;
    gpu_launch_flat(c, l, WEFT_SHADER_move, rows * per_row);
    l->spec[1] = last;
    l->spec[2] = x->dtype;
    l->n_specs = 3;
}

static void rope_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    gpu_bind_in(c, l, X, 0, 0);
    gpu_bind_in(c, l, ANGLES, 1, 0);
    move(c, &c->in[0], NO_AXIS, 0, (uint32_t)c->in[1].dim[1], c->attrs->rope.interleaved, l);
}

static void store_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    gpu_bind_in(c, l, X, 1, 0);
    gpu_bind_in(c, l, INDEX, 2, 0);
    move(c, &c->in[1], (uint32_t)c->attrs->axis.axis, NO_AXIS, 0, false, l);
}

/* Rows [T, G, D] go to a state [G, C, D] (axis 1) or [C, G, D] (axis 0): their axes in the state's order. */
static void rope_store_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    uint32_t axis = (uint32_t)c->attrs->rope_store.axis;
    gpu_tensor x = c->in[1];
    if (axis == 1) {
        int64_t stride = x.stride[0], dim = x.dim[0];
        weft_dim d = x.dims.d[0];
        x.stride[0] = x.stride[1], x.stride[1] = stride;
        x.dim[0] = x.dim[1], x.dim[1] = dim;
        x.dims.d[0] = x.dims.d[1], x.dims.d[1] = d;
    }
    gpu_bind_in(c, l, X, 1, 0);
    gpu_bind_in(c, l, ANGLES, 2, 0);
    gpu_bind_in(c, l, INDEX, 3, 0);
    move(c, &x, axis, axis, (uint32_t)c->in[2].dim[1], c->attrs->rope_store.interleaved, l);
}

static void move_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    if (c->op == WEFT_OP_rope) rope_launch(c, i, l);
    else if (c->op == WEFT_OP_store) store_launch(c, i, l);
    else rope_store_launch(c, i, l);
}

static void move_launch_storage16(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    move_launch(c, i, l);
    l->shader = WEFT_SHADER_move_storage16;
}

static const gpu_tensor *moved(const gpu_call *c) { return &c->in[c->op == WEFT_OP_rope ? 0 : 1]; }

static uint64_t move_variant(const gpu_call *c) { return (uint64_t)moved(c)->dtype << 8 | moved(c)->rank; }

/* Results of 32 bits, too: steps share a launch only if they have the same kernel. */
static bool move_accepts_storage16(const gpu_call *c)
{
    return c->caps->storage16 && gpu_accepts_plain(c);
}

const gpu_kernel gpu_rope_table = { .name = "rope_table", .accepts = gpu_accepts_plain, .table = angle_table,
                                    .launch = table_launch, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1 };
const gpu_kernel gpu_move = { .name = "move", .accepts = gpu_accepts_plain, .launch = move_launch,
                              .variant = move_variant, .need = WEFT_NEED_ANY, .ins = 3, .outs = 1, .jobs = 3,
                              .inplace = true };
const gpu_kernel gpu_move_storage16 = { .name = "move_storage16", .accepts = move_accepts_storage16,
                                        .launch = move_launch_storage16, .variant = move_variant,
                                        .need = WEFT_NEED_ANY, .ins = 3, .outs = 1, .jobs = 3, .inplace = true };
