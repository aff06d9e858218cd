/* k_copy.c: host side of copy.comp: cast, copy, and concat, which is a copy of each input into its slice of the
 * result. */
#include "backends/gpu/kernel.h"

#include <string.h>

static void describe(const gpu_call *c, const gpu_tensor *y, gpu_launch *l)
{
    bool half = y->dtype == WEFT_F16 || y->dtype == WEFT_BF16;
    bool words = half && c->op != WEFT_OP_concat && gpu_is_dense(y) && y->first % 2 == 0;
    int64_t n = gpu_elements(y);
    gpu_set_walk(l, y);
    l->spec[1] = words;
    l->n_specs = 2;
    gpu_launch_flat(c, l, WEFT_SHADER_copy, words ? (n + 1) / 2 : n);
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    gpu_bind_in(c, l, 0, 0, 0);
    gpu_bind_out(c, l, 1, 0);
    describe(c, &c->out[0], l);
}

static uint32_t concat_launches(const gpu_call *c)
{
    return c->n_in;
}

static void concat_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    int32_t axis = c->attrs->axis.axis;
    gpu_tensor slice = c->out[0];
    uint32_t before[1 + WEFT_MAX_EXTENTS] = { 0 }; /* what stands before: a number, and times of each extent */
    for (uint32_t k = 0; k < i; k++) before[c->in[k].dims.d[axis].extent] += (uint32_t)c->in[k].dims.d[axis].n;
    slice.dim[axis] = c->in[i].dim[axis];
    slice.dims.d[axis] = c->in[i].dims.d[axis];
    gpu_bind_in(c, l, 0, i, 0);
    l->bind[1] = (gpu_bind){ GPU_BIND_OUT, 0, 0 };
    gpu_set_tensor(l, 1, &slice, NULL);
    l->job.u0.x = before[0];
    l->job.u0.y = (uint32_t)slice.stride[axis];
    memcpy(&l->job.t[2].dim_a, before + 1, WEFT_MAX_EXTENTS * sizeof *before);
    describe(c, &slice, l);
}

static void concat_launch_storage16(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    concat_launch(c, i, l);
    l->shader = WEFT_SHADER_copy_storage16;
}

static bool concat_accepts_storage16(const gpu_call *c)
{
    weft_dtype type = c->out[0].dtype;
    return c->caps->storage16 && (type == WEFT_F16 || type == WEFT_BF16) && gpu_accepts_plain(c);
}

const gpu_kernel gpu_cast_copy = { .name = "copy", .accepts = gpu_accepts_plain, .launch = launch,
                                   .need = WEFT_NEED_ANY, .ins = 1, .outs = 1 };
const gpu_kernel gpu_concat = { .name = "concat", .accepts = gpu_accepts_plain, .launches = concat_launches,
                                .launch = concat_launch, .need = WEFT_NEED_ANY, .ins = 1, .outs = 1 };
const gpu_kernel gpu_concat_storage16 = { .name = "concat_storage16", .accepts = concat_accepts_storage16,
                                          .launches = concat_launches, .launch = concat_launch_storage16,
                                          .need = WEFT_NEED_ANY, .ins = 1, .outs = 1 };
