/* kernels.c: the table of GPU kernels, from kernels.def, the choice among them, and helpers with which kernels describe
 * their launches. Nothing here touches a device. */
#include "backends/vulkan/vk.h"

#include <stdio.h>
#include <string.h>

#define VK_KERNEL(op, symbol) extern const vk_kernel symbol;
#include "backends/vulkan/kernels.def"
#undef VK_KERNEL

static const struct {
    weft_op op;
    const vk_kernel *kernel;
} table[] = {
#define VK_KERNEL(op, symbol) { WEFT_OP_##op, &symbol },
#include "backends/vulkan/kernels.def"
#undef VK_KERNEL
};
enum { N_ROWS = sizeof table / sizeof *table };

/* common.glsl spells these numbers out. */
_Static_assert(WEFT_F32 == 1 && WEFT_F16 == 2 && WEFT_BF16 == 3 && WEFT_I32 == 4 && WEFT_Q8_0 == 5 && WEFT_Q4_0 == 6,
               "dtype numbers of shaders/common.glsl");

const vk_kernel *vk_kernel_find(const vk_call *c, bool (*disabled)(const void *ctx, const vk_kernel *k),
                                const void *ctx, weft_place_reason *why, const vk_kernel **better)
{
    const vk_kernel *first = NULL; /* of those that are disabled */
    *why = WEFT_PLACE_NO_KERNEL;
    for (uint32_t i = 0; i < N_ROWS; i++) {
        const vk_kernel *k = table[i].kernel;
        if (table[i].op != c->op) continue;
        *why = WEFT_PLACE_NO_TYPE;
        if (k->accepts && !k->accepts(c)) continue;
        if (disabled && disabled(ctx, k)) {
            first = first ? first : k;
            continue;
        }
        *why = WEFT_PLACE_REQUESTED;
        if (better) *better = first;
        return k;
    }
    if (first) *why = WEFT_PLACE_DISABLED;
    return NULL;
}

const vk_kernel *const *vk_kernels(uint32_t *n)
{
    static const vk_kernel *const all[] = {
#define VK_KERNEL(op, symbol) &symbol,
#include "backends/vulkan/kernels.def"
#undef VK_KERNEL
    };
    *n = N_ROWS;
    return all;
}

/* ---- choice ---- */

static void dense_tensor(const weft_kernel_query *q, weft_ref r, weft_layout layout, vk_tensor *t)
{
    const weft_value *v = weft_graph_value(q->g, r);
    *t = (vk_tensor){ .dtype = v->dtype, .layout = layout, .rank = v->dims.rank, .dims = v->dims, .n_parts = 1 };
    weft_dims_resolve(q->g, &v->dims, q->bounds, t->dim);
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= t->dim[i]) t->stride[i] = stride;
}

/* Whether every tensor can be bound; weights are cut into parts for that. */
static bool bindable(const vk_backend *vk, const weft_kernel_query *q, weft_ref r, vk_tensor *t)
{
    const weft_value *v = weft_graph_value(q->g, r);
    if (weft_graph_node_by_id(q->g, v->node)->op != WEFT_OP_weight)
        return weft_value_bytes(q->g, r, q->bounds) <= vk->facts.max_binding;
    t->n_parts = vk_weight_parts(&vk->facts, t->layout, t->dtype, t->rank, t->dim, NULL);
    return t->n_parts > 0;
}

/* "matvec/q8_0": the matrix's type is what users ask about. */
static void name_choice(const weft_kernel_query *q, const vk_kernel *k, char *out, size_t size)
{
    bool cached = q->node->op == WEFT_OP_attention; /* there it is the cache's type */
    const char *type = cached ? weft_dtype_get(weft_graph_value(q->g, q->node->in[1])->dtype)->name : NULL;
    for (uint32_t i = 0; i < q->node->n_in && !type; i++) {
        const weft_value *v = weft_graph_value(q->g, q->node->in[i]);
        if (v->dims.rank >= 2 && weft_graph_node_by_id(q->g, v->node)->op == WEFT_OP_weight)
            type = weft_dtype_get(v->dtype)->name;
    }
    snprintf(out, size, "%s%s%s", k->name, type ? "/" : "", type ? type : "");
}

/* A number for all pipelines that a call's launches need. Tensors are dense here, which what runs later may not be. */
static uint64_t compiled(const vk_kernel *k, const vk_call *c)
{
    uint64_t h = 14695981039346656037u;
    uint32_t n = k->launches ? k->launches(c) : 1;
    for (uint32_t i = 0, words = 0; i < n && i < 16; i++) { /* parts of a weight are alike */
        vk_launch l = { 0 };
        k->launch(c, i, &l);
        uint32_t key[3 + WEFT_MAX_SPECS] = { l.shader, l.subgroup, l.n_specs };
        memcpy(key + 3, l.spec, l.n_specs * sizeof *l.spec);
        for (words = 0; words < 3 + l.n_specs; words++) h = (h ^ key[words]) * 1099511628211u;
    }
    return h;
}

