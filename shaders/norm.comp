/* norm.comp: layer_norm, rms_norm, l2_norm and norm_pair (two norms of one x with the same statistics), a workgroup per
 * group of a row.
 * u0: rows at the bounds; flags: which results and factors there are; 0 layer, 1 rms, 2 l2; groups of a row. u1:
 * columns of a group, 0 for the whole row; whether 1 is added to weights. f0.x: epsilon. */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#define IN_SLOTS 5
#define OUT_SLOTS 2
#include "common.glsl"
#include "walk.glsl"
#include "reduce.glsl"

#define X 0
#define W0 1
#define B0 2
#define W1 3
#define B1 4
#define Y0 5
#define Y1 6
#define HAS(t) ((P.job[j].u0.y >> (t) & 1u) != 0)

float affine(uint j, uint w, uint b, uint i, float v)
{
    if (HAS(w)) {
        float scale = load_as_float(IN(j, w), tensor_dtype(j, w), tensor_first(j, w) + i);
        v *= P.job[j].u1.y != 0 ? 1.0 + scale : scale;
    }
    if (HAS(b)) v += load_as_float(IN(j, b), tensor_dtype(j, b), tensor_first(j, b) + i);
    return v;
}

void main()
{
    uint j = job_of_group(), group = group_number() - P.job[j].groups.x;
    uint groups = P.job[j].u0.w, row = group / groups, at[6], last = tensor_rank(j, X) - 1;
    uint bound = walk_dim(j, last), n = P.job[j].u1.x, kind = P.job[j].u0.z;
    if (row >= P.job[j].u0.x || !walk(j, X, row * bound, at)) return;
    if (n == 0) n = tensor_dim(j, X, last);
    uint first = group % groups * n, type = tensor_dtype(j, X), to = row * bound + first;
    uint step = tensor_stride(j, X, last), from = walk_offset(j, X, at) + first * step;
    float mean = 0.0, square = 0.0;
    if (kind == 0) {
        for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) mean += load_as_float(IN(j, X), type, from + i * step);
        mean = workgroup_sum(mean) / float(n);
    }
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) {
        float d = load_as_float(IN(j, X), type, from + i * step) - mean;
        square = fma(d, d, square);
    }
    square = workgroup_sum(square);
    float factor = 1.0 / sqrt((kind == 2 ? square : square / float(n)) + P.job[j].f0.x);
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) {
        float v = (load_as_float(IN(j, X), type, from + i * step) - mean) * factor;
        if (HAS(Y1)) out_f[OUT(j, Y1)].d[tensor_first(j, Y1) + to + i] = affine(j, W1, B1, first + i, v);
        out_f[OUT(j, Y0)].d[tensor_first(j, Y0) + to + i] = affine(j, W0, B0, first + i, v);
    }
}
