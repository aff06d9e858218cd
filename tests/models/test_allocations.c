/* test_allocations.c: evaluation allocates nothing; quantising a model's weights while loading them fails cleanly
 * wherever an allocation does. */
#include "folder.h"
#include "models/model.h"
#include "tests/oom.h"

static weft_error err;

static const folder_variant tiny = { "tiny",
                                     { 1, 32, 2, 64, 37, 0.5, 10000, 1e-5, NEOX_GELU, true, true, false },
                                     "gelu" };

typedef struct world {
    temp_folder folder;
    weft_model *m;
    weft_backend *device;
} world;

static bool world_open(world *w)
{
    neox_model ref;
    *w = (world){ .folder = temp_make() };
    neox_create(&ref, &tiny.c, 1);
    folder_write(&w->folder, &tiny, &ref);
    neox_free(&ref);
    return CHECK_OK(weft_model_open(w->folder.path, NULL, &w->m, &err), err) &&
           CHECK_OK(weft_backend_open("cpu,threads=2", &w->device, &err), err);
}

static void world_close(world *w)
{
    weft_backend_close(w->device);
    weft_model_close(w->m);
    temp_remove(&w->folder);
}

static void quantising_while_loading(void)
{
    world w;
    if (world_open(&w)) {
        const weft_session_desc desc = { .devices = &w.device, .n_devices = 1, .weights = WEFT_Q8_0 };
        OOM_LOOP(n)
        {
            weft_session *s = NULL;
            weft_status status = weft_session_create(w.m, &desc, &s, &err);
            OOM_CHECK(status, err);
            CHECK((s != NULL) == (status == WEFT_OK));
            weft_session_destroy(s);
        }
    }
    world_close(&w);
}

/* Weights that files have as F64 are made f32 when a session first asks for them. */
static void converting_while_loading(void)
{
    world w;
    neox_model ref;
    if (world_open(&w)) {
        neox_create(&ref, &tiny.c, 1);
        folder_weights_as(&w.folder, &ref, &(folder_spelling){ .f64 = "dense" });
        neox_free(&ref);
        const weft_session_desc desc = { .devices = &w.device, .n_devices = 1 };
        OOM_LOOP(n)
        {
            weft_model *m;
            weft_session *s = NULL;
            weft_status status = weft_model_open(w.folder.path, NULL, &m, &err);
            if (!status) status = weft_session_create(m, &desc, &s, &err);
            OOM_CHECK(status, err);
            weft_session_destroy(s);
            weft_model_close(m);
        }
    }
    world_close(&w);
}

static void evaluation_allocates_nothing(void)
{
    world w;
    weft_session *s;
    float logits[37];
    if (world_open(&w)) {
        const weft_session_desc desc = { .devices = &w.device, .n_devices = 1, .n_sequences = 2 };
        if (CHECK_OK(weft_session_create(w.m, &desc, &s, &err), err)) {
            oom_arm(-1);
            for (int32_t i = 0; i < 30; i++) {
                const weft_batch_token t[] = { { i, 0, false }, { 36 - i, 1, false }, { i / 2, 0, true } };
                CHECK_OK(weft_session_eval(s, t, i % 2 ? 3 : 1, &(weft_rows){ .logits = logits }, &err), err);
            }
            CHECK_OK(weft_session_truncate(s, 1, 3, &err), err);
            CHECK_EQ_INT(oom_count(), 0);
            oom_disarm();
            weft_session_destroy(s);
        }
    }
    world_close(&w);
}

static const weft_test tests[] = {
    { "quantising while loading", quantising_while_loading },
    { "converting while loading", converting_while_loading },
    { "evaluation allocates nothing", evaluation_allocates_nothing },
};
TEST_MAIN(tests)
