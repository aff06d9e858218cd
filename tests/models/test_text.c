/* test_text.c: a graph's text as a model's definition: given by the caller, or brought by a folder whose architecture
 * nobody knows; its parameters, its weights' names, its head; and texts that want what no session has. */
#include <math.h>
#include <stdlib.h>

#include "models/model.h"
#include "tests/checkpoint/temp.h"
#include "tests/oom.h"
#include "tests/test.h"

static weft_error err;

enum { V = 11, E = 6 };

/* logits = head . embed[token]: no cache, no positions. */
#define BEGIN "weft-graph 2\n"
#define PARAMS "param vocab_size : int\nparam E : int from \"hidden_size\"\n"
#define INPUTS \
    "extent tokens 512\nextent rows 8\n" \
    "%tokens = input \"tokens\" : i32[tokens]\n%rows = input \"rows\" : i32[rows]\n"
#define EMBED \
    "%e = weight \"embed\" : any[vocab_size, E]\n" \
    "%h = gather %e, %tokens\noutput \"hidden.0\" = %h\n"
#define HEAD \
    "%r = gather %h, %rows\n%w = weight \"head\" : any[vocab_size, E]\n" \
    "%l = matmul_nt %r, %w\noutput \"logits\" = %l\n"
static const char bigram[] = BEGIN "model \"BigramForCausalLM\" logits\n" PARAMS INPUTS EMBED HEAD;

static float embed[V * E], head[V * E];

static double logit(int32_t token, int v)
{
    double sum = 0;
    for (int e = 0; e < E; e++) sum += (double)embed[token * E + e] * (double)head[v * E + e];
    return sum;
}

/* Two tensors of these names and shapes, with the numbers above. */
static void write_weights(const temp_folder *folder, const char *first, const char *second, bool turned)
{
    char header[512];
    unsigned char image[8 + 512 + sizeof embed + sizeof head] = { 0 };
    float other[V * E];
    for (int i = 0; i < V * E; i++) {
        embed[i] = (float)sin(1.0 + i * 1.7);
        head[i] = (float)cos(2.0 + i * 2.3);
    }
    for (int i = 0; i < V * E; i++) other[i] = turned ? head[i % V * E + i / V] : head[i];
    size_t n = (size_t)snprintf(
        header, sizeof header,
        "{\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]},"
        "\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}}",
        first, V, E, sizeof embed, second, turned ? E : V, turned ? V : E, sizeof embed, 2 * sizeof embed);
    for (int i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(image + 8, header, n);
    memcpy(image + 8 + n, embed, sizeof embed);
    memcpy(image + 8 + n + sizeof embed, other, sizeof other);
    temp_write(folder, "model.safetensors", image, 8 + n + 2 * sizeof embed);
}

static void write_config(const temp_folder *folder, const char *architecture, const char *more)
{
    char text[400];
    snprintf(text, sizeof text, "{ \"architectures\": [\"%s\"], \"vocab_size\": %d, \"hidden_size\": %d%s }",
             architecture, V, E, more);
    temp_write_text(folder, "config.json", text);
}

static weft_model_desc of(const char *text)
{
    return (weft_model_desc){ .text = text, .n_text = strlen(text), .text_origin = "my.weft" };
}

/* The logits of one token are what they should be. */
static bool tells(weft_model *m)
{
    weft_backend *cpu = NULL;
    weft_session *s = NULL;
    float row[V];
    const weft_batch_token t = { 4, 0, WEFT_WANT_LOGITS };
    weft_session_desc d = { .devices = &cpu, .n_devices = 1, .weights = WEFT_F32, .exact = true };
    bool ok = CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err) &&
              CHECK_OK(weft_session_create(m, &d, &s, &err), err) &&
              CHECK_OK(weft_session_eval(s, &t, 1, &(weft_rows){ .logits = row }, &err), err);
    for (int v = 0; ok && v < V; v++) ok = CHECK_NEAR((double)row[v], logit(4, v), 1e-5);
    weft_session_destroy(s);
    weft_backend_close(cpu);
    return ok;
}

