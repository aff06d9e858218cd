/* matvec.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and a few rows of x at a time, on GPUs: lanes walk
 * along ROWS rows of the matrix, a chunk of each at a step, and read w and x in turn (turn.h). They load what STEPS
 * steps need before they compute with any of it. A team of lanes makes ROWS rows of COLS columns (rows of x).
 *
 * SUBGROUP: a workgroup's TEAMS teams are its subgroups, each with rows of its own, so that none waits for another; or
 * (TEAMS 1) all of it is one, where the matrix has few rows. Without, a workgroup is a team.
 * DOT: x was quantised to bytes before, in an earlier launch.
 * FUSED: a second matrix whose product gates the first one's, a norm of x, or both (fused.glsl).
 * SELECT: linear_select: a column is a token's choice, which names the matrix (select.glsl).
 * Processors have matvec_lanes.comp. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
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
layout(constant_id = 2) const uint STEPS = 1;
layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const uint COLS = 1;
layout(constant_id = 5) const uint VECTORS = 1; /* x is f32 in groups of four that are aligned */
layout(constant_id = 6) const uint TAIL = 0;    /* a row's last turn is not full */
layout(constant_id = 7) const uint SUBGROUPS = 1; /* of a workgroup */
layout(constant_id = 8) const uint TEAMS = 1;

#include "math.glsl"
#include "weights.glsl"
#include "linear.glsl"
#ifdef DOT
#include "dot.glsl"
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
const uint RESULTS = ROWS * COLS;
const bool BLOCKS = CODES != CODES_FLOAT;
const uint LANES = BLOCK / TEAMS;

#ifdef SUBGROUP
shared float part[TEAMS == 1 ? SUBGROUPS * SUMS : 1];
#else
shared float part[BLOCK * SUMS];
#endif

/* Of this invocation: sums by row and column, and chunks of each row by step. */
float sum[SUMS];
weight_chunk w[STEPS * ALL_ROWS];

void load_step(uint j, uvec4 q, weight_row rows[ROWS], uint step, uint k, bool whole)
{
    [[unroll]] for (uint r = 0; r < ROWS; r++) w[step * ALL_ROWS + r] = load_chunk(IN(j, W), q, rows[r], k, whole);
#ifdef FUSED
    if (GATED != 0)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            w[step * ALL_ROWS + ROWS + r] = load_chunk(IN(j, UP), q, rows[r], k, whole);
#endif
}

#ifdef DOT
void add_step(uint j, uint col0, uint last_col, uint step, uint k, bool whole)
{
    [[unroll]] for (uint c = 0; c < COLS; c++) {
        quantized x = x_chunk(j, min(col0 + c, last_col), k);
        [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r * COLS + c] += dot_chunk(w[step * ROWS + r], x);
    }
}
#else
/* a + v x, from the first element on. */
float add_product(float a, vec4 v, vec4 x)
{
    return fma(v.w, x.w, fma(v.z, x.z, fma(v.y, x.y, fma(v.x, x.x, a))));
}

/* Of a chunk's quad i. Of blocks the numbers are multiplied with x, and the sum with their scale; offsets, which are to
 * be added to all of them, are multiplied with the sum of x. Zeros are not: where most weights of a block are 0, the
 * difference of two such sums would have lost what digits the others have. */
void add_quad(uint j, uint col0, uint last_col, uint step, uint k, uint i, bool whole)
{
    uint quad = turn_quad(k, QUADS, i);
    vec4 v[ALL_ROWS];
    vec2 scale[ALL_ROWS];
    [[unroll]] for (uint r = 0; r < ALL_ROWS; r++) {
        weight_chunk chunk = w[step * ALL_ROWS + r];
        v[r] = BLOCKS ? centred(numbers_of(quad_codes(chunk, i))) : plain_chunk(chunk);
        scale[r] = quad_scale(chunk, i);
    }
#ifdef FUSED
    vec4 gain = NORM == 0 ? vec4(1.0) : whole ? gain_within(j, quad) : gain_quad(j, quad);
#endif
    [[unroll]] for (uint c = 0; c < COLS; c++) {
        uint col = min(col0 + c, last_col);
        vec4 x = whole ? x_within(j, col, quad) : x_quad(j, col, quad);
#ifdef FUSED
        if (NORM != 0) {
            sum[ALL_ROWS * COLS + c] = add_squares(sum[ALL_ROWS * COLS + c], x);
            x *= gain;
        }
#endif
        float all = OFFSETS ? x.x + x.y + (x.z + x.w) : 0.0;
        [[unroll]] for (uint r = 0; r < ALL_ROWS; r++) {
            float s = sum[r * COLS + c];
            if (!BLOCKS) s = add_product(s, v[r], x);
            else {
                if (OFFSETS) s = fma(scale[r].y, all, s);
                s = fma(scale[r].x, add_product(0.0, v[r], x), s);
            }
            sum[r * COLS + c] = s;
        }
    }
}

