/* vec_ops.c: the row operations of an instruction set. */
#include "vec_ops.h"

void cpu_zip(const cpu_vec_ops *v, weft_op op, float *y, const float *a, const float *b, int64_t n)
{
    v->map(op, false)(y, (const void *const[]){ a, b }, n, (const float[2]){ 0 });
}

void cpu_scale(const cpu_vec_ops *v, float *y, const float *x, int64_t n, float factor)
{
    v->map(WEFT_OP_scale, false)(y, (const void *const[]){ x }, n, (const float[2]){ factor });
}

const cpu_vec_ops *cpu_vec(cpu_isa isa)
{
    switch (isa) {
#ifdef WEFT_CPU_AVX512
    case CPU_AVX512:
        return &cpu_vec_avx512;
#endif
#ifdef WEFT_CPU_AVX2
    case CPU_AVX2:
    case CPU_AVXVNNI:
        return &cpu_vec_avx2;
#endif
#ifdef WEFT_CPU_NEON
    case CPU_NEON:
    case CPU_DOTPROD:
    case CPU_I8MM:
        return &cpu_vec_neon;
#endif
    default:
        return &cpu_vec_scalar;
    }
}
