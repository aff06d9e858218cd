/* roof.comp: what the device reaches at best: a stream that is only read, or multiply-adds in registers. Not a kernel:
 * roof.c times it. u0 of the only job: vectors to read per invocation, or rounds. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 1
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint STREAM = 1;

void main()
{
    uint n = P.job[0].u0.x, me = gl_LocalInvocationID.x;
    if (STREAM != 0) {
        uint at = gl_WorkGroupID.x * BLOCK * n + me;
        uvec4 sum = uvec4(0);
        for (uint i = 0; i < n; i += 4)
            [[unroll]] for (uint k = 0; k < 4; k++) sum ^= in_v[0].d[at + (i + k) * BLOCK];
        if ((sum.x ^ sum.y ^ sum.z ^ sum.w) == 0x9e3779b9u) out_u[0].d[0] = 1; /* keeps the loads */
        return;
    }
    vec4 a = vec4(me), b = a + 1.0, c = a + 2.0, d = a + 3.0, x = vec4(P.job[0].f0.x), y = vec4(P.job[0].f0.y);
    for (uint i = 0; i < n; i++) /* 4 vectors of 4, 8 times: 256 operations */
        [[unroll]] for (uint k = 0; k < 8; k++) {
            a = fma(a, x, y);
            b = fma(b, x, y);
            c = fma(c, x, y);
            d = fma(d, x, y);
        }
    vec4 s = a + b + c + d;
    if (s.x + s.y + s.z + s.w == 1234.5) out_u[0].d[0] = 1;
}
