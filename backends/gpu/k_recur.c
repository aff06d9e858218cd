/* k_recur.c: host sides of recur.comp: conv1d and linear_scan, an invocation per sequence and channel. */
#include "backends/gpu/kernel.h"

enum { STATE = 5, Y = 6, MAX_LENGTH = 16 /* of a convolution: recur.comp keeps its tail in registers */ };

static void recur(const gpu_call *c, weft_shader_id shader, uint32_t length, gpu_launch *l)
{
    uint32_t sequences = (uint32_t)c->out[0].dim[0], channels = (uint32_t)c->out[1].dim[1];
    for (uint32_t k = 1; k < c->n_in; k++) gpu_bind_in(c, l, k - 1, k, 0);
    gpu_bind_out(c, l, STATE, 0);
    gpu_bind_out(c, l, Y, 1);
    l->job.u0 = (weft_uvec4){ sequences, channels, length, c->n_in > 5 };
    gpu_launch_flat(c, l, shader, (int64_t)sequences * channels);
}

static void scan_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    recur(c, WEFT_SHADER_linear_scan, 0, l);
}

static void conv_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    recur(c, WEFT_SHADER_conv1d, (uint32_t)c->in[2].dim[1], l);
}

static bool conv_accepts(const gpu_call *c)
{
    return c->in[2].dim[1] <= MAX_LENGTH && gpu_accepts_plain(c);
}

const gpu_kernel gpu_linear_scan = { .name = "linear_scan", .accepts = gpu_accepts_plain, .launch = scan_launch,
                                     .need = WEFT_NEED_ANY, .ins = 5, .outs = 2 };
const gpu_kernel gpu_conv1d = { .name = "conv1d", .accepts = conv_accepts, .launch = conv_launch,
                                .need = WEFT_NEED_ANY, .ins = 5, .outs = 2 };
