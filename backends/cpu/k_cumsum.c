/* k_cumsum.c: running sums along the last axis. A row is one thread's. */
#include "walk.h"

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0], *y = &c->out[0];
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ y, x }, 2, true);
    int64_t n = w.cols, begin, end;
    if (!n) return;
    cpu_share(c, w.rows, n < 2048 ? 2048 / n : 1, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        float *to = cpu_walk_at(&w, 0, row, 0), sum = 0;
        const float *from = cpu_row_load(v, cpu_walk_at(&w, 1, row, 0), x->dtype, w.step[1], n, to);
        for (int64_t i = 0; i < n; i++) to[i] = sum += from[i];
    }
}

const cpu_kernel cpu_cumsum = {
    .name = "cumsum", .run = run, .accepts = cpu_accepts_floats, .need = WEFT_NEED_ANY, .inplace = true
};
