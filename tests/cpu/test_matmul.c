/* test_matmul.c: the packed matrix multiplication of every instruction set that this processor has, against a naive
 * double-precision product of the same stored weights. Shapes are primes and sizes just over a tile.
 *
 * Tolerance by rule: sums of K products in f32 may be off by 2^-24 (4 + sqrt K) of the sum of the products' sizes;
 * activations that are rounded on the way (int8 blocks, bf16) add six standard deviations of that rounding. */
#include <math.h>
#include <stdlib.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/k_matmul.h"
#include "backends/cpu/pack.h"
#include "graph/convert.h"
#include "tests/sample.h"
#include "tests/test.h"

#define CANARY -12345.5f

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53 * 2 - 1;
}

static uint16_t half_of(double x)
{
    int e;
    double m = frexp(fabs(x), &e);
    if (m == 0 || e < -13) return 0; /* what would be subnormal */
    return (uint16_t)((x < 0 ? 0x8000 : 0) + (int)lrint(ldexp(m, 11)) + ((e + 13) << 10));
}

static double from_half(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double x = e ? ldexp(m + 1024, e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -x : x;
}

static bool is_block(weft_dtype t) { return weft_dtype_get(t)->class_ == WEFT_DTYPE_BLOCK; }

static size_t row_size(weft_dtype t, int64_t k)
{
    uint64_t bytes;
    return weft_dtype_row_bytes(t, k, &bytes) ? (size_t)bytes : 0;
}

/* Where blocks have their scales: halves, or mxfp4's exponent. Anything may stand in their other bytes. */
static const struct { weft_dtype t; int half[2], exponent; } scales[] = {
    { WEFT_Q8_0, { 0, -1 }, -1 }, { WEFT_Q4_0, { 0, -1 }, -1 }, { WEFT_Q4_1, { 0, 2 }, -1 },
    { WEFT_Q5_0, { 0, -1 }, -1 }, { WEFT_Q5_1, { 0, 2 }, -1 }, { WEFT_Q2_K, { 80, 82 }, -1 },
    { WEFT_Q3_K, { 108, -1 }, -1 }, { WEFT_Q4_K, { 0, 2 }, -1 }, { WEFT_Q5_K, { 0, 2 }, -1 },
    { WEFT_Q6_K, { 208, -1 }, -1 }, { WEFT_IQ4_NL, { 0, -1 }, -1 }, { WEFT_IQ4_XS, { 0, -1 }, -1 },
    { WEFT_MXFP4, { -1, -1 }, 0 },
};

static void put_scales(weft_dtype t, unsigned char *block, uint16_t d, uint16_t m, int exponent)
{
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        if (scales[i].t != t) continue;
        for (int j = 0; j < 2; j++)
            if (scales[i].half[j] >= 0) memcpy(block + scales[i].half[j], j ? &m : &d, 2);
        if (scales[i].exponent >= 0) block[scales[i].exponent] = (unsigned char)exponent;
    }
}

/* Random blocks, with every byte that is no scale, and their values by the formula of block.def. */
static void make_blocks(weft_dtype t, int64_t k, unsigned char *out, double *value)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    for (unsigned char *b = out; b < out + row_size(t, k); b += info->bytes) {
        for (uint32_t i = 0; i < info->bytes; i++) b[i] = (unsigned char)((uniform() + 1) * 128);
        const double d = 0.01 * (1.5 + uniform()) * (uniform() < 0 ? -1 : 1), m = 0.05 * uniform();
        put_scales(t, b, half_of(d), half_of(m), 121 + (int)(uniform() * 3));
    }
    float *f = malloc((size_t)k * sizeof *f + 1);
    if (!f || !weft__decode_row(t, out, f, k)) abort();
    for (int64_t i = 0; i < k; i++) value[i] = (double)f[i];
    free(f);
}

/* A random weight row in storage, and its values. */
static void make_row(weft_dtype t, int64_t k, unsigned char *out, double *value)
{
    if (is_block(t)) make_blocks(t, k, out, value);
    for (int64_t i = 0; i < k && !is_block(t); i++) {
        if (t == WEFT_F32) {
            float f = (float)uniform();
            memcpy(out + i * 4, &f, 4);
            value[i] = (double)f;
        } else if (t == WEFT_F16) {
            uint16_t h = half_of(uniform());
            memcpy(out + i * 2, &h, 2);
            value[i] = from_half(h);
        } else {
            float f = (float)uniform();
            uint32_t u;
            memcpy(&u, &f, 4);
            u &= 0xffff0000u;
            memcpy(out + i * 2, (unsigned char *)&u + 2, 2);
            memcpy(&f, &u, 4);
            value[i] = (double)f;
        }
    }
}

