/* test_gguf_config.c: what GGUF files say and do not: values that are missing, of another kind, or absurd, tensors that
 * lack or are too many; where a setting is said to come from. */
#include <math.h>
#include <stdlib.h>

#include "gguf_golden.h"
#include "models/checkpoint/file.h"
#include "models/checkpoint/gguf_out.h"
#include "models/config.h"
#include "tests/oom.h"

static weft_error err;

/* ---- files that were changed ---- */

/* What is done to a golden's file: a value of another kind instead (none: it is left out), or without a tensor. */
typedef struct change {
    const char *golden, *key;
    enum { NOTHING, NUMBER, REAL, TEXT, LIST, WORDS } kind;
    double number;
    const char *text, *without; /* LIST: numbers of one digit; WORDS: one for each letter;
                                 * NOTHING: a tensor of F32 that becomes one of F64 */
    const char *fault; /* that the error's text has; NULL: it opens */
} change;

typedef struct tensors { const weft__gguf_file *file; const weft__file_tensor **tensors; const char *wide; } tensors;

static weft_status fill(void *ctx, size_t i, uint64_t offset, void *out, size_t n, weft_error *e)
{
    const tensors *s = ctx;
    (void)e;
    if (s->wide && !strcmp(s->wide, s->tensors[i]->name)) {
        const float *x = (const float *)(const void *)((const unsigned char *)s->tensors[i]->data + offset / 2);
        for (size_t k = 0; k < n / sizeof(double); k++) ((double *)out)[k] = (double)x[k];
        return WEFT_OK;
    }
    memcpy(out, (const unsigned char *)s->tensors[i]->data + offset, n);
    return WEFT_OK;
}

static void put(weft__gguf_kv *kv, const change *c)
{
    int32_t list[16];
    size_t n = 0;
    for (; c->kind == LIST && c->text[n] && n < 16; n++) list[n] = c->text[n] - '0';
    if (c->kind == NUMBER) weft__gguf_put_u32(kv, c->key, (uint32_t)c->number);
    if (c->kind == REAL) weft__gguf_put_f32(kv, c->key, (float)c->number);
    if (c->kind == TEXT) weft__gguf_put_text(kv, c->key, c->text, strlen(c->text));
    if (c->kind == WORDS) weft__gguf_put_strings(kv, c->key, strlen(c->text));
    for (; c->kind == WORDS && c->text[n]; n++) weft__gguf_put_string(kv, c->text + n, 1);
    if (c->kind == LIST) weft__gguf_put_numbers(kv, c->key, WEFT__GGUF_I32, list, n);
}

/* Of model.gguf in the folder a changed.gguf. */
static void rewrite(const golden *g, const change *c)
{
    static weft__file_tensor kept[256];
    static const weft__file_tensor *from[256];
    weft__gguf_file *f = NULL;
    weft__gguf_kv kv = { 0 };
    const weft__gguf_value *v;
    size_t n = 0, all;
    if (!CHECK_OK(weft__gguf_open(temp_path(&g->folder, "model.gguf"), &f, &err), err)) return;
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++)
        if (!c->key || strcmp(v->key, c->key) != 0) weft__gguf_put_copy(&kv, v);
    put(&kv, c);
    const weft__file_tensor *t = weft__gguf_tensors(f, &all);
    for (size_t i = 0; i < all && n < 256; i++) {
        if (c->without && !strcmp(c->without, t[i].name)) continue;
        from[n] = &t[i];
        kept[n] = t[i];
        if (c->kind == NOTHING && c->text && !strcmp(c->text, t[i].name)) kept[n].dtype = weft__file_dtype_find("F64");
        n++;
    }
    tensors s = { f, from, c->kind == NOTHING ? c->text : NULL };
    CHECK_OK(weft__gguf_write(&(weft__gguf_write_desc){ .path = temp_path(&g->folder, "changed.gguf"), .values = &kv,
                                                         .tensors = kept, .n_tensors = n, .fill = fill, .ctx = &s },
                              &err), err);
    weft__gguf_kv_free(&kv);
    weft__gguf_close(f);
}

