/* test_launches.c: what a layer costs in decoding beside its arithmetic: launches of a GPU, and waits of threads on a
 * CPU, which has no launches: its threads meet where a plan has a barrier. Plans are counted, so no device is needed;
 * what a layer has is the difference between two models that differ by one. */
#include "backends/contract.h"
#include "models/model.h"
#include "tests/checkpoint/temp.h"
#ifdef TEST_GPU
#include "backends/gpu/choose.h"
#include "backends/gpu/weights.h"
#endif

static weft_error err;

/* ---- models ---- */

static const struct architecture {
    const char *name, *keys;
    uint32_t launches, barriers; /* of a layer at most */
} architectures[] = {
    { "llama", "\"architectures\": [\"LlamaForCausalLM\"], \"rms_norm_eps\": 1e-5", 6, 6 },
    { "qwen3", "\"architectures\": [\"Qwen3ForCausalLM\"], \"head_dim\": 64, \"rms_norm_eps\": 1e-6", 7, 7 },
    { "gpt_neox", "\"architectures\": [\"GPTNeoXForCausalLM\"], \"rotary_pct\": 0.25", 6, 5 },
};

/* Layers with experts, whose products are not fused with what is around them. docs/models.md has these numbers. */
static const struct architecture sparse[] = {
    { "mixtral", "\"architectures\": [\"MixtralForCausalLM\"]", 14, 13 },
    { "qwen2_moe", "\"architectures\": [\"Qwen2MoeForCausalLM\"], \"shared_expert_intermediate_size\": 256", 19, 15 },
    { "qwen3_moe", "\"architectures\": [\"Qwen3MoeForCausalLM\"], \"head_dim\": 64", 15, 15 },
    { "olmoe", "\"architectures\": [\"OlmoeForCausalLM\"]", 15, 15 },
    { "gpt_oss", "\"architectures\": [\"GptOssForCausalLM\"]", 23, 18 },
};

typedef struct count { uint32_t launches, barriers, gated, norms; } count;

static weft_model *open_model(const struct architecture *a, int layers)
{
    char text[512];
    weft_model *m = NULL;
    temp_folder folder = temp_make();
    int n = snprintf(text, sizeof text, "{ %s, \"model_type\": \"%s\", \"vocab_size\": 320, \"hidden_size\": 256,\n"
                     "\"intermediate_size\": 640, \"num_hidden_layers\": %d, \"num_attention_heads\": 4,\n"
                     "\"num_key_value_heads\": 2, \"max_position_embeddings\": 128, \"tie_word_embeddings\": false,\n"
                     "\"torch_dtype\": \"float16\" }\n", a->keys, a->name, layers);
    temp_write(&folder, "config.json", text, (size_t)n);
    CHECK_OK(weft_model_open(temp_path(&folder, "config.json"), NULL, &m, &err), err);
    temp_remove(&folder);
    return m;
}

static count count_plan(const struct architecture *a, int layers, weft_backend *b, weft_dtype weights, uint32_t tokens)
{
    count c = { 0 };
    weft_model *m = open_model(a, layers);
    weft_session_plan *plan = NULL;
    weft_session_desc d = { .devices = &b, .n_devices = 1, .weights = weights };
    if (m && CHECK_OK(weft_session_plan_create(m, &d, &plan, &err), err)) {
        const weft_program *p = weft_session_plan_program(plan, tokens);
        const weft_plan *steps = weft_program_plan(p);
        const weft_graph *g = weft_program_graph(p);
        c.launches = steps->n_launches;
        for (uint32_t i = 0; i < steps->n_steps; i++) c.barriers += steps->steps[i].barrier;
        for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
            const weft_node *n = weft_graph_node(g, i);
            c.gated += n->op == WEFT_OP_linear && n->attrs.linear.gated;
            c.norms += n->op == WEFT_OP_rms_norm;
        }
    }
    weft_session_plan_destroy(plan);
    weft_model_close(m);
    return c;
}

static count layer_of(const struct architecture *a, weft_backend *b, weft_dtype weights, uint32_t tokens)
{
    count few = count_plan(a, 2, b, weights, tokens), more = count_plan(a, 3, b, weights, tokens);
    return (count){ more.launches - few.launches, more.barriers - few.barriers, more.gated - few.gated,
                    more.norms - few.norms };
}

static const weft_dtype types[] = { WEFT_F16, WEFT_Q8_0, WEFT_Q4_0 };
enum { N_TYPES = sizeof types / sizeof *types, N_ARCHITECTURES = sizeof architectures / sizeof *architectures,
       N_SPARSE = sizeof sparse / sizeof *sparse };

