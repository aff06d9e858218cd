/* k_attention_scalar.c: attention as its definition says: all scores of one query and head,
 * their softmax, the weighted sum. The reference for k_attention.c. */
#include <math.h>

#include "k_attention.h"

/* The query, a row of values and its sums; the scores. */
static uint64_t thread_bytes(const cpu_call *c)
{
    cpu_attention_args a = cpu_attention_of(c);
    uint64_t d = (uint64_t)a.d, e = (uint64_t)a.e, positions = (uint64_t)a.positions;
    return (e * sizeof(double) + (d + e + positions) * sizeof(float) + 127) / 64 * 64;
}

static uint64_t scratch(const cpu_call *c)
{
    return c->n_threads * thread_bytes(c);
}

/* Scores of the cells that are there, in the order of positions; how many. */
static int64_t score_all(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t h,
                         const float *q, float *scores)
{
    int64_t begin, end, cell, n = 0, g = h / a->heads_per_group, s = cpu_attention_sequence(a, t);
    cpu_attention_range(a, t, &begin, &end);
    for (int64_t run; begin < end; begin += run) {
        run = cpu_attention_run(a, s, begin, end, &cell);
        if (cell < 0) continue;
        v->dot_rows(scores + n, q, cpu_attention_row(&a->k, g, cell), a->k.dtype, run, a->d,
                    a->k.cell);
        cpu_scale(v, scores + n, scores + n, run, a->scale);
        cpu_attention_dress(v, a, t, h, begin, run, scores + n);
        n += run;
    }
    return n;
}

/* The sum of the values of the same cells, times their weights. */
static void sum_values(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t g,
                       const float *weights, float *row, double *sum)
{
    int64_t begin, end, cell, s = cpu_attention_sequence(a, t);
    cpu_attention_range(a, t, &begin, &end);
    for (int64_t run; begin < end; begin += run) {
        run = cpu_attention_run(a, s, begin, end, &cell);
        for (int64_t j = 0; cell >= 0 && j < run; j++, weights++) {
            v->load(row, cpu_attention_row(&a->v, g, cell + j), a->v.dtype, a->e);
            for (int64_t i = 0; i < a->e; i++) sum[i] += (double)*weights * row[i];
        }
    }
}

static void one_query(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t h,
                      double *room)
{
    int64_t g = h / a->heads_per_group, d = a->d;
    float *y = a->y + t * a->y_token + h * a->y_head;
    float *query = (float *)(room + a->e), *row = query + d, *scores = row + a->e;
    const float *q = cpu_row_load(v, cpu_attention_row(&a->q, h, t), a->q.dtype, 1, d, query);
    int64_t n = score_all(v, a, t, h, q, scores);
    for (int64_t i = 0; i < a->e; i++) y[i] = 0;
    if (!n) return;
    float max = v->max(scores, n), sum = v->exp_sum(scores, scores, n, max);
    float factor = cpu_attention_factor(a, h, max, sum);
    for (int64_t i = 0; i < a->e; i++) room[i] = 0;
    sum_values(v, a, t, g, scores, row, room);
    for (int64_t i = 0; i < a->e; i++) y[i] = (float)room[i] * factor;
}

static void run(const cpu_call *c)
{
    cpu_attention_args a = cpu_attention_of(c);
    int64_t begin, end;
    cpu_share(c, a.tokens * a.heads, 1, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        one_query(cpu_vec(c->isa), &a, i / a.heads, i % a.heads,
                  (double *)(void *)(c->scratch + c->thread * thread_bytes(c)));
}

const cpu_kernel cpu_attention_scalar = { .name = "attention",
                                          .run = run,
                                          .accepts = cpu_attention_accepts,
                                          .scratch = scratch,
                                          .need = WEFT_NEED_ROWS };
