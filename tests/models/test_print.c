/* test_print.c: every architecture as the text that is printed of it: it reads back to an equal graph, at its own
 * configuration and at others of the same architecture for which it holds, and runs to the same bits.
 *
 *     test_model_print CPU only=qwen3        # goldens whose names contain it */
#include <stdlib.h>

#include "altered.h"
#include "golden.h"
#include "graph/same.h"
#include "tests/oom.h"
#include "tests/sample.h"
#include "tests/test.h"

#define CONFIGS WEFT_TEST_ROOT "/models/configs/"

static weft_error err;
static const char *only = ""; /* what a golden's name must contain */
static const weft_backend *on_vulkan;

static char *print(const weft_model *m)
{
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    if (CHECK_OK(weft_model_print_text(m, &w, &err), err)) return text.data;
    weft_text_free(&text);
    return NULL;
}

static char *format(const char *text)
{
    weft_graph_text *t;
    weft_text out = { 0 };
    weft_writer w = weft_text_writer(&out);
    if (!CHECK_OK(weft_graph_text_read(text, strlen(text), "t", &t, &err), err)) return NULL;
    CHECK_OK(weft_graph_text_format(t, &w, &err), err);
    weft_graph_text_destroy(t);
    return out.data;
}

/* The folder's model, as the library has it or as the text says. */
static weft_status open_as(const char *path, const char *text, weft_model **out)
{
    const weft_model_desc desc = { .text = text, .n_text = text ? strlen(text) : 0, .text_origin = "printed" };
    return weft_model_open(path, &desc, out, &err);
}

static weft_graph *graph_of(const weft_model *m)
{
    weft_graph *g = NULL;
    return weft_model_graph(m, &(weft_model_graph_desc){ 0 }, &g, &err) == WEFT_OK ? g : NULL;
}

/* The text is the folder's model, too: 1; it is for others, and says so: 0. */
static int holds(const char *path, const char *text)
{
    weft_model *own = NULL, *other = NULL;
    int held = 0;
    if (!CHECK_OK(open_as(path, NULL, &own), err)) return 0;
    weft_graph *want = graph_of(own), *got = NULL;
    if (open_as(path, text, &other) == WEFT_OK && (got = graph_of(other)))
        held = CHECK(want != NULL) && CHECK_OK(weft__graph_same(want, got, &err), err);
    weft_graph_destroy(want);
    weft_graph_destroy(got);
    weft_model_close(own);
    weft_model_close(other);
    return held;
}

/* ---- what is printed ---- */

static char *printed_of(const char *path)
{
    weft_model *m;
    if (!CHECK_OK(open_as(path, NULL, &m), err)) return NULL;
    char *text = print(m);
    weft_model_close(m);
    return text;
}

/* Gives the text. */
static char *check_text(const char *path)
{
    char *text = printed_of(path), *again = text ? format(text) : NULL;
    if (!text || !again) return text;
    CHECK_STR(again, text);
    CHECK_EQ_INT(holds(path, text), 1);
    weft_model *m = NULL;
    free(again);
    again = CHECK_OK(open_as(path, text, &m), err) ? print(m) : NULL; /* of a model that is a text: that */
    if (again) CHECK_STR(again, text);
    weft_model_close(m);
    free(again);
    return text;
}

static void reads_back(const golden *g, weft_backend *device)
{
    (void)device;
    if (sample_takes(g->name, "print")) free(check_text(g->folder.path));
}

static void texts_read_back(void)
{
    golden_each("arch", only, reads_back, NULL);
}

static size_t count_lines(const char *s)
{
    size_t n = 0;
    for (; *s; s++) n += *s == '\n';
    return n;
}

/* Large ones are pages; what follows the configuration has no number of it among its nodes. */
static void large_models_are_a_page(void)
{
    static const char *const files[] = { "gpt-neox-20b", "pythia-160m", "pythia-1.4b", "pythia-6.9b" };
    char path[512];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, CONFIGS "%s.json", files[i]);
        char *text = check_text(path);
        if (!text) continue;
        CHECK(count_lines(text) <= 120);
        CHECK_CONTAINS(text, "repeat i in 0..num_hidden_layers {");
        CHECK_CONTAINS(text, "n_out = intermediate_size");
        for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
            snprintf(path, sizeof path, CONFIGS "%s.json", files[k]);
            CHECK_EQ_INT(holds(path, text), 1); /* as long and wide as that one says */
        }
        free(text);
    }
}

/* ---- other configurations ---- */

