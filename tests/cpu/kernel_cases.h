/* kernel_cases.h: the rows of test_kernels.c, one table per family. Sizes are odd, or just over a
 * vector, a block of the kernel, or the length from which a row is cut among threads. */
#ifndef TEST_KERNEL_CASES_H
#define TEST_KERNEL_CASES_H

/* clang-format off: tables */
#define D1(a) .rank = 1, .dim = { a }
#define D2(a, b) .rank = 2, .dim = { a, b }
#define D3(a, b, c) .rank = 3, .dim = { a, b, c }
#define B(...) .bound = { __VA_ARGS__ }
#define F32 .t = WEFT_F32
#define F16 .t = WEFT_F16
#define BF16 .t = WEFT_BF16
#define I32 .t = WEFT_I32
#define NONE { .none = { 0 } }
#define AXIS(a) { .axis = { .axis = a } }
#define EPS(e) { .norm = { .eps = e } }
#define TO(type) { .cast = { .dtype = type } }
#define K(n) { .top_k = { .k = n } }
#define AT(i) .lo = i, .hi = i
#define RISING(from) .lo = from, .rising = true

static void elementwise(void)
{
    static const row rows[] = {
        { "scale", WEFT_OP_scale, { { F32, D2(7, 129) } }, { .scale = { .factor = 0.3f } }, 0 },
        { "long scale", WEFT_OP_scale, { { F32, D2(2, 20011) } }, { .scale = { .factor = -3 } },
          0 },
        { "gelu below bounds", WEFT_OP_gelu, { { F32, D3(3, 5, 17), B(4, 6, 19) } }, NONE, 2 },
        { "gelu_tanh of f16", WEFT_OP_gelu_tanh, { { F16, D2(9, 300) } }, NONE, 0 },
        { "silu of bf16 permuted", WEFT_OP_silu, { { BF16, D3(4, 5, 33), .order = "210" } },
          NONE, 1 },
        { "relu special", WEFT_OP_relu, { { F32, D1(1000), .special = true } }, NONE, 0 },
        { "exp special", WEFT_OP_exp, { { F32, D1(1003), .special = true } }, NONE, 0 },
        { "tanh repeated", WEFT_OP_tanh, { { F32, D2(5, 70), .fixed = 1 } }, NONE, 0 },
        { "sigmoid scalar", WEFT_OP_sigmoid, { { F32, .rank = 0 } }, NONE, 0 },
        { "add", WEFT_OP_add, { { F32, D2(33, 129) }, { F32, D2(33, 129) } }, NONE, 0 },
        { "add row", WEFT_OP_add, { { F32, D3(3, 11, 130) }, { F16, D1(130) } }, NONE, 0 },
        { "sub column", WEFT_OP_sub, { { F32, D2(37, 300) }, { F32, D2(37, 1) } }, NONE, 0 },
        { "mul number", WEFT_OP_mul, { { F32, D2(37, 300) }, { F32, .rank = 0 } }, NONE, 1 },
        { "div outer", WEFT_OP_div, { { F32, D2(29, 1) }, { F32, D2(1, 31), .offset = 5 } },
          NONE, 0 },
        { "add permuted", WEFT_OP_add, { { F32, D3(5, 7, 19), .order = "102" },
          { BF16, D3(5, 7, 19), .order = "201", B(6, 7, 20) } }, NONE, 3 },
        { "sub repeated", WEFT_OP_sub, { { F32, D2(40, 600), .fixed = 2 }, { F32, D2(40, 600) } },
          NONE, 0 },
        { "cast to f16", WEFT_OP_cast, { { F32, D2(5, 777), .special = true } }, TO(WEFT_F16), 0 },
        { "cast to bf16", WEFT_OP_cast, { { F32, D2(5, 777), .special = true } }, TO(WEFT_BF16),
          1 },
        { "cast f16 to bf16", WEFT_OP_cast, { { F16, D2(50, 77), .order = "10" } }, TO(WEFT_BF16),
          0 },
        { "cast from i32", WEFT_OP_cast, { { I32, D1(300), .lo = -99, .hi = 99 } }, TO(WEFT_F32),
          0 },
        { "cast to i32", WEFT_OP_cast, { { F32, D1(300), .offset = 1000.5 } }, TO(WEFT_I32), 0 },
        { "copy", WEFT_OP_copy, { { F16, D3(7, 9, 65), .order = "201", B(8, 9, 66) } }, NONE, 0 },
        { "copy of i32", WEFT_OP_copy, { { I32, D2(300, 65), .order = "10", .hi = 9 } }, NONE, 2 },
        { "concat", WEFT_OP_concat, { { F32, D3(3, 4, 17), .order = "102" }, { F32, D3(3, 1, 17) },
          { F32, D3(3, 6, 17), B(3, 7, 20) } }, AXIS(1), 1 },
        { "concat of f16", WEFT_OP_concat, { { F16, D2(300, 7) }, { F16, D2(300, 11) } }, AXIS(1),
          0 },
    };
    RUN(rows);
}

