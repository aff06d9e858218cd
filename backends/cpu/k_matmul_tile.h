/* k_matmul_tile.h: the packed matrix multiplication (k_matmul.h says how it goes), included by one file per instruction
 * set, which chooses the widest tiles its registers hold before including it:
 *   MM_ISA     its cpu_isa
 *   MM_TWINS   defined: many tokens are multiplied by two panels at once (k_matmul_twin.h)
 *   MM_TILE_F  tokens of a tile for f32 sums: 24, 12 or 4     MM_TILE_Q  the same for int8: 12, 8 or 4
 * k_matmul_plan.h has what it works with, k_matmul_prepare.h what becomes of x first. */
#ifndef CPU_K_MATMUL_TILE_H
#define CPU_K_MATMUL_TILE_H

#include "k_matmul_prepare.h"
#include "vmath.h"

/* n <= VLEN floats of the bias from n0 on. */
static vf mm_bias(const cpu_tensor *b, int64_t n0, int64_t n)
{
    const uint16_t *half = (const uint16_t *)b->data + n0;
    if (b->dtype == WEFT_F16) return vf_load_f16_n(half, n);
    if (b->dtype == WEFT_BF16) return vf_load_bf16_n(half, n);
    return vf_load_n((const float *)b->data + n0, n);
}

/* The rows of y and of the residuals for a tile of tokens. */
typedef struct mm_rows {
    int n;
    float *y[24];
    const float *residual[2][24];
} mm_rows;

static void mm_find_rows(const mm_plan *p, int64_t t0, int64_t n, mm_rows *r)
{
    r->n = (int)n;
    for (int t = 0; t < r->n; t++) {
        int64_t row = p->order ? p->order[t0 + t] : t0 + t;
        r->y[t] = cpu_mm_row(p->m.y, row);
        for (int i = 0; i < 2 && p->m.residual[i]; i++) r->residual[i][t] = cpu_mm_row(p->m.residual[i], row);
    }
}

/* Bias, activation, the gated products `up` (or NULL) and residuals for up to VLEN outputs from n0 on; then y is
 * written. */
static void mm_store(const mm_plan *p, const float *sums, const float *up, const mm_rows *r, int64_t n0)
{
    const mm_operands *m = &p->m;
    const int64_t n = m->n - n0 < VLEN ? m->n - n0 : VLEN;
    const bool full = n == VLEN;
    const vf bias = m->bias ? mm_bias(m->bias, n0, n) : vf_set1(0);
    const vf up_bias = m->up_bias ? mm_bias(m->up_bias, n0, n) : vf_set1(0);
    for (int t = 0; t < r->n; t++) {
        vf v = vf_act(m->act, vf_load(sums + t * VLEN) + bias);
        if (up) v *= vf_load(up + t * VLEN) + up_bias;
        for (int i = 0; i < 2 && m->residual[i]; i++) {
            const float *add = r->residual[i][t] + n0;
            v += full ? vf_load(add) : vf_load_n(add, n);
        }
        if (full) vf_store(r->y[t] + n0, v);
        else vf_store_n(r->y[t] + n0, v, n);
    }
}

/* Where panel i has element k0. The panels of a gated product are those of its two matrices in turn. */
static const unsigned char *mm_panel(const mm_plan *p, int64_t i, int64_t k0)
{
    const unsigned char *w = p->up && i % 2 ? p->up : p->w;
    return w + (uint64_t)(p->up ? i / 2 : i) * p->stride + mm_w_bytes(p, k0);
}

/* Panels whose sums np of them take: twins come in pairs. */
static int64_t mm_even(const mm_plan *p, int64_t np) { return p->twins ? np + (np & 1) : np; }

/* k elements of np panels times a tile. */
static void mm_sums(const mm_plan *p, int size, const unsigned char *const *at, int64_t np, const unsigned char *x,
                    float *sums, int64_t k, bool add)
{
    const int64_t panel = mm_tile_size[size] * VLEN;
#ifdef MM_TWINS
    if (p->twins) {
        for (int64_t i = 0; i < np; i += 2) mm_twins[p->format][size](at + i, x, sums + i * panel, k, add);
        return;
    }
#endif
    for (int64_t i = 0; i < np; i++) mm_micros[p->format][size](at[i], x, sums + i * panel, k, add);
}

