/* weights.glsl: reading matrices in the PANEL layout (backends/gpu/weights.h says how it lies), in every format that
 * has a row in backends/gpu/formats.def. Include after common.glsl, with PANEL_ROWS (P) and WEIGHT_TYPE defined as
 * constants or specialization constants: whoever compiles the module keeps of it what the one format needs.
 *
 * q, the panel's params: chunks per row, units of 16 bytes per group, scales per row, columns. */
#include "formats.h"

#define GROUP_ROWS max(PANEL_ROWS, 8u)

/* The type's row as a number; f16's for those without one, which are not read here. */
#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, low_at, low_run, high_at, high_run, scale, upper) \
    WEIGHT_TYPE == id ? FORMAT_WORD(weights, low, high, CODES_##codes, zero, SCALES_##scales) :
const uint FORMAT =
#include "../backends/gpu/formats.def"
    FORMAT_WORD(8, 16, 0, CODES_FLOAT, 0, SCALES_NONE);
const uint PER_CHUNK = FORMAT & 63, LOW = FORMAT >> 6 & 63, HIGH = FORMAT >> 12 & 3, CODES = FORMAT >> 14 & 15;
const uint ZERO = FORMAT >> 18 & 63, SCALES = FORMAT >> 24 & 15;
const uint LOW_BYTES = PER_CHUNK * LOW / 8, CHUNK_BYTES = LOW_BYTES + PER_CHUNK * HIGH / 8;
const uint SCALE_BYTES = SCALE_BYTES_OF(SCALES), UPPER_BYTES = UPPER_BYTES_OF(SCALES);
const bool SCALED = SCALES != SCALES_NONE;
const bool OFFSETS = SCALES == SCALES_PAIR || SCALES == SCALES_MINIMUM || SCALES == SCALES_NIBBLES;
const bool HALVED = SCALES == SCALES_BYTES || SCALES == SCALES_NIBBLES || SCALES == SCALES_UE4M3; /* by 16, not 32 */
const float UNIT = CODES == CODES_IQ1 || CODES == CODES_IQ2 ? 0.125 : CODES == CODES_IQ3_XXS ? 0.25 : 1.0;

/* Where a row begins in each plane: in units of LOW_BYTES; words; units of SCALE_BYTES, of UPPER_BYTES. */
struct weight_row { uint low, high, scale, upper; };

weight_row find_row(uvec4 q, uint row)
{
    uint r = row % GROUP_ROWS, first = r / PANEL_ROWS * PANEL_ROWS, lane = r % PANEL_ROWS; /* of the panel */
    uint group = row / GROUP_ROWS * q.y, plane = group * 16 + GROUP_ROWS * q.x * CHUNK_BYTES;
    weight_row w;
    w.low = group * 16 / LOW_BYTES + first * q.x + lane;
    w.high = group * 4 + GROUP_ROWS * q.x * LOW_BYTES / 4 + (first * q.x + lane) * HIGH;
    w.scale = plane / max(SCALE_BYTES, 1u) + first * q.z + lane;
    plane += GROUP_ROWS * q.z * SCALE_BYTES;
    w.upper = plane / max(UPPER_BYTES, 1u) + first * (q.w / 256) + lane;
    return w;
}

/* PER_CHUNK weights of a row. Weight i of 32 is its number times scale[i / 16], plus offset[i / 16]. */
struct weight_chunk {
    uvec4 low;
    uvec2 high;
    vec2 scale, offset;
};

/* Element i of elements of 1, 2 or 4 bytes. */
uint load_bits(uint slot, uint i, uint bytes)
{
    if (bytes == 4) return in_u[slot].d[i];
    if (bytes == 2) return in_u[slot].d[i >> 1] >> (i & 1u) * 16 & 0xffffu;
    return in_u[slot].d[i >> 2] >> (i & 3u) * 8 & 0xffu;
}

/* 2^(e - 128), of which the two smallest are no normal numbers. */
float scale_of_exponent(uint e) { return uintBitsToFloat(e < 2 ? 0x200000u << e : (e - 1) << 23); }

/* Half of a number of 4 exponent and 3 fraction bits. */
float scale_of_ue4m3(uint bits)
{
    uint e = bits >> 3 & 15, m = bits & 7;
    return e == 0 ? float(m) * 0.0009765625 : uintBitsToFloat((e + 119) << 23 | m << 20);
}

void load_scales(uint slot, weight_row w, uint k, inout weight_chunk c)
{
    uint s = load_bits(slot, w.scale + k * PER_CHUNK / 32 * PANEL_ROWS, SCALE_BYTES);
    if (SCALES == SCALES_HALF) c.scale = vec2(unpackHalf2x16(s).x);
    if (SCALES == SCALES_EXPONENT) c.scale = vec2(scale_of_exponent(s));
    if (SCALES == SCALES_UE4M3) c.scale = vec2(scale_of_ue4m3(s), scale_of_ue4m3(s >> 8));
    if (SCALES == SCALES_PAIR) {
        vec2 v = unpackHalf2x16(s);
        c.scale = v.xx;
        c.offset = v.yy;
    }
    if (UPPER_BYTES == 0) return;
    vec2 upper = unpackHalf2x16(load_bits(slot, w.upper + k / 8 * PANEL_ROWS, UPPER_BYTES)) * UNIT;
    if (SCALES == SCALES_BLOCK) c.scale = upper.xx;
    if (SCALES == SCALES_BYTE) c.scale = vec2(upper.x * float(int(s << 24) >> 24));
    if (SCALES == SCALES_BYTES) c.scale = upper.x * vec2(ivec2(s << 24, s << 16) >> 24);
    if (SCALES == SCALES_MINIMUM) {
        c.scale = vec2(upper.x * float(s & 255u));
        c.offset = vec2(-upper.y * float(s >> 8));
    }
    if (SCALES == SCALES_NIBBLES) {
        c.scale = upper.x * vec2(uvec2(s, s >> 8) & 15u);
        c.offset = -upper.y * vec2(uvec2(s >> 4, s >> 12) & 15u);
    }
}

/* Chunk k of a row. */
weight_chunk load_chunk(uint slot, weight_row w, uint k)
{
    weight_chunk c = weight_chunk(uvec4(0), uvec2(0), vec2(1.0), vec2(0.0));
    uint at = w.low + k * PANEL_ROWS;
    if (LOW_BYTES == 16) c.low = in_v[slot].d[at];
    else c.low.xy = uvec2(in_u[slot].d[2 * at], in_u[slot].d[2 * at + 1]);
    at = w.high + k * PANEL_ROWS * HIGH;
    if (HIGH > 0) c.high.x = in_u[slot].d[at];
    if (HIGH > 1) c.high.y = in_u[slot].d[at + 1];
    if (SCALED) load_scales(slot, w, k, c);
    return c;
}

/* Beyond a row's end. */
weight_chunk no_chunk() { return weight_chunk(uvec4(0), uvec2(0), vec2(0.0), vec2(0.0)); }

/* Of a plane of n bits a weight, those of weights 4 i .. 4 i + 3, a byte each. */
uint plane_bytes(uvec4 plane, uint n, uint i)
{
    return plane[i % n] >> i / n * n & ((1u << n) - 1u) * 0x01010101u;
}

const uvec4 IQ4_VALUES = uvec4(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);
const uvec4 E2M1_VALUES = uvec4(0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);
const uvec4 IQ1_VALUES = uvec4(0x000901f9u, 0x0007fff7u, 0, 0);
const uvec4 IQ2_VALUES = uvec4(0x002b1908u, 0x00d5e7f8u, 0, 0);
const uvec4 IQ3_XXS_VALUES = uvec4(0x1c140c04u, 0x3e342c24u, 0xe4ecf4fcu, 0xc2ccd4dcu);
const uvec4 IQ3_S_VALUES = uvec4(0x07050301u, 0x0f0d0b09u, 0xf9fbfdffu, 0xf1f3f5f7u);

/* The signed bytes that nibbles stand for, in the low bits of four words. */
uvec4 look_up(uvec4 nibbles)
{
    uvec4 t = E2M1_VALUES;
    if (CODES == CODES_IQ4) t = IQ4_VALUES;
    if (CODES == CODES_IQ1) t = IQ1_VALUES;
    if (CODES == CODES_IQ2) t = IQ2_VALUES;
    if (CODES == CODES_IQ3_XXS) t = IQ3_XXS_VALUES;
    if (CODES == CODES_IQ3_S) t = IQ3_S_VALUES;
    bvec4 odd = notEqual(nibbles & 4u, uvec4(0));
    uvec4 words = mix(mix(t.xxxx, t.yyyy, odd), mix(t.zzzz, t.wwww, odd), greaterThan(nibbles, uvec4(7)));
    return words >> (nibbles & 3u) * 8;
}

/* Numbers 4 i .. 4 i + 3 of a chunk in a block format as signed bytes; unsigned ones are ZERO too large. */
uint chunk_bytes(weight_chunk c, uint i)
{
    uint codes = plane_bytes(c.low, LOW, i);
    if (HIGH != 0) codes |= plane_bytes(uvec4(c.high, 0, 0), max(HIGH, 1u), i) << LOW;
    if (CODES == CODES_UNSIGNED || CODES == CODES_SIGNED) return codes;
    uvec4 v = look_up(uvec4(codes, codes >> 8, codes >> 16, codes >> 24) & 15u) & 255u;
    return v.x | v.y << 8 | v.z << 16 | v.w << 24;
}

/* The same as floats, all of what they are. */
vec4 chunk_numbers(weight_chunk c, uint i)
{
    uint codes = plane_bytes(c.low, LOW, i);
    if (HIGH != 0) codes |= plane_bytes(uvec4(c.high, 0, 0), max(HIGH, 1u), i) << LOW;
    uvec4 v = uvec4(codes, codes >> 8, codes >> 16, codes >> 24);
    if (CODES == CODES_UNSIGNED) return vec4(v & 255u) - float(ZERO);
    if (CODES != CODES_SIGNED) v = look_up(v & 15u);
    return vec4(ivec4(v << 24) >> 24);
}

/* Weights 4 i .. 4 i + 3 of a chunk. */
vec4 chunk_quad(weight_chunk c, uint i)
{
    if (WEIGHT_TYPE == F32) return uintBitsToFloat(c.low);
    if (WEIGHT_TYPE == BF16) {
        uvec2 p = uvec2(c.low[2 * i], c.low[2 * i + 1]);
        return uintBitsToFloat(uvec4(p.x << 16, p.x & 0xffff0000u, p.y << 16, p.y & 0xffff0000u));
    }
    if (CODES == CODES_FLOAT) return vec4(unpackHalf2x16(c.low[2 * i]), unpackHalf2x16(c.low[2 * i + 1]));
    bool second = HALVED && i > 3;
    vec4 v = chunk_numbers(c, i) * (second ? c.scale.y : c.scale.x);
    return OFFSETS ? v + (second ? c.offset.y : c.offset.x) : v;
}

/* One weight, for kernels that are not hot. */
float panel_weight(uint slot, uvec4 q, uint row, uint column)
{
    weight_chunk c = load_chunk(slot, find_row(q, row), column / PER_CHUNK);
    return chunk_quad(c, column % PER_CHUNK / 4)[column & 3u];
}
