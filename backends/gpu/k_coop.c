/* k_coop.c: host side of matmul_coop.comp: a PANEL matrix and many rows of x, by cooperative matrices. */
#include "backends/gpu/linear.h"

enum { W = 1, MIN_COLUMNS = 9, DEPTH = 32, UNIT_BYTES = 16 };

bool gpu_matrix_fits(const gpu_caps *f, uint32_t m, uint32_t n, uint32_t k)
{
    const gpu_tuning *t = f->tuning;
    return t->matrix.rows && m && n && (k == 8 || k == 16 || k == 32) && t->matrix.sub_rows % m == 0 &&
           t->matrix.sub_columns % n == 0;
}

/* The tuned tile, or one of fewer subgroups where x has too few rows for it. */
static void tile_of(const gpu_call *c, uint32_t *tile)
{
    const gpu_tuning *t = c->caps->tuning;
    tile[0] = t->matrix.rows, tile[1] = t->matrix.columns;
    tile[2] = t->matrix.sub_rows, tile[3] = t->matrix.sub_columns;
    while (tile[1] / 2 >= tile[3] && tile[1] / 2 >= gpu_linear_columns(c)) tile[1] /= 2;
}

static uint32_t subgroups_of(const uint32_t *tile)
{
    return tile[0] / tile[2] * (tile[1] / tile[3]);
}

static bool device_takes(const gpu_caps *f, const uint32_t *tile)
{
    uint32_t units = (tile[0] + tile[1]) * (DEPTH / 8 + 1), subgroups = subgroups_of(tile);
    bool takes_so_many = !f->subgroup_control || subgroups <= f->max_subgroups;
    return takes_so_many && subgroups * f->subgroup <= f->max_invocations &&
           UNIT_BYTES * units + 4 * subgroups * f->matrix.m * f->matrix.n <= f->max_shared;
}

/* Not f32 weights: f16 has neither their range nor their precision. */
static bool accepts_any(const gpu_call *c)
{
    uint32_t tile[4];
    if (!c->caps->matrix.m || c->exact || !gpu_format_of(c->in[W].dtype)->halves) return false;
    if (!gpu_linear_accepts(c) || gpu_linear_columns(c) < MIN_COLUMNS) return false;
    tile_of(c, tile);
    return device_takes(c->caps, tile);
}

static bool accepts(const gpu_call *c)
{
    return !c->caps->matrix.in_shader && c->caps->tuning->panel == 1 && accepts_any(c); /* no processor has them */
}

static bool accepts_in_shader(const gpu_call *c)
{
    return c->caps->matrix.in_shader && accepts_any(c);
}

static void describe(const gpu_call *c, uint32_t part, gpu_launch *l)
{
    const gpu_caps *f = c->caps;
    uint32_t tile[4];
    tile_of(c, tile);
    uint32_t blocks = gpu_groups(gpu_linear_columns(c), tile[1]);
    uint32_t spec[] = { subgroups_of(tile) * f->subgroup, (uint32_t)c->in[W].dtype, f->tuning->panel, tile[0], tile[1],
                        gpu_linear_vectors(c), tile[2], tile[3], f->matrix.m, f->matrix.n, f->matrix.k };
    gpu_linear_describe(c, part, blocks, l);
    l->n_specs = sizeof spec / sizeof *spec;
    for (uint32_t k = 0; k < l->n_specs; k++) l->spec[k] = spec[k];
    gpu_spread(c, l, (uint64_t)gpu_groups(l->job.t[W].stride_b.w, tile[0]) * blocks);
}

static void launch(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    describe(c, i, l);
    l->shader = WEFT_SHADER_matmul_coop;
    l->subgroup = c->caps->subgroup;
}

static void launch_in_shader(const gpu_call *c, uint32_t i, gpu_launch *l)
{
    describe(c, i, l);
    l->shader = gpu_by_layout(c, WEFT_SHADER_matmul_coop_in_shader, WEFT_SHADER_matmul_coop_in_shader_lanes);
}

const gpu_kernel gpu_matmul_coop = { .name = "matmul_coop", .accepts = accepts, .launches = gpu_linear_launches,
                                     .launch = launch, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1,
                                     .arithmetic = WEFT_ARITH_F16_MATRIX };
const gpu_kernel gpu_matmul_coop_in_shader = { .name = "matmul_coop_in_shader", .accepts = accepts_in_shader,
                                               .launches = gpu_linear_launches, .launch = launch_in_shader,
                                               .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1,
                                               .arithmetic = WEFT_ARITH_F16_MATRIX };
