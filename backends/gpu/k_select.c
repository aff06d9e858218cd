/* k_select.c: host sides of matvec.comp as linear_select has it (PANEL experts, a choice of a token at a time) and of
 * select_any.comp (plain ones). */
#include "backends/gpu/linear.h"

enum { X = 0, W = 1, IDS = 2, Y = 5 };
enum { SHARED_ROWS, OWN_ROWS, LISTED_ROWS }; /* of x, as select.glsl has them */

static int64_t choices_of(const gpu_call *c)
{
    return c->in[IDS].dim[0] * c->in[IDS].dim[1];
}

static int64_t row_length(const gpu_tensor *t)
{
    return t->dim[t->rank - 1];
}

static bool accepts(const gpu_call *c)
{
    const gpu_tensor *x = &c->in[X], *w = &c->in[W];
    if (w->layout != GPU_LAYOUT_PANEL || x->dtype == WEFT_I32) return false;
    return gpu_elements(x) <= INT32_MAX && gpu_elements(c->out) <= INT32_MAX && w->dim[0] * w->dim[1] <= INT32_MAX;
}

static bool accepts_subgroup(const gpu_call *c)
{
    return c->caps->subgroup_ops && c->caps->tuning->panel == 1 && accepts(c);
}

static uint32_t launches(const gpu_call *c)
{
    return c->in[W].n_parts;
}

/* IDS is the caller's. */
static void describe(const gpu_call *c, const gpu_tensor *ids, uint32_t x_rows, uint32_t part, bool subgroups,
                     gpu_launch *l)
{
    const gpu_tensor *x = &c->in[X], *w = &c->in[W];
    uint32_t choices = (uint32_t)(ids->dim[0] * ids->dim[1]);
    uint32_t m = (uint32_t)w->dim[w->rank - 2], all = (uint32_t)(gpu_elements(w) / row_length(w));
    gpu_bind_in(c, l, X, 0, 0);
    gpu_bind_in(c, l, W, 1, part);
    if (!w->parts) l->job.t[W].stride_b.w = all;
    gpu_bind_out(c, l, Y, 0);
    uint32_t rows_of_x = (uint32_t)(gpu_elements(x) / row_length(x));
    l->job.u0 = gpu_panel_params(c->caps, w);
    l->job.u1.x = rows_of_x / (uint32_t)x->dim[0];
    l->job.u2 = (weft_uvec4){ choices, rows_of_x, (uint32_t)(x->first / 4), m };
    l->job.u3 = (weft_uvec4){ (uint32_t)ids->dim[1], all / m, x_rows, part == 0 };
    const uint32_t rows = gpu_linear_walk(c, l, subgroups, gpu_linear_rows(c), 1);
    gpu_spread(c, l, (uint64_t)gpu_groups(m, rows) * choices);
}

static void describe_selection(const gpu_call *c, uint32_t part, bool subgroups, gpu_launch *l)
{
    describe(c, &c->in[IDS], c->in[X].rank == 3 ? OWN_ROWS : SHARED_ROWS, part, subgroups, l);
    gpu_bind_in(c, l, IDS, 2, 0);
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = gpu_by_layout(c, WEFT_SHADER_select, WEFT_SHADER_select_lanes);
    describe_selection(c, i, false, l);
}

static void launch_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_select_subgroup;
    describe_selection(c, i, true, l);
}

/* ---- x as bytes, as for linear (k_matvec.c) ---- */

static bool accepts_dot(const gpu_call *c)
{
    weft_dtype type = c->in[W].dtype;
    if (!gpu_format_of(type)->dot || c->exact || !accepts(c)) return false;
    uint32_t least = gpu_for_bits(&c->caps->dot_least, type);
    return least && ((choices_of(c) > 1 && !c->deterministic) || c->in[W].dim[2] >= least);
}

static bool accepts_dot_subgroup(const gpu_call *c)
{
    return accepts_dot(c) && accepts_subgroup(c);
}

static uint64_t dot_scratch(const gpu_call *c)
{
    return gpu_quantized_bytes(c, gpu_elements(&c->in[X]) / row_length(&c->in[X]));
}

static uint32_t dot_launches(const gpu_call *c)
{
    return 1 + launches(c);
}

static void describe_dot(const gpu_call *c, uint32_t i, bool subgroups, gpu_launch *l)
{
    if (i == 0) {
        describe_selection(c, 0, false, l);
        gpu_quantize(c, gpu_elements(&c->in[X]) / row_length(&c->in[X]), l);
        return;
    }
    describe_selection(c, i - 1, subgroups, l);
    l->bind[X].kind = GPU_BIND_SCRATCH;
    l->barrier = i == 1;
}

static void dot_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = gpu_by_layout(c, WEFT_SHADER_select_dot, WEFT_SHADER_select_dot_lanes);
    describe_dot(c, i, false, l);
}

static void dot_launch_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_select_dot_subgroup;
    describe_dot(c, i, true, l);
}

/* ---- matmul_nt with a PANEL matrix per batch: rows of the result are the choices, their matrices a table ---- */

