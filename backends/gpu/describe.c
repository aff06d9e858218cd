/* describe.c: with what kernels describe their launches: bindings, strides, workgroups and grids within the limits. */
#include "backends/gpu/kernel.h"

#include "graph/block_words.h"

static void split6(const int64_t *v, uint32_t rank, int64_t rest, weft_uvec4 *a, weft_uvec4 *b)
{
    uint32_t x[WEFT_MAX_RANK];
    for (uint32_t i = 0; i < WEFT_MAX_RANK; i++) x[i] = (uint32_t)(i < rank ? v[i] : rest);
    *a = (weft_uvec4){ x[0], x[1], x[2], x[3] };
    b->x = x[4];
    b->y = x[5];
}

void gpu_set_tensor(gpu_launch *l, uint32_t slot, const gpu_tensor *t, const gpu_part *part)
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
    p->dim_b.w = (uint32_t)gpu_elements(t);
    p->extent_b.z = (uint32_t)t->dtype;
    p->extent_b.w = (uint32_t)t->first;
    if (!part) return;
    p->stride_b.z = (uint32_t)part->first_row;
    p->stride_b.w = (uint32_t)part->n_rows;
}

void gpu_bind_in(const gpu_call *c, gpu_launch *l, uint32_t slot, uint32_t index, uint32_t part)
{
    const gpu_tensor *t = &c->in[index];
    l->bind[slot] = (gpu_bind){ GPU_BIND_IN, (uint8_t)index, (uint16_t)part };
    gpu_set_tensor(l, slot, t, t->parts ? &t->parts[part] : NULL);
}

void gpu_bind_out(const gpu_call *c, gpu_launch *l, uint32_t slot, uint32_t index)
{
    l->bind[slot] = (gpu_bind){ GPU_BIND_OUT, (uint8_t)index, 0 };
    gpu_set_tensor(l, slot, &c->out[index], NULL);
}

void gpu_spread(const gpu_call *c, gpu_launch *l, uint64_t n)
{
    uint64_t x = n < c->caps->max_groups ? n : c->caps->max_groups, y = x ? (n + x - 1) / x : 1;
    l->groups[0] = (uint32_t)(y > 1 ? (n + y - 1) / y : x ? x : 1);
    l->groups[1] = (uint32_t)y;
    l->groups[2] = 1;
}

void gpu_set_walk(gpu_launch *l, const gpu_tensor *t)
{
    split6(t->dim, t->rank, 1, &l->job.u2, &l->job.u3);
}

gpu_tensor gpu_broadcast(const gpu_tensor *t, const gpu_tensor *like)
{
    gpu_tensor out = *t;
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

bool gpu_is_dense(const gpu_tensor *t)
{
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= t->dim[i])
        if (t->dim[i] != 1 && t->stride[i] != stride) return false;
    return true;
}

bool gpu_plain_type(weft_dtype t)
{
    return t == WEFT_F32 || t == WEFT_F16 || t == WEFT_BF16 || t == WEFT_I32;
}

/* Of a row that is for C alone the value, here, is no float. */
bool gpu_reads_stored(weft_dtype t)
{
    const unsigned char *b = NULL;
    const int i = 0;
    (void)b, (void)i;
    switch (t) {
#undef in_c_alone
#define in_c_alone(v) 0
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) \
    case WEFT_##id: return _Generic((value), float: true, int: false);
#include "graph/block.def"
#undef WEFT_BLOCK
    default: return gpu_plain_type(t);
    }
}

bool gpu_is_stored(const gpu_tensor *t)
{
    bool type = gpu_reads_stored(t->dtype);
    return type && t->layout == GPU_LAYOUT_PLAIN && gpu_elements(t) <= INT32_MAX;
}

bool gpu_is_plain(const gpu_tensor *t)
{
    return gpu_plain_type(t->dtype) && t->layout == GPU_LAYOUT_PLAIN && t->n_parts == 1 && gpu_elements(t) <= INT32_MAX;
}

