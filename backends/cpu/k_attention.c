/* k_attention.c: attention by online softmax, in two ways.
 *
 * By query, for few tokens (decoding): cells stream past one query of one head. Where there are
 * fewer (token, head) pairs than would keep the threads busy, the cells are cut into parts and a
 * second phase joins them. Deterministic programs do all tokens so, in parts of a fixed size.
 *
 * By block, for many tokens (a prompt): BLOCK_Q queries of one head against BLOCK_C cells at a
 * time, everything transposed so that a query is a column: scores = K Q^T and result += V^T
 * weights are matrix products with vectors along the queries, and maxima, sums and masks need no
 * work across lanes. Cells that no query of the block sees are skipped. One that another query
 * sees counts zero times its value, which is NaN unless that is finite: a query whose result is not
 * a number is computed again by itself. */
#include "k_attention.h"

#include <math.h>

#include "graph/attention.h"

enum { BLOCK_Q = 64, BLOCK_C = 64, FEW_TOKENS = 8, MIN_PART = 256, FIXED_PART = 512 };

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

static void cap(const cpu_vec_ops *v, float *scores, int64_t n, float most)
{
    cpu_scale(v, scores, scores, n, 1.0f / most);
    v->map(WEFT_OP_tanh, false)(scores, (const void *const[]){ scores }, n, (const float[]){ 0, 0 });
    cpu_scale(v, scores, scores, n, most);
}

