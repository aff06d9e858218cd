/* k_matvec.c: host side of matvec.comp: linear and matmul_nt with a PANEL matrix, for a few rows of x at a time; on
 * processors, where tuning->columns says so, for many. */
#include "backends/vulkan/linear.h"

enum { MAX_COLUMNS = 8, X = 0, W = 1 };

static bool accepts(const vk_call *c)
{
    return vk_linear_accepts(c) && (vk_linear_columns(c) <= MAX_COLUMNS || c->facts->tuning->columns);
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

static uint32_t columns_at_once(const vk_call *c)
{
    int64_t n = vk_linear_columns(c);
    uint32_t most = c->facts->tuning->columns && n > MAX_COLUMNS ? c->facts->tuning->columns : MAX_COLUMNS;
    return n < most ? (uint32_t)n : most;
}

/* Everything that the specialization constants are made of. */
static uint64_t variant(const vk_call *c)
{
    return (uint64_t)c->in[W].dim[1] << 24 | (uint64_t)c->in[X].dtype << 20 | (uint64_t)c->in[W].dtype << 16 |
           columns_at_once(c);
}

static void describe(const vk_call *c, uint32_t part, vk_launch *l)
{
    uint32_t columns = columns_at_once(c), rows = rows_of(c), panel = c->facts->tuning->panel;
    uint32_t blocks = vk_groups(vk_linear_columns(c), columns);
    vk_linear_describe(c, part, blocks, l);
    l->groups[0] = vk_groups(l->job.t[W].stride_b.w, panel * rows) * blocks;
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

const vk_kernel vk_matvec = { .name = "matvec", .accepts = accepts, .launches = vk_linear_launches, .launch = launch,
                              .variant = variant, .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1, .jobs = 2 };
const vk_kernel vk_matvec_subgroup = { .name = "matvec_subgroup", .accepts = accepts_subgroup,
                                       .launches = vk_linear_launches, .launch = launch_subgroup, .variant = variant,
                                       .need = WEFT_NEED_DENSE, .ins = 5, .outs = 1, .jobs = 2 };