typedef struct candidate {
    const vk_backend *vk;
    const weft_kernel_query *q;
    const vk_call *call;
} candidate;

/* By the option `without`, or because it failed the self-test. */
static bool is_disabled(const void *ctx, const vk_kernel *k)
{
    const candidate *c = ctx;
    char name[48];
    name_choice(c->q, k, name, sizeof name);
    if (vk_without(&c->vk->options, k->name)) return true;
    return vk_verdict_failed(c->vk, name, 0) && vk_verdict_failed(c->vk, name, compiled(k, c->call));
}

weft_place_reason vk_choose(const weft_backend *base, const weft_kernel_query *q, weft_kernel_choice *out)
{
    const vk_backend *vk = (const vk_backend *)base;
    vk_tensor in[WEFT_MAX_INPUTS], result[WEFT_MAX_OUTPUTS];
    bool fits = true;
    for (uint32_t i = 0; i < q->node->n_in; i++) {
        dense_tensor(q, q->node->in[i], q->layouts ? q->layouts[i] : VK_LAYOUT_PLAIN, &in[i]);
        fits = bindable(vk, q, q->node->in[i], &in[i]) && fits;
    }
    for (uint32_t i = 0; i < q->node->n_out; i++) {
        dense_tensor(q, q->node->out[i], VK_LAYOUT_PLAIN, &result[i]);
        fits = bindable(vk, q, q->node->out[i], &result[i]) && fits;
    }
    if (!fits) return WEFT_PLACE_LIMIT;
    vk_call call = { .facts = &vk->facts, .in = in, .out = result, .n_in = q->node->n_in, .n_out = q->node->n_out,
                     .op = q->node->op, .attrs = &q->node->attrs, .exact = q->exact };
    weft_place_reason why;
    const vk_kernel *better, *k = vk_kernel_find(&call, is_disabled, &(candidate){ vk, q, &call }, &why, &better);
    if (!k) return why;
    *out = (weft_kernel_choice){ .kernel = k, .inplace = k->inplace, .arithmetic = k->arithmetic,
                                 .scratch_bytes = k->scratch ? k->scratch(&call) : 0,
                                 .launches = k->launches ? k->launches(&call) : 1,
                                 .variant = k->variant ? k->variant(&call) : 0,
                                 .compiled = compiled(k, &call),
                                 .instead_of = better ? better->name : NULL };
    name_choice(q, k, out->name, sizeof out->name);
    memset(out->needs, k->need, sizeof out->needs);
    return WEFT_PLACE_REQUESTED;
}

bool vk_joins(const weft_backend *b, const weft_kernel_choice *const *launch, uint32_t n,
              const weft_kernel_choice *next)
{
    (void)b;
    const vk_kernel *k = next->kernel;
    if (!k || n >= k->jobs || next->launches != 1) return false;
    for (uint32_t i = 0; i < n; i++)
        if (launch[i]->kernel != k || launch[i]->variant != next->variant || launch[i]->launches != 1) return false;
    return true;
}

/* ---- describing launches ---- */

static void split6(const int64_t *v, uint32_t rank, int64_t rest, weft_uvec4 *a, weft_uvec4 *b)
{
    uint32_t x[WEFT_MAX_RANK];
    for (uint32_t i = 0; i < WEFT_MAX_RANK; i++) x[i] = (uint32_t)(i < rank ? v[i] : rest);
    *a = (weft_uvec4){ x[0], x[1], x[2], x[3] };
    b->x = x[4];
    b->y = x[5];
}

void vk_set_tensor(vk_launch *l, uint32_t slot, const vk_tensor *t, const vk_part *part)
{
    weft_tensor_params *p = &l->job.t[slot];
    int64_t n[WEFT_MAX_RANK], extent[WEFT_MAX_RANK];
    for (uint32_t i = 0; i < t->rank; i++) {
        n[i] = t->dims.d[i].n;
        extent[i] = t->dims.d[i].extent;
    }
    split6(n, t->rank, 1, &p->dim_a, &p->dim_b);
    split6(extent, t->rank, 0, &p->extent_a, &p->extent_b);
    split6(t->stride, t->rank, 0, &p->stride_a, &p->stride_b);
    p->dim_b.z = t->rank;
    p->dim_b.w = (uint32_t)vk_elements(t);
    p->extent_b.z = (uint32_t)t->dtype;
    p->extent_b.w = (uint32_t)t->first;
    if (!part) return;
    p->stride_b.z = (uint32_t)part->first_row;
    p->stride_b.w = (uint32_t)part->n_rows;
}

