/* k_rows.c: host sides of the kernels that give every row a workgroup: norms, softmax, reductions, top_k. */
#include "backends/gpu/kernel.h"

enum { X = 0, W0 = 1, B0 = 2, W1 = 3, Y0 = 5, Y1 = 6, MAX_TOP_K = 1024 };

/* Rows of the last axis, at the bounds. */
static int64_t rows_of(const gpu_tensor *t)
{
    return gpu_elements(t) / t->dim[t->rank - 1];
}

static void norm_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    uint32_t flags = 0;
    gpu_bind_in(c, l, X, 0, 0);
    for (uint32_t k = 1; k < c->n_in; k++) {
        gpu_bind_in(c, l, W0 + k - 1, k, 0);
        flags |= 1u << (W0 + k - 1);
    }
    gpu_bind_out(c, l, Y0, 0);
    if (c->n_out > 1) {
        gpu_bind_out(c, l, Y1, 1);
        flags |= 1u << Y1;
    }
    const gpu_tensor *x = &c->in[0];
    uint32_t group = (uint32_t)c->attrs->norm.group;
    uint32_t kind = c->op == WEFT_OP_rms_norm ? 1 : c->op == WEFT_OP_l2_norm ? 2 : 0;
    uint32_t groups = group ? (uint32_t)(x->dim[x->rank - 1] / group) : 1;
    l->job.u0 = (weft_uvec4){ (uint32_t)rows_of(x), flags, kind, groups };
    l->job.u1 = (weft_uvec4){ group, (uint32_t)c->attrs->norm.one_plus, 0, 0 };
    l->job.f0.x = c->attrs->norm.eps;
    gpu_set_walk(l, x);
    gpu_launch_rows(c, l, WEFT_SHADER_norm, WEFT_SHADER_norm_subgroup, rows_of(x) * groups);
}

static void row_launch(const gpu_call *c, gpu_launch *l, weft_shader_id shared, weft_shader_id subgroup)
{
    gpu_bind_in(c, l, 0, 0, 0);
    gpu_bind_out(c, l, 1, 0);
    l->job.u0.x = (uint32_t)rows_of(&c->in[0]);
    gpu_set_walk(l, &c->in[0]);
    gpu_launch_rows(c, l, shared, subgroup, rows_of(&c->in[0]));
}

static void softmax_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    row_launch(c, l, WEFT_SHADER_softmax, WEFT_SHADER_softmax_subgroup);
}

static void reduce_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    weft_op op = c->op;
    l->spec[1] = op == WEFT_OP_reduce_sum ? 0 : op == WEFT_OP_reduce_mean ? 1 : op == WEFT_OP_reduce_max ? 2 : 3;
    l->n_specs = 2;
    row_launch(c, l, WEFT_SHADER_reduce, WEFT_SHADER_reduce_subgroup);
}

static void cumsum_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    row_launch(c, l, WEFT_SHADER_cumsum, WEFT_SHADER_cumsum);
}

static bool top_k_accepts(const gpu_call *c)
{
    return c->attrs->top_k.k <= MAX_TOP_K && gpu_accepts_plain(c);
}

static void top_k_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    (void)i;
    row_launch(c, l, WEFT_SHADER_top_k, WEFT_SHADER_top_k);
    gpu_bind_out(c, l, 2, 1);
    l->job.u0.y = (uint32_t)c->attrs->top_k.k;
}

const gpu_kernel gpu_norm = { .name = "norm", .accepts = gpu_accepts_plain, .launch = norm_launch,
                              .need = WEFT_NEED_ANY, .ins = 5, .outs = 2, .jobs = 2, .inplace = true };
const gpu_kernel gpu_softmax = { .name = "softmax", .accepts = gpu_accepts_plain, .launch = softmax_launch,
                                 .need = WEFT_NEED_ANY, .ins = 1, .outs = 1, .inplace = true };
const gpu_kernel gpu_reduce = { .name = "reduce", .accepts = gpu_accepts_plain, .launch = reduce_launch,
                                .need = WEFT_NEED_ANY, .ins = 1, .outs = 1 };
const gpu_kernel gpu_cumsum = { .name = "cumsum", .accepts = gpu_accepts_plain, .launch = cumsum_launch,
                                .need = WEFT_NEED_ANY, .ins = 1, .outs = 1, .inplace = true };
const gpu_kernel gpu_top_k = { .name = "top_k", .accepts = top_k_accepts, .launch = top_k_launch, .need = WEFT_NEED_ANY,
                               .ins = 1, .outs = 2 };
