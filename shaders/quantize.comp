/* quantize.comp: rows of x as signed bytes for products by the integer dot product (dot.glsl reads them), in the order
 * in which lanes take them (turn.h): a block is 32 columns of that order, which share a scale, and belongs to one chunk
 * of weights, or to two of half as many. Behind the bytes of all rows lie the scales. An invocation makes a block. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint VECTORS = 1;
layout(constant_id = 2) const uint QUADS = 8; /* of a chunk: 4 or 8 */

const uint TAIL = 1; /* chunks of the last turn may have columns beyond the row's end */

#include "math.glsl"
#include "linear.glsl"
#include "turn.h"

uint bytes_of(ivec4 q)
{
    return uint(q.x) & 255u | (uint(q.y) & 255u) << 8 | (uint(q.z) & 255u) << 16 | uint(q.w) << 24;
}

void main()
{
    uint j = 0, i = group_number() * BLOCK + gl_LocalInvocationID.x, blocks = P.job[j].u0.x * QUADS / 8;
    uint col = i / blocks, block = i % blocks, bounds = P.job[j].u2.y;
    if (col >= tensor_dim(j, X, 0) * P.job[j].u1.x) return;
    vec4 v[8];
    float most = 0.0;
    bool finite = true;
    [[unroll]] for (uint n = 0; n < 8; n++) {
        v[n] = x_quad(j, col, turn_quad((8 * block + n) / QUADS, QUADS, n % QUADS));
        vec4 a = abs(v[n]);
        most = max(most, max(max(a.x, a.y), max(a.z, a.w)));
        finite = finite && all(lessThan(floatBitsToUint(a), uvec4(0x7f800000u)));
    }
    float inverse = finite && most > 0.0 ? 127.0 / most : 0.0;
    [[unroll]] for (uint n = 0; n < 8; n++) {
        uint chunk = (8 * block + n) / QUADS, h = n % QUADS / 4;
        uint at = (col * blocks * 2 + turn_bytes(chunk, QUADS, h)) * 4 + n % 4;
        out_u[OUT(j, Y)].d[at] = bytes_of(finite ? ivec4(roundEven(v[n] * inverse)) : ivec4(0));
    }
    /* a scale that is not a number makes the sums so */
    out_u[OUT(j, Y)].d[bounds * blocks * 8 + i] = finite ? floatBitsToUint(most / 127.0) : 0x7fc00000u;
}
