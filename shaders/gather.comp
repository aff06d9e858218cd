/* gather.comp: rows of a table by index, as f32; one invocation per element of the result. A launch covers one
 * part of the table and writes what it has; the launch of the first part also writes zeros for indices outside the
 * table. u1: elements per index, columns of a row, whether the table is in panels, first part; u0: the panel's
 * params. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 2
#define OUT_SLOTS 1
#include "common.glsl"
#include "blocks.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = F32;
layout(constant_id = 2) const uint PANEL_ROWS = 1; /* on processors */

const uint TAIL = 1;

#include "weights.glsl"

#define TABLE 0
#define INDEX 1
#define Y 2

void main()
{
    const uint j = 0;
    uint i = group_number() * BLOCK + gl_LocalInvocationID.x, width = P.job[j].u1.x, columns = P.job[j].u1.y;
    uint t = i / width, e = i % width;
    if (t >= P.job[j].t[INDEX].dim_b.w) return;
    int index = int(in_u[IN(j, INDEX)].d[tensor_first(j, INDEX) + t]);
    uint to = tensor_first(j, Y) + i;
    if (index < 0 || uint(index) >= tensor_dim(j, TABLE, 0)) {
        if (P.job[j].u1.w != 0) out_f[OUT(j, Y)].d[to] = 0.0;
        return;
    }
    uint at = uint(index) * width + e, row = at / columns - P.job[j].t[TABLE].stride_b.z;
    if (row >= P.job[j].t[TABLE].stride_b.w) return; /* in another part (a row before this one wraps around) */
    float v;
    if (P.job[j].u1.z != 0) v = panel_weight(IN(j, TABLE), P.job[j].u0, row, at % columns);
    else v = load_stored(IN(j, TABLE), WEIGHT_TYPE, tensor_first(j, TABLE) + row * columns + at % columns);
    out_f[OUT(j, Y)].d[to] = v;
}
