/* k_map.c: host side of map.comp: the ops of graph/map.def, by the number of their operands. */
#include "backends/gpu/kernel.h"
#include "graph/map.h"

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    float param[2];
    weft__map_params(c->op, c->attrs, param);
    for (uint32_t k = 0; k < c->n_in; k++) {
        gpu_tensor t = gpu_broadcast(&c->in[k], &c->out[0]);
        gpu_bind_in(c, l, k, k, 0);
        gpu_set_tensor(l, k, &t, NULL);
    }
    gpu_bind_out(c, l, c->n_in, 0);
    gpu_set_walk(l, &c->out[0]);
    l->job.f0.x = param[0];
    l->job.f0.y = param[1];
    l->spec[1] = weft__map_number(c->op);
    l->spec[2] = c->n_in;
    l->spec[3] = c->in[c->n_in - 1].dtype == WEFT_I32;
    l->n_specs = 4;
    gpu_launch_flat(c, l, WEFT_SHADER_map, gpu_elements(&c->out[0]));
}

const gpu_kernel gpu_map_1 = { .name = "map_1", .accepts = gpu_accepts_plain, .launch = launch, .need = WEFT_NEED_ANY,
                               .ins = 1, .outs = 1, .inplace = true };
const gpu_kernel gpu_map_2 = { .name = "map_2", .accepts = gpu_accepts_plain, .launch = launch, .need = WEFT_NEED_ANY,
                               .ins = 2, .outs = 1, .inplace = true };
const gpu_kernel gpu_map_3 = { .name = "map_3", .accepts = gpu_accepts_plain, .launch = launch, .need = WEFT_NEED_ANY,
                               .ins = 3, .outs = 1, .inplace = true };
