/* encode.glsl: floats as blocks, by the formats of graph/block.def that encode, into a buffer of words: the bits that
 * graph/convert.c writes. Include after common.glsl, with SOURCE (type of the floats), FORMAT, ELEMENTS and BYTES (of a
 * block) as constants. */
struct weft_floats { uint slot, at, step; }; /* the buffer, the first element, elements from one to the next */
struct weft_room { uint at; };               /* the block's first byte in `made` */

uint made[(BYTES + 6) / 4]; /* the words that the block touches */

#define WEFT_WORD
#define WEFT_PRECISE precise
#define to_float(v) float(v)
#define to_int(v) int(v)

float float_at(weft_floats x, int i) { return load_as_float(x.slot, SOURCE, x.at + uint(i) * x.step); }
int magnitude_at(weft_floats x, int i) { return floatBitsToInt(float_at(x, i)) & 0x7fffffff; }
float float_of_bits(int bits) { return intBitsToFloat(bits); }
int half_of(float v) { return int(float_to_half_bits(v)); }

void put_byte(weft_room b, int at, int v)
{
    uint i = b.at + uint(at);
    made[i >> 2] |= (uint(v) & 255u) << (i & 3u) * 8u;
}

/* a / b to the nearest, ties to even, of normal numbers and 0; a quotient that is none is 0. Vulkan's division may be
 * off by two and a half units: this one is of whole numbers, 24 bits of it at 8, 8 and 7 a time. */
float quotient(float a, float b)
{
    uint ua = floatBitsToUint(a), ub = floatBitsToUint(b), sign = (ua ^ ub) & 0x80000000u;
    uint ma = ua & 0x7fffffu | 0x800000u, mb = ub & 0x7fffffu | 0x800000u;
    int e = int(ua >> 23 & 255u) - int(ub >> 23 & 255u) + 127;
    if ((ua >> 23 & 255u) == 0) return 0.0;
    if (ma < mb) {
        ma <<= 1;
        e--;
    }
    if (e <= 0) return 0.0;
    uint q = 1, rest = ma - mb;
    rest <<= 8;
    q = q << 8 | rest / mb;
    rest = rest % mb << 8;
    q = q << 8 | rest / mb;
    rest = rest % mb << 7;
    q = q << 7 | rest / mb;
    rest = rest % mb << 1;
    q += uint(rest > mb || (rest == mb && (q & 1u) == 1u));
    return uintBitsToFloat(sign | (uint(e) << 23) + (q - 0x800000u));
}

#include "../graph/block_encode.h"

void encode(weft_floats x, weft_room b)
{
#define ENCODE_0(number, name)
#define ENCODE_1(number, name) if (FORMAT == number) encode_##name(x, b);
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) ENCODE_##encodes(number, name)
#include "../graph/block.def"
#undef WEFT_BLOCK
}

/* Writes the block of ELEMENTS floats from byte `at` of a buffer on. Of words that it shares with its neighbours, which
 * other invocations may write, it changes its own bytes. */
void store_block(uint slot, uint at, weft_floats x)
{
    uint first = at & 3u, end = first + BYTES;
    for (uint k = 0; 4 * k < end; k++) made[k] = 0;
    encode(x, weft_room(first));
    for (uint k = 0; 4 * k < end; k++) {
        uint mask = k == 0 ? 0xffffffffu << first * 8u : 0xffffffffu, w = at / 4 + k;
        if (end < 4 * k + 4) mask &= 0xffffffffu >> (4 * k + 4 - end) * 8u;
        if (mask == 0xffffffffu) {
            out_u[slot].d[w] = made[k];
        } else {
            atomicAnd(out_u[slot].d[w], ~mask);
            atomicOr(out_u[slot].d[w], made[k]);
        }
    }
}
