/* softmax.comp: along the last axis, a workgroup per row; u0.x: rows at the bounds. */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#define IN_SLOTS 1
#define OUT_SLOTS 1
#include "common.glsl"
#include "walk.glsl"
#include "math.glsl"
#include "reduce.glsl"

void main()
{
    const uint j = 0;
    uint row = group_number(), at[6], last = tensor_rank(j, 0) - 1, bound = walk_dim(j, last);
    uint type = tensor_dtype(j, 0);
    if (row >= P.job[j].u0.x || !walk(j, 0, row * bound, at)) return;
    uint n = tensor_dim(j, 0, last), from = walk_offset(j, 0, at), step = tensor_stride(j, 0, last);
    uint to = tensor_first(j, 1) + row * bound;
    float most = uintBitsToFloat(0xff800000u), sum = 0.0;
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK)
        most = greater(most, load_as_float(IN(j, 0), type, from + i * step));
    precise float top = workgroup_max(most);
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) {
        precise float d = load_as_float(IN(j, 0), type, from + i * step) - top;
        float e = exp_exact(d);
        out_f[OUT(j, 1)].d[to + i] = e;
        sum += e;
    }
    sum = 1.0 / workgroup_sum(sum);
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) out_f[OUT(j, 1)].d[to + i] *= sum;
}
