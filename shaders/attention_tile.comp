/* attention_tile.comp: attention for prompts: a workgroup per head and ROWS tokens, which walks over the cells that any
 * of them sees, BLOCK at a time, with the running maximum and sum of Milakov and Gimelshein (arXiv:1805.02867), as in
 * FlashAttention (arXiv:2205.14135).
 *
 * An invocation scores one cell against all tokens, then sums values of one or more elements of the head for all of
 * them. q and the scores are read at addresses that are the same for the whole workgroup. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 5
#define OUT_SLOTS 1
#include "common.glsl"
#include "math.glsl"
#include "attention.glsl"

layout(constant_id = 4) const uint ROWS = 8;

const uint SPAN = (HEAD + BLOCK - 1) / BLOCK; /* elements of the head per invocation */

shared float score[BLOCK * ROWS]; /* [cell][token] */
shared float row_max[ROWS], row_sum[ROWS], row_factor[ROWS];
shared uvec2 row_cells[ROWS];

float value_of(uint group, uint cell, uint d)
{
    return load_as_float(V, V_TYPE, kv_base(V, group, cell) + d);
}

bool sees(uint r, uint cell) { return cell >= row_cells[r].x && cell < row_cells[r].y; }

/* A row's maximum with a block of n cells from `begin`, and what that makes of the sums so far. */
void raise(uint r, uint begin, uint n)
{
    float most = row_max[r];
    for (uint i = 0; i < n; i++)
        if (sees(r, begin + i)) most = max(most, score[i * ROWS + r]);
    row_factor[r] = row_sum[r] > 0.0 ? exp_exact(row_max[r] - most) : 0.0;
    row_max[r] = most;
}

void main()
{
    uint me = gl_LocalInvocationID.x, heads = P.job[0].u0.x, head = gl_WorkGroupID.x % heads;
    uint token0 = gl_WorkGroupID.x / heads * ROWS, group = head / P.job[0].u0.y, n_tokens = tensor_dim(0, Q, 0);
    if (token0 >= n_tokens) return;
    uint last_token = n_tokens - 1;
    uvec2 range = uvec2(0xffffffffu, 0);
    for (uint r = 0; r < ROWS; r++) {
        uvec2 c = cells_of(min(token0 + r, last_token));
        if (c.x < c.y) range = uvec2(min(range.x, c.x), max(range.y, c.y));
        if (me == 0) {
            row_cells[r] = c;
            row_max[r] = -1e30;
            row_sum[r] = 0.0;
        }
    }
    float sum[SPAN * ROWS];
    for (uint i = 0; i < SPAN * ROWS; i++) sum[i] = 0.0;
    barrier();
    for (uint begin = range.x; begin < range.y; begin += BLOCK) {
        uint n = min(range.y - begin, BLOCK);
        if (me < n) {
            uint base = kv_base(K, group, begin + me);
            vec4 s[ROWS];
            for (uint r = 0; r < ROWS; r++) s[r] = vec4(0.0);
            for (uint d = 0; d < HEAD; d += 4) {
                vec4 k = key_quad(base, d);
                for (uint r = 0; r < ROWS; r++) {
                    uint query = tensor_first(0, Q) + min(token0 + r, last_token) * tensor_stride(0, Q, 0) +
                                 head * tensor_stride(0, Q, 1);
                    s[r] = fma(k, query_quad(query, d), s[r]);
                }
            }
            for (uint r = 0; r < ROWS; r++)
                score[me * ROWS + r] = (s[r].x + s[r].y + (s[r].z + s[r].w)) * P.job[0].f0.x;
        }
        barrier();
        for (uint r = me; r < ROWS; r += BLOCK) raise(r, begin, n);
        barrier();
        if (me < n)
            for (uint r = 0; r < ROWS; r++) {
                float s = score[me * ROWS + r];
                score[me * ROWS + r] = sees(r, begin + me) ? exp_exact(s - row_max[r]) : 0.0;
            }
        barrier();
        for (uint r = me; r < ROWS; r += BLOCK) { /* read at the end only */
            float total = row_sum[r] * row_factor[r];
            for (uint i = 0; i < n; i++) total += score[i * ROWS + r];
            row_sum[r] = total;
        }
        for (uint k = 0; k < SPAN; k++) {
            uint d = min(me + k * BLOCK, HEAD - 1);
            for (uint r = 0; r < ROWS; r++) sum[k * ROWS + r] *= row_factor[r];
            for (uint i = 0; i < n; i++) {
                float v = value_of(group, begin + i, d);
                for (uint r = 0; r < ROWS; r++) sum[k * ROWS + r] = fma(score[i * ROWS + r], v, sum[k * ROWS + r]);
            }
        }
        barrier();
    }
    for (uint k = 0; k < SPAN; k++) {
        uint d = me + k * BLOCK;
        for (uint r = 0; r < ROWS; r++)
            if (d < HEAD && token0 + r < n_tokens)
                out_f[OUT(0, Y)].d[tensor_first(0, Y) + ((token0 + r) * heads + head) * HEAD + d] =
                    row_sum[r] > 0.0 ? sum[k * ROWS + r] / row_sum[r] : 0.0;
    }
}