static double act_of(weft_act a, double x)
{
    switch (a) {
    case WEFT_ACT_RELU: return x > 0 ? x : 0;
    case WEFT_ACT_GELU: return x * 0.5 * erfc(-x * sqrt(0.5));
    case WEFT_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case WEFT_ACT_SILU: return x / (1 + exp(-x));
    case WEFT_ACT_RELU2: return x > 0 ? x * x : 0;
    case WEFT_ACT_TANH: return tanh(x);
    case WEFT_ACT_SIGMOID: return 1 / (1 + exp(-x));
    default: return x;
    }
}

typedef struct matmul_case {
    cpu_isa isa;
    weft_dtype type;
    bool exact;
    int64_t t, n, k;
    weft_act act;
    bool bias;
    int residuals;
    uint32_t threads;
    bool deterministic;
} matmul_case;

static void *must(size_t n)
{
    void *p = aligned_alloc(64, (n + 127) / 64 * 64);
    if (!p) abort();
    return p;
}

static float *random_floats(int64_t n)
{
    float *p = malloc((size_t)n * 4 + 4);
    if (!p) abort();
    for (int64_t i = 0; i < n; i++) p[i] = (float)uniform();
    return p;
}

/* How far one output may be off: x and w of its row, `sizes` the sum of |x w|. */
static double tolerance(const matmul_case *m, const float *x, const double *w, double sizes)
{
    double rounding = 0;
    const bool rounds = !m->exact && (m->type == WEFT_BF16 || is_block(m->type));
    for (int64_t at = 0; at < m->k && rounds; at += 32) {
        const int64_t end = at + 32 < m->k ? at + 32 : m->k;
        float most = 0;
        for (int64_t k = at; k < end; k++) most = fmaxf(most, fabsf(x[k]));
        for (int64_t k = at; k < end; k++) { /* a uniform error of a step has variance step^2 / 12 */
            const double step = m->type == WEFT_BF16 ? fabs((double)x[k]) * 0x1p-7 : (double)most / 127;
            rounding += step * step * w[k] * w[k] / 12;
        }
    }
    return 1.2 * (0x1p-24 * (4 + sqrt((double)m->k)) * sizes + 6 * sqrt(rounding)) + 1e-6;
}

typedef struct operands {
    unsigned char *stored, *packed;
    double *w;
    float *x, *bias, *res[2], *y;
    int64_t ldx, ldy;
} operands;

static operands make_operands(const matmul_case *m)
{
    operands o = { .ldx = m->k + 3, .ldy = m->n + 5 };
    size_t row = row_size(m->type, m->k), rows = cpu_panel_rows(m->isa);
    o.stored = must((size_t)m->n * row);
    o.w = must((size_t)(m->n * m->k) * sizeof *o.w);
    for (int64_t n = 0; n < m->n; n++) make_row(m->type, m->k, o.stored + (size_t)n * row, o.w + n * m->k);
    uint64_t stride = cpu_panel_stride(m->isa, m->type, m->k);
    o.packed = must(cpu_panel_bytes(m->isa, m->type, m->n, m->k));
    for (int64_t n = 0, i = 0; n < m->n; n += (int64_t)rows, i++)
        cpu_pack_panel(m->isa, m->type, o.stored + (size_t)n * row, m->n - n < (int64_t)rows ? m->n - n : (int64_t)rows,
                       m->k, o.packed + (uint64_t)i * stride);
    o.x = random_floats(m->t * o.ldx);
    for (int64_t i = 0; i < m->t; i++)
        for (int64_t k = m->k; k < o.ldx; k++) o.x[i * o.ldx + k] = NAN; /* what lies between rows must not matter */
    o.bias = random_floats(m->n);
    for (int i = 0; i < 2; i++) o.res[i] = random_floats(m->t * o.ldy);
    o.y = random_floats(m->t * o.ldy);
    for (int64_t i = 0; i < m->t * o.ldy; i++) o.y[i] = CANARY;
    return o;
}

static void free_operands(operands *o)
{
    free(o->stored);
    free(o->packed);
    free(o->w);
    free(o->x);
    free(o->bias);
    for (int i = 0; i < 2; i++) free(o->res[i]);
    free(o->y);
}

