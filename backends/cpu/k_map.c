/* k_map.c: element-wise ops (graph/map.def), whose operands broadcast as numpy's do. */
#include "graph/map.h"
#include "walk.h"

enum { MAX_OPERANDS = CPU_WALK_MAX - 1 };

typedef union block {
    float f[CPU_BLOCK];
    int32_t i[CPU_BLOCK];
} block;

/* n elements as a row of f32 or, of i32, of i32. */
static const void *row_of(const cpu_vec_ops *v, const void *x, weft_dtype t, int64_t step, int64_t n, block *buf)
{
    if (t != WEFT_I32) return cpu_row_load(v, x, t, step, n, buf->f);
    if (step == 1) return x;
    for (int64_t i = 0; i < n; i++) buf->i[i] = ((const int32_t *)x)[i * step];
    return buf->i;
}

static void put_row(const cpu_vec_ops *v, void *y, weft_dtype t, int64_t step, const block *from, int64_t n)
{
    if (t != WEFT_I32) cpu_row_store(v, y, t, step, from->f, n);
    for (int64_t i = 0; i < n && t == WEFT_I32; i++) ((int32_t *)y)[i * step] = from->i[i];
}

static bool is_direct(const cpu_walk *w)
{
    bool direct = true;
    for (uint32_t i = 0; i < w->n; i++)
        direct = direct && w->step[i] == 1 && (w->t[i]->dtype == WEFT_F32 || w->t[i]->dtype == WEFT_I32);
    return direct;
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    cpu_map_fn *map = v->map(c->op, c->in[c->n_in - 1].dtype == WEFT_I32);
    const cpu_tensor *t[CPU_WALK_MAX] = { &c->out[0] };
    float param[2];
    cpu_walk w;
    weft__map_params(c->op, c->attrs, param);
    for (uint32_t i = 0; i < c->n_in; i++) t[1 + i] = &c->in[i];
    cpu_walk_begin(&w, t, 1 + c->n_in, false);
    int64_t least = c->n_in == 1 ? 2048 : 4096;
    cpu_part p = cpu_walk_part(&w, c, is_direct(&w) ? least : CPU_BLOCK, least);
    for (int64_t k = p.begin; k < p.end; k++) {
        block rows[MAX_OPERANDS], out;
        const void *in[MAX_OPERANDS];
        int64_t col, n, row = cpu_part_item(&p, &w, k, &col, &n);
        void *y = cpu_walk_at(&w, 0, row, col);
        for (uint32_t i = 0; i < c->n_in; i++)
            in[i] = row_of(v, cpu_walk_at(&w, 1 + i, row, col), t[1 + i]->dtype, w.step[1 + i], n, &rows[i]);
        map(w.step[0] == 1 ? y : &out, in, n, param);
        if (w.step[0] != 1) put_row(v, y, t[0]->dtype, w.step[0], &out, n);
    }
}

static bool accepts(const cpu_call *c)
{
    for (uint32_t i = 0; i < c->n_in; i++)
        if ((!cpu_is_float(c->in[i].dtype) && c->in[i].dtype != WEFT_I32) || c->in[i].layout != CPU_LAYOUT_PLAIN)
            return false;
    return c->out[0].dtype == WEFT_F32 || c->out[0].dtype == WEFT_I32;
}

const cpu_kernel cpu_map = { .name = "map", .run = run, .accepts = accepts, .need = WEFT_NEED_ANY, .inplace = true };