void cpu_attention_dress(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t h,
                         int64_t from, int64_t n, float *scores)
{
    if (a->soft_cap != 0) cap(v, scores, n, a->soft_cap);
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

/* ---- scratch: [threads] of `own`, then [parts] of `part` ---- */

/* A query's state of online softmax, followed by its d unnormalised results. */
typedef struct part {
    float max, sum;
    float pad[14];
    float result[];
} part;

typedef struct own {
    float *q, *scores, *result, *k, *v, *max, *sum, *correct, *lo, *hi;
} own;

static int64_t round16(int64_t n)
{
    return (n + 15) & ~(int64_t)15;
}

static int64_t own_floats(int64_t d, int64_t e)
{
    return round16((d + e) * BLOCK_Q + BLOCK_C * (BLOCK_Q + d + e) + 5 * BLOCK_Q);
}

static own own_of(const cpu_call *c, int64_t d, int64_t e)
{
    float *p = (float *)(void *)c->scratch + c->thread * own_floats(d, e);
    own o;
    o.q = p;
    o.scores = o.q + d * BLOCK_Q;
    o.result = o.scores + BLOCK_C * BLOCK_Q;
    o.max = o.result + e * BLOCK_Q;
    o.sum = o.max + BLOCK_Q;
    o.correct = o.sum + BLOCK_Q;
    o.lo = o.correct + BLOCK_Q;
    o.hi = o.lo + BLOCK_Q;
    o.k = o.hi + BLOCK_Q;
    o.v = o.k + BLOCK_C * d;
    return o;
}

static int64_t part_floats(int64_t e)
{
    return 16 + round16(e);
}

static int64_t positions_of(const cpu_call *c)
{
    const weft_attr_attention *a = &c->attrs->attention;
    return a->page ? c->in[weft__attention_inputs_of(a).pages].dim[1] * a->page : c->in[1].dim[1];
}

static int64_t few_queries(const cpu_call *c)
{
    return 4 * (int64_t)c->n_threads;
}

/* Parts that the positions of a query are cut into: fewer than 8 per thread in all. In deterministic
 * programs they are of a fixed size, whether threads share them or not. */
static int64_t parts_per_query(const cpu_call *c)
{
    if (c->deterministic) return (positions_of(c) + FIXED_PART - 1) / FIXED_PART;
    int64_t queries = c->in[0].dim[0] * c->in[0].dim[1], wanted = few_queries(c);
    if (c->n_threads == 1 || queries >= wanted) return 1;
    int64_t n = (wanted + queries - 1) / queries, most = positions_of(c) / MIN_PART;
    return most < 1 ? 1 : n < most ? n : most;
}

/* Whether threads share the parts of a query, and join them afterwards. */
static bool shares_queries(const cpu_call *c)
{
    int64_t queries = c->in[0].dim[0] * c->in[0].dim[1];
    return parts_per_query(c) > 1 && c->n_threads > 1 && queries < few_queries(c);
}

static part *part_of(const cpu_call *c, int64_t i)
{
    int64_t d = c->in[0].dim[2], e = c->in[2].dim[2];
    float *p = (float *)(void *)c->scratch + c->n_threads * own_floats(d, e) + i * part_floats(e);
    return (part *)(void *)p;
}

static uint64_t scratch(const cpu_call *c)
{
    int64_t d = c->in[0].dim[2], e = c->in[2].dim[2], parts = 8;
    int64_t queries = c->in[0].dim[0] * c->in[0].dim[1];
    if (c->deterministic) /* of as many queries as share theirs, and one per thread */
        parts = 1 + (queries < few_queries(c) ? queries : few_queries(c)) * parts_per_query(c) / c->n_threads + 1;
    return (uint64_t)c->n_threads * (uint64_t)(own_floats(d, e) + parts * part_floats(e)) * sizeof(float);
}

static uint32_t phases(const cpu_call *c)
{
    return shares_queries(c) ? 2 : 1;
}

/* ---- by query ---- */

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

/* Query t of head h over positions [begin, end): max and sum, and result[e] before division by
 * the sum. */
static void stream(const cpu_vec_ops *v, const cpu_attention_args *a, const own *o, int64_t t,
                   int64_t h, int64_t begin, int64_t end, float *max, float *sum, float *result)
{
    int64_t d = a->d, g = h / a->heads_per_group, s = cpu_attention_sequence(a, t);
    const float *q = cpu_row_load(v, cpu_attention_row(&a->q, h, t), a->q.dtype, 1, d, o->q);
    cpu_scale(v, o->q, q, d, a->scale);
    memset(result, 0, (size_t)a->e * sizeof *result);
    *max = CPU_NO_SCORE;
    *sum = 0;
    for (int64_t i = begin; i < end; i += CPU_BLOCK) {
        float scores[CPU_BLOCK];
        int64_t n = end - i < CPU_BLOCK ? end - i : CPU_BLOCK;
        score_cells(v, a, o->q, t, h, i, n, scores);
        float m = v->max(scores, n);
        if (m > *max) {
            float correct = expf(*max - m);
            if (i > begin) cpu_scale(v, result, result, a->e, correct);
            *sum *= correct;
            *max = m;
        }
        *sum += v->exp_sum(scores, scores, n, *max);
        add_values(v, a, g, s, i, n, scores, result);
    }
}

static void whole_query(const cpu_vec_ops *v, const cpu_attention_args *a, const own *o, int64_t t,
                        int64_t h)
{
    float max, sum, *y = a->y + t * a->y_token + h * a->y_head;
    int64_t begin, end;
    cpu_attention_range(a, t, &begin, &end);
    stream(v, a, o, t, h, begin, end, &max, &sum, y);
    cpu_scale(v, y, y, a->e, cpu_attention_factor(a, h, max, sum));
}

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

static void stream_part(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                        const own *o, int64_t query, int64_t i, int64_t n, part *p)
{
    int64_t t = query / a->heads, from, to;
    part_range(c, a, t, i, n, &from, &to);
    stream(v, a, o, t, query % a->heads, from, to, &p->max, &p->sum, p->result);
}

/* Joins a part to those before it in y. */
static void join_part(const cpu_vec_ops *v, int64_t e, const part *p, float *max, float *sum,
                      float *y)
{
    if (p->max > *max) {
        float correct = expf(*max - p->max);
        cpu_scale(v, y, y, e, correct);
        *sum *= correct;
        *max = p->max;
    }
    float weight = expf(p->max - *max);
    *sum += weight * p->sum;
    v->add_rows(y, &weight, p->result, WEFT_F32, 1, e, e);
}

/* The parts of a query, in order: those that threads have left, or one after the other. */
static void join_parts(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                       const own *o, int64_t query, int64_t n, bool left)
{
    float max = CPU_NO_SCORE, sum = 0;
    float *y = a->y + query / a->heads * a->y_token + query % a->heads * a->y_head;
    memset(y, 0, (size_t)a->e * sizeof *y);
    for (int64_t i = 0; i < n; i++) {
        part *p = part_of(c, left ? query * n + i : c->thread);
        if (!left) stream_part(c, v, a, o, query, i, n, p);
        join_part(v, a->e, p, &max, &sum, y);
    }
    cpu_scale(v, y, y, a->e, cpu_attention_factor(a, query % a->heads, max, sum));
}

static void by_query(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                     const own *o)
{
    int64_t n_parts = parts_per_query(c), n = a->tokens * a->heads, begin, end;
    bool shared = shares_queries(c);
    if (c->phase == 1) {
        cpu_share(c, n, 1, &begin, &end);
        for (int64_t i = begin; i < end; i++) join_parts(c, v, a, o, i, n_parts, true);
        return;
    }
    while (cpu_claim(c, shared ? n * n_parts : n, 1, &begin, &end)) {
        if (shared)
            stream_part(c, v, a, o, begin / n_parts, begin % n_parts, n_parts,
                        part_of(c, begin));
        else if (n_parts > 1)
            join_parts(c, v, a, o, begin, n_parts, false);
        else
            whole_query(v, a, o, begin / a->heads, begin % a->heads);
    }
}

/* ---- by block ---- */

/* Queries [t0, t0 + n) of head h, scaled, as columns: q[d][cols]. Columns beyond n are zero. */
static void load_queries(const cpu_vec_ops *v, const cpu_attention_args *a, const own *o, int64_t h,
                         int64_t t0, int64_t n, int64_t cols)
{
    for (int64_t j = 0; j < cols; j++) {
        if (j >= n) {
            for (int64_t i = 0; i < a->d; i++) o->q[i * cols + j] = 0;
            continue;
        }
        const float *q =
            cpu_row_load(v, cpu_attention_row(&a->q, h, t0 + j), a->q.dtype, 1, a->d, o->k);
        for (int64_t i = 0; i < a->d; i++) o->q[i * cols + j] = q[i] * a->scale;
    }
}

/* Positions of one sequence that a block is about. */
typedef struct stretch {
    int64_t sequence, begin, n;
} stretch;

/* Their cells as float rows, `step` apart: where they are, or copied into buf. Rows of pages that
 * are not there are zeros. */
static const float *load_cells(const cpu_vec_ops *v, const cpu_attention_args *a,
                               const cpu_cells *cells, int64_t g, stretch s, int64_t d,
                               float *buf, int64_t *step)
{
    int64_t end = s.begin + s.n, cell;
    int64_t run = cpu_attention_run(a, s.sequence, s.begin, end, &cell);
    *step = cells->cell;
    if (cells->dtype == WEFT_F32 && run == s.n && cell >= 0)
        return cpu_attention_row(cells, g, cell);
    *step = d;
    for (int64_t j = 0; j < s.n; j += run) {
        run = cpu_attention_run(a, s.sequence, s.begin + j, end, &cell);
        if (cell < 0) memset(buf + j * d, 0, (size_t)(run * d) * sizeof *buf);
        for (int64_t i = 0; cell >= 0 && i < run; i++)
            v->load(buf + (j + i) * d, cpu_attention_row(cells, g, cell + i), cells->dtype, d);
    }
    return buf;
}

/* What cpu_attention_dress does, for a block of n queries from t0 on. */
static void dress_block(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t h, int64_t t0,
                        int64_t n, stretch s, float *scores, int64_t cols)
{
    if (a->soft_cap != 0) cap(v, scores, s.n * cols, a->soft_cap);
    for (int64_t j = 0; a->slopes && j < s.n; j++)
        for (int64_t q = 0; q < n; q++)
            scores[j * cols + q] +=
                a->slopes[h] * (float)(s.begin + j - a->last[(t0 + q) * a->last_step]);
    const float *bias = a->bias ? a->bias + h * a->bias_head + t0 * a->bias_token : NULL;
    for (int64_t q = 0; bias && q < n; q++)
        for (int64_t j = 0; j < s.n; j++)
            scores[j * cols + q] += bias[q * a->bias_token + s.begin + j];
}

/* Nothing is seen of pages that are not there. */
static void hide_cells(const cpu_attention_args *a, stretch s, float *scores, int64_t cols)
{
    if (!a->page) return;
    for (int64_t j = 0, run, cell; j < s.n; j += run) {
        run = cpu_attention_run(a, s.sequence, s.begin + j, s.begin + s.n, &cell);
        for (int64_t i = 0; cell < 0 && i < run * cols; i++) scores[j * cols + i] = -INFINITY;
    }
}

/* The ranges of the block's queries: their union, and the sum of their lengths. */
static int64_t block_range(const cpu_attention_args *a, int64_t t0, int64_t n, int64_t *begin,
                           int64_t *end)
{
    int64_t seen = 0;
    *begin = INT64_MAX;
    *end = 0;
    for (int64_t j = 0; j < n; j++) {
        int64_t b, e;
        cpu_attention_range(a, t0 + j, &b, &e);
        if (b >= e) continue;
        if (b < *begin) *begin = b;
        if (e > *end) *end = e;
        seen += e - b;
    }
    return seen;
}

/* Fills lo and hi relative to cell c0; false if every query sees all n_cells. */
static bool mask(const cpu_attention_args *a, const own *o, int64_t t0, int64_t n, int64_t cols,
                 int64_t c0, int64_t n_cells)
{
    bool needed = false;
    for (int64_t j = 0; j < cols; j++) {
        int64_t b = 0, e = n_cells;
        if (j < n) {
            cpu_attention_range(a, t0 + j, &b, &e);
            b = b - c0 < 0 ? 0 : b - c0 < n_cells ? b - c0 : n_cells;
            e = e - c0 < 0 ? 0 : e - c0 < n_cells ? e - c0 : n_cells;
        }
        needed = needed || b > 0 || e < n_cells;
        o->lo[j] = (float)b;
        o->hi[j] = (float)e;
    }
    return needed;
}

static void scale_columns(const cpu_vec_ops *v, float *x, int64_t rows, int64_t cols,
                          const float *factor)
{
    for (int64_t i = 0; i < rows; i++)
        cpu_zip(v, WEFT_OP_mul, x + i * cols, x + i * cols, factor, cols);
}

/* Queries [t0, t0 + n) of one sequence. Blocks of cells begin at multiples of their size, wherever
 * the first query that sees one of them begins. */
static void one_block(const cpu_vec_ops *v, const cpu_attention_args *a, const own *o, int64_t h,
                      int64_t t0, int64_t n)
{
    int64_t begin, end, seen = block_range(a, t0, n, &begin, &end), d = a->d, cols = round16(n);
    if (begin >= end || (end - begin) * n > 4 * seen) { /* ranges too far apart to share cells */
        for (int64_t j = 0; j < n; j++) whole_query(v, a, o, t0 + j, h);
        return;
    }
    load_queries(v, a, o, h, t0, n, cols);
    memset(o->result, 0, (size_t)(a->e * cols) * sizeof *o->result);
    for (int64_t j = 0; j < cols; j++) {
        o->max[j] = CPU_NO_SCORE;
        o->sum[j] = 0;
    }
    for (int64_t c0 = begin / BLOCK_C * BLOCK_C; c0 < end; c0 += BLOCK_C) {
        int64_t n_cells = end - c0 < BLOCK_C ? end - c0 : BLOCK_C, g = h / a->heads_per_group, step;
        stretch s = { cpu_attention_sequence(a, t0), c0, n_cells };
        bool masked = mask(a, o, t0, n, cols, c0, n_cells);
        const float *k = load_cells(v, a, &a->k, g, s, d, o->k, &step);
        v->gemm(n_cells, cols, d, k, step, 1, o->q, cols, o->scores, cols, false);
        dress_block(v, a, h, t0, n, s, o->scores, cols);
        hide_cells(a, s, o->scores, cols);
        v->soften(o->scores, n_cells, cols, o->max, o->sum, o->correct, masked ? o->lo : NULL,
                  o->hi);
        if (c0 > begin) scale_columns(v, o->result, a->e, cols, o->correct);
        const float *cells = load_cells(v, a, &a->v, g, s, a->e, o->v, &step);
        v->gemm(a->e, cols, n_cells, cells, 1, step, o->scores, cols, o->result, cols, true);
    }
    for (int64_t j = 0; j < n; j++) {
        float *y = a->y + (t0 + j) * a->y_token + h * a->y_head;
        float factor = cpu_attention_factor(a, h, o->max[j], o->sum[j]);
        bool number = true;
        for (int64_t i = 0; i < a->e; i++) {
            y[i] = o->result[i * cols + j] * factor;
            number = number && !isnan(y[i]);
        }
        if (!number) whole_query(v, a, o, t0 + j, h);
    }
}

/* Queries [t0, end): as many at a time as are of one sequence. */
static void one_tile(const cpu_vec_ops *v, const cpu_attention_args *a, const own *o, int64_t h,
                     int64_t t0, int64_t end)
{
    for (int64_t n; t0 < end; t0 += n) {
        int64_t sequence = cpu_attention_sequence(a, t0);
        for (n = 1; t0 + n < end && cpu_attention_sequence(a, t0 + n) == sequence;) n++;
        one_block(v, a, o, h, t0, n);
    }
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    cpu_attention_args a = cpu_attention_of(c);
    own o = own_of(c, a.d, a.e);
    if (a.tokens < FEW_TOKENS || phases(c) > 1 || c->deterministic) {
        by_query(c, v, &a, &o);
        return;
    }
    /* the last queries see the most cells: first, so that no thread ends late */
    int64_t n_blocks = (a.tokens + BLOCK_Q - 1) / BLOCK_Q, begin, end;
    while (cpu_claim(c, n_blocks * a.heads, 1, &begin, &end)) {
        int64_t t0 = (n_blocks - 1 - begin / a.heads) * BLOCK_Q;
        one_tile(v, &a, &o, begin % a.heads, t0,
                 a.tokens - t0 < BLOCK_Q ? a.tokens : t0 + BLOCK_Q);
    }
}

const cpu_kernel cpu_attention = { .name = "attention",
                                   .run = run,
                                   .accepts = cpu_attention_accepts,
                                   .scratch = scratch,
                                   .phases = phases,
                                   .need = WEFT_NEED_ROWS };
