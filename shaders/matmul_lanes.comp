/* matmul_lanes.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and many rows of x, on processors that
 * carry out subgroups as vector registers: there a load at an address of its own per lane costs tens of instructions
 * per lane, however the addresses lie, and a broadcast from a known lane costs one or two.
 *
 * A workgroup is one subgroup of P lanes. It makes P * ROWS rows of COLS columns (rows of x), a chunk of each row at a
 * time: every lane has the weights of its own rows, and groups of four elements of x are dealt out to the lanes, from
 * where they are broadcast. Loads and products are unrolled, and nothing else: what is there once per sum (bias,
 * activation, residuals) is a loop over sums in shared memory, which every invocation writes and reads for itself. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = F16;
layout(constant_id = 2) const uint PANEL_ROWS = 8;
layout(constant_id = 3) const uint ROWS = 4;
layout(constant_id = 4) const uint COLS = 8;    /* a multiple of P and of four */
layout(constant_id = 5) const uint VECTORS = 1; /* x is f32 in groups of four that are aligned */
layout(constant_id = 6) const uint TAIL = 0;    /* the last chunk of a row has fewer columns */

#include "math.glsl"
#define LANE_ROWS 1
#include "weights.glsl"

const uint QUADS = PER_CHUNK / 4;
const uint LOADS = COLS * QUADS / PANEL_ROWS;

#include "linear.glsl"

shared vec4 result[ROWS * COLS / 4 * PANEL_ROWS];

void main()
{
    uint lane = gl_LocalInvocationID.x, blocks = P.job[0].u2.x, last_col = P.job[0].u2.y - 1;
    uint col0 = group_number() % blocks * COLS, row0 = group_number() / blocks * PANEL_ROWS * ROWS;
    uint n_cols = tensor_dim(0, X, 0) * P.job[0].u1.x;
    if (col0 >= n_cols || row0 >= P.job[0].t[W].stride_b.w) return;
    uvec4 q = P.job[0].u0;
    weight_row rows[ROWS];
    float sum[ROWS * COLS];
    uint padded = (P.job[0].t[W].stride_b.w + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        /* rows past the end read the last group's padding */
        uint row = min(row0 + r * PANEL_ROWS, padded - PANEL_ROWS) + lane;
        rows[r] = find_row(q, row);
        [[unroll]] for (uint c = 0; c < COLS; c++) sum[r * COLS + c] = 0.0;
    }
    for (uint k = 0; k < q.x; k++) {
        vec4 x[LOADS], w[ROWS * QUADS];
        [[unroll]] for (uint i = 0; i < LOADS; i++) {
            uint e = i * PANEL_ROWS + lane;
            x[i] = x_quad(0, min(col0 + e / QUADS, last_col), k * QUADS + e % QUADS);
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            weight_chunk c = load_chunk(W, rows[r], k);
            [[unroll]] for (uint i = 0; i < QUADS; i++) w[r * QUADS + i] = chunk_quad(c, i);
        }
        [[unroll]] for (uint c = 0; c < COLS; c++)
            [[unroll]] for (uint i = 0; i < QUADS; i++) {
                uint e = c * QUADS + i;
                vec4 b = subgroupBroadcast(x[e / PANEL_ROWS], e % PANEL_ROWS);
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    float a = sum[r * COLS + c];
                    a = fma(w[r * QUADS + i].x, b.x, a);
                    a = fma(w[r * QUADS + i].y, b.y, a);
                    a = fma(w[r * QUADS + i].z, b.z, a);
                    sum[r * COLS + c] = fma(w[r * QUADS + i].w, b.w, a);
                }
            }
    }
    [[unroll]] for (uint i = 0; i < ROWS * COLS; i += 4)
        result[i / 4 * PANEL_ROWS + lane] = vec4(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]);
    [[dont_unroll]] for (uint i = 0; i < ROWS * COLS; i++) {
        vec4 v = result[i / 4 * PANEL_ROWS + lane];
        finish(0, row0 + i / COLS * PANEL_ROWS + lane, col0 + i % COLS, n_cols, v[i & 3]);
    }
}
