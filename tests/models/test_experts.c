/* test_experts.c: models whose layers have experts: from which files they are read, which experts a token is given, and
 * what of them a run reads. That their numbers are transformers' is for test_arch.c. */
#include <stdlib.h>

#include "models/model.h"
#include "tests/checkpoint/temp.h"
#include "tests/oom.h"

static weft_error err;

enum { LAYERS = 2, WIDTH = 32, EXPERTS = 6, CHOSEN = 2, EXPERT_WIDTH = 48, VOCAB = 40 };

static const char config[] =
    "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\", \"num_hidden_layers\": 2, "
    "\"hidden_size\": 32, \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"intermediate_size\": 16, "
    "\"moe_intermediate_size\": 48, \"num_experts\": 6, \"num_experts_per_tok\": 2, \"vocab_size\": 40, "
    "\"max_position_embeddings\": 64, \"norm_topk_prob\": true, \"initializer_range\": 0.2}";

/* A folder with random weights of this type in "made". */
static temp_folder make(weft_dtype t)
{
    temp_folder folder = temp_make();
    char made[TEMP_PATH];
    temp_write_text(&folder, "config.json", config);
    snprintf(made, sizeof made, "%s", temp_path(&folder, "made"));
    CHECK_OK(weft_model_init(temp_path(&folder, "config.json"), NULL, made, t, 1, 0, NULL, &err), err);
    return folder;
}

/* ---- files ---- */

/* Writes another name of the same length over one in a file's header. */
static void rename_tensor(const temp_folder *folder, const char *from, const char *to)
{
    char image[1 << 16];
    const char *path = temp_path(folder, "made/model.safetensors");
    FILE *f = fopen(path, "r+b");
    size_t n = f ? fread(image, 1, sizeof image - 1, f) : 0;
    image[n] = 0;
    char *at = n > 8 ? strstr(image + 8, from) : NULL;
    if (CHECK(at && strlen(from) == strlen(to))) {
        fseek(f, (long)(at - image), SEEK_SET);
        fwrite(to, 1, strlen(to), f);
    }
    if (f) fclose(f);
}

static void what_is_missing_is_named(void)
{
    static const char *const names[] = {
        "layers.1.mlp.experts.3.up_proj.weight", "layers.0.mlp.experts.0.gate_proj.weight",
        "layers.1.mlp.experts.5.down_proj.weight", "layers.0.mlp.gate.weight",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char other[64];
        weft_model *m = NULL;
        temp_folder folder = make(WEFT_F16);
        snprintf(other, sizeof other, "x%s", names[i] + 1);
        rename_tensor(&folder, names[i], other);
        CHECK_STATUS(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), WEFT_NOT_FOUND, err);
        CHECK_CONTAINS(err.text, names[i]);
        weft_model_close(m);
        temp_remove(&folder);
    }
}

static void more_than_there_should_be_are_refused(void)
{
    weft_model *m = NULL;
    temp_folder folder = make(WEFT_F16);
    rename_tensor(&folder, "layers.1.mlp.experts.0.gate_proj", "layers.0.mlp.experts.6.gate_proj");
    CHECK_STATUS(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), WEFT_SHAPE, err);
    CHECK_CONTAINS(err.text, "layers.0.mlp.experts.6.gate_proj.weight' is one more than config.json makes");
    weft_model_close(m);
    temp_remove(&folder);
}

/* An index that takes one tensor from another folder's file. */
static void mix(const temp_folder *to, const temp_folder *with, const char *tensor)
{
    char text[1 << 15], from[TEMP_PATH];
    weft_checkpoint *ck = NULL;
    size_t n = (size_t)snprintf(text, sizeof text, "{\"weight_map\": {");
    snprintf(from, sizeof from, "%s", temp_path(to, "made/model.safetensors"));
    CHECK_OK(weft_checkpoint_open(from, &ck, &err), err);
    for (size_t i = 0; ck && i < weft_checkpoint_count(ck) && n < sizeof text; i++) {
        const char *name = weft_checkpoint_tensor(ck, i)->name;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%s\": \"%s.safetensors\"", i ? ", " : "", name,
                              strcmp(name, tensor) ? "a" : "b");
    }
    weft_checkpoint_close(ck);
    if (CHECK(n + 3 < sizeof text)) temp_write_text(to, "made/model.safetensors.index.json", strcat(text, "}}"));
    CHECK(!rename(from, temp_path(to, "made/a.safetensors")));
    CHECK(!rename(temp_path(with, "made/model.safetensors"), temp_path(to, "made/b.safetensors")));
}

