/* attention_lanes.comp: attention for prompts on processors that carry out subgroups as vector registers: a workgroup
 * is one subgroup, for a head and P * ROWS tokens, and a lane has ROWS of them to itself, so that softmax needs no
 * other lane. Rows of K and V are loaded once for all tokens, eight elements per lane, from where they are broadcast;
 * queries and sums are arrays that are read at constant indices where it counts.
 *
 * The running maximum and sum are those of Milakov and Gimelshein (arXiv:1805.02867); sums are scaled only when a
 * maximum rises. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#define IN_SLOTS 10
#define OUT_SLOTS 1
#include "common.glsl"
#include "math.glsl"
#include "attention.glsl"

layout(constant_id = 4) const uint ROWS = 4;

const uint EIGHTS = HEAD / 8;
const uint LOADS = (EIGHTS + BLOCK - 1) / BLOCK;
const float UNSEEN = -1e30;

/* Elements base .. base + 7 of K or V. */
void load_eight(uint slot, uint type, uint base, out vec4 a, out vec4 b)
{
    if (type == F32 || in_units(type)) {
        a = row_quad(slot, type, base);
        b = row_quad(slot, type, base + 4);
    } else {
        uvec4 u = in_v[slot].d[base / 8];
        a = vec4(unpack_pair(type, u.x), unpack_pair(type, u.y));
        b = vec4(unpack_pair(type, u.z), unpack_pair(type, u.w));
    }
}

/* A row, eight elements per lane and load. */
vec4 row[2 * LOADS];
void load_row(uint slot, uint type, uint base)
{
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        uint e = min(i * BLOCK + gl_LocalInvocationID.x, EIGHTS - 1);
        load_eight(slot, type, base + 8 * e, row[2 * i], row[2 * i + 1]);
    }
}

/* What the tokens of this lane see, and of which sequence; NOWHERE if nothing. */
uvec2 seen[ROWS];
uint sequence[ROWS];

/* The least sequence from `least` on that a token of the workgroup is of. */
uint next_sequence(uint least)
{
    uint next = NOWHERE;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        if (sequence[r] >= least) next = min(next, sequence[r]);
    return subgroupMin(next);
}

/* The positions that any token of a sequence sees. */
uvec2 range_of(uint turn)
{
    uvec2 range = uvec2(NOWHERE, 0);
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        if (sequence[r] == turn) range = uvec2(min(range.x, seen[r].x), max(range.y, seen[r].y));
    return uvec2(subgroupMin(range.x), subgroupMax(range.y));
}

void main()
{
    uint lane = gl_LocalInvocationID.x, heads = P.job[0].u0.x, head = group_number() % heads;
    uint token0 = group_number() / heads * BLOCK * ROWS, group = head / P.job[0].u0.y, n_tokens = tensor_dim(0, Q, 0);
    if (token0 >= n_tokens) return;
    float query[ROWS * HEAD], sum[ROWS * HEAD], most[ROWS], total[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint token = min(token0 + r * BLOCK + lane, n_tokens - 1);
        seen[r] = positions_of(token);
        sequence[r] = seen[r].x < seen[r].y ? sequence_of(token) : NOWHERE;
        most[r] = UNSEEN;
        total[r] = 0.0;
    }
    [[dont_unroll]] for (uint i = 0; i < ROWS * HEAD; i += 4) {
        uint token = min(token0 + i / HEAD * BLOCK + lane, n_tokens - 1);
        uint at = tensor_first(0, Q) + token * tensor_stride(0, Q, 0) + head * tensor_stride(0, Q, 1) + i % HEAD;
        vec4 v = query_quad(at, 0) * P.job[0].f0.x;
        [[unroll]] for (uint c = 0; c < 4; c++) {
            query[i + c] = v[c];
            sum[i + c] = 0.0;
        }
    }

    for (uint turn = next_sequence(0); turn != NOWHERE; turn = next_sequence(turn + 1)) {
        uvec2 range = range_of(turn);
        for (uint at = range.x; at < range.y; at++) {
            float s[ROWS];
            uint cell = cell_at(turn, at);
            if (cell == NOWHERE) continue;
            load_row(K, K_TYPE, kv_base(K, group, cell));
            [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = 0.0;
            [[unroll]] for (uint d = 0; d < HEAD; d += 4) {
                vec4 k = subgroupBroadcast(row[d / 8 / BLOCK * 2 + d / 4 % 2], d / 8 % BLOCK);
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    s[r] = fma(k.x, query[r * HEAD + d], s[r]);
                    s[r] = fma(k.y, query[r * HEAD + d + 1], s[r]);
                    s[r] = fma(k.z, query[r * HEAD + d + 2], s[r]);
                    s[r] = fma(k.w, query[r * HEAD + d + 3], s[r]);
                }
            }
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                bool here = sequence[r] == turn && at >= seen[r].x && at < seen[r].y;
                if (here && s[r] > most[r]) {
                    float f = total[r] > 0.0 ? exp_exact(most[r] - s[r]) : 0.0;
                    most[r] = s[r];
                    total[r] *= f;
                    [[unroll]] for (uint d = 0; d < HEAD; d++) sum[r * HEAD + d] *= f;
                }
                s[r] = here ? exp_exact(s[r] - most[r]) : 0.0;
                total[r] += s[r];
            }
            load_row(V, V_TYPE, kv_base(V, group, cell));
            [[unroll]] for (uint d = 0; d < HEAD; d += 4) {
                vec4 v = subgroupBroadcast(row[d / 8 / BLOCK * 2 + d / 4 % 2], d / 8 % BLOCK);
                [[unroll]] for (uint r = 0; r < ROWS; r++)
                    [[unroll]] for (uint c = 0; c < 4; c++)
                        sum[r * HEAD + d + c] = fma(s[r], v[c], sum[r * HEAD + d + c]);
            }
        }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) total[r] = total[r] > 0.0 ? 1.0 / total[r] : 0.0;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint token = token0 + r * BLOCK + lane, to = tensor_first(0, Y) + (token * heads + head) * HEAD;
        if (token < n_tokens)
            [[dont_unroll]] for (uint d = 0; d < HEAD; d++) out_f[OUT(0, Y)].d[to + d] = sum[r * HEAD + d] * total[r];
    }
}
