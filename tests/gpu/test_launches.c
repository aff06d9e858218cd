/* test_launches.c: what kernels ask of devices: pure functions of caps and calls, so that devices that nobody here has
 * are tested, too. Every launch of every kernel that takes a call must be one that the device takes. */
#include "tests/test.h"

#include "backends/gpu/choose.h"

static weft_error err;

/* ---- devices ---- */

typedef struct device { const char *name, *tuning; gpu_caps caps; } device;

/* Subgroup sizes and limits as the drivers' sources have them (Mesa 25). */
static const device devices[] = {
    { "Turnip, Adreno 7xx", "other",
      { .subgroup = 128, .subgroup_min = 64, .subgroup_max = 128, .max_subgroups = 16, .max_invocations = 1024,
        .max_groups = 65535, .max_shared = 32768 } },
    { "V3DV", "other",
      { .subgroup = 16, .subgroup_min = 16, .subgroup_max = 16, .max_subgroups = 16, .max_invocations = 256,
        .max_groups = 65535, .max_shared = 16384 } },
    { "ANV, Xe LP", "intel_xe1",
      { .subgroup = 8, .subgroup_min = 8, .subgroup_max = 32, .max_subgroups = 64, .max_invocations = 1024,
        .max_groups = 65535, .max_shared = 65536 } },
    { "ANV, few threads", "intel_xe1",
      { .subgroup = 8, .subgroup_min = 8, .subgroup_max = 32, .max_subgroups = 8, .max_invocations = 256,
        .max_groups = 65535, .max_shared = 65536 } },
    { "RADV, GCN", "amd_gcn",
      { .subgroup = 64, .subgroup_min = 64, .subgroup_max = 64, .max_subgroups = 16, .max_invocations = 1024,
        .max_groups = 0xffffffffu, .max_shared = 65536 } },
    { "RADV, RDNA 3", "amd_rdna3",
      { .subgroup = 32, .subgroup_min = 32, .subgroup_max = 64, .max_subgroups = 32, .max_invocations = 1024,
        .max_groups = 0xffffffffu, .max_shared = 65536, .matrix = { 16, 16, 16, false } } },
    { "NVIDIA", "nvidia",
      { .subgroup = 32, .subgroup_min = 32, .subgroup_max = 32, .max_subgroups = 32, .max_invocations = 1024,
        .max_groups = 0x7fffffff, .max_shared = 49152, .matrix = { 16, 16, 16, false } } },
};
enum { N_DEVICES = sizeof devices / sizeof *devices };

static gpu_caps caps_of(const device *d)
{
    gpu_caps f = d->caps;
    f.type = WEFT_DEVICE_INTEGRATED;
    f.subgroup_control = f.subgroup_ops = f.storage16 = f.dot = f.dot_accelerated = f.nearest16 = true;
    f.dot_least = (gpu_by_bits){ 1, 1, 1 };
    f.max_binding = f.max_allocation = UINT64_C(1) << 31;
    f.alignment = 64;
    f.tuning = gpu_tuning_named(d->tuning);
    return f;
}

/* ---- calls ---- */

static gpu_tensor tensor(weft_dtype t, uint32_t rank, const int64_t *dims)
{
    gpu_tensor v = { .dtype = t, .rank = rank, .dims.rank = rank, .n_parts = 1 };
    int64_t stride = 1;
    for (uint32_t i = rank; i-- > 0; stride *= dims[i]) {
        v.dim[i] = dims[i];
        v.dims.d[i] = (weft_dim){ dims[i], 0 };
        v.stride[i] = stride;
    }
    return v;
}

typedef struct sample {
    gpu_tensor in[WEFT_MAX_INPUTS], out[WEFT_MAX_OUTPUTS];
    weft_attrs attrs;
    gpu_call call;
} sample;

static void linear(sample *s, const gpu_caps *f, weft_dtype type, int64_t tokens, int64_t rows, int64_t columns)
{
    *s = (sample){ 0 };
    s->in[0] = tensor(WEFT_F32, 2, (int64_t[]){ tokens, columns });
    s->in[1] = tensor(type, 2, (int64_t[]){ rows, columns });
    s->in[1].layout = GPU_LAYOUT_PANEL;
    s->out[0] = tensor(WEFT_F32, 2, (int64_t[]){ tokens, rows });
    s->call = (gpu_call){ .caps = f, .in = s->in, .out = s->out, .n_in = 2, .n_out = 1, .op = WEFT_OP_matmul_nt,
                          .attrs = &s->attrs };
}

static void by_row(sample *s, const gpu_caps *f, weft_op op, int64_t rows, int64_t columns)
{
    *s = (sample){ 0 };
    s->in[0] = s->out[0] = tensor(WEFT_F32, 2, (int64_t[]){ rows, columns });
    s->in[1] = s->in[2] = tensor(WEFT_F32, 1, &columns);
    if (op == WEFT_OP_reduce_sum) s->out[0] = tensor(WEFT_F32, 1, &rows);
    s->call = (gpu_call){ .caps = f, .in = s->in, .out = s->out, .n_in = op == WEFT_OP_layer_norm ? 3 : 1, .n_out = 1,
                          .op = op, .attrs = &s->attrs };
}

