/* cumsum.comp: running sums along the last axis, a workgroup per row: every invocation has one stretch of columns, and
 * begins with the sums of those before it. u0.x: rows at the bounds. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 1
#define OUT_SLOTS 1
#include "common.glsl"
#include "walk.glsl"

shared float sums[BLOCK];

void main()
{
    const uint j = 0;
    uint row = group_number(), at[6], last = tensor_rank(j, 0) - 1, bound = walk_dim(j, last);
    if (row >= P.job[j].u0.x || !walk(j, 0, row * bound, at)) return;
    uint n = tensor_dim(j, 0, last), type = tensor_dtype(j, 0), step = tensor_stride(j, 0, last);
    uint from = walk_offset(j, 0, at), to = tensor_first(j, 1) + row * bound, me = gl_LocalInvocationID.x;
    uint stretch = (n + BLOCK - 1) / BLOCK, begin = min(me * stretch, n), end = min(begin + stretch, n);
    float sum = 0.0;
    for (uint i = begin; i < end; i++) sum += load_as_float(IN(j, 0), type, from + i * step);
    sums[me] = sum;
    barrier();
    sum = 0.0;
    for (uint i = 0; i < me && begin < n; i++) sum += sums[i];
    for (uint i = begin; i < end; i++) {
        sum += load_as_float(IN(j, 0), type, from + i * step);
        out_f[OUT(j, 1)].d[to + i] = sum;
    }
}
