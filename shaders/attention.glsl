/* attention.glsl: what all attention kernels share: their tensors, and rows of keys and values in any type.
 * u0: heads, heads per group, head size; u1.y: splits; u1.z: log2 of a page's cells; f0.x: scale; f0.y:
 * the cap of scores. Include after math.glsl.
 *
 * A token sees positions of its sequence; without pages there is one sequence, and a position is a cell. All kernels
 * take positions in order and cut them where positions say, so that what they compute does not depend on the pages. */
layout(constant_id = 1) const uint HEAD = 64;    /* elements of a query and of a key */
layout(constant_id = 2) const uint K_TYPE = F16;
layout(constant_id = 5) const uint V_TYPE = F16;
layout(constant_id = 3) const uint VECTORS = 1;  /* rows are read four elements at a time: see cells.glsl */

layout(constant_id = 7) const uint PAGED = 0;
layout(constant_id = 9) const uint VALUE = 64;   /* elements of a value and of a result */
layout(constant_id = 10) const uint DRESS = 0;   /* what is made of scores: CAPPED, .. */

#define CAPPED 1u
#define SLOPED 2u
#define BIASED 4u
#define WITH_SINK 8u

#define Q 0
#define K 1
#define V 2
#define FIRST 3
#define LAST 4
#define SEQUENCE 5
#define PAGES 6
#define SINKS 7
#define SLOPES 8
#define BIAS 9
#define Y 10
#define SCRATCH 11

#define STATES_ONLY
#include "blocks.glsl"
#include "cells.glsl"

const uint NOWHERE = 0xffffffffu; /* no cell, no sequence */

uint kv_base(uint t, uint group, uint cell)
{
    return tensor_first(0, t) + group * tensor_stride(0, t, 0) + cell * tensor_stride(0, t, 1);
}

/* Elements d .. d + 3 of a row of K. */
vec4 key_quad(uint base, uint d)
{
    if (VECTORS != 0) return row_quad(K, K_TYPE, base + d);
    vec4 v = vec4(0.0);
    for (uint c = 0; c < 4; c++)
        if (d + c < HEAD) v[c] = load_stored(K, K_TYPE, base + d + c);
    return v;
}

vec4 query_quad(uint base, uint d)
{
    if (VECTORS != 0) return in_f4[Q].d[(base + d) / 4];
    vec4 v = vec4(0.0);
    for (uint c = 0; c < 4; c++)
        if (d + c < HEAD) v[c] = load_as_float(Q, tensor_dtype(0, Q), base + d + c);
    return v;
}

/* The product of the block that element d of a key begins, and a query. */
float unit_times_query(uint key, uint query, uint d)
{
    uint w[8], i, unit = unit_at(K_TYPE, key + d, i);
    unit_head h = load_head(K, K_TYPE, unit);
    vec4 s = vec4(0.0);
    load_numbers(K, K_TYPE, unit, w);
    [[unroll]] for (uint k = 0; k < 8; k++) {
        bool high = K_TYPE != Q8_0 && k >= 4;
        vec4 x = unit_quad(K_TYPE, h, w[high ? k - 4 : k], high ? 4 : 0, 4 * k);
        s = fma(x, query_quad(query, d + 4 * k), s);
    }
    return unit_factor(K_TYPE, h) * (s.x + s.y + (s.z + s.w));
}

/* The product of a key and a query. Unrolled or not: by the driver's choice, or the walk stays a loop. */
float key_times_query(uint key, uint query, bool stay)
{
    vec4 s = vec4(0.0);
    if (VECTORS != 0 && in_units(K_TYPE)) {
        [[dont_unroll]] for (uint d = 0; d < HEAD; d += 32) s.x += unit_times_query(key, query, d);
        return s.x;
    }
    if (stay) [[dont_unroll]] for (uint d = 0; d < HEAD; d += 4) s = fma(key_quad(key, d), query_quad(query, d), s);
    else for (uint d = 0; d < HEAD; d += 4) s = fma(key_quad(key, d), query_quad(query, d), s);
    return s.x + s.y + (s.z + s.w);
}

/* The sequence of a token; NOWHERE if it is none of those that have pages. */
uint sequence_of(uint token)
{
    if (PAGED == 0) return 0;
    uint s = in_u[SEQUENCE].d[tensor_first(0, SEQUENCE) + token * tensor_stride(0, SEQUENCE, 0)];
    return s < tensor_dim(0, PAGES, 0) ? s : NOWHERE;
}

/* The cell of a position that exists; NOWHERE if its page is not there. */
uint cell_at(uint sequence, uint position)
{
    if (PAGED == 0) return position;
    uint shift = P.job[0].u1.z, within = position & ((1u << shift) - 1u);
    uint page = in_u[PAGES].d[tensor_first(0, PAGES) + sequence * tensor_stride(0, PAGES, 0) +
                              (position >> shift) * tensor_stride(0, PAGES, 1)];
    return page < tensor_dim(0, K, 1) >> shift ? (page << shift) + within : NOWHERE;
}

/* The positions that a token sees: x..y-1, within those that exist. */
uvec2 positions_of(uint token)
{
    int first = int(in_u[FIRST].d[tensor_first(0, FIRST) + token * tensor_stride(0, FIRST, 0)]);
    int last = int(in_u[LAST].d[tensor_first(0, LAST) + token * tensor_stride(0, LAST, 0)]);
    uint end = PAGED == 0 ? tensor_dim(0, K, 1) : tensor_dim(0, PAGES, 1) << P.job[0].u1.z;
    if (sequence_of(token) == NOWHERE) end = 0;
    first = max(first, 0);
    return uvec2(first, max(min(last, int(end) - 1) + 1, first));
}

/* A token's score with a position, capped, with its slope and its bias. */
float dressed(float s, uint head, uint token, uint position)
{
    if ((DRESS & CAPPED) != 0) s = P.job[0].f0.y * tanh_exact(s / P.job[0].f0.y);
    if ((DRESS & SLOPED) != 0) {
        int last = int(in_u[LAST].d[tensor_first(0, LAST) + token * tensor_stride(0, LAST, 0)]);
        float slope = in_f[SLOPES].d[tensor_first(0, SLOPES) + head * tensor_stride(0, SLOPES, 0)];
        s = fma(slope, float(int(position) - last), s);
    }
    if ((DRESS & BIASED) != 0)
        s += in_f[BIAS].d[tensor_first(0, BIAS) + (tensor_dim(0, BIAS, 0) == 1 ? 0 : head * tensor_stride(0, BIAS, 0)) +
                          token * tensor_stride(0, BIAS, 1) + position * tensor_stride(0, BIAS, 2)];
    return s;
}

/* The result of a sum of values, of the weights' maximum and sum: a sink adds its own weight. */
float finished(uint head, float v, float most, float total)
{
    if ((DRESS & WITH_SINK) != 0) {
        float sink = in_f[SINKS].d[tensor_first(0, SINKS) + head * tensor_stride(0, SINKS, 0)];
        float higher = max(most, sink), before = exp_exact(most - higher);
        total = fma(total, before, exp_exact(sink - higher));
        v *= before;
    }
    return total != 0.0 ? v / total : 0.0;
}
