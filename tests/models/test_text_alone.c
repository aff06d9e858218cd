/* test_text_alone.c: a decoder that no file of models/ knows, examples/braid.weft, against an independent program in
 * double precision (tests/reference/text): windows, all tokens, experts and a recurrence in one model, at two
 * configurations. */
#include "altered.h"
#include "golden.h"
#include "tests/sample.h"

#define BRAID WEFT_TEST_ROOT "/examples/braid.weft"

static weft_error err;
static char text[1 << 16];
static weft_model_desc braid = { .text = text, .text_origin = "braid.weft" };

static bool read_text(void)
{
    FILE *f = fopen(BRAID, "r");
    braid.n_text = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[braid.n_text] = 0;
    return CHECK(braid.n_text > 0);
}

static void it_is_at_most_150_lines(void)
{
    unsigned lines = 0;
    if (!read_text()) return;
    for (size_t i = 0; i < braid.n_text; i++) lines += text[i] == '\n';
    CHECK(lines > 50 && lines <= 150);
}

/* ---- against the reference ---- */

static void meets(const golden *g, weft_backend *device)
{
    golden_meets(g, &braid, device);
}

static void cpu(void)
{
    if (read_text()) golden_each_on_cpu("text", "", golden_open, meets);
}

static void meets_some(const golden *g, weft_backend *device)
{
    if (sample_takes_slow(g->name, "vulkan_text_alone")) meets(g, device);
}

static void vulkan(void)
{
    weft_backend *b;
    if (!read_text() || !CHECK_OK(weft_backend_open("vulkan:0", &b, &err), err)) return;
    golden_each("text", "", meets_some, b);
    weft_backend_close(b);
}

/* The folder brings its text along: nothing else has to be said. */
static void in_its_folder(const golden *g, weft_backend *device)
{
    temp_write(&g->folder, "model.weft", text, braid.n_text);
    golden_meets(g, NULL, device);
}

static void a_folder_brings_it_along(void)
{
    weft_backend *b;
    if (!read_text() || !CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    golden_each("text", "", in_its_folder, b);
    weft_backend_close(b);
}

/* ---- states and caches of one sequence ---- */

enum { HALF = 20 };

/* Goes on with the prompt from token `from` to `to`; the logits of its last token are the golden's last. */
static void go_on(weft_session *s, const golden *g, uint32_t sequence, size_t from, size_t to)
{
    weft_batch_token t[GOLDEN_IDS];
    float got[GOLDEN_VOCAB];
    double error = 0, size = 0;
    for (size_t i = from; i < to; i++) t[i - from] = (weft_batch_token){ g->prompt[i], sequence, 0 };
    t[to - from - 1].wants = WEFT_WANT_LOGITS;
    if (!CHECK_OK(weft_session_eval(s, t, to - from, &(weft_rows){ .logits = got }, &err), err)) return;
    const double *want = g->logits + (g->n_rows - 1) * g->n_vocab;
    if (to - 1 != g->row[g->n_rows - 1]) return;
    for (size_t v = 0; v < g->n_vocab; v++) {
        error += ((double)got[v] - want[v]) * ((double)got[v] - want[v]);
        size += want[v] * want[v];
    }
    CHECK(error < 4e-10 * size);
}

/* What a sequence carries along, pages of two caches and rows of two states, is forked, saved and loaded. */
static void forks_and_files(void)
{
    golden g;
    weft_model *m = NULL;
    weft_backend *b = NULL;
    weft_session *s = NULL;
    weft_session_desc d = { .devices = &b, .n_devices = 1, .n_sequences = 3, .max_tokens = 7, .page = 16,
                            .weights = WEFT_F32, .kv = WEFT_F32, .exact = true };
    if (read_text() && golden_open(&g, "text/braid-usual.json") &&
        CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err) &&
        CHECK_OK(weft_model_open(g.folder.path, &braid, &m, &err), err) &&
        CHECK_OK(weft_session_create(m, &d, &s, &err), err)) {
        const char *path = temp_path(&g.folder, "saved");
        go_on(s, &g, 0, 0, HALF);
        CHECK_OK(weft_session_fork(s, 0, 2, &err), err);
        CHECK_OK(weft_session_save(s, 0, NULL, 0, path, &err), err);
        CHECK_OK(weft_session_load(s, 1, path, NULL, &err), err);
        for (uint32_t i = 0; i < 3; i++) go_on(s, &g, i, HALF, g.n_prompt);
        weft_status back = weft_session_truncate(s, 0, (uint32_t)g.n_prompt - 1, &err);
        CHECK_STATUS(back, WEFT_UNSUPPORTED, err); /* the windows' cells are there still, but a state has no past */
        CHECK_OK(weft_session_truncate(s, 0, 0, &err), err);
        go_on(s, &g, 0, 0, g.n_prompt);
    }
    weft_session_destroy(s);
    weft_model_close(m);
    weft_backend_close(b);
    golden_close(&g);
}

/* ---- what it refuses ---- */

static const struct { const char *path, *value, *fault; } faults[] = {
    { "layer_types.2", "\"convolution\"", "layer_types.2: no layer is called \"convolution\"" },
    { "layer_types", "[\"recurrent\"]", "and none at 1 (i = 1)" },
    { "num_experts_per_tok", "7", "'num_experts_per_tok' is 7, must be a whole number from 1 to 6" },
    { "num_key_value_heads", "3", "tensor 'layers.1.qkv_proj.weight' is [128, 48], but" },
    { "hidden_act", "\"sine\"", "parameter 'hidden_act' is 'sine'" },
    { "lru_width", "41", "tensor 'layers.0.y_proj.weight' is [40, 48], but" },
    { "num_local_experts", NULL, "parameter 'N' has no value" },
};

static void faults_are_told_at_their_lines(void)
{
    golden g;
    if (read_text() && golden_open(&g, "text/braid-usual.json"))
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            weft_model *m = NULL;
            char *config = altered_text(json_object_get(g.root, "config"), faults[i].path, faults[i].value);
            temp_write_text(&g.folder, "config.json", config);
            free(config);
            weft_status s = weft_model_open(g.folder.path, &braid, &m, &err);
            CHECK(s != WEFT_OK);
            CHECK_CONTAINS(err.text, "braid.weft:");
            CHECK_CONTAINS(err.text, faults[i].fault);
            weft_model_close(m);
        }
    golden_close(&g);
}

static const weft_test tests[] = {
    { "it is at most 150 lines", it_is_at_most_150_lines },
    { "CPU", cpu },
    { "a folder brings it along", a_folder_brings_it_along },
    { "forks and files", forks_and_files },
    { "faults are told at their lines", faults_are_told_at_their_lines },
    { "Vulkan", vulkan },
};
TEST_MAIN(tests)
