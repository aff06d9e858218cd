/* k_gather.c: host side of gather.comp. */
#include "backends/gpu/linear.h"

static bool accepts(const gpu_call *c)
{
    const gpu_tensor *t = &c->in[0];
    if (t->layout != GPU_LAYOUT_PANEL && !gpu_reads_stored(t->dtype)) return false;
    return gpu_elements(t) <= UINT32_MAX && gpu_elements(&c->out[0]) <= INT32_MAX;
}

static uint32_t launches(const gpu_call *c)
{
    return c->in[0].n_parts;
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    const gpu_tensor *t = &c->in[0];
    bool panels = t->layout == GPU_LAYOUT_PANEL;
    int64_t rows, columns;
    gpu_as_matrix(t->rank, t->dim, &rows, &columns);
    gpu_bind_in(c, l, 0, 0, i);
    if (!t->parts) l->job.t[0].stride_b.z = 0, l->job.t[0].stride_b.w = (uint32_t)rows;
    gpu_bind_in(c, l, 1, 1, 0);
    gpu_bind_out(c, l, 2, 0);
    l->job.u0 = gpu_panel_params(c->caps, t);
    l->job.u1 = (weft_uvec4){ (uint32_t)(gpu_elements(t) / t->dim[0]), (uint32_t)columns, panels, i == 0 };
    l->spec[1] = (uint32_t)t->dtype;
    l->spec[2] = c->caps->tuning->panel;
    l->n_specs = 3;
    gpu_launch_flat(c, l, gpu_by_layout(c, WEFT_SHADER_gather, WEFT_SHADER_gather_lanes), gpu_elements(&c->out[0]));
}

const gpu_kernel gpu_gather = { .name = "gather", .accepts = accepts, .launches = launches, .launch = launch,
                                .need = WEFT_NEED_DENSE, .ins = 2, .outs = 1 };
