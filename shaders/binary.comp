/* binary.comp: a op b element by element, with numpy's broadcasting: the host gives broadcast axes stride 0. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 2
#define OUT_SLOTS 1
#include "common.glsl"
#include "walk.glsl"

layout(constant_id = 1) const uint OP = 0; /* add, sub, mul, div */

void main()
{
    uint j = job_of_group(), i = group_number() * BLOCK + gl_LocalInvocationID.x, at[6];
    if (!walk(j, 2, i, at)) return;
    precise float a = load_as_float(IN(j, 0), tensor_dtype(j, 0), walk_offset(j, 0, at));
    precise float b = load_as_float(IN(j, 1), tensor_dtype(j, 1), walk_offset(j, 1, at));
    precise float y = OP == 0 ? a + b : OP == 1 ? a - b : OP == 2 ? a * b : a / b;
    out_f[OUT(j, 2)].d[tensor_first(j, 2) + i] = y;
}