void vk_bind_in(const vk_call *c, vk_launch *l, uint32_t slot, uint32_t index, uint32_t part)
{
    const vk_tensor *t = &c->in[index];
    l->bind[slot] = (vk_bind){ VK_BIND_IN, (uint8_t)index, (uint16_t)part };
    vk_set_tensor(l, slot, t, t->parts ? &t->parts[part] : NULL);
}

void vk_bind_out(const vk_call *c, vk_launch *l, uint32_t slot, uint32_t index)
{
    l->bind[slot] = (vk_bind){ VK_BIND_OUT, (uint8_t)index, 0 };
    vk_set_tensor(l, slot, &c->out[index], NULL);
}

void vk_spread(const vk_call *c, vk_launch *l, uint64_t n)
{
    uint64_t x = n < c->facts->max_groups ? n : c->facts->max_groups, y = x ? (n + x - 1) / x : 1;
    l->groups[0] = (uint32_t)(y > 1 ? (n + y - 1) / y : x ? x : 1);
    l->groups[1] = (uint32_t)y;
    l->groups[2] = 1;
}

void vk_set_walk(vk_launch *l, const vk_tensor *t)
{
    split6(t->dim, t->rank, 1, &l->job.u2, &l->job.u3);
}

vk_tensor vk_broadcast(const vk_tensor *t, const vk_tensor *like)
{
    vk_tensor out = *t;
    uint32_t missing = like->rank - t->rank;
    out.rank = like->rank;
    out.dims = like->dims;
    for (uint32_t i = 0; i < like->rank; i++) {
        bool there = i >= missing && t->dim[i - missing] == like->dim[i];
        out.dim[i] = like->dim[i];
        out.stride[i] = there ? t->stride[i - missing] : 0;
    }
    return out;
}

bool vk_is_dense(const vk_tensor *t)
{
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= t->dim[i])
        if (t->dim[i] != 1 && t->stride[i] != stride) return false;
    return true;
}

bool vk_plain_type(weft_dtype t)
{
    return t == WEFT_F32 || t == WEFT_F16 || t == WEFT_BF16 || t == WEFT_I32;
}

static bool plain_tensor(const vk_tensor *t)
{
    return vk_plain_type(t->dtype) && t->layout == VK_LAYOUT_PLAIN && t->n_parts == 1 && vk_elements(t) <= INT32_MAX;
}

bool vk_accepts_plain(const vk_call *c)
{
    for (uint32_t i = 0; i < c->n_in; i++)
        if (!plain_tensor(&c->in[i])) return false;
    for (uint32_t i = 0; i < c->n_out; i++)
        if (!plain_tensor(&c->out[i])) return false;
    return true;
}

uint32_t vk_workgroup(const vk_facts *f, uint32_t block)
{
    uint32_t size = 1;
    while (2 * size <= block && 2 * size <= f->max_invocations) size *= 2;
    return size;
}

static void set_block(vk_launch *l, uint32_t block)
{
    l->spec[0] = block;
    if (!l->n_specs) l->n_specs = 1;
}

uint32_t vk_set_subgroups(const vk_call *c, vk_launch *l, uint32_t block)
{
    const vk_facts *f = c->facts;
    uint32_t size = f->subgroup;
    set_block(l, vk_workgroup(f, block));
    if (f->subgroup_control) {
        while (size > l->spec[0] && size / 2 >= f->subgroup_min) size /= 2;
        while (l->spec[0] / size > f->max_subgroups && size * 2 <= f->subgroup_max) size *= 2;
        while (l->spec[0] / size > f->max_subgroups) l->spec[0] /= 2;
    }
    if (l->spec[0] < size) l->spec[0] = size;
    l->subgroup = size;
    return vk_groups(l->spec[0], size);
}

void vk_launch_flat(const vk_call *c, vk_launch *l, weft_shader_id shader, int64_t items)
{
    l->shader = shader;
    set_block(l, vk_workgroup(c->facts, c->facts->tuning->flat_block));
    vk_spread(c, l, vk_groups(items, l->spec[0]));
}

void vk_launch_rows(const vk_call *c, vk_launch *l, weft_shader_id shared, weft_shader_id subgroup, int64_t rows)
{
    bool ops = c->facts->subgroup_ops && subgroup != shared;
    l->shader = ops ? subgroup : shared;
    if (ops) vk_set_subgroups(c, l, c->facts->tuning->row_block);
    else set_block(l, vk_workgroup(c->facts, c->facts->tuning->row_block));
    vk_spread(c, l, (uint64_t)rows);
}
