/* reduce.comp: sum, mean, maximum and argmax along the last axis, a workgroup per row; u0.x: rows at the bounds. */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#define IN_SLOTS 1
#define OUT_SLOTS 1
#include "common.glsl"
#include "walk.glsl"
#include "reduce.glsl"

layout(constant_id = 1) const uint OP = 0; /* sum, mean, max, argmax */

shared uint index_part[BLOCK];

/* The least index of the workgroup. */
uint workgroup_first(uint v)
{
    barrier();
    index_part[gl_LocalInvocationID.x] = v;
    for (uint step = BLOCK / 2; step > 0; step /= 2) {
        barrier();
        if (gl_LocalInvocationID.x < step)
            index_part[gl_LocalInvocationID.x] =
                min(index_part[gl_LocalInvocationID.x], index_part[gl_LocalInvocationID.x + step]);
    }
    barrier();
    return index_part[0];
}

void main()
{
    const uint j = 0;
    uint row = group_number(), at[6], last = tensor_rank(j, 0) - 1, bound = walk_dim(j, last);
    uint type = tensor_dtype(j, 0);
    if (row >= P.job[j].u0.x || !walk(j, 0, row * bound, at)) return;
    uint n = tensor_dim(j, 0, last), from = walk_offset(j, 0, at), step = tensor_stride(j, 0, last);
    uint found = 0xffffffffu;
    bool numbers = false;
    float v = OP >= 2 ? uintBitsToFloat(0xff800000u) : 0.0;
    for (uint i = gl_LocalInvocationID.x; i < n; i += BLOCK) {
        float x = load_as_float(IN(j, 0), type, from + i * step);
        if (OP < 2) v += OP == 1 ? x / float(n) : x; /* the mean of numbers is one, however large they are */
        else if (!is_nan(x)) {
            if (!numbers || x > v) found = i;
            v = numbers ? max(v, x) : x;
            numbers = true;
        }
    }
    uint to = tensor_first(j, 1) + row;
    if (OP < 2) {
        v = workgroup_sum(v);
        if (gl_LocalInvocationID.x == 0) out_f[OUT(j, 1)].d[to] = v;
        return;
    }
    float most = workgroup_max(v);
    uint first = workgroup_first(numbers && v == most ? found : 0xffffffffu); /* of all NaN: none */
    if (gl_LocalInvocationID.x != 0) return;
    if (OP == 3) out_u[OUT(j, 1)].d[to] = first == 0xffffffffu ? 0 : first;
    else out_u[OUT(j, 1)].d[to] = first == 0xffffffffu ? 0x7fc00000u : floatBitsToUint(most);
}
