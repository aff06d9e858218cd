/* matvec_lanes.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and a few rows of x at a time, on processors
 * that carry out subgroups as vector registers: every lane has ROWS rows of its own, and x is read at addresses that
 * are the same for all of them. A workgroup is P lanes and makes P * ROWS rows of COLS columns (rows of x).
 *
 * DOT, FUSED, SELECT: as matvec.comp has them. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef DOT
#extension GL_EXT_spirv_intrinsics : require
#endif
#ifdef FUSED
#define IN_SLOTS 6
#else
#define IN_SLOTS 5
#endif
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = F16;
layout(constant_id = 2) const uint PANEL_ROWS = 1;
layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const uint COLS = 1;
layout(constant_id = 5) const uint VECTORS = 1; /* x is f32 in groups of four that are aligned */
layout(constant_id = 6) const uint TAIL = 0;    /* the last chunk of a row has fewer columns */

#define LANE_ROWS 1
#include "math.glsl"
#include "weights.glsl"
#include "linear.glsl"
#ifdef DOT
#include "dot_lanes.glsl"
#endif
#ifdef SELECT
#include "select.glsl"
#endif
#ifdef FUSED
layout(constant_id = 9) const uint GATED = 0;
layout(constant_id = 10) const uint NORM = 0;
const uint ALL_ROWS = ROWS * (1 + GATED);    /* of both matrices */
const uint SUMS = (ALL_ROWS + 1) * COLS;     /* after them the squares of x */
#include "fused.glsl"
#else
const uint ALL_ROWS = ROWS;
const uint SUMS = ROWS * COLS;
#endif

/* Sums meet in shared memory and are finished in a loop: unrolled, the ends of all sums are most of the code, and of
 * what drivers take to compile. */
const uint RESULTS = ROWS * COLS;
shared float part[BLOCK * SUMS];

/* Of this invocation: sums by row and column, and a chunk of each row. */
float sum[SUMS];
weight_chunk w[ALL_ROWS];

/* Weights 4 i .. 4 i + 3 of chunk k. */
void add_quad(uint j, uint col0, uint last_col, uint k, uint i)
{
    vec4 v[ALL_ROWS];
    [[unroll]] for (uint r = 0; r < ALL_ROWS; r++) v[r] = chunk_quad(w[r], i);
#ifdef FUSED
    vec4 gain = NORM != 0 ? gain_quad(j, k * (PER_CHUNK / 4) + i) : vec4(1.0);
#endif
    [[unroll]] for (uint c = 0; c < COLS; c++) {
        vec4 x = x_quad(j, min(col0 + c, last_col), k * (PER_CHUNK / 4) + i);
#ifdef FUSED
        if (NORM != 0) {
            sum[ALL_ROWS * COLS + c] = add_squares(sum[ALL_ROWS * COLS + c], x);
            x *= gain;
        }
#endif
        [[unroll]] for (uint r = 0; r < ALL_ROWS; r++) {
            float a = sum[r * COLS + c];
            a = fma(v[r].x, x.x, a);
            a = fma(v[r].y, x.y, a);
            a = fma(v[r].z, x.z, a);
            sum[r * COLS + c] = fma(v[r].w, x.w, a);
        }
    }
}

/* Sum i of a lane: each reads what it wrote. */
float total(uint i, uint lane) { return part[i * BLOCK + lane]; }

void finish_sum(uint j, uint row0, uint col0, uint n_cols, uint i, uint lane)
{
    uint row = row0 + i / COLS * PANEL_ROWS + lane, c = i % COLS;
#ifdef FUSED
    float up = GATED != 0 ? total(RESULTS + i, lane) : 1.0;
    float factor = NORM != 0 ? norm_factor(j, total(ALL_ROWS * COLS + c, lane)) : 1.0;
    finish(j, row, col0 + c, n_cols, total(i, lane) * factor, up * factor);
#else
    finish(j, row, col0 + c, n_cols, total(i, lane));
#endif
}

void main()
{
    uint lane = gl_LocalInvocationID.x, j = job_of_group(), group = group_number() - P.job[j].groups.x;
    uint col0 = group % P.job[j].u2.x * COLS, row0 = group / P.job[j].u2.x * PANEL_ROWS * ROWS;
#ifdef SELECT
    uint n_cols = choices(j), last_col = x_of_choice(j, col0);
    if (col0 >= n_cols || !find_expert(j, row0, PANEL_ROWS * ROWS, lane, BLOCK, col0)) return;
#else
    uint n_cols = tensor_dim(j, X, 0) * P.job[j].u1.x, last_col = P.job[j].u2.y - 1;
    if (col0 >= n_cols || row0 >= P.job[j].t[W].stride_b.w) return;
#endif
    uvec4 q = P.job[j].u0;
    weight_row rows[ROWS];
    uint padded = (P.job[j].t[W].stride_b.w + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        /* rows past the end read the last group's padding */
#ifdef SELECT
        uint row = row_of_part(j, row0 + r * PANEL_ROWS + lane);
#else
        uint row = min(row0 + r * PANEL_ROWS, padded - PANEL_ROWS) + lane;
#endif
        rows[r] = find_row(q, row);
    }
    [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] = 0.0;
    for (uint k = 0; k < q.x; k++) {
        [[unroll]] for (uint r = 0; r < ROWS; r++) w[r] = load_chunk(IN(j, W), rows[r], k);
#ifdef FUSED
        if (GATED != 0)
            [[unroll]] for (uint r = 0; r < ROWS; r++) w[ALL_ROWS - ROWS + r] = load_chunk(IN(j, UP), rows[r], k);
#endif
#ifdef DOT
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            quantized x = x_chunk(j, min(col0 + c, last_col), k);
            [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r * COLS + c] += dot_chunk(w[r], x);
        }
#else
        if (VECTORS != 0) [[unroll]] for (uint i = 0; i < PER_CHUNK / 4; i++) add_quad(j, col0, last_col, k, i);
        else [[dont_unroll]] for (uint i = 0; i < PER_CHUNK / 4; i++) add_quad(j, col0, last_col, k, i); /* long code */
#endif
    }
    [[unroll]] for (uint i = 0; i < SUMS; i++) part[i * BLOCK + lane] = sum[i];
    [[dont_unroll]] for (uint i = 0; i < RESULTS; i++) finish_sum(j, row0, col0, n_cols, i, lane);
}
