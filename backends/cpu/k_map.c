/* k_map.c: element-wise ops (graph/map.def), whose operands broadcast as numpy's do. */
#include "graph/map.h"
#include "walk.h"

enum { MAX_OPERANDS = CPU_WALK_MAX - 1 };

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    cpu_map_fn *map = v->map(c->op);
    const cpu_tensor *t[CPU_WALK_MAX] = { &c->out[0] };
    float param[2];
    cpu_walk w;
    weft__map_params(c->op, c->attrs, param);
    for (uint32_t i = 0; i < c->n_in; i++) t[1 + i] = &c->in[i];
    cpu_walk_begin(&w, t, 1 + c->n_in, false);
    bool direct = true;
    for (uint32_t i = 0; i <= c->n_in; i++) direct = direct && w.step[i] == 1 && t[i]->dtype == WEFT_F32;
    int64_t block = c->n_in == 1 ? 2048 : 4096;
    cpu_part p = cpu_walk_part(&w, c, direct ? block : CPU_BLOCK, block);
    for (int64_t k = p.begin; k < p.end; k++) {
        float rows[MAX_OPERANDS][CPU_BLOCK], out[CPU_BLOCK];
        const void *in[MAX_OPERANDS];
        int64_t col, n, row = cpu_part_item(&p, &w, k, &col, &n);
        void *y = cpu_walk_at(&w, 0, row, col);
        for (uint32_t i = 0; i < c->n_in; i++) {
            in[i] = cpu_walk_at(&w, 1 + i, row, col);
            if (!direct) in[i] = cpu_row_load(v, in[i], t[1 + i]->dtype, w.step[1 + i], n, rows[i]);
        }
        map(w.step[0] == 1 ? y : out, in, n, param);
        if (w.step[0] != 1) cpu_row_store(v, y, WEFT_F32, w.step[0], out, n);
    }
}

const cpu_kernel cpu_map = { .name = "map",
                             .run = run,
                             .accepts = cpu_accepts_floats,
                             .need = WEFT_NEED_ANY,
                             .inplace = true };