static void along_rows(void)
{
    static const row rows[] = {
        { "layer_norm", WEFT_OP_layer_norm, { { F32, D2(13, 129), .offset = 9 }, { F32, D1(129) },
          { F32, D1(129) } }, EPS(1e-5f), 0 },
        { "layer_norm of f16", WEFT_OP_layer_norm, { { F16, D3(3, 5, 768) }, { BF16, D1(768) },
          { F16, D1(768) } }, EPS(1e-5f), 2 },
        { "layer_norm permuted", WEFT_OP_layer_norm, { { F32, D2(11, 300), .order = "10" } },
          EPS(1e-5f), 0 },
        { "layer_norm of one", WEFT_OP_layer_norm, { { F32, D2(5, 1) }, { F32, D1(1) } },
          EPS(1e-5f), 0 },
        { "rms_norm", WEFT_OP_rms_norm, { { F32, D2(40, 1031) }, { F32, D1(1031) } }, EPS(1e-6f),
          0 },
        { "norm_pair", WEFT_OP_norm_pair, { { F32, D2(9, 513) }, { F32, D1(513) },
          { F32, D1(513) }, { F16, D1(513) }, { F32, D1(513) } }, EPS(1e-5f), 0 },
        { "softmax", WEFT_OP_softmax, { { F32, D2(17, 131) } }, NONE, 0 },
        { "softmax permuted", WEFT_OP_softmax, { { F32, D3(5, 300, 9), .order = "021" } },
          NONE, 1 },
        { "softmax of one long row", WEFT_OP_softmax, { { F32, D2(1, 20011) } }, NONE, 0 },
        { "softmax of two long rows", WEFT_OP_softmax, { { F16, D2(2, 17001), B(3, 17005) } },
          NONE, 2 },
        { "reduce_sum", WEFT_OP_reduce_sum, { { F32, D2(31, 1009) } }, AXIS(1), 0 },
        { "reduce_mean permuted", WEFT_OP_reduce_mean, { { F16, D3(6, 300, 9), .order = "021" } },
          AXIS(2), 1 },
        { "reduce_max special", WEFT_OP_reduce_max, { { F32, D2(40, 301), .special = true } },
          AXIS(1), 0 },
        { "reduce_max long", WEFT_OP_reduce_max, { { F32, D1(50304) } }, AXIS(0), 0 },
        { "reduce_sum long", WEFT_OP_reduce_sum, { { BF16, D2(2, 30001) } }, AXIS(1), 0 },
        { "argmax of few values", WEFT_OP_argmax, { { F16, D2(40, 301), .offset = 900 } }, AXIS(1),
          0 },
        { "argmax special", WEFT_OP_argmax, { { F32, D3(3, 7, 5), .special = true } }, AXIS(2), 1 },
        { "argmax long", WEFT_OP_argmax, { { F16, D2(1, 50304), .offset = 200 } }, AXIS(1), 0 },
        { "argmax of long rows", WEFT_OP_argmax, { { F32, D2(2, 50304) } }, AXIS(1), 0 },
        { "top_k", WEFT_OP_top_k, { { F32, D2(5, 3001) } }, K(40), 0 },
        { "top_k of few values", WEFT_OP_top_k, { { F16, D2(3, 1500), .offset = 900 } }, K(100),
          2 },
        { "top_k special", WEFT_OP_top_k, { { F32, D2(4, 300), .special = true } }, K(300), 0 },
        { "top 1", WEFT_OP_top_k, { { F32, D2(9, 77), .order = "10" } }, K(1), 0 },
    };
    RUN(rows);
}