static void parts_of_several_types_are_refused(void)
{
    static const char odd[] = "model.layers.1.mlp.experts.4.gate_proj.weight";
    temp_folder folder = make(WEFT_F16), other = make(WEFT_BF16);
    weft_model *m = NULL;
    weft_session *s = NULL;
    mix(&folder, &other, odd);
    if (CHECK_OK(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), err)) {
        weft_backend *b = NULL;
        CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err);
        const weft_session_desc d = { .devices = &b, .n_devices = 1 };
        CHECK_STATUS(weft_session_create(m, &d, &s, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, odd);
        CHECK_CONTAINS(err.text, "differ in type or shape");
        weft_session_destroy(s);
        weft_backend_close(b);
    }
    weft_model_close(m);
    temp_remove(&folder);
    temp_remove(&other);
}

static weft_status open_and_find(const char *path, weft_weight_data *out)
{
    weft_model *m;
    WEFT_TRY(weft_model_open(path, NULL, &m, &err));
    weft_weight_source source = weft_model_weights(m);
    weft_status s = source.find(source.ctx, "model.layers.1.mlp.experts.down_proj", out, &err);
    weft_model_close(m);
    return s;
}

static void allocations_may_fail(void)
{
    char made[TEMP_PATH], again[TEMP_PATH], json[TEMP_PATH];
    temp_folder folder = make(WEFT_F16);
    snprintf(made, sizeof made, "%s", temp_path(&folder, "made"));
    snprintf(json, sizeof json, "%s", temp_path(&folder, "config.json"));
    snprintf(again, sizeof again, "%s", temp_path(&folder, "again"));
    OOM_LOOP(n)
    {
        weft_weight_data d = { 0 };
        weft_status s = open_and_find(made, &d);
        OOM_CHECK(s, err);
        if (!s) CHECK_EQ_INT(d.n_parts, EXPERTS);
    }
    OOM_LOOP(n)
    {
        weft_status s = weft_model_init(json, NULL, again, WEFT_F16, 1, 0, NULL, &err);
        OOM_CHECK(s, err);
    }
    temp_remove(&folder);
}

/* ---- which experts ---- */

/* The model's own weights, but that all scores of the router are equal, and expert `spoilt` (of layer 0) is another. */
typedef struct even {
    weft_weight_source real;
    float zeros[EXPERTS * WIDTH];
    const void *parts[2 * EXPERTS];
    float noise[EXPERT_WIDTH * WIDTH];
    uint32_t spoilt;
} even;

static weft_status find_even(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    even *v = ctx;
    weft_status s = v->real.find(v->real.ctx, name, out, e);
    if (s) return s;
    if (strstr(name, "mlp.gate.weight")) out->data = v->zeros;
    if (!strstr(name, "layers.0.mlp.experts.gate_up_proj")) return WEFT_OK;
    CHECK_EQ_INT(out->n_parts, 2 * EXPERTS);
    memcpy(v->parts, out->parts, sizeof v->parts);
    if (v->spoilt < EXPERTS) v->parts[2 * v->spoilt] = v->noise;
    out->parts = v->parts;
    return WEFT_OK;
}

static void run_even(weft_model *m, weft_backend *b, uint32_t spoilt, float *logits)
{
    static even v;
    weft_session *s = NULL;
    v.real = weft_model_weights(m);
    v.spoilt = spoilt;
    for (size_t i = 0; i < sizeof v.noise / sizeof *v.noise; i++) v.noise[i] = (float)(i % 7) / 4;
    weft_weight_source source = { &v, find_even };
    weft_weights *w = NULL;
    weft_session_plan *plan = NULL;
    const weft_session_desc d = { .devices = &b, .n_devices = 1 };
    static const weft_batch_token t[] = { { 3, 0, 0 }, { 11, 0, 0 }, { 5, 0, WEFT_WANT_LOGITS } };
    if (CHECK_OK(weft_session_plan_create(m, &d, &plan, &err), err) &&
        CHECK_OK(weft_weights_create(&source, 1, &w, &err), err) &&
        CHECK_OK(weft_session_open(plan, w, &s, &err), err))
        CHECK_OK(weft_session_eval(s, t, 3, &(weft_rows){ .logits = logits }, &err), err);
    weft_session_destroy(s);
    weft_weights_destroy(w);
}

