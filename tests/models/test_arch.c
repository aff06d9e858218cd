/* test_arch.c: every architecture against transformers: small models of tests/reference/arch, whose weights are hashes
 * of their names, with logits in double precision. In one run, in chunks, and as one of several sequences on pages.
 *
 *     test_arch CPU only=qwen3        # goldens whose names contain it */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "altered.h"
#include "tests/sample.h"
#include "tests/test.h"

#define GOLDENS WEFT_TEST_ROOT "/tests/reference/arch"

static weft_error err;
static const char *only = ""; /* what a golden's name must contain */

/* ---- goldens ---- */

enum { MAX_IDS = 64, MAX_ROWS = 8, MAX_VOCAB = 128 };

typedef struct golden {
    char name[64];
    json_t *root;
    temp_folder folder; /* the model as a publisher's */
    int32_t prompt[MAX_IDS], greedy[MAX_IDS];
    size_t n_prompt, n_greedy, n_rows, n_vocab;
    size_t row[MAX_ROWS]; /* of the prompt */
    double logits[MAX_ROWS * MAX_VOCAB];
} golden;

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* As make.py's fill. */
static void fill(const char *name, size_t rank, float *out, size_t n)
{
    uint64_t start = 0xcbf29ce484222325u;
    size_t length = strlen(name);
    for (const char *c = name; *c; c++) start = (start ^ (unsigned char)*c) * 0x100000001b3u;
    bool gain = rank == 1 && length >= 6 && !strcmp(name + length - 6, "weight");
    for (size_t i = 0; i < n; i++) {
        double x = ((double)(mix(start + (i + 1) * 0x9e3779b97f4a7c15u) >> 48) / 32768 - 1) / 4;
        out[i] = (float)(gain ? 1 + x : x);
    }
}

static size_t elements(const json_t *shape)
{
    size_t n = 1;
    for (size_t i = 0; i < json_array_size(shape); i++) n *= (size_t)json_integer_value(json_array_get(shape, i));
    return n;
}

static void write_weights(const golden *g)
{
    json_t *tensors = json_object_get(g->root, "tensors"), *shape, *header = json_object();
    const char *name;
    size_t at = 0;
    json_object_foreach(tensors, name, shape) {
        size_t bytes = 4 * elements(shape);
        json_object_set_new(header, name, json_pack("{s:s, s:O, s:[I, I]}", "dtype", "F32", "shape", shape,
                                                    "data_offsets", (json_int_t)at, (json_int_t)(at + bytes)));
        at += bytes;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0, padded = (n + 7) / 8 * 8;
    unsigned char *image = calloc(8 + padded + at + 1, 1);
    if (CHECK(text && image)) {
        for (int i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)padded >> (8 * i));
        memset(image + 8, ' ', padded);
        memcpy(image + 8, text, n);
        float *to = (float *)(void *)(image + 8 + padded);
        json_object_foreach(tensors, name, shape) {
            fill(name, json_array_size(shape), to, elements(shape));
            to += elements(shape);
        }
        temp_write(&g->folder, "model.safetensors", image, 8 + padded + at);
    }
    free(image);
    free(text);
    json_decref(header);
}

