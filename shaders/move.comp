/* move.comp: rope, rope_store and store: elements go from a tensor with any strides to a dense result or, by an
 * index, to cells of a state; some are rotated on the way. One invocation moves two elements of the last axis that
 * belong together: a pair that is rotated, or neighbours that share a word of a 16-bit state.
 *
 * The job's u0: axis of the index (6: none), axis whose coordinate picks the angles, rotary pairs (0: nothing is
 * rotated), whether pairs are neighbours. u1: pairs per row of the last axis. u2, u3: see walk.glsl, but the last
 * axis counts pairs. Sources, result and cells share coordinates; the tensors' axes are already in the result's
 * order. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 3
#define OUT_SLOTS 1
#include "common.glsl"
#include "state.glsl"

layout(constant_id = 1) const int AXES = 5; /* of X, without the last */
layout(constant_id = 2) const uint SOURCE = F32; /* X's type */

#define X 0
#define ANGLES 1
#define INDEX 2
#define Y 3

/* Where the two elements of pair p are on the last axis. A row has the rotated pairs first, then neighbours. */
uvec2 pair_at(uint j, uint p)
{
    uint rotated = P.job[j].u0.z;
    bool halves = P.job[j].u0.w == 0 && p < rotated;
    return halves ? uvec2(p, p + rotated) : uvec2(2 * p, 2 * p + 1);
}

uint bits_as(uint j, uint type, float v) { return P.job[j].u0.x < 6 ? state_bits(type, v) : float_bits_as(type, v); }

void put(uint j, uint type, uint i, float v)
{
    if (type == F32 || type == I32) out_u[OUT(j, Y)].d[i] = bits_as(j, type, v);
    else store_half_bits(OUT(j, Y), i, bits_as(j, type, v));
}

void main()
{
    uint j = job_of_group(), i = (group_number() - P.job[j].groups.x) * BLOCK + gl_LocalInvocationID.x;
    uint last = uint(AXES), from = tensor_first(j, X), to = tensor_first(j, Y), at_index = P.job[j].u0.x;
    uint p = i % P.job[j].u1.x, position = 0, rest = i / P.job[j].u1.x;
    bool inside = true;
    [[unroll]] for (int a = AXES - 1; a >= 0; a--) {
        uint n = a < 4 ? P.job[j].u2[a] : P.job[j].u3[a - 4], c = rest % n;
        rest /= n;
        inside = inside && c < tensor_dim(j, X, a);
        from += c * tensor_stride(j, X, a);
        if (uint(a) == P.job[j].u0.y) position = c;
        if (uint(a) == at_index && inside) { /* past the extents there is no index */
            c = in_u[IN(j, INDEX)].d[tensor_first(j, INDEX) + c * tensor_stride(j, INDEX, 0)];
            inside = c < tensor_dim(j, Y, a); /* negative ones are large */
        }
        to += c * tensor_stride(j, Y, a);
    }
    if (!inside || rest != 0) return;
    uint n = tensor_dim(j, X, last), type = tensor_dtype(j, Y);
    uint step = tensor_stride(j, X, last), out_step = tensor_stride(j, Y, last);
    if (last == at_index) { /* a state of one axis: single elements */
        if (p >= n) return;
        uint cell = in_u[IN(j, INDEX)].d[tensor_first(j, INDEX) + p * tensor_stride(j, INDEX, 0)];
        if (cell >= tensor_dim(j, Y, last)) return;
        uint k = from + p * step;
        if (SOURCE == I32 && type == I32) out_u[OUT(j, Y)].d[to + cell * out_step] = in_u[IN(j, X)].d[k];
        else put(j, type, to + cell * out_step, load_as_float(IN(j, X), SOURCE, k));
        return;
    }
    uvec2 e = pair_at(j, p);
    if (e.x >= n) return;
    bool both = e.y < n;
    if (SOURCE == I32 && type == I32) {
        out_u[OUT(j, Y)].d[to + e.x * out_step] = in_u[IN(j, X)].d[from + e.x * step];
        if (both) out_u[OUT(j, Y)].d[to + e.y * out_step] = in_u[IN(j, X)].d[from + e.y * step];
        return;
    }
    float x = load_as_float(IN(j, X), SOURCE, from + e.x * step);
    float y = both ? load_as_float(IN(j, X), SOURCE, from + e.y * step) : 0.0;
    if (p < P.job[j].u0.z) {
        uint k = tensor_first(j, ANGLES) + position * tensor_stride(j, ANGLES, 0) + p * tensor_stride(j, ANGLES, 1);
        float c = in_f[IN(j, ANGLES)].d[k], s = in_f[IN(j, ANGLES)].d[k + tensor_stride(j, ANGLES, 2)], t = x;
        x = x * c - y * s;
        y = y * c + t * s;
    }
    if ((type == F16 || type == BF16) && both && e.y == e.x + 1 && out_step == 1 && (to + e.x) % 2 == 0) {
        out_u[OUT(j, Y)].d[(to + e.x) >> 1] = bits_as(j, type, x) | bits_as(j, type, y) << 16;
        return;
    }
    put(j, type, to + e.x * out_step, x);
    if (both) put(j, type, to + e.y * out_step, y);
}
