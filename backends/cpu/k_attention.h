/* k_attention.h: the operands of op attention, as its kernels read them. q [T, H, D], k and v
 * [G, C, D] of any float types, first and last [T]; the last axis of each is contiguous, other
 * strides are free (in elements). */
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
    const int32_t *first, *last;
    int64_t tokens, heads, d, cells, heads_per_group;
    int64_t y_token, y_head, first_step, last_step;
    float scale;
} cpu_attention_args;

bool cpu_attention_accepts(const cpu_call *c);
cpu_attention_args cpu_attention_of(const cpu_call *c);

/* The cells [begin, end) that query t sees, within those that exist; begin >= end if none. */
static inline void cpu_attention_range(const cpu_attention_args *a, int64_t t, int64_t *begin,
                                       int64_t *end)
{
    int64_t first = a->first[t * a->first_step], last = a->last[t * a->last_step];
    *begin = first > 0 ? first : 0;
    *end = last < a->cells ? last + 1 : a->cells;
}

static inline const void *cpu_attention_row(const cpu_cells *c, int64_t group, int64_t cell)
{
    return c->data + (group * c->group + cell * c->cell) * cpu_size(c->dtype);
}

#endif
