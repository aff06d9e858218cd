/* matmul_lanes.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and many rows of x, on processors that
 * carry out subgroups as vector registers: there a load at an address of its own per lane costs as much as tens of
 * operations, however many bytes it brings, and a broadcast from a known lane costs one.
 *
 * A workgroup is one subgroup of P lanes. It makes P * ROWS rows of COLS columns (rows of x), S columns of the matrix
 * at a time: every lane has the weights of its own rows, lane l has x's elements 4 l .. 4 l + 3 of the S (and of the
 * next 4 P), from where they are broadcast. */
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
layout(constant_id = 4) const uint COLS = 8;
layout(constant_id = 5) const uint VECTORS = 1; /* x is f32 in groups of four that are aligned */

const uint TAIL = 1; /* S columns go beyond a row's end */

#include "math.glsl"
#include "weights.glsl"

const uint PER_CHUNK = WEIGHT_TYPE == F32 ? 4 : WEIGHT_TYPE == Q8_0 ? 16 : WEIGHT_TYPE == Q4_0 ? 32 : 8;
const bool SCALED = WEIGHT_TYPE == Q8_0 || WEIGHT_TYPE == Q4_0;
const uint S = 4 * PANEL_ROWS < PER_CHUNK ? PER_CHUNK : 4 * PANEL_ROWS;
const uint QUADS = S / (4 * PANEL_ROWS); /* of x, per lane and column */
const uint CHUNKS = S / PER_CHUNK;

#include "linear.glsl"

void main()
{
    uint j = job_of_group(), group = gl_WorkGroupID.x - P.job[j].groups.x, lane = gl_LocalInvocationID.x;
    uint col0 = group % P.job[j].u2.x * COLS, row0 = group / P.job[j].u2.x * PANEL_ROWS * ROWS;
    uint n_cols = tensor_dim(j, X, 0) * P.job[j].u1.x, last_col = P.job[j].u2.y - 1;
    if (col0 >= n_cols) return;
    uvec4 q = P.job[j].u0;
    uint chunk[ROWS], scale[ROWS];
    float sum[ROWS * COLS];
    uint padded = (P.job[j].t[W].stride_b.w + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        /* rows past the end read the last group's padding */
        uint row = min(row0 + r * PANEL_ROWS, padded - PANEL_ROWS) + lane;
        chunk[r] = chunk_base(q, row);
        scale[r] = scale_base(q, row);
        [[unroll]] for (uint c = 0; c < COLS; c++) sum[r * COLS + c] = 0.0;
    }
    for (uint k = 0; k < q.x; k += CHUNKS) {
        vec4 x[COLS * QUADS];
        [[unroll]] for (uint c = 0; c < COLS; c++)
            [[unroll]] for (uint i = 0; i < QUADS; i++) {
                uint at = k * PER_CHUNK + 4 * (i * PANEL_ROWS + lane);
                vec4 v = x_quad(j, min(col0 + c, last_col), min(at, q.w - 1) & ~3u);
                x[c * QUADS + i] = at < q.w ? v : vec4(0.0);
            }
        [[unroll]] for (uint h = 0; h < CHUNKS; h++) {
            uvec4 w[ROWS];
            float s[ROWS];
            uint at = min(k + h, q.x - 1); /* what repeats meets zeros */
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                w[r] = in_v[IN(j, W)].d[chunk[r] + at * PANEL_ROWS];
                s[r] = SCALED ? load_half(IN(j, W), scale[r] + at * PER_CHUNK / 32 * PANEL_ROWS) : 1.0;
            }
            [[unroll]] for (uint i = 0; i < PER_CHUNK / 4; i++) {
                vec4 v[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; r++) v[r] = SCALED ? chunk_quad(WEIGHT_TYPE, w[r], i) * s[r]
                                                              : chunk_quad(WEIGHT_TYPE, w[r], i);
                uint quad = h * PER_CHUNK / 4 + i;
                [[unroll]] for (uint c = 0; c < COLS; c++) {
                    vec4 b = subgroupBroadcast(x[c * QUADS + quad / PANEL_ROWS], quad % PANEL_ROWS);
                    [[unroll]] for (uint r = 0; r < ROWS; r++) {
                        float a = sum[r * COLS + c];
                        a = fma(v[r].x, b.x, a);
                        a = fma(v[r].y, b.y, a);
                        a = fma(v[r].z, b.z, a);
                        sum[r * COLS + c] = fma(v[r].w, b.w, a);
                    }
                }
            }
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint c = 0; c < COLS; c++)
            finish(j, row0 + r * PANEL_ROWS + lane, col0 + c, n_cols, sum[r * COLS + c]);
}
