/* cells.glsl: rows of keys and values where they are read four elements at a time: plain types, aligned, and the block
 * types of 32 elements that caches are kept in, as they lie. Blocks of those begin at even bytes, so that their words
 * may lie in halves of two. Include after common.glsl; elements are counted from the beginning of the buffer. */

/* Two elements of f16 or bf16. */
vec2 unpack_pair(uint type, uint w)
{
    return type == F16 ? unpackHalf2x16(w) : vec2(uintBitsToFloat(w << 16), uintBitsToFloat(w & 0xffff0000u));
}

/* A unit is a block: f16 scale; q4_1 and q5_1: f16 offset; q5_0 and q5_1: the elements' fifth bits; then bytes or
 * nibbles, of which the low ones are elements 0 to 15. */
bool has_offset(uint type) { return type == Q4_1 || type == Q5_1; }
bool has_fifths(uint type) { return type == Q5_0 || type == Q5_1; }
bool in_units(uint type) { return type == Q8_0 || type == Q4_0 || has_offset(type) || has_fifths(type); }
uint numbers_at(uint type) { return 2 + (has_offset(type) ? 2 : 0) + (has_fifths(type) ? 4 : 0); }

/* The first byte of an element's block, in which i is the element's number. */
uint unit_at(uint type, uint element, out uint i)
{
    i = element % 32;
    return element / 32 * (numbers_at(type) + (type == Q8_0 ? 32 : 16));
}

/* The two bytes at an even byte, and more of the word above them. */
uint half_word(uint slot, uint at) { return in_u[slot].d[at >> 2] >> (at & 2u) * 8u; }

uint whole_word(uint slot, uint at)
{
    uint w = in_u[slot].d[at >> 2];
    return (at & 2u) == 0 ? w : w >> 16 | in_u[slot].d[(at >> 2) + 1] << 16;
}

float half_float(uint slot, uint at) { return unpackHalf2x16(half_word(slot, at) & 0xffffu).x; }

struct unit_head { float scale, offset; uint fifths; };

unit_head load_head(uint slot, uint type, uint unit)
{
    float offset = has_offset(type) ? half_float(slot, unit + 2) : 0.0;
    return unit_head(half_float(slot, unit), offset,
                     has_fifths(type) ? whole_word(slot, unit + numbers_at(type) - 4) : 0);
}

/* Four elements from number i of a unit on, which are all bytes of w, or their nibbles above `shift`. Without an offset
 * they are still to be multiplied with the scale. */
vec4 unit_quad(uint type, unit_head h, uint w, uint shift, uint i)
{
    int v = int(w);
    if (type == Q8_0) return vec4(ivec4(v << 24, v << 16, v << 8, v) >> 24);
    uvec4 n = uvec4(w, w >> 8, w >> 16, w >> 24) >> shift & 15u;
    if (has_fifths(type)) n |= (uvec4(h.fifths) >> i + uvec4(0, 1, 2, 3) & 1u) << 4;
    vec4 x = vec4(n);
    if (has_offset(type)) return fma(x, vec4(h.scale), vec4(h.offset));
    return x - (type == Q5_0 ? 16.0 : 8.0);
}

/* What these are to be multiplied with. */
float unit_factor(uint type, unit_head h) { return has_offset(type) ? 1.0 : h.scale; }

/* Where the byte of element i is from the first one on, and how far up its nibble. */
uvec2 number_at(uint type, uint i) { return type == Q8_0 ? uvec2(i, 0) : uvec2(i % 16, i / 16 * 4); }

vec4 units_quad(uint slot, uint type, uint at)
{
    uint i, unit = unit_at(type, at, i);
    uvec2 place = number_at(type, i);
    unit_head h = load_head(slot, type, unit);
    return unit_quad(type, h, whole_word(slot, unit + numbers_at(type) + place.x), place.y, i) * unit_factor(type, h);
}

vec2 units_pair(uint slot, uint type, uint at)
{
    uint i, unit = unit_at(type, at, i);
    uvec2 place = number_at(type, i);
    unit_head h = load_head(slot, type, unit);
    return unit_quad(type, h, half_word(slot, unit + numbers_at(type) + place.x), place.y, i).xy * unit_factor(type, h);
}

/* Elements at .. at + 3; at is a multiple of four. */
vec4 row_quad(uint slot, uint type, uint at)
{
    if (in_units(type)) return units_quad(slot, type, at);
    if (type == F32) return in_f4[slot].d[at / 4];
    return vec4(unpack_pair(type, in_u[slot].d[at / 2]), unpack_pair(type, in_u[slot].d[at / 2 + 1]));
}

/* Elements at and at + 1; at is even. */
vec2 row_pair(uint slot, uint type, uint at)
{
    if (in_units(type)) return units_pair(slot, type, at);
    if (type == F32) return vec2(in_f[slot].d[at], in_f[slot].d[at + 1]);
    return unpack_pair(type, in_u[slot].d[at / 2]);
}

/* The bytes or nibbles of a unit as words: 8, or 4. */
void load_numbers(uint slot, uint type, uint unit, out uint w[8])
{
    uint at = unit + numbers_at(type), first = at >> 2, n = type == Q8_0 ? 8 : 4;
    bool odd = (at & 2u) != 0;
    uint before = in_u[slot].d[first];
    [[unroll]] for (uint k = 0; k < 8; k++) {
        if (k >= n) continue;
        uint next = in_u[slot].d[first + k + uint(odd)];
        w[k] = odd ? before >> 16 | next << 16 : next;
        before = next;
    }
}

/* ---- pieces: eight elements of a row, of f32 four, that a lane reads at once; `at` is a multiple of that ---- */

/* 16 bytes as they lie; of a block its bytes or nibbles, scale and offset, and fifth bits. */
uvec4 load_piece(uint slot, uint type, uint at)
{
    if (!in_units(type)) return in_v[slot].d[type == F32 ? at / 4 : at / 8];
    uint i, unit = unit_at(type, at, i), first = unit + numbers_at(type) + number_at(type, i).x;
    uint head = half_word(slot, unit) & 0xffffu;
    if (has_offset(type)) head |= half_word(slot, unit + 2) << 16;
    uint fifths = has_fifths(type) ? whole_word(slot, unit + numbers_at(type) - 4) : 0;
    return uvec4(whole_word(slot, first), whole_word(slot, first + 4), head, fifths);
}

/* Elements 4k .. 4k + 3 of the piece at `at`. */
vec4 piece_quad(uint type, uvec4 w, uint at, uint k)
{
    if (type == F32) return uintBitsToFloat(w);
    if (!in_units(type)) return vec4(unpack_pair(type, w[2 * k]), unpack_pair(type, w[2 * k + 1]));
    vec2 head = unpackHalf2x16(w.z);
    unit_head h = unit_head(head.x, head.y, w.w);
    uint i = at % 32 + 4 * k;
    return unit_quad(type, h, w[k], number_at(type, i).y, i) * unit_factor(type, h);
}