static const change changes[] = {
    { "llama-3", NULL, NOTHING, 0, NULL, NULL, NULL },
    { "llama-3", "general.architecture", NOTHING, 0, NULL, NULL, "general.architecture is missing" },
    { "llama-3", "general.architecture", NUMBER, 3, NULL, NULL, "general.architecture is missing" },
    { "llama-3", "general.architecture", TEXT, 0, "wavenet", NULL, "architecture 'wavenet' is not known" },
    { "llama-3", "general.architecture", TEXT, 0, "qwen3", NULL, "qwen3.block_count is missing" },
    { "llama-3", "llama.block_count", NOTHING, 0, NULL, NULL, "llama.block_count is missing" },
    { "llama-3", "llama.block_count", NUMBER, 0, NULL, NULL, "llama.block_count is no such number" },
    { "llama-3", "llama.block_count", NUMBER, 4e9, NULL, NULL, "llama.block_count is no such number" },
    { "llama-3", "llama.block_count", REAL, 1.5, NULL, NULL, "llama.block_count is no such number" },
    { "llama-3", "llama.block_count", NUMBER, 3, NULL, NULL, "no tensor blk.2.attn_norm.weight" },
    { "llama-3", "llama.block_count", NUMBER, 1, NULL, NULL, "tensor 'blk.1.attn_k.weight' is of no part of Llama" },
    { "llama-3", "llama.attention.head_count", TEXT, 0, "3", NULL, "head_count is no number (type string)" },
    { "llama-3", "llama.attention.head_count", NUMBER, 0, NULL, NULL, "head_count is no such number" },
    { "llama-3", "llama.attention.head_count", LIST, 0, "333", NULL, NULL },
    { "llama-3", "llama.attention.head_count", LIST, 0, "343", NULL, "head_count is not the same in every layer" },
    { "llama-3", "llama.attention.head_count", LIST, 0, "", NULL, "head_count is no number" },
    { "llama-3", "llama.attention.head_count_kv", NUMBER, 1, NULL, NULL, "but its metadata makes it [16, 48]" },
    { "llama-3", "llama.attention.key_length", NUMBER, 0, NULL, NULL, "heads of 0 (key_length) with values of 16" },
    { "llama-3", "llama.attention.value_length", NUMBER, 8, NULL, NULL, "heads of 16 (key_length) with values of 8" },
    { "llama-3", "llama.attention.layer_norm_rms_epsilon", NOTHING, 0, NULL, NULL, "neither llama.attention.layer" },
    { "llama-3", "llama.attention.layer_norm_rms_epsilon", REAL, -1, NULL, NULL, "layer_norm_rms_epsilon' is -1" },
    { "llama-3", "llama.rope.dimension_count", NUMBER, 17, NULL, NULL, "dimension_count is 17, of heads of 16" },
    { "llama-3", "llama.rope.freq_base", REAL, 0, NULL, NULL, "'llama.rope.freq_base' is 0" },
    { "llama-3", "llama.rope.freq_base", REAL, (double)INFINITY, NULL, NULL, "llama.rope.freq_base is inf" },
    { "llama-3", "llama.feed_forward_length", NUMBER, 60, NULL, NULL, "but its metadata makes it [60, 48]" },
    { "llama-3", NULL, NOTHING, 0, NULL, "token_embd.weight", "there is no matrix token_embd.weight" },
    { "llama-3", NULL, NOTHING, 0, NULL, "blk.1.attn_q.weight", "no tensor blk.1.attn_q.weight" },
    { "llama-3", "llama.attention.temperature_scale", REAL, 0.1, NULL, NULL, "temperature_scale is not supported for" },
    { "llama-3", "llama.attention.causal", NUMBER, 0, NULL, NULL, "llama.attention.causal is not supported for" },
    { "llama-3", "llama.attention.causal", NUMBER, 1, NULL, NULL, NULL },
    { "llama-3", "llama.logit_scale", REAL, 0.5, NULL, NULL, "llama.logit_scale is not supported for models of llama" },
    { "gemma2", "gemma2.rope.freq_base_swa", REAL, 50, NULL, NULL, "gemma2.rope.freq_base_swa is not supported for" },
    { "mixtral", "llama.expert_gating_func", NUMBER, 2, NULL, NULL, "llama.expert_gating_func is not supported for" },
    { "llama-linear", "llama.rope.scaling.type", TEXT, 0, "none", NULL, NULL },
    { "llama-3", "llama.rope.scaling.factor", REAL, 4, NULL, NULL, "factor 4 beside tensors of rotary factors" },
    { "llama-3", "llama.rope.scaling.factor", REAL, 1, NULL, NULL, NULL },
    { "llama-3", "llama.rope.scaling.type", TEXT, 0, "yarn", NULL, "scaling.type yarn and factor 1 beside tensors" },
    { "granite-factors", "granite.rope.scaling.finetuned", NUMBER, 0, NULL, NULL, "without rotary embeddings are not" },
    { "granite-factors", "granite.rope.scaling.finetuned", NUMBER, 1, NULL, NULL, NULL },
    { "llama-3", "llama.rope.scaling.finetuned", NUMBER, 0, NULL, NULL, NULL },
    { "cohere2", "cohere2.attention.sliding_window", NOTHING, 0, NULL, NULL, "attention.sliding_window is missing" },
    { "gpt_oss", "gpt-oss.attention.sliding_window", NOTHING, 0, NULL, NULL, "attention.sliding_window is missing" },
    { "llama-linear", "llama.rope.scaling.type", TEXT, 0, "ntk", NULL, "rope_type \"ntk\" is not supported" },
    { "llama-linear", "llama.rope.scaling.type", TEXT, 0, "\xff", NULL, "llama.rope.scaling.type is no text" },
    { "llama-linear", "llama.rope.scaling.type", NUMBER, 1, NULL, NULL, "llama.rope.scaling.type is no text" },
    { "llama-linear", "llama.rope.scaling.factor", REAL, -2, NULL, NULL, "'llama.rope.scaling.factor' is -2" },
    { "llama-biases", NULL, NOTHING, 0, NULL, "blk.1.ffn_up.bias", "no tensor blk.1.ffn_up.bias" },
    { "phi3-long", NULL, NOTHING, 0, NULL, "rope_factors_short.weight", "one is missing" },
    { "mixtral", "llama.expert_used_count", NUMBER, 0, NULL, NULL, "'llama.expert_used_count' is 0" },
    { "mixtral", "llama.expert_count", NOTHING, 0, NULL, NULL, "no tensor blk.0.ffn_gate.weight" },
    { "mixtral", "llama.expert_count", NUMBER, 4, NULL, NULL, "but its metadata makes it [4, 48]" },
    { "gemma3", "gemma3.attention.sliding_window_pattern", NUMBER, 2, NULL, NULL, NULL },
    { "gemma3", "gemma3.attention.sliding_window_pattern", LIST, 0, "1110110", NULL, NULL },
    { "gemma3", "gemma3.attention.sliding_window_pattern", LIST, 0, "11", NULL, "does not say it of layer 2" },
    { "gemma3", "gemma3.attention.sliding_window_pattern", WORDS, 0, "1110110", NULL, "does not say it of layer 0" },
    { "gemma3", "gemma3.attention.sliding_window_pattern", TEXT, 0, "6", NULL, "does not say it of layer 0" },
    { "mpt-plain", "mpt.attention.max_alibi_bias", REAL, 4, NULL, NULL, "without 'attn_config.alibi'" },
    { "stablelm-sequential", NULL, NOTHING, 0, NULL, "blk.0.ffn_norm.weight", "'blk.0.ffn_norm.bias' is of no part" },
};

