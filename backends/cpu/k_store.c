/* k_store.c: rows written into a state at the places that an index names. The result is the
 * state's own storage. What belongs to one index in a state of a block type is rows of whole
 * blocks, so that pieces of CPU_BLOCK are. */
#include "walk.h"

static bool plain(weft_dtype t)
{
    return cpu_is_float(t) || t == WEFT_I32;
}

static bool accepts(const cpu_call *c)
{
    return (plain(c->out[0].dtype) || cpu_is_block(c->out[0].dtype)) && plain(c->in[1].dtype) &&
           c->in[1].layout == CPU_LAYOUT_PLAIN && c->in[2].dtype == WEFT_I32;
}

static cpu_tensor without_axis(const cpu_tensor *t, uint32_t axis)
{
    cpu_tensor r = *t;
    r.rank--;
    for (uint32_t i = axis; i < r.rank; i++) {
        r.dim[i] = t->dim[i + 1];
        r.stride[i] = t->stride[i + 1];
    }
    return r;
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *state = &c->out[0], *rows = &c->in[1], *index = &c->in[2];
    uint32_t axis = (uint32_t)c->attrs->axis.axis;
    cpu_tensor to = without_axis(state, axis), from = without_axis(rows, axis);
    cpu_walk w; /* what belongs to one index */
    cpu_walk_begin(&w, (const cpu_tensor *const[]){ &to, &from }, 2, false);
    int64_t n = w.cols, begin, end;
    if (!n || !w.rows) return;
    cpu_share(c, index->dim[0] * w.rows, n < 4096 ? 4096 / n : 1, &begin, &end);
    for (int64_t k = begin; k < end; k++) {
        int64_t t = k / w.rows, row = k % w.rows;
        int64_t i = ((const int32_t *)index->data)[t * index->stride[0]];
        if (i < 0 || i >= state->dim[axis]) continue;
        char *y = (char *)cpu_walk_at(&w, 0, row, 0) + cpu_bytes(to.dtype, i * state->stride[axis]);
        const char *x = (const char *)cpu_walk_at(&w, 1, row, 0) +
                        t * rows->stride[axis] * cpu_size(from.dtype);
        if (to.dtype == WEFT_I32) {
            for (int64_t j = 0; j < n; j++)
                ((int32_t *)(void *)y)[j * w.step[0]] =
                    ((const int32_t *)(const void *)x)[j * w.step[1]];
            continue;
        }
        for (int64_t j = 0; j < n; j += CPU_BLOCK) {
            float buf[CPU_BLOCK];
            int64_t m = n - j < CPU_BLOCK ? n - j : CPU_BLOCK;
            const float *f = cpu_row_load(v, x + j * w.step[1] * cpu_size(from.dtype), from.dtype,
                                          w.step[1], m, buf);
            cpu_row_keep(v, y + cpu_bytes(to.dtype, j * w.step[0]), to.dtype, w.step[0], f, m);
        }
    }
}

const cpu_kernel cpu_store = {
    .name = "store", .run = run, .accepts = accepts, .need = WEFT_NEED_ANY
};
