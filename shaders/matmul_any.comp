/* matmul_any.comp: products of plain tensors with any strides and leading axes that broadcast, for matmul,
 * matmul_nt and linear: 16 x 16 elements of the result per workgroup of 64, 16 deep through shared memory. A launch
 * makes the columns that its part of b has rows for.
 *
 * The tensors have the result's rank (broadcast axes with stride 0). u0: tiles of rows, tiles of columns, axis of
 * rows (6: a has one axis only), whether b's last axis is the depth; u1: batches, act, residuals, has bias; u2,
 * u3: the result's dims. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"
#include "blocks.glsl"
#include "math.glsl"

layout(constant_id = 1) const uint WEIGHT_TYPE = 0; /* of b; 0: a plain type */

#define A 0
#define B 1
#define BIAS 2
#define RES0 3
#define RES1 4
#define Y 5

shared float tile_a[16 * 17], tile_b[16 * 17];

void main()
{
    const uint j = 0;
    uint group = group_number(), me = gl_LocalInvocationID.x, last = tensor_rank(j, Y) - 1;
    uint tiles = P.job[j].u0.x * P.job[j].u0.y, batch = group / tiles;
    if (batch >= P.job[j].u1.x) return;
    uint row0 = group % tiles / P.job[j].u0.y * 16, col0 = group % P.job[j].u0.y * 16;
    bool rows = P.job[j].u0.z != 6, nt = P.job[j].u0.w != 0;
    uint a0 = tensor_first(j, A), b0 = tensor_first(j, B), whole = batch;
    for (int i = int(last) - 2; i >= 0; i--) { /* the batch's coordinates */
        uint n = i < 4 ? P.job[j].u2[i] : P.job[j].u3[i - 4], c = batch % n;
        batch /= n;
        if (c >= tensor_dim(j, Y, i)) return;
        a0 += c * tensor_stride(j, A, i);
        b0 += c * tensor_stride(j, B, i);
    }
    uint m = rows ? tensor_dim(j, Y, last - 1) : 1, depth = tensor_dim(j, A, last);
    uint first = P.job[j].t[B].stride_b.z, n = min(tensor_dim(j, Y, last) - first, P.job[j].t[B].stride_b.w);
    uint a_row = rows ? tensor_stride(j, A, last - 1) : 0, a_k = tensor_stride(j, A, last);
    uint b_col = tensor_stride(j, B, nt ? last - 1 : last), b_k = tensor_stride(j, B, nt ? last : last - 1);
    uint type_a = tensor_dtype(j, A), type_b = tensor_dtype(j, B);
    float sum[4] = float[4](0.0, 0.0, 0.0, 0.0);
    if (row0 >= m || col0 >= n) return;
    for (uint k0 = 0; k0 < depth; k0 += 16) {
        for (uint i = me; i < 256; i += 64) {
            uint k = k0 + i % 16, r = row0 + i / 16, c = col0 + i / 16;
            uint to = i / 16 * 17 + i % 16, from_a = a0 + r * a_row + k * a_k, from_b = b0 + c * b_col + k * b_k;
            tile_a[to] = r < m && k < depth ? load_as_float(IN(j, A), type_a, from_a) : 0.0;
            float b = 0.0;
            if (c < n && k < depth && WEIGHT_TYPE == 0) b = load_as_float(IN(j, B), type_b, from_b);
            if (c < n && k < depth && WEIGHT_TYPE != 0) b = load_stored(IN(j, B), WEIGHT_TYPE, from_b);
            tile_b[to] = b;
        }
        barrier();
        for (uint k = 0; k < min(16, depth - k0); k++)
            [[unroll]] for (uint i = 0; i < 4; i++)
                sum[i] = fma(tile_a[(me / 16 * 4 + i) * 17 + k], tile_b[me % 16 * 17 + k], sum[i]);
        barrier();
    }
    uint bound_m = rows ? (last - 1 < 4 ? P.job[j].u2[last - 1] : P.job[j].u3[last - 5]) : 1;
    uint bound_n = last < 4 ? P.job[j].u2[last] : P.job[j].u3[last - 4];
    uint col = col0 + me % 16, y_col = first + col;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        uint row = row0 + me / 16 * 4 + i, at = (whole * bound_m + row) * bound_n + y_col;
        if (row >= m || col >= n) continue;
        float v = sum[i];
        if (P.job[j].u1.w != 0) v += load_as_float(IN(j, BIAS), tensor_dtype(j, BIAS), tensor_first(j, BIAS) + y_col);
        v = activation(P.job[j].u1.y, v);
        if (P.job[j].u1.z > 0) v += load_as_float(IN(j, RES0), tensor_dtype(j, RES0), tensor_first(j, RES0) + at);
        if (P.job[j].u1.z > 1) v += load_as_float(IN(j, RES1), tensor_dtype(j, RES1), tensor_first(j, RES1) + at);
        out_f[OUT(j, Y)].d[tensor_first(j, Y) + at] = v;
    }
}
