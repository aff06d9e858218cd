/* test_variants.c: small random models of every kind that the family has, as Hugging Face folders, against the naive
 * double-precision forward pass. */
#include "folder.h"
#include "reference.h"

#include <math.h>

static weft_error err;

static const folder_variant variants[] = {
    { "20b-like", { 2, 96, 1, 384, 101, 0.25, 10000, 1e-5, NEOX_GELU_TANH, true, true, false }, "gelu_fast" },
    { "pythia-like", { 3, 128, 4, 512, 256, 0.25, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "redpajama-like", { 2, 160, 2, 640, 101, 1.0, 10000, 1e-5, NEOX_GELU, false, true, false }, "gelu" },
    { "polyglot-like", { 2, 128, 2, 512, 97, 0.5, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "head size 13", { 2, 39, 3, 57, 101, 0.95, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "head size 32", { 2, 64, 2, 256, 101, 0.5, 10000, 1e-5, NEOX_GELU, false, true, false }, "gelu" },
    { "head size 80, gelu_new",
      { 1, 80, 1, 320, 101, 1.0, 10000, 1e-5, NEOX_GELU_TANH, true, true, false },
      "gelu_new" },
    { "head size 256", { 1, 256, 1, 64, 33, 0.25, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "head size 4", { 2, 32, 8, 128, 64, 0.5, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "relu", { 2, 64, 4, 256, 101, 0.25, 10000, 1e-5, NEOX_RELU, true, true, false }, "relu" },
    { "silu", { 2, 64, 4, 256, 101, 0.25, 10000, 1e-5, NEOX_SILU, false, true, false }, "silu" },
    { "no attention bias", { 2, 64, 4, 256, 101, 0.25, 10000, 1e-5, NEOX_GELU, true, false, false }, "gelu" },
    { "tied embeddings", { 2, 64, 4, 256, 101, 0.25, 10000, 1e-5, NEOX_GELU, true, true, true }, "gelu" },
    { "tied, sequential, no bias", { 2, 48, 2, 96, 1, 1.0, 10000, 1e-5, NEOX_GELU, false, false, true }, "gelu" },
    { "no rotation", { 2, 64, 4, 256, 101, 0.0, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "other base and eps", { 2, 64, 2, 128, 101, 1.0, 500, 1e-2, NEOX_GELU, true, true, false }, "gelu" },
    { "narrow", { 1, 2, 1, 1, 3, 1.0, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "many layers", { 9, 32, 2, 64, 41, 0.25, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "28 of 100", { 1, 100, 1, 64, 33, 0.29, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
    { "25 of 100, and one more", { 1, 100, 1, 64, 33, 0.25, 10000, 1e-5, NEOX_GELU, true, true, false }, "gelu" },
};
#define N_VARIANTS (sizeof variants / sizeof *variants)

/* ---- the comparison ---- */

typedef struct world {
    temp_folder folder;
    neox_model ref;
    weft_model *m;
    weft_backend *device;
    int32_t ids[40];
    double *logits, *hidden; /* of the 40 tokens */
} world;

static bool world_open(world *w, const folder_variant *v, const char *device)
{
    size_t n = 40;
    *w = (world){ .folder = temp_make() };
    neox_create(&w->ref, &v->c, 12345);
    folder_write(&w->folder, v, &w->ref);
    for (size_t i = 0; i < n; i++) w->ids[i] = (int32_t)((i * 37 + i * i * 11 + 5) % v->c.n_vocab);
    w->logits = malloc(n * v->c.n_vocab * sizeof *w->logits);
    w->hidden = malloc((v->c.n_layer + 1) * n * v->c.n_embed * sizeof *w->hidden);
    if (!CHECK(w->logits && w->hidden)) return false;
    neox_run(&w->ref, w->ids, n, w->logits, w->hidden);
    return CHECK_OK(weft_model_open(w->folder.path, NULL, &w->m, &err), err) &&
           CHECK_OK(weft_backend_open(device, &w->device, &err), err);
}

static void world_close(world *w)
{
    weft_model_close(w->m);
    weft_backend_close(w->device);
    neox_free(&w->ref);
    free(w->logits);
    free(w->hidden);
    temp_remove(&w->folder);
}

/* Prompts of several lengths, then the rest token by token. */
static void compare_logits(world *w, const folder_variant *v, const weft_session_desc *like, double limit)
{
    static const size_t lengths[] = { 1, 2, 9, 40 };
    weft_session *s;
    weft_session_desc desc = *like;
    size_t V = v->c.n_vocab;
    float *got = malloc(40 * V * sizeof *got);
    desc.devices = &w->device;
    desc.n_devices = 1;
    if (got && CHECK_OK(weft_session_create(w->m, &desc, &s, &err), err)) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            size_t n = lengths[i];
            CHECK_OK(weft_session_truncate(s, 0, 0, &err), err);
            CHECK_OK(eval_tokens(s, 0, w->ids, n, true, got, &err), err);
            for (; n < 40 && i == 2; n++) CHECK_OK(eval_tokens(s, 0, w->ids + n, 1, true, got + n * V, &err), err);
            double error = relative_error(got, w->logits, n * V);
            if (!CHECK(error <= limit)) printf("  %s, %zu tokens: %.3g\n", v->name, lengths[i], error);
        }
        weft_session_destroy(s);
    }
    free(got);
}

static void compare_hidden(world *w, const folder_variant *v, double limit)
{
    size_t E = v->c.n_embed;
    float *got = malloc(40 * E * sizeof *got);
    for (int32_t layer = 0; got && layer <= (int32_t)v->c.n_layer; layer++) {
        weft_session *s;
        weft_session_desc desc = { .devices = &w->device, .n_devices = 1, .exact = true,
                                   .outputs = WEFT_WANT_HIDDEN, .layer = (uint32_t)layer };
        if (!CHECK_OK(weft_session_create(w->m, &desc, &s, &err), err)) break;
        CHECK_OK(eval_tokens(s, 0, w->ids, 40, true, got, &err), err);
        double error = relative_error(got, w->hidden + (size_t)layer * 40 * E, 40 * E);
        if (!CHECK(error <= limit)) printf("  %s, layer %d: %.3g\n", v->name, layer, error);
        weft_session_destroy(s);
    }
    free(got);
}

static void every_variant(const char *device)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        world w;
        if (world_open(&w, &variants[i], device)) {
            const weft_session_desc exact = { .exact = true, .max_rows = 40 };
            compare_logits(&w, &variants[i], &exact, 5e-6);
            compare_hidden(&w, &variants[i], 5e-6);
        }
        world_close(&w);
    }
}

static void variants_on_the_best_device(void)
{
    every_variant("cpu,threads=2");
}

static void variants_on_scalar(void)
{
    every_variant("cpu,isa=scalar,threads=1");
}

/* Formats and small runs: on a few. A cache in f16 and weights in f16 lose about 3e-4 each. */
static void other_formats(void)
{
    for (size_t i = 0; i < N_VARIANTS; i += 3) {
        world w;
        if (world_open(&w, &variants[i], "cpu,threads=3")) {
            bool blocks = variants[i].c.n_embed % 32 == 0 && variants[i].c.n_inner % 32 == 0;
            compare_logits(&w, &variants[i], &(weft_session_desc){ .max_rows = 40 }, 2e-3);
            compare_logits(&w, &variants[i], &(weft_session_desc){ .weights = WEFT_F16, .max_rows = 3 },
                           4e-3);
            compare_logits(&w, &variants[i],
                           &(weft_session_desc){
                               .exact = true, .max_tokens = 7, .max_rows = 2, .bounds = { 3 } },
                           5e-6);
            if (blocks)
                compare_logits(&w, &variants[i],
                               &(weft_session_desc){ .weights = WEFT_Q8_0, .max_rows = 40 }, 5e-2);
        }
        world_close(&w);
    }
}

/* ---- what a session refuses ---- */

static void refuses_bad_batches(void)
{
    world w;
    weft_session *s;
    float out[101];
    if (world_open(&w, &variants[9], "cpu,threads=1")) {
        weft_session_desc desc = { .devices = &w.device, .n_devices = 1, .n_sequences = 2, .context = 8 };
        if (CHECK_OK(weft_session_create(w.m, &desc, &s, &err), err)) {
            weft_batch_token bad[] = { { 1, 0, false }, { 101, 0, true } };
            CHECK_EQ_INT(weft_session_n_vocab(s), 101);
            CHECK_EQ_INT(weft_session_context(s), 8);
            CHECK_STATUS(weft_session_eval(s, bad, 2, &(weft_rows){ .logits = out }, &err), WEFT_INVALID, err);
            CHECK_CONTAINS(err.text, "101");
            bad[1].id = -1;
            CHECK_STATUS(weft_session_eval(s, bad, 2, &(weft_rows){ .logits = out }, &err), WEFT_INVALID, err);
            bad[1].id = 1;
            bad[1].sequence = 2;
            CHECK_STATUS(weft_session_eval(s, bad, 2, &(weft_rows){ .logits = out }, &err), WEFT_INVALID, err);
            CHECK_EQ_INT(weft_session_length(s, 0), 0); /* nothing was run */
            CHECK_OK(eval_tokens(s, 1, w.ids, 8, false, out, &err), err);
            CHECK_STATUS(eval_tokens(s, 1, w.ids, 1, false, out, &err), WEFT_LIMIT, err);
            CHECK_STATUS(eval_tokens(s, 0, w.ids, 9, false, out, &err), WEFT_LIMIT, err);
            CHECK_EQ_INT(weft_session_length(s, 0), 0);
            CHECK_EQ_INT(weft_session_length(s, 1), 8);
            CHECK_STATUS(weft_session_truncate(s, 1, 9, &err), WEFT_INVALID, err);
            CHECK_STATUS(weft_session_truncate(s, 2, 0, &err), WEFT_INVALID, err);
            CHECK_OK(weft_session_truncate(s, 1, 4, &err), err);
            CHECK_OK(eval_tokens(s, 1, w.ids + 4, 4, false, out, &err), err);
            CHECK(relative_error(out, w.logits + 7 * 101, 101) < 2e-3);
            CHECK_OK(weft_session_eval(s, NULL, 0, NULL, &err), err);
            weft_session_destroy(s);
        }
        desc.outputs = WEFT_WANT_HIDDEN;
        desc.layer = 3;
        CHECK_STATUS(weft_session_create(w.m, &desc, &s, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "layer 3");
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "variants on the best device", variants_on_the_best_device },
    { "variants on scalar", variants_on_scalar },
    { "other formats", other_formats },
    { "refuses bad batches", refuses_bad_batches },
};
TEST_MAIN(tests)
