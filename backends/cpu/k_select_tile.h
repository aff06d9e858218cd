/* k_select_tile.h: linear_select with packed experts. Included after k_matmul_tile.h, once per instruction set.
 *
 * A row of y is one choice of one token. Rows are put in the order of their experts, and each expert that was chosen
 * multiplies its rows as one product of k_matmul_tile.h, of which mm_plan.order tells the rows. Experts that nobody
 * chose are not touched. Every thread finds the order for itself, which costs less than waiting for it. The choices of
 * a token alone are products of a token alone, one after the other. */
#ifndef CPU_K_SELECT_TILE_H
#define CPU_K_SELECT_TILE_H

#include <string.h>

#include "k_matmul_tile.h"

typedef struct mm_selection {
    mm_plan all;               /* of all rows */
    const cpu_tensor *ids;
    int64_t experts, used;     /* how many there are, how many were chosen */
    int32_t *order;            /* rows of y by expert; those without one are left out */
    int32_t *end;              /* [experts] one past an expert's last place in order */
    int32_t *expert, *tokens;  /* [used] their numbers, and where in x's tiles their tokens begin */
    int64_t *ready;            /* of a token alone: the row of x that is prepared; -1: none */
} mm_selection;

static int64_t mm_id(const mm_selection *s, int64_t row)
{
    const cpu_tensor *ids = s->ids;
    int64_t id = ((const int32_t *)ids->data)[row / ids->dim[1] * ids->stride[0] + row % ids->dim[1] * ids->stride[1]];
    return id >= 0 && id < s->experts ? id : -1;
}

static int64_t mm_most_used(const mm_selection *s)
{
    return s->experts < s->all.m.tokens ? s->experts : s->all.m.tokens;
}

/* The last tile of a product is wider than what is left by at most 3 tokens, or all but one of the narrowest. */
static int64_t mm_tiles_bytes(const mm_selection *s)
{
    const mm_plan *p = &s->all;
    int64_t more = mm_tile_size[p->narrowest] > 4 ? mm_tile_size[p->narrowest] - 1 : 3;
    return round_64(mm_x_bytes(p->format, p->m.tokens + more * mm_most_used(s), p->k_even));
}

static int64_t mm_order_bytes(const mm_selection *s)
{
    return round_64((2 * s->all.m.tokens + s->experts + mm_most_used(s)) * 4);
}

static bool mm_select_alone(const cpu_call *c) { return c->in[2].dim[0] == 1 && cpu_mm_any_tile(c); }

static void mm_selection_init(const cpu_call *c, mm_selection *s)
{
    *s = (mm_selection){ .ids = &c->in[2], .experts = c->in[1].dim[0] };
    mm_plan_init(c, mm_select_alone(c), &s->all);
    if (c->in[0].rank == 2) s->all.share = c->in[2].dim[1];
}

static uint64_t mm_select_scratch(const cpu_call *c)
{
    mm_selection s;
    mm_selection_init(c, &s);
    mm_plan *p = &s.all;
    p->group = MM_GROUP; /* fewer tokens than at the bounds may want these */
    if (p->m.tokens > MM_TOKENS) p->tokens_block = MM_TOKENS;
    int64_t own = round_64(mm_sums_bytes(p)) + round_64(mm_turned_bytes(p)) + mm_order_bytes(&s) + mm_x_one(p);
    return (uint64_t)(mm_tiles_bytes(&s) + own * c->n_threads);
}

static void mm_select_place(mm_selection *s)
{
    mm_plan *p = &s->all;
    int64_t sums = round_64(mm_sums_bytes(p)), turned = round_64(mm_turned_bytes(p)), order = mm_order_bytes(s);
    unsigned char *at = p->c->scratch;
    p->x = at;
    at += mm_tiles_bytes(s) + (sums + turned + order + mm_x_one(p)) * p->c->thread;
    p->sums = (float *)(void *)at;
    p->turned = at + sums;
    s->order = (int32_t *)(void *)(at + sums + turned);
    s->end = s->order + p->m.tokens;
    s->expert = s->end + s->experts;
    s->tokens = s->expert + p->m.tokens;
    if (p->alone) p->x = at + sums + turned + order;
}

/* Tokens of the tiles that n of them fill. */
static int64_t mm_padded(const mm_plan *p, int64_t n)
{
    int64_t t = n / p->widest * p->widest;
    while (t < n) t += mm_tile_size[mm_size_for(p, n - t)];
    return t;
}

static int32_t mm_begin(const mm_selection *s, int64_t expert) { return expert ? s->end[expert - 1] : 0; }

/* Rows in the order of their experts, by counting. */
static void mm_sort(mm_selection *s)
{
    int64_t rows = s->all.m.tokens, tokens = 0;
    int32_t sum = 0;
    memset(s->end, 0, (size_t)s->experts * sizeof *s->end);
    for (int64_t r = 0; r < rows; r++)
        if (mm_id(s, r) >= 0) s->end[mm_id(s, r)]++;
    for (int64_t e = 0; e < s->experts; e++) {
        int32_t n = s->end[e];
        s->end[e] = sum;
        sum += n;
    }
    for (int64_t r = 0; r < rows; r++)
        if (mm_id(s, r) >= 0) s->order[s->end[mm_id(s, r)]++] = (int32_t)r;
    for (int64_t e = 0; e < s->experts; e++) {
        int32_t n = s->end[e] - mm_begin(s, e);
        if (!n) continue;
        s->expert[s->used] = (int32_t)e;
        s->tokens[s->used++] = (int32_t)tokens;
        tokens += mm_padded(&s->all, n);
    }
}

