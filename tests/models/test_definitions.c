/* test_definitions.c: architectures that the caller defines, beside and before the library's own, and a graph as a
 * model, without any configuration. */
#include "folder.h"
#include "models/arch.h"
#include "tests/oom.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

static weft_error err;

/* ---- definitions beside a configuration ---- */

typedef struct built { int times; double width; } built;

/* What a caller has not: the library's own, so that both can be compared bit for bit. */
static void build_own(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    built *b = ctx;
    b->times++;
    b->width = weft_config_u32(g, c, "hidden_size", 1, 1 << 20);
    weft__arch_build(&weft__arch_gpt_neox, &weft__arch_gpt_neox.classes[0], false, g, c, in);
}

static const folder_variant tiny = { "tiny",
                                      { 2, 32, 2, 64, 40, 0.5, 1e4, 1e-5, NEOX_GELU, true, true, false }, "gelu" };

static void write_config(const temp_folder *folder, const char *architecture, const char *type)
{
    char text[600];
    snprintf(text, sizeof text,
             "{ \"architectures\": [\"%s\"], \"model_type\": \"%s\", \"num_hidden_layers\": 2, \"hidden_size\": 32,\n"
             "\"num_attention_heads\": 2, \"intermediate_size\": 64, \"vocab_size\": 40, \"layer_norm_eps\": 1e-5,\n"
             "\"max_position_embeddings\": 64, \"partial_rotary_factor\": 0.5, \"rope_theta\": 10000,\n"
             "\"hidden_act\": \"gelu\", \"use_parallel_residual\": true, \"attention_bias\": true,\n"
             "\"tie_word_embeddings\": false, \"eos_token_id\": 3 }\n", architecture, type);
    temp_write_text(folder, "config.json", text);
}

static void eval(weft_model *m, float *out, size_t width)
{
    static const int32_t ids[] = { 5, 17, 3, 39, 5 };
    weft_batch_token t[5];
    weft_backend *cpu = NULL;
    weft_session *s = NULL;
    weft_session_desc d = { .devices = &cpu, .n_devices = 1 };
    for (int i = 0; i < 5; i++) t[i] = (weft_batch_token){ ids[i], 0, i > 2 };
    memset(out, 0, 2 * width * sizeof *out);
    if (CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err) &&
        CHECK_OK(weft_session_create(m, &d, &s, &err), err))
        CHECK_OK(weft_session_eval(s, t, 5, &(weft_rows){ .logits = out }, &err), err);
    weft_session_destroy(s);
    weft_backend_close(cpu);
}

static void an_own_architecture_reads_its_configuration(void)
{
    temp_folder folder = temp_make();
    neox_model ref;
    built b = { 0 }, other = { 0 };
    weft_model *m;
    weft_model_info info;
    float want[80] = { 0 }, got[80] = { 1 };
    const weft_model_definition own[] = { { "OtherForCausalLM", NULL, WEFT_HEAD_LOGITS, build_own, &other },
                                          { "MyForCausalLM", "my", WEFT_HEAD_LOGITS, build_own, &b } };
    const weft_model_desc desc = { .definitions = own, .n_definitions = 2 };
    neox_create(&ref, &tiny.c, 1);
    folder_write(&folder, &tiny, &ref);
    if (CHECK_OK(weft_model_open(folder.path, &desc, &m, &err), err)) { /* none of them is asked for */
        eval(m, want, 40);
        CHECK_EQ_INT(b.times, 0);
    }
    weft_model_close(m);
    write_config(&folder, "MyForCausalLM", "my");
    CHECK_STATUS(weft_model_open(folder.path, NULL, &m, &err), WEFT_UNSUPPORTED, err);
    if (CHECK_OK(weft_model_open(folder.path, &desc, &m, &err), err)) {
        info = *weft_model_info_get(m);
        CHECK_STR(info.architecture, "MyForCausalLM");
        CHECK(info.n_layer == 2 && info.n_embed == 32 && info.n_vocab == 40 && info.context == 64 && info.eos == 3);
        eval(m, got, 40);
        CHECK(b.times > 0 && b.width == 32.0 && other.times == 0);
        CHECK(!memcmp(got, want, sizeof got));
    }
    weft_model_close(m);
    neox_free(&ref);
    temp_remove(&folder);
}