static void moving(void)
{
    static const row rows[] = {
        { "gather", WEFT_OP_gather, { { F16, D2(50, 100) }, { I32, D2(3, 7),
          .lo = -2, .hi = 52 } }, NONE, 0 },
        { "gather permuted", WEFT_OP_gather, { { F32, D3(20, 6, 33), .order = "102" },
          { I32, D1(9), .hi = 19, B(11) } }, NONE, 2 },
        { "gather numbers", WEFT_OP_gather, { { F32, D1(70) }, { I32, D2(5, 5), .hi = 69 } },
          NONE, 0 },
        { "gather i32", WEFT_OP_gather, { { I32, D2(9, 5), .lo = -70, .hi = 69 }, { I32, D1(5),
          .hi = 8 } }, NONE, 0 },
        { "gather q8_0", WEFT_OP_gather, { { .t = WEFT_Q8_0, D2(30, 96) }, { I32, D1(9),
          .lo = -1, .hi = 30 } }, NONE, 0 },
        { "gather q4_0", WEFT_OP_gather, { { .t = WEFT_Q4_0, D2(30, 64) }, { I32, D1(9),
          .lo = -1, .hi = 30 } }, NONE, 0 },
        { "store", WEFT_OP_store, { { F16, D3(4, 30, 33) }, { F32, D3(4, 1, 33) }, { I32, D1(1),
          AT(7) } }, AXIS(1), 0 },
        { "store permuted", WEFT_OP_store, { { F32, D3(4, 30, 300) }, { F32, D3(4, 1, 300),
          .order = "102", B(4, 5, 300) }, { I32, D1(1), AT(29) } }, AXIS(1), 0 },
        { "store first", WEFT_OP_store, { { BF16, D2(30, 65) }, { F16, D2(1, 65) }, { I32, D1(1),
          AT(3) } }, AXIS(0), 0 },
        { "store several", WEFT_OP_store, { { F16, D3(4, 30, 33) },
          { F32, D3(4, 7, 33), B(4, 9, 33) }, { I32, D1(7), RISING(-2), B(9) } }, AXIS(1), 0 },
        { "store many", WEFT_OP_store, { { F32, D2(300, 65) }, { BF16, D2(290, 65) },
          { I32, D1(290), RISING(20) } }, AXIS(0), 0 },
        { "store outside", WEFT_OP_store, { { F32, D2(30, 65) }, { F32, D2(2, 65) }, { I32, D1(2),
          .lo = 30, .hi = 35 } }, AXIS(0), 0 },
        { "store i32", WEFT_OP_store, { { I32, D2(9, 6), .hi = 9 }, { I32, D2(1, 6), .hi = 9 },
          { I32, D1(1), AT(3) } }, AXIS(0), 0 },
        { "linear_scan", WEFT_OP_linear_scan, { { F32, D2(3, 600) }, { F32, D2(19, 600) },
          { F16, D2(19, 600) }, { I32, D1(19), .lo = -1, .hi = 3 }, { I32, D1(19), .hi = 1 } },
          NONE, 0 },
        { "linear_scan permuted", WEFT_OP_linear_scan, { { BF16, D2(5, 67) }, { F32, D2(3, 67),
          .order = "10", B(4, 67) }, { F32, D2(3, 67), B(4, 67) }, { I32, D1(3), .hi = 4, B(4) },
          { I32, D1(3), .hi = 0, B(4) } }, NONE, 1 },
        { "conv1d", WEFT_OP_conv1d, { { F32, D3(3, 3, 600) }, { F32, D2(19, 600) },
          { F16, D2(600, 4) }, { I32, D1(19), .lo = -1, .hi = 3 }, { I32, D1(19), .hi = 1 },
          { F32, D1(600) } }, NONE, 0 },
        { "conv1d permuted", WEFT_OP_conv1d, { { F16, D3(2, 1, 67), .order = "021" }, { BF16,
          D2(4, 67), .order = "10", B(5, 67) }, { F32, D2(67, 2), .order = "10" }, { I32, D1(4),
          .hi = 1, B(5) }, { I32, D1(4), .hi = 0, B(5) } }, NONE, 0 },
        { "rope_table", WEFT_OP_rope_table, { { I32, D1(37), .hi = 100000 }, { F32, D1(12),
          .offset = 4 } },
          { .rope_table = { .kind = WEFT_ROPE_LINEAR, .n_rot = 24, .theta = 10000, .factor = 2 } }, 1 },
        { "rope", WEFT_OP_rope, { { F32, D3(11, 3, 80) }, { F32, D3(11, 20, 2) } },
          { .rope = { 0 } }, 0 },
        { "rope of a slice", WEFT_OP_rope, { { F32, D3(11, 3, 64), B(12, 3, 192) },
          { F32, D3(11, 8, 2), B(12, 8, 2) } }, { .rope = { 0 } }, 1 },
        { "rope of f16, strange angles", WEFT_OP_rope, { { F16, D2(7, 96), .order = "10" },
          { F32, D3(7, 48, 2), .order = "021" } }, { .rope = { 0 } }, 0 },
        { "rope interleaved", WEFT_OP_rope, { { F32, D3(5, 3, 13) }, { F32, D3(5, 6, 2) } },
          { .rope = { .interleaved = 1 } }, 0 },
        { "rope_store", WEFT_OP_rope_store, { { F16, D3(3, 40, 80) }, { F32, D3(1, 3, 80) },
          { F32, D3(1, 10, 2) }, { I32, D1(1), AT(9) } }, { .rope_store = { .axis = 1 } }, 0 },
        { "rope_store several", WEFT_OP_rope_store, { { F16, D3(5, 200, 80) },
          { F32, D3(100, 5, 80), B(110, 5, 240) }, { F32, D3(100, 10, 2), B(110, 10, 2) },
          { I32, D1(100), RISING(110) } }, { .rope_store = { .axis = 1 } }, 0 },
        { "rope_store first", WEFT_OP_rope_store, { { F32, D3(40, 3, 20) }, { F32, D3(1, 3, 20),
          .order = "120" }, { F32, D3(1, 10, 2) }, { I32, D1(1), AT(39) } },
          { .rope_store = { .interleaved = 1, .axis = 0 } }, 0 },
    };
    RUN(rows);
}

