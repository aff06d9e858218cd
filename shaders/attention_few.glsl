/* attention_few.glsl: what the kernels for a few tokens share: where splits of the positions leave a head's maximum,
 * sum of weights and unnormalised values, and how the last one to arrive puts them together. Include after
 * attention_join.glsl. */

/* Where a head's first split is in scratch; the others follow, VALUE + 2 numbers each. */
uint part_of_head(uint token, uint head, uint n_splits)
{
    return (token * P.job[0].u0.x + head) * n_splits * (VALUE + 2);
}

void write_result(uint token, uint head, uint d, float v)
{
    out_f[OUT(0, Y)].d[tensor_first(0, Y) + (token * P.job[0].u0.x + head) * VALUE + d] = v;
}

/* Puts the splits together: weights by their maxima, then elements of the head. */
void combine(uint token, uint head, uint n_splits, uint base)
{
    uint me = gl_LocalInvocationID.x;
    float most = uintBitsToFloat(0xff800000u), sum = 0.0;
    for (uint s = 0; s < n_splits; s++) most = max(most, shared_f[OUT(0, SCRATCH)].d[base + s * (VALUE + 2)]);
    for (uint s = 0; s < n_splits; s++) {
        uint at = base + s * (VALUE + 2);
        sum += shared_f[OUT(0, SCRATCH)].d[at + 1] * exp_exact(shared_f[OUT(0, SCRATCH)].d[at] - most);
    }
    for (uint d = me; d < VALUE; d += BLOCK) {
        float v = 0.0;
        for (uint s = 0; s < n_splits; s++) {
            uint at = base + s * (VALUE + 2);
            v = fma(shared_f[OUT(0, SCRATCH)].d[at + 2 + d], exp_exact(shared_f[OUT(0, SCRATCH)].d[at] - most), v);
        }
        write_result(token, head, d, finished(head, v, most, sum));
    }
}
