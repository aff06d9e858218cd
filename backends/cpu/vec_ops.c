/* vec_ops.c: the row operations of an instruction set. */
#include "vec_ops.h"

const cpu_vec_ops *cpu_vec(cpu_isa isa)
{
    switch (isa) {
#ifdef WEFT_CPU_AVX512
    case CPU_AVX512:
        return &cpu_vec_avx512;
#endif
#ifdef WEFT_CPU_AVX2
    case CPU_AVX2:
        return &cpu_vec_avx2;
#endif
#ifdef WEFT_CPU_NEON
    case CPU_NEON:
        return &cpu_vec_neon;
#endif
    default:
        return &cpu_vec_scalar;
    }
}
