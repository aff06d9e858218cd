/* store_blocks.comp: rows go to cells of a state of a block type, by an index; an invocation makes a block.
 *
 * The job's u0: axis of the index. u1: blocks of the last axis. u2, u3: see walk.glsl, of X. The tensors' axes are in
 * one order, and the index is not of the last. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 2
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const int AXES = 2; /* of X, without the last */
layout(constant_id = 2) const uint SOURCE = F32;
layout(constant_id = 3) const uint FORMAT = Q8_0;
layout(constant_id = 4) const uint ELEMENTS = 32;
layout(constant_id = 5) const uint BYTES = 34;

#include "encode.glsl"

#define X 0
#define INDEX 1
#define Y 2

void main()
{
    uint j = job_of_group(), i = (group_number() - P.job[j].groups.x) * BLOCK + gl_LocalInvocationID.x;
    uint element = i % P.job[j].u1.x * ELEMENTS, rest = i / P.job[j].u1.x;
    uint from = tensor_first(j, X) + element * tensor_stride(j, X, uint(AXES)), to = tensor_first(j, Y) + element;
    bool inside = true;
    [[unroll]] for (int a = AXES - 1; a >= 0; a--) {
        uint n = a < 4 ? P.job[j].u2[a] : P.job[j].u3[a - 4], c = rest % n;
        rest /= n;
        inside = inside && c < tensor_dim(j, X, a);
        from += c * tensor_stride(j, X, a);
        if (uint(a) == P.job[j].u0.x && inside) { /* past the extents there is no index */
            c = in_u[IN(j, INDEX)].d[tensor_first(j, INDEX) + c * tensor_stride(j, INDEX, 0)];
            inside = c < tensor_dim(j, Y, a); /* negative ones are large */
        }
        to += c * tensor_stride(j, Y, a);
    }
    if (!inside || rest != 0) return;
    weft_floats x = weft_floats(IN(j, X), from, tensor_stride(j, X, uint(AXES)));
    store_block(OUT(j, Y), to / ELEMENTS * BYTES, x);
}
