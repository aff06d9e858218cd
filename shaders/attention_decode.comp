/* attention_decode.comp: attention for a few tokens on GPUs: a workgroup per token, HEADS heads of a group and split of
 * the positions.
 *
 * LANES lanes of a subgroup share a position: lane l reads piece l of its key and of its value, 16 bytes where elements
 * are plain, so that neighbouring lanes read neighbouring bytes, and each row is read once for all heads of the group.
 * Positions are walked in one pass, with AHEAD of them on their way for each group of lanes; weights are relative to
 * the largest score so far. At the end groups of lanes are put together by shuffles, subgroups through shared memory,
 * splits as attention_few.glsl has it.
 *
 * u1.y: splits at most, u2.x: blocks of HEADS in a group, u2.y: positions that a split has at least. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#define IN_SLOTS 10
#define OUT_SLOTS 3
#include "common.glsl"
#include "math.glsl"
#include "attention.glsl"
#include "attention_join.glsl"
#include "attention_few.glsl"
#include "pieces.h"

layout(constant_id = 4) const uint LANES = 8;
layout(constant_id = 6) const uint HEADS = 1;
layout(constant_id = 8) const uint SUBGROUPS = 1;

const uint K_PIECE = K_TYPE == F32 ? 4 : 8, K_QUADS = K_PIECE / 4, K_PIECES = HEAD / K_PIECE;
const uint V_PIECE = V_TYPE == F32 ? 4 : 8, V_QUADS = V_PIECE / 4, V_PIECES = VALUE / V_PIECE;
const uint K_TURNS = (K_PIECES + LANES - 1) / LANES, V_TURNS = (V_PIECES + LANES - 1) / LANES;
const uint TURNS = K_TURNS > V_TURNS ? K_TURNS : V_TURNS;
const uint AHEAD = TURNS == 1 ? 4 : TURNS == 2 ? 2 : 1;
const uint ROWS = BLOCK / LANES;          /* positions at once */
const uint K_HELD = K_TURNS * K_QUADS, V_HELD = V_TURNS * V_QUADS; /* quads of a row that a lane holds */
const float UNSEEN = -1e30;

vec4 query[HEADS * K_HELD], sum[HEADS * V_HELD];
float most[HEADS], total[HEADS];
shared float part[SUBGROUPS * (VALUE + 2)]; /* of one head: maximum, sum of weights, values */

/* The piece of a row of so many that this lane reads in turn t; the first element of piece i. */
uint k_piece(uint t) { return piece_read(t, LANES, gl_SubgroupInvocationID, K_PIECES); }
uint v_piece(uint t) { return piece_read(t, LANES, gl_SubgroupInvocationID, V_PIECES); }
uint own_piece(uint t) { return piece_of(t, LANES, gl_SubgroupInvocationID); }

void begin_head(uint h, uint row)
{
    most[h] = UNSEEN;
    total[h] = 0.0;
    [[unroll]] for (uint i = 0; i < V_HELD; i++) sum[h * V_HELD + i] = vec4(0.0);
    [[unroll]] for (uint i = 0; i < K_HELD; i++) {
        uint d = own_piece(i / K_QUADS) * K_PIECE + i % K_QUADS * 4;
        query[h * K_HELD + i] = d < HEAD ? in_f4[Q].d[(row + d) / 4] : vec4(0.0);
    }
}

/* Positions from .. from + ROWS * AHEAD - 1, below end, for heads head0 .. last of a group, HEADS of them at most. */
void walk(uint token, uint sequence, uint group, uint head0, uint last, uint slot, uint from, uint end)
{
    uvec4 k[AHEAD * K_TURNS], v[AHEAD * V_TURNS];
    float s[AHEAD * HEADS];
    bool there[AHEAD];
    [[unroll]] for (uint u = 0; u < AHEAD; u++) {
        uint position = from + u * ROWS + slot, cell = cell_at(sequence, min(position, end - 1));
        there[u] = position < end && cell != NOWHERE;
        if (cell == NOWHERE) cell = 0;
        uint key = kv_base(K, group, cell), value = kv_base(V, group, cell);
        [[unroll]] for (uint t = 0; t < K_TURNS; t++)
            k[u * K_TURNS + t] = load_piece(K, K_TYPE, key + k_piece(t) * K_PIECE);
        [[unroll]] for (uint t = 0; t < V_TURNS; t++)
            v[u * V_TURNS + t] = load_piece(V, V_TYPE, value + v_piece(t) * V_PIECE);
    }
    [[unroll]] for (uint u = 0; u < AHEAD; u++) {
        vec4 products[HEADS];
        [[unroll]] for (uint h = 0; h < HEADS; h++) products[h] = vec4(0.0);
        [[unroll]] for (uint i = 0; i < K_HELD; i++) {
            uint t = i / K_QUADS;
            vec4 x = piece_quad(K_TYPE, k[u * K_TURNS + t], k_piece(t) * K_PIECE, i % K_QUADS);
            if (own_piece(t) >= K_PIECES) x = vec4(0.0);
            [[unroll]] for (uint h = 0; h < HEADS; h++) products[h] = fma(x, query[h * K_HELD + i], products[h]);
        }
        [[unroll]] for (uint h = 0; h < HEADS; h++) {
            float p = products[h].x + products[h].y + (products[h].z + products[h].w);
            for (uint step = 1; step < LANES; step *= 2) p += subgroupShuffleXor(p, step);
            s[u * HEADS + h] = dressed(p * P.job[0].f0.x, min(head0 + h, last), token, from + u * ROWS + slot);
        }
    }
    [[unroll]] for (uint h = 0; h < HEADS; h++) {
        float before = most[h], added = 0.0;
        [[unroll]] for (uint u = 0; u < AHEAD; u++)
            if (there[u]) most[h] = max(most[h], s[u * HEADS + h]);
        float fade = exp_exact(before - most[h]);
        [[unroll]] for (uint u = 0; u < AHEAD; u++) {
            s[u * HEADS + h] = there[u] ? exp_exact(s[u * HEADS + h] - most[h]) : 0.0;
            added += s[u * HEADS + h];
        }
        total[h] = fma(total[h], fade, added);
        [[unroll]] for (uint i = 0; i < V_HELD; i++) sum[h * V_HELD + i] *= fade;
    }
    [[unroll]] for (uint u = 0; u < AHEAD; u++)
        [[unroll]] for (uint i = 0; i < V_HELD; i++) {
            uint t = i / V_QUADS;
            vec4 x = piece_quad(V_TYPE, v[u * V_TURNS + t], v_piece(t) * V_PIECE, i % V_QUADS);
            if (!there[u]) x = vec4(0.0); /* nobody sees it, whatever it is */
            [[unroll]] for (uint h = 0; h < HEADS; h++)
                sum[h * V_HELD + i] = fma(vec4(s[u * HEADS + h]), x, sum[h * V_HELD + i]);
        }
}