/* In decoding. gpt-oss alternates windows, which cost the same. */
static void check_sparse(weft_backend *b, bool gpu)
{
    for (int a = 0; a < N_SPARSE; a++)
        for (int t = 0; t < N_TYPES; t++) {
            count c = layer_of(&sparse[a], b, types[t], 1);
            uint32_t got = gpu ? c.launches : c.barriers, want = gpu ? sparse[a].launches : sparse[a].barriers;
            if (!CHECK_EQ_INT(got, want)) printf("  %s, %s\n", sparse[a].name, gpu ? "GPU" : "CPU");
        }
}

/* ---- devices ---- */

static void waits_of_a_cpu(void)
{
    weft_backend *b = NULL;
    if (!CHECK_OK(weft_backend_open("cpu,threads=2", &b, &err), err)) return;
    for (int a = 0; a < N_ARCHITECTURES; a++)
        for (int t = 0; t < N_TYPES; t++)
            for (uint32_t tokens = 1; tokens <= 512; tokens *= 512) {
                count c = layer_of(&architectures[a], b, types[t], tokens);
                if (!CHECK_EQ_INT(c.barriers, architectures[a].barriers)) printf("  %s\n", architectures[a].name);
                CHECK_EQ_INT(c.gated, architectures[a].barriers > 5); /* of a prompt, too */
                CHECK_EQ_INT(c.norms, architectures[a].barriers > 6 ? 2 : 0);
            }
    check_sparse(b, false);
    weft_backend_close(b);
}

#ifdef TEST_GPU
static gpu_caps caps;

static weft_place_reason choose(const weft_backend *b, const weft_kernel_query *q, weft_kernel_choice *out)
{
    (void)b;
    return gpu_choose(&(gpu_rules){ .caps = &caps, .without = "" }, q, out);
}

static bool joins(const weft_backend *b, const weft_kernel_choice *const *launch, uint32_t n,
                  const weft_kernel_choice *next)
{
    (void)b;
    return gpu_joins(launch, n, next);
}

static weft_layout weight_layout(const weft_backend *b, weft_dtype t, uint32_t rank, const int64_t *dims, uint32_t uses)
{
    (void)b;
    return gpu_weight_layout(&caps, t, rank, dims, uses);
}

/* A device that plans as a GPU of this tuning does. */
static weft_backend *open_gpu(const char *tuning, weft_backend_vt *vt)
{
    weft_backend *b = NULL;
    caps = (gpu_caps){ .type = WEFT_DEVICE_DISCRETE, .subgroup = 32, .subgroup_min = 32, .subgroup_max = 64,
                       .subgroup_control = true, .subgroup_ops = true, .max_subgroups = 32, .max_invocations = 1024,
                       .max_groups = 65535, .max_binding = UINT64_C(1) << 31, .max_allocation = UINT64_C(1) << 31,
                       .max_shared = 32768, .alignment = 64, .storage16 = true,
                       .tuning = gpu_tuning_named(tuning) };
    *vt = weft__backend_null;
    vt->choose = choose;
    vt->joins = joins;
    vt->weight_layout = weight_layout;
    if (CHECK_OK(weft_backend_open("null", &b, &err), err)) b->vt = vt;
    return b;
}

static void launches_of_a_gpu(void)
{
    static const char *const tunings[] = { "amd_gcn", "amd_rdna", "amd_rdna3", "nvidia", "intel_xe1", "intel_xe2",
                                           "other", "lavapipe", "swiftshader" };
    for (size_t k = 0; k < sizeof tunings / sizeof *tunings; k++) {
        weft_backend_vt vt;
        weft_backend *b = open_gpu(tunings[k], &vt);
        for (int a = 0; b && a < N_ARCHITECTURES; a++)
            for (int t = 0; t < N_TYPES; t++) {
                count c = layer_of(&architectures[a], b, types[t], 1);
                if (!CHECK_EQ_INT(c.launches, architectures[a].launches))
                    printf("  %s on %s\n", architectures[a].name, tunings[k]);
                CHECK_EQ_INT(c.barriers, architectures[a].barriers);
                /* a prompt makes its norms once, and multiplies gate and up in tiles */
                c = layer_of(&architectures[a], b, types[t], 512);
                CHECK_EQ_INT(c.gated, 0);
                CHECK_EQ_INT(c.norms, 2 * (architectures[a].barriers - 5));
            }
        if (b) check_sparse(b, true);
        if (b) b->vt = &weft__backend_null;
        weft_backend_close(b);
    }
}
#endif

static const weft_test tests[] = {
    { "waits of a CPU", waits_of_a_cpu },
#ifdef TEST_GPU
    { "launches of a GPU", launches_of_a_gpu },
#endif
};
TEST_MAIN(tests)
