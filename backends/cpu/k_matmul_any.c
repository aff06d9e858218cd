/* k_matmul_any.c: matrix products of activations, and with weights that are stored plain: any
 * strides, any float type, leading dims broadcast.
 *
 * Jobs are tiles of BLOCK_M by BLOCK_N of the result. b is brought into a panel
 * [BLOCK_K][BLOCK_N] of floats, a is read where it is if it is f32. With few rows of a that
 * panel would cost more than it saves: if b lies in rows, its rows are then read as they are.
 * Op linear does to each tile what its attributes say when the products are summed. */
#include "graph/map.h"
#include "k_matmul.h"
#include "walk.h"

enum { BLOCK_M = 64, BLOCK_N = 64, BLOCK_K = 256, FEW_ROWS = 4 };
enum { OWN_FLOATS = BLOCK_K * BLOCK_N + BLOCK_M * BLOCK_K + BLOCK_M * BLOCK_N + BLOCK_K };

typedef struct product {
    const cpu_vec_ops *v;
    bool nt;
    int64_t m, n, k;
    weft_dtype ta, tb;
    int64_t am, ak, bn, bk, ym;        /* strides: a along m and k, b along n and k, y along m */
    float *panel, *rows, *tile, *line; /* this thread's buffers */
} product;

static bool accepts(const cpu_call *c)
{
    const cpu_tensor *a = &c->in[0], *b = &c->in[1];
    bool block = c->op != WEFT_OP_matmul && cpu_is_block(b->dtype);
    if (c->op == WEFT_OP_linear && (c->attrs->linear.gated || c->attrs->linear.norm)) return false;
    for (uint32_t i = 2; i < c->n_in; i++)
        if (c->in[i].layout != CPU_LAYOUT_PLAIN || !cpu_is_float(c->in[i].dtype)) return false;
    return a->layout == CPU_LAYOUT_PLAIN && b->layout == CPU_LAYOUT_PLAIN &&
           cpu_is_float(a->dtype) && (cpu_is_float(b->dtype) || block) &&
           c->out[0].dtype == WEFT_F32;
}

static uint64_t scratch(const cpu_call *c)
{
    return (uint64_t)c->n_threads * OWN_FLOATS * sizeof(float);
}

/* b at (n, k). Rows of a block type are dense, and k is a multiple of the block. */
static const char *b_at(const product *p, const char *b, int64_t n, int64_t k)
{
    if (!cpu_is_block(p->tb)) return b + (n * p->bn + k * p->bk) * cpu_size(p->tb);
    return b + cpu_bytes(p->tb, n * p->k + k);
}

/* panel[k][n] = b(n0 + n, k0 + k), zero beyond its edge. */
static void fill_panel(const product *p, const char *b, int64_t n0, int64_t n, int64_t k0,
                       int64_t k)
{
    if (p->bn == 1 && !p->nt) {
        for (int64_t i = 0; i < k; i++) {
            float *to = p->panel + i * BLOCK_N;
            const float *f = cpu_row_load(p->v, b_at(p, b, n0, k0 + i), p->tb, 1, n, to);
            if (f != to) memcpy(to, f, (size_t)n * sizeof *to);
        }
    } else {
        for (int64_t j = 0; j < n; j++) {
            const float *f = cpu_row_load(p->v, b_at(p, b, n0 + j, k0), p->tb, p->bk, k, p->line);
            for (int64_t i = 0; i < k; i++) p->panel[i * BLOCK_N + j] = f[i];
        }
    }
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = n; j < BLOCK_N; j++) p->panel[i * BLOCK_N + j] = 0;
}

static void tile(const product *p, const char *a, const char *b, float *y, int64_t m, int64_t n0,
                 int64_t n)
{
    int64_t padded = (n + CPU_VEC_PAD - 1) / CPU_VEC_PAD * CPU_VEC_PAD;
    for (int64_t k0 = 0; k0 < p->k; k0 += BLOCK_K) {
        int64_t k = p->k - k0 < BLOCK_K ? p->k - k0 : BLOCK_K, ai = p->am, ak = p->ak;
        const float *rows = (const float *)(const void *)a + k0 * p->ak;
        fill_panel(p, b, n0, n, k0, k);
        if (p->ta != WEFT_F32) {
            for (int64_t i = 0; i < m; i++)
                cpu_row_load(p->v, a + (i * p->am + k0 * p->ak) * cpu_size(p->ta), p->ta, p->ak, k,
                             p->rows + i * BLOCK_K);
            rows = p->rows;
            ai = BLOCK_K;
            ak = 1;
        }
        p->v->gemm(m, padded, k, rows, ai, ak, p->panel, BLOCK_N, p->tile, BLOCK_N, k0 > 0);
    }
    for (int64_t i = 0; i < m; i++)
        memcpy(y + i * p->ym + n0, p->tile + i * BLOCK_N, (size_t)n * sizeof *y);
}

/* The same for few rows of a, where the rows of b are contiguous. */
static void few_rows(const product *p, const char *a, const char *b, float *y, int64_t m,
                     int64_t n0, int64_t n)
{
    for (int64_t i = 0; i < m; i++) {
        float *to = y + i * p->ym + n0;
        memset(to, 0, (size_t)n * sizeof *to);
        for (int64_t k0 = 0; k0 < p->k; k0 += BLOCK_K) {
            int64_t k = p->k - k0 < BLOCK_K ? p->k - k0 : BLOCK_K;
            const float *x = cpu_row_load(p->v, a + (i * p->am + k0 * p->ak) * cpu_size(p->ta),
                                          p->ta, p->ak, k, p->line);
            if (p->nt) {
                p->v->dot_rows(p->tile, x, b_at(p, b, n0, k0), p->tb, n, k, p->bn);
                cpu_zip(p->v, WEFT_OP_add, to, to, p->tile, n);
            } else {
                p->v->add_rows(to, x, b_at(p, b, n0, k0), p->tb, k, n, p->bk);
            }
        }
    }
}