/* Panels p0..p0+np times tokens t0..t1. */
static void mm_multiply(const mm_plan *p, int64_t p0, int64_t np, int64_t t0, int64_t t1)
{
    const int64_t pair = p->up ? 2 : 1;
    for (int64_t k0 = 0; k0 < p->k_even; k0 += p->k_block) {
        int64_t k = k0 + p->k_block < p->k_even ? p->k_block : p->k_even - k0;
        const unsigned char *at[MM_GROUP + 1];
        for (int64_t i = 0; i < np; i++) {
            unsigned char *turned = p->turned + i * mm_turned_panel(p);
            at[i] = mm_panel(p, p0 + i, k0);
            if (!p->turn) continue;
            p->turn(at[i], k, turned);
            at[i] = turned;
        }
        at[np] = at[np - 1]; /* the twin of the last one, if it has none */
        for (int64_t t = t0; t < t1;) {
            int size = mm_size_for(p, p->m.tokens - t), tt = mm_tile_size[size];
            const unsigned char *x = p->x + mm_x_bytes(p->format, t, p->k_even) + mm_x_bytes(p->format, tt, k0);
            mm_sums(p, size, at, np, x, p->sums + (t - t0) * mm_even(p, np) * VLEN, k, k0 > 0);
            t += tt;
        }
    }
    for (int64_t t = t0; t < t1;) {
        int tt = mm_tile_size[mm_size_for(p, p->m.tokens - t)];
        mm_rows rows;
        mm_find_rows(p, t, t + tt < t1 ? tt : t1 - t, &rows);
        const float *sums = p->sums + (t - t0) * mm_even(p, np) * VLEN;
        for (int64_t i = 0; i < np; i += pair)
            mm_store(p, sums + i * tt * VLEN, p->up ? sums + (i + 1) * tt * VLEN : NULL, &rows,
                     (p0 + i) / pair * VLEN);
        t += tt;
    }
}

/* The same of a token alone and panels p0..p1, or as many as there are, with nothing to keep account of: in streams, as
 * far as they are as many, then what is left. A gated product's streams are of both matrices at once. */
static void mm_multiply_one(const mm_plan *p, int64_t p0, int64_t p1)
{
    const struct mm_lones lone = mm_lones[p->format];
    float *sums = p->sums;
    mm_rows rows;
    mm_find_rows(p, 0, 1, &rows);
    const int64_t pair = p->up ? 2 : 1, end = p1 < p->panels ? p1 : p->panels;
    const int64_t apart = lone.many ? (end - p0) / MM_STREAMS * pair : 0; /* panels between two streams of a matrix */
    for (const int64_t last = p0 + apart; p0 < last; p0 += pair) {
        const unsigned char *at[MM_STREAMS];
        for (int64_t s = 0; s < MM_STREAMS; s++) at[s] = mm_panel(p, p0 + s / pair * apart + s % pair, 0);
        lone.many(at, p->x, sums, p->k_even);
        for (int64_t s = 0; s < MM_STREAMS; s += pair)
            mm_store(p, sums + s * VLEN, p->up ? sums + (s + 1) * VLEN : NULL, &rows,
                     (p0 + s / pair * apart) / pair * VLEN);
    }
    p0 += apart / pair * (MM_STREAMS - pair);
    for (; p0 < end; p0 += pair) {
        for (int64_t i = 0; i < pair; i++) {
            const unsigned char *at = mm_panel(p, p0 + i, 0);
            if (lone.one) lone.one(&at, p->x, sums + i * VLEN, p->k_even);
            else mm_micros[p->format][0](at, p->x, sums + i * VLEN, p->k_even, false);
        }
        mm_store(p, sums, p->up ? sums + VLEN : NULL, &rows, p0 / pair * VLEN);
    }
}

/* Items first..last: a group of panels times a block of tokens each. */
static void mm_items(const void *plan, int64_t first, int64_t last)
{
    const mm_plan *p = plan;
    if (p->simple) {
        mm_multiply_one(p, first * p->group, last * p->group);
        return;
    }
    int64_t blocks = (p->m.tokens + p->tokens_block - 1) / p->tokens_block;
    for (int64_t i = first; i < last; i++) {
        int64_t p0 = i / blocks * p->group, t0 = i % blocks * p->tokens_block;
        int64_t np = p0 + p->group < p->panels ? p->group : p->panels - p0;
        mm_multiply(p, p0, np, t0, t0 + p->tokens_block < p->m.tokens ? t0 + p->tokens_block : p->m.tokens);
    }
}

