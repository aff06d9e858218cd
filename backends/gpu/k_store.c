/* k_store.c: host side of store_blocks.comp: store into a state of a block type. Plain ones are move.comp's
 * (k_rope.c). */
#include "backends/gpu/kernel.h"

enum { X = 0, INDEX = 1, Y = 2 };

static bool accepts(const gpu_call *c)
{
    const gpu_tensor *state = &c->out[0];
    const weft_dtype_info *type = weft_dtype_get(state->dtype);
    return type->class_ == WEFT_DTYPE_BLOCK && type->encodes && gpu_is_stored(state) && state->n_parts == 1 &&
           gpu_is_plain(&c->in[1]) && gpu_is_plain(&c->in[2]);
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    const gpu_tensor *x = &c->in[1];
    const weft_dtype_info *type = weft_dtype_get(c->out[0].dtype);
    gpu_bind_in(c, l, X, 1, 0);
    gpu_bind_in(c, l, INDEX, 2, 0);
    gpu_bind_out(c, l, Y, 0);
    gpu_set_walk(l, x);
    l->job.u0.x = (uint32_t)c->attrs->axis.axis;
    l->job.u1.x = (uint32_t)x->dim[x->rank - 1] / type->block;
    gpu_launch_flat(c, l, WEFT_SHADER_store_blocks, gpu_elements(x) / type->block);
    l->spec[1] = x->rank - 1;
    l->spec[2] = x->dtype;
    l->spec[3] = c->out[0].dtype;
    l->spec[4] = type->block;
    l->spec[5] = type->bytes;
    l->n_specs = 6;
}

static uint64_t variant(const gpu_call *c)
{
    const gpu_tensor *x = &c->in[1];
    return (uint64_t)c->out[0].dtype << 16 | (uint64_t)x->dtype << 8 | x->rank;
}

const gpu_kernel gpu_store_blocks = { .name = "store_blocks", .accepts = accepts, .launch = launch, .variant = variant,
                                      .need = WEFT_NEED_ANY, .ins = 2, .outs = 1, .jobs = 3 };