/* Where matrix number i of the result reads t, whose leading dims broadcast to those of y. */
static int64_t matrix_offset(const cpu_tensor *t, const cpu_tensor *y, int64_t i)
{
    int64_t offset = 0;
    for (uint32_t axis = y->rank - 2; axis-- > 0; i /= y->dim[axis]) {
        uint32_t skip = y->rank - t->rank;
        if (axis >= skip && t->dim[axis - skip] != 1)
            offset += i % y->dim[axis] * t->stride[axis - skip];
    }
    return offset;
}

/* The same of a block type, whose matrices lie one behind the other; in bytes. */
static int64_t block_offset(const cpu_tensor *t, const cpu_tensor *y, int64_t i)
{
    int64_t elements = 0, step = t->dim[t->rank - 2] * t->dim[t->rank - 1];
    for (uint32_t axis = y->rank - 2, skip = y->rank - t->rank; axis-- > skip; i /= y->dim[axis]) {
        if (t->dim[axis - skip] != 1) elements += i % y->dim[axis] * step;
        step *= t->dim[axis - skip];
    }
    return cpu_bytes(t->dtype, elements);
}

static void add_to(const product *p, float *y, const cpu_tensor *t, int64_t offset, int64_t n)
{
    const char *x = (const char *)t->data + offset * cpu_size(t->dtype);
    int64_t step = t->stride[t->rank - 1];
    cpu_zip(p->v, WEFT_OP_add, y, y, cpu_row_load(p->v, x, t->dtype, step, n, p->line), n);
}

/* Bias, activation and residuals of a tile of matrix i; y is its first element. */
static void finish(const product *p, const mm_operands *o, float *y, int64_t i, int64_t m0,
                   int64_t m, int64_t n0, int64_t n)
{
    for (int64_t row = 0; row < m; row++) {
        float *to = y + row * p->ym + n0;
        if (o->bias) add_to(p, to, o->bias, n0 * o->bias->stride[0], n);
        if (o->act != WEFT_ACT_NONE)
            p->v->map(weft__op_of_act(o->act), false)(to, (const void *const[]){ to }, n, (const float[2]){ 0 });
        for (int r = 0; r < 2 && o->residual[r]; r++) {
            const cpu_tensor *t = o->residual[r];
            int64_t at = (m0 + row) * t->stride[t->rank - 2] + n0 * t->stride[t->rank - 1];
            add_to(p, to, t, matrix_offset(t, o->y, i) + at, n);
        }
    }
}

static void run(const cpu_call *c)
{
    const cpu_tensor *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    bool nt = c->op != WEFT_OP_matmul;
    mm_operands operands = { 0 };
    if (c->op == WEFT_OP_linear) cpu_mm_operands(c, &operands);
    float *own = (float *)(void *)c->scratch + (int64_t)c->thread * OWN_FLOATS;
    product p = { .v = cpu_vec(c->isa),
                  .nt = nt,
                  .m = y->dim[y->rank - 2],
                  .n = y->dim[y->rank - 1],
                  .k = a->dim[a->rank - 1],
                  .ta = a->dtype,
                  .tb = b->dtype,
                  .am = a->stride[a->rank - 2],
                  .ak = a->stride[a->rank - 1],
                  .bn = b->stride[b->rank - (nt ? 2 : 1)],
                  .bk = b->stride[b->rank - (nt ? 1 : 2)],
                  .ym = y->stride[y->rank - 2],
                  .panel = own,
                  .rows = own + BLOCK_K * BLOCK_N,
                  .tile = own + BLOCK_K * (BLOCK_N + BLOCK_M),
                  .line = own + BLOCK_K * (BLOCK_N + BLOCK_M) + BLOCK_M * BLOCK_N };
    if (cpu_is_block(p.tb)) p.bk = 1;
    bool in_rows = p.m < FEW_ROWS && !cpu_is_block(p.tb) && (nt ? p.bk : p.bn) == 1;
    int64_t across = (p.n + BLOCK_N - 1) / BLOCK_N, down = (p.m + BLOCK_M - 1) / BLOCK_M;
    int64_t matrices = 1, begin, end;
    for (uint32_t i = 0; i + 2 < y->rank; i++) matrices *= y->dim[i];
    while (cpu_claim(c, matrices * down * across, 1, &begin, &end)) {
        int64_t i = begin / (down * across), m0 = begin / across % down * BLOCK_M,
                n0 = begin % across * BLOCK_N;
        int64_t m = p.m - m0 < BLOCK_M ? p.m - m0 : BLOCK_M,
                n = p.n - n0 < BLOCK_N ? p.n - n0 : BLOCK_N;
        const char *pa =
            (const char *)a->data + (matrix_offset(a, y, i) + m0 * p.am) * cpu_size(p.ta);
        const char *pb = (const char *)b->data + (cpu_is_block(p.tb) ? block_offset(b, y, i)
                                                                     : matrix_offset(b, y, i) * cpu_size(p.tb));
        float *to = (float *)y->data + matrix_offset(y, y, i) + m0 * p.ym;
        (in_rows ? few_rows : tile)(&p, pa, pb, to, m, n0, n);
        if (c->op == WEFT_OP_linear) finish(&p, &operands, to, i, m0, m, n0, n);
    }
}

const cpu_kernel cpu_matmul_any = {
    .name = "matmul", .run = run, .accepts = accepts, .scratch = scratch, .need = WEFT_NEED_ANY
};
