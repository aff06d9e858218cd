/* linear.c: see linear.h. */
#include "backends/gpu/linear.h"

#include <string.h>

enum { FEW_ROWS = 32 }; /* fewer are walked along by whole workgroups */
enum { X = 0, W = 1, BIAS = 2, RES0 = 3, UP = RES0, UP_BIAS = 4, GAIN = 5, Y = 5, FUSED_Y = 6 };

static const weft_attr_linear *attrs_of(const gpu_call *c)
{
    static const weft_attr_linear none; /* of matmul_nt */
    return c->op == WEFT_OP_linear ? &c->attrs->linear : &none;
}

bool gpu_linear_is_fused(const gpu_call *c)
{
    return attrs_of(c)->gated || attrs_of(c)->norm;
}

bool gpu_linear_accepts(const gpu_call *c)
{
    return !gpu_linear_is_fused(c) && gpu_linear_accepts_fused(c);
}

bool gpu_linear_accepts_fused(const gpu_call *c)
{
    const gpu_tensor *x = &c->in[0], *w = &c->in[1];
    const weft__linear_inputs at = weft__linear_inputs_of(attrs_of(c));
    if (w->layout != GPU_LAYOUT_PANEL || w->rank != 2 || x->dtype == WEFT_I32) return false;
    if (at.up && c->in[at.up].layout != GPU_LAYOUT_PANEL) return false;
    if (at.gain && (c->in[at.gain].dtype != WEFT_F32 || c->in[at.gain].layout != GPU_LAYOUT_PLAIN ||
                    w->dim[1] % 4 || c->in[at.gain].first % 4 || !gpu_is_dense(&c->in[at.gain])))
        return false; /* read four at a time */
    return gpu_elements(x) <= INT32_MAX && gpu_elements(c->out) <= INT32_MAX;
}

uint32_t gpu_linear_launches(const gpu_call *c)
{
    return c->in[W].n_parts;
}

int64_t gpu_linear_columns(const gpu_call *c)
{
    int64_t rows, k;
    gpu_as_matrix(c->in[X].rank, c->in[X].dim, &rows, &k);
    return rows;
}

static int64_t row_length(const gpu_call *c)
{
    return c->in[W].dim[c->in[W].rank - 1];
}

uint32_t gpu_linear_rows(const gpu_call *c)
{
    return gpu_for_bits(&c->caps->tuning->rows, c->in[W].dtype);
}

bool gpu_linear_vectors(const gpu_call *c)
{
    return c->in[X].dtype == WEFT_F32 && row_length(c) % 4 == 0 && c->in[X].first % 4 == 0;
}

bool gpu_linear_tail(const gpu_call *c)
{
    gpu_panels p;
    if (!gpu_panels_of(c->caps, c->in[W].dtype, row_length(c), &p)) return false;
    return p.rest || row_length(c) % p.per_chunk != 0;
}

/* ---- how matvec.comp walks ---- */

/* Chunks of a row that a lane has in flight: fewer where several columns share them, or a row has no more. */
static uint32_t steps_of(const gpu_call *c, uint32_t lanes, uint32_t columns)
{
    gpu_panels p;
    uint32_t steps = gpu_for_bits(&c->caps->tuning->steps, c->in[W].dtype) / columns;
    if (!gpu_linear_vectors(c) || !gpu_panels_of(c->caps, c->in[W].dtype, row_length(c), &p)) return 1;
    while (steps > 1 && steps * lanes > p.chunks) steps /= 2;
    return steps ? steps : 1;
}

/* Constants of matvec_lanes.comp. */
static uint32_t describe_lanes(const gpu_call *c, gpu_launch *l, uint32_t rows, uint32_t columns)
{
    const uint32_t panel = c->caps->tuning->panel;
    const uint32_t spec[] = { panel, (uint32_t)c->in[W].dtype, panel, rows, columns, gpu_linear_vectors(c),
                              gpu_linear_tail(c) };
    l->n_specs = sizeof spec / sizeof *spec;
    memcpy(l->spec, spec, sizeof spec);
    return panel * rows;
}