static void attention(sample *s, const gpu_caps *f, weft_dtype type, int64_t tokens, int64_t width, bool paged)
{
    *s = (sample){ 0 };
    s->in[0] = tensor(WEFT_F32, 3, (int64_t[]){ tokens, 8, width });
    s->in[1] = s->in[2] = tensor(type, 3, (int64_t[]){ 8, 4096, width });
    s->in[3] = s->in[4] = tensor(WEFT_I32, 1, &tokens);
    s->out[0] = tensor(WEFT_F32, 3, (int64_t[]){ tokens, 8, width });
    s->in[5] = tensor(WEFT_I32, 1, &tokens);
    s->in[6] = tensor(WEFT_I32, 2, (int64_t[]){ 4, 128 });
    s->attrs.attention.page = paged ? 32 : 0;
    s->call = (gpu_call){ .caps = f, .in = s->in, .out = s->out, .n_in = paged ? 7 : 5, .n_out = 1,
                         .op = WEFT_OP_attention, .attrs = &s->attrs };
}

static void store(sample *s, const gpu_caps *f, weft_dtype type, int64_t tokens)
{
    *s = (sample){ 0 };
    s->in[0] = s->out[0] = tensor(type, 3, (int64_t[]){ 8, 4096, 96 });
    s->in[1] = tensor(WEFT_F32, 3, (int64_t[]){ 8, tokens, 96 });
    s->in[2] = tensor(WEFT_I32, 1, &tokens);
    s->attrs.axis.axis = 1;
    s->call = (gpu_call){ .caps = f, .in = s->in, .out = s->out, .n_in = 3, .n_out = 1, .op = WEFT_OP_store,
                          .attrs = &s->attrs };
}

/* ---- what every launch must be ---- */

static void check_launch(const char *name, const gpu_kernel *k, const gpu_call *c, uint32_t i)
{
    const gpu_caps *f = c->caps;
    unsigned before = weft_test_now.failures;
    gpu_launch l = { 0 };
    k->launch(c, i, &l);
    CHECK_OK(gpu_workgroup_check(f, l.shader, l.spec[0], l.subgroup, &err), err);
    CHECK(l.n_specs > 0 && l.n_specs <= WEFT_MAX_SPECS);
    CHECK(l.groups[0] > 0 && l.groups[0] <= f->max_groups && l.groups[1] <= 65535 && l.groups[2] <= 65535);
    if (weft_test_now.failures > before) printf("  %s: %s, launch %u\n", name, k->name, i);
}

typedef struct seen { const gpu_kernel *kernels[16]; uint32_t n; } seen;

static bool is_seen(const void *ctx, const gpu_kernel *k)
{
    const seen *s = ctx;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->kernels[i] == k) return true;
    return false;
}

/* All kernels that take the call: one after the other, with those before disabled. */
static void check_kernels(const char *name, const gpu_call *c)
{
    seen s = { .n = 0 };
    weft_place_reason why;
    const gpu_kernel *k;
    while (s.n < 16 && (k = gpu_kernel_find(c, is_seen, &s, &why, NULL))) {
        for (uint32_t i = 0, count = k->launches ? k->launches(c) : 1; i < count; i++) check_launch(name, k, c, i);
        s.kernels[s.n++] = k;
    }
    CHECK(s.n > 0);
}

static void check_device(const char *name, const gpu_caps *f)
{
    static const weft_dtype types[] = {
#define GPU_FORMAT(id, ...) WEFT_##id,
#include "backends/gpu/formats.def"
    };
    static const int64_t widths[] = { 64, 80, 96, 128, 256 };
    static const int64_t tokens[] = { 1, 3, 8, 9, 40, 512 };
    static const weft_op rows[] = { WEFT_OP_layer_norm, WEFT_OP_softmax, WEFT_OP_reduce_sum, WEFT_OP_relu };
    sample s;
    for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++) {
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            linear(&s, f, types[i], tokens[t], 152064, 4096);
            check_kernels(name, &s.call);
            if (weft_dtype_get(types[i])->encodes != 1) continue; /* no state has it */
            store(&s, f, types[i], tokens[t]);
            check_kernels(name, &s.call);
        }
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            for (int paged = 0; paged < 2; paged++) {
                attention(&s, f, WEFT_F16, tokens[t], widths[i], paged);
                check_kernels(name, &s.call);
                if (widths[i] % 32) continue;
                attention(&s, f, WEFT_Q8_0, tokens[t], widths[i], paged);
                check_kernels(name, &s.call);
            }
        }
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        by_row(&s, f, rows[i], 200000, 515);
        check_kernels(name, &s.call);
    }
}

static void every_device(void)
{
    for (uint32_t i = 0; i < N_DEVICES; i++) {
        gpu_caps f = caps_of(&devices[i]);
        check_device(devices[i].name, &f);
    }
}

