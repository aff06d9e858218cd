/* k_unary.c: element-wise ops on one input. */
#include "walk.h"

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0];
    float factor = c->op == WEFT_OP_scale ? c->attrs->scale.factor : 1.0f;
    cpu_walk w;
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ &c->out[0], x }, 2, false);
    bool direct = x->dtype == WEFT_F32 && w.step[0] == 1 && w.step[1] == 1;
    cpu_part p = cpu_walk_part(&w, c, direct ? 2048 : CPU_BLOCK, 2048);
    for (int64_t k = p.begin; k < p.end; k++) {
        float in[CPU_BLOCK], out[CPU_BLOCK];
        int64_t col, n, row = cpu_part_item(&p, &w, k, &col, &n);
        float *y = cpu_walk_at(&w, 0, row, col);
        const void *from = cpu_walk_at(&w, 1, row, col);
        if (direct) {
            v->map(c->op, y, from, n, factor);
        } else {
            v->map(c->op, out, cpu_row_load(v, from, x->dtype, w.step[1], n, in), n, factor);
            cpu_row_store(v, y, WEFT_F32, w.step[0], out, n);
        }
    }
}

const cpu_kernel cpu_unary = { .name = "unary",
                               .run = run,
                               .accepts = cpu_accepts_floats,
                               .need = WEFT_NEED_ANY,
                               .inplace = true };