static void faults_are_told(void)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        golden g;
        char file[64];
        weft_model *m = NULL;
        snprintf(file, sizeof file, "gguf/%s.json", changes[i].golden);
        if (gguf_golden_open(&g, file)) {
            unsigned before = weft_test_now.failures;
            rewrite(&g, &changes[i]);
            weft_status s = weft_model_open(temp_path(&g.folder, "changed.gguf"), NULL, &m, &err);
            CHECK(!s == !changes[i].fault);
            if (s && changes[i].fault) CHECK_CONTAINS(err.text, changes[i].fault);
            if (s) CHECK_CONTAINS(err.text, "changed.gguf");
            if (weft_test_now.failures != before) printf("  row %zu: %s\n", i, s ? err.text : "opens");
            weft_model_close(m);
        }
        golden_close(&g);
    }
}

/* ---- what is told ---- */

static void sources_and_unread_keys_are_told(void)
{
    static const change odd = { "llama-3", "llama.attention.temperature", REAL, 2, NULL, NULL, NULL };
    char buf[WEFT_CONFIG_SOURCE_SIZE];
    golden g;
    weft_model *m = NULL;
    weft_config_file *c = NULL;
    if (!gguf_golden_open(&g, "gguf/llama-3.json")) return golden_close(&g);
    rewrite(&g, &odd);
    if (CHECK_OK(weft_model_open(temp_path(&g.folder, "changed.gguf"), NULL, &m, &err), err)) {
        CHECK_STR(weft_model_note(m, 0), "llama.attention.temperature is not read");
        CHECK(weft_model_note(m, 1) == NULL);
        CHECK_STR(weft_model_info_get(m)->architecture, "LlamaForCausalLM");
        CHECK_EQ_INT(weft_model_info_get(m)->n_vocab, 61);
    }
    weft_model_close(m);
    if (CHECK_OK(weft_config_file_open(temp_path(&g.folder, "changed.gguf"), &c, &err), err)) {
        double eps;
        CHECK_STR(weft_config_file_source(c, "hidden_size", buf), "changed.gguf: llama.embedding_length");
        CHECK_STR(weft_config_file_source(c, "vocab_size", buf), "changed.gguf: token_embd.weight");
        CHECK_STR(weft_config_file_source(c, "hidden_act", buf), "default of llama");
        CHECK(weft_config_file_number(c, "rms_norm_eps", &eps) == 1 && eps == 1e-5); /* not what the float is */
        CHECK(weft_config_file_number(c, "num_key_value_heads", &eps) == 1 && eps == 3); /* the file has none */
    }
    weft_config_file_close(c);
    golden_close(&g);
}