/* With an architecture's first golden as the text, each other one of it is that, or is refused by a require. */
typedef struct series {
    char *text, class_[64];
    uint32_t tried, held;
} series;
static series now;

static void holds_for_others(const golden *g, weft_backend *device)
{
    (void)device;
    weft_model *m;
    if (!CHECK_OK(open_as(g->folder.path, NULL, &m), err)) return;
    const char *class_ = weft_model_info_get(m)->architecture;
    if (strcmp(class_, now.class_) != 0) {
        free(now.text);
        snprintf(now.class_, sizeof now.class_, "%s", class_);
        now.text = print(m);
    } else if (now.text) {
        now.tried++;
        err.text[0] = 0;
        if (holds(g->folder.path, now.text)) now.held++;
        else if (!strstr(err.text, "the text is for a model")) printf("  %s: %s\n", g->name, err.text);
    }
    weft_model_close(m);
}

static void texts_hold_for_others(void)
{
    now = (series){ 0 };
    golden_each("arch", only, holds_for_others, NULL);
    printf("  of %u other configurations of an architecture %u are the same text\n", now.tried, now.held);
    CHECK(*only || now.held >= 1);
    free(now.text);
}

/* One key of a configuration changed: the printed text still is the model, or says what it is for. */
static const struct { const char *golden, *path, *value; bool holds; } changes[] = {
    { "qwen3-norms", "num_hidden_layers", "5", true },
    { "qwen3-norms", "num_attention_heads", "8", true },
    { "qwen3-norms", "head_dim", "32", true },
    { "qwen3-norms", "hidden_act", "\"relu\"", true },
    { "qwen3-norms", "attention_bias", "true", false },
    { "qwen3-norms", "tie_word_embeddings", "false", false },
    { "llama-3", "rope_scaling.rope_type", "\"linear\"", false },
    { "mistral-window", "sliding_window", "3", true },
    { "mistral-window", "num_key_value_heads", "1", true },
    { "gemma3_text-old", "sliding_window_pattern", "3", true },
    { "cohere2-pattern", "num_hidden_layers", "7", true },
    { "cohere2-listed", "layer_types.0", "\"full_attention\"", true },
    { "gpt2-scales", "n_layer", "6", true },
    { "mixtral-stacked", "num_local_experts", "5", true },
    { "mixtral-stacked", "num_experts_per_tok", "1", true },
    { "olmo3-usual", "num_hidden_layers", "9", true },
    { "gpt_neox-parallel", "use_parallel_residual", "false", false },
    { "bloom-usual", "n_head", "8", true },
    { "mpt-plain", "d_model", "96", true },
    { "cohere-norms", "num_key_value_heads", "null", true },
    { "gemma2-caps", "sliding_window", "null", false },
    { "gemma2-caps", "final_logit_softcapping", "null", false },
    { "codegen-wide", "n_inner", "null", true },
    { "gemma-each", "hidden_act", "\"gelu\"", false },
};

static void follows_a_configuration(void)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char file[80], *text = NULL, *config = NULL;
        golden g;
        snprintf(file, sizeof file, "arch/%s.json", changes[i].golden);
        temp_folder folder = temp_make();
        if (golden_open(&g, file) && (text = printed_of(g.folder.path))) {
            config = altered_text(json_object_get(g.root, "config"), changes[i].path, changes[i].value);
            temp_write_text(&folder, "config.json", config);
            err.text[0] = 0;
            bool held = holds(temp_path(&folder, "config.json"), text);
            if (!CHECK(held == changes[i].holds))
                printf("  %s: %s %s: %s\n", changes[i].golden, changes[i].path, changes[i].value, err.text);
            if (!changes[i].holds) CHECK_CONTAINS(err.text, changes[i].path + (strcspn(changes[i].path, ".") + 1) %
                                                                  (strlen(changes[i].path) + 1));
        }
        free(text);
        free(config);
        temp_remove(&folder);
        golden_close(&g);
    }
}

