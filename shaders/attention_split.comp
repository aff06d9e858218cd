/* attention_split.comp: attention for a few tokens where attention_decode.comp is not taken: a workgroup per token,
 * head and split of KEYS positions.
 *
 * An invocation takes whole cells to score, then elements of the head to sum values. Splits leave their maximum, sum
 * and unnormalised values in scratch; the last one to arrive, by a counter that it sets back to zero, puts them
 * together. With one split nothing goes through scratch. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#define IN_SLOTS 10
#define OUT_SLOTS 3
#include "common.glsl"
#include "math.glsl"
#include "reduce.glsl"
#include "attention.glsl"
#include "attention_join.glsl"
#include "attention_few.glsl"

layout(constant_id = 4) const uint KEYS = 256;
layout(constant_id = 6) const uint LOOP = 0; /* the walk along a key stays a loop: processors compile it faster */

const float UNSEEN = -1e30;

shared float score[KEYS];
shared uint where[PAGED != 0 ? KEYS : 1]; /* cells of the scores; NOWHERE: there is none */
const uint WIDE = VECTORS != 0 ? 4 : 1; /* elements of the head that an invocation sums */
const uint PARTS = (VALUE + WIDE - 1) / WIDE;
const uint LANES = PARTS < BLOCK ? BLOCK / PARTS : 1; /* invocations that share those */
shared vec4 values[BLOCK];

/* WIDE elements of a value from d on. */
vec4 value_of(uint group, uint cell, uint d)
{
    uint at = kv_base(V, group, cell) + d;
    return VECTORS != 0 ? row_quad(V, V_TYPE, at) : vec4(load_stored(V, V_TYPE, at));
}

void main()
{
    uint me = gl_LocalInvocationID.x, heads = P.job[0].u0.x, n_splits = P.job[0].u1.y;
    uint split = group_number() % n_splits, head = group_number() / n_splits % heads;
    uint token = group_number() / n_splits / heads, group = head / P.job[0].u0.y;
    if (token >= tensor_dim(0, Q, 0)) return;
    uvec2 seen = positions_of(token);
    uint begin = seen.x + split * KEYS, end = min(begin + KEYS, seen.y), sequence = sequence_of(token);
    uint used = max((seen.y - seen.x + KEYS - 1) / KEYS, 1u);
    if (split >= used) return; /* nobody waits for it: the last of those that have positions combines */
    uint query = tensor_first(0, Q) + token * tensor_stride(0, Q, 0) + head * tensor_stride(0, Q, 1);
    uint n = end > begin ? end - begin : 0;

    float most = uintBitsToFloat(0xff800000u), sum = 0.0;
    for (uint i = me; i < n; i += BLOCK) {
        uint cell = cell_at(sequence, begin + i);
        if (PAGED != 0) where[i] = cell;
        if (cell == NOWHERE) continue;
        float s = key_times_query(kv_base(K, group, cell), query, LOOP != 0) * P.job[0].f0.x;
        s = dressed(s, head, token, begin + i);
        score[i] = s;
        most = max(most, s);
    }
    most = workgroup_max(most);
    if (PAGED != 0) most = max(most, UNSEEN); /* where none of the pages is there */
    for (uint i = me; i < n; i += BLOCK) {
        float e = PAGED != 0 && where[i] == NOWHERE ? 0.0 : exp_exact(score[i] - most);
        score[i] = e;
        sum += e;
    }
    sum = workgroup_sum(sum);
    barrier();

    uint base = part_of_head(token, head, n_splits) + split * (VALUE + 2);
    for (uint part0 = 0; part0 < PARTS; part0 += BLOCK / LANES) {
        uint d = (part0 + me % (BLOCK / LANES)) * WIDE, lane = me / (BLOCK / LANES);
        vec4 v = vec4(0.0);
        if (d < VALUE && lane < LANES)
            for (uint i = lane; i < n; i += LANES) {
                uint cell = PAGED != 0 ? where[i] : begin + i;
                if (cell != NOWHERE) v = fma(vec4(score[i]), value_of(group, cell, d), v);
            }
        if (LANES > 1) {
            values[me] = v;
            barrier();
            v = vec4(0.0);
            if (lane == 0)
                for (uint k = 0; k < LANES; k++) v += values[me + k * (BLOCK / LANES)];
            barrier();
        }
        if (lane != 0 || d >= VALUE) continue;
        [[unroll]] for (uint c = 0; c < WIDE; c++) {
            if (used == 1) write_result(token, head, d + c, finished(head, v[c], most, sum));
            else shared_f[OUT(0, SCRATCH)].d[base + 2 + d + c] = v[c];
        }
    }
    if (used == 1) return;
    if (me == 0) {
        shared_f[OUT(0, SCRATCH)].d[base] = most;
        shared_f[OUT(0, SCRATCH)].d[base + 1] = sum;
    }
    if (!is_last(token * heads + head, used)) return;
    combine(token, head, used, part_of_head(token, head, n_splits));
}
