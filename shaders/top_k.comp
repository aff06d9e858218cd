/* top_k.comp: the k largest of a row, descending, the lower index first among equals, NaN last; a workgroup per row.
 *
 * Elements are ranked by 64 bits, their value as a number that sorts and then their index from the end, so that all
 * ranks differ. A radix select, eight bits at a time from the top, finds the k-th rank; what is not below it is
 * collected and put in order by counting. u0: rows at the bounds, k. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define IN_SLOTS 1
#define OUT_SLOTS 2
#include "common.glsl"
#include "walk.glsl"

shared uint count[256];
shared uint chosen, left, n_found;
shared bool all_chosen; /* everything with the digits so far is wanted */
shared uvec2 found[1024];

/* The value sorts as its number: NaN is 0, -0 equals 0. */
uint sort_key(float x)
{
    if (is_nan(x)) return 0;
    uint u = floatBitsToUint(x == 0.0 ? 0.0 : x);
    return (u & 0x80000000u) != 0 ? ~u : u | 0x80000000u;
}

float from_key(uint key)
{
    if (key == 0) return uintBitsToFloat(0x7fc00000u);
    return uintBitsToFloat((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key);
}

uint digit(uvec2 rank, uint d) { return (d < 4 ? rank.x >> (24 - 8 * d) : rank.y >> (56 - 8 * d)) & 255u; }

/* Whether the first d digits of two ranks are the same. */
bool same_head(uvec2 a, uvec2 b, uint d)
{
    if (d == 0) return true;
    if (d < 4) return a.x >> (32 - 8 * d) == b.x >> (32 - 8 * d);
    if (a.x != b.x) return false;
    return d == 4 || a.y >> (64 - 8 * d) == b.y >> (64 - 8 * d);
}

bool above(uvec2 a, uvec2 b) { return a.x > b.x || (a.x == b.x && a.y > b.y); }

void main()
{
    const uint j = 0;
    uint row = group_number(), at[6], last = tensor_rank(j, 0) - 1, bound = walk_dim(j, last);
    uint type = tensor_dtype(j, 0);
    uint k = P.job[j].u0.y, me = gl_LocalInvocationID.x;
    if (row >= P.job[j].u0.x || !walk(j, 0, row * bound, at)) return;
    uint n = tensor_dim(j, 0, last), from = walk_offset(j, 0, at), step = tensor_stride(j, 0, last);
    uvec2 limit = uvec2(0);
    if (me == 0) {
        left = min(k, n);
        n_found = 0;
    }
    for (uint d = 0; d < 8; d++) {
        for (uint i = me; i < 256; i += BLOCK) count[i] = 0;
        barrier();
        for (uint i = me; i < n; i += BLOCK) {
            uvec2 rank = uvec2(sort_key(load_as_float(IN(j, 0), type, from + i * step)), ~i);
            if (same_head(rank, limit, d)) atomicAdd(count[digit(rank, d)], 1);
        }
        barrier();
        if (me == 0) {
            uint rest = left, b = 255;
            while (b > 0 && count[b] < rest) rest -= count[b--];
            chosen = b;
            left = rest;
            all_chosen = count[b] == rest;
        }
        barrier();
        if (d < 4) limit.x |= chosen << (24 - 8 * d);
        else limit.y |= chosen << (56 - 8 * d);
        if (all_chosen) break;
    }
    for (uint i = me; i < n; i += BLOCK) {
        uvec2 rank = uvec2(sort_key(load_as_float(IN(j, 0), type, from + i * step)), ~i);
        if (above(limit, rank)) continue;
        uint slot = atomicAdd(n_found, 1);
        if (slot < 1024) found[slot] = rank;
    }
    barrier();
    uint m = min(n_found, k);
    for (uint i = me; i < m; i += BLOCK) {
        uint place = 0;
        for (uint o = 0; o < m; o++) place += uint(above(found[o], found[i]));
        out_f[OUT(j, 1)].d[tensor_first(j, 1) + row * k + place] = from_key(found[i].x);
        out_u[OUT(j, 2)].d[tensor_first(j, 2) + row * k + place] = ~found[i].y;
    }
}