/* first and last, as one prompt, or as tokens of several sequences, would have them */
#define CELLS(T, first_lo, first_hi, last_lo, last_hi) \
    { I32, D1(T), .lo = first_lo, .hi = first_hi }, { I32, D1(T), .lo = last_lo, .hi = last_hi }
#define SCALE { .attention = { .scale = 0.125f } }
#define PAGE(n) { .attention = { .scale = 0.125f, .page = n } }

static void attention(void)
{
    static const row rows[] = {
        { "decode", WEFT_OP_attention, { { F32, D3(1, 4, 64) }, { F16, D3(4, 300, 64) },
          { F16, D3(4, 300, 64) }, CELLS(1, 0, 0, 270, 270) }, SCALE, 0 },
        { "decode of one head, cut", WEFT_OP_attention, { { F32, D3(1, 1, 80) },
          { F32, D3(1, 5000, 80) }, { F32, D3(1, 5000, 80) }, CELLS(1, 3, 3, 4801, 4801) },
          SCALE, 0 },
        { "decode of groups", WEFT_OP_attention, { { F32, D3(3, 6, 13), B(4, 6, 13) },
          { BF16, D3(2, 700, 13) }, { F16, D3(2, 700, 13) }, CELLS(3, 0, 100, 50, 900) },
          SCALE, 1 },
        { "nothing to see", WEFT_OP_attention, { { F32, D3(2, 2, 32) }, { F32, D3(2, 600, 32) },
          { F32, D3(2, 600, 32) }, CELLS(2, 5, 5, -1, 4) }, SCALE, 0 },
        { "causal prompt", WEFT_OP_attention, { { F32, D3(200, 3, 64) }, { F16, D3(3, 200, 64) },
          { F16, D3(3, 200, 64) }, { I32, D1(200), AT(0) }, { I32, D1(200), RISING(0) } },
          SCALE, 0 },
        { "sliding window", WEFT_OP_attention, { { F32, D3(150, 1, 80) }, { BF16, D3(1, 200, 80) },
          { F16, D3(1, 200, 80) }, { I32, D1(150), RISING(-9) }, { I32, D1(150), RISING(41) } },
          SCALE, 0 },
        { "prompt", WEFT_OP_attention, { { F32, D3(130, 2, 64) }, { F16, D3(2, 200, 64) },
          { F16, D3(2, 200, 64) }, CELLS(130, 0, 3, 60, 199) }, SCALE, 0 },
        { "prompt of f32, permuted", WEFT_OP_attention, { { F32, D3(70, 4, 96),
          .order = "102", B(75, 4, 96) }, { F32, D3(2, 100, 96), .order = "102" },
          { F32, D3(2, 100, 96), B(2, 100, 99) }, CELLS(70, 0, 60, 30, 99) }, SCALE, 2 },
        { "prompt of odd size", WEFT_OP_attention, { { F16, D3(9, 3, 13) },
          { BF16, D3(3, 65, 13) }, { F32, D3(3, 65, 13) }, CELLS(9, -3, 3, 0, 70) }, SCALE, 0 },
        { "sequences far apart", WEFT_OP_attention, { { F32, D3(20, 1, 256) },
          { F16, D3(1, 2000, 256) }, { F16, D3(1, 2000, 256) }, CELLS(20, 0, 1800, 0, 1900) },
          SCALE, 0 },
        { "decode by pages", WEFT_OP_attention, { { F32, D3(2, 4, 64) }, { F16, D3(2, 320, 64) },
          { F16, D3(2, 320, 64) }, CELLS(2, 0, 20, 200, 290), { I32, D1(2), .hi = 1 },
          { I32, D2(2, 9), B(2, 11), .hi = 9 } }, PAGE(32), 0 },
        { "prompts by pages", WEFT_OP_attention, { { F32, D3(70, 2, 32), B(75, 2, 32) },
          { F32, D3(2, 320, 32), .order = "102" }, { BF16, D3(2, 320, 32) },
          CELLS(70, 0, 60, 30, 150), { I32, D1(70), .hi = 2 },
          { I32, D2(3, 10), .lo = -1, .hi = 19 } }, PAGE(16), 1 },
        { "huge scores", WEFT_OP_attention, { { F32, D3(16, 1, 32), .offset = 90 },
          { F32, D3(1, 128, 32), .offset = 30 }, { F32, D3(1, 128, 32) },
          CELLS(16, 0, 3, 60, 127) }, SCALE, 0 },
    };
    RUN(rows);
}

