/* k_softmax.c: softmax along the last axis. Rows are shared among threads; where there are fewer
 * rows than threads and they are long, each row is cut into one piece per thread: every piece is
 * softened about its own maximum, then all are brought to the common one. A row that is not
 * float32 in one piece is converted into the result and treated in place. */
#include <math.h>

#include "walk.h"

#define LONG_ROW 16384 /* columns from which a row is worth cutting */

typedef struct piece {
    float max, sum;
} piece;

static bool cut(const cpu_call *c)
{
    const cpu_tensor *y = &c->out[0];
    return y->rank && y->dim[y->rank - 1] >= LONG_ROW &&
           cpu_elements(y) / y->dim[y->rank - 1] < c->n_threads && !c->deterministic;
}

static uint32_t phases(const cpu_call *c)
{
    return cut(c) ? 2 : 1;
}

/* cut() at smaller sizes of a run implies fewer rows than threads. */
static uint64_t scratch(const cpu_call *c)
{
    return (uint64_t)c->n_threads * c->n_threads * sizeof(piece);
}

/* exp(x - max) and what it adds up to. NaN anywhere gives NaN everywhere, through the sum. A
 * stretch of nothing but -inf adds 0; a whole row of it gives NaN when it is divided by its sum. */
static piece soften(const cpu_vec_ops *v, float *y, const float *x, int64_t n)
{
    piece p = { .max = v->max(x, n) };
    p.sum = v->exp_sum(y, x, n, p.max == -INFINITY ? 0.0f : p.max);
    return p;
}

static void run_cut(const cpu_call *c, const cpu_vec_ops *v, const cpu_walk *w)
{
    piece *pieces = (piece *)(void *)c->scratch;
    int64_t begin, end;
    cpu_share(c, w->cols, 64, &begin, &end);
    for (int64_t row = 0; row < w->rows; row++) {
        piece *of_row = pieces + row * c->n_threads;
        float *y = cpu_walk_at(w, 0, row, begin);
        if (c->phase == 0) {
            const void *from = cpu_walk_at(w, 1, row, begin);
            const float *x = cpu_row_load(v, from, c->in[0].dtype, w->step[1], end - begin, y);
            of_row[c->thread] = soften(v, y, x, end - begin);
            continue;
        }
        float max = -INFINITY, sum = 0;
        for (uint32_t i = 0; i < c->n_threads; i++) max = of_row[i].max > max ? of_row[i].max : max;
        for (uint32_t i = 0; i < c->n_threads; i++)
            if (of_row[i].sum != 0) sum += of_row[i].sum * expf(of_row[i].max - max);
        cpu_scale(v, y, y, end - begin, expf(of_row[c->thread].max - max) / sum);
    }
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ &c->out[0], &c->in[0] }, 2, true);
    int64_t n = w.cols, begin, end;
    if (!n) return;
    if (cut(c)) {
        run_cut(c, v, &w);
        return;
    }
    cpu_share(c, w.rows, n < 1024 ? 1024 / n : 1, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        float *y = cpu_walk_at(&w, 0, row, 0);
        const float *x =
            cpu_row_load(v, cpu_walk_at(&w, 1, row, 0), c->in[0].dtype, w.step[1], n, y);
        piece p = soften(v, y, x, n);
        cpu_scale(v, y, y, n, 1.0f / p.sum);
    }
}

const cpu_kernel cpu_softmax = { .name = "softmax",
                                 .run = run,
                                 .accepts = cpu_accepts_floats,
                                 .scratch = scratch,
                                 .phases = phases,
                                 .need = WEFT_NEED_ANY,
                                 .inplace = true };
