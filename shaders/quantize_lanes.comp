/* quantize_lanes.comp: rows of x as signed bytes in blocks of 32, each with a scale and the sums of its two halves (16
 * bits each), for products by the integer dot product on processors (dot_lanes.glsl reads it). An invocation makes a
 * block. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint VECTORS = 1;

const uint TAIL = 0; /* rows are whole blocks */

#include "math.glsl"
#include "linear.glsl"

void main()
{
    uint j = 0, i = group_number() * BLOCK + gl_LocalInvocationID.x, blocks = P.job[j].u0.w / 32;
    uint col = i / blocks, bounds = P.job[j].u2.y;
    if (col >= tensor_dim(j, X, 0) * P.job[j].u1.x) return;
    vec4 v[8];
    float most = 0.0;
    bool finite = true;
    [[unroll]] for (uint k = 0; k < 8; k++) {
        v[k] = x_quad(j, col, i % blocks * 8 + k);
        vec4 a = abs(v[k]);
        most = max(most, max(max(a.x, a.y), max(a.z, a.w)));
        finite = finite && all(lessThan(floatBitsToUint(a), uvec4(0x7f800000u)));
    }
    float inverse = finite && most > 0.0 ? 127.0 / most : 0.0;
    ivec2 sum = ivec2(0);
    [[unroll]] for (uint k = 0; k < 8; k++) {
        ivec4 q = finite ? ivec4(roundEven(v[k] * inverse)) : ivec4(0);
        sum[k / 4] += q.x + q.y + q.z + q.w;
        out_u[OUT(j, Y)].d[i * 8 + k] = uint(q.x) & 255u | (uint(q.y) & 255u) << 8 | (uint(q.z) & 255u) << 16 |
                                        uint(q.w) << 24;
    }
    uint at = bounds * blocks * 8 + 2 * i; /* a scale that is not a number makes the sums so */
    out_u[OUT(j, Y)].d[at] = finite ? floatBitsToUint(most / 127.0) : 0x7fc00000u;
    out_u[OUT(j, Y)].d[at + 1] = uint(sum.x) & 0xffffu | uint(sum.y) << 16;
}
