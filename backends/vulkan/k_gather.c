/* k_gather.c: host side of gather.comp. */
#include "backends/vulkan/weights.h"

static bool accepts(const vk_call *c)
{
    const vk_tensor *t = &c->in[0];
    if (t->layout != VK_LAYOUT_PANEL && !vk_plain_type(t->dtype)) return false;
    return vk_elements(t) <= UINT32_MAX && vk_elements(&c->out[0]) <= INT32_MAX;
}

static uint32_t launches(const vk_call *c)
{
    return c->in[0].n_parts;
}

static void launch(const vk_call *c, uint32_t i, vk_launch *l)
{
    const vk_tensor *t = &c->in[0];
    bool panels = t->layout == VK_LAYOUT_PANEL;
    int64_t rows, columns;
    vk_as_matrix(t->rank, t->dim, &rows, &columns);
    vk_bind_in(c, l, 0, 0, i);
    if (!t->parts) l->job.t[0].stride_b.z = 0, l->job.t[0].stride_b.w = (uint32_t)rows;
    vk_bind_in(c, l, 1, 1, 0);
    vk_bind_out(c, l, 2, 0);
    l->job.u0 = vk_panel_params(c->caps, t);
    l->job.u1 = (weft_uvec4){ (uint32_t)(vk_elements(t) / t->dim[0]), (uint32_t)columns, panels, i == 0 };
    l->spec[1] = (uint32_t)t->dtype;
    l->spec[2] = c->caps->tuning->panel;
    l->n_specs = 3;
    vk_launch_flat(c, l, WEFT_SHADER_gather, vk_elements(&c->out[0]));
}

const vk_kernel vk_gather = { .name = "gather", .accepts = accepts, .launches = launches, .launch = launch,
                              .need = WEFT_NEED_DENSE, .ins = 2, .outs = 1 };
