/* k_attention_query.c: attention by query: cells stream past the queries of one token. Heads that
 * share keys and values, at most TOGETHER of them, make a bundle: CPU_BLOCK cells at a time pass all
 * of its heads, so that memory gives them once. Where there are fewer bundles than would keep the
 * threads busy, the cells are cut into parts and a second phase joins them. Deterministic programs
 * have parts of a fixed size. */
#include "k_attention.h"

#include <math.h>

#include "graph/attention.h"

enum { TOGETHER = 8, MIN_PART = 256, FIXED_PART = 512 };

/* Heads [h, h + n) of token t, which are of one group. */
typedef struct bundle {
    int64_t t, h, n;
} bundle;

/* A query's online softmax: e results, not yet divided by the sum. */
typedef struct state {
    float max, sum, *result;
} state;

/* One that is left for another phase, or kept while the next is made. */
typedef struct part {
    float max, sum;
    float pad[14];
    float result[];
} part;

/* ---- how work is cut ---- */

static int64_t per_group(int64_t heads_per_group)
{
    return (heads_per_group + TOGETHER - 1) / TOGETHER;
}

static int64_t bundles_of(const cpu_call *c)
{
    int64_t groups = c->in[1].dim[0], heads = c->in[0].dim[1];
    return c->in[0].dim[0] * groups * per_group(heads / groups);
}

static bundle bundle_at(const cpu_attention_args *a, int64_t i)
{
    int64_t per = per_group(a->heads_per_group), groups = a->heads / a->heads_per_group;
    int64_t first = i % per * TOGETHER, left = a->heads_per_group - first;
    return (bundle){ .t = i / per / groups,
                     .h = i / per % groups * a->heads_per_group + first,
                     .n = left < TOGETHER ? left : TOGETHER };
}

static int64_t positions_of(const cpu_call *c)
{
    const weft_attr_attention *a = &c->attrs->attention;
    return a->page ? c->in[weft__attention_inputs_of(a).pages].dim[1] * a->page : c->in[1].dim[1];
}

static int64_t few_bundles(const cpu_call *c)
{
    return 4 * (int64_t)c->n_threads;
}

/* Parts that the positions of a query are cut into: fewer than 8 bundles' per thread in all. In
 * deterministic programs they are of a fixed size, whether threads share them or not. */
static int64_t parts_per_query(const cpu_call *c)
{
    if (c->deterministic) return (positions_of(c) + FIXED_PART - 1) / FIXED_PART;
    int64_t bundles = bundles_of(c), wanted = few_bundles(c);
    if (c->n_threads == 1 || bundles >= wanted) return 1;
    int64_t n = (wanted + bundles - 1) / bundles, most = positions_of(c) / MIN_PART;
    return most < 1 ? 1 : n < most ? n : most;
}

/* Whether threads share the parts of a query, and join them afterwards. */
static bool shares_queries(const cpu_call *c)
{
    return parts_per_query(c) > 1 && c->n_threads > 1 && bundles_of(c) < few_bundles(c);
}

uint32_t cpu_attention_phases(const cpu_call *c)
{
    return shares_queries(c) ? 2 : 1;
}

static int64_t part_floats(int64_t e)
{
    return 16 + (e + 15) / 16 * 16;
}

/* For fewer tokens, too, than c has: they may be shared where c's are not. */
uint64_t cpu_attention_parts_bytes(const cpu_call *c)
{
    int64_t queries = c->in[0].dim[0] * c->in[0].dim[1], shared = few_bundles(c) * TOGETHER;
    int64_t parts = 2 * shared;
    if (c->deterministic)
        parts = (queries < shared ? queries : shared) * parts_per_query(c) + (int64_t)c->n_threads * TOGETHER;
    return (uint64_t)(parts * part_floats(c->in[2].dim[2])) * sizeof(float);
}

static part *part_at(const cpu_attention_args *a, const cpu_attention_own *o, int64_t i)
{
    return (part *)(void *)(o->parts + i * part_floats(a->e));
}