/* Which layers see a window, and how large it is, where the file says it and where it does not. */
static void windows_are_read(void)
{
    static const struct { change c; const char *layers; double window; } rows[] = {
        { { "gemma3", "gemma3.attention.sliding_window_pattern", NUMBER, 2, NULL, NULL, NULL }, "1010101", 7 },
        { { "gemma3", "gemma3.attention.sliding_window_pattern", LIST, 0, "1110110", NULL, NULL }, "1110110", 7 },
        { { "gemma2", "gemma2.attention.sliding_window", NOTHING, 0, NULL, NULL, NULL }, "10", 4096 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        golden g;
        char file[64], key[32];
        const char *type;
        double window = 0;
        weft_config_file *c = NULL;
        snprintf(file, sizeof file, "gguf/%s.json", rows[i].c.golden);
        if (gguf_golden_open(&g, file)) {
            rewrite(&g, &rows[i].c);
            CHECK_OK(weft_config_file_open(temp_path(&g.folder, "changed.gguf"), &c, &err), err);
        }
        if (c) CHECK(weft_config_file_number(c, "sliding_window", &window) == 1 && window == rows[i].window);
        for (int k = 0; c && rows[i].layers[k]; k++) {
            snprintf(key, sizeof key, "layer_types.%d", k);
            if (CHECK(weft_config_file_text(c, key, &type) == 1))
                CHECK_STR(type, rows[i].layers[k] == '1' ? "sliding_attention" : "full_attention");
        }
        weft_config_file_close(c);
        golden_close(&g);
    }
}

/* Whether the bytes of a weight may be given back when they have been read: those of a mapped file, of which nothing
 * that was made (doubles as floats) is a part. */
static void what_was_made_is_not_given_back(void)
{
    static const char weight[] = "model.layers.0.mlp.experts.gate_up_proj";
    static const char *const wide[] = { NULL, "blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight" };
    for (int i = 0; i < 3; i++) {
        const change c = { .golden = "mixtral", .text = wide[i] };
        golden g;
        weft_model *m = NULL;
        weft_weight_data d = { 0 };
        if (gguf_golden_open(&g, "gguf/mixtral.json")) {
            rewrite(&g, &c);
            CHECK_OK(weft_model_open(temp_path(&g.folder, "changed.gguf"), NULL, &m, &err), err);
        }
        if (m) {
            const weft_weight_source weights = weft_model_weights(m);
            if (CHECK_OK(weights.find(weights.ctx, weight, &d, &err), err)) CHECK((d.done != NULL) == (i == 0));
        }
        weft_model_close(m);
        golden_close(&g);
    }
}

/* Who puts other numbers in place of a weight's keeps them, whatever is told of having been read: of both kinds of
 * file. */
static void memory_of_others_is_left_alone(void)
{
    enum { SIZE = 1 << 16 };
    const weft_tensor_info *t;
    golden g;
    unsigned char *other = calloc(1, SIZE);
    for (int k = 0; other && k < SIZE; k++) other[k] = 1;
    bool opens = gguf_golden_open(&g, "gguf/mixtral.json");
    const char *const paths[] = { WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox",
                                  opens ? temp_path(&g.folder, "model.gguf") : "" };
    for (int i = 0; other && i < 2; i++) {
        weft_checkpoint *ck = NULL;
        weft_weight_data d = { 0 };
        if (!CHECK_OK(weft_checkpoint_open(paths[i], &ck, &err), err)) continue;
        const weft_weight_source source = weft_checkpoint_source(ck);
        t = weft_checkpoint_tensor(ck, 0);
        if (CHECK_OK(source.find(source.ctx, t->name, &d, &err), err) && CHECK(d.done != NULL)) {
            int sum = 0;
            d.done(d.ctx, other, SIZE);
            d.done(d.ctx, d.data, d.bytes);
            for (int k = 0; k < SIZE; k++) sum += other[k];
            CHECK_EQ_INT(sum, SIZE);
        }
        weft_checkpoint_close(ck);
    }
    free(other);
    golden_close(&g);
}

/* A folder with a GGUF file is one; what else stands there does not count. */
static void a_folder_is_its_file(void)
{
    golden g;
    weft_model *m = NULL;
    if (!gguf_golden_open(&g, "gguf/qwen3-norms.json")) return golden_close(&g);
    temp_write_text(&g.folder, "config.json", "{\"model_type\": \"llama\"}");
    if (CHECK_OK(weft_model_open(g.folder.path, NULL, &m, &err), err))
        CHECK_STR(weft_model_info_get(m)->architecture, "Qwen3ForCausalLM");
    weft_model_close(m);
    golden_close(&g);
}

/* The file under another name is one, but not under that of a configuration. */
static void names_of_files(void)
{
    golden g;
    weft_model *m = NULL;
    char *file;
    size_t n;
    if (!gguf_golden_open(&g, "gguf/qwen3-norms.json") ||
        !CHECK_OK(weft__file_read(temp_path(&g.folder, "model.gguf"), 1 << 24, &file, &n, &err), err))
        return golden_close(&g);
    temp_write(&g.folder, "blob", file, n);
    temp_write(&g.folder, "config.json", file, n);
    CHECK_OK(weft_model_open(temp_path(&g.folder, "blob"), NULL, &m, &err), err);
    weft_model_close(m);
    CHECK_STATUS(weft_model_open(temp_path(&g.folder, "config.json"), NULL, &m, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "config.json");
    free(file);
    golden_close(&g);
}

static void allocations_may_fail(void)
{
    static const char *const files[] = { "gguf/llama-biases.json", "gguf/gpt_oss.json" };
    for (int i = 0; i < 2; i++) {
        golden g;
        if (!gguf_golden_open(&g, files[i])) return golden_close(&g);
        OOM_LOOP (n) {
            weft_model *m = NULL;
            weft_status s = weft_model_open(g.folder.path, NULL, &m, &err);
            for (int k = 0; !s && k < 2; k++) {
                static const char *const names[] = { "model.layers.0.self_attn.q_proj.weight",
                                                     "model.layers.0.self_attn.q_proj.bias" };
                weft_weight_data d = { 0 };
                const weft_weight_source weights = weft_model_weights(m);
                s = weights.find(weights.ctx, names[k], &d, &err);
            }
            OOM_CHECK(s, err);
            weft_model_close(m);
        }
        golden_close(&g);
    }
}

static const weft_test tests[] = {
    { "faults are told", faults_are_told },
    { "sources, and keys that are not read, are told", sources_and_unread_keys_are_told },
    { "windows are read", windows_are_read },
    { "what was made is not given back", what_was_made_is_not_given_back },
    { "memory of others is left alone", memory_of_others_is_left_alone },
    { "a folder is its file", a_folder_is_its_file },
    { "names of files", names_of_files },
    { "allocations may fail", allocations_may_fail },
};
TEST_MAIN(tests)
