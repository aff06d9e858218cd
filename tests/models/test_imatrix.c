/* test_imatrix.c: importance that is gathered: against transformers, of experts, and what is refused. */
#include <math.h>

#include "models/checkpoint/gguf.h"
#include "models/quantize/imatrix.h"
#include "tests/checkpoint/temp.h"
#include "tests/models/imatrix_golden.h"

enum { TOKENS = 48 };

typedef struct gatherer {
    weft_backend *cpu;
    weft_model *m;
    weft_session *s;
    weft_imatrix *i;
} gatherer;

static bool begin(gatherer *g, const char *model)
{
    weft_error err = { 0 };
    *g = (gatherer){ 0 };
    weft_session_desc d = { .devices = &g->cpu, .n_devices = 1, .exact = true, .as_built = true, .context = TOKENS,
                            .max_tokens = TOKENS };
    return CHECK_OK(weft_backend_open("cpu,threads=2", &g->cpu, &err), err) &&
           CHECK_OK(weft_model_open(model, NULL, &g->m, &err), err) &&
           CHECK_OK(weft_session_create(g->m, &d, &g->s, &err), err) &&
           CHECK_OK(weft_imatrix_create(g->s, &g->i, &err), err);
}

static void end(gatherer *g)
{
    weft_imatrix_destroy(g->i);
    weft_session_destroy(g->s);
    weft_model_close(g->m);
    weft_backend_close(g->cpu);
}

static float at(const weft__file_tensor *t, uint64_t i)
{
    float x;
    memcpy(&x, (const unsigned char *)t->data + 4 * i, 4);
    return x;
}

static const weft__file_tensor *find(const weft__gguf_file *f, const char *name, const char *end)
{
    char text[256];
    size_t n;
    const weft__file_tensor *all = weft__gguf_tensors(f, &n);
    snprintf(text, sizeof text, "%s%s", name, end);
    return weft__file_tensor_find(all, n, text);
}

static void check_golden(const weft__gguf_file *f)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        const weft__file_tensor *sums = find(f, golden[i].name, ".in_sum2");
        const weft__file_tensor *counts = find(f, golden[i].name, ".counts");
        if (!CHECK(sums && counts)) continue;
        double total = 0;
        for (uint64_t k = 0; k < sums->dims[1]; k++) total += (double)at(sums, k);
        CHECK_NEAR(total / golden[i].total, 1, 1e-4);
        for (uint64_t k = 0; k < GOLDEN_COLUMNS; k++) CHECK_NEAR((double)at(sums, k) / golden[i].columns[k], 1, 1e-3);
        CHECK(sums->rank == 2 && counts->rank == 2 && counts->dims[1] == 1 && at(counts, 0) == 2 * TOKENS);
    }
    CHECK(!find(f, "output.weight", ".in_sum2")); /* one token's alone */
}

