/* k_copy.c: cast between plain types, and the copies that the scheduler puts before kernels that
 * need dense inputs. */
#include "walk.h"

static bool accepts(const cpu_call *c)
{
    weft_dtype from = c->in[0].dtype, to = c->out[0].dtype;
    return c->in[0].layout == CPU_LAYOUT_PLAIN && (cpu_is_float(from) || from == WEFT_I32) &&
           (cpu_is_float(to) || to == WEFT_I32);
}

static void run(const cpu_call *c)
{
    cpu_copy(c, &c->out[0], &c->in[0]);
}

const cpu_kernel cpu_cast_copy = {
    .name = "copy", .run = run, .accepts = accepts, .need = WEFT_NEED_ANY
};
