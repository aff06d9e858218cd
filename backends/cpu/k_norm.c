/* k_norm.c: layer_norm, rms_norm, l2_norm, and norm_pair: two layer norms that share the statistics
 * of one row. A row may be several groups, each normalised by itself.
 *
 * A row is read three times while it is in the first-level cache: mean, squares about the mean,
 * result. A row that is not float32 in one piece is first converted into the result, then
 * normalised in place. */
#include <math.h>

#include "walk.h"

typedef struct row_stats {
    float centre, factor;
} row_stats;

static row_stats measure(const cpu_vec_ops *v, const float *x, int64_t n, float eps, weft_op op)
{
    bool centred = op != WEFT_OP_rms_norm && op != WEFT_OP_l2_norm;
    float mean = centred ? v->sum(x, n) / (float)n : 0.0f;
    float squares = v->sum_squares(x, n, mean);
    return (row_stats){ mean, 1.0f / sqrtf((op == WEFT_OP_l2_norm ? squares : squares / (float)n) + eps) };
}

/* n of a vector of weights of any float type, at most CPU_BLOCK unless they are read where they are; NULL if it is left
 * out. */
static const float *weights(const cpu_vec_ops *v, const cpu_tensor *t, int64_t at, int64_t n,
                            float *buf)
{
    if (!t || !t->data) return NULL;
    int64_t step = t->stride[0];
    return cpu_row_load(v, (const char *)t->data + at * step * cpu_size(t->dtype), t->dtype, step,
                        n, buf);
}

/* What a result is scaled and shifted by: vectors of the row; `from` on is the group's. */
typedef struct affine {
    const cpu_tensor *w, *b;
    int64_t from;
    bool one_plus;
} affine;

static bool as_it_is(const cpu_tensor *t)
{
    return !t || !t->data || (t->dtype == WEFT_F32 && t->stride[0] == 1);
}

static void apply(const cpu_vec_ops *v, float *y, const float *x, int64_t n, row_stats s, const affine *a)
{
    float w_buf[CPU_BLOCK], b_buf[CPU_BLOCK];
    bool direct = as_it_is(a->w) && as_it_is(a->b) && !a->one_plus;
    int64_t block = direct ? n : CPU_BLOCK;
    for (int64_t i = 0; i < n; i += block) {
        int64_t m = n - i < block ? n - i : block;
        const float *w = weights(v, a->w, a->from + i, m, w_buf);
        for (int64_t k = 0; k < m && a->one_plus; k++) w_buf[k] = 1.0f + w[k];
        v->normalise(y + i, x + i, m, s.centre, s.factor, a->one_plus ? w_buf : w,
                     weights(v, a->b, a->from + i, m, b_buf));
    }
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0], *y = &c->out[0], *second = c->n_out > 1 ? &c->out[1] : NULL;
    const cpu_tensor *arg[5] = { NULL };
    for (uint32_t i = 1; i < c->n_in && i < 5; i++) arg[i] = &c->in[i];
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ y, x, second ? second : y }, 3, true);
    const weft_attr_norm *a = &c->attrs->norm;
    int64_t n = w.cols, group = a->group ? a->group : n, begin, end;
    if (!n) return;
    cpu_share(c, w.rows, n < 2048 ? 2048 / n : 1, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        float *out = cpu_walk_at(&w, 0, row, 0);
        const void *from = cpu_walk_at(&w, 1, row, 0);
        const float *in = cpu_row_load(v, from, x->dtype, w.step[1], n, out);
        float *out2 = second ? cpu_walk_at(&w, 2, row, 0) : NULL;
        for (int64_t k = 0; k < n; k += group) {
            row_stats s = measure(v, in + k, group, a->eps, c->op);
            /* the second result first: the first one may be written over the row */
            if (second) apply(v, out2 + k, in + k, group, s, &(affine){ arg[3], arg[4], k, a->one_plus });
            apply(v, out + k, in + k, group, s, &(affine){ arg[1], arg[2], k, a->one_plus });
        }
    }
}

const cpu_kernel cpu_norm = { .name = "norm",
                              .run = run,
                              .accepts = cpu_accepts_floats,
                              .need = WEFT_NEED_ANY,
                              .inplace = true };
