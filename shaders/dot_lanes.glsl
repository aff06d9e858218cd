/* dot_lanes.glsl: a chunk of weights in a block format times the same columns of a quantised x (quantize_lanes.comp),
 * four products an instruction. The instruction is SPIR-V's OpSDot on packed bytes, for which older compilers have no
 * name. Include after linear.glsl; the slot of X holds the quantised rows. */
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int dot_bytes(uint a, uint b, spirv_literal int format);

struct quantized {
    uvec4 low, high; /* bytes 0..15, 16..31 of a block; chunks of 16 weights have no high ones, and no sums */
    float scale;
    ivec2 sum; /* of either */
};

/* The columns of chunk k. */
quantized x_chunk(uint j, uint col, uint k)
{
    quantized x;
    uint blocks = P.job[j].u0.w / 32, block = col * blocks + k * PER_CHUNK / 32;
    uint at = P.job[j].u2.y * blocks * 8 + 2 * block;
    x.low = in_v[IN(j, X)].d[2 * block + (PER_CHUNK == 32 ? 0 : k & 1u)];
    x.high = PER_CHUNK == 32 ? in_v[IN(j, X)].d[2 * block + 1] : uvec4(0);
    x.scale = in_f[IN(j, X)].d[at];
    int sums = int(in_u[IN(j, X)].d[at + 1]);
    x.sum = ivec2(sums << 16, sums) >> 16;
    return x;
}

float dot_chunk(weight_chunk w, quantized x)
{
    ivec2 sum = -int(ZERO) * x.sum;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        sum.x += dot_bytes(chunk_bytes(w, i), x.low[i], 0);
        if (PER_CHUNK == 32) sum.y += dot_bytes(chunk_bytes(w, i + 4), x.high[i], 0);
    }
    float v = HALVED ? dot(w.scale, vec2(sum)) : w.scale.x * float(sum.x + sum.y);
    if (OFFSETS) v += HALVED ? dot(w.offset, vec2(x.sum)) : w.offset.x * float(x.sum.x + x.sum.y);
    return x.scale * v;
}
