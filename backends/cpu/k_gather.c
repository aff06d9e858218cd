/* k_gather.c: rows of a table by index, as f32: plain tables of any type, and packed weight
 * matrices. */
#include "pack.h"
#include "walk.h"

static bool accepts(const cpu_call *c)
{
    const cpu_tensor *table = &c->in[0];
    if (c->in[1].dtype != WEFT_I32 || c->out[0].dtype != WEFT_F32) return false;
    return table->layout == CPU_LAYOUT_PLAIN ||
           (table->layout == CPU_LAYOUT_PANEL && table->rank == 2);
}

/* The axes of t from `from` on, as a tensor of its own that starts where t does. */
static cpu_tensor tail(const cpu_tensor *t, uint32_t from)
{
    cpu_tensor r = {
        .data = t->data, .dtype = t->dtype, .layout = t->layout, .rank = t->rank - from
    };
    memcpy(r.dim, t->dim + from, r.rank * sizeof *r.dim);
    memcpy(r.stride, t->stride + from, r.rank * sizeof *r.stride);
    return r;
}

/* Row i of an axis-0 table to y, over the rows of w = (result, table). */
static void copy_row(const cpu_vec_ops *v, const cpu_walk *w, const cpu_tensor *table, int64_t i,
                     int64_t y_offset)
{
    for (int64_t row = 0; row < w->rows; row++) {
        float *y = (float *)cpu_walk_at(w, 0, row, 0) + y_offset;
        const char *x =
            (const char *)cpu_walk_at(w, 1, row, 0) + i * table->stride[0] * cpu_size(table->dtype);
        const float *f = cpu_row_load(v, x, table->dtype, w->step[1], w->cols, y);
        if (f != y) memcpy(y, f, (size_t)w->cols * sizeof *y);
    }
}

static void zero_row(const cpu_walk *w, int64_t y_offset)
{
    for (int64_t row = 0; row < w->rows; row++)
        memset((float *)cpu_walk_at(w, 0, row, 0) + y_offset, 0, (size_t)w->cols * sizeof(float));
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *table = &c->in[0], *index = &c->in[1];
    uint32_t lead = index->rank;
    bool flat = table->layout == CPU_LAYOUT_PANEL || weft_dtype_get(table->dtype)->block > 1;
    cpu_tensor to = tail(&c->out[0], lead), from = tail(table, 1), slots = c->out[0];
    slots.rank = lead;
    cpu_walk rows, at; /* the elements of one row; the places of the rows */
    cpu_walk_begin(&rows, (const cpu_tensor *const[]){ &to, flat ? &to : &from }, 2, false);
    cpu_walk_begin(&at, (const cpu_tensor *const[]){ &slots, index }, 2, false);
    int64_t n = cpu_elements(&to), begin, end;
    uint64_t row_bytes = 0;
    (void)weft_dtype_row_bytes(table->dtype, n, &row_bytes);
    if (!n || !at.cols) return;
    cpu_share(c, at.rows * at.cols, n < 4096 ? 4096 / n : 1, &begin, &end);
    for (int64_t k = begin; k < end; k++) {
        int64_t offset =
            (float *)cpu_walk_at(&at, 0, k / at.cols, k % at.cols) - (float *)c->out[0].data;
        int64_t i = *(const int32_t *)cpu_walk_at(&at, 1, k / at.cols, k % at.cols);
        if (i < 0 || i >= table->dim[0])
            zero_row(&rows, offset);
        else if (table->layout == CPU_LAYOUT_PANEL)
            cpu_unpack_row(c->isa, table->dtype, table->data, n, i, (float *)to.data + offset);
        else if (flat)
            cpu_row_load(v, (const char *)table->data + (uint64_t)i * row_bytes, table->dtype, 1, n,
                         (float *)to.data + offset);
        else
            copy_row(v, &rows, table, i, offset);
    }
}

const cpu_kernel cpu_gather = {
    .name = "gather", .run = run, .accepts = accepts, .need = WEFT_NEED_ANY
};