void add_step(uint j, uint col0, uint last_col, uint step, uint k, bool whole)
{
    if (VECTORS != 0 && whole)
        [[unroll]] for (uint i = 0; i < QUADS; i++) add_quad(j, col0, last_col, step, k, i, true);
    else /* long code */
        [[dont_unroll]] for (uint i = 0; i < QUADS; i++) add_quad(j, col0, last_col, step, k, i, false);
}
#endif

/* ---- the end of the sums ---- */

#ifdef SUBGROUP
/* Sum i of the team: of what its subgroups have left in shared memory, or (a team of one, all of whose lanes have it)
 * of the invocation's own. */
float total(uint i)
{
    float v = TEAMS == 1 ? part[i] : sum[0];
    if (TEAMS == 1) for (uint k = 1; k < gl_NumSubgroups; k++) v += part[k * SUMS + i];
    else [[unroll]] for (uint k = 1; k < SUMS; k++) v = i == k ? sum[k] : v;
    return v;
}
#else
float total(uint i) { return part[i * BLOCK]; }
#endif

void finish_sum(uint j, uint row0, uint col0, uint n_cols, uint i)
{
    uint row = row0 + i / COLS, c = i % COLS;
#ifdef FUSED
    float up = GATED != 0 ? total(RESULTS + i) : 1.0;
    float factor = NORM != 0 ? norm_factor(j, total(ALL_ROWS * COLS + c)) : 1.0;
    finish(j, row, col0 + c, n_cols, total(i) * factor, up * factor);
#else
    finish(j, row, col0 + c, n_cols, total(i));
#endif
}

/* Brings the team's sums together. */
void reduce()
{
#ifdef SUBGROUP
    [[unroll]] for (uint i = 0; i < SUMS; i++) {
        sum[i] = subgroupAdd(sum[i]);
        if (TEAMS == 1 && subgroupElect()) part[gl_SubgroupID * SUMS + i] = sum[i];
    }
    if (TEAMS == 1) barrier();
#else
    uint me = gl_LocalInvocationID.x;
    [[unroll]] for (uint i = 0; i < SUMS; i++) part[i * BLOCK + me] = sum[i];
    for (uint step = BLOCK / 2; step > 0; step /= 2) {
        barrier();
        if (me < step) [[unroll]] for (uint i = 0; i < SUMS; i++) part[i * BLOCK + me] += part[i * BLOCK + me + step];
    }
    barrier();
#endif
}

void main()
{
    uint j = job_of_group(), group = group_number() - P.job[j].groups.x, blocks = P.job[j].u2.x;
    uint lane = gl_LocalInvocationID.x, team = 0;
#ifdef SUBGROUP
    if (TEAMS != 1) {
        lane = gl_SubgroupInvocationID;
        team = gl_SubgroupID;
    }
#endif
    uint col0 = group % blocks * COLS, row0 = (group / blocks * TEAMS + team) * ROWS;
#ifdef SELECT
    uint n_cols = choices(j), last_col = x_of_choice(j, col0);
    if (col0 >= n_cols || !find_expert(j, row0, ROWS, lane, LANES, col0)) return;
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
        rows[r] = find_row(q, row_of_part(j, row0 + r));
#else
        rows[r] = find_row(q, min(row0 + r, padded - 1));
#endif
    }
    [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] = 0.0;
    uint k = turn_chunk(0, LANES, lane), whole = whole_chunks(q);
    if (STEPS > 1)
        for (; k + (STEPS - 1) * LANES < whole; k += STEPS * LANES) {
            [[unroll]] for (uint s = 0; s < STEPS; s++) load_step(j, q, rows, s, k + s * LANES, true);
            [[unroll]] for (uint s = 0; s < STEPS; s++) add_step(j, col0, last_col, s, k + s * LANES, true);
        }
    for (; k < whole; k += LANES) {
        load_step(j, q, rows, 0, k, true);
        add_step(j, col0, last_col, 0, k, true);
    }
    if (TAIL != 0)
        for (; k < q.x; k += LANES) {
            load_step(j, q, rows, 0, k, false);
            add_step(j, col0, last_col, 0, k, false);
        }
    reduce();
    if (lane < RESULTS) finish_sum(j, row0, col0, n_cols, lane);
    if (RESULTS > LANES) /* not on GPUs */
        for (uint i = lane + LANES; i < RESULTS; i += LANES) finish_sum(j, row0, col0, n_cols, i);
}
