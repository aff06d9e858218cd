/* k_roof_loops.h: the loops that measure a machine's roofs (roof.h), included by one file per instruction set. */
#ifndef CPU_K_ROOF_LOOPS_H
#define CPU_K_ROOF_LOOPS_H

#include "roof.h"
#include "vec.h"

/* Sums that do not wait for each other: as many as the registers hold. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define ROOF_CHAINS 16
#else
#define ROOF_CHAINS 12
#endif

/* Four parallel streams: on processors with a per-page prefetcher one alone does not fill the memory's queues. */
static uint64_t roof_read(const void *p, uint64_t bytes)
{
    const unsigned char *at = p;
    const uint64_t part = bytes / 4;
    vi sum[8];
    for (int i = 0; i < 8; i++) sum[i] = vi_set1(0);
    for (uint64_t i = 0; i < part; i += 2 * sizeof(vi))
        VEC_UNROLL(8)
        for (uint64_t s = 0; s < 8; s++)
            sum[s] = vi_add(sum[s], vi_load(at + s / 2 * part + i + s % 2 * sizeof(vi)));
    for (int i = 1; i < 8; i++) sum[0] = vi_add(sum[0], sum[i]);
    uint32_t lanes[sizeof(vi) / sizeof(uint32_t)], all = 0; /* folded as bits: the sums of signed lanes overflow */
    memcpy(lanes, &sum[0], sizeof lanes);
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) all ^= lanes[i];
    return all;
}

static float roof_fma(uint64_t rounds)
{
    vf sum[ROOF_CHAINS], a = vf_set1(0.999f), b = vf_set1(0.001f);
    VEC_UNROLL(24) /* or the sums live in memory */
    for (int i = 0; i < ROOF_CHAINS; i++) sum[i] = vf_set1((float)i);
    for (uint64_t r = 0; r < rounds; r++)
        VEC_UNROLL(24)
        for (int i = 0; i < ROOF_CHAINS; i++) sum[i] = vf_fma(sum[i], a, b);
    VEC_UNROLL(24)
    for (int i = 1; i < ROOF_CHAINS; i++) sum[0] += sum[i];
    return vf_sum(sum[0]);
}

static int32_t roof_dot(uint64_t rounds)
{
    vi sum[ROOF_CHAINS], a = vi_set1(0x01010101), b = vi_set1(0x00010001);
    VEC_UNROLL(24)
    for (int i = 0; i < ROOF_CHAINS; i++) sum[i] = vi_set1(i);
    for (uint64_t r = 0; r < rounds; r++) {
        VEC_KEEP(a); /* every product is computed */
        VEC_UNROLL(24)
        for (int i = 0; i < ROOF_CHAINS; i++) {
            VEC_KEEP(b);
            sum[i] = vi_dot(sum[i], a, b, 0);
        }
    }
    VEC_UNROLL(24)
    for (int i = 1; i < ROOF_CHAINS; i++) sum[0] = vi_add(sum[0], sum[i]);
    return vi_sum(vi_and(sum[0], 0xffff)); /* the sums wrapped round long ago; this one must not */
}

const cpu_roof_loops CPU_NAME(cpu_roof) = { roof_read, roof_fma, roof_dot, ROOF_CHAINS, VLEN };

#endif
