/* k_attention.c: attention by online softmax, in two ways.
 *
 * By query, for few tokens (decoding): cells stream past the queries of one token (k_attention_query.c).
 * Deterministic programs do all tokens so.
 *
 * By block, for many tokens of a sequence (a prompt): BLOCK_Q queries of one head against BLOCK_C cells at a
 * time, everything transposed so that a query is a column: scores = K Q^T and result += V^T
 * weights are matrix products with vectors along the queries, and maxima, sums and masks need no
 * work across lanes. Cells that no query of the block sees are skipped. One that another query
 * sees counts zero times its value, which is NaN unless that is finite: a query whose result is not
 * a number is computed again by itself. */
#include "k_attention.h"

#include <math.h>

enum { BLOCK_Q = CPU_ATTENTION_QUERIES, BLOCK_C = 64, FEW_TOKENS = 8 };

/* ---- scratch: [threads] of cpu_attention_own, then what k_attention_query.c keeps ---- */

static int64_t round16(int64_t n)
{
    return (n + 15) & ~(int64_t)15;
}

static int64_t own_floats(int64_t d, int64_t e)
{
    return round16((d + e) * BLOCK_Q + BLOCK_C * (BLOCK_Q + d + e) + 5 * BLOCK_Q);
}

static cpu_attention_own own_of(const cpu_call *c, int64_t d, int64_t e)
{
    float *p = (float *)(void *)c->scratch + c->thread * own_floats(d, e);
    cpu_attention_own o;
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
    o.parts = (float *)(void *)c->scratch + c->n_threads * own_floats(d, e);
    return o;
}

static uint64_t scratch(const cpu_call *c)
{
    int64_t d = c->in[0].dim[2], e = c->in[2].dim[2];
    return (uint64_t)c->n_threads * (uint64_t)own_floats(d, e) * sizeof(float) + cpu_attention_parts_bytes(c);
}

/* ---- by block ---- */

/* Queries [t0, t0 + n) of head h, scaled, as columns: q[d][cols]. Columns beyond n are zero. */
static void load_queries(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o, int64_t h,
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
    if (a->soft_cap != 0) cpu_attention_cap(v, scores, s.n * cols, a->soft_cap);
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
static bool mask(const cpu_attention_args *a, const cpu_attention_own *o, int64_t t0, int64_t n, int64_t cols,
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
static void one_block(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o, int64_t h,
                      int64_t t0, int64_t n)
{
    int64_t begin, end, seen = block_range(a, t0, n, &begin, &end), d = a->d, cols = round16(n);
    if (n < FEW_TOKENS || begin >= end || (end - begin) * n > 4 * seen) { /* or ranges too far apart to share cells */
        for (int64_t j = 0; j < n; j++) cpu_attention_whole(v, a, o, t0 + j, h);
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
        if (!number) cpu_attention_whole(v, a, o, t0 + j, h);
    }
}

/* Queries [t0, end): as many at a time as are of one sequence. */
static void one_tile(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o, int64_t h,
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
    cpu_attention_own o = own_of(c, a.d, a.e);
    if (a.tokens < FEW_TOKENS || cpu_attention_phases(c) > 1 || c->deterministic) {
        cpu_attention_by_query(c, v, &a, &o);
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
                                   .phases = cpu_attention_phases,
                                   .need = WEFT_NEED_ROWS };
