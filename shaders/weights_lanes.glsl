/* weights_lanes.glsl: reading panels of several rows, which processors have: every lane of a subgroup owns rows
 * (backends/gpu/weights.h says how they lie). Included by weights.glsl; PANEL_ROWS (P) is a constant or a
 * specialization constant.
 *
 * q, the panel's params: chunks per row, units of 16 bytes per group, scales per row, columns. */
const uint PER_CHUNK = CHUNK_WEIGHTS;
const uint LOW_BYTES = PER_CHUNK * LOW / 8, CHUNK_BYTES = LOW_BYTES + PER_CHUNK * HIGH / 8;

#define GROUP_ROWS max(PANEL_ROWS, 8u)

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

/* Of a plane of n bits a weight, those of weights 4 i .. 4 i + 3, a byte each. */
uint plane_bytes(uvec4 plane, uint n, uint i)
{
    return plane[i % n] >> i / n * n & ((1u << n) - 1u) * 0x01010101u;
}

uint chunk_codes(weight_chunk c, uint i)
{
    uint codes = plane_bytes(c.low, LOW, i);
    return HIGH == 0 ? codes : codes | plane_bytes(uvec4(c.high, 0, 0), max(HIGH, 1u), i) << LOW;
}

/* Numbers 4 i .. 4 i + 3 of a chunk in a block format as signed bytes; unsigned ones are ZERO too large. */
uint chunk_bytes(weight_chunk c, uint i) { return bytes_of(chunk_codes(c, i)); }

/* Weights 4 i .. 4 i + 3 of a chunk. */
vec4 chunk_quad(weight_chunk c, uint i)
{
    if (WEIGHT_TYPE == F32) return uintBitsToFloat(c.low);
    if (CODES == CODES_FLOAT) return plain_quad(uvec2(c.low[2 * i], c.low[2 * i + 1]));
    bool second = HALVED && i > 3;
    vec4 v = centred(numbers_of(chunk_codes(c, i))) * (second ? c.scale.y : c.scale.x);
    return OFFSETS ? v + (second ? c.offset.y : c.offset.x) : v;
}

/* ---- a few columns of a row at a time, for tiles ---- */

#define weight_piece weight_chunk
const uint PIECE_QUADS = PER_CHUNK / 4;

weight_piece no_piece() { return weight_chunk(uvec4(0), uvec2(0), vec2(0.0), vec2(0.0)); }
weight_piece load_piece(uint slot, uvec4 q, uint row, uint p) { return load_chunk(slot, find_row(q, row), p); }
vec4 piece_quad(weight_piece w, uint i) { return chunk_quad(w, i); }