/* Runs the kernel as a pool of m->threads would, one thread after the other. */
static bool run_kernel(const matmul_case *m, const operands *o)
{
    const cpu_kernel *kernel = cpu_kernel_of(WEFT_OP_linear, m->isa);
    weft_attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    attrs.linear.has_bias = m->bias;
    attrs.linear.act = m->act;
    attrs.linear.n_residual = m->residuals;
    cpu_tensor in[5] = {
        { o->x, WEFT_F32, 0, 2, { m->t, m->k }, { o->ldx, 1 } },
        { o->packed, m->type, CPU_LAYOUT_PANEL, 2, { m->n, m->k }, { m->k, 1 } },
    };
    cpu_tensor out = { o->y, WEFT_F32, 0, 2, { m->t, m->n }, { o->ldy, 1 } };
    uint32_t n_in = 2;
    if (m->bias) in[n_in++] = (cpu_tensor){ o->bias, WEFT_F32, 0, 1, { m->n }, { 1 } };
    for (int i = 0; i < m->residuals; i++)
        in[n_in++] = (cpu_tensor){ o->res[i], WEFT_F32, 0, 2, { m->t, m->n }, { o->ldy, 1 } };
    cpu_call call = { .in = in, .out = &out, .n_in = n_in, .n_out = 1, .op = WEFT_OP_linear, .attrs = &attrs,
                      .isa = m->isa, .exact = m->exact, .deterministic = m->deterministic,
                      .n_threads = m->threads };
    if (!CHECK(kernel->accepts(&call))) return false;
    unsigned char *scratch = must(kernel->scratch(&call));
    memset(scratch, 0xff, kernel->scratch(&call));
    call.scratch = scratch;
    for (uint32_t phase = 0; phase < kernel->phases(&call); phase++) {
        atomic_uint next = 0;
        call.next = &next;
        call.phase = phase;
        for (uint32_t i = m->threads; i-- > 0;) {
            call.thread = i;
            kernel->run(&call);
        }
    }
    free(scratch);
    return true;
}

/* Whether a row that was read back is w. Where a minimum is added, what is rounded may be larger than the sum. */
static bool is_row(const matmul_case *m, const float *row, const double *w)
{
    double most = 0;
    for (int64_t k = 0; k < m->k; k++) most = fabs(w[k]) > most ? fabs(w[k]) : most;
    for (int64_t k = 0; k < m->k; k++)
        if (!(fabs((double)row[k] - w[k]) <= (is_block(m->type) ? 2e-7 * most : 1e-7 * fabs(w[k])))) return false;
    return true;
}

static void check_case(const matmul_case *m)
{
    operands o = make_operands(m);
    double worst = 0;
    bool clean = true;
    if (run_kernel(m, &o)) {
        for (int64_t t = 0; t < m->t; t++) {
            for (int64_t n = 0; n < m->n; n++) {
                double sum = m->bias ? (double)o.bias[n] : 0, sizes = fabs(sum);
                for (int64_t k = 0; k < m->k; k++) {
                    double product = (double)o.x[t * o.ldx + k] * o.w[n * m->k + k];
                    sum += product;
                    sizes += fabs(product);
                }
                double want = act_of(m->act, sum);
                for (int i = 0; i < m->residuals; i++) want += (double)o.res[i][t * o.ldy + n];
                double limit = tolerance(m, o.x + t * o.ldx, o.w + n * m->k, sizes);
                if (m->act == WEFT_ACT_RELU2) limit *= 1 + 2 * fabs(sum) + limit; /* its slope */
                double error = fabs((double)o.y[t * o.ldy + n] - want) / limit;
                if (!(error <= worst)) worst = error;
            }
            for (int64_t n = m->n; n < o.ldy; n++) clean = clean && o.y[t * o.ldy + n] == CANARY;
        }
        if (!CHECK(worst <= 1) || !CHECK(clean))
            printf("  isa %d type %d exact %d T %d N %d K %d act %d bias %d residuals %d threads %u: %g of the limit\n",
                   (int)m->isa, (int)m->type, m->exact, (int)m->t, (int)m->n, (int)m->k, (int)m->act, m->bias,
                   m->residuals, m->threads, worst);
    }
    float *row = must((size_t)m->k * sizeof *row);
    for (int64_t n = 0; n < m->n; n += 5) {
        cpu_unpack_row(m->isa, m->type, o.packed, m->k, n, row);
        CHECK(is_row(m, row, o.w + n * m->k));
    }
    free(row);
    free_operands(&o);
}

