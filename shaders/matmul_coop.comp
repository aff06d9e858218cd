/* matmul_coop.comp: y = act(x w^T + bias) + residuals for a PANEL matrix and many rows of x, by cooperative matrices:
 * weights and x are rounded to f16, what f16 cannot hold is clamped, sums are f32. A workgroup makes a tile of
 * TILE_ROWS x TILE_COLS, DEPTH columns of the matrix at a time through shared memory, a subgroup SUB_ROWS x SUB_COLS of
 * it. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef COOP
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_spirv_intrinsics : require
spirv_execution_mode(capabilities = [4467], 4462, 16); /* RoundingModeRTE of f16 */
#endif
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = F16; /* not f32 */
layout(constant_id = 2) const uint PANEL_ROWS = 1; /* on processors */
layout(constant_id = 3) const uint TILE_ROWS = 64;
layout(constant_id = 4) const uint TILE_COLS = 64;
layout(constant_id = 5) const uint VECTORS = 1;
layout(constant_id = 6) const uint SUB_ROWS = 32;
layout(constant_id = 7) const uint SUB_COLS = 32;
layout(constant_id = 8) const uint MATRIX_M = 16;
layout(constant_id = 9) const uint MATRIX_N = 16;
layout(constant_id = 10) const uint MATRIX_K = 16; /* 8, 16 or 32 */

const uint TAIL = 1; /* DEPTH columns go beyond a row's end */

#include "math.glsl"
#include "weights.glsl"
#include "linear.glsl"

const uint DEPTH = 32; /* a block of every block type */
const uint PIECES = DEPTH / 4 / PIECE_QUADS; /* of a row, per step */
const uint STRIDE = DEPTH / 8 + 1;        /* one unit more, so that rows begin in different banks */
const uint DOWN = TILE_ROWS / SUB_ROWS, SUBGROUPS = DOWN * (TILE_COLS / SUB_COLS);
const uint FRAGMENTS_M = SUB_ROWS / MATRIX_M, FRAGMENTS_N = SUB_COLS / MATRIX_N; /* of a subgroup */

/* units of 8 halves along k: rows of the matrix, rows of x */
shared uvec4 tile_a[TILE_ROWS * STRIDE];
shared uvec4 tile_b[TILE_COLS * STRIDE];
shared float stage[SUBGROUPS * MATRIX_M * MATRIX_N];

#include "coop.glsl"

/* Two halves, to nearest even. Not packHalf2x16: how that rounds is the driver's choice, and some cut off. */
uint to_two_halves(vec2 v)
{
#ifdef COOP
    return packFloat2x16(f16vec2(v));
#else
    return float_to_half_bits(v.x) | float_to_half_bits(v.y) << 16;
#endif
}

/* Four halves; NaN stays NaN. */
uvec2 to_halves(vec4 v)
{
    bvec4 nan = greaterThan(floatBitsToUint(v) & 0x7fffffffu, uvec4(0x7f800000u));
    v = mix(clamp(v, -65504.0, 65504.0), v, nan);
    return uvec2(to_two_halves(v.xy), to_two_halves(v.zw));
}

void load_weights(uint j, uvec4 q, uint row0, uint piece0)
{
    uint padded = (P.job[j].t[W].stride_b.w + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    for (uint i = gl_LocalInvocationID.x; i < TILE_ROWS * PIECES; i += BLOCK) {
        uint r = i / PIECES, p = piece0 + i % PIECES, row = min(row0 + r, padded - 1);
        uint to = r * STRIDE + i % PIECES * (PIECE_QUADS / 2);
        weight_piece w = no_piece();
        if (p * PIECE_QUADS * 4 < q.w) w = load_piece(IN(j, W), q, row, p);
        if (WEIGHT_TYPE == F16) tile_a[to] = w.low;
        else [[unroll]] for (uint k = 0; k < PIECE_QUADS / 2; k++)
            tile_a[to + k] = uvec4(to_halves(piece_quad(w, 2 * k)), to_halves(piece_quad(w, 2 * k + 1)));
    }
}

void load_x(uint j, uint col0, uint k0)
{
    uint last = P.job[j].u2.y - 1;
    for (uint i = gl_LocalInvocationID.x; i < TILE_COLS * DEPTH / 8; i += BLOCK) {
        uint c = i / (DEPTH / 8), unit = i % (DEPTH / 8), k = k0 + unit * 8, col = min(col0 + c, last);
        tile_b[c * STRIDE + unit] = uvec4(to_halves(x_quad(j, col, k / 4)), to_halves(x_quad(j, col, k / 4 + 1)));
    }
}

void main()
{
    uint j = 0, group = group_number();
    uint col0 = group % P.job[j].u2.x * TILE_COLS, row0 = group / P.job[j].u2.x * TILE_ROWS;
    uint n_cols = tensor_dim(j, X, 0) * P.job[j].u1.x;
    if (col0 >= n_cols || row0 >= P.job[j].t[W].stride_b.w) return;
    uvec4 q = P.job[j].u0;
    uint sub_row = SUBGROUP % DOWN * SUB_ROWS, sub_col = SUBGROUP / DOWN * SUB_COLS;
    SUMS(sum, FRAGMENTS_M * FRAGMENTS_N);
    UNROLL for (uint f = 0; f < FRAGMENTS_M * FRAGMENTS_N; f++) CLEAR_SUM(sum, f);
    for (uint k0 = 0; k0 < q.w; k0 += DEPTH) {
        load_weights(j, q, row0, k0 / 4 / PIECE_QUADS);
        load_x(j, col0, k0);
        barrier();
        UNROLL for (uint k = 0; k < DEPTH; k += MATRIX_K) {
            MATRIX_A a[FRAGMENTS_M];
            UNROLL for (uint m = 0; m < FRAGMENTS_M; m++) LOAD_A(a[m], (sub_row + m * MATRIX_M) * STRIDE + k / 8);
            UNROLL for (uint n = 0; n < FRAGMENTS_N; n++) {
                MATRIX_B b;
                LOAD_B(b, (sub_col + n * MATRIX_N) * STRIDE + k / 8);
                UNROLL for (uint m = 0; m < FRAGMENTS_M; m++) MULTIPLY_ADD(sum, n * FRAGMENTS_M + m, a[m], b);
            }
        }
        barrier();
    }
    /* One fragment of each subgroup at a time goes through shared memory, since its elements have no known place. */
    uint at = SUBGROUP * MATRIX_M * MATRIX_N;
    for (uint f = 0; f < FRAGMENTS_M * FRAGMENTS_N; f++) {
        UNROLL for (uint g = 0; g < FRAGMENTS_M * FRAGMENTS_N; g++)
            if (g == f) { STORE_SUM(sum, g, at); }
        barrier();
        uint row = row0 + sub_row + f % FRAGMENTS_M * MATRIX_M, col = col0 + sub_col + f / FRAGMENTS_M * MATRIX_N;
        for (uint i = LANE; i < MATRIX_M * MATRIX_N; i += LANES)
            finish(j, row + i % MATRIX_M, col + i / MATRIX_M, n_cols, stage[at + i]);
        barrier();
    }
}
