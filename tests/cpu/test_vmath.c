/* test_vmath.c: exp, tanh and the activations of every instruction set against double precision, over floats of every
 * size and sign (every 7001st bit pattern), infinities and NaN. */
#include <math.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/vec_ops.h"
#include "tests/test.h"

enum { BATCH = 37 }; /* neither a multiple of a vector nor less than one */

static double exact(weft_op op, double x)
{
    switch (op) {
    case WEFT_OP_exp: return exp(x);
    case WEFT_OP_tanh: return tanh(x);
    case WEFT_OP_sigmoid: return 1 / (1 + exp(-x));
    case WEFT_OP_gelu: return x * 0.5 * erfc(-x * sqrt(0.5));
    case WEFT_OP_gelu_tanh: return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default: return x / (1 + exp(-x));
    }
}

/* Error in units of what vmath.h allows. */
static double error_of(weft_op op, float x, float got)
{
    double want = exact(op, (double)x), allowed;
    if (isnan(want)) return isnan(got) ? 0 : HUGE_VAL;
    if (isinf(want) || fabs(want) > 0x1.fffffep127) return isinf(got) && (got > 0) == (want > 0) ? 0 : HUGE_VAL;
    double ulp = fmax(fabs(want) * 0x1p-23, 0x1p-149);
    if (op == WEFT_OP_exp) allowed = 2 * ulp;
    else if (op == WEFT_OP_tanh || op == WEFT_OP_sigmoid) allowed = 4 * ulp + 0x1p-126 * (op == WEFT_OP_sigmoid);
    else allowed = 3e-7 * fabs((double)x) + 0x1p-149;
    return fabs((double)got - want) / allowed;
}

static void sweep(weft_op op)
{
    for (cpu_isa isa = 0; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_isa_runs(isa)) continue;
        double worst = 0;
        float at = 0;
        for (uint64_t bits = 0; bits < (UINT64_C(1) << 32);) {
            float x[BATCH], y[BATCH];
            for (int i = 0; i < BATCH; i++, bits += 7001) {
                uint32_t u = bits == 7001 ? 0x7f800000u : bits == 14002 ? 0xff800000u : (uint32_t)bits;
                memcpy(&x[i], &u, 4);
            }
            cpu_vec(isa)->map(op, false)(y, (const void *const[]){ x }, BATCH, (const float[2]){ 0 });
            for (int i = 0; i < BATCH; i++) {
                double error = error_of(op, x[i], y[i]);
                if (error <= worst) continue;
                worst = error;
                at = x[i];
            }
        }
        if (!CHECK(worst <= 1)) printf("  %s at %.9g: %g of what is allowed\n", cpu_isa_name(isa), (double)at, worst);
    }
}

static void exp_(void) { sweep(WEFT_OP_exp); }
static void tanh_(void) { sweep(WEFT_OP_tanh); }
static void sigmoid(void) { sweep(WEFT_OP_sigmoid); }
static void gelu(void) { sweep(WEFT_OP_gelu); }
static void gelu_tanh(void) { sweep(WEFT_OP_gelu_tanh); }
static void silu(void) { sweep(WEFT_OP_silu); }

static const weft_test tests[] = {
    { "exp", exp_ },   { "tanh", tanh_ },           { "sigmoid", sigmoid },
    { "gelu", gelu },  { "gelu_tanh", gelu_tanh },  { "silu", silu },
};
TEST_MAIN(tests)
