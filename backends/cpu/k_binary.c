/* k_binary.c: element-wise ops on two inputs, broadcast as numpy does. */
#include "walk.h"

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ &c->out[0], &c->in[0], &c->in[1] }, 3, false);
    bool direct = w.step[0] == 1;
    for (uint32_t i = 1; i < 3; i++) direct = direct && w.step[i] == 1 && w.t[i]->dtype == WEFT_F32;
    cpu_part p = cpu_walk_part(&w, c, direct ? 4096 : CPU_BLOCK, 4096);
    for (int64_t k = p.begin; k < p.end; k++) {
        float a[CPU_BLOCK], b[CPU_BLOCK], out[CPU_BLOCK];
        int64_t col, n, row = cpu_part_item(&p, &w, k, &col, &n);
        float *y = cpu_walk_at(&w, 0, row, col);
        const void *pa = cpu_walk_at(&w, 1, row, col), *pb = cpu_walk_at(&w, 2, row, col);
        if (direct) {
            v->zip(c->op, y, pa, pb, n);
            continue;
        }
        const float *fa = cpu_row_load(v, pa, w.t[1]->dtype, w.step[1], n, a);
        const float *fb = cpu_row_load(v, pb, w.t[2]->dtype, w.step[2], n, b);
        v->zip(c->op, w.step[0] == 1 ? y : out, fa, fb, n);
        if (w.step[0] != 1) cpu_row_store(v, y, WEFT_F32, w.step[0], out, n);
    }
}

const cpu_kernel cpu_binary = { .name = "binary",
                                .run = run,
                                .accepts = cpu_accepts_floats,
                                .need = WEFT_NEED_ANY,
                                .inplace = true };
