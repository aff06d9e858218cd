/* k_attention_scalar.c: attention as its definition says: all scores of one query and head,
 * their softmax, the weighted sum. The reference for k_attention.c. */
#include <math.h>

#include "k_attention.h"

/* The query and its scores. */
static uint64_t thread_bytes(const cpu_call *c)
{
    return ((uint64_t)(c->in[1].dim[1] + c->in[1].dim[2]) * sizeof(float) + 127) / 64 * 64;
}

static uint64_t scratch(const cpu_call *c)
{
    return c->n_threads * thread_bytes(c);
}

static void one_query(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t h,
                      float *buf)
{
    int64_t begin, end, g = h / a->heads_per_group, d = a->d;
    float *y = a->y + t * a->y_token + h * a->y_head;
    float *scores = buf + d;
    const float *q = cpu_row_load(v, cpu_attention_row(&a->q, h, t), a->q.dtype, 1, d, buf);
    cpu_attention_range(a, t, &begin, &end);
    for (int64_t i = 0; i < d; i++) y[i] = 0;
    if (begin >= end) return;
    v->dot_rows(scores, q, cpu_attention_row(&a->k, g, begin), a->k.dtype, end - begin, d,
                a->k.cell);
    cpu_scale(v, scores, scores, end - begin, a->scale);
    float sum = v->exp_sum(scores, scores, end - begin, v->max(scores, end - begin));
    v->add_rows(y, scores, cpu_attention_row(&a->v, g, begin), a->v.dtype, end - begin, d,
                a->v.cell);
    for (int64_t i = 0; i < d; i++) y[i] /= sum;
}

static void run(const cpu_call *c)
{
    cpu_attention_args a = cpu_attention_of(c);
    int64_t begin, end;
    cpu_share(c, a.tokens * a.heads, 1, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        one_query(cpu_vec(c->isa), &a, i / a.heads, i % a.heads,
                  (float *)(void *)(c->scratch + c->thread * thread_bytes(c)));
}

const cpu_kernel cpu_attention_scalar = { .name = "attention",
                                          .run = run,
                                          .accepts = cpu_attention_accepts,
                                          .scratch = scratch,
                                          .need = WEFT_NEED_ROWS };
