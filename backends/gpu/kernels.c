/* kernels.c: the table of GPU kernels, from kernels.def, and the search in it. Nothing here touches a device. */
#include "backends/gpu/kernel.h"

#define GPU_KERNEL(op, symbol) extern const gpu_kernel symbol;
#include "backends/gpu/kernels.def"
#undef GPU_KERNEL

static const struct {
    weft_op op;
    const gpu_kernel *kernel;
} table[] = {
#define GPU_KERNEL(op, symbol) { WEFT_OP_##op, &symbol },
#include "backends/gpu/kernels.def"
#undef GPU_KERNEL
};
enum { N_ROWS = sizeof table / sizeof *table };

const gpu_kernel *gpu_kernel_find(const gpu_call *c, bool (*disabled)(const void *ctx, const gpu_kernel *k),
                                  const void *ctx, weft_place_reason *why, const gpu_kernel **better)
{
    const gpu_kernel *first = NULL; /* of those that are disabled */
    *why = WEFT_PLACE_NO_KERNEL;
    for (uint32_t i = 0; i < N_ROWS; i++) {
        const gpu_kernel *k = table[i].kernel;
        if (table[i].op != c->op) continue;
        *why = WEFT_PLACE_NO_TYPE;
        if (k->accepts && !k->accepts(c)) continue;
        if (disabled && disabled(ctx, k)) {
            first = first ? first : k;
            continue;
        }
        *why = WEFT_PLACE_REQUESTED;
        if (better) *better = first;
        return k;
    }
    if (first) *why = WEFT_PLACE_DISABLED;
    return NULL;
}

const gpu_kernel *const *gpu_kernels(uint32_t *n)
{
    static const gpu_kernel *const all[] = {
#define GPU_KERNEL(op, symbol) &symbol,
#include "backends/gpu/kernels.def"
#undef GPU_KERNEL
    };
    *n = N_ROWS;
    return all;
}
