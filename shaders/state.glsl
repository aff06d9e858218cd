/* state.glsl: what a state keeps of a number. Include after common.glsl. */

/* The bits of v as type t. f16 keeps a mark instead of a finite number that is too large (WEFT_F16_OVERFLOW, a NaN). */
uint state_bits(uint t, float v)
{
    uint bits = float_bits_as(t, v);
    bool large = t == F16 && (bits & 0x7fffu) == 0x7c00u && (floatBitsToUint(v) & 0x7fffffffu) != 0x7f800000u;
    return large ? bits | 0x7fffu : bits;
}
