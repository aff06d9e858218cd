/* blocks.glsl: elements of tensors in any format that lie as in the file, by the formulas of graph/block.def. Include
 * after common.glsl. Not for what is hot: it reads byte by byte. */
struct weft_block { uint slot, at; }; /* the buffer, and the block's first byte in it */

#define WEFT_WORD
#define WEFT_TABLE(name, n) const int name[n] = int[n](
#define WEFT_TABLE_END );
#define to_float(v) float(v)
#define in_c_alone(v) uintBitsToFloat(0x7fc00000u) /* not asked for: gpu_reads_stored() */

int byte_at(weft_block b, int at)
{
    uint i = b.at + uint(at);
    return int(in_u[b.slot].d[i >> 2] >> (i & 3u) * 8u & 255u);
}

float half_at(weft_block b, int at) { return half_bits_to_float(uint(byte_at(b, at) | byte_at(b, at + 1) << 8)); }

float float_of_bits(int bits) { return intBitsToFloat(bits); }

#include "../graph/block_words.h"

/* Element `at` of a buffer of type t, plain or in blocks; with STATES_ONLY in blocks that a state can have, for the
 * size of modules. */
float load_stored(uint slot, uint t, uint at)
{
#define READ_1(number, block, bytes, value)                  \
    if (t == number) {                                       \
        weft_block b = weft_block(slot, at / block * bytes); \
        int i = int(at % block);                             \
        return value;                                        \
    }
#ifdef STATES_ONLY
#define READ_0(number, block, bytes, value)
#else
#define READ_0(number, block, bytes, value) READ_1(number, block, bytes, value)
#endif
#define WEFT_BLOCK(number, id, name, block, bytes, bits, group, minimum, encodes, value) \
    READ_##encodes(number, block, bytes, value)
#include "../graph/block.def"
#undef WEFT_BLOCK
    return load_as_float(slot, t, at);
}