uint32_t gpu_linear_walk(const gpu_call *c, gpu_launch *l, bool subgroups, uint32_t rows, uint32_t columns)
{
    const gpu_caps *f = c->caps;
    const gpu_tensor *w = &c->in[W];
    uint32_t n = 1, teams = 1;
    if (f->tuning->panel > 1) return describe_lanes(c, l, rows, columns);
    l->spec[0] = gpu_workgroup(f, f->tuning->block);
    if (subgroups) n = gpu_set_subgroups(c, l, f->tuning->block);
    /* drivers that choose a size do not say which */
    const bool known = f->subgroup_control || f->subgroup_min == f->subgroup_max;
    if (subgroups && known && w->dim[w->rank - 2] >= FEW_ROWS) teams = n;
    const uint32_t spec[] = { l->spec[0], (uint32_t)w->dtype, steps_of(c, l->spec[0] / teams, columns), rows, columns,
                              gpu_linear_vectors(c), gpu_linear_tail(c), n, teams };
    l->n_specs = sizeof spec / sizeof *spec;
    memcpy(l->spec, spec, sizeof spec);
    return teams * rows;
}

void gpu_linear_describe(const gpu_call *c, uint32_t part, uint32_t blocks, gpu_launch *l)
{
    const gpu_tensor *x = &c->in[X], *w = &c->in[W];
    const weft_attr_linear *a = attrs_of(c);
    const weft__linear_inputs at = weft__linear_inputs_of(a);
    const uint32_t residuals = (uint32_t)a->n_residual;
    uint32_t columns = (uint32_t)gpu_linear_columns(c);
    gpu_bind_in(c, l, X, 0, 0);
    gpu_bind_in(c, l, W, 1, part);
    if (!w->parts) l->job.t[W].stride_b.w = (uint32_t)w->dim[0];
    if (at.up) gpu_bind_in(c, l, UP, at.up, part);
    if (at.bias) gpu_bind_in(c, l, BIAS, at.bias, 0);
    if (at.up_bias) gpu_bind_in(c, l, UP_BIAS, at.up_bias, 0);
    if (at.gain) gpu_bind_in(c, l, GAIN, at.gain, 0);
    for (uint32_t i = 0; i < residuals; i++) gpu_bind_in(c, l, RES0 + i, at.residual + i, 0);
    gpu_bind_out(c, l, gpu_linear_is_fused(c) ? FUSED_Y : Y, 0);
    if (x->rank == 1) { /* a single row */
        l->job.t[X].dim_a.x = 1;
        l->job.t[X].extent_a.x = 0;
    }
    l->job.u0 = gpu_panel_params(c->caps, w);
    l->job.u1 = (weft_uvec4){ x->rank > 1 ? columns / (uint32_t)x->dim[0] : 1,
                              (uint32_t)a->act, residuals, (uint32_t)a->has_bias };
    l->job.u2 = (weft_uvec4){ blocks, columns, (uint32_t)(x->first / 4), (uint32_t)w->dim[0] };
    l->job.u3 = (weft_uvec4){ (uint32_t)a->gated, (uint32_t)a->one_plus, 0, 0 };
    l->job.f0.x = a->eps;
}

/* ---- x as bytes ---- */

/* Of a row of x: whole turns on GPUs. */
static int64_t quantized_columns(const gpu_call *c)
{
    gpu_panels p;
    if (!gpu_panels_of(c->caps, c->in[W].dtype, row_length(c), &p)) return row_length(c);
    return (int64_t)p.chunks * p.per_chunk;
}

/* Per block of 32: its bytes, then (after all bytes) a scale, and on processors a sum. */
uint64_t gpu_quantized_bytes(const gpu_call *c, int64_t rows)
{
    return (uint64_t)rows * (uint64_t)quantized_columns(c) / 32 * (c->caps->tuning->panel == 1 ? 36u : 40u);
}

void gpu_quantize(const gpu_call *c, int64_t rows, gpu_launch *l)
{
    gpu_launch_flat(c, l, gpu_by_layout(c, WEFT_SHADER_quantize, WEFT_SHADER_quantize_lanes),
                    rows * quantized_columns(c) / 32);
    l->spec[1] = gpu_linear_vectors(c);
    l->spec[2] = gpu_format_of(c->in[W].dtype)->per_chunk / 4;
    l->n_specs = 3;
    l->bind[Y].kind = GPU_BIND_SCRATCH;
}
