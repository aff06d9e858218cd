/* k_concat.c: every input is copied into its place along the axis. */
#include "walk.h"

static bool accepts(const cpu_call *c)
{
    bool ok = cpu_is_float(c->out[0].dtype) || c->out[0].dtype == WEFT_I32;
    for (uint32_t i = 0; i < c->n_in; i++)
        ok = ok && c->in[i].layout == CPU_LAYOUT_PLAIN &&
             (cpu_is_float(c->in[i].dtype) || c->in[i].dtype == WEFT_I32);
    return ok;
}

static void run(const cpu_call *c)
{
    uint32_t rank = c->out[0].rank;
    int32_t a = c->attrs->axis.axis;
    uint32_t axis = a < 0 ? rank - (uint32_t)-a : (uint32_t)a;
    int64_t at = 0;
    for (uint32_t i = 0; i < c->n_in; i++) {
        cpu_tensor part = c->out[0];
        part.dim[axis] = c->in[i].dim[axis];
        part.data = (char *)part.data + at * part.stride[axis] * cpu_size(part.dtype);
        at += part.dim[axis];
        cpu_copy(c, &part, &c->in[i]);
    }
}

const cpu_kernel cpu_concat = {
    .name = "concat", .run = run, .accepts = accepts, .need = WEFT_NEED_ANY
};
