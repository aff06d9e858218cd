/* norm.comp: layer_norm, rms_norm and norm_pair (two norms of one x with the same statistics), a workgroup per row.
 * u0: rows at the bounds are u0.x; which results and factors there are: u0.y flags. f0.x: epsilon. */
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
    if (HAS(w)) v *= load_as_float(IN(j, w), tensor_dtype(j, w), tensor_first(j, w) + i);
    if (HAS(b)) v += load_as_float(IN(j, b), tensor_dtype(j, b), tensor_first(j, b) + i);
    return v;
}

void main()
{
    const uint j = 0;
    uint row = group_number(), at[6], last = tensor_rank(j, X) - 1, bound = walk_dim(j, last);
    if (row >= P.job[j].u0.x || !walk(j, X, row * bound, at)) return;
    uint n = tensor_dim(j, X, last), type = tensor_dtype(j, X), to = row * bound;
    uint from = walk_offset(j, X, at), step = tensor_stride(j, X, last);
    bool rms = P.job[j].u0.z != 0;
    float mean = 0.0, square = 0.0;
    if (!rms) {
        for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) mean += load_as_float(IN(j, X), type, from + i * step);
        mean = workgroup_sum(mean) / float(n);
    }
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) {
        float d = load_as_float(IN(j, X), type, from + i * step) - mean;
        square = fma(d, d, square);
    }
    float factor = 1.0 / sqrt(workgroup_sum(square) / float(n) + P.job[j].f0.x);
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) {
        float v = (load_as_float(IN(j, X), type, from + i * step) - mean) * factor;
        if (HAS(Y1)) out_f[OUT(j, Y1)].d[tensor_first(j, Y1) + to + i] = affine(j, W1, B1, i, v);
        out_f[OUT(j, Y0)].d[tensor_first(j, Y0) + to + i] = affine(j, W0, B0, i, v);
    }
}