static size_t read_ids(const golden *g, const char *key, int32_t *out)
{
    const json_t *list = json_object_get(g->root, key);
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < MAX_IDS; i++) out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static bool golden_open(golden *g, const char *file)
{
    char path[512];
    json_error_t fault;
    *g = (golden){ 0 };
    snprintf(path, sizeof path, GOLDENS "/%s", file);
    snprintf(g->name, sizeof g->name, "%.*s", (int)strcspn(file, "."), file);
    g->root = json_load_file(path, 0, &fault);
    if (!CHECK(g->root != NULL)) return false;
    int32_t rows[MAX_IDS];
    const json_t *logits = json_object_get(g->root, "logits"), *config = json_object_get(g->root, "config");
    g->n_prompt = read_ids(g, "prompt", g->prompt);
    g->n_greedy = read_ids(g, "greedy", g->greedy);
    g->n_rows = read_ids(g, "rows", rows);
    g->n_vocab = json_array_size(json_array_get(logits, 0));
    if (!CHECK(g->n_prompt && g->n_prompt <= MAX_IDS && g->n_greedy && g->n_greedy <= MAX_IDS) ||
        !CHECK(g->n_rows && g->n_rows <= MAX_ROWS && g->n_vocab && g->n_vocab <= MAX_VOCAB))
        return false;
    for (size_t i = 0; i < g->n_rows; i++) {
        g->row[i] = (size_t)rows[i];
        for (size_t v = 0; v < g->n_vocab; v++)
            g->logits[i * g->n_vocab + v] = json_number_value(json_array_get(json_array_get(logits, i), v));
    }
    char *text = json_dumps(config, 0);
    g->folder = temp_make();
    if (CHECK(text)) temp_write_text(&g->folder, "config.json", text);
    free(text);
    write_weights(g);
    return true;
}

static void golden_close(golden *g)
{
    if (g->folder.path[0]) temp_remove(&g->folder);
    json_decref(g->root);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_wanted(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".json") && strstr(e->d_name, only);
}

static void each_golden(void (*test)(const golden *g, weft_backend *device), weft_backend *device)
{
    struct dirent **files;
    int n = scandir(GOLDENS, &files, is_wanted, by_name);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        golden g;
        if (golden_open(&g, files[i]->d_name)) {
            unsigned before = weft_test_now.failures;
            test(&g, device);
            if (weft_test_now.failures != before) printf("  in %s\n", g.name);
        }
        golden_close(&g);
        free(files[i]);
    }
    if (n >= 0) free(files);
}

/* ---- runs ---- */

static bool wants(const golden *g, size_t i)
{
    for (size_t k = 0; k < g->n_rows; k++)
        if (g->row[k] == i) return true;
    return false;
}

static double error_of(const golden *g, const float *got, size_t stride)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < g->n_rows; i++)
        for (size_t v = 0; v < g->n_vocab; v++) {
            double want = g->logits[i * g->n_vocab + v], d = (double)got[i * stride * g->n_vocab + v] - want;
            error += d * d;
            size += want * want;
        }
    return sqrt(error / size);
}

enum { BESIDE = 3 }; /* sequences at once */

/* The relative error of the prompt's logits, where n sequences run it token by token beside each other. */
static double prompt_error(weft_session *s, const golden *g, uint32_t n)
{
    weft_batch_token t[BESIDE * MAX_IDS];
    static float got[BESIDE * MAX_ROWS * MAX_VOCAB];
    size_t count = 0;
    double worst = 0;
    for (uint32_t i = 0; i < n; i++) CHECK_OK(weft_session_truncate(s, i, 0, &err), err);
    for (size_t i = 0; i < g->n_prompt; i++)
        for (uint32_t k = 0; k < n; k++)
            t[count++] = (weft_batch_token){ g->prompt[i], k, wants(g, i) ? WEFT_WANT_LOGITS : 0 };
    if (!CHECK_OK(weft_session_eval(s, t, count, &(weft_rows){ .logits = got }, &err), err)) return INFINITY;
    for (uint32_t k = 0; k < n; k++) worst = fmax(worst, error_of(g, got + k * g->n_vocab, n));
    return worst;
}

static void check_greedy(weft_session *s, const golden *g)
{
    weft_generated out;
    const weft_generate_desc how = { .max_tokens = (uint32_t)g->n_greedy, .ignore_eos = true };
    CHECK_OK(weft_session_truncate(s, 0, 0, &err), err);
    if (!CHECK_OK(weft_generate(s, 0, g->prompt, g->n_prompt, &how, &out, &err), err)) return;
    CHECK_EQ_INT(out.n_tokens, g->n_greedy);
    for (size_t i = 0; i < out.n_tokens && i < g->n_greedy; i++) CHECK_EQ_INT(out.tokens[i], g->greedy[i]);
    weft_generated_free(&out);
}

