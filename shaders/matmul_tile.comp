/* matmul_tile.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and many rows of x: a workgroup makes a
 * tile of TILE_ROWS x TILE_COLS, DEPTH columns at a time through shared memory, an invocation 4 x 4 of it. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = F16;
layout(constant_id = 2) const uint PANEL_ROWS = 1; /* on processors */
layout(constant_id = 3) const uint TILE_ROWS = 64;
layout(constant_id = 4) const uint TILE_COLS = 64; /* BLOCK is TILE_ROWS * TILE_COLS / 16 */
layout(constant_id = 5) const uint VECTORS = 1;
layout(constant_id = 6) const uint TAIL = 0;

#include "math.glsl"
#include "weights.glsl"
#include "linear.glsl"

const uint DEPTH = 32; /* a block of every block type */
const uint PIECES = DEPTH / 4 / PIECE_QUADS; /* of a row, per step */

/* [depth][row]: neighbours in a row of invocations read neighbouring words */
shared float tile_w[DEPTH * (TILE_ROWS + 1)];
shared float tile_x[DEPTH * (TILE_COLS + 1)];

void load_weights(uint j, uvec4 q, uint row0, uint piece0)
{
    uint padded = (P.job[j].t[W].stride_b.w + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    for (uint i = gl_LocalInvocationID.x; i < TILE_ROWS * PIECES; i += BLOCK) {
        uint r = i / PIECES, p = piece0 + i % PIECES, row = min(row0 + r, padded - 1);
        weight_piece w = no_piece();
        if (p * PIECE_QUADS * 4 < q.w) w = load_piece(IN(j, W), q, row, p);
        [[unroll]] for (uint k = 0; k < PIECE_QUADS; k++) {
            vec4 v = piece_quad(w, k);
            uint to = (i % PIECES * PIECE_QUADS + k) * 4 * (TILE_ROWS + 1) + r;
            [[unroll]] for (uint e = 0; e < 4; e++) tile_w[to + e * (TILE_ROWS + 1)] = v[e];
        }
    }
}

void load_x(uint j, uint col0, uint k0)
{
    uint last = P.job[j].u2.y - 1;
    for (uint i = gl_LocalInvocationID.x; i < TILE_COLS * DEPTH / 4; i += BLOCK) {
        uint c = i / (DEPTH / 4), k = i % (DEPTH / 4) * 4;
        vec4 v = k0 + k < P.job[j].u0.w ? x_quad(j, min(col0 + c, last), (k0 + k) / 4) : vec4(0.0);
        [[unroll]] for (uint e = 0; e < 4; e++) tile_x[(k + e) * (TILE_COLS + 1) + c] = v[e];
    }
}

void main()
{
    uint j = 0, group = group_number(), me = gl_LocalInvocationID.x;
    uint col0 = group % P.job[j].u2.x * TILE_COLS, row0 = group / P.job[j].u2.x * TILE_ROWS;
    uint n_cols = tensor_dim(j, X, 0) * P.job[j].u1.x;
    if (col0 >= n_cols || row0 >= P.job[j].t[W].stride_b.w) return;
    uvec4 q = P.job[j].u0;
    uint r0 = me % (TILE_ROWS / 4), c0 = me / (TILE_ROWS / 4);
    float sum[16];
    [[unroll]] for (uint i = 0; i < 16; i++) sum[i] = 0.0;
    for (uint k0 = 0; k0 < q.w; k0 += DEPTH) {
        load_weights(j, q, row0, k0 / 4 / PIECE_QUADS);
        load_x(j, col0, k0);
        barrier();
        for (uint k = 0; k < DEPTH; k++) {
            float w[4], x[4];
            [[unroll]] for (uint i = 0; i < 4; i++) {
                w[i] = tile_w[k * (TILE_ROWS + 1) + r0 + i * (TILE_ROWS / 4)];
                x[i] = tile_x[k * (TILE_COLS + 1) + c0 + i * (TILE_COLS / 4)];
            }
            [[unroll]] for (uint i = 0; i < 16; i++) sum[i] = fma(w[i % 4], x[i / 4], sum[i]);
        }
        barrier();
    }
    [[unroll]] for (uint i = 0; i < 16; i++)
        finish(j, row0 + r0 + i % 4 * (TILE_ROWS / 4), col0 + c0 + i / 4 * (TILE_COLS / 4), n_cols, sum[i]);
}
