/* test_arch.c: every architecture against transformers: the small models of tests/reference/arch.
 *
 *     test_arch CPU only=qwen3        # goldens whose names contain it */
#include "altered.h"
#include "golden.h"
#include "tests/sample.h"

static weft_error err;
static const char *only = ""; /* what a golden's name must contain */

/* ---- random weights ---- */

/* What is made for the configuration has the tensors that transformers saves of it and the model uses: all, but for
 * what others than a language model have. */
static void check_made(const golden *g, const weft_model *m, const weft_checkpoint *made)
{
    const weft_checkpoint *saved = weft_model_checkpoint(m);
    size_t used = 0, count = weft_checkpoint_count(saved);
    for (size_t i = 0; i < count; i++) {
        if (!weft_model_uses(m, i)) continue;
        const weft_tensor_info *want = weft_checkpoint_tensor(saved, i), *t = weft_checkpoint_find(made, want->name);
        bool same = t && t->rank == want->rank;
        for (uint32_t k = 0; same && k < t->rank; k++) same = t->dims[k] == want->dims[k];
        if (!CHECK(same)) printf("  %s\n", want->name);
        used++;
    }
    CHECK_EQ_INT(weft_checkpoint_count(made), used);
    bool wrapped = json_object_get(json_object_get(g->root, "config"), "text_config") != NULL;
    if (wrapped) CHECK_CONTAINS(weft_model_note(m, 0), "alone: what it sees or hears with is ignored");
    else CHECK_EQ_INT(used, count);
}

static void inits(const golden *g, weft_backend *device)
{
    (void)device;
    const json_t *tensors = json_object_get(g->root, "tensors");
    if (json_object_get(tensors, "model.language_model.embed_tokens.weight")) return; /* names that nobody saves */
    if (strstr(g->name, "stacked")) return; /* nor are experts published so */
    temp_folder folder = temp_make();
    weft_checkpoint *made = NULL;
    weft_model *m = NULL;
    char path[TEMP_PATH];
    snprintf(path, sizeof path, "%s", temp_path(&folder, "made"));
    if (CHECK_OK(weft_model_init(temp_path(&g->folder, "config.json"), NULL, path, WEFT_F16, 1, 0, NULL, &err), err) &&
        CHECK_OK(weft_checkpoint_open(path, &made, &err), err) &&
        CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err))
        check_made(g, m, made);
    weft_model_close(m);
    weft_checkpoint_close(made);
    temp_remove(&folder);
}

static void tensors_are_those_of_transformers(void)
{
    golden_each("arch", only, inits, NULL);
}

/* What every name but the head's begins with, such as "model."; 0: they do not begin alike. */
static size_t prefix_length(json_t *tensors)
{
    const char *name, *first = NULL;
    json_t *shape;
    json_object_foreach(tensors, name, shape) {
        if (!strncmp(name, "lm_head.", 8) || !strncmp(name, "embed_out.", 10)) continue;
        size_t n = strcspn(name, ".") + 1;
        if (first && strncmp(first, name, n) != 0) return 0;
        first = name;
    }
    return first ? strcspn(first, ".") + 1 : 0;
}

/* The base model saved by itself: the head's tensors are not there, and names begin behind the prefix. */
static void opens_bare(const golden *g, weft_backend *device)
{
    (void)device;
    json_t *tensors = json_object_get(g->root, "tensors"), *bare = json_object(), *shape;
    const size_t n = prefix_length(tensors);
    const char *name;
    golden b = { .root = json_pack("{s:o}", "tensors", bare), .folder = g->folder };
    weft_model *m = NULL;
    json_object_foreach(tensors, name, shape)
        if (strncmp(name, "lm_head.", 8) != 0 && strncmp(name, "embed_out.", 10) != 0)
            json_object_set(bare, name + n, shape);
    golden_write_weights(&b);
    if (!json_object_get(json_object_get(g->root, "config"), "text_config"))
        CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err);
    weft_model_close(m);
    json_decref(b.root);
}

static void names_are_found_without_what_all_begin_with(void)
{
    golden_each("arch", only, opens_bare, NULL);
}

/* ---- configurations that make no sense ---- */