static void products(void)
{
    static const row rows[] = {
        { "matmul", WEFT_OP_matmul, { { F32, D2(70, 300) }, { F32, D2(300, 67) } }, NONE, 0 },
        { "matmul of one row", WEFT_OP_matmul, { { F32, D2(1, 300) }, { F16, D2(300, 67) } },
          NONE, 1 },
        { "matmul in batches", WEFT_OP_matmul, { { F32, D3(3, 5, 33), B(4, 6, 35) },
          { F32, D3(3, 33, 17), .order = "021" } }, NONE, 2 },
        { "matmul broadcast", WEFT_OP_matmul, { { F16, D3(3, 9, 33) }, { BF16, D2(33, 17) } },
          NONE, 0 },
        { "matmul of transposed", WEFT_OP_matmul, { { F32, D2(65, 40), .order = "10" },
          { F32, D3(2, 40, 65) } }, NONE, 0 },
        { "matmul_nt", WEFT_OP_matmul_nt, { { F32, D2(70, 300) }, { F16, D2(67, 300) } }, NONE, 0 },
        { "matmul_nt of one row", WEFT_OP_matmul_nt, { { F32, D2(1, 555) },
          { F32, D2(133, 555) } }, NONE, 0 },
        { "matmul_nt of two strange rows", WEFT_OP_matmul_nt, { { BF16, D3(4, 2, 77),
          .order = "120" }, { F32, D3(1, 9, 77), .order = "021" } }, NONE, 1 },
        { "linear", WEFT_OP_linear, { { F32, D3(2, 5, 300), B(2, 6, 300) },
          { F16, D2(67, 300), .order = "10" }, { BF16, D1(67) },
          { F32, D3(2, 5, 67), .order = "102" }, { F32, D3(2, 5, 67) } },
          { .linear = { .has_bias = 1, .act = WEFT_ACT_GELU, .n_residual = 2 } }, 1 },
        { "linear by q8_0", WEFT_OP_linear, { { F16, D2(1, 64) }, { .t = WEFT_Q8_0, D2(67, 64) },
          { F16, D2(1, 67) } }, { .linear = { .act = WEFT_ACT_SILU, .n_residual = 1 } }, 0 },
        { "matmul_nt by q8_0", WEFT_OP_matmul_nt, { { F32, D2(5, 320) },
          { .t = WEFT_Q8_0, D2(67, 320) } }, NONE, 0 },
        { "matmul_nt by q4_0", WEFT_OP_matmul_nt, { { F32, D2(1, 96) },
          { .t = WEFT_Q4_0, D2(67, 96) } }, NONE, 0 },
    };
    RUN(rows);
}

static const weft_test tests[] = {
    { "elementwise", elementwise }, { "along_rows", along_rows }, { "moving", moving },
    { "attention", attention }, { "products", products },
};

/* clang-format on */

#endif