/* Which factors a rotation has is decided by how long sessions are: the text is for those that have what it says. */
static void sessions_are_as_long_as_the_text_says(void)
{
    static const struct { uint32_t context; bool holds; } lengths[] = { { 16, false }, { 17, true }, { 64, true },
                                                                        { 2000, true } };
    golden g;
    weft_model *own = NULL, *m = NULL;
    char *text = golden_open(&g, "arch/phi3-long.json") ? printed_of(g.folder.path) : NULL;
    if (text && CHECK_OK(open_as(g.folder.path, NULL, &own), err) && CHECK_OK(open_as(g.folder.path, text, &m), err))
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            const weft_model_graph_desc d = { .context = lengths[i].context };
            weft_graph *want = NULL, *got = NULL;
            CHECK_OK(weft_model_graph(own, &d, &want, &err), err);
            weft_status s = weft_model_graph(m, &d, &got, &err);
            if (!lengths[i].holds) CHECK(s != WEFT_OK);
            if (!lengths[i].holds) CHECK_CONTAINS(err.text, "the text is for sequences of at least 17 tokens");
            if (lengths[i].holds && CHECK_OK(s, err)) CHECK_OK(weft__graph_same(want, got, &err), err);
            weft_graph_destroy(want);
            weft_graph_destroy(got);
        }
    weft_model_close(own);
    weft_model_close(m);
    free(text);
    golden_close(&g);
}

/* ---- keys that are not there ---- */

static weft_graph *graph_at(const char *path, const char *text)
{
    weft_model *m = NULL;
    weft_graph *g = open_as(path, text, &m) == WEFT_OK ? graph_of(m) : NULL;
    weft_model_close(m);
    return g;
}

/* What the definition takes the text takes, too, or refuses it. */
typedef struct lacking {
    const golden *g;
    temp_folder folder;
    char *text;
    uint32_t same, refused;
} lacking;

static void is_true_of(lacking *x, const char *path, const char *value)
{
    char *config = altered_text(json_object_get(x->g->root, "config"), path, value);
    temp_write_text(&x->folder, "config.json", config);
    const char *file = temp_path(&x->folder, "config.json");
    weft_graph *want = graph_at(file, NULL), *got = want ? graph_at(file, x->text) : NULL;
    if (got && !CHECK_OK(weft__graph_same(want, got, &err), err))
        printf("  %s: %s is %s\n", x->g->name, path, value ? value : "not there");
    x->same += got != NULL;
    x->refused += want && !got;
    weft_graph_destroy(want);
    weft_graph_destroy(got);
    free(config);
}

/* Without them it is 1, by which definitions do not multiply. */
static bool is_factor(const char *key)
{
    return !strcmp(key, "embedding_multiplier") || !strcmp(key, "logits_scaling");
}

static void each_key(lacking *x, const char *in, const json_t *object)
{
    static const char *const acts[] = { "silu", "relu", "gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu" };
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char path[ALTERED_PATH], quoted[40];
        if (!strcmp(key, "architectures") || !strcmp(key, "model_type")) continue;
        if (is_factor(key)) continue;
        snprintf(path, sizeof path, "%s%s", in, key);
        is_true_of(x, path, NULL);
        is_true_of(x, path, "null");
        for (size_t i = 0; strstr(key, "act") && json_is_string(value) && i < sizeof acts / sizeof *acts; i++) {
            snprintf(quoted, sizeof quoted, "\"%s\"", acts[i]);
            is_true_of(x, path, quoted);
        }
        snprintf(path, sizeof path, "%s%s.", in, key);
        if (json_is_object(value)) each_key(x, path, value);
    }
}

static void lacks_keys(const golden *g, weft_backend *device)
{
    (void)device;
    if (!sample_takes(g->name, "print_keys")) return;
    lacking x = { .g = g, .folder = temp_make(), .text = printed_of(g->folder.path) };
    if (x.text) each_key(&x, "", json_object_get(g->root, "config"));
    CHECK(x.same > 0);
    temp_remove(&x.folder);
    free(x.text);
}

static void texts_hold_without_keys(void)
{
    golden_each("arch", only, lacks_keys, NULL);
}

/* ---- many keys ---- */

static void build_many(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    const unsigned *n = ctx;
    for (unsigned i = 0; i < *n; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%u", i);
        (void)weft_config_u32_or(g, c, key, 1, 0, 9);
    }
    weft_ref embed = weft_weight(g, WEFT_ANY, WEFT_DIMS(8, 4), "embed");
    weft_output(g, weft_gather(g, embed, in->tokens), "hidden.0");
}

/* None is forgotten: what asks for more than are looked at has no text. */
static void too_many_keys_are_told(void)
{
    unsigned n = 20;
    const weft_model_definition own = { "Many", NULL, WEFT_HEAD_NONE, build_many, &n };
    weft_model *m = NULL;
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    if (!CHECK_OK(weft_model_open(NULL, &(weft_model_desc){ .graph = &own }, &m, &err), err)) return;
    CHECK_OK(weft_model_print_text(m, &w, &err), err);
    n = 256;
    CHECK_EQ_INT(weft_model_print_text(m, &w, &err), WEFT_LIMIT);
    CHECK_CONTAINS(err.text, "more than 255 keys");
    weft_text_free(&text);
    weft_model_close(m);
}

