/* weights.glsl: reading matrices in the PANEL layout (backends/gpu/weights.h says how it lies). Include after
 * common.glsl, with PANEL_ROWS (P) and WEIGHT_TYPE defined as constants or specialization constants. */

/* q: chunks per row, units of 16 bytes per group, blocks per row, columns. */
#define GROUP_ROWS max(PANEL_ROWS, 8u)

const uint PER_CHUNK = WEIGHT_TYPE == F32 ? 4 : WEIGHT_TYPE == Q8_0 ? 16 : WEIGHT_TYPE == Q4_0 ? 32 : 8;
const bool SCALED = WEIGHT_TYPE == Q8_0 || WEIGHT_TYPE == Q4_0;

/* Where the chunks of a row begin (in units of 16 bytes; the next one is PANEL_ROWS further). */
uint chunk_base(uvec4 q, uint row)
{
    uint r = row % GROUP_ROWS;
    return row / GROUP_ROWS * q.y + r / PANEL_ROWS * q.x * PANEL_ROWS + r % PANEL_ROWS;
}

/* Where the scales of a row begin (in half floats; the next one is PANEL_ROWS further). */
uint scale_base(uvec4 q, uint row)
{
    uint r = row % GROUP_ROWS;
    return (row / GROUP_ROWS * q.y + GROUP_ROWS * q.x) * 8 + r / PANEL_ROWS * q.z * PANEL_ROWS + r % PANEL_ROWS;
}

float load_half(uint slot, uint i)
{
    uint w = in_u[slot].d[i >> 1];
    return unpackHalf2x16((i & 1u) == 0 ? w : w >> 16).x;
}

/* Weights 4 i .. 4 i + 3 of a chunk, without their scale. */
vec4 chunk_quad(uint type, uvec4 w, uint i)
{
    if (type == F32) return uintBitsToFloat(w);
    if (type == F16) return vec4(unpackHalf2x16(w[2 * i]), unpackHalf2x16(w[2 * i + 1]));
    if (type == BF16) {
        uvec2 p = uvec2(w[2 * i], w[2 * i + 1]);
        return uintBitsToFloat(uvec4(p.x << 16, p.x & 0xffff0000u, p.y << 16, p.y & 0xffff0000u));
    }
    if (type == Q8_0) {
        int v = int(w[i]);
        return vec4(ivec4(v << 24, v << 16, v << 8, v) >> 24);
    }
    uint v = w[i & 3u] >> (i >> 2) * 4; /* q4_0 */
    return vec4(uvec4(v, v >> 8, v >> 16, v >> 24) & 15u) - 8.0;
}

/* One weight, for kernels that are not hot. */
float panel_weight(uint slot, uvec4 q, uint row, uint column)
{
    uvec4 w = in_v[slot].d[chunk_base(q, row) + column / PER_CHUNK * PANEL_ROWS];
    float scale = SCALED ? load_half(slot, scale_base(q, row) + column / 32 * PANEL_ROWS) : 1.0;
    return chunk_quad(WEIGHT_TYPE, w, column % PER_CHUNK / 4)[column & 3u] * scale;
}
