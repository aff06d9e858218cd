/* k_norm.c: layer_norm, rms_norm, and norm_pair: two layer norms that share the statistics of one
 * row.
 *
 * A row is read three times while it is in the first-level cache: mean, squares about the mean,
 * result. A row that is not float32 in one piece is first converted into the result, then
 * normalised in place. */
#include <math.h>

#include "walk.h"

typedef struct row_stats {
    float centre, factor;
} row_stats;

static row_stats measure(const cpu_vec_ops *v, const float *x, int64_t n, float eps, bool centred)
{
    float mean = centred ? v->sum(x, n) / (float)n : 0.0f;
    float variance = v->sum_squares(x, n, mean) / (float)n;
    return (row_stats){ mean, 1.0f / sqrtf(variance + eps) };
}

/* A vector [n] of weights of any float type, CPU_BLOCK at a time; NULL if it is left out. */
static const float *weights(const cpu_vec_ops *v, const cpu_tensor *t, int64_t at, int64_t n,
                            float *buf)
{
    if (!t || !t->data) return NULL;
    int64_t step = t->stride[0];
    return cpu_row_load(v, (const char *)t->data + at * step * cpu_size(t->dtype), t->dtype, step,
                        n, buf);
}

static void apply(const cpu_vec_ops *v, float *y, const float *x, int64_t n, row_stats s,
                  const cpu_tensor *w, const cpu_tensor *b)
{
    float w_buf[CPU_BLOCK], b_buf[CPU_BLOCK];
    bool direct = (!w || !w->data || (w->dtype == WEFT_F32 && w->stride[0] == 1)) &&
                  (!b || !b->data || (b->dtype == WEFT_F32 && b->stride[0] == 1));
    int64_t block = direct ? n : CPU_BLOCK;
    for (int64_t i = 0; i < n; i += block) {
        int64_t m = n - i < block ? n - i : block;
        v->normalise(y + i, x + i, m, s.centre, s.factor, weights(v, w, i, m, w_buf),
                     weights(v, b, i, m, b_buf));
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
    int64_t n = w.cols, begin, end;
    if (!n) return;
    cpu_share(c, w.rows, n < 2048 ? 2048 / n : 1, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        float *out = cpu_walk_at(&w, 0, row, 0);
        const void *from = cpu_walk_at(&w, 1, row, 0);
        const float *in = cpu_row_load(v, from, x->dtype, w.step[1], n, out);
        row_stats s = measure(v, in, n, c->attrs->norm.eps, c->op != WEFT_OP_rms_norm);
        /* the second result first: the first one may be written over the row */
        if (second) apply(v, cpu_walk_at(&w, 2, row, 0), in, n, s, arg[3], arg[4]);
        apply(v, out, in, n, s, arg[1], arg[2]);
    }
}

const cpu_kernel cpu_norm = { .name = "norm",
                              .run = run,
                              .accepts = cpu_accepts_floats,
                              .need = WEFT_NEED_ANY,
                              .inplace = true };
