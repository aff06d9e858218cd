/* k_attention.h: the operands of op attention, as its kernels read them. q [T, H, D], k [G, C, D]
 * and v [G, C, E] of any float types, k and v of block types, too; first, last and sequence [T],
 * pages [S, N], sinks and slopes [H], bias [H or 1, T, positions]; the last axis of each is
 * contiguous, other strides are free (in elements).
 *
 * A token sees positions of its sequence. Without pages there is one sequence, and a position is a
 * cell. Kernels go through positions in order, however the cells lie, so that what they compute
 * does not depend on the pages. */
#ifndef CPU_K_ATTENTION_H
#define CPU_K_ATTENTION_H

#include "walk.h"

typedef struct cpu_cells {
    const char *data;
    weft_dtype dtype;
    int64_t group, cell; /* strides */
} cpu_cells;

typedef struct cpu_attention_args {
    cpu_cells q, k, v; /* q: a token is a cell, a head a group */
    float *y;
    const int32_t *first, *last, *sequence, *pages;
    const float *sinks, *slopes, *bias; /* NULL: none */
    int64_t tokens, heads, d, e, cells, heads_per_group;
    int64_t page, sequences, positions; /* 0, 1 and cells without pages; positions: of a sequence */
    int64_t y_token, y_head, first_step, last_step, sequence_step, pages_step;
    int64_t bias_head, bias_token;
    float scale, soft_cap; /* 0: no cap */
} cpu_attention_args;

enum { CPU_ATTENTION_QUERIES = 64 }; /* that a thread has buffers for */

/* A thread's buffers, and the parts that threads share. */
typedef struct cpu_attention_own {
    float *q, *scores, *result, *k, *v, *max, *sum, *correct, *lo, *hi, *parts;
} cpu_attention_own;

bool cpu_attention_accepts(const cpu_call *c);
cpu_attention_args cpu_attention_of(const cpu_call *c);

/* The sequence of query t; -1 if it is none of those that have pages. */
static inline int64_t cpu_attention_sequence(const cpu_attention_args *a, int64_t t)
{
    int64_t s = a->page ? a->sequence[t * a->sequence_step] : 0;
    return s >= 0 && s < a->sequences ? s : -1;
}

/* The positions [begin, end) that query t sees, within those that exist; begin >= end if none. */
static inline void cpu_attention_range(const cpu_attention_args *a, int64_t t, int64_t *begin,
                                       int64_t *end)
{
    int64_t first = a->first[t * a->first_step], last = a->last[t * a->last_step];
    *begin = first > 0 ? first : 0;
    *end = last < a->positions ? last + 1 : a->positions;
    if (cpu_attention_sequence(a, t) < 0) *end = *begin;
}

/* How many of a sequence's positions [from, end) lie in cells that follow each other, from *cell
 * on; at least one. *cell -1: their page is not there. */
static inline int64_t cpu_attention_run(const cpu_attention_args *a, int64_t sequence, int64_t from,
                                        int64_t end, int64_t *cell)
{
    *cell = from;
    if (!a->page) return end - from;
    int64_t within = from % a->page, page = a->pages[sequence * a->pages_step + from / a->page];
    *cell = page >= 0 && page < a->cells / a->page ? page * a->page + within : -1;
    return end - from < a->page - within ? end - from : a->page - within;
}

/* Scores as a cap leaves them: most tanh(score / most). */
void cpu_attention_cap(const cpu_vec_ops *v, float *scores, int64_t n, float most);
/* Makes of query t's scores with positions [from, from + n) what caps, slopes and a bias do. */
void cpu_attention_dress(const cpu_vec_ops *v, const cpu_attention_args *a, int64_t t, int64_t h,
                         int64_t from, int64_t n, float *scores);

/* What the sum of weighted values is to be multiplied with: the weights are exp(score - max), sum is
 * theirs, and a sink adds its own. NaN scores make the sum NaN, and so the result. */
float cpu_attention_factor(const cpu_attention_args *a, int64_t h, float max, float sum);

/* k_attention_query.c: all tokens' results, in as many phases; query t of head h alone. */
void cpu_attention_by_query(const cpu_call *c, const cpu_vec_ops *v, const cpu_attention_args *a,
                            const cpu_attention_own *o);
uint32_t cpu_attention_phases(const cpu_call *c);
uint64_t cpu_attention_parts_bytes(const cpu_call *c);
void cpu_attention_whole(const cpu_vec_ops *v, const cpu_attention_args *a, const cpu_attention_own *o,
                         int64_t t, int64_t h);

static inline const void *cpu_attention_row(const cpu_cells *c, int64_t group, int64_t cell)
{
    return c->data + cpu_bytes(c->dtype, group * c->group + cell * c->cell);
}

#endif