/* ---- cells past queries ---- */

/* Scores of query t of head h, scaled in q, with the positions [begin, begin + n) of its sequence;
 * -infinity where the page is not there. */
static void score_cells(const cpu_vec_ops *v, const cpu_attention_args *a, const float *q,
                        int64_t t, int64_t h, int64_t begin, int64_t n, float *scores)
{
    int64_t g = h / a->heads_per_group, sequence = cpu_attention_sequence(a, t);
    for (int64_t j = 0, run, cell; j < n; j += run) {
        run = cpu_attention_run(a, sequence, begin + j, begin + n, &cell);
        for (int64_t i = 0; cell < 0 && i < run; i++) scores[j + i] = -INFINITY;
        if (cell < 0) continue;
        v->dot_rows(scores + j, q, cpu_attention_row(&a->k, g, cell), a->k.dtype, run, a->d,
                    a->k.cell);
        cpu_attention_dress(v, a, t, h, begin + j, run, scores + j);
    }
}

static void add_values(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t g,
                       int64_t sequence, int64_t begin, int64_t n, const float *weights,
                       float *result)
{
    for (int64_t j = 0, run, cell; j < n; j += run) {
        run = cpu_attention_run(a, sequence, begin + j, begin + n, &cell);
        if (cell >= 0)
            v->add_rows(result, weights + j, cpu_attention_row(&a->v, g, cell), a->v.dtype, run,
                        a->e, a->v.cell);
    }
}

/* Positions [begin, begin + n), of which there are at most CPU_BLOCK, past query t of head h. */
static void take_cells(const cpu_vec_ops *v, const cpu_attention_args *a, const float *q, int64_t t,
                       int64_t h, int64_t begin, int64_t n, state *s)
{
    float scores[CPU_BLOCK];
    score_cells(v, a, q, t, h, begin, n, scores);
    float m = v->max(scores, n);
    if (m > s->max) {
        float correct = expf(s->max - m);
        cpu_scale(v, s->result, s->result, a->e, correct);
        s->sum *= correct;
        s->max = m;
    }
    s->sum += v->exp_sum(scores, scores, n, s->max);
    add_values(v, a, h / a->heads_per_group, cpu_attention_sequence(a, t), begin, n, scores, s->result);
}

/* A bundle over positions [begin, end). */
static void stream(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o,
                   bundle b, int64_t begin, int64_t end, state *s)
{
    int64_t d = a->d;
    for (int64_t i = 0; i < b.n; i++) {
        const float *q = cpu_row_load(v, cpu_attention_row(&a->q, b.h + i, b.t), a->q.dtype, 1, d, o->q + i * d);
        cpu_scale(v, o->q + i * d, q, d, a->scale);
        memset(s[i].result, 0, (size_t)a->e * sizeof(float));
        s[i].max = CPU_NO_SCORE;
        s[i].sum = 0;
    }
    for (int64_t at = begin; at < end; at += CPU_BLOCK) {
        int64_t n = end - at < CPU_BLOCK ? end - at : CPU_BLOCK;
        for (int64_t i = 0; i < b.n; i++) take_cells(v, a, o->q + i * d, b.t, b.h + i, at, n, &s[i]);
    }
}

static float *result_of(const cpu_attention_args *a, int64_t t, int64_t h)
{
    return a->y + t * a->y_token + h * a->y_head;
}

static void whole(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o, bundle b)
{
    state s[TOGETHER];
    int64_t begin, end;
    cpu_attention_range(a, b.t, &begin, &end);
    for (int64_t i = 0; i < b.n; i++) s[i].result = result_of(a, b.t, b.h + i);
    stream(v, a, o, b, begin, end, s);
    for (int64_t i = 0; i < b.n; i++)
        cpu_scale(v, s[i].result, s[i].result, a->e, cpu_attention_factor(a, b.h + i, s[i].max, s[i].sum));
}

void cpu_attention_whole(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o,
                         int64_t t, int64_t h)
{
    whole(v, a, o, (bundle){ t, h, 1 });
}