static const char *find_note(const weft_model *m, const char *part)
{
    const char *note = NULL;
    for (uint32_t i = 0; (note = weft_model_note(m, i)); i++)
        if (strstr(note, part)) return note;
    return NULL;
}

/* ---- given by the caller ---- */

static void a_text_is_a_model(void)
{
    temp_folder folder = temp_make();
    char text[sizeof bigram];
    weft_model *m;
    memcpy(text, bigram, sizeof bigram);
    weft_model_desc d = of(text);
    write_weights(&folder, "embed", "head", false);
    write_config(&folder, "GPTNeoXForCausalLM", ", \"max_position_embeddings\": 77"); /* whatever that says */
    if (CHECK_OK(weft_model_open(folder.path, &d, &m, &err), err)) {
        weft_model_info info = *weft_model_info_get(m);
        memset(text, 'x', sizeof text); /* it was copied */
        CHECK_STR(info.architecture, "BigramForCausalLM");
        CHECK_STR(info.text, "my.weft");
        CHECK(info.n_vocab == V && info.n_embed == E && info.n_layer == 0 && info.head == WEFT_HEAD_LOGITS);
        CHECK(info.context == 77 && info.parameters == 2 * V * E && info.has_weights);
        CHECK(!find_note(m, "ignored"));
        tells(m);
    }
    weft_model_close(m);
    d = of(bigram);
    d.params = (const weft_graph_param[]){ { "vocab_size", NULL, V }, { "E", NULL, E } };
    d.n_params = 2;
    if (CHECK_OK(weft_model_open(temp_path(&folder, "model.safetensors"), &d, &m, &err), err)) tells(m);
    weft_model_close(m);
    if (CHECK_OK(weft_model_open(NULL, &d, &m, &err), err)) { /* no files at all */
        CHECK(!weft_model_info_get(m)->has_weights && weft_model_info_get(m)->n_vocab == V);
        CHECK_STR(weft_model_info_get(m)->path, "my.weft");
    }
    weft_model_close(m);
    OOM_LOOP(n)
    {
        weft_status s = weft_model_open(folder.path, &d, &m, &err);
        OOM_CHECK(s, err);
        CHECK((m != NULL) == (s == WEFT_OK));
        weft_model_close(m);
    }
    temp_remove(&folder);
}

