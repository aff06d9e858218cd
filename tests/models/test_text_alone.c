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
    if (read_text()) golden_each_on_cpu("text", "", meets);
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
    { "faults are told at their lines", faults_are_told_at_their_lines },
    { "Vulkan", vulkan },
};
TEST_MAIN(tests)
