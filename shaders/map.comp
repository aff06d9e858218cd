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
layout(constant_id = 3) const uint WHOLE = 0;  /* operands are i32 */

float value_of(int c, float x, float y, float p, float q)
{
    precise float v = x;
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) if (OP == number) v = value;
#include "../graph/map.def"
#undef WEFT_MAP
    return v;
}

int whole_of(int c, int x, int y)
{
    int v = x;
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) if (OP == number) v = whole;
#include "../graph/map.def"
#undef WEFT_MAP
    return v;
}

void main()
{
    uint j = job_of_group(), i = group_number() * BLOCK + gl_LocalInvocationID.x, at[6], bits;
    if (!walk(j, INPUTS, i, at)) return;
    uint tx = INPUTS > 2 ? 1 : 0, ty = INPUTS - 1; /* of three, the first chooses */
    uint ix = walk_offset(j, tx, at), iy = INPUTS > 1 ? walk_offset(j, ty, at) : ix;
    int c = INPUTS > 2 ? int(in_u[IN(j, 0)].d[walk_offset(j, 0, at)]) : 0;
    if (WHOLE != 0) {
        bits = uint(whole_of(c, int(in_u[IN(j, tx)].d[ix]), int(in_u[IN(j, ty)].d[iy])));
    } else {
        float x = load_as_float(IN(j, tx), tensor_dtype(j, tx), ix), y = x;
        if (INPUTS > 1) y = load_as_float(IN(j, ty), tensor_dtype(j, ty), iy);
        float v = value_of(c, x, y, P.job[j].f0.x, P.job[j].f0.y);
        bits = tensor_dtype(j, INPUTS) == I32 ? uint(int(v)) : floatBitsToUint(v);
    }
    out_u[OUT(j, INPUTS)].d[tensor_first(j, INPUTS) + i] = bits;
}
