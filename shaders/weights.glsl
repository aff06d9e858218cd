/* weights.glsl: reading matrices in the PANEL layout, in every format that has a row in backends/gpu/formats.def.
 * Include after common.glsl, with WEIGHT_TYPE defined as a constant or a specialization constant: whoever compiles the
 * module keeps of it what the one format needs.
 *
 * Rows lie for GPUs (weights_turn.glsl), or, where LANE_ROWS is defined, for processors (weights_lanes.glsl). Of both:
 * find_row() and load_chunk() for those who own rows or walk along them; load_piece() and piece_quad(), a few columns
 * of a row as they come, for tiles; panel_weight(). */
#include "formats.h"

/* The type's row as a number; f16's for those without one, which are not read here. */
#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, low_at, low_run, high_at, high_run, scale, upper) \
    WEIGHT_TYPE == id ? FORMAT_WORD(weights, low, high, CODES_##codes, zero, SCALES_##scales) :
const uint FORMAT =
#include "../backends/gpu/formats.def"
    FORMAT_WORD(8, 16, 0, CODES_FLOAT, 0, SCALES_NONE);
const uint CHUNK_WEIGHTS = FORMAT & 63, LOW = FORMAT >> 6 & 63, HIGH = FORMAT >> 12 & 3, CODES = FORMAT >> 14 & 15;
const uint ZERO = FORMAT >> 18 & 63, SCALES = FORMAT >> 24 & 15;
const uint SCALE_BYTES = SCALE_BYTES_OF(SCALES), UPPER_BYTES = UPPER_BYTES_OF(SCALES);
const bool SCALED = SCALES != SCALES_NONE;
const bool OFFSETS = SCALES == SCALES_PAIR || SCALES == SCALES_MINIMUM || SCALES == SCALES_NIBBLES;
const bool HALVED = SCALES == SCALES_BYTES || SCALES == SCALES_NIBBLES || SCALES == SCALES_UE4M3; /* by 16, not 32 */
const float UNIT = CODES == CODES_IQ1 || CODES == CODES_IQ2 ? 0.125 : CODES == CODES_IQ3_XXS ? 0.25 : 1.0;

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

/* What four codes of a block format are, as signed bytes; unsigned ones are ZERO too large. */
uint bytes_of(uint codes)
{
    if (CODES == CODES_UNSIGNED || CODES == CODES_SIGNED) return codes;
    uvec4 v = look_up(uvec4(codes, codes >> 8, codes >> 16, codes >> 24) & 15u) & 255u;
    return v.x | v.y << 8 | v.z << 16 | v.w << 24;
}

/* The same as floats, ZERO too large, too. */
vec4 numbers_of(uint codes)
{
    uvec4 v = uvec4(codes, codes >> 8, codes >> 16, codes >> 24);
    if (CODES == CODES_UNSIGNED) return vec4(v & 255u);
    if (CODES != CODES_SIGNED) v = look_up(v & 15u);
    return vec4(ivec4(v << 24) >> 24);
}

vec4 centred(vec4 v) { return ZERO == 0 ? v : v - float(ZERO); }

/* Four weights of f16 or bf16. */
vec4 plain_quad(uvec2 w)
{
    if (WEIGHT_TYPE != BF16) return vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y));
    return uintBitsToFloat(uvec4(w.x << 16, w.x & 0xffff0000u, w.y << 16, w.y & 0xffff0000u));
}

#ifdef LANE_ROWS
#include "weights_lanes.glsl"
#else
#include "weights_turn.glsl"
#endif

/* One weight, for kernels that are not hot. */
float panel_weight(uint slot, uvec4 q, uint row, uint column)
{
    const uint columns = 4 * PIECE_QUADS;
    weight_piece w = load_piece(slot, q, row, column / columns);
    return piece_quad(w, column % columns / 4)[column & 3u];
}
