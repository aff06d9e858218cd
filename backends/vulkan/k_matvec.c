/* k_matvec.c: host sides of matvec.comp (linear and matmul_nt with a PANEL matrix, for a few rows of x at a time) and
 * of matmul_lanes.comp (many rows, on processors, where tuning->columns says so). */
#include "backends/vulkan/linear.h"

enum { MAX_COLUMNS = 8, X = 0, W = 1 };

static bool accepts(const vk_call *c)
{
    return vk_linear_accepts(c) && vk_linear_columns(c) <= MAX_COLUMNS;
}

static bool accepts_subgroup(const vk_call *c)
{
    return c->facts->subgroup_ops && c->facts->tuning->panel == 1 && accepts(c);
}

/* Rows per lane group, by how many bytes a weight has. */
static uint32_t rows_of(const vk_call *c)
{
    weft_dtype type = c->in[W].dtype;
    return c->facts->tuning->rows[type == WEFT_Q4_0 ? 2 : type == WEFT_Q8_0 ? 1 : 0];
}

/* Everything that the specialization constants are made of. */
static uint64_t variant(const vk_call *c)
{
    return (uint64_t)c->in[W].dim[1] << 24 | (uint64_t)c->in[X].dtype << 20 | (uint64_t)c->in[W].dtype << 16 |
           (uint64_t)vk_linear_columns(c);
}

static void describe(const vk_call *c, uint32_t part, vk_launch *l)
{
    uint32_t columns = (uint32_t)vk_linear_columns(c), rows = rows_of(c), panel = c->facts->tuning->panel;
    vk_linear_describe(c, part, 1, l);
    l->groups[0] = vk_groups(l->job.t[W].stride_b.w, panel * rows);
    uint32_t spec[] = { c->facts->tuning->block, (uint32_t)c->in[W].dtype, panel, rows, columns, vk_linear_vectors(c),
                        vk_linear_tail(c) };
    l->n_specs = sizeof spec / sizeof *spec;
    for (uint32_t i = 0; i < l->n_specs; i++) l->spec[i] = spec[i];
}

static void launch(const vk_call *c, uint32_t i, vk_launch *l)
{
    l->shader = WEFT_SHADER_matvec;
    describe(c, i, l);
}

static void launch_subgroup(const vk_call *c, uint32_t i, vk_launch *l)
{
    l->shader = WEFT_SHADER_matvec_subgroup;
    l->subgroup = c->facts->subgroup;
    describe(c, i, l);
}

/* ---- many rows, on processors ---- */

static bool accepts_lanes(const vk_call *c)
{
    const vk_tuning *t = c->facts->tuning;
    return t->columns && c->facts->subgroup_ops && c->facts->subgroup == t->panel && vk_linear_accepts(c) &&
           vk_linear_columns(c) > MAX_COLUMNS;
}

static void lanes_launch(const vk_call *c, uint32_t i, vk_launch *l)
{
    const vk_tuning *t = c->facts->tuning;
    uint32_t blocks = vk_groups(vk_linear_columns(c), t->columns), rows = rows_of(c);
    vk_linear_describe(c, i, blocks, l);
    l->shader = WEFT_SHADER_matmul_lanes;
    l->subgroup = c->facts->subgroup;
    l->groups[0] = vk_groups(l->job.t[W].stride_b.w, t->panel * rows) * blocks;
    uint32_t spec[] = { t->panel, (uint32_t)c->in[W].dtype, t->panel, rows, t->columns, vk_linear_vectors(c),
                        vk_linear_tail(c) };
    l->n_specs = sizeof spec / sizeof *spec;
    for (uint32_t k = 0; k < l->n_specs; k++) l->spec[k] = spec[k];
}

const vk_kernel vk_matvec = { .name = "matvec", .accepts = accepts, .launches = vk_linear_launches, .launch = launch,
                              .variant = variant, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1, .jobs = 2 };
const vk_kernel vk_matvec_subgroup = { .name = "matvec_subgroup", .accepts = accepts_subgroup,
                                       .launches = vk_linear_launches, .launch = launch_subgroup, .variant = variant,
                                       .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1, .jobs = 2 };
const vk_kernel vk_matmul_lanes = { .name = "matmul_lanes", .accepts = accepts_lanes, .launches = vk_linear_launches,
                                    .launch = lanes_launch, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1 };
