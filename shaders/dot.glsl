/* dot.glsl: a chunk of weights in a block format times the same columns of a quantised x (quantize.comp), four products
 * an instruction. The instruction is SPIR-V's OpSDot on packed bytes, for which older compilers have no name. Include
 * after linear.glsl; the slot of X holds the quantised rows. */
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int dot_bytes(uint a, uint b, spirv_literal int format);

const bool WITH_SUMS = ZERO != 0 || OFFSETS;

/* The columns of a chunk: a word for each quad, the sums of those words, and the scale of all. */
struct quantized {
    uvec4 low, high;
    ivec4 low_sum, high_sum;
    float scale;
};

ivec4 sums_of(uvec4 x)
{
    const uint ones = 0x01010101u;
    return ivec4(dot_bytes(x.x, ones, 0), dot_bytes(x.y, ones, 0), dot_bytes(x.z, ones, 0), dot_bytes(x.w, ones, 0));
}

quantized x_chunk(uint j, uint col, uint k)
{
    uint units = P.job[j].u0.x * QUADS / 4, at = col * units; /* 16 bytes each, of a row of x */
    quantized x;
    x.low = in_v[IN(j, X)].d[at + turn_bytes(k, QUADS, 0)];
    x.high = QUADS == 8 ? in_v[IN(j, X)].d[at + turn_bytes(k, QUADS, 1)] : uvec4(0);
    x.scale = in_f[IN(j, X)].d[P.job[j].u2.y * units * 4 + at / 2 + k * QUADS / 8];
    x.low_sum = WITH_SUMS ? sums_of(x.low) : ivec4(0);
    x.high_sum = WITH_SUMS && QUADS == 8 ? sums_of(x.high) : ivec4(0);
    return x;
}

float dot_chunk(weight_chunk w, quantized x)
{
    float v = 0.0;
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        int p = dot_bytes(bytes_of(quad_codes(w, i)), i < 4 ? x.low[i & 3u] : x.high[i & 3u], 0);
        int all = i < 4 ? x.low_sum[i & 3u] : x.high_sum[i & 3u];
        vec2 scale = quad_scale(w, i);
        if (ZERO != 0) p -= int(ZERO) * all;
        v = fma(scale.x, float(p), v);
        if (OFFSETS) v = fma(scale.y, float(all), v);
    }
    return x.scale * v;
}
