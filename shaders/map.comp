/* map.comp: the element-wise ops of graph/map.def. Operands broadcast as numpy's do: the host gives axes along which
 * one is repeated stride 0. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS INPUTS
#define OUT_SLOTS 1
#include "common.glsl"
#include "walk.glsl"
#include "math.glsl"
#include "words.glsl"

layout(constant_id = 1) const uint OP = 32;    /* the row's number */
layout(constant_id = 2) const uint INPUTS = 1; /* the result follows them */

float value_of(float x, float y, float p, float q)
{
    precise float v = x;
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) if (OP == number) v = value;
#include "../graph/map.def"
#undef WEFT_MAP
    return v;
}

void main()
{
    uint j = job_of_group(), i = group_number() * BLOCK + gl_LocalInvocationID.x, at[6];
    if (!walk(j, INPUTS, i, at)) return;
    float x = load_as_float(IN(j, 0), tensor_dtype(j, 0), walk_offset(j, 0, at)), y = x;
    if (INPUTS > 1) y = load_as_float(IN(j, 1), tensor_dtype(j, 1), walk_offset(j, 1, at));
    out_f[OUT(j, INPUTS)].d[tensor_first(j, INPUTS) + i] = value_of(x, y, P.job[j].f0.x, P.job[j].f0.y);
}