static void equal_scores_choose_the_first_experts(void)
{
    float logits[EXPERTS + 1][VOCAB] = { { 0 } };
    temp_folder folder = make(WEFT_F32);
    weft_model *m = NULL;
    weft_backend *b = NULL;
    if (CHECK_OK(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), err) &&
        CHECK_OK(weft_backend_open("cpu,threads=2", &b, &err), err))
        for (uint32_t e = 0; e <= EXPERTS; e++) run_even(m, b, e, logits[e]);
    for (uint32_t e = 0; e < EXPERTS; e++) /* one that is not chosen is not seen */
        CHECK((memcmp(logits[e], logits[EXPERTS], sizeof *logits) == 0) == (e >= CHOSEN));
    weft_backend_close(b);
    weft_model_close(m);
    temp_remove(&folder);
}

/* ---- what a run reads ---- */

/* Bytes that the program counts for its nodes of experts, in runs of so many tokens. */
static double bytes_of_experts(const weft_program *p, int64_t tokens)
{
    const weft_graph *g = weft_program_graph(p);
    int64_t values[WEFT_MAX_EXTENTS];
    double bytes = 0;
    for (uint32_t i = 0; i < WEFT_MAX_EXTENTS; i++) values[i] = tokens;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_linear_select) bytes += weft_node_cost(g, n, values).bytes_read;
    }
    return bytes;
}

/* In decoding those of the chosen experts, beside the few of what they multiply; in a prompt those of all. */
static void decoding_reads_the_chosen_experts(void)
{
    const double expert = 3.0 * WIDTH * EXPERT_WIDTH * sizeof(float);
    const double rows = sizeof(float) * (WIDTH + CHOSEN * EXPERT_WIDTH + 2 * CHOSEN); /* and ids */
    temp_folder folder = make(WEFT_F32);
    weft_model *m = NULL;
    weft_backend *b = NULL;
    weft_session_plan *plan = NULL;
    if (CHECK_OK(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), err) &&
        CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) {
        const weft_session_desc d = { .devices = &b, .n_devices = 1 };
        if (CHECK_OK(weft_session_plan_create(m, &d, &plan, &err), err)) {
            const double decode = bytes_of_experts(weft_session_plan_program(plan, 1), 1);
            const double prompt = bytes_of_experts(weft_session_plan_program(plan, 64), 64);
            CHECK_NEAR(decode, LAYERS * (CHOSEN * expert + rows), 0.5);
            CHECK_NEAR(prompt, LAYERS * (EXPERTS * expert + 64 * rows), 0.5);
        }
    }
    weft_session_plan_destroy(plan);
    weft_backend_close(b);
    weft_model_close(m);
    temp_remove(&folder);
}

/* ---- types ---- */

static weft_dtype type_of(const weft_graph *g, const char *name)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op == WEFT_OP_weight && !strcmp(n->name, name)) return weft_graph_value(g, n->out[0])->dtype;
    }
    return WEFT_ANY;
}

static void routers_are_not_rounded(void)
{
    temp_folder folder = make(WEFT_F16);
    weft_model *m = NULL;
    weft_graph *g = NULL;
    if (CHECK_OK(weft_model_open(temp_path(&folder, "made"), NULL, &m, &err), err) &&
        CHECK_OK(weft_model_graph(m, &(weft_model_graph_desc){ .weights = WEFT_Q4_0 }, &g, &err), err)) {
        CHECK_EQ_INT(type_of(g, "model.layers.1.mlp.gate.weight"), WEFT_F16);
        CHECK_EQ_INT(type_of(g, "model.layers.1.mlp.experts.gate_up_proj"), WEFT_Q4_0);
        CHECK_EQ_INT(type_of(g, "model.layers.1.self_attn.q_proj.weight"), WEFT_Q4_0);
        CHECK_EQ_INT(type_of(g, "lm_head.weight"), WEFT_Q4_0);
    }
    weft_graph_destroy(g);
    weft_model_close(m);
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "routers are not rounded", routers_are_not_rounded },
    { "what is missing is named", what_is_missing_is_named },
    { "more than there should be are refused", more_than_there_should_be_are_refused },
    { "allocations may fail", allocations_may_fail },
    { "parts of several types are refused", parts_of_several_types_are_refused },
    { "equal scores choose the first experts", equal_scores_choose_the_first_experts },
    { "decoding reads the chosen experts", decoding_reads_the_chosen_experts },
};
TEST_MAIN(tests)
