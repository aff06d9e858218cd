/* attention_tile.comp: attention for prompts: a workgroup per head and ROWS tokens, which walks over the positions that
 * any of them sees, one sequence after the other, BLOCK at a time (from multiples of BLOCK on), with the running
 * maximum and sum of Milakov and Gimelshein (arXiv:1805.02867), as in FlashAttention (arXiv:2205.14135).
 *
 * An invocation scores one cell against all tokens, then sums two elements of the head (SPAN times) for all of them;
 * where there are more invocations than pairs of elements, GROUPS of them share the cells. Queries and scores lie in
 * shared memory with the tokens innermost, so that a group reads them at one address. Nothing diverges on the way:
 * cells past the end repeat the last one and count nothing, and so does cell 0 for pages that are not there.
 *
 * With PIECES the positions are cut, at multiples of u2.x, into pieces with a workgroup each, whose maxima, sums and
 * unnormalised values the last one joins in order. As a token's bits depend on its own positions alone, so that a piece
 * in which it sees nothing changes none, this serves deterministic programs, few tokens as well as many. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 10
#define OUT_SLOTS 3
#include "common.glsl"
#include "math.glsl"
#include "attention.glsl"
#include "attention_join.glsl"

layout(constant_id = 4) const uint ROWS = 8;
layout(constant_id = 8) const uint PIECES = 0;

const uint PAIRS = (VALUE + 1) / 2;
const uint SPAN = (PAIRS + BLOCK - 1) / BLOCK;
const uint GROUPS = BLOCK < PAIRS ? 1 : BLOCK / PAIRS;
const uint SLICES = BLOCK / ROWS;
const float UNSEEN = -1e30;

shared float query[HEAD * ROWS], score[BLOCK * ROWS], part[BLOCK];
shared float row_max[ROWS], row_sum[ROWS], row_factor[ROWS];
shared uvec2 row_seen[ROWS];
shared uint row_sequence[ROWS]; /* NOWHERE where nothing is seen */
shared uint where[PAGED != 0 ? BLOCK : 1]; /* cells of the scores */

/* Elements d and d + 1 of a row of V. */
vec2 value_pair(uint base, uint d)
{
    if (VECTORS != 0) return row_pair(V, V_TYPE, base + d);
    float odd = d + 1 < VALUE ? load_stored(V, V_TYPE, base + d + 1) : 0.0;
    return vec2(load_stored(V, V_TYPE, base + d), odd);
}

void prepare(uint token0, uint head)
{
    uint me = gl_LocalInvocationID.x, last_token = tensor_dim(0, Q, 0) - 1, type = tensor_dtype(0, Q);
    for (uint i = me; i < HEAD * ROWS; i += BLOCK) {
        uint token = min(token0 + i % ROWS, last_token);
        uint at = tensor_first(0, Q) + token * tensor_stride(0, Q, 0) + head * tensor_stride(0, Q, 1) + i / ROWS;
        query[i] = load_as_float(Q, type, at) * P.job[0].f0.x;
    }
    for (uint r = me; r < ROWS; r += BLOCK) {
        uint token = min(token0 + r, last_token);
        row_seen[r] = positions_of(token);
        row_sequence[r] = row_seen[r].x < row_seen[r].y ? sequence_of(token) : NOWHERE;
        row_max[r] = UNSEEN;
        row_sum[r] = 0.0;
    }
    barrier();
}

/* The least sequence from `least` on that a token is of. */
uint next_sequence(uint least)
{
    uint next = NOWHERE;
    for (uint r = 0; r < ROWS; r++)
        if (row_sequence[r] >= least) next = min(next, row_sequence[r]);
    return next;
}

/* The positions that any token of a sequence sees. */
uvec2 range_of(uint turn)
{
    uvec2 range = uvec2(NOWHERE, 0);
    for (uint r = 0; r < ROWS; r++)
        if (row_sequence[r] == turn) range = uvec2(min(range.x, row_seen[r].x), max(range.y, row_seen[r].y));
    return range;
}

