/* copy.comp: casts and copies of a tensor with any strides into a result with any strides. 16-bit results that lie
 * densely are written a word at a time; others by atomics, since neighbours share words. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 1
#define OUT_SLOTS 1
#include "common.glsl"
#include "walk.glsl"

layout(constant_id = 1) const uint WORDS = 0; /* a 16-bit result, dense: two elements an invocation */

#define X 0
#define Y 1

/* A slice of a concat begins u0.x steps of u0.y elements after the result's first, and t[2] times each extent more. */

/* The bits of element i of the result; false: none there. */
bool element(uint j, uint i, out uint bits)
{
    uint at[6], from = tensor_dtype(j, X), to = tensor_dtype(j, Y);
    bits = 0;
    if (!walk(j, Y, i, at)) return false;
    uint k = walk_offset(j, X, at);
    if (from == to) { /* a copy keeps every bit */
        bits = from == F32 || from == I32 ? in_u[IN(j, X)].d[k] : in_u[IN(j, X)].d[k >> 1] >> (k & 1u) * 16u;
        return true;
    }
    bits = float_bits_as(to, load_as_float(IN(j, X), from, k));
    return true;
}

void main()
{
    uint j = job_of_group(), i = group_number() * BLOCK + gl_LocalInvocationID.x, bits, more;
    if (WORDS != 0) {
        bool low = element(j, 2 * i, bits), high = element(j, 2 * i + 1, more);
        if (low || high) out_u[OUT(j, Y)].d[(tensor_first(j, Y) >> 1) + i] = (bits & 0xffffu) | more << 16;
        return;
    }
    if (!element(j, i, bits)) return;
    uint at[6], to = tensor_dtype(j, Y);
    walk(j, Y, i, at);
    uint k = walk_offset(j, Y, at), before = P.job[j].u0.x;
    for (uint e = 0; e < 8; e++)
        before += (e < 4 ? P.job[j].t[2].dim_a[e] : P.job[j].t[2].dim_b[e - 4]) * extent_value(e + 1);
    k += before * P.job[j].u0.y;
    if (to == F32 || to == I32) out_u[OUT(j, Y)].d[k] = bits;
    else store_half_bits(OUT(j, Y), k, bits);
}