/* The caller's comes first; names that nobody has are told with the caller's among those that are known. */
static void own_definitions_come_first(void)
{
    temp_folder folder = temp_make();
    neox_model ref;
    built b = { 0 };
    weft_model *m;
    weft_model_definition own = { "GPTNeoXForCausalLM", "gpt_neox", WEFT_HEAD_LOGITS, build_own, &b };
    const weft_model_desc desc = { .definitions = &own, .n_definitions = 1 };
    neox_create(&ref, &tiny.c, 1);
    folder_write(&folder, &tiny, &ref);
    CHECK_OK(weft_model_open(folder.path, &desc, &m, &err), err);
    CHECK(b.times > 0);
    weft_model_close(m);
    own.architecture = "MyForCausalLM";
    write_config(&folder, "YourForCausalLM", "gpt_neox");
    CHECK_STATUS(weft_model_open(folder.path, &desc, &m, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "'YourForCausalLM' is not known; known families are MyForCausalLM, GPTNeoX");
    write_config(&folder, "MyForCausalLM", "another");
    CHECK_STATUS(weft_model_open(folder.path, &desc, &m, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "'MyForCausalLM' is of model_type 'gpt_neox', not 'another'");
    own.type = NULL; /* of any type */
    CHECK_OK(weft_model_open(folder.path, &desc, &m, &err), err);
    weft_model_close(m);
    own.build = NULL;
    CHECK_STATUS(weft_model_open(folder.path, &desc, &m, &err), WEFT_INVALID, err);
    CHECK(m == NULL);
    CHECK_STATUS(weft_model_open(NULL, NULL, &m, &err), WEFT_INVALID, err);
    neox_free(&ref);
    temp_remove(&folder);
}

/* ---- a graph as a model ---- */

enum { V = 11, E = 6 };
static float embed[V * E], head[V * E];

/* logits = head . embed[token]: no cache, no positions. */
static void build_bigram(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    const char *output = ctx;
    double x;
    CHECK_EQ_INT(c->number(c->ctx, "hidden_size", &x), 0); /* there is a configuration, and nothing in it */
    weft_ref h = weft_gather(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(V, E), "embed"), in->tokens);
    weft_output(g, h, "hidden.0");
    weft_output(g, weft_matmul_nt(g, weft_gather(g, h, in->rows), weft_weight(g, WEFT_ANY, WEFT_DIMS(V, E), "head")),
                "%s", output);
}

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    (void)ctx;
    bool is_head = !strcmp(name, "head");
    if (!is_head && strcmp(name, "embed")) return WEFT_FAIL(e, WEFT_NOT_FOUND, "no %s", name);
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { V, E }, .data = is_head ? head : embed,
                               .bytes = sizeof embed };
    return WEFT_OK;
}

static void make_weights(void)
{
    for (int i = 0; i < V * E; i++) {
        embed[i] = (float)sin(1.0 + i * 1.7);
        head[i] = (float)cos(2.0 + i * 2.3);
    }
}

static double logit(int32_t token, int v)
{
    double sum = 0;
    for (int e = 0; e < E; e++) sum += (double)embed[token * E + e] * (double)head[v * E + e];
    return sum;
}

static int32_t follower(int32_t token)
{
    int best = 0;
    for (int v = 1; v < V; v++) best = logit(token, v) > logit(token, best) ? v : best;
    return best;
}

static void generates(weft_model *m)
{
    weft_backend *cpu = NULL;
    weft_session *s = NULL;
    weft_generated r;
    const int32_t first = 4;
    weft_session_desc d = { .devices = &cpu, .n_devices = 1, .weights = WEFT_F32 };
    if (CHECK_OK(weft_backend_open("cpu,threads=1", &cpu, &err), err) &&
        CHECK_OK(weft_session_create(m, &d, &s, &err), err) &&
        CHECK_OK(weft_generate(s, 0, &first, 1, &(weft_generate_desc){ .max_tokens = 9 }, &r, &err), err)) {
        int32_t at = first;
        uint32_t n = 0;
        while (n < 9 && (!n || (at != 7 && at != follower(first)))) at = follower(at), n++; /* the end tokens, below */
        CHECK_EQ_INT(r.n_tokens, n);
        CHECK_EQ_INT(r.tokens[n - 1], at);
        CHECK_EQ_INT(r.stop, WEFT_STOP_EOS);
        CHECK_STR(r.text, ""); /* no tokenizer */
        weft_generated_free(&r);
    }
    weft_session_destroy(s);
    weft_backend_close(cpu);
}

static void a_graph_alone_is_a_model(void)
{
    char output[] = "logits";
    make_weights();
    const int32_t eos[] = { 7, follower(4) };
    const weft_model_definition bigram = { "bigram", NULL, WEFT_HEAD_LOGITS, build_bigram, output };
    const weft_model_desc desc = { .graph = &bigram, .eos = eos, .n_eos = 2 };
    weft_weight_source source = { NULL, find };
    weft_model *m;
    weft_model_info info;
    const weft_tokenizer *tok;
    if (!CHECK_OK(weft_model_open(NULL, &desc, &m, &err), err)) return;
    info = *weft_model_info_get(m);
    CHECK(info.n_vocab == V && info.n_embed == E && info.n_layer == 0 && info.context == 2048 && info.eos == 7);
    CHECK(weft_model_eos(m, 0) == 7 && weft_model_eos(m, 1) == eos[1] && weft_model_eos(m, 2) == -1);
    CHECK_EQ_INT(info.parameters, 2 * V * E);
    CHECK(!info.has_weights && !info.has_tokenizer && !weft_model_checkpoint(m));
    CHECK_STATUS(weft_model_tokenizer(m, &tok, &err), WEFT_NOT_FOUND, err);
    weft_model_set_weights(m, &source);
    generates(m);
    weft_model_close(m);
}

