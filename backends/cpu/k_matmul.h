/* k_matmul.h: products with packed weights (pack.h) as graph/linear.h has them, between the parts of the kernel.
 *
 * A multiplication has two phases. Phase 0 brings the rows of x into tiles of up to 24 tokens, K outermost, in the form
 * the weight type wants (f32, bf16 pairs, or int8 blocks with scales). Phase 1 runs micro-kernels of one panel by one
 * tile over blocks of K; sums wait in the thread's own block of floats until K is through, then bias, activation and
 * residuals are applied and y is written, once. One token needs no phase 0: each thread prepares x for itself.
 * Sets of 16 registers have tiles of two panels for many tokens (k_matmul_twin.h), of panels in f32 or in int8.
 * Panels of blocks are read as they lie for one token. For several, or for products in f32, a K block of them is turned
 * into bytes or floats first, once for all tokens.
 * A gated product walks through the panels of both matrices in turn and writes what one makes of the other; a norm of x
 * is applied as x is prepared.
 *
 * k_matmul_tile.h holds all of it and is compiled once per instruction set. */
#ifndef CPU_K_MATMUL_H
#define CPU_K_MATMUL_H

#include "kernel.h"

/* How a micro-kernel reads a panel. The first three multiply in f32, those behind MM_BF16_DOT in int8. */
typedef enum mm_format {
    MM_F32,
    MM_F16,
    MM_BF16,
    MM_BF16_DOT,
#define CPU_PANEL(id, span, bits, groups, scale, most, offset, table, wide, twin) MM_##id,
#define CPU_WIDE(id, groups, minimum, most) MM_##id,
#define CPU_TWIN(id, bits, scale, most) MM_##id,
#include "panel.def"
    MM_FORMAT_COUNT
} mm_format;

/* The operands of op linear or matmul_nt, found in a call. */
typedef struct mm_operands {
    /* NULL when absent: up, biases, gain, residuals */
    const cpu_tensor *x, *w, *up, *bias, *up_bias, *gain, *residual[2], *y;
    weft_act act;
    float eps;
    bool one_plus;
    int64_t tokens, n, k;
} mm_operands;

void cpu_mm_operands(const cpu_call *c, mm_operands *m);
/* Whether the packed kernels run this call: f32 y and residuals, x and bias of any float type, PANEL w that fits. */
bool cpu_mm_accepts(const cpu_call *c);
/* One token is multiplied without tiles, where its sums may have another order than in a tile of several: not in
 * deterministic programs, unless they are sums of whole numbers. */
bool cpu_mm_any_tile(const cpu_call *c);
bool cpu_mm_alone(const cpu_call *c);
uint32_t cpu_mm_phases(const cpu_call *c); /* 1 for a token alone, else 2 */

bool cpu_select_accepts(const cpu_call *c);  /* the same of linear_select: experts of whole panels */

/* Row r of a tensor [.., T, D] of a float type when its leading dims are counted through. */
void *cpu_mm_row(const cpu_tensor *t, int64_t r);

extern const cpu_kernel cpu_linear_scalar, cpu_linear_avx2, cpu_linear_avxvnni, cpu_linear_avx512, cpu_linear_neon,
    cpu_linear_dotprod, cpu_linear_i8mm;
extern const cpu_kernel cpu_linear_select_scalar, cpu_linear_select_avx2, cpu_linear_select_avxvnni,
    cpu_linear_select_avx512, cpu_linear_select_neon, cpu_linear_select_dotprod, cpu_linear_select_i8mm;

#endif