/* The choices of a token alone, as they come. */
static void mm_list(mm_selection *s)
{
    for (int64_t r = 0; r < s->all.m.tokens; r++) {
        if (mm_id(s, r) < 0) continue;
        s->order[s->used] = (int32_t)r;
        s->expert[s->used++] = (int32_t)mm_id(s, r);
    }
}

/* The product of the u-th expert that was chosen. */
static mm_plan mm_product(const mm_selection *s, int64_t u)
{
    mm_plan p = s->all;
    int64_t e = s->expert[u];
    p.w += (uint64_t)(e * p.panels) * p.stride;
    p.order = s->order + (p.alone ? u : mm_begin(s, e));
    p.m.tokens = p.alone ? 1 : s->end[e] - mm_begin(s, e);
    if (!p.alone) p.x += mm_x_bytes(p.format, s->tokens[u], p.k_even);
    return p;
}

/* Rows without an expert become zeros. */
static void mm_select_zeros(const mm_selection *s)
{
    const mm_plan *all = &s->all;
    int64_t begin, end;
    cpu_share(all->c, all->m.tokens, 1, &begin, &end);
    for (int64_t r = begin; r < end; r++)
        if (mm_id(s, r) < 0) memset(cpu_mm_row(all->m.y, r), 0, (size_t)all->m.n * sizeof(float));
}

/* Phase 0: the tiles of x, an expert's at a time, in pieces of K. */
static void mm_select_prepare(const mm_selection *s)
{
    const mm_plan *all = &s->all;
    int64_t pieces = (all->k_even + MM_PREP_K - 1) / MM_PREP_K, begin, end;
    while (cpu_claim(all->c, s->used * pieces, 1, &begin, &end)) {
        mm_plan p = mm_product(s, begin / pieces);
        int64_t k0 = begin % pieces * MM_PREP_K, k = k0 + MM_PREP_K < p.k_even ? MM_PREP_K : p.k_even - k0;
        for (int64_t t = 0; t < p.m.tokens;) {
            int tt = mm_tile_size[mm_size_for(&p, p.m.tokens - t)];
            mm_prepare(&p, t, tt, k0, k, p.x + mm_x_bytes(p.format, t, p.k_even) + mm_x_bytes(p.format, tt, k0));
            t += tt;
        }
    }
}

/* A token alone: the row of x for product p, while panels from p0 on are brought nearer. */
static void mm_select_prepare_one(const mm_selection *s, mm_plan *p, int64_t p0)
{
    const int64_t row = p->order[0] / p->share;
    if (mm_is_tile(p)) {
        p->x = mm_x_row(p, 0);
    } else if (row != *s->ready) {
        cpu_ahead a = { .at = { mm_panel(p, p0, 0) }, .left = (p->panels - p0) * (int64_t)p->stride };
        p->ahead = &a;
        mm_prepare(p, 0, 1, 0, p->k_even, p->x);
        p->ahead = NULL;
        *s->ready = row;
    }
}

/* Items first..last: a group of panels of one expert each, times all its rows. */
static void mm_select_items(const void *selection, int64_t first, int64_t last)
{
    const mm_selection *s = selection;
    int64_t groups = (s->all.panels + s->all.group - 1) / s->all.group;
    for (int64_t i = first, end; i < last; i = end) {
        mm_plan p = mm_product(s, i / groups);
        end = (i / groups + 1) * groups < last ? (i / groups + 1) * groups : last;
        if (p.alone) mm_select_prepare_one(s, &p, i % groups * p.group);
        if (p.simple) {
            mm_multiply_one(&p, i % groups * p.group, (end - i + i % groups) * p.group);
            continue;
        }
        for (int64_t j = i; j < end; j++) {
            int64_t p0 = j % groups * p.group, np = p0 + p.group < p.panels ? p.group : p.panels - p0;
            for (int64_t t = 0; t < p.m.tokens; t += p.tokens_block)
                mm_multiply(&p, p0, np, t, t + p.tokens_block < p.m.tokens ? t + p.tokens_block : p.m.tokens);
        }
    }
}

static void mm_select_run(const cpu_call *c)
{
    mm_selection s;
    int64_t ready = -1;
    mm_selection_init(c, &s);
    mm_select_place(&s);
    s.ready = &ready;
    if (s.all.alone) mm_list(&s);
    else mm_sort(&s);
    if (c->phase == 0) mm_select_zeros(&s);
    if (!s.all.alone && c->phase == 0) {
        mm_select_prepare(&s);
        return;
    }
    int64_t groups = (s.all.panels + s.all.group - 1) / s.all.group;
    mm_divide(&s.all, s.used * groups, s.all.m.tokens <= 24 * s.used, mm_select_items, &s);
}

static uint32_t mm_select_phases(const cpu_call *c) { return mm_select_alone(c) ? 1 : 2; }

static bool mm_select_accepts(const cpu_call *c) { return c->isa == MM_ISA && cpu_select_accepts(c); }

const cpu_kernel CPU_NAME(cpu_linear_select) = {
    .name = "linear_select",
    .run = mm_select_run,
    .accepts = mm_select_accepts,
    .scratch = mm_select_scratch,
    .phases = mm_select_phases,
    .arithmetic = mm_arithmetic,
    .need = WEFT_NEED_ROWS,
};

#endif