/* Every row of the table on every device: nothing in it is trusted to fit. */
static void any_tuning(void)
{
    gpu_tuning t = *gpu_tuning_named("intel_xe1");
    t.block = t.row_block = t.flat_block = 512; /* 8-wide: 64 subgroups */
    for (uint32_t i = 0; i < N_DEVICES; i++) {
        gpu_caps f = caps_of(&devices[i]);
        f.tuning = &t;
        f.matrix = (gpu_matrix){ 0 }; /* caps have none where the row has no tile for them */
        check_device(devices[i].name, &f);
    }
}

/* ---- single answers ---- */

static void chosen(const device *d, uint32_t block, uint32_t *size, uint32_t *invocations)
{
    gpu_caps f = caps_of(d);
    gpu_call c = { .caps = &f };
    gpu_launch l = { 0 };
    gpu_set_subgroups(&c, &l, block);
    *size = l.subgroup;
    *invocations = l.spec[0];
}

static void subgroup_sizes(void)
{
    uint32_t size, block;
    chosen(&devices[0], 64, &size, &block); /* 128 lanes where there are 64 invocations */
    CHECK(size == 64 && block == 64);
    chosen(&devices[0], 256, &size, &block);
    CHECK(size == 128 && block == 256);
    chosen(&devices[0], 32, &size, &block); /* no smaller size: a larger workgroup */
    CHECK(size == 64 && block == 64);
    chosen(&devices[2], 512, &size, &block);
    CHECK(size == 8 && block == 512);
    chosen(&devices[3], 128, &size, &block); /* 16 subgroups of 8, but only 8 in a workgroup */
    CHECK(size == 16 && block == 128);
    chosen(&devices[3], 512, &size, &block);
    CHECK(size == 32 && block == 256);
}

static weft_status check(const gpu_caps *f, uint32_t invocations, uint32_t subgroup)
{
    return gpu_workgroup_check(f, WEFT_SHADER_matvec_subgroup, invocations, subgroup, &err);
}

static void what_no_device_takes(void)
{
    gpu_caps f = caps_of(&devices[0]);
    CHECK_OK(check(&f, 64, 64), err);
    CHECK_STATUS(check(&f, 64, 128), WEFT_INTERNAL, err);  /* larger than the workgroup */
    CHECK_STATUS(check(&f, 64, 32), WEFT_INTERNAL, err);   /* smaller than the device has */
    CHECK_STATUS(check(&f, 2048, 64), WEFT_INTERNAL, err); /* more than a workgroup takes */
    CHECK_STATUS(check(&f, 96, 64), WEFT_INTERNAL, err);   /* no multiple */
    f.max_subgroups = 2;
    CHECK_STATUS(check(&f, 256, 64), WEFT_INTERNAL, err);
    CHECK_CONTAINS(err.text, "matvec_subgroup");
}

/* A vocabulary of 608,256 rows, four to a workgroup, is laid out over x and y. */
static void large_vocabulary(void)
{
    gpu_caps f = caps_of(&devices[2]), wide = f;
    sample s;
    gpu_launch l = { 0 }, unlimited = { 0 };
    weft_place_reason why;
    wide.max_groups = 0x7fffffff;
    linear(&s, &f, WEFT_F16, 1, 4 * 152064, 4096);
    const gpu_kernel *k = gpu_kernel_find(&s.call, NULL, NULL, &why, NULL);
    if (!CHECK(k != NULL)) return;
    k->launch(&s.call, 0, &l);
    s.call.caps = &wide;
    k->launch(&s.call, 0, &unlimited);
    CHECK_EQ_INT(unlimited.groups[0], 152064);
    CHECK(l.groups[0] <= 65535 && l.groups[1] == 3 && (uint64_t)l.groups[0] * l.groups[1] >= 152064);
    CHECK(!memcmp(l.spec, unlimited.spec, sizeof l.spec)); /* the same pipeline */
}

/* ---- the self-test ---- */

/* Multiply-adds of a probe that the processor repeats in plain C. */
static double work_of(const char *text)
{
    weft_graph *g;
    double flops = 0;
    static const int64_t no_bounds[WEFT_MAX_EXTENTS];
    if (!CHECK_OK(weft_graph_parse(text, strlen(text), "probe", NULL, &g, &err), err)) return 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++)
        flops += weft_node_cost(g, weft_graph_node(g, i), no_bounds).flops;
    weft_graph_destroy(g);
    return flops / 2;
}

/* A thousand million in all, of which a program wants a fraction: a second or two of one processor at most. */
static void self_test_is_bounded(void)
{
    const char *text;
    double all = 0, small = 0;
    for (uint32_t i = 0; (text = gpu_probe(i, true)); i++) all += work_of(text);
    for (uint32_t i = 0; (text = gpu_probe(i, false)); i++) small += work_of(text);
    printf("  %.0f million multiply-adds, %.0f on software devices\n", all / 1e6, small / 1e6);
    CHECK(all > 1e8 && all < 1e9);
    CHECK(small < 1e8);
}

static const weft_test tests[] = {
    { "every device", every_device },     { "any tuning", any_tuning },
    { "subgroup sizes", subgroup_sizes }, { "what no device takes", what_no_device_takes },
    { "large vocabulary", large_vocabulary }, { "self-test is bounded", self_test_is_bounded },
};
TEST_MAIN(tests)