/* Piece number i of a stream of items, which is there to be divided among threads: each takes the piece of its own
 * number, then whichever is next. A round of as many pieces as threads is half of what is left, so that the first ones
 * are long runs, and the threads are through at almost the same time, whoever was held up. */
static bool mm_piece(const mm_plan *p, int64_t items, int64_t i, int64_t *begin, int64_t *end)
{
    const int64_t threads = p->c->n_threads, bytes = (int64_t)p->stride * p->group;
    int64_t least = 1, at = 0, size;
    while (least * bytes < MM_PIECE && least * 4 * threads < items) least *= 2;
    for (;; i -= threads, at += size * threads) {
        size = (items - at) / (2 * threads);
        if (size < least) size = least;
        if (i < threads || at >= items) break;
    }
    *begin = at + i * size;
    *end = *begin + size < items ? *begin + size : items;
    return *begin < items;
}

/* Divides items among the threads; run does items first..last. Compute-bound items are all claimed one by one. */
static void mm_divide(const mm_plan *p, int64_t items, bool stream,
                      void (*run)(const void *ctx, int64_t first, int64_t last), const void *ctx)
{
    const cpu_call *c = p->c;
    int64_t begin, end;
    for (int64_t i = c->thread; stream && mm_piece(p, items, i, &begin, &end);) {
        run(ctx, begin, end);
        i = c->n_threads + (int64_t)atomic_fetch_add_explicit(c->next, 1, memory_order_relaxed);
    }
    while (!stream && cpu_claim(c, items, 1, &begin, &end)) run(ctx, begin, end);
}

static int64_t mm_item_count(const mm_plan *p)
{
    return (p->panels + p->group - 1) / p->group * ((p->m.tokens + p->tokens_block - 1) / p->tokens_block);
}

/* The beginning of the thread's first piece of a stream. */
static cpu_ahead mm_first(const mm_plan *p)
{
    int64_t begin, end;
    if (!mm_is_stream(p) || !mm_piece(p, mm_item_count(p), p->c->thread, &begin, &end)) return (cpu_ahead){ 0 };
    const int64_t streams = p->up ? 2 : 1, bytes = (end - begin) * p->group / streams * (int64_t)p->stride;
    const unsigned char *up = p->up ? mm_panel(p, begin * p->group + 1, 0) : NULL;
    return (cpu_ahead){ .at = { mm_panel(p, begin * p->group, 0), up },
                        .left = bytes < MM_AHEAD / streams ? bytes : MM_AHEAD / streams };
}

static cpu_ahead mm_ahead(const cpu_call *c)
{
    mm_plan p;
    mm_plan_init(c, cpu_mm_alone(c), &p);
    return mm_first(&p);
}

static void mm_run(const cpu_call *c)
{
    mm_plan p;
    mm_plan_init(c, cpu_mm_alone(c), &p);
    mm_place(&p);
    if (!p.alone && c->phase == 0) {
        mm_prepare_all(&p);
        return;
    }
    if (p.alone) {
        cpu_ahead first = c->ahead ? *c->ahead : mm_first(&p);
        p.ahead = &first;
        mm_prepare_one(&p);
    }
    mm_divide(&p, mm_item_count(&p), mm_is_stream(&p), mm_items, &p);
}

/* Panels are as wide as the program's vectors: a kernel of a lesser instruction set cannot read them. */
static bool mm_accepts(const cpu_call *c) { return c->isa == MM_ISA && cpu_mm_accepts(c); }

static weft_arith mm_arithmetic(const cpu_call *c)
{
    mm_turn *turn;
    const mm_format f = mm_format_of(c->in[1].dtype, c->exact, false, false, &turn);
    return mm_is_int(f) ? WEFT_ARITH_INT8 : f == MM_BF16_DOT ? WEFT_ARITH_BF16 : WEFT_ARITH_F32;
}

const cpu_kernel CPU_NAME(cpu_linear) = {
    .name = "linear",
    .run = mm_run,
    .accepts = mm_accepts,
    .scratch = mm_scratch,
    .phases = cpu_mm_phases,
    .arithmetic = mm_arithmetic,
    .ahead = mm_ahead,
    .need = WEFT_NEED_ROWS,
};

#endif
