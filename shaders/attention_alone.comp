/* attention_alone.comp: sets right what attention_tile and attention_lanes made no number of. They take many tokens at
 * once and count a cell that only other tokens see zero times its value, which is NaN unless that is finite. This comes
 * after them, a workgroup per token and head: a result that is no number is made again from nothing but the cells that
 * the token sees. In the same kernel as theirs it costs registers on most GPUs, here a look at what was written.
 *
 * An invocation scores one cell at a time, then sums an element of the head, with the running maximum and sum of
 * Milakov and Gimelshein (arXiv:1805.02867). */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define IN_SLOTS 10
#define OUT_SLOTS 1
#include "common.glsl"
#include "math.glsl"
#include "attention.glsl"

const float UNSEEN = -1e30;

shared float score[BLOCK];
shared uint where[PAGED != 0 ? BLOCK : 1]; /* cells of the scores; NOWHERE: there is none */
shared uint spoilt;

void main()
{
    uint me = gl_LocalInvocationID.x, heads = P.job[0].u0.x, head = group_number() % heads;
    uint token = group_number() / heads, group = head / P.job[0].u0.y;
    uint to = tensor_first(0, Y) + (token * heads + head) * VALUE;
    if (token >= tensor_dim(0, Q, 0)) return;
    if (me == 0) spoilt = 0;
    barrier();
    for (uint d = me; d < VALUE; d += BLOCK)
        if (is_nan(out_f[OUT(0, Y)].d[to + d])) atomicOr(spoilt, 1);
    barrier();
    if (spoilt == 0) return;

    uint query = tensor_first(0, Q) + token * tensor_stride(0, Q, 0) + head * tensor_stride(0, Q, 1);
    uvec2 seen = positions_of(token);
    uint sequence = sequence_of(token);
    for (uint d0 = 0; d0 < VALUE; d0 += BLOCK) {
        uint d = min(d0 + me, VALUE - 1);
        float most = UNSEEN, total = 0.0, sum = 0.0;
        for (uint begin = seen.x; begin < seen.y; begin += BLOCK) {
            uint n = min(seen.y - begin, BLOCK), here = begin + min(me, n - 1), cell = cell_at(sequence, here);
            float s = key_times_query(kv_base(K, group, cell == NOWHERE ? 0 : cell), query, true);
            barrier();
            score[me] = cell == NOWHERE ? UNSEEN : dressed(s * P.job[0].f0.x, head, token, here);
            if (PAGED != 0) where[me] = cell;
            barrier();
            float before = most;
            [[dont_unroll]] for (uint i = 0; i < n; i++) most = max(most, score[i]);
            float f = total > 0.0 ? exp_exact(before - most) : 0.0;
            total *= f;
            sum *= f;
            [[dont_unroll]] for (uint i = 0; i < n; i++) {
                uint at = PAGED != 0 ? where[i] : begin + i;
                if (at == NOWHERE) continue;
                float p = exp_exact(score[i] - most);
                total += p;
                sum = fma(p, load_stored(V, V_TYPE, kv_base(V, group, at) + d), sum);
            }
        }
        if (d0 + me < VALUE) out_f[OUT(0, Y)].d[to + d] = finished(head, sum, most, total);
    }
}
