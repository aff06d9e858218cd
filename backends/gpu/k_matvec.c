/* k_matvec.c: host sides of matvec.comp (linear and matmul_nt with a PANEL matrix, for a few rows of x at a time; gated
 * products, and those that norm x) and of matmul_lanes.comp (many rows, on processors, where tuning->columns says
 * so). */
#include "backends/gpu/linear.h"

enum { MAX_COLUMNS = 8, X = 0, W = 1 };

static bool accepts(const gpu_call *c)
{
    return gpu_linear_accepts(c) && (c->deterministic || gpu_linear_columns(c) <= MAX_COLUMNS);
}

static bool accepts_subgroup(const gpu_call *c)
{
    return c->caps->subgroup_ops && c->caps->tuning->panel == 1 && accepts(c);
}

/* Rows of x that a workgroup takes at once. */
static uint32_t columns_of(const gpu_call *c)
{
    uint32_t n = (uint32_t)gpu_linear_columns(c), most = gpu_for_bits(&c->caps->tuning->most, c->in[W].dtype);
    return n > most ? most : n;
}

static uint32_t blocks_of(const gpu_call *c)
{
    return gpu_groups(gpu_linear_columns(c), columns_of(c));
}

static bool is_gated(const gpu_call *c)
{
    return c->op == WEFT_OP_linear && c->attrs->linear.gated;
}

static bool has_norm(const gpu_call *c)
{
    return c->op == WEFT_OP_linear && c->attrs->linear.norm;
}

/* Of each matrix, per group of lanes: two matrices have as many rows in flight as one. */
static uint32_t rows_of(const gpu_call *c)
{
    uint32_t rows = gpu_linear_rows(c);
    return is_gated(c) && rows > 1 ? rows / 2 : rows;
}

/* Everything that the specialization constants are made of. */
static uint64_t variant(const gpu_call *c, bool subgroups)
{
    gpu_launch l = { 0 };
    const uint64_t at_once = gpu_linear_walk(c, &l, subgroups, rows_of(c), columns_of(c));
    return (uint64_t)c->in[W].dim[1] << 32 | (uint64_t)c->in[X].dtype << 24 | (uint64_t)c->in[W].dtype << 16 |
           (uint64_t)has_norm(c) << 15 | (uint64_t)is_gated(c) << 14 | at_once << 5 | columns_of(c);
}

static uint64_t variant_alone(const gpu_call *c)
{
    return variant(c, false);
}

static uint64_t variant_subgroup(const gpu_call *c)
{
    return variant(c, true);
}

static void describe(const gpu_call *c, uint32_t part, bool subgroups, gpu_launch *l)
{
    const uint32_t blocks = blocks_of(c);
    gpu_linear_describe(c, part, blocks, l);
    const uint32_t rows = gpu_linear_walk(c, l, subgroups, rows_of(c), columns_of(c));
    gpu_spread(c, l, (uint64_t)gpu_groups(l->job.t[W].stride_b.w, rows) * blocks);
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = gpu_by_layout(c, WEFT_SHADER_matvec, WEFT_SHADER_matvec_lanes);
    describe(c, i, false, l);
}

static void launch_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_matvec_subgroup;
    describe(c, i, true, l);
}

/* ---- gated, or with a norm ---- */

/* Whether the integer dot product is wanted, which takes x as bytes. */
static bool dot_is_wanted(const gpu_call *c)
{
    const weft_dtype type = c->in[W].dtype;
    const uint32_t least = gpu_for_bits(&c->caps->dot_least, type);
    if (!gpu_format_of(type)->dot || c->exact || !least) return false;
    return (gpu_linear_columns(c) > 1 && !c->deterministic) || c->in[W].dim[1] >= least;
}

/* What the integer dot product is wanted for is taken apart. */
static bool accepts_fused(const gpu_call *c)
{
    return gpu_linear_is_fused(c) && !dot_is_wanted(c) && gpu_linear_accepts_fused(c) &&
           (c->deterministic || gpu_linear_columns(c) <= MAX_COLUMNS);
}

static bool accepts_fused_subgroup(const gpu_call *c)
{
    return c->caps->subgroup_ops && c->caps->tuning->panel == 1 && accepts_fused(c);
}

static void describe_fused(const gpu_call *c, uint32_t part, bool subgroups, gpu_launch *l)
{
    describe(c, part, subgroups, l);
    l->spec[9] = is_gated(c);
    l->spec[10] = has_norm(c);
    l->n_specs = 11;
}

static void launch_fused(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = gpu_by_layout(c, WEFT_SHADER_matvec_fused, WEFT_SHADER_matvec_fused_lanes);
    describe_fused(c, i, false, l);
}

static void launch_fused_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_matvec_fused_subgroup;
    describe_fused(c, i, true, l);
}