static const int64_t tokens[] = { 1, 2, 3, 5, 7, 8, 9, 13, 20, 24, 25, 61 };
static const struct { int64_t n, k; } float_shapes[] = { { 1, 1 }, { 17, 7 }, { 31, 33 }, { 16, 257 }, { 35, 611 } };
static const struct { int64_t n, k; } block_shapes[] = { { 1, 32 }, { 17, 64 }, { 31, 96 }, { 35, 1120 } };
static const struct { int64_t n, k; } long_shapes[] = { { 1, 256 }, { 17, 512 }, { 9, 768 }, { 5, 1280 } };

/* Emulation and sanitizers take a sample. */
static void check_sampled(const matmul_case *m)
{
    char row[96];
    snprintf(row, sizeof row, "%d %d %d %d %d %d", (int)m->isa, (int)m->type, m->exact, (int)m->t, (int)m->n,
             (int)m->k);
    if (sample_takes_slow(row, "matmul")) check_case(m);
}

static void sweep(cpu_isa isa, weft_dtype type)
{
    const bool blocks = is_block(type);
    const bool wide = weft_dtype_get(type)->block > 32; /* 256 */
    const size_t block_n = sizeof block_shapes / sizeof *block_shapes; /* and long ones */
    const size_t shapes = blocks ? block_n : sizeof float_shapes / sizeof *float_shapes;
    unsigned i = 0;
    if ((isa != CPU_SCALAR && cpu_kernel_of(WEFT_OP_linear, isa) == &cpu_linear_scalar) || !cpu_isa_runs(isa))
        TEST_SKIP("not in this build or not on this processor");
    for (size_t s = 0; s < shapes; s++)
        for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
            for (int exact = 0; exact < 2; exact++, i++)
                check_sampled(&(matmul_case){ .isa = isa, .type = type, .exact = exact, .t = tokens[t],
                                              .n = wide ? long_shapes[s].n
                                                   : blocks ? block_shapes[s].n
                                                            : float_shapes[s].n,
                                              .k = wide ? long_shapes[s].k
                                                   : blocks ? block_shapes[s].k
                                                            : float_shapes[s].k,
                                              .act = (weft_act)(i % WEFT_ACT_COUNT), .bias = i % 3 != 0,
                                              .residuals = (int)(i / 2 % 3), .threads = 1 + i % 3 });
    /* One token, and enough panels for several streams of them. */
    for (int exact = 0; exact < 2; exact++)
        check_sampled(&(matmul_case){ .isa = isa, .type = type, .exact = exact, .t = 1, .n = 347,
                                      .k = wide ? 768 : 96, .threads = 2, .residuals = 1 });
    /* Many tokens, which are split into blocks when there are more threads than panels, and grouped when there are
     * less. */
    check_sampled(&(matmul_case){ .isa = isa, .type = type, .t = 131, .n = 19, .k = wide ? 256 : 64, .threads = 7 });
    check_sampled(&(matmul_case){ .isa = isa, .type = type, .t = 51, .n = 547, .k = wide ? 256 : 96, .threads = 1,
                                  .bias = true });
    check_sampled(&(matmul_case){ .isa = isa, .type = type, .t = 800, .n = 33, .k = wide ? 256 : 64, .threads = 2 });
}

#define TYPES(X, isa, ISA)                                                                         \
    X(isa, ISA, F32) X(isa, ISA, F16) X(isa, ISA, BF16) X(isa, ISA, Q8_0) X(isa, ISA, Q4_0) X(isa, ISA, Q4_1) \
    X(isa, ISA, Q5_0) X(isa, ISA, Q5_1) X(isa, ISA, Q2_K) X(isa, ISA, Q3_K) X(isa, ISA, Q4_K) X(isa, ISA, Q5_K) \
    X(isa, ISA, Q6_K) X(isa, ISA, IQ4_NL) X(isa, ISA, IQ4_XS) X(isa, ISA, MXFP4)
#define SWEEPS(X)                                                                                  \
    TYPES(X, scalar, SCALAR) TYPES(X, avx2, AVX2) TYPES(X, avxvnni, AVXVNNI) TYPES(X, avx512, AVX512) \
    TYPES(X, neon, NEON) TYPES(X, dotprod, DOTPROD) TYPES(X, i8mm, I8MM)
#define X(name, isa, type) static void name##_##type(void) { sweep(CPU_##isa, WEFT_##type); }
SWEEPS(X)
#undef X

