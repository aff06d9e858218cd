/* k_attention_args.c: the operands of op attention, and what becomes of scores and of sums, for all its kernels. */
#include <math.h>

#include "graph/attention.h"
#include "k_attention.h"

bool cpu_attention_accepts(const cpu_call *c)
{
    for (uint32_t i = 0; i < 3; i++) {
        bool readable = cpu_is_float(c->in[i].dtype) || (i > 0 && cpu_is_block(c->in[i].dtype));
        if (!readable || c->in[i].layout != CPU_LAYOUT_PLAIN) return false;
    }
    for (uint32_t i = 3; i < c->n_in; i++) /* first, last and pages; sinks, slopes and bias */
        if (c->in[i].dtype != WEFT_I32 && c->in[i].dtype != WEFT_F32) return false;
    return c->out[0].dtype == WEFT_F32;
}

cpu_attention_args cpu_attention_of(const cpu_call *c)
{
    const cpu_tensor *q = &c->in[0], *k = &c->in[1], *v = &c->in[2], *y = &c->out[0];
    weft__attention_inputs in = weft__attention_inputs_of(&c->attrs->attention);
    const cpu_tensor *sequence = &c->in[in.sequence], *pages = &c->in[in.pages]; /* if there is a page */
    const cpu_tensor *bias = &c->in[in.bias];
    int64_t page = c->attrs->attention.page;
    return (cpu_attention_args){
        .q = { q->data, q->dtype, q->stride[1], q->stride[0] },
        .k = { k->data, k->dtype, k->stride[0], k->stride[1] },
        .v = { v->data, v->dtype, v->stride[0], v->stride[1] },
        .y = y->data,
        .first = c->in[3].data,
        .last = c->in[4].data,
        .sequence = page ? sequence->data : NULL,
        .pages = page ? pages->data : NULL,
        .sinks = in.sinks ? c->in[in.sinks].data : NULL,
        .slopes = in.slopes ? c->in[in.slopes].data : NULL,
        .bias = in.bias ? bias->data : NULL,
        .bias_head = in.bias && bias->dim[0] > 1 ? bias->stride[0] : 0,
        .bias_token = in.bias ? bias->stride[1] : 0,
        .tokens = q->dim[0],
        .heads = q->dim[1],
        .d = q->dim[2],
        .e = v->dim[2],
        .cells = k->dim[1],
        .heads_per_group = q->dim[1] / k->dim[0],
        .page = page,
        .sequences = page ? pages->dim[0] : 1,
        .positions = page ? pages->dim[1] * page : k->dim[1],
        .y_token = y->stride[0],
        .y_head = y->stride[1],
        .first_step = c->in[3].stride[0],
        .last_step = c->in[4].stride[0],
        .sequence_step = page ? sequence->stride[0] : 0,
        .pages_step = page ? pages->stride[0] : 0,
        .scale = c->attrs->attention.scale,
        .soft_cap = c->attrs->attention.soft_cap,
    };
}

void cpu_attention_cap(const cpu_vec_ops *v, float *scores, int64_t n, float most)
{
    cpu_scale(v, scores, scores, n, 1.0f / most);
    v->map(WEFT_OP_tanh, false)(scores, (const void *const[]){ scores }, n, (const float[]){ 0, 0 });
    cpu_scale(v, scores, scores, n, most);
}

void cpu_attention_dress(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t h,
                         int64_t from, int64_t n, float *scores)
{
    if (a->soft_cap != 0) cpu_attention_cap(v, scores, n, a->soft_cap);
    for (int64_t i = 0; a->slopes && i < n; i++)
        scores[i] += a->slopes[h] * (float)(from + i - a->last[t * a->last_step]);
    const float *bias = a->bias ? a->bias + h * a->bias_head + t * a->bias_token + from : NULL;
    for (int64_t i = 0; bias && i < n; i++) scores[i] += bias[i];
}

float cpu_attention_factor(const cpu_attention_args *a, int64_t h, float max, float sum)
{
    if (!a->sinks) return sum == 0 ? 0.0f : 1.0f / sum;
    float most = fmaxf(max, a->sinks[h]), before = expf(max - most);
    float total = sum * before + expf(a->sinks[h] - most);
    return total == 0 ? 0.0f : before / total;
}