/* The weights of a folder without config.json, or of one file of it; broken or unfit configurations do not matter. */
static void a_graph_reads_a_folders_weights(void)
{
    char output[] = "logits";
    temp_folder folder = temp_make();
    const weft_model_definition bigram = { "bigram", NULL, WEFT_HEAD_LOGITS, build_bigram, output };
    const weft_model_desc desc = { .graph = &bigram };
    weft_model *m;
    char header[256];
    make_weights();
    snprintf(header, sizeof header, "{\"embed\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]},"
             "\"head\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}}", V, E, sizeof embed, V, E,
             sizeof embed, 2 * sizeof embed);
    temp_write_safetensors(&folder, "model.safetensors", header, 2 * sizeof embed);
    if (CHECK_OK(weft_model_open(folder.path, &desc, &m, &err), err))
        CHECK(weft_model_uses(m, 0) && weft_model_uses(m, 1));
    weft_model_close(m);
    CHECK_OK(weft_model_open(temp_path(&folder, "model.safetensors"), &desc, &m, &err), err);
    weft_model_close(m);
    temp_write_text(&folder, "config.json", "{ \"architectures\": [\"Any\"], \"quantization_config\": {} }");
    CHECK_OK(weft_model_open(folder.path, &desc, &m, &err), err);
    weft_model_close(m);
    memcpy(output, "scores", sizeof output);
    CHECK_STATUS(weft_model_open(folder.path, &desc, &m, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "the definition of bigram makes no output 'logits'");
    OOM_LOOP(n)
    {
        memcpy(output, "logits", sizeof output);
        weft_status s = weft_model_open(folder.path, &desc, &m, &err);
        OOM_CHECK(s, err);
        CHECK((m != NULL) == (s == WEFT_OK));
        weft_model_close(m);
    }
    temp_remove(&folder);
}

/* Another embedding where texts may be longer than 32 tokens. */
static void build_by_context(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    const float near = 1, far = 2;
    (void)c;
    (void)ctx;
    weft_ref a = weft_constant(g, WEFT_F32, WEFT_DIMS(1), &near), b = weft_constant(g, WEFT_F32, WEFT_DIMS(1), &far);
    weft_ref h = weft_gather(g, weft_weight(g, WEFT_ANY, WEFT_DIMS(V, E), "embed"), in->tokens);
    h = weft_output(g, weft_mul(g, h, in->context > 32 ? b : a), "hidden.0");
    weft_output(g, weft_matmul_nt(g, weft_gather(g, h, in->rows), weft_weight(g, WEFT_ANY, WEFT_DIMS(V, E), "head")),
                "logits");
}

/* A sequence of so many tokens' context to or from the file. */
static weft_status keep(weft_model *m, uint32_t context, const char *path, bool load)
{
    weft_backend *cpu = NULL;
    weft_session *s = NULL;
    const weft_batch_token t = { 3, 0, 0 };
    weft_session_desc d = { .devices = &cpu, .n_devices = 1, .context = context };
    weft_status status = weft_backend_open("cpu,threads=1", &cpu, &err);
    if (!status) status = weft_session_create(m, &d, &s, &err);
    if (!status && !load) status = weft_session_eval(s, &t, 1, NULL, &err);
    if (!status) status = load ? weft_session_load(s, 0, path, NULL, &err)
                               : weft_session_save(s, 0, NULL, 0, path, &err);
    weft_session_destroy(s);
    weft_backend_close(cpu);
    return status;
}

/* What a model's own context decides goes with a saved sequence: it is not gone on with by other numbers. */
static void saved_with_the_numbers_of_its_context(void)
{
    const weft_model_definition d = { "by context", NULL, WEFT_HEAD_LOGITS, build_by_context, NULL };
    const weft_model_desc desc = { .graph = &d };
    const weft_weight_source source = { NULL, find };
    temp_folder folder = temp_make();
    const char *path = temp_path(&folder, "saved");
    weft_model *m;
    make_weights();
    if (CHECK_OK(weft_model_open(NULL, &desc, &m, &err), err)) {
        weft_model_set_weights(m, &source);
        CHECK_OK(keep(m, 16, path, false), err);
        CHECK_OK(keep(m, 32, path, true), err);
        CHECK_STATUS(keep(m, 64, path, true), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "of a graph for another context");
    }
    weft_model_close(m);
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "an own architecture reads its configuration", an_own_architecture_reads_its_configuration },
    { "own definitions come first", own_definitions_come_first },
    { "a graph alone is a model", a_graph_alone_is_a_model },
    { "a graph reads a folder's weights", a_graph_reads_a_folders_weights },
    { "saved with the numbers of its context", saved_with_the_numbers_of_its_context },
};
TEST_MAIN(tests)
