/* kernels.c: the table of CPU kernels, from kernels.def, and the choice among them. */
#include "backends/cpu/cpu.h"

#define CPU_KERNEL(op, isa, symbol) extern const cpu_kernel symbol;
#include "backends/cpu/kernels.def"
#undef CPU_KERNEL

static const struct {
    weft_op op;
    cpu_isa isa;
    const cpu_kernel *kernel;
} rows[] = {
#define CPU_KERNEL(op, isa, symbol) { WEFT_OP_##op, CPU_##isa, &symbol },
#include "backends/cpu/kernels.def"
#undef CPU_KERNEL
};

const cpu_kernel *cpu_kernel_find(const cpu_call *call, weft_place_reason *why, cpu_isa *isa)
{
    *why = WEFT_PLACE_NO_KERNEL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].op != call->op || !cpu_isa_includes(call->isa, rows[i].isa)) continue;
        *why = WEFT_PLACE_NO_TYPE;
        if (rows[i].kernel->accepts && !rows[i].kernel->accepts(call)) continue;
        *why = WEFT_PLACE_REQUESTED;
        *isa = rows[i].isa;
        return rows[i].kernel;
    }
    return NULL;
}

const cpu_kernel *cpu_kernel_of(weft_op op, cpu_isa isa)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].op == op && cpu_isa_includes(isa, rows[i].isa)) return rows[i].kernel;
    return NULL;
}