/* The number of the matrix of t that row i of y takes; leading axes broadcast. */
static uint32_t matrix_of(const gpu_tensor *t, const gpu_tensor *y, int64_t i)
{
    int64_t at = 0, step = 1;
    i /= y->dim[y->rank - 2];
    for (uint32_t axis = y->rank - 2, skip = y->rank - t->rank; axis-- > skip; i /= y->dim[axis]) {
        if (t->dim[axis - skip] != 1) at += i % y->dim[axis] * step;
        step *= t->dim[axis - skip];
    }
    return (uint32_t)at;
}

static int64_t batch_rows(const gpu_call *c)
{
    return gpu_elements(c->out) / c->out->dim[c->out->rank - 1];
}

static uint64_t batch_table(const gpu_call *c, void *out)
{
    uint32_t *to = out, n = (uint32_t)batch_rows(c), per_matrix = (uint32_t)c->out->dim[c->out->rank - 2];
    for (uint32_t i = 0; i < n && out; i++) {
        to[i] = matrix_of(&c->in[W], c->out, i);
        to[n + i] = matrix_of(&c->in[X], c->out, i) * per_matrix + i % per_matrix;
    }
    return 8 * (uint64_t)n;
}

static bool accepts_batch(const gpu_call *c)
{
    const gpu_tensor *x = &c->in[X], *w = &c->in[W];
    if (w->layout != GPU_LAYOUT_PANEL || w->rank < 3 || x->dtype == WEFT_I32) return false;
    return gpu_elements(x) <= INT32_MAX && gpu_elements(c->out) <= INT32_MAX &&
           gpu_elements(w) / row_length(w) <= INT32_MAX;
}

static void batch_launch(const gpu_call *c, uint32_t part, gpu_launch *l)
{
    uint32_t rows = (uint32_t)batch_rows(c);
    gpu_tensor ids = { .dtype = WEFT_I32, .rank = 2, .dim = { rows, 1 }, .stride = { 1, 1 }, .n_parts = 1,
                       .dims = { 2, { { rows, 0 }, { 1, 0 } } } };
    l->shader = gpu_by_layout(c, WEFT_SHADER_select, WEFT_SHADER_select_lanes);
    describe(c, &ids, LISTED_ROWS, part, false, l);
    gpu_set_tensor(l, IDS, &ids, NULL);
    l->bind[IDS].kind = GPU_BIND_TABLE;
}

/* ---- plain experts, in any format ---- */

static bool any_accepts(const gpu_call *c)
{
    return c->in[W].n_parts == 1 && gpu_accepts_stored(c, 1u << W);
}

static void any_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    const gpu_tensor *w = &c->in[W], *ids = &c->in[IDS];
    (void)i;
    for (uint32_t k = 0; k < 3; k++) gpu_bind_in(c, l, k, k, 0);
    gpu_bind_out(c, l, 3, 0);
    l->job.u0 = (weft_uvec4){ c->in[X].rank == 3 ? (uint32_t)ids->dim[1] : 1, (uint32_t)ids->dim[1],
                              (uint32_t)w->dim[1], (uint32_t)w->dim[2] };
    l->job.u1.x = (uint32_t)w->dim[0];
    l->spec[1] = (uint32_t)w->dtype;
    l->n_specs = 2;
    gpu_launch_flat(c, l, WEFT_SHADER_select_any, gpu_elements(c->out));
}

const gpu_kernel gpu_select = { .name = "select", .accepts = accepts, .launches = launches, .launch = launch,
                                .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1, .jobs = 2 };
const gpu_kernel gpu_select_subgroup = { .name = "select_subgroup", .accepts = accepts_subgroup, .launches = launches,
                                         .launch = launch_subgroup, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1,
                                         .jobs = 2 };
const gpu_kernel gpu_select_dot = { .name = "select_dot", .accepts = accepts_dot, .scratch = dot_scratch,
                                    .launches = dot_launches, .launch = dot_launch, .need = WEFT_NEED_DENSE, .ins = 5,
                                    .outs = 1, .arithmetic = WEFT_ARITH_INT8 };
const gpu_kernel gpu_select_dot_subgroup = { .name = "select_dot_subgroup", .accepts = accepts_dot_subgroup,
                                             .scratch = dot_scratch, .launches = dot_launches,
                                             .launch = dot_launch_subgroup, .need = WEFT_NEED_DENSE, .ins = 5,
                                             .outs = 1, .arithmetic = WEFT_ARITH_INT8 };
const gpu_kernel gpu_matvec_batch = { .name = "matvec_batch", .accepts = accepts_batch, .table = batch_table,
                                      .launches = launches, .launch = batch_launch, .need = WEFT_NEED_DENSE,
                                      .ins = 5, .outs = 1 };
const gpu_kernel gpu_select_any = { .name = "select_any", .accepts = any_accepts, .launch = any_launch,
                                    .need = WEFT_NEED_DENSE, .ins = 3, .outs = 1 };
