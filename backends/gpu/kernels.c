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

/* common.glsl spells these numbers out. */
_Static_assert(WEFT_F32 == 1 && WEFT_F16 == 2 && WEFT_BF16 == 3 && WEFT_I32 == 4 && WEFT_Q8_0 == 5 && WEFT_Q4_0 == 6,
               "dtype numbers of shaders/common.glsl");

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
