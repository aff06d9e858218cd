/* test_files.c: files that spell a model otherwise than the graph does: element types that no graph has, names without
 * or with another prefix, tensors that nothing needs. The logits are those of the plain files, bit for bit. */
#include "folder.h"
#include "models/model.h"

enum { VOCAB = 37, TOKENS = 5 };

static weft_error err;
static const int32_t ids[TOKENS] = { 3, 36, 0, 17, 17 };
static const folder_variant tiny = { "tiny",
                                     { 2, 32, 2, 64, VOCAB, 0.5, 10000, 1e-5, NEOX_GELU, true, true, false },
                                     "gelu" };

static bool run(const char *path, float *logits)
{
    weft_model *m = NULL;
    weft_backend *device = NULL;
    weft_session *s = NULL;
    weft_batch_token t[TOKENS];
    for (int i = 0; i < TOKENS; i++) t[i] = (weft_batch_token){ ids[i], 0, true };
    bool ok = CHECK_OK(weft_model_open(path, NULL, &m, &err), err) &&
              CHECK_OK(weft_backend_open("cpu,threads=1", &device, &err), err);
    const weft_session_desc desc = { .devices = &device, .n_devices = 1, .exact = true };
    ok = ok && CHECK_OK(weft_session_create(m, &desc, &s, &err), err) &&
         CHECK_OK(weft_session_eval(s, t, TOKENS, &(weft_rows){ .logits = logits }, &err), err);
    weft_session_destroy(s);
    weft_backend_close(device);
    weft_model_close(m);
    return ok;
}

static void same_logits_as_the_plain_files(void)
{
    /* a complex table, two packed halves of bytes, a type of the future */
    static const char extra[] = "\"c\":{\"dtype\":\"C64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                                "\"f\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[16,19]},"
                                "\"z\":{\"dtype\":\"Q_NEW\",\"shape\":[7],\"data_offsets\":[19,20]},";
    static const folder_spelling spellings[] = {
        { .f64 = "norm" }, { .f64 = "" }, /* all: embeddings, matrices and biases, too */
        { .strip = "gpt_neox." }, { .from = "embed_out.", .to = "lm_head." },
        { .extra = extra, .n_extra = 20 }, { .extra = extra, .n_extra = 20, .f64 = "attention", .strip = "gpt_neox." },
    };
    temp_folder folder = temp_make();
    neox_model ref;
    float want[TOKENS * VOCAB], got[TOKENS * VOCAB];
    neox_create(&ref, &tiny.c, 1);
    folder_write(&folder, &tiny, &ref);
    if (run(folder.path, want))
        for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
            folder_weights_as(&folder, &ref, &spellings[i]);
            if (run(folder.path, got) && !CHECK(!memcmp(got, want, sizeof want))) printf("  spelling %zu\n", i);
        }
    neox_free(&ref);
    temp_remove(&folder);
}

static void lists_what_nothing_needs(void)
{
    static const folder_spelling s = { .extra = "\"z\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]},",
                                       .n_extra = 3, .f64 = "dense.bias" };
    temp_folder folder = temp_make();
    neox_model ref;
    weft_model *m = NULL;
    const weft_tensor_info *t;
    uint32_t unused = 0, wide = 0;
    neox_create(&ref, &tiny.c, 1);
    folder_write(&folder, &tiny, &ref);
    folder_weights_as(&folder, &ref, &s);
    if (CHECK_OK(weft_model_open(folder.path, NULL, &m, &err), err)) {
        for (size_t i = 0; (t = weft_checkpoint_tensor(weft_model_checkpoint(m), i)); i++) {
            bool used = weft_model_uses(m, i);
            if (!used && !unused++) CHECK_STR(t->dtype, "F6_E2M3");
            if (used && !strcmp(t->dtype, "F64")) wide++;
        }
        CHECK(!weft_model_uses(m, SIZE_MAX));
        CHECK_EQ_INT(unused, 1);
        CHECK_EQ_INT(wide, 2);
        CHECK_CONTAINS(weft_model_note(m, 0), "tensor 'z' is in the files but not in the model");
    }
    weft_model_close(m);
    neox_free(&ref);
    temp_remove(&folder);
}

/* Makes shards of model.safetensors, renamed, and of the file that has the one tensor it lacks. */
static void write_index(const temp_folder *folder, const neox_model *m)
{
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    weft_writef(&w, "{\"weight_map\":{\"gpt_neox.final_layer_norm.bias\":\"second.safetensors\"");
    for (size_t i = 0; i < m->n_tensors; i++)
        if (strcmp(m->tensors[i].name, "gpt_neox.final_layer_norm.bias"))
            weft_writef(&w, ",\"%s\":\"first.safetensors\"", m->tensors[i].name);
    weft_writef(&w, "}}");
    CHECK(!rename(temp_path(folder, "model.safetensors"), temp_path(folder, "first.safetensors")));
    temp_write(folder, "model.safetensors.index.json", text.data, text.size);
    weft_text_free(&text);
}

/* A weight of a type that cannot be read, a double that no float can hold: refused, by name. */
static void refuses_what_it_cannot_read(void)
{
    temp_folder folder = temp_make();
    neox_model ref;
    weft_model *m = NULL;
    weft_weight_data data;
    neox_create(&ref, &tiny.c, 1);
    folder_write(&folder, &tiny, &ref);
    folder_weights_as(&folder, &ref, &(folder_spelling){ .without = "gpt_neox.final_layer_norm.bias" });
    CHECK_STATUS(weft_model_open(folder.path, NULL, &m, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "no tensor gpt_neox.final_layer_norm.bias");
    double huge[32] = { 0, 1e39 };
    char header[512];
    unsigned char *image;
    size_t n = (size_t)snprintf(header, sizeof header, "{\"gpt_neox.final_layer_norm.bias\":{\"dtype\":\"F64\","
                                "\"shape\":[32],\"data_offsets\":[0,256]}}");
    image = calloc(8 + n + sizeof huge, 1);
    if (CHECK(image)) {
        image[0] = (unsigned char)n;
        memcpy(image + 8, header, n);
        memcpy(image + 8 + n, huge, sizeof huge);
        temp_write(&folder, "second.safetensors", image, 8 + n + sizeof huge);
    }
    free(image);
    write_index(&folder, &ref);
    if (CHECK_OK(weft_model_open(folder.path, NULL, &m, &err), err)) {
        weft_weight_source source = weft_model_weights(m);
        CHECK_STATUS(source.find(source.ctx, "gpt_neox.final_layer_norm.bias", &data, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "element 1, 1e+39, is beyond the range of float32");
        CHECK_OK(source.find(source.ctx, "gpt_neox.final_layer_norm.weight", &data, &err), err);
    }
    weft_model_close(m);
    neox_free(&ref);
    temp_remove(&folder);
}

static const weft_test tests[] = {
    { "same logits as the plain files", same_logits_as_the_plain_files },
    { "lists what nothing needs", lists_what_nothing_needs },
    { "refuses what it cannot read", refuses_what_it_cannot_read },
};
TEST_MAIN(tests)
