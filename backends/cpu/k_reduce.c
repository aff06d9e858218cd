/* k_reduce.c: sum, mean, max and argmax along the last axis. Rows are shared among threads;
 * where there are fewer rows than threads and they are long (the logits of one token), each row
 * is cut into one piece per thread. */
#include <math.h>

#include "walk.h"

#define LONG_ROW 16384

/* What is known of a stretch of a row. `at` is the place of the first of the largest; it is
 * meaningful if max is a number that occurs (any). */
typedef struct piece {
    double sum;
    float max;
    bool any; /* a number that is no NaN */
    int64_t at;
} piece;

static bool accepts(const cpu_call *c)
{
    weft_dtype want = c->op == WEFT_OP_argmax ? WEFT_I32 : WEFT_F32;
    return c->in[0].layout == CPU_LAYOUT_PLAIN && cpu_is_float(c->in[0].dtype) &&
           c->out[0].dtype == want;
}

static bool cut(const cpu_call *c)
{
    const cpu_tensor *x = &c->in[0];
    return x->rank && x->dim[x->rank - 1] >= LONG_ROW &&
           cpu_elements(x) / x->dim[x->rank - 1] < c->n_threads && !c->deterministic;
}

static uint32_t phases(const cpu_call *c)
{
    return cut(c) ? 2 : 1;
}
static uint64_t scratch(const cpu_call *c)
{
    return (uint64_t)c->n_threads * c->n_threads * sizeof(piece);
}

/* In float as far as that goes: where numbers are too large to be added up in it, in double. */
static double sum_of(const cpu_vec_ops *v, const float *x, int64_t n)
{
    double sum = (double)v->sum(x, n);
    if (isfinite(sum)) return sum;
    sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

static void add_sum(const cpu_vec_ops *v, piece *p, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 4096) p->sum += sum_of(v, x + i, n - i < 4096 ? n - i : 4096);
}

/* `from` is the place of x[0] in the row; places rise from call to call, so an equal maximum
 * later changes nothing. */
static void add_max(const cpu_vec_ops *v, piece *p, const float *x, int64_t n, int64_t from,
                    bool place)
{
    float m = v->max(x, n);
    if (p->any && !(m > p->max)) return;
    int64_t at = place || m == -INFINITY ? v->find(x, 0, n, m, true) : 0;
    if (at == n) return; /* nothing but NaN */
    *p = (piece){ .max = m, .any = true, .at = from + at };
}

static piece measure(const cpu_call *c, const cpu_vec_ops *v, const cpu_walk *w, int64_t row,
                     int64_t begin, int64_t end)
{
    piece p = { .max = NAN };
    float buf[CPU_BLOCK];
    weft_dtype t = c->in[0].dtype;
    int64_t block = t == WEFT_F32 && w->step[0] == 1 ? end - begin : CPU_BLOCK;
    for (int64_t i = begin; i < end; i += block) {
        int64_t n = end - i < block ? end - i : block;
        const float *x = cpu_row_load(v, cpu_walk_at(w, 0, row, i), t, w->step[0], n, buf);
        if (c->op == WEFT_OP_reduce_sum || c->op == WEFT_OP_reduce_mean)
            add_sum(v, &p, x, n);
        else
            add_max(v, &p, x, n, i, c->op == WEFT_OP_argmax);
    }
    return p;
}

static void join(piece *p, const piece *later)
{
    p->sum += later->sum;
    if (!later->any || (p->any && !(later->max > p->max))) return;
    p->max = later->max;
    p->at = later->at;
    p->any = true;
}

static void put(const cpu_call *c, const cpu_walk *out, int64_t row, int64_t n, const piece *p)
{
    void *y = out->rows == 1 ? cpu_walk_at(out, 0, 0, row)
                             : cpu_walk_at(out, 0, row / out->cols, row % out->cols);
    switch (c->op) {
    case WEFT_OP_argmax:
        *(int32_t *)y = (int32_t)p->at;
        break;
    case WEFT_OP_reduce_max:
        *(float *)y = p->max;
        break;
    case WEFT_OP_reduce_mean:
        *(float *)y = (float)(p->sum / (double)n);
        break;
    default:
        *(float *)y = (float)p->sum;
        break;
    }
}

static void run(const cpu_call *c)
{
    const cpu_vec_ops *v = cpu_vec(c->isa);
    const cpu_tensor *x = &c->in[0], *y = &c->out[0];
    cpu_walk in, out; /* the rows of one are the elements of the other, in the same order */
    cpu_walk_begin(&in, &x, 1, true);
    cpu_walk_begin(&out, &y, 1, false);
    int64_t n = in.cols, begin, end;
    if (!cut(c)) {
        cpu_share(c, in.rows, n && n < 4096 ? 4096 / n : 1, &begin, &end);
        for (int64_t row = begin; row < end; row++) {
            piece p = measure(c, v, &in, row, 0, n);
            put(c, &out, row, n, &p);
        }
        return;
    }
    piece *pieces = (piece *)(void *)c->scratch;
    cpu_share(c, n, 64, &begin, &end);
    for (int64_t row = 0; row < in.rows; row++) {
        piece *of_row = pieces + row * c->n_threads;
        if (c->phase == 0) {
            of_row[c->thread] = measure(c, v, &in, row, begin, end);
        } else if (row % c->n_threads == c->thread) {
            piece p = of_row[0];
            for (uint32_t i = 1; i < c->n_threads; i++) join(&p, &of_row[i]);
            put(c, &out, row, n, &p);
        }
    }
}

const cpu_kernel cpu_reduce = { .name = "reduce",
                                .run = run,
                                .accepts = accepts,
                                .scratch = scratch,
                                .phases = phases,
                                .need = WEFT_NEED_ANY };