/* Sums as large as they can be: blocks of which every byte but the scales is the same, all bits or none among them, and
 * activations that are all 127 steps, of one sign. */
static void check_ends(cpu_isa isa, weft_dtype type, unsigned char byte, int64_t t, float sign)
{
    const weft_dtype_info *info = weft_dtype_get(type);
    const matmul_case m = { .isa = isa, .type = type, .t = t, .n = 17, .k = 3 * info->block, .threads = 1 };
    operands o = make_operands(&m);
    const size_t rows = cpu_panel_rows(isa), row = row_size(type, m.k);
    float *value = must((size_t)m.k * sizeof *value);
    for (size_t i = 0; i < (size_t)m.n * row; i += info->bytes) {
        memset(o.stored + i, byte, info->bytes);
        put_scales(type, o.stored + i, 0x3c00, 0x3c00, 127); /* 1 */
    }
    CHECK(weft__decode_row(type, o.stored, value, m.k));
    double want = 0, sizes = 0;
    for (int64_t k = 0; k < m.k; k++) {
        want += (double)sign * (double)value[k];
        sizes += fabs((double)value[k]);
    }
    for (int64_t n = 0, i = 0; n < m.n; n += (int64_t)rows, i++)
        cpu_pack_panel(isa, type, o.stored + (size_t)n * row, m.n - n < (int64_t)rows ? m.n - n : (int64_t)rows, m.k,
                       o.packed + (uint64_t)i * cpu_panel_stride(isa, type, m.k));
    for (int64_t i = 0; i < t * o.ldx; i++) o.x[i] = sign;
    if (run_kernel(&m, &o))
        for (int64_t i = 0; i < t; i++)
            for (int64_t n = 0; n < m.n; n++)
                if (!CHECK(fabs((double)o.y[i * o.ldy + n] - want) <= 3e-6 * sizes))
                    printf("  isa %d type %d byte %d T %d: %g, not %g\n", (int)isa, (int)type, byte, (int)t,
                           (double)o.y[i * o.ldy + n], want);
    free(value);
    free_operands(&o);
}

static void sums_hold_the_largest_products(void)
{
    static const unsigned char bytes[] = { 0x00, 0xff, 0x80, 0x7f, 0x81, 0x77 };
    for (cpu_isa isa = 0; isa < CPU_ISA_COUNT; isa++)
        for (size_t type = 0; type < sizeof scales / sizeof *scales; type++)
            for (int64_t t = 1; t < 14 && cpu_isa_runs(isa); t += 6)
                for (float sign = -1; sign < 2; sign += 2)
                    for (size_t i = 0; i < sizeof bytes; i++) check_ends(isa, scales[type].t, bytes[i], t, sign);
}

/* In a deterministic program a token's results do not depend on how many others are beside it, though one is multiplied
 * by other kernels than several: to the bit. */
static void check_alone(cpu_isa isa, weft_dtype t, bool exact)
{
    matmul_case m = { .isa = isa, .type = t, .exact = exact, .t = 9, .n = 21, .k = 768, .threads = 1,
                      .deterministic = true };
    operands o = make_operands(&m);
    float *alone = random_floats(o.ldy), *y = o.y;
    bool same = run_kernel(&m, &o);
    m.t = 1;
    o.y = alone;
    for (int64_t i = 0; i < 9; i++, o.x += o.ldx) {
        same = same && run_kernel(&m, &o);
        same = same && !memcmp(alone, y + i * o.ldy, (size_t)m.n * sizeof *alone);
    }
    if (!CHECK(same)) printf("  isa %d type %d exact %d\n", (int)isa, (int)t, exact);
    o.x -= 9 * o.ldx;
    o.y = y;
    free(alone);
    free_operands(&o);
}

static void tokens_do_not_tell_each_other(void)
{
    for (cpu_isa isa = 0; isa < CPU_ISA_COUNT; isa++)
        for (weft_dtype t = WEFT_F32; t <= WEFT_MXFP4 && cpu_isa_runs(isa); t++)
            for (int exact = 0; exact < 2 && t != WEFT_I32; exact++) check_alone(isa, t, exact);
}

