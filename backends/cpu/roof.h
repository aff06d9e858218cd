/* roof.h: what this machine can reach at best, as the denominator of every speed we report: bytes per second of a
 * stream that is only read, from memory beyond the caches, and arithmetic in registers. Measured with the backend's
 * own threads and instruction set, each for about `seconds`; the median of many short passes counts. `task` counts
 * passes and may be NULL. */
#ifndef CPU_ROOF_H
#define CPU_ROOF_H

#include "backends/cpu/cpu.h"

weft_status weft__cpu_stream(cpu_backend *b, double seconds, weft__task *task, double *bytes_per_second,
                             weft_error *err);
/* Floating-point operations per second of f32 fused multiply-adds, and operations of int8 dot products. */
weft_status weft__cpu_peak(cpu_backend *b, double seconds, weft__task *task, double *flops, double *int8_ops,
                           weft_error *err);

/* The loops of one instruction set. Results are returned so that no compiler drops the work. */
typedef struct cpu_roof_loops {
    uint64_t (*read)(const void *p, uint64_t bytes); /* a multiple of 4096 */
    float (*fma)(uint64_t rounds);                   /* `chains` multiply-adds of `lanes` floats a round */
    int32_t (*dot)(uint64_t rounds);                 /* as many dot products of 4 bytes per lane */
    uint32_t chains, lanes;
} cpu_roof_loops;

const cpu_roof_loops *cpu_roof_of(cpu_isa isa);

extern const cpu_roof_loops cpu_roof_scalar, cpu_roof_avx2, cpu_roof_avxvnni, cpu_roof_avx512, cpu_roof_neon,
    cpu_roof_dotprod, cpu_roof_i8mm;

#endif
