/* dot.glsl: a chunk of q8_0 or q4_0 weights times the same columns of a quantised x (quantize.comp), four products
 * an instruction. The instruction is SPIR-V's OpSDot on packed bytes, for which older compilers have no name. Include
 * after linear.glsl; the slot of X holds the quantised rows. */
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int dot_bytes(uint a, uint b, spirv_literal int format);

struct quantized {
    uvec4 low, high; /* bytes 0..15, 16..31 of a block; q8_0: high is not used */
    float scale;
    int sum;
};

/* The columns of chunk k. */
quantized x_chunk(uint j, uint col, uint k)
{
    quantized x;
    uint blocks = P.job[j].u0.w / 32, block = col * blocks + (WEIGHT_TYPE == Q4_0 ? k : k / 2);
    uint at = P.job[j].u2.y * blocks * 8 + 2 * block;
    x.low = in_v[IN(j, X)].d[2 * block + (WEIGHT_TYPE == Q4_0 ? 0 : k & 1u)];
    x.high = WEIGHT_TYPE == Q4_0 ? in_v[IN(j, X)].d[2 * block + 1] : uvec4(0);
    x.scale = in_f[IN(j, X)].d[at];
    x.sum = int(in_u[IN(j, X)].d[at + 1]);
    return x;
}

float dot_chunk(uvec4 w, quantized x)
{
    int sum = WEIGHT_TYPE == Q4_0 ? -8 * x.sum : 0; /* nibbles are 8 too large */
    [[unroll]] for (uint i = 0; i < 4; i++) {
        if (WEIGHT_TYPE != Q4_0) sum += dot_bytes(w[i], x.low[i], 0);
        else sum += dot_bytes(w[i] & 0x0f0f0f0fu, x.low[i], 0) + dot_bytes((w[i] >> 4) & 0x0f0f0f0fu, x.high[i], 0);
    }
    return x.scale * float(sum);
}