/* What one key does not say. Without a fault: it is none. */
static const struct { const char *golden, *path, *value, *fault; } faults[] = {
    { "llama-biases.json", "num_key_value_heads", "3", "heads 4 is no multiple of num_key_value_heads 3" },
    { "llama-yarn.json", "num_attention_heads", "5", "hidden_size 48 is no multiple of num_attention_heads 5" },
    { "llama-biases.json", "head_dim", "11", "rotary dimensions in heads of 11" },
    { "llama-3.json", "rope_scaling.high_freq_factor", "0.5", "high_freq_factor' must be above low_freq_factor" },
    { "llama-3.json", "rope_scaling.rope_type", "\"longrope\"", "'rope.short_factor.0' is missing" },
    { "llama-3.json", "rope_scaling", "3", "rope_scaling is an integer, not an object" },
    { "phi3-long.json", "rope_scaling.long_factor", "[1, 2, 3, 4, 5]", "'rope.long_factor.5' is missing" },
    { "phi3-long.json", "rope_scaling.long_factor", "[1, 2, 3, 4, 5, 6, 7]", "'rope.long_factor' must have 6 numbers" },
    { "phi3-long.json", "rope_scaling.short_factor", "[1, 2, 3, 4, 5, -6]", "'rope.short_factor.5' is -6" },
    { "phi3-long.json", "rope_scaling.short_factor", "[1, 2, 3, 4, 5, \"6\"]", "'rope.short_factor.5' is not a" },
    { "phi3-long.json", "rope_scaling.short_factor", "3", "'rope.short_factor.0' is missing" },
    { "phi3-long.json", "rope_scaling.type", "\"linear\"", "'rope_scaling.factor' is missing" },
    { "phi3-long.json", "rope_scaling", "{\"type\": \"yarn\", \"factor\": 2}", "\"yarn\" without short_factor" },
    { "qwen3-window.json", "layer_types", "[\"full_attention\"]", "'layer_types' must say" },
    { "qwen3-window.json", "layer_types", "3", "'layer_types' must say" },
    { "qwen3-window.json", "layer_types", "[\"full_attention\", 1, \"full_attention\"]", "for layer 1" },
    { "qwen3-window.json", "num_hidden_layers", "2", "'layer_types' must say" },
    { "gpt_neo-local.json", "attention_types", "[[[\"global\", \"local\"], 1]]", "for each of 3 layers" },
    { "gpt_neo-local.json", "attention_types", "[[[\"global\", \"near\"], 2]]", "'attention_types' must say" },
    { "gpt_neo-local.json", "attention_types", "7", "'attention_types' must say" },
    { "gpt2-usual.json", "add_cross_attention", "true", "'add_cross_attention' is not supported" },
    { "gemma2-caps.json", "use_bidirectional_attention", "true", "'use_bidirectional_attention' is not supported" },
    { "gptj-usual.json", "rotary_dim", "7", "7 rotary dimensions, an odd number" },
    { "gptj-usual.json", "rotary_dim", "14", "14 rotary dimensions in heads of 12" },
    { "codegen-usual.json", "n_head", "1", NULL },
    { "codegen-usual.json", "n_embd", "50", "no multiple of" },
    { "falcon-40b.json", "parallel_attn", "false", "'new_decoder_architecture' is true with this" },
    { "falcon-7b.json", "num_ln_in_parallel_attn", "2", "'new_decoder_architecture' is false with this" },
    { "falcon-40b.json", "num_kv_heads", "4", "no multiple of num_kv_heads 4" },
    { "falcon-rw.json", "num_kv_heads", "3", "'num_kv_heads' is 3" },
    { "falcon-7b.json", "alibi", "null", NULL },
    { "falcon-7b.json", "num_kv_heads", "2", NULL },
    { "mpt-clip.json", "attn_config.qk_ln", "true", "'attn_config.qk_ln' is not supported" },
    { "mpt-clip.json", "attn_config.alibi", "false", "without 'attn_config.alibi'" },
    { "mpt-plain.json", "architectures", "[\"MPTForCausalLM\"]", NULL }, /* as published */
    { "mpt-plain.json", "no_bias", "false", "or 'no_bias'" },
    { "bloom-usual.json", "slow_but_exact", "true", "'slow_but_exact' is not supported" },
    { "bloom-usual.json", "n_head", "2048", "no multiple" },
    { "bloom-usual.json", "hidden_size", "7", NULL }, /* n_embed counts */
    { "llava-old.json", "text_config", "[]", "text_config is an array, not an object" },
    { "llava-old.json", "text_config.model_type", "\"clip\"", "architecture 'clip' is not known" },
    { "llava-old.json", "text_config.hidden_size", "50", "text_config: hidden_size 50 is no multiple of" },
    { "llava-old.json", "architectures", "[\"LlavaForEverything\"]", "architecture 'LlavaForEverything' is not known" },
    { "llava-old.json", "architectures", "[\"LlavaModel\"]", NULL },
    { "qwen3-window.json", "use_sliding_window", "false", "there is no 'sliding_window'" },
    { "qwen3_moe-each.json", "mlp_only_layers", "1", "'mlp_only_layers' is no list" },
    { "qwen3_moe-each.json", "mlp_only_layers", "\"1\"", "'mlp_only_layers' is no list" },
    { "qwen3_moe-each.json", "mlp_only_layers", "[1, \"x\"]", "'mlp_only_layers.1' is not a number" },
    { "qwen3_moe-each.json", "mlp_only_layers", "null", NULL },
    { "qwen3_moe-each.json", "mlp_only_layers", "[7, 7, 7, 7]", "'mlp_only_layers' lists more than 3 layers" },
    { "qwen3_moe-each.json", "num_experts", "0", NULL }, /* the other kind of layer, all of them */
    { "qwen3_moe-each.json", "num_experts", "7", "'num_experts_per_tok' is 8, must be a whole number from 1 to 7" },
    { "olmoe-each.json", "moe_intermediate_size", "7", NULL }, /* not of this class */
    { "gpt_oss-usual.json", "sliding_window", "null", "'sliding_window' is not a number" },
    { "gpt_oss-usual.json", "quantization_config", "{\"quant_method\": \"mxfp4\"}", "quantised by \"mxfp4\"" },
};