/* The squares are those of transformers' activations, and the file is of llama.cpp's shape. */
static void as_transformers(void)
{
    gatherer g;
    weft__gguf_file *f;
    weft__gguf_string text;
    int64_t n;
    weft_error err = { 0 };
    temp_folder t = temp_make();
    const char *path = temp_path(&t, "x.gguf");
    if (begin(&g, WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox")) {
        CHECK_STATUS(weft_imatrix_write(g.i, path, "nothing", &err), WEFT_INVALID, err);
        for (int c = 0; c < 2; c++) {
            int32_t ids[TOKENS];
            for (int i = 0; i < TOKENS; i++) ids[i] = (i * 37 + c * 11) % 4096;
            CHECK_OK(weft_imatrix_add(g.i, ids, TOKENS, &err), err);
        }
        CHECK_OK(weft_imatrix_write(g.i, path, "made up", &err), err);
        if (CHECK_OK(weft__gguf_open(path, &f, &err), err)) {
            check_golden(f);
            CHECK(weft__gguf_text(weft__gguf_find(f, "general.type"), 0, &text) && text.size == 7 &&
                  !memcmp(text.text, "imatrix", 7));
            CHECK(weft__gguf_text(weft__gguf_find(f, "imatrix.datasets"), 0, &text) && text.size == 7);
            CHECK(weft__gguf_integer(weft__gguf_find(f, "imatrix.chunk_count"), 0, &n) && n == 2);
            CHECK(weft__gguf_integer(weft__gguf_find(f, "imatrix.chunk_size"), 0, &n) && n == TOKENS);
            weft__gguf_close(f);
        }
    }
    end(&g);
    temp_remove(&t);
}

/* Experts see what the router sees, each of the tokens that are sent to it. */
static void check_experts(const weft__gguf_file *f)
{
    const weft__file_tensor *router = find(f, "blk.1.ffn_gate_inp.weight", ".in_sum2");
    const weft__file_tensor *up = find(f, "blk.1.ffn_up_exps.weight", ".in_sum2");
    const weft__file_tensor *counts = find(f, "blk.1.ffn_up_exps.weight", ".counts");
    const weft__file_tensor *down = find(f, "blk.1.ffn_down_exps.weight", ".counts");
    if (!CHECK(router && up && counts && down)) return;
    CHECK(up->dims[0] == 4 && up->dims[1] == 64 && counts->dims[0] == 4 && counts->dims[1] == 1);
    for (uint64_t k = 0; k < 64; k++) {
        double sum = 0;
        for (uint64_t e = 0; e < 4; e++) sum += (double)at(up, e * 64 + k);
        CHECK_NEAR(sum / (2 * (double)at(router, k)), 1, 1e-5);
    }
    double sent = 0;
    for (uint64_t e = 0; e < 4; e++) {
        sent += (double)at(counts, e);
        CHECK(at(counts, e) == at(down, e) && at(counts, e) > 0);
    }
    CHECK(sent == 2 * TOKENS);
}

static void experts(void)
{
    static const char config[] = "{ \"architectures\": [\"MixtralForCausalLM\"], \"model_type\": \"mixtral\","
        "\"num_hidden_layers\": 2, \"hidden_size\": 64, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
        "\"intermediate_size\": 96, \"vocab_size\": 300, \"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-5,"
        "\"num_local_experts\": 4, \"num_experts_per_tok\": 2, \"hidden_act\": \"silu\", \"initializer_range\": 0.4 }";
    gatherer g;
    weft__gguf_file *f;
    weft_error err = { 0 };
    temp_folder t = temp_make();
    int32_t ids[TOKENS];
    temp_write_text(&t, "config.json", config);
    const char *path = temp_path(&t, "x.gguf"), *folder = temp_path(&t, "model");
    CHECK_OK(weft_model_init(temp_path(&t, "config.json"), NULL, folder, WEFT_F32, 1, 0, NULL, &err), err);
    for (int i = 0; i < TOKENS; i++) ids[i] = i * 7 % 300;
    if (begin(&g, folder)) {
        CHECK_OK(weft_imatrix_add(g.i, ids, TOKENS, &err), err);
        CHECK_OK(weft_imatrix_write(g.i, path, "", &err), err);
        if (CHECK_OK(weft__gguf_open(path, &f, &err), err)) {
            check_experts(f);
            weft__gguf_close(f);
        }
    }
    end(&g);
    temp_remove(&t);
}

static void refuses(void)
{
    gatherer g;
    weft_error err = { 0 };
    weft_session *s = NULL;
    weft_imatrix *i = NULL;
    if (begin(&g, WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox")) {
        weft_session_desc d = { .devices = &g.cpu, .n_devices = 1, .context = 16 };
        CHECK_OK(weft_session_create(g.m, &d, &s, &err), err);
        CHECK_STATUS(weft_imatrix_create(s, &i, &err), WEFT_INVALID, err);
        CHECK(!i);
        CHECK_STATUS(weft_imatrix_add(g.i, (int32_t[]){ 5000 }, 1, &err), WEFT_INVALID, err);
        weft_session_destroy(s);
    }
    end(&g);
}

static const weft_test tests[] = {
    { "as_transformers", as_transformers },
    { "experts", experts },
    { "refuses", refuses },
};
TEST_MAIN(tests)