/* ---- heads ---- */

static const char *const heads[] = { "LlamaModel", "LlamaForSequenceClassification", "LlamaForTokenClassification",
                                     "GPT2ForQuestionAnswering", "GPT2Model" };

static void heads_are_printed(void)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char name[80], *config = NULL;
        golden g;
        temp_folder folder = temp_make();
        snprintf(name, sizeof name, "[\"%s\"]", heads[i]);
        if (golden_open(&g, heads[i][0] == 'L' ? "arch/llama-biases.json" : "arch/gpt2-usual.json")) {
            config = altered_text(json_object_get(g.root, "config"), "architectures", name);
            temp_write_text(&folder, "config.json", config);
            free(check_text(temp_path(&folder, "config.json")));
        }
        free(config);
        temp_remove(&folder);
        golden_close(&g);
    }
}

/* ---- memory ---- */

/* There are many allocations: some of them fail, from the first ones to the last. */
static void allocations_may_fail(void)
{
    golden g;
    weft_model *m = NULL;
    weft_text text = { 0 };
    if (golden_open(&g, "arch/cohere2-listed.json")) CHECK_OK(open_as(g.folder.path, NULL, &m), err);
    for (int64_t n = 0, step = 1, more = m != NULL; more; n += step, step += step / 8 + 1) {
        const int64_t before = oom_live();
        weft_writer w = weft_text_writer(&text);
        oom_arm(n);
        weft_status s = weft_model_print_text(m, &w, &err);
        more = oom_disarm();
        CHECK_EQ_INT(s, more ? s == WEFT_IO ? WEFT_IO : WEFT_OOM : WEFT_OK);
        weft_text_free(&text);
        CHECK_EQ_INT(oom_live(), before);
    }
    weft_model_close(m);
    golden_close(&g);
}

/* ---- runs ---- */

static bool run(const golden *g, const char *text, weft_backend *device, float *logits)
{
    weft_model *m = NULL;
    weft_session *s = NULL;
    weft_batch_token t[GOLDEN_IDS];
    const weft_session_desc d = { .devices = &device, .n_devices = 1, .max_tokens = 7, .page = 16 };
    for (size_t i = 0; i < g->n_prompt; i++)
        t[i] = (weft_batch_token){ g->prompt[i], 0, i + 2 >= g->n_prompt ? WEFT_WANT_LOGITS : 0 };
    bool ok = CHECK_OK(open_as(g->folder.path, text, &m), err) && CHECK_OK(weft_session_create(m, &d, &s, &err), err) &&
              CHECK_OK(weft_session_eval(s, t, g->n_prompt, &(weft_rows){ .logits = logits }, &err), err);
    weft_session_destroy(s);
    weft_model_close(m);
    return ok;
}

static void gives_the_same_bits(const golden *g, weft_backend *device)
{
    static float want[2 * GOLDEN_VOCAB], got[2 * GOLDEN_VOCAB];
    const bool wanted = sample_takes(g->name, device == on_vulkan ? "vulkan_print" : "print_run");
    char *text = wanted ? printed_of(g->folder.path) : NULL;
    if (text && run(g, NULL, device, want) && run(g, text, device, got))
        CHECK(!memcmp(want, got, 2 * g->n_vocab * sizeof *want));
    free(text);
}

static void cpu(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("cpu", &b, &err), err)) return;
    golden_each("arch", only, gives_the_same_bits, b);
    weft_backend_close(b);
}

static void vulkan(void)
{
    weft_backend *b;
    if (!CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err)) return;
    on_vulkan = b;
    golden_each("arch", only, gives_the_same_bits, b);
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "texts read back", texts_read_back },
    { "large models are a page", large_models_are_a_page },
    { "texts hold for others", texts_hold_for_others },
    { "texts hold where a key is not there", texts_hold_without_keys },
    { "a text follows a configuration", follows_a_configuration },
    { "sessions are as long as the text says", sessions_are_as_long_as_the_text_says },
    { "heads are printed", heads_are_printed },
    { "texts follow no more keys than they look at", too_many_keys_are_told },
    { "memory may fail", allocations_may_fail },
    { "CPU", cpu },
    { "Vulkan", vulkan },
};

GOLDEN_MAIN(tests, only)