/* ---- x as bytes: quantised in a launch of its own, then multiplied by the integer dot product ---- */

static bool accepts_dot(const gpu_call *c)
{
    return dot_is_wanted(c) && accepts(c);
}

static bool accepts_dot_subgroup(const gpu_call *c)
{
    return accepts_dot(c) && accepts_subgroup(c);
}

static uint64_t dot_scratch(const gpu_call *c)
{
    return gpu_quantized_bytes(c, gpu_linear_columns(c));
}

static uint32_t dot_launches(const gpu_call *c)
{
    return 1 + gpu_linear_launches(c);
}

static void describe_dot(const gpu_call *c, uint32_t i, bool subgroups, gpu_launch *l)
{
    if (i == 0) {
        gpu_linear_describe(c, 0, 1, l);
        gpu_quantize(c, gpu_linear_columns(c), l);
        return;
    }
    describe(c, i - 1, subgroups, l);
    l->bind[X].kind = GPU_BIND_SCRATCH;
    l->barrier = i == 1;
}

static void dot_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = gpu_by_layout(c, WEFT_SHADER_matvec_dot, WEFT_SHADER_matvec_dot_lanes);
    describe_dot(c, i, false, l);
}

static void dot_launch_subgroup(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    l->shader = WEFT_SHADER_matvec_dot_subgroup;
    describe_dot(c, i, true, l);
}

/* ---- many rows, on processors ---- */

static bool accepts_lanes(const gpu_call *c)
{
    const gpu_tuning *t = c->caps->tuning;
    return t->columns && c->caps->subgroup_ops && c->caps->subgroup == t->panel && gpu_linear_accepts(c) &&
           gpu_linear_columns(c) > MAX_COLUMNS;
}

static void lanes_launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    const gpu_tuning *t = c->caps->tuning;
    uint32_t blocks = gpu_groups(gpu_linear_columns(c), t->columns), rows = gpu_linear_rows(c);
    gpu_linear_describe(c, i, blocks, l);
    l->shader = WEFT_SHADER_matmul_lanes;
    l->subgroup = c->caps->subgroup;
    gpu_spread(c, l, (uint64_t)gpu_groups(l->job.t[W].stride_b.w, t->panel * rows) * blocks);
    uint32_t spec[] = { t->panel, (uint32_t)c->in[W].dtype, t->panel, rows, t->columns, gpu_linear_vectors(c),
                        gpu_linear_tail(c) };
    l->n_specs = sizeof spec / sizeof *spec;
    for (uint32_t k = 0; k < l->n_specs; k++) l->spec[k] = spec[k];
}

const gpu_kernel gpu_matvec = { .name = "matvec", .accepts = accepts, .launches = gpu_linear_launches, .launch = launch,
                                .variant = variant_alone, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1, .jobs = 3 };
const gpu_kernel gpu_matvec_subgroup = { .name = "matvec_subgroup", .accepts = accepts_subgroup,
                                         .launches = gpu_linear_launches, .launch = launch_subgroup,
                                         .variant = variant_subgroup, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1,
                                         .jobs = 3 };
const gpu_kernel gpu_matvec_fused = { .name = "matvec_fused", .accepts = accepts_fused, .launches = gpu_linear_launches,
                                      .launch = launch_fused, .variant = variant_alone, .need = WEFT_NEED_DENSE,
                                      .ins = 6, .outs = 1, .jobs = 3 };
const gpu_kernel gpu_matvec_fused_subgroup = { .name = "matvec_fused_subgroup", .accepts = accepts_fused_subgroup,
                                               .launches = gpu_linear_launches, .launch = launch_fused_subgroup,
                                               .variant = variant_subgroup, .need = WEFT_NEED_DENSE, .ins = 6,
                                               .outs = 1, .jobs = 3 };
const gpu_kernel gpu_matvec_dot = { .name = "matvec_dot", .accepts = accepts_dot, .scratch = dot_scratch,
                                    .launches = dot_launches, .launch = dot_launch, .need = WEFT_NEED_DENSE, .ins = 5,
                                    .outs = 1, .arithmetic = WEFT_ARITH_INT8 };
const gpu_kernel gpu_matvec_dot_subgroup = { .name = "matvec_dot_subgroup", .accepts = accepts_dot_subgroup,
                                             .scratch = dot_scratch, .launches = dot_launches,
                                             .launch = dot_launch_subgroup, .need = WEFT_NEED_DENSE, .ins = 5,
                                             .outs = 1, .arithmetic = WEFT_ARITH_INT8 };
const gpu_kernel gpu_matmul_lanes = { .name = "matmul_lanes", .accepts = accepts_lanes, .launches = gpu_linear_launches,
                                      .launch = lanes_launch, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1 };