/* ---- parts ---- */

/* Part i of a query's n: an equal share of what it sees, or, in deterministic programs, what it
 * sees of FIXED_PART positions. */
static void part_range(const cpu_call *c, const cpu_attention_args *a, int64_t t, int64_t i,
                       int64_t n, int64_t *from, int64_t *to)
{
    int64_t begin, end, fixed = i * FIXED_PART;
    cpu_attention_range(a, t, &begin, &end);
    int64_t seen = end > begin ? end - begin : 0;
    *from = begin + seen * i / n;
    *to = begin + seen * (i + 1) / n;
    if (!c->deterministic) return;
    *from = fixed > begin ? fixed : begin;
    *to = fixed + FIXED_PART < end ? fixed + FIXED_PART : end;
}

/* Part i of n of a bundle's queries: the first at p, the next ones `step` parts further. */
static void stream_part(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                        const cpu_attention_own *o, bundle b, int64_t i, int64_t n, int64_t p, int64_t step)
{
    state s[TOGETHER];
    int64_t from, to;
    part_range(c, a, b.t, i, n, &from, &to);
    for (int64_t k = 0; k < b.n; k++) s[k].result = part_at(a, o, p + k * step)->result;
    stream(v, a, o, b, from, to, s);
    for (int64_t k = 0; k < b.n; k++) {
        part_at(a, o, p + k * step)->max = s[k].max;
        part_at(a, o, p + k * step)->sum = s[k].sum;
    }
}

/* Joins a part to those before it. */
static void join_part(const cpu_vec_ops *v, int64_t e, const part *p, state *s)
{
    if (p->max > s->max) {
        float correct = expf(s->max - p->max);
        cpu_scale(v, s->result, s->result, e, correct);
        s->sum *= correct;
        s->max = p->max;
    }
    float weight = expf(p->max - s->max);
    s->sum += weight * p->sum;
    v->add_rows(s->result, &weight, p->result, WEFT_F32, 1, e, e);
}

/* The parts of a bundle's queries, in order: those that threads have left, or one after the other. */
static void join_parts(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                       const cpu_attention_own *o, bundle b, int64_t n, bool left)
{
    state s[TOGETHER];
    int64_t own = c->thread * TOGETHER;
    for (int64_t k = 0; k < b.n; k++) {
        s[k] = (state){ CPU_NO_SCORE, 0, result_of(a, b.t, b.h + k) };
        memset(s[k].result, 0, (size_t)a->e * sizeof(float));
    }
    for (int64_t i = 0; i < n; i++) {
        if (!left) stream_part(c, v, a, o, b, i, n, own, 1);
        for (int64_t k = 0; k < b.n; k++)
            join_part(v, a->e, part_at(a, o, left ? (b.t * a->heads + b.h + k) * n + i : own + k), &s[k]);
    }
    for (int64_t k = 0; k < b.n; k++)
        cpu_scale(v, s[k].result, s[k].result, a->e, cpu_attention_factor(a, b.h + k, s[k].max, s[k].sum));
}

void cpu_attention_by_query(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                            const cpu_attention_own *o)
{
    int64_t n_parts = parts_per_query(c), n = bundles_of(c), begin, end;
    bool shared = shares_queries(c);
    if (c->phase == 1) {
        cpu_share(c, n, 1, &begin, &end);
        for (int64_t i = begin; i < end; i++) join_parts(c, v, a, o, bundle_at(a, i), n_parts, true);
        return;
    }
    while (cpu_claim(c, shared ? n * n_parts : n, 1, &begin, &end)) {
        bundle b = bundle_at(a, shared ? begin / n_parts : begin);
        int64_t i = begin % n_parts;
        if (shared) stream_part(c, v, a, o, b, i, n_parts, (b.t * a->heads + b.h) * n_parts + i, n_parts);
        else if (n_parts > 1) join_parts(c, v, a, o, b, n_parts, false);
        else whole(v, a, o, b);
    }
}
