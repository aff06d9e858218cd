/* cells.glsl: rows of keys and values where they are read four elements at a time: plain types, aligned, and q8_0 and
 * q4_0 as they lie. Blocks of those begin at even bytes, so that their words may lie in halves of two. Include after
 * common.glsl; elements are counted from the beginning of the buffer. */

/* Two elements of f16 or bf16. */
vec2 unpack_pair(uint type, uint w)
{
    return type == F16 ? unpackHalf2x16(w) : vec2(uintBitsToFloat(w << 16), uintBitsToFloat(w & 0xffff0000u));
}

bool in_units(uint type) { return type == Q8_0 || type == Q4_0; }

/* The first byte of an element's block, in which i is the element's number. */
uint unit_at(uint type, uint element, out uint i)
{
    i = element % 32;
    return element / 32 * (type == Q8_0 ? 34 : 18);
}

/* The two bytes at an even byte, and more of the word above them. */
uint half_word(uint slot, uint at) { return in_u[slot].d[at >> 2] >> (at & 2u) * 8u; }

uint whole_word(uint slot, uint at)
{
    uint w = in_u[slot].d[at >> 2];
    return (at & 2u) == 0 ? w : w >> 16 | in_u[slot].d[(at >> 2) + 1] << 16;
}

float unit_scale(uint slot, uint at) { return unpackHalf2x16(half_word(slot, at) & 0xffffu).x; }

vec4 signed_bytes(uint w)
{
    int v = int(w);
    return vec4(ivec4(v << 24, v << 16, v << 8, v) >> 24);
}

/* The low nibbles of four bytes. */
vec4 signed_nibbles(uint w) { return vec4(uvec4(w, w >> 8, w >> 16, w >> 24) & 15u) - 8.0; }

/* Elements at .. at + 3; at is a multiple of four. */
vec4 row_quad(uint slot, uint type, uint at)
{
    uint i, unit = unit_at(type, at, i);
    if (type == F32) return in_f4[slot].d[at / 4];
    if (type == Q8_0) return signed_bytes(whole_word(slot, unit + 2 + i)) * unit_scale(slot, unit);
    if (type == Q4_0) return signed_nibbles(whole_word(slot, unit + 2 + i % 16) >> i / 16 * 4) * unit_scale(slot, unit);
    return vec4(unpack_pair(type, in_u[slot].d[at / 2]), unpack_pair(type, in_u[slot].d[at / 2 + 1]));
}

/* Elements at and at + 1; at is even. */
vec2 row_pair(uint slot, uint type, uint at)
{
    uint i, unit = unit_at(type, at, i);
    if (type == F32) return vec2(in_f[slot].d[at], in_f[slot].d[at + 1]);
    if (type == Q8_0) return signed_bytes(half_word(slot, unit + 2 + i)).xy * unit_scale(slot, unit);
    if (type == Q4_0)
        return signed_nibbles(half_word(slot, unit + 2 + i % 16) >> i / 16 * 4).xy * unit_scale(slot, unit);
    return unpack_pair(type, in_u[slot].d[at / 2]);
}

/* A block as a whole: its words, of which q4_0 has the first four, and its scale. */
struct unit_words { uint w[8]; float scale; };

unit_words load_unit(uint slot, uint type, uint element)
{
    uint i, at = unit_at(type, element, i), first = at >> 2, n = type == Q8_0 ? 8 : 4;
    bool odd = (at & 2u) != 0;
    uint before = in_u[slot].d[first];
    unit_words u;
    u.scale = unpackHalf2x16(odd ? before >> 16 : before & 0xffffu).x;
    [[unroll]] for (uint k = 0; k < 8; k++) {
        if (k >= n) continue;
        uint next = in_u[slot].d[first + 1 + k];
        u.w[k] = odd ? next : before >> 16 | next << 16;
        before = next;
    }
    return u;
}

/* Its elements 4 k .. 4 k + 3, without the scale. */
vec4 unit_quad(uint type, unit_words u, uint k)
{
    if (type == Q8_0) return signed_bytes(u.w[k]);
    return signed_nibbles(u.w[k % 4] >> k / 4 * 4);
}
