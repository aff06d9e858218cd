/* k_select.c: host sides of matvec.comp as linear_select has it (PANEL experts, a choice of a token at a time) and of
 * select_any.comp (plain ones). */
#include "backends/gpu/linear.h"

enum { X = 0, W = 1, IDS = 2, Y = 5 };

static int64_t choices_of(const gpu_call *c)
{
    return c->in[IDS].dim[0] * c->in[IDS].dim[1];
}

static int64_t x_rows_of(const gpu_call *c)
{
    return gpu_elements(&c->in[X]) / c->in[W].dim[2];
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

static void describe(const gpu_call *c, uint32_t part, gpu_launch *l)
{
    const gpu_tensor *x = &c->in[X], *w = &c->in[W], *ids = &c->in[IDS];
    uint32_t choices = (uint32_t)choices_of(c), panel = c->caps->tuning->panel, rows = gpu_linear_rows(c);
    bool own = x->rank == 3;
    gpu_bind_in(c, l, X, 0, 0);
    gpu_bind_in(c, l, W, 1, part);
    if (!w->parts) l->job.t[W].stride_b.w = (uint32_t)(w->dim[0] * w->dim[1]);
    gpu_bind_in(c, l, IDS, 2, 0);
    gpu_bind_out(c, l, Y, 0);
    l->job.u0 = gpu_panel_params(c->caps, w);
    l->job.u1.x = own ? (uint32_t)ids->dim[1] : 1;
    l->job.u2 = (weft_uvec4){ choices, (uint32_t)x_rows_of(c), (uint32_t)(x->first / 4), (uint32_t)w->dim[1] };
    l->job.u3 = (weft_uvec4){ (uint32_t)ids->dim[1], (uint32_t)w->dim[0], own, part == 0 };
    uint32_t block = gpu_workgroup(c->caps, c->caps->tuning->block);
    uint32_t spec[] = { block, (uint32_t)w->dtype, panel, rows, 1, gpu_linear_vectors(c), gpu_linear_tail(c) };
    l->n_specs = sizeof spec / sizeof *spec;
    for (uint32_t i = 0; i < l->n_specs; i++) l->spec[i] = spec[i];
    gpu_spread(c, l, (uint64_t)gpu_groups(w->dim[1], panel * rows) * choices);
}

static void describe_subgroup(const gpu_call *c, uint32_t part, gpu_launch *l)
{
    describe(c, part, l);
    uint32_t subgroups = gpu_set_subgroups(c, l, c->caps->tuning->block);
    l->spec[l->n_specs++] = subgroups;
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_select;
    describe(c, i, l);
}

static void launch_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_select_subgroup;
    describe_subgroup(c, i, l);
}

/* ---- x as bytes, as for linear (k_matvec.c) ---- */

static bool accepts_dot(const gpu_call *c)
{
    weft_dtype type = c->in[W].dtype;
    if (!gpu_format_of(type)->dot || c->exact || !accepts(c)) return false;
    uint32_t least = gpu_for_bits(&c->caps->dot_least, type);
    return least && (choices_of(c) > 1 || c->in[W].dim[2] >= least);
}

static bool accepts_dot_subgroup(const gpu_call *c)
{
    return accepts_dot(c) && accepts_subgroup(c);
}

static uint64_t dot_scratch(const gpu_call *c)
{
    return (uint64_t)gpu_elements(&c->in[X]) / 32 * (32 + 8);
}

static uint32_t dot_launches(const gpu_call *c)
{
    return 1 + launches(c);
}

static void describe_dot(const gpu_call *c, uint32_t i, bool subgroup, gpu_launch *l)
{
    if (i == 0) {
        describe(c, 0, l);
        gpu_launch_flat(c, l, WEFT_SHADER_quantize, gpu_elements(&c->in[X]) / 32);
        l->spec[1] = gpu_linear_vectors(c);
        l->n_specs = 2;
        l->bind[Y].kind = GPU_BIND_SCRATCH;
        return;
    }
    l->shader = subgroup ? WEFT_SHADER_select_dot_subgroup : WEFT_SHADER_select_dot;
    (subgroup ? describe_subgroup : describe)(c, i - 1, l);
    l->bind[X].kind = GPU_BIND_SCRATCH;
    l->barrier = i == 1;
}

static void dot_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    describe_dot(c, i, false, l);
}

static void dot_launch_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    describe_dot(c, i, true, l);
}

/* ---- plain experts, in any format ---- */

static bool any_accepts(const gpu_call *c)
{
    return c->in[W].n_parts == 1 && gpu_accepts_stored(c, W);
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
const gpu_kernel gpu_select_any = { .name = "select_any", .accepts = any_accepts, .launch = any_launch,
                                    .need = WEFT_NEED_DENSE, .ins = 3, .outs = 1 };