bool gpu_accepts_stored(const gpu_call *c, uint32_t stored)
{
    for (uint32_t i = 0; i < c->n_in; i++)
        if (!(stored >> i & 1 ? gpu_is_stored(&c->in[i]) : gpu_is_plain(&c->in[i]))) return false;
    for (uint32_t i = 0; i < c->n_out; i++)
        if (!gpu_is_plain(&c->out[i])) return false;
    return true;
}

bool gpu_accepts_plain(const gpu_call *c)
{
    return gpu_accepts_stored(c, 0);
}

uint32_t gpu_for_bits(const gpu_by_bits *n, weft_dtype t)
{
    uint32_t bits = weft_dtype_get(t)->bits;
    return bits >= 16 ? n->bits16 : bits >= 8 ? n->bits8 : n->bits4;
}

uint32_t gpu_workgroup(const gpu_caps *f, uint32_t block)
{
    uint32_t size = 1;
    while (2 * size <= block && 2 * size <= f->max_invocations) size *= 2;
    return size;
}

weft_status gpu_workgroup_check(const gpu_caps *f, weft_shader_id shader, uint32_t invocations, uint32_t subgroup,
                                weft_error *err)
{
    const char *name = weft__shaders[shader].name;
    if (!invocations || invocations > f->max_invocations)
        return WEFT_FAIL(err, WEFT_INTERNAL, "%s: %u invocations, the device takes %u", name, invocations,
                         f->max_invocations);
    if (!subgroup || !f->subgroup_control) return WEFT_OK;
    if (subgroup < f->subgroup_min || subgroup > f->subgroup_max || (subgroup & (subgroup - 1)))
        return WEFT_FAIL(err, WEFT_INTERNAL, "%s: subgroups of %u, the device has %u to %u", name, subgroup,
                         f->subgroup_min, f->subgroup_max);
    if (invocations % subgroup || invocations / subgroup > f->max_subgroups)
        return WEFT_FAIL(err, WEFT_INTERNAL, "%s: %u invocations in subgroups of %u, the device takes %u", name,
                         invocations, subgroup, f->max_subgroups);
    return WEFT_OK;
}

static void set_block(gpu_launch *l, uint32_t block)
{
    l->spec[0] = block;
    if (!l->n_specs) l->n_specs = 1;
}

uint32_t gpu_set_subgroups(const gpu_call *c, gpu_launch *l, uint32_t block)
{
    const gpu_caps *f = c->caps;
    uint32_t size = f->subgroup;
    set_block(l, gpu_workgroup(f, block));
    if (f->subgroup_control) {
        while (size > l->spec[0] && size / 2 >= f->subgroup_min) size /= 2;
        while (l->spec[0] / size > f->max_subgroups && size * 2 <= f->subgroup_max) size *= 2;
        while (l->spec[0] / size > f->max_subgroups) l->spec[0] /= 2;
    }
    if (l->spec[0] < size) l->spec[0] = size;
    l->subgroup = size;
    return gpu_groups(l->spec[0], size);
}

void gpu_launch_flat(const gpu_call *c, gpu_launch *l, weft_shader_id shader, int64_t items)
{
    l->shader = shader;
    set_block(l, gpu_workgroup(c->caps, c->caps->tuning->flat_block));
    gpu_spread(c, l, gpu_groups(items, l->spec[0]));
}

void gpu_launch_rows(const gpu_call *c, gpu_launch *l, weft_shader_id shared, weft_shader_id subgroup, int64_t rows)
{
    bool ops = c->caps->subgroup_ops && subgroup != shared;
    l->shader = ops ? subgroup : shared;
    if (ops) gpu_set_subgroups(c, l, c->caps->tuning->row_block);
    else set_block(l, gpu_workgroup(c->caps, c->caps->tuning->row_block));
    gpu_spread(c, l, (uint64_t)rows);
}