/* As the configuration spells them, by its type's default, by the text's own, and before all by the caller's. */
static void parameters_come_from_the_configuration(void)
{
    static const char text[] = BEGIN
        "param V : int from \"vocab_size\"\nparam E : int from \"hidden_size\"\nparam own : int = E * 2\n"
        "param eps : float from \"layer_norm_eps\"\n" INPUTS
        "%e = weight \"embed\" : any[V, E]\n%h = gather %e, %tokens\n%h = layer_norm %h {eps = eps}\n"
        "output \"hidden.0\" = %h\n%w = weight \"w\" : any[own, E]\n%y = matmul_nt %h, %w\noutput \"y\" = %y\n";
    temp_folder folder = temp_make();
    weft_model *m;
    weft_model_desc d = of(text);
    temp_write_text(&folder, "config.json", "{ \"model_type\": \"gpt2\", \"vocab_size\": 40, \"n_embd\": 8 }");
    if (CHECK_OK(weft_model_open(temp_path(&folder, "config.json"), &d, &m, &err), err)) {
        CHECK_EQ_INT(weft_model_info_get(m)->parameters, 40 * 8 + 16 * 8); /* n_embd is hidden_size of this type */
        CHECK_EQ_INT(weft_model_info_get(m)->head, WEFT_HEAD_NONE); /* there are no logits */
        CHECK_EQ_INT(weft_model_info_get(m)->n_vocab, 40);
        const weft_setting_info *s = NULL;
        for (uint32_t i = 0; (s = weft_model_setting(m, i)) && strcmp(s->key, "layer_norm_eps"); i++);
        CHECK(s && !strcmp(s->source, "default of gpt2") && s->number == 1e-5);
    }
    weft_model_close(m);
    d.params = (const weft_graph_param[]){ { "own", NULL, 3 } };
    d.n_params = 1;
    if (CHECK_OK(weft_model_open(temp_path(&folder, "config.json"), &d, &m, &err), err))
        CHECK_EQ_INT(weft_model_info_get(m)->parameters, 40 * 8 + 3 * 8);
    weft_model_close(m);
    d.params = (const weft_graph_param[]){ { "owm", NULL, 3 } };
    CHECK(weft_model_open(temp_path(&folder, "config.json"), &d, &m, &err) != WEFT_OK);
    CHECK_CONTAINS(err.text, "owm");
    const weft_model_desc lone = { .params = d.params, .n_params = 1 }; /* for no text */
    CHECK_STATUS(weft_model_open(temp_path(&folder, "config.json"), &lone, &m, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "'owm' is given, but the model is no text");
    temp_write_text(&folder, "config.json", "{ \"model_type\": \"nobody\", \"vocab_size\": 40, \"n_embd\": 8 }");
    d.n_params = 0; /* the same names mean nothing to a type that nobody knows */
    CHECK(weft_model_open(temp_path(&folder, "config.json"), &d, &m, &err) != WEFT_OK);
    CHECK_CONTAINS(err.text, "my.weft:3:");
    CHECK_CONTAINS(err.text, "'E' has no value");
    temp_remove(&folder);
}

/* ---- brought by a folder ---- */

static void a_folder_brings_its_own(void)
{
    temp_folder folder = temp_make();
    weft_model *m;
    write_weights(&folder, "embed", "head", false);
    write_config(&folder, "BigramForCausalLM", "");
    CHECK_STATUS(weft_model_open(folder.path, NULL, &m, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "'BigramForCausalLM' is not known");
    CHECK_CONTAINS(err.text, "model.weft in its folder, or --graph");
    temp_write_text(&folder, "model.weft", bigram);
    if (CHECK_OK(weft_model_open(folder.path, NULL, &m, &err), err)) {
        CHECK(find_note(m, "model.weft says, for architecture 'BigramForCausalLM' is not known") != NULL);
        CHECK_STR(weft_model_info_get(m)->text, temp_path(&folder, "model.weft"));
        tells(m);
    }
    weft_model_close(m);
    write_config(&folder, "GPTNeoXForCausalLM", ""); /* a known one has not these weights */
    CHECK_STATUS(weft_model_open(folder.path, NULL, &m, &err), WEFT_FORMAT, err);
    CHECK_CONTAINS(err.text, "num_attention_heads");
    unlink(temp_path(&folder, "config.json")); /* the text says all but two numbers */
    const weft_graph_param sizes[] = { { "vocab_size", NULL, V }, { "E", NULL, E } };
    CHECK(weft_model_open(folder.path, NULL, &m, &err) != WEFT_OK);
    CHECK_CONTAINS(err.text, "model.weft:3:");
    if (CHECK_OK(weft_model_open(folder.path, &(weft_model_desc){ .params = sizes, .n_params = 2 }, &m, &err), err)) {
        CHECK(find_note(m, "the model is what") != NULL);
        tells(m);
    }
    weft_model_close(m);
    write_config(&folder, "BigramForCausalLM", "");
    temp_write_text(&folder, "model.weft", "weft-graph 2\nthis is none\n");
    CHECK(weft_model_open(folder.path, NULL, &m, &err) != WEFT_OK);
    CHECK_CONTAINS(err.text, "model.weft:2:");
    CHECK(m == NULL);
    temp_write_text(&folder, "model.weft", "");
    CHECK(weft_model_open(folder.path, NULL, &m, &err) != WEFT_OK);
    CHECK_CONTAINS(err.text, "model.weft");
    temp_remove(&folder);
}

/* The text is not taken for an architecture that is known, and a note says so. */
static void a_known_architecture_needs_none(void)
{
    static const char config[] =
        "{ \"architectures\": [\"GPTNeoXForCausalLM\"], \"model_type\": \"gpt_neox\", \"vocab_size\": 40,\n"
        "\"hidden_size\": 16, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 8 }";
    temp_folder folder = temp_make();
    weft_model *m;
    temp_write_text(&folder, "config.json", config);
    temp_write_text(&folder, "model.weft", "this is no text\n");
    if (CHECK_OK(weft_model_open(temp_path(&folder, "config.json"), NULL, &m, &err), err)) {
        CHECK(find_note(m, "model.weft is not used, for GPTNeoXForCausalLM is known (--graph") != NULL);
        CHECK(!weft_model_info_get(m)->text);
    }
    weft_model_close(m);
    temp_remove(&folder);
}

/* A made-up architecture from nothing: random weights for a configuration and a text, in a folder that opens. */
static void weights_are_made_for_a_text(void)
{
    temp_folder folder = temp_make();
    char made[TEMP_PATH];
    weft_model *m;
    weft_model_desc d = of(bigram);
    write_config(&folder, "BigramForCausalLM", "");
    snprintf(made, sizeof made, "%s", temp_path(&folder, "made"));
    CHECK_STATUS(weft_model_init(folder.path, NULL, made, WEFT_F16, 1, 0, NULL, &err), WEFT_UNSUPPORTED, err);
    CHECK_OK(weft_model_init(folder.path, &d, made, WEFT_F16, 1, 0, NULL, &err), err);
    CHECK_EQ_INT(temp_count(made), 3);
    if (CHECK_OK(weft_model_open(made, NULL, &m, &err), err))
        CHECK(weft_model_info_get(m)->parameters == 2 * V * E && weft_model_uses(m, 0) && weft_model_uses(m, 1));
    weft_model_close(m);
    temp_remove(&folder);
}

/* ---- how files name and hold weights ---- */

static void files_hold_weights_otherwise(void)
{
    static const char tied[] = BEGIN PARAMS "files tied \"embed\", \"head\"\n" INPUTS EMBED
        "%r = gather %h, %rows\n%l = matmul_nt %r, %e\noutput \"logits\" = %l\n";
    temp_folder folder = temp_make();
    weft_model *m;
    write_config(&folder, "Nobodys", "");
    struct { const char *files, *first, *second; bool turned; } ways[] = {
        { "files spelled \"\" as \"transformer.\"\n", "transformer.embed", "head", false },
        { "files spelled \"em\" as \"x.\"\nfiles spelled \"he\" as \"y.\"\n", "x.bed", "y.ad", false },
        { "files transposed \"head\"\n", "embed", "head", true },
        { "files parts \"ead\" from \"ead.part\"\n", "embed", "head.part", false },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s%s", BEGIN, ways[i].files, bigram + sizeof BEGIN - 1);
        weft_model_desc d = of(text), plain = of(bigram);
        write_weights(&folder, ways[i].first, ways[i].second, ways[i].turned);
        CHECK(weft_model_open(folder.path, &plain, &m, &err) != WEFT_OK);
        bool ok = CHECK_OK(weft_model_open(folder.path, &d, &m, &err), err) && tells(m);
        if (!ok) printf("  %s", ways[i].files);
        weft_model_close(m);
    }
    weft_model_desc d = of(tied);
    write_weights(&folder, "other", "head", false);
    if (CHECK_OK(weft_model_open(folder.path, &d, &m, &err), err)) CHECK(weft_model_uses(m, 0));
    CHECK(find_note(m, "tensor 'other' is in the files but not in the model: ignored") != NULL);
    weft_model_close(m);
    write_config(&folder, "Nobodys", ", \"tie_word_embeddings\": false");
    CHECK_STATUS(weft_model_open(folder.path, &d, &m, &err), WEFT_NOT_FOUND, err);
    temp_remove(&folder);
}

static void weights_that_do_not_fit_are_shown(void)
{
    temp_folder folder = temp_make();
    weft_model *m;
    weft_model_desc d = of(bigram);
    write_config(&folder, "Nobodys", "");
    write_weights(&folder, "embed", "haed", false);
    CHECK_STATUS(weft_model_open(folder.path, &d, &m, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "my.weft:13:1: ");
    CHECK_CONTAINS(err.text, "no tensor head (did you mean 'haed'?)");
    CHECK_CONTAINS(err.text, "\n    %w = weight \"head\" : any[vocab_size, E]\n");
    write_weights(&folder, "embed", "head", true);
    CHECK_STATUS(weft_model_open(folder.path, &d, &m, &err), WEFT_SHAPE, err);
    CHECK_CONTAINS(err.text, "my.weft:13:1: ");
    CHECK_CONTAINS(err.text, "'head' is [6, 11], but the text makes it [11, 6]");
    temp_remove(&folder);
}

/* ---- sessions ---- */

/* Saves a sequence, or loads it. */
static weft_status keep(const char *text, const temp_folder *folder, bool load)
{
    weft_model *m = NULL;
    weft_backend *cpu = NULL;
    weft_session *s = NULL;
    weft_tokens pending = { 0 };
    const weft_batch_token t = { 3, 0, 0 };
    weft_model_desc d = of(text);
    weft_session_desc sd = { .devices = &cpu, .n_devices = 1 };
    weft_status status = weft_model_open(folder->path, &d, &m, &err);
    if (!status) status = weft_backend_open("cpu,threads=1", &cpu, &err);
    if (!status) status = weft_session_create(m, &sd, &s, &err);
    if (!status && !load) status = weft_session_eval(s, &t, 1, NULL, &err);
    if (!status) status = load ? weft_session_load(s, 0, temp_path(folder, "saved"), &pending, &err)
                               : weft_session_save(s, 0, NULL, 0, temp_path(folder, "saved"), &err);
    weft_tokens_free(&pending);
    weft_session_destroy(s);
    weft_backend_close(cpu);
    weft_model_close(m);
    return status;
}

static void saved_with_its_text(void)
{
    static const char other[] = BEGIN "model \"BigramForCausalLM\" logits\n" PARAMS INPUTS EMBED "%h = tanh %h\n" HEAD;
    temp_folder folder = temp_make();
    write_config(&folder, "Nobodys", "");
    write_weights(&folder, "embed", "head", false);
    CHECK_OK(keep(bigram, &folder, false), err);
    CHECK_OK(keep(bigram, &folder, true), err);
    CHECK_STATUS(keep(other, &folder, true), WEFT_UNSUPPORTED, err);
    temp_remove(&folder);
}

/* What the session decides is asked of it; learned positions bound it. */
static void what_sessions_decide(void)
{
    static const char text[] = BEGIN PARAMS "param context : int from \"session.context\"\n" INPUTS
        "%pos = input \"pos\" : i32[tokens]\n"
        "%at = weight \"at\" : any[24, E]\n%two = constant : i32[1] data 2\n%p = add %pos, %two\n%p = gather %at, %p\n"
        "%e = weight \"embed\" : any[vocab_size, E]\n%h = gather %e, %tokens\n%h = add %h, %p\n"
        "if context > 16 {\n    %h = tanh %h\n}\noutput \"hidden.0\" = %h\n";
    weft_model_desc d = of(text);
    weft_model *m;
    weft_session_plan *p;
    const weft_graph_param sizes[] = { { "vocab_size", NULL, V }, { "E", NULL, E } };
    d.params = sizes;
    d.n_params = 2;
    if (!CHECK_OK(weft_model_open(NULL, &d, &m, &err), err)) return;
    CHECK_EQ_INT(weft_model_info_get(m)->context, 22);
    CHECK_EQ_INT(weft_model_info_get(m)->context_limit, 22);
    CHECK_EQ_INT(weft_model_info_get(m)->n_vocab, V); /* the embedding's rows */
    for (uint32_t context = 16; context <= 17; context++) {
        bool found = false;
        if (!CHECK_OK(weft_session_plan_create(m, &(weft_session_desc){ .context = context }, &p, &err), err)) continue;
        const weft_graph *g = weft_session_plan_graph(p);
        for (uint32_t i = 0; i < weft_graph_node_count(g); i++) found |= weft_graph_node(g, i)->op == WEFT_OP_tanh;
        CHECK(found == (context > 16));
        weft_session_plan_destroy(p);
    }
    CHECK_STATUS(weft_session_plan_create(m, &(weft_session_desc){ .context = 23 }, &p, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "there are learned positions for 22");
    weft_model_close(m);
}

/* ---- texts that no session can run ---- */

#define HIDDEN "output \"hidden.0\" = %h\n"
#define H "%e = weight \"embed\" : any[11, 6]\n%h = gather %e, %tokens\n"
#define QKV "%k = reshape %h {dims = [tokens, 1, 6]}\n"

static const struct { const char *text; weft_status status; const char *says; } refused[] = {
    { "weft-graph 1\nextent tokens 4\n%1 = input \"tokens\" : i32[tokens]\noutput \"x\" = %1\n", WEFT_UNSUPPORTED,
      "version 1" },
    { BEGIN INPUTS H, WEFT_INVALID, "output" },
    { BEGIN "model \"M\" logits\n" INPUTS H HIDDEN, WEFT_INVALID, "makes no output 'logits'" },
    { BEGIN "model \"M\" sequence\n" INPUTS H HIDDEN, WEFT_INVALID, "makes no output 'scores'" },
    { BEGIN INPUTS H HIDDEN "output \"logits\" = %h\n", WEFT_INVALID, "the output 'logits' as f32 [rows, n]" },
    { BEGIN INPUTS H "%h = reshape %h {dims = [6*tokens]}\n" HIDDEN, WEFT_INVALID,
      "the output 'hidden.0' as f32 [tokens, n]" },
    { BEGIN INPUTS H "%h = reshape %h {dims = [6, tokens]}\n" HIDDEN, WEFT_INVALID, "'hidden.0'" },
    { BEGIN INPUTS H "%h = cast %h {dtype = f16}\n" HIDDEN, WEFT_INVALID, "'hidden.0'" },
    { BEGIN INPUTS H HIDDEN "%s = slice %h {axis = 1, start = 0, size = 2}\noutput \"hidden.1\" = %s\n",
      WEFT_INVALID, "'hidden.1' has 2 numbers a token, hidden.0 6" },
    { BEGIN INPUTS H HIDDEN "output \"hidden.2\" = %h\n", WEFT_INVALID, "an output 'hidden.2', but no 'hidden.1'" },
    { BEGIN INPUTS H HIDDEN "output \"hidden.-1\" = %h\n", WEFT_INVALID, "an output 'hidden.-1', but no 'hidden.1'" },
    { BEGIN INPUTS H HIDDEN "output \"hidden.00\" = %h\n", WEFT_INVALID, "an output 'hidden.00', but no 'hidden.1'" },
    { BEGIN INPUTS H "output \"hidden.1\" = %h\noutput \"logits\" = %h\n", WEFT_INVALID, "logits" },
    { BEGIN "model \"M\" logits\n" INPUTS H HIDDEN "output \"logit\" = %h\n", WEFT_INVALID,
      "no output 'logits' (did you mean 'logit'?)" },
    { BEGIN INPUTS H QKV "%y = cached_attention %k, %k, %k {scale = 1}\n%z = cached_attention %y, %k, %k {scale = 1}\n"
      HIDDEN, WEFT_INVALID, "my.weft:10:1: cached_attention: the keys and values of this scope are another's" },
    { BEGIN INPUTS "%x = input \"mask\" : f32[tokens, 6]\n" H "%h = mul %h, %x\n" HIDDEN, WEFT_INVALID,
      "my.weft:6:1: no session has numbers for the input 'mask'; it has tokens, pos," },
    { BEGIN INPUTS "%x = input \"pos_16\" : i32[tokens]\n" H HIDDEN, WEFT_INVALID, "'pos_16'" },
    { BEGIN "extent tokens 512\n%tokens = input \"tokens\" : f32[tokens]\noutput \"hidden.0\" = %tokens\n",
      WEFT_SHAPE, "'tokens'" },
    { BEGIN INPUTS H QKV "%y = cached_attention %k, %k, %k {scale = 1, window = -1}\n" HIDDEN, WEFT_INVALID,
      "a window of -1" },
    { BEGIN INPUTS H QKV "%y = cached_attention %k, %k, %k {scale = 1, window = 4294967297}\n" HIDDEN, WEFT_INVALID,
      "a window of 4294967297" },
    { BEGIN INPUTS H QKV "%y = cached_attention %k, %k, %k {scale = 1, sinks = true}\n" HIDDEN, WEFT_INVALID,
      "3 values, but its attributes name 4" },
    { BEGIN INPUTS H QKV "%y = cached_attention %k, %k, %k, %k {scale = 1}\n" HIDDEN, WEFT_INVALID,
      "4 values, but its attributes name 3" },
    { BEGIN INPUTS H "%y = cached_attention %h, %h, %h {scale = 1}\n" HIDDEN, WEFT_SHAPE, "my.weft:8:1: " },
    { BEGIN INPUTS H "%y = alibi {heads = 0}\n" HIDDEN, WEFT_INVALID, "0 heads" },
    { BEGIN INPUTS H "%y = alibi {heads = 1000000}\n" HIDDEN, WEFT_UNSUPPORTED, "1024 heads" },
    { BEGIN "files parts \"a\" from \"b.#\", \"c\"\n" INPUTS H HIDDEN, WEFT_FORMAT, "files parts" },
    { BEGIN "model \"M\" heads\n" INPUTS H HIDDEN, WEFT_FORMAT, "heads" },
};

/* Pages of the text's own are the session's only by chance. */
static void pages_are_the_sessions(void)
{
    static const char text[] = BEGIN
        "param page : int from \"session.page\"\nparam cells : int = page\n" INPUTS
        "extent sequences 1\nextent pages 1\nextent pages_each 1\n"
        "%first = input \"first\" : i32[tokens]\n%pos = input \"pos\" : i32[tokens]\n"
        "%cell = input \"cell\" : i32[tokens]\n%sequence = input \"sequence\" : i32[tokens]\n"
        "%table = input \"table\" : i32[sequences, pages_each]\n" H QKV
        "%s = state \"s\" : f16[1, cells*pages, 6]\n%t = permute %k {order = (1, 0, 2)}\n"
        "%s = store %s, %t, %cell {axis = 1}\n"
        "%y = attention %k, %s, %s, %first, %pos, %sequence, %table {scale = 1, page = page}\n"
        "%h = reshape %y {dims = [tokens, 6]}\n" HIDDEN;
    static const struct { weft_graph_param p; weft_status status; const char *says; } cases[] = {
        { { "cells", NULL, 64 }, WEFT_OK, NULL },
        { { "cells", NULL, 128 }, WEFT_INVALID, "state 's' has 128 cells a page, but the session's have 64" },
        { { "page", NULL, 32 }, WEFT_INVALID, "state 's' has 32 cells a page, but the session's have 64" },
        { { "page", NULL, 16 }, WEFT_INVALID, "cells a page" },
    };
    weft_model *m;
    weft_graph *g;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_model_desc d = of(text);
        d.params = &cases[i].p;
        d.n_params = 1;
        CHECK_STATUS(weft_model_open(NULL, &d, &m, &err), cases[i].status, err);
        if (cases[i].says) CHECK_CONTAINS(err.text, cases[i].says);
        if (m) { /* right for pages of 64 alone, for the number stands in the text */
            CHECK_OK(weft_model_graph(m, &(weft_model_graph_desc){ .page = 64 }, &g, &err), err);
            weft_graph_destroy(g);
            CHECK_STATUS(weft_model_graph(m, &(weft_model_graph_desc){ .page = 32 }, &g, &err), WEFT_INVALID, err);
        }
        weft_model_close(m);
    }
    weft_model_desc d = of(text);
    if (CHECK_OK(weft_model_open(NULL, &d, &m, &err), err)) { /* of what the session says always */
        CHECK_OK(weft_model_graph(m, &(weft_model_graph_desc){ .page = 32 }, &g, &err), err);
        weft_graph_destroy(g);
    }
    weft_model_close(m);
}

static void texts_that_no_session_can_run(void)
{
    weft_model *m;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        weft_model_desc d = of(refused[i].text);
        bool ok = CHECK_STATUS(weft_model_open(NULL, &d, &m, &err), refused[i].status, err) &&
                  CHECK_CONTAINS(err.text, refused[i].says) && CHECK(m == NULL);
        if (!ok) printf("%s\n", refused[i].text);
        weft_model_close(m);
    }
}

/* Parts of weights that cannot be divided so: an error, or one tensor; nothing is allocated by their number. */
static void parts_that_cannot_be(void)
{
    static const char *const dims[] = { "[]",        "[5]",    "[5, 3]",   "[2000000000, 2, 2]",
                                        "[3, 5, 2]", "[1, 1]", "[2, 2, 2]" };
    temp_folder folder = temp_make();
    weft_model *m;
    write_config(&folder, "Nobodys", "");
    write_weights(&folder, "embed", "e.0", false);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (int n = 0; n < 3; n++) {
            char text[512], made[TEMP_PATH];
            static const char *const of_parts[] = { "\".#\"", "\".#.a\", \".#.b\"", "\".a\", \".b\"" };
            snprintf(text, sizeof text,
                     "%sfiles parts \".w\" from %s\n%s%%w = weight \"e.w\" : any%s\n%soutput \"w\" = %%w\n", BEGIN,
                     of_parts[n], INPUTS H, dims[i], HIDDEN);
            weft_model_desc d = of(text);
            CHECK(weft_model_open(folder.path, &d, &m, &err) != WEFT_OK);
            CHECK_CONTAINS(err.text, "my.weft:9:1: ");
            weft_model_close(m);
            snprintf(made, sizeof made, "%s", temp_path(&folder, "made"));
            oom_arm(-1);
            weft_status s = weft_model_open(NULL, &d, &m, &err);
            oom_disarm();
            CHECK(s == WEFT_OK || strstr(err.text, "my.weft:9:1: "));
            CHECK(oom_largest() < 16 << 20);
            weft_model_close(m);
        }
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "a text is a model", a_text_is_a_model },
    { "parameters come from the configuration", parameters_come_from_the_configuration },
    { "a folder brings its own", a_folder_brings_its_own },
    { "a known architecture needs none", a_known_architecture_needs_none },
    { "weights are made for a text", weights_are_made_for_a_text },
    { "files hold weights otherwise", files_hold_weights_otherwise },
    { "weights that do not fit are shown", weights_that_do_not_fit_are_shown },
    { "saved with its text", saved_with_its_text },
    { "what sessions decide", what_sessions_decide },
    { "texts that no session can run", texts_that_no_session_can_run },
    { "parts that cannot be", parts_that_cannot_be },
    { "pages are the session's", pages_are_the_sessions },
};
TEST_MAIN(tests)
