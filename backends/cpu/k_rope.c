/* k_rope.c: the table of angles, rotation, and rotation straight into a state. */
#include <math.h>

#include "graph/rope.h"
#include "walk.h"

/* ---- rope_table: pos [T] -> [T, n_rot/2, 2] of (cos, sin) ---- */

/* Where the vectors of factors are; NULL: there are none. */
typedef struct table_inputs {
    const cpu_tensor *length, *factors, *long_factors;
} table_inputs;

static table_inputs find_inputs(const cpu_call *c)
{
    weft_rope_kind kind = c->attrs->rope_table.kind;
    uint32_t n = 1;
    table_inputs in = { 0 };
    if (kind == WEFT_ROPE_DYNAMIC || kind == WEFT_ROPE_LONGROPE) in.length = &c->in[n++];
    if (n < c->n_in && c->in[n].data) in.factors = &c->in[n++];
    if (n < c->n_in && c->in[n].data) in.long_factors = &c->in[n++];
    return in;
}

static int32_t whole_at(const cpu_tensor *t, int64_t i) { return ((const int32_t *)t->data)[i * t->stride[0]]; }

static void fill_angles(const cpu_call *c, const table_inputs *in, const double *frequency, int64_t t)
{
    const weft_attr_rope_table *a = &c->attrs->rope_table;
    const cpu_tensor *y = &c->out[0], *factors = in->factors;
    double length = in->length ? whole_at(in->length, t) : 0, pos = whole_at(&c->in[0], t);
    double stretch = weft__rope_stretch(a, length), scale = weft__rope_scale(a);
    if (a->kind == WEFT_ROPE_LONGROPE && length > (double)a->original) factors = in->long_factors;
    for (int64_t i = 0; i < y->dim[1]; i++) {
        double w = frequency[i];
        if (factors) w /= (double)((const float *)factors->data)[i * factors->stride[0]];
        if (stretch != 1) w *= pow(stretch, -2.0 * (double)i / (a->n_rot - 2));
        float *out = (float *)y->data + t * y->stride[0] + i * y->stride[1];
        out[0] = (float)(scale * cos(pos * w));
        out[y->stride[2]] = (float)(scale * sin(pos * w));
    }
}

static void run_table(const cpu_call *c)
{
    double frequency[WEFT__MAX_ROTARY / 2];
    table_inputs in = find_inputs(c);
    int64_t begin, end;
    cpu_share(c, c->in[0].dim[0], 1, &begin, &end);
    if (begin == end) return;
    weft__rope_frequencies(&c->attrs->rope_table, frequency);
    for (int64_t t = begin; t < end; t++) fill_angles(c, &in, frequency, t);
}

const cpu_kernel cpu_rope_table = { .name = "rope_table", .run = run_table, .need = WEFT_NEED_ANY };

/* ---- rope, rope_store ---- */

/* A row and a table row of each thread's own, for what does not lie in one piece of float32. */
static uint64_t row_scratch(int64_t d, int64_t pairs)
{
    return ((uint64_t)(d + 2 * pairs) * sizeof(float) + 127) / 64 * 64;
}

static const float *angle_row(const cpu_tensor *angles, int64_t t, float *buf)
{
    const float *a = (const float *)angles->data + t * angles->stride[0];
    if (angles->stride[1] == 2 && angles->stride[2] == 1) return a;
    for (int64_t i = 0; i < angles->dim[1]; i++)
        for (int64_t j = 0; j < 2; j++)
            buf[2 * i + j] = a[i * angles->stride[1] + j * angles->stride[2]];
    return buf;
}

/* Rotates the row x of d floats into y; x may be y. */
static void rotate_row(const cpu_vec_ops *v, float *y, const float *x, const float *angles,
                       int64_t pairs, int64_t d, bool interleaved)
{
    v->rotate(y, x, angles, pairs, interleaved);
    if (y != x) memcpy(y + 2 * pairs, x + 2 * pairs, (size_t)(d - 2 * pairs) * sizeof *y);
}

static bool rope_accepts(const cpu_call *c)
{
    return cpu_is_float(c->in[0].dtype) && c->in[0].layout == CPU_LAYOUT_PLAIN &&
           c->in[1].dtype == WEFT_F32 && c->out[0].dtype == WEFT_F32;
}

static uint64_t rope_scratch(const cpu_call *c)
{
    return c->n_threads * row_scratch(c->in[0].dim[c->in[0].rank - 1], c->in[1].dim[1]);
}

static void run_rope(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0], *angles = &c->in[1];
    int64_t d = x->dim[x->rank - 1], pairs = angles->dim[1], begin, end;
    float *buf = (float *)(void *)(c->scratch + c->thread * row_scratch(d, pairs));
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ &c->out[0], x }, 2, true);
    int64_t per_token = w.rows / x->dim[0];
    cpu_share(c, w.rows, d < 4096 ? 4096 / d : 1, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        float *y = cpu_walk_at(&w, 0, row, 0);
        const float *from = cpu_row_load(v, cpu_walk_at(&w, 1, row, 0), x->dtype, w.step[1], d, y);
        rotate_row(v, y, from, angle_row(angles, row / per_token, buf + d), pairs, d,
                   c->attrs->rope.interleaved);
    }
}

const cpu_kernel cpu_rope = { .name = "rope",
                              .run = run_rope,
                              .accepts = rope_accepts,
                              .scratch = rope_scratch,
                              .need = WEFT_NEED_ANY,
                              .inplace = true };

static bool store_accepts(const cpu_call *c)
{
    return cpu_is_float(c->out[0].dtype) && cpu_is_float(c->in[1].dtype) &&
           c->in[1].layout == CPU_LAYOUT_PLAIN && c->in[2].dtype == WEFT_F32 &&
           c->in[3].dtype == WEFT_I32;
}

static uint64_t store_scratch(const cpu_call *c)
{
    return c->n_threads * row_scratch(c->in[1].dim[2], c->in[2].dim[1]);
}

/* state [G, C, D] (axis 1) or [C, G, D] (axis 0); rows [T, G, D], angles [T, n_rot/2, 2], index
 * [T]. */
static void run_store(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *state = &c->out[0], *x = &c->in[1], *angles = &c->in[2], *index = &c->in[3];
    uint32_t axis = (uint32_t)c->attrs->rope_store.axis;
    int64_t d = x->dim[2], groups = x->dim[1], pairs = angles->dim[1], begin, end;
    float *row = (float *)(void *)(c->scratch + c->thread * row_scratch(d, pairs));
    cpu_share(c, x->dim[0] * groups, d < 4096 ? 4096 / d : 1, &begin, &end);
    for (int64_t k = begin; k < end; k++) {
        int64_t t = k / groups, g = k % groups,
                i = ((const int32_t *)index->data)[t * index->stride[0]];
        if (i < 0 || i >= state->dim[axis]) continue;
        const char *from =
            (const char *)x->data + (t * x->stride[0] + g * x->stride[1]) * cpu_size(x->dtype);
        char *to = (char *)state->data +
                   (i * state->stride[axis] + g * state->stride[1 - axis]) * cpu_size(state->dtype);
        const float *f = cpu_row_load(v, from, x->dtype, x->stride[2], d, row);
        rotate_row(v, row, f, angle_row(angles, t, row + d), pairs, d,
                   c->attrs->rope_store.interleaved);
        cpu_row_keep(v, to, state->dtype, state->stride[2], row, d);
    }
}

const cpu_kernel cpu_rope_store = { .name = "rope_store",
                                    .run = run_store,
                                    .accepts = store_accepts,
                                    .scratch = store_scratch,
                                    .need = WEFT_NEED_ANY };
