/* matvec.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and a few rows of x at a time.
 *
 * P lanes hold a row each (times ROWS), the S = BLOCK / P groups of lanes share the columns. P = 1 on GPUs: all
 * lanes walk along one row, 16 bytes each. P = subgroup size with S = 1 on processors: every lane has rows of its
 * own, and x is read at addresses that are the same for all of them. A workgroup makes P * ROWS rows of COLS
 * columns (rows of x).
 *
 * DOT: x was quantised to bytes before, in an earlier launch. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#ifdef DOT
#extension GL_EXT_spirv_intrinsics : require
#endif
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = F16;
layout(constant_id = 2) const uint PANEL_ROWS = 1;
layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const uint COLS = 1;
layout(constant_id = 5) const uint VECTORS = 1; /* x is f32 in groups of four that are aligned */
layout(constant_id = 6) const uint TAIL = 0;    /* the last chunk of a row has fewer columns */

#include "math.glsl"
#include "weights.glsl"

const uint SLICES = BLOCK / PANEL_ROWS;
const uint PER_CHUNK = WEIGHT_TYPE == F32 ? 4 : WEIGHT_TYPE == Q8_0 ? 16 : WEIGHT_TYPE == Q4_0 ? 32 : 8;
const bool SCALED = WEIGHT_TYPE == Q8_0 || WEIGHT_TYPE == Q4_0;

#include "linear.glsl"
#ifdef DOT
#include "dot.glsl"
#endif

/* Where a lane owns its rows its sums go through shared memory and are finished in a loop: unrolled, the ends of all
 * sums are most of the code, and of what drivers take to compile. */
const bool OWN = SLICES == 1;
shared float part[OWN ? BLOCK * ROWS * COLS : BLOCK];

/* Of this invocation: sums by row and column, and a chunk of each row with its scale. */
float sum[ROWS * COLS], s[ROWS];
uvec4 w[ROWS];

/* Weights 4 i .. 4 i + 3 of chunk k. */
void add_quad(uint j, uint col0, uint last_col, uint k, uint i)
{
    vec4 v[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        v[r] = SCALED ? chunk_quad(WEIGHT_TYPE, w[r], i) * s[r] : chunk_quad(WEIGHT_TYPE, w[r], i);
    [[unroll]] for (uint c = 0; c < COLS; c++) {
        vec4 x = x_quad(j, min(col0 + c, last_col), k * PER_CHUNK + 4 * i);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float a = sum[r * COLS + c];
            a = fma(v[r].x, x.x, a);
            a = fma(v[r].y, x.y, a);
            a = fma(v[r].z, x.z, a);
            sum[r * COLS + c] = fma(v[r].w, x.w, a);
        }
    }
}

void main()
{
    uint j = job_of_group(), group = gl_WorkGroupID.x - P.job[j].groups.x;
    uint col0 = group % P.job[j].u2.x * COLS, row0 = group / P.job[j].u2.x * PANEL_ROWS * ROWS;
    uint n_cols = tensor_dim(j, X, 0) * P.job[j].u1.x, last_col = P.job[j].u2.y - 1;
    if (col0 >= n_cols) return;
    uint lane = gl_LocalInvocationID.x % PANEL_ROWS, slice = SLICES == 1 ? 0 : gl_LocalInvocationID.x / PANEL_ROWS;
    uvec4 q = P.job[j].u0;
    uint chunk[ROWS], scale[ROWS];
    uint padded = (P.job[j].t[W].stride_b.w + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    for (uint r = 0; r < ROWS; r++) {
        /* rows past the end read the last group's padding */
        uint row = min(row0 + r * PANEL_ROWS, padded - PANEL_ROWS) + lane;
        chunk[r] = chunk_base(q, row);
        scale[r] = scale_base(q, row);
        for (uint c = 0; c < COLS; c++) sum[r * COLS + c] = 0.0;
    }
    for (uint k = slice; k < q.x; k += SLICES) {
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            w[r] = in_v[IN(j, W)].d[chunk[r] + k * PANEL_ROWS];
            s[r] = SCALED ? load_half(IN(j, W), scale[r] + k * PER_CHUNK / 32 * PANEL_ROWS) : 1.0;
        }
#ifdef DOT
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            quantized x = x_chunk(j, min(col0 + c, last_col), k);
            [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r * COLS + c] += s[r] * dot_chunk(w[r], x);
        }
#else
        if (VECTORS != 0) [[unroll]] for (uint i = 0; i < PER_CHUNK / 4; i++) add_quad(j, col0, last_col, k, i);
        else [[dont_unroll]] for (uint i = 0; i < PER_CHUNK / 4; i++) add_quad(j, col0, last_col, k, i); /* long code */
#endif
    }
#ifndef SUBGROUP
    if (OWN) {
        [[unroll]] for (uint i = 0; i < ROWS * COLS; i++) part[i * BLOCK + lane] = sum[i];
        [[dont_unroll]] for (uint i = 0; i < ROWS * COLS; i++)
            finish(j, row0 + i / COLS * PANEL_ROWS + lane, col0 + i % COLS, n_cols, part[i * BLOCK + lane]);
        return;
    }
#endif
    for (uint r = 0; r < ROWS; r++)
        for (uint c = 0; c < COLS; c++) {
            float v = sum[r * COLS + c];
#ifdef SUBGROUP
            v = subgroupAdd(v); /* P = 1: all lanes share the row */
            if (gl_NumSubgroups > 1) {
                if (subgroupElect()) part[gl_SubgroupID] = v;
                barrier();
                v = 0.0;
                for (uint i = 0; i < gl_NumSubgroups; i++) v += part[i];
                barrier();
            }
            if (gl_LocalInvocationID.x == 0) finish(j, row0 + r, col0 + c, n_cols, v);
#else
            part[gl_LocalInvocationID.x] = v;
            for (uint step = SLICES / 2; step > 0; step /= 2) {
                barrier();
                if (slice < step) part[gl_LocalInvocationID.x] += part[gl_LocalInvocationID.x + step * PANEL_ROWS];
            }
            barrier();
            v = part[lane];
            barrier();
            if (slice == 0) finish(j, row0 + r * PANEL_ROWS + lane, col0 + c, n_cols, v);
#endif
        }
}