static void faults_of_several_keys_are_told(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        golden g;
        char path[64];
        temp_folder folder = temp_make();
        snprintf(path, sizeof path, "arch/%s", faults[i].golden);
        if (golden_open(&g, path)) {
            weft_model *m = altered_open(json_object_get(g.root, "config"), &folder, faults[i].path, faults[i].value,
                                         &err);
            CHECK((m != NULL) == !faults[i].fault);
            if (faults[i].fault) CHECK_CONTAINS(err.text, faults[i].fault);
            if (faults[i].fault) CHECK_CONTAINS(err.text, "config.json");
            weft_model_close(m);
        }
        golden_close(&g);
        temp_remove(&folder);
    }
}

/* The class's end token of a vocabulary that was made small. */
static void an_end_that_never_comes_is_noted(void)
{
    golden g;
    weft_model *m = NULL;
    const char *note;
    bool told = false;
    if (golden_open(&g, "arch/gpt2-usual.json") && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err))
        for (uint32_t i = 0; (note = weft_model_note(m, i)); i++)
            told |= !strcmp(note, "eos_token_id 50256 is beyond the vocabulary of 61: no text ends by it");
    CHECK(told);
    weft_model_close(m);
    golden_close(&g);
}

/* Heads of 12 numbers do not divide into blocks. */
static void a_cache_in_blocks_says_what_would_do(void)
{
    golden g;
    weft_model *m = NULL;
    weft_session_plan *p = NULL;
    if (golden_open(&g, "arch/gpt2-usual.json") && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err)) {
        weft_status s = weft_session_plan_create(m, &(weft_session_desc){ .kv = WEFT_Q8_0 }, &p, &err);
        CHECK_STATUS(s, WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "a cache of q8_0 holds heads of a width that 32 divides, here it is 12: keep it in");
    }
    weft_model_close(m);
    golden_close(&g);
}

static void learned_positions_are_bounded(void)
{
    golden g;
    weft_model *m = NULL;
    weft_session_plan *p = NULL;
    if (golden_open(&g, "arch/gpt2-usual.json") && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err)) {
        CHECK_EQ_INT(weft_model_info_get(m)->context_limit, 64);
        weft_status s = weft_session_plan_create(m, &(weft_session_desc){ .context = 65 }, &p, &err);
        CHECK_STATUS(s, WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "a context of 65 tokens: there are learned positions for 64");
        CHECK_OK(weft_session_plan_create(m, &(weft_session_desc){ .context = 64 }, &p, &err), err);
        weft_session_plan_destroy(p);
    }
    weft_model_close(m);
    golden_close(&g);
}

/* ---- devices ---- */

static void meets(const golden *g, weft_backend *device)
{
    golden_meets(g, NULL, device);
}

static void cpu(void)
{
    golden_each_on_cpu("arch", only, golden_open, meets);
}

/* Drivers compile the kernels of every session: a run takes a sample where others do. */
static void meets_some(const golden *g, weft_backend *device)
{
    if (sample_takes(g->name, "vulkan_arch")) meets(g, device);
}

static void vulkan(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err)) return;
    golden_each("arch", only, meets_some, b);
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "tensors are those of transformers", tensors_are_those_of_transformers },
    { "names are found without what all begin with", names_are_found_without_what_all_begin_with },
    { "learned positions are bounded", learned_positions_are_bounded },
    { "what a cache in blocks takes, and types that are others", a_cache_in_blocks_says_what_would_do },
    { "notes are of an end that never comes", an_end_that_never_comes_is_noted },
    { "faults of several keys are told", faults_of_several_keys_are_told },
    { "CPU", cpu },
    { "Vulkan", vulkan },
};

GOLDEN_MAIN(tests, only)