/* The groups of lanes of a subgroup in one. */
void join_lanes(uint h)
{
    for (uint step = LANES; step < gl_SubgroupSize; step *= 2) {
        float higher = max(most[h], subgroupShuffleXor(most[h], step)), fade = exp_exact(most[h] - higher);
        most[h] = higher;
        total[h] *= fade;
        total[h] += subgroupShuffleXor(total[h], step);
        [[unroll]] for (uint i = 0; i < V_HELD; i++) {
            vec4 x = sum[h * V_HELD + i] * fade;
            sum[h * V_HELD + i] = x + subgroupShuffleXor(x, step);
        }
    }
}

/* The subgroups in one: a head's result, or its part at `base` of scratch where there are several splits. */
void join_subgroups(uint h, uint token, uint head, bool whole, uint base)
{
    uint mine = gl_SubgroupID * (VALUE + 2);
    join_lanes(h);
    barrier();
    if (gl_SubgroupInvocationID < LANES)
        [[unroll]] for (uint i = 0; i < V_HELD; i++) {
            uint d = own_piece(i / V_QUADS) * V_PIECE + i % V_QUADS * 4;
            if (d < VALUE)
                [[unroll]] for (uint c = 0; c < 4; c++) part[mine + 2 + d + c] = sum[h * V_HELD + i][c];
        }
    if (subgroupElect()) {
        part[mine] = most[h];
        part[mine + 1] = total[h];
    }
    barrier();
    float highest = part[0], all = 0.0;
    for (uint s = 1; s < SUBGROUPS; s++) highest = max(highest, part[s * (VALUE + 2)]);
    for (uint s = 0; s < SUBGROUPS; s++)
        all = fma(part[s * (VALUE + 2) + 1], exp_exact(part[s * (VALUE + 2)] - highest), all);
    for (uint d = gl_LocalInvocationID.x; d < VALUE; d += BLOCK) {
        float v = 0.0;
        for (uint s = 0; s < SUBGROUPS; s++)
            v = fma(part[s * (VALUE + 2) + 2 + d], exp_exact(part[s * (VALUE + 2)] - highest), v);
        if (whole) write_result(token, head, d, finished(head, v, highest, all));
        else shared_f[OUT(0, SCRATCH)].d[base + 2 + d] = v;
    }
    if (whole || gl_LocalInvocationID.x != 0) return;
    shared_f[OUT(0, SCRATCH)].d[base] = highest;
    shared_f[OUT(0, SCRATCH)].d[base + 1] = all;
}

void main()
{
    uint heads = P.job[0].u0.x, of_group = P.job[0].u0.y, blocks = P.job[0].u2.x, n_splits = P.job[0].u1.y;
    uint split = group_number() % n_splits, n_blocks = heads / of_group * blocks;
    uint block = group_number() / n_splits % n_blocks, token = group_number() / n_splits / n_blocks;
    if (token >= tensor_dim(0, Q, 0)) return;
    uvec2 seen = positions_of(token);
    uint n = seen.y - seen.x, used = clamp((n + P.job[0].u2.y - 1) / P.job[0].u2.y, 1, n_splits);
    uint length = max(((n + used - 1) / used + ROWS - 1) / ROWS * ROWS, ROWS);
    used = max((n + length - 1) / length, 1);
    if (split >= used) return; /* nobody waits for it: the last of those that have positions combines */
    uint begin = seen.x + split * length, end = min(begin + length, seen.y), sequence = sequence_of(token);
    uint group = block / blocks, head0 = group * of_group + block % blocks * HEADS, last = (group + 1) * of_group - 1;
    uint row = tensor_first(0, Q) + token * tensor_stride(0, Q, 0);
    uint slot = gl_SubgroupID * (gl_SubgroupSize / LANES) + piece_row(LANES, gl_SubgroupInvocationID);

    [[unroll]] for (uint h = 0; h < HEADS; h++)
        begin_head(h, row + min(head0 + h, last) * tensor_stride(0, Q, 1));
    for (uint from = begin; from < end; from += ROWS * AHEAD)
        walk(token, sequence, group, head0, last, slot, from, end);
    [[unroll]] for (uint h = 0; h < HEADS; h++) {
        uint head = head0 + h, base = part_of_head(token, head, n_splits) + split * (VALUE + 2);
        if (head <= last) join_subgroups(h, token, head, used == 1, base);
    }
    if (used == 1 || !is_last(token * n_blocks + block, used)) return;
    for (uint head = head0; head <= min(head0 + HEADS - 1, last); head++)
        combine(token, head, used, part_of_head(token, head, n_splits));
}