/* A program's scratch is laid out for the most tokens of a run; every smaller run must do with it. */
static void check_scratch(cpu_call *call, cpu_tensor *const rows[3])
{
    uint64_t most = 0;
    for (int64_t n = 1; n < 1000; n++) {
        for (int i = 0; i < 3; i++)
            if (rows[i]) rows[i]->dim[0] = n;
        const uint64_t bytes = cpu_kernel_of(call->op, call->isa)->scratch(call);
        if (!CHECK(bytes >= most)) {
            printf("  isa %d type %d op %d threads %u deterministic %d exact %d: %d rows\n", (int)call->isa,
                   (int)call->in[1].dtype, (int)call->op, call->n_threads, call->deterministic, call->exact, (int)n);
            return;
        }
        most = bytes;
    }
}

static void scratch_serves_smaller_runs_of(cpu_isa isa, weft_dtype t, uint32_t threads, bool deterministic, bool exact)
{
    cpu_tensor in[3] = { { NULL, WEFT_F32, 0, 2, { 1, 256 }, { 256, 1 } },
                         { NULL, t, CPU_LAYOUT_PANEL, 2, { 99, 256 }, { 256, 1 } },
                         { NULL, WEFT_I32, 0, 2, { 1, 2 }, { 2, 1 } } };
    cpu_tensor out = { NULL, WEFT_F32, 0, 2, { 1, 99 }, { 99, 1 } };
    cpu_call call = { .in = in, .out = &out, .n_in = 2, .n_out = 1, .op = WEFT_OP_matmul_nt, .isa = isa,
                      .exact = exact, .deterministic = deterministic, .n_threads = threads };
    check_scratch(&call, (cpu_tensor *[3]){ &in[0], &out });
    in[1] = (cpu_tensor){ NULL, t, CPU_LAYOUT_PANEL, 3, { 17, 96, 256 }, { 96 * 256, 256, 1 } };
    out = (cpu_tensor){ NULL, WEFT_F32, 0, 3, { 1, 2, 96 }, { 2 * 96, 96, 1 } };
    call.n_in = 3;
    call.op = WEFT_OP_linear_select;
    check_scratch(&call, (cpu_tensor *[3]){ &in[0], &out, &in[2] });
}

static void scratch_serves_smaller_runs(void)
{
    for (cpu_isa isa = 0; isa < CPU_ISA_COUNT; isa++)
        for (weft_dtype t = WEFT_F32; t <= WEFT_MXFP4 && cpu_isa_runs(isa); t++)
            for (uint32_t threads = 1; threads < 40 && t != WEFT_I32; threads = threads * 2 + 1)
                for (int how = 0; how < 4; how++)
                    scratch_serves_smaller_runs_of(isa, t, threads, how & 1, how & 2);
}

static void sizes_are_checked(void)
{
    CHECK(!cpu_panel_fits(WEFT_Q8_0, 48));
    CHECK(!cpu_panel_fits(WEFT_Q4_K, 384));
    /* K-quants take little more than in their files: bytes of 256 numbers of a row */
    CHECK_EQ_INT(cpu_panel_bytes(CPU_AVX2, WEFT_Q4_K, 8, 256), 8 * 148);
    CHECK_EQ_INT(cpu_panel_bytes(CPU_AVX2, WEFT_Q6_K, 8, 256), 8 * 212);
    CHECK_EQ_INT(cpu_panel_bytes(CPU_AVX2, WEFT_Q2_K, 8, 256), 8 * 84);
    CHECK_EQ_INT(cpu_panel_bytes(CPU_AVX2, WEFT_MXFP4, 8, 2880), 8 * (90 * 16 + 23 * 4));
    CHECK(!cpu_panel_fits(WEFT_I32, 32));
    CHECK(cpu_panel_fits(WEFT_F16, 7));
    CHECK(cpu_panel_bytes(CPU_SCALAR, WEFT_F32, INT64_MAX, 1 << 20) == UINT64_MAX);
    CHECK(cpu_panel_bytes(CPU_SCALAR, WEFT_F32, 1, INT64_MAX) == UINT64_MAX);
    CHECK_EQ_INT(cpu_panel_bytes(CPU_AVX512, WEFT_F16, 17, 3), 2 * 16 * 4 * 2);
}

static const weft_test tests[] = {
#define X(name, isa, type) { #name " " #type, name##_##type },
    SWEEPS(X)
#undef X
    { "sums hold the largest products", sums_hold_the_largest_products },
    { "tokens do not tell each other", tokens_do_not_tell_each_other },
    { "scratch serves smaller runs", scratch_serves_smaller_runs },
    { "sizes are checked", sizes_are_checked },
};
TEST_MAIN(tests)
