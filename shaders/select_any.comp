/* select_any.comp: linear_select with experts that are stored plain; one invocation per element of the result.
 * u0: rows of x per token, choices of a token, rows of an expert, columns; u1: experts. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 3
#define OUT_SLOTS 1
#include "common.glsl"
#include "blocks.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = 0;

#define X 0
#define W 1
#define IDS 2
#define Y 3

void main()
{
    const uint j = 0;
    uint i = group_number() * BLOCK + gl_LocalInvocationID.x, m = P.job[j].u0.z, columns = P.job[j].u0.w;
    uint choice = i / m;
    if (choice >= tensor_dim(j, IDS, 0) * P.job[j].u0.y) return;
    uint id = in_u[IN(j, IDS)].d[tensor_first(j, IDS) + choice];
    uint row = P.job[j].u0.x == 1 ? choice / P.job[j].u0.y : choice;
    float sum = 0.0;
    if (id < P.job[j].u1.x) { /* not negative */
        uint x = tensor_first(j, X) + row * columns, w = tensor_first(j, W) + (id * m + i % m) * columns;
        uint tx = tensor_dtype(j, X);
        for (uint k = 0; k < columns; k++)
            sum = fma(load_as_float(IN(j, X), tx, x + k), load_stored(IN(j, W), WEIGHT_TYPE, w + k), sum);
    }
    out_f[OUT(j, Y)].d[tensor_first(j, Y) + i] = sum;
}