/* This invocation's cell against all tokens. */
void score_cell(uint base, out float s[ROWS])
{
    [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = 0.0;
    for (uint d = 0; d < HEAD; d += 4) {
        vec4 k = key_quad(base, d);
        [[unroll]] for (uint e = 0; e < 4; e++)
            if (HEAD % 4 == 0 || d + e < HEAD)
                [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = fma(k[e], query[(d + e) * ROWS + r], s[r]);
    }
}

/* Rows' maxima with the new scores, and what they make of the sums so far. */
void raise()
{
    uint me = gl_LocalInvocationID.x, r = me % ROWS;
    float most = UNSEEN;
    for (uint i = me / ROWS; i < BLOCK; i += SLICES) most = max(most, score[i * ROWS + r]);
    part[me] = most;
    barrier();
    if (me < ROWS) {
        most = row_max[me];
        for (uint k = 0; k < SLICES; k++) most = max(most, part[k * ROWS + me]);
        row_factor[me] = row_sum[me] > 0.0 ? exp_exact(row_max[me] - most) : 0.0;
        row_max[me] = most;
    }
    barrier();
}

/* Where a token's part of a piece is in scratch: maximum, sum, values. */
uint part_at(uint token, uint head, uint piece)
{
    return ((token * P.job[0].u0.x + head) * P.job[0].u1.y + piece) * (VALUE + 2);
}

void write_result(uint token, uint head, uint d, float v, float most, float total)
{
    uint to = tensor_first(0, Y) + (token * P.job[0].u0.x + head) * VALUE + d;
    out_f[OUT(0, Y)].d[to] = finished(head, v, most, total);
}

/* Pieces that hold a position which one of the tokens sees, from the first on. */
uint pieces_used()
{
    uint end = 1;
    for (uint r = 0; r < ROWS; r++)
        if (row_sequence[r] != NOWHERE) end = max(end, row_seen[r].y);
    return (end + P.job[0].u2.x - 1) / P.job[0].u2.x;
}

void join(uint token0, uint head, uint n_tokens, uint used)
{
    for (uint i = gl_LocalInvocationID.x; i < ROWS * VALUE; i += BLOCK) {
        uint token = token0 + i / VALUE, d = i % VALUE;
        float most = UNSEEN, total = 0.0, v = 0.0;
        if (token >= n_tokens) continue;
        for (uint piece = 0; piece < used; piece++) {
            uint at = part_at(token, head, piece);
            float here = shared_f[OUT(0, SCRATCH)].d[at], higher = max(most, here);
            float before = exp_exact(most - higher), now = exp_exact(here - higher);
            total = fma(total, before, shared_f[OUT(0, SCRATCH)].d[at + 1] * now);
            v = fma(v, before, shared_f[OUT(0, SCRATCH)].d[at + 2 + d] * now);
            most = higher;
        }
        write_result(token, head, d, v, most, total);
    }
}

void main()
{
    uint me = gl_LocalInvocationID.x, heads = P.job[0].u0.x, pieces = PIECES != 0 ? P.job[0].u1.y : 1;
    uint piece = group_number() % pieces, tile = group_number() / pieces, head = tile % heads;
    uint token0 = tile / heads * ROWS, group = head / P.job[0].u0.y, n_tokens = tensor_dim(0, Q, 0);
    if (token0 >= n_tokens) return;
    prepare(token0, head);
    uint used = PIECES != 0 ? pieces_used() : 1;
    if (piece >= used) return; /* nobody waits for it */
    uvec2 own = PIECES != 0 ? uvec2(piece, piece + 1) * P.job[0].u2.x : uvec2(0, NOWHERE);
    uint part_of = GROUPS == 1 ? 0 : me / PAIRS, pair = GROUPS == 1 ? me : me % PAIRS;
    uint element[SPAN];
    float sum[SPAN * 2 * ROWS];
    [[unroll]] for (uint k = 0; k < SPAN; k++) element[k] = 2 * min(pair + k * BLOCK, PAIRS - 1);
    [[unroll]] for (uint i = 0; i < SPAN * 2 * ROWS; i++) sum[i] = 0.0;

    for (uint turn = next_sequence(0); turn != NOWHERE; turn = next_sequence(turn + 1)) {
        uvec2 range = range_of(turn);
        range = uvec2(max(range.x, own.x), min(range.y, own.y));
        for (uint begin = range.x / BLOCK * BLOCK; begin < range.y; begin += BLOCK) {
            uint n = min(range.y - begin, BLOCK), at = begin + min(me, n - 1), cell = cell_at(turn, at);
            bool there = me < n && cell != NOWHERE;
            float s[ROWS];
            if (cell == NOWHERE) cell = 0;
            if (PAGED != 0) where[me] = cell;
            score_cell(kv_base(K, group, cell), s);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                bool seen = there && row_sequence[r] == turn && at >= row_seen[r].x && at < row_seen[r].y;
                s[r] = seen ? dressed(s[r], head, token0 + r, at) : UNSEEN;
                score[me * ROWS + r] = s[r];
            }
            barrier();
            raise();
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                score[me * ROWS + r] = s[r] != UNSEEN ? exp_exact(s[r] - row_max[r]) : 0.0;
            barrier();
            float total = 0.0;
            for (uint i = me / ROWS; i < BLOCK; i += SLICES) total += score[i * ROWS + me % ROWS];
            part[me] = total;
            [[unroll]] for (uint k = 0; k < SPAN; k++) {
                [[unroll]] for (uint i = 0; i < 2 * ROWS; i++) sum[k * 2 * ROWS + i] *= row_factor[i % ROWS];
                for (uint i = part_of; i < n; i += GROUPS) {
                    vec2 v = value_pair(kv_base(V, group, PAGED != 0 ? where[i] : begin + i), element[k]);
                    [[unroll]] for (uint r = 0; r < ROWS; r++) {
                        float p = score[i * ROWS + r];
                        sum[(2 * k + 0) * ROWS + r] = fma(p, v.x, sum[(2 * k + 0) * ROWS + r]);
                        sum[(2 * k + 1) * ROWS + r] = fma(p, v.y, sum[(2 * k + 1) * ROWS + r]);
                    }
                }
            }
            barrier();
            if (me < ROWS) {
                float all = row_sum[me] * row_factor[me];
                for (uint k = 0; k < SLICES; k++) all += part[k * ROWS + me];
                row_sum[me] = all;
            }
            barrier();
        }
    }

    [[unroll]] for (uint e = 0; e < 2 * SPAN; e++) {
        uint d = 2 * (pair + e / 2 * BLOCK) + e % 2;
        if (GROUPS > 1) {
            barrier();
            [[unroll]] for (uint r = 0; r < ROWS; r++) score[me * ROWS + r] = sum[e * ROWS + r];
            barrier();
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float v = sum[e * ROWS + r];
            [[unroll]] for (uint g = 1; g < GROUPS; g++) v += score[(pair + g * PAIRS) * ROWS + r];
            if (d >= VALUE || part_of != 0 || token0 + r >= n_tokens) continue;
            if (used > 1) shared_f[OUT(0, SCRATCH)].d[part_at(token0 + r, head, piece) + 2 + d] = v;
            else write_result(token0 + r, head, d, v, row_max[r], row_sum[r]);
        }
    }
    if (PIECES == 0 || used == 1) return;
    if (me < ROWS && token0 + me < n_tokens) {
        shared_f[OUT(0, SCRATCH)].d[part_at(token0 + me, head, piece)] = row_max[me];
        shared_f[OUT(0, SCRATCH)].d[part_at(token0 + me, head, piece) + 1] = row_sum[me];
    }
    if (is_last(tile, used)) join(token0, head, n_tokens, used);
}