typedef struct errors { double whole, chunks, beside, usual; } errors;

/* In one run; in chunks of 7 tokens, and as one of several sequences in such chunks, on small pages; as sessions are by
 * default, and on from there. */
static void run_whole(weft_session *s, const golden *g, errors *e)
{
    e->whole = prompt_error(s, g, 1);
}

static void run_pieces(weft_session *s, const golden *g, errors *e)
{
    e->chunks = prompt_error(s, g, 1);
    e->beside = prompt_error(s, g, BESIDE);
}

static void run_usual(weft_session *s, const golden *g, errors *e)
{
    e->usual = prompt_error(s, g, 1);
    check_greedy(s, g);
}

static void meets(const golden *g, weft_backend *device)
{
    static const struct {
        weft_session_desc d;
        void (*run)(weft_session *s, const golden *g, errors *e);
    } ways[] = {
        { { .weights = WEFT_F32, .exact = true }, run_whole },
        { { .weights = WEFT_F32, .exact = true, .max_tokens = 7, .page = 16, .n_sequences = BESIDE }, run_pieces },
        { { 0 }, run_usual },
    };
    weft_model *m;
    errors e = { INFINITY, INFINITY, INFINITY, INFINITY };
    if (!CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err)) return;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        weft_session *s = NULL;
        weft_session_desc d = ways[i].d;
        d.devices = &device;
        d.n_devices = 1;
        if (CHECK_OK(weft_session_create(m, &d, &s, &err), err)) ways[i].run(s, g, &e);
        weft_session_destroy(s);
    }
    printf("  %-24s %.2g, in chunks %.2g, beside others %.2g, usual precision %.2g\n", g->name, e.whole, e.chunks,
           e.beside, e.usual);
    CHECK(e.whole < 2e-5 && e.chunks < 2e-5 && e.beside < 2e-5);
    CHECK(e.usual < 3e-3);
    weft_model_close(m);
}

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
    if (CHECK_OK(weft_model_init(temp_path(&g->folder, "config.json"), path, WEFT_F16, 1, 0, NULL, &err), err) &&
        CHECK_OK(weft_checkpoint_open(path, &made, &err), err) &&
        CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err))
        check_made(g, m, made);
    weft_model_close(m);
    weft_checkpoint_close(made);
    temp_remove(&folder);
}

static void tensors_are_those_of_transformers(void)
{
    each_golden(inits, NULL);
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
    write_weights(&b);
    if (!json_object_get(json_object_get(g->root, "config"), "text_config"))
        CHECK_OK(weft_model_open(g->folder.path, NULL, &m, &err), err);
    weft_model_close(m);
    json_decref(b.root);
}

static void names_are_found_without_what_all_begin_with(void)
{
    each_golden(opens_bare, NULL);
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
        temp_folder folder = temp_make();
        if (golden_open(&g, faults[i].golden)) {
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
    if (golden_open(&g, "gpt2-usual.json") && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err))
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
    if (golden_open(&g, "gpt2-usual.json") && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err)) {
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
    if (golden_open(&g, "gpt2-usual.json") && CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err)) {
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

static void cpu(void)
{
    static const char *const specs[] = { "cpu,isa=scalar,threads=1", "cpu,isa=avx2,threads=1",
                                         "cpu,isa=avx512,threads=1", "cpu,isa=neon,threads=1" };
    weft_backend *b;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (weft_backend_open(specs[i], &b, &err)) continue; /* not this processor's */
        printf("  %s\n", specs[i]);
        each_golden(meets, b);
        weft_backend_close(b);
    }
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
    each_golden(meets_some, b);
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

weft_test_state weft_test_now;

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only=", 5)) only = argv[i] + 5;
        else argv[++n] = argv[i];
    }
    return test_run_all(tests, sizeof tests / sizeof *tests, n, argv + 1);
}
