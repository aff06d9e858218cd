/* k_select.c: linear_select with experts that are stored plain, row by row: any float or block type, also of values
 * that are no weights; and what packed kernels (k_select_tile.h) take. */
#include "k_matmul.h"
#include "pack.h"
#include "walk.h"

enum { ROWS = 64 }; /* of an expert, that a thread takes at once */

bool cpu_select_accepts(const cpu_call *c)
{
    const cpu_tensor *x = &c->in[0], *w = &c->in[1], *ids = &c->in[2];
    if (!cpu_is_float(x->dtype) || x->layout != CPU_LAYOUT_PLAIN || ids->layout != CPU_LAYOUT_PLAIN) return false;
    return w->layout == CPU_LAYOUT_PANEL && cpu_panel_fits(w->dtype, w->dim[2]) &&
           w->dim[1] % cpu_panel_rows(c->isa) == 0 && ids->dim[0] <= INT32_MAX / 4 / ids->dim[1];
}

static bool accepts(const cpu_call *c)
{
    const cpu_tensor *x = &c->in[0], *w = &c->in[1];
    return cpu_is_float(x->dtype) && x->layout == CPU_LAYOUT_PLAIN && w->layout == CPU_LAYOUT_PLAIN &&
           c->in[2].layout == CPU_LAYOUT_PLAIN && (cpu_is_float(w->dtype) || cpu_is_block(w->dtype));
}

/* s = rows [row, row + n) of expert e, from k on, times x, which are `len` floats. */
static void multiply(const cpu_vec_ops *v, const cpu_tensor *w, int64_t e, int64_t row, int64_t n, int64_t k,
                     int64_t len, const float *x, float *s)
{
    const char *data = (const char *)w->data + cpu_bytes(w->dtype, e * w->stride[0] + row * w->stride[1] + k);
    v->dot_rows(s, x, data, w->dtype, n, len, w->stride[1]);
}

/* n results from `row` on for choice k of token t. */
static void select_rows(const cpu_call *c, int64_t t, int64_t k, int64_t row, int64_t n)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0], *w = &c->in[1], *ids = &c->in[2], *out = &c->out[0];
    int64_t e = ((const int32_t *)ids->data)[t * ids->stride[0] + k * ids->stride[1]];
    float *y = (float *)out->data + t * out->stride[0] + k * out->stride[1] + row;
    memset(y, 0, (size_t)n * sizeof *y);
    if (e < 0 || e >= w->dim[0]) return;
    const char *from = (const char *)x->data + (t * x->stride[0] + (x->rank == 3 ? k * x->stride[1] : 0)) *
                                                   cpu_size(x->dtype);
    for (int64_t at = 0; at < w->dim[2]; at += CPU_BLOCK) {
        float row_of_x[CPU_BLOCK], sums[ROWS];
        int64_t len = w->dim[2] - at < CPU_BLOCK ? w->dim[2] - at : CPU_BLOCK;
        const float *f = cpu_row_load(v, from + at * cpu_size(x->dtype), x->dtype, 1, len, row_of_x);
        multiply(v, w, e, row, n, at, len, f, sums);
        cpu_zip(v, WEFT_OP_add, y, y, sums, n);
    }
}

static void run(const cpu_call *c)
{
    const cpu_tensor *y = &c->out[0];
    int64_t pieces = (y->dim[2] + ROWS - 1) / ROWS, begin, end;
    while (cpu_claim(c, y->dim[0] * y->dim[1] * pieces, 1, &begin, &end)) {
        int64_t choice = begin / pieces, row = begin % pieces * ROWS;
        select_rows(c, choice / y->dim[1], choice % y->dim[1], row, y->dim[2] - row < ROWS ? y->dim[2] - row : ROWS);
    }
}

const cpu_kernel cpu_linear_select = {
    .name = "linear_select", .run = run, .accepts = accepts, .need = WEFT_NEED_ROWS
};
