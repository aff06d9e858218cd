/* k_binary.c: host side of binary.comp. */
#include "backends/vulkan/kernel.h"

static void launch(const vk_call *c, uint32_t i, vk_launch *l)
{
    (void)i;
    for (uint32_t k = 0; k < 2; k++) {
        vk_tensor t = vk_broadcast(&c->in[k], &c->out[0]);
        vk_bind_in(c, l, k, k, 0);
        vk_set_tensor(l, k, &t, NULL);
    }
    vk_bind_out(c, l, 2, 0);
    vk_set_walk(l, &c->out[0]);
    l->spec[1] = (uint32_t)(c->op - WEFT_OP_add);
    l->n_specs = 2;
    vk_launch_flat(c, l, WEFT_SHADER_binary, vk_elements(&c->out[0]));
}

_Static_assert(WEFT_OP_sub == WEFT_OP_add + 1 && WEFT_OP_mul == WEFT_OP_add + 2 && WEFT_OP_div == WEFT_OP_add + 3,
               "numbers of binary.comp");

const vk_kernel vk_binary = { .name = "binary", .accepts = vk_accepts_plain, .launch = launch, .need = WEFT_NEED_ANY,
                              .ins = 2, .outs = 1, .inplace = true };
