/* k_matmul.c: host sides of matmul_tile.comp (a PANEL matrix, many rows of x) and matmul_any.comp (plain tensors). */
#include "backends/gpu/linear.h"

enum { X = 0, W = 1, NO_ROWS = 6, ANY_TILE = 16, ANY_BLOCK = 64 };

/* ---- a PANEL matrix, in tiles ---- */

/* The tuned tile, or a smaller one where the matrix, the rows of x or the device are too small for it. */
static void tile_of(const gpu_call *c, uint32_t *rows, uint32_t *columns)
{
    const gpu_tuning *t = c->caps->tuning;
    *rows = t->tile.rows;
    *columns = t->tile.columns;
    while (*rows > 32 && (c->in[W].dim[0] < *rows || *rows * *columns / 16 > c->caps->max_invocations)) *rows /= 2;
    while (*columns > 32 && (gpu_linear_columns(c) < *columns || *rows * *columns / 16 > c->caps->max_invocations))
        *columns /= 2;
}

static void tile_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    uint32_t rows, columns;
    tile_of(c, &rows, &columns);
    uint32_t blocks = gpu_groups(gpu_linear_columns(c), columns);
    gpu_linear_describe(c, i, blocks, l);
    uint32_t spec[] = { rows * columns / 16, (uint32_t)c->in[W].dtype, c->caps->tuning->panel, rows, columns,
                        gpu_linear_vectors(c), gpu_linear_tail(c) };
    l->shader = gpu_by_layout(c, WEFT_SHADER_matmul_tile, WEFT_SHADER_matmul_tile_lanes);
    l->n_specs = sizeof spec / sizeof *spec;
    for (uint32_t k = 0; k < l->n_specs; k++) l->spec[k] = spec[k];
    gpu_spread(c, l, (uint64_t)gpu_groups(l->job.t[W].stride_b.w, rows) * blocks);
}

/* ---- plain tensors; the matrix of x w^T may be a weight in any format, in parts of whole rows ---- */

static bool any_accepts(const gpu_call *c)
{
    bool linear = c->op == WEFT_OP_linear;
    if (linear && (c->attrs->linear.gated || c->attrs->linear.norm)) return false;
    bool accepts = c->op == WEFT_OP_matmul ? gpu_accepts_plain(c) : gpu_accepts_stored(c, 1u << W);
    return accepts && c->in[0].rank >= 2 && c->in[1].rank >= 2;
}

/* t with the result's rank: leading axes broadcast, the last two its own. */
static gpu_tensor with_rank(const gpu_tensor *t, const gpu_tensor *y)
{
    gpu_tensor out = *t;
    uint32_t missing = y->rank - t->rank;
    out.rank = y->rank;
    for (uint32_t i = 0; i < y->rank; i++) {
        bool there = i >= missing;
        out.dim[i] = there ? t->dim[i - missing] : 1;
        out.dims.d[i] = there ? t->dims.d[i - missing] : (weft_dim){ 1, 0 };
        out.stride[i] = there && out.dim[i] != 1 ? t->stride[i - missing] : 0;
    }
    out.dims.rank = y->rank;
    return out;
}

static uint32_t any_launches(const gpu_call *c)
{
    return c->in[W].n_parts;
}

static void any_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    const gpu_tensor *y = &c->out[0];
    const gpu_part whole = { .n_rows = y->dim[y->rank - 1] }; /* of y's columns, which are not the rows of a plain w */
    const gpu_part *part = c->in[W].parts && c->op != WEFT_OP_matmul ? &c->in[W].parts[i] : &whole;
    bool linear = c->op == WEFT_OP_linear;
    uint32_t last = y->rank - 1, bias = linear && c->attrs->linear.has_bias, residuals = c->n_in - 2 - bias;
    uint32_t tiles_m = gpu_groups(y->dim[last - 1], ANY_TILE), tiles_n = gpu_groups(part->n_rows, ANY_TILE);
    int64_t batches = gpu_elements(y) / y->dim[last] / y->dim[last - 1];
    for (uint32_t k = 0; k < 2; k++) {
        gpu_tensor t = with_rank(&c->in[k], y);
        gpu_bind_in(c, l, k, k, k == W ? i : 0);
        gpu_set_tensor(l, k, &t, k == W ? part : NULL);
    }
    if (bias) gpu_bind_in(c, l, 2, 2, 0);
    for (uint32_t k = 0; k < residuals; k++) gpu_bind_in(c, l, 3 + k, 2 + bias + k, 0);
    gpu_bind_out(c, l, 5, 0);
    gpu_set_walk(l, y);
    l->job.u0 = (weft_uvec4){ tiles_m, tiles_n, 0, c->op != WEFT_OP_matmul };
    l->job.u1 = (weft_uvec4){ (uint32_t)batches, linear ? (uint32_t)c->attrs->linear.act : WEFT_ACT_NONE, residuals,
                              bias };
    l->shader = WEFT_SHADER_matmul_any;
    l->spec[0] = ANY_BLOCK;
    l->spec[1] = gpu_plain_type(c->in[W].dtype) ? 0 : (uint32_t)c->in[W].dtype;
    l->n_specs = 2;
    gpu_spread(c, l, (uint64_t)batches * tiles_m * tiles_n);
}

const gpu_kernel gpu_matmul_tile = { .name = "matmul_tile", .accepts = gpu_linear_accepts,
                                     .launches = gpu_linear_launches, .launch = tile_launch, .need = WEFT_NEED_DENSE,
                                     .ins = 5, .outs = 1 };
const gpu_kernel gpu_matmul_any = { .name = "matmul_any", .accepts = any_accepts, .launches = any_launches,
                                  .launch = any_launch,
                                    .need = WEFT_NEED_ANY, .ins = 5, .outs = 1 };
