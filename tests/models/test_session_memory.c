/* test_session_memory.c: evaluation allocates nothing; an allocation that fails while a session is made, used or checked
 * gives OOM, leaks nothing, and leaves the model usable. */
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
    return CHECK_OK(weft_model_open(w->folder.path, &w->m, &err), err) &&
           CHECK_OK(weft_backend_open("cpu,threads=2", &w->device, &err), err);
}

static void world_close(world *w)
{
    weft_backend_close(w->device);
    weft_model_close(w->m);
    temp_remove(&w->folder);
}

static void making_a_session(void)
{
    world w;
    if (world_open(&w)) {
        const weft_session_desc desc = { .devices = &w.device, .n_devices = 1, .weights = WEFT_Q8_0, .hidden = -1 };
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

static void generating(void)
{
    world w;
    weft_session *s;
    const int32_t prompt[] = { 3, 1, 4, 1, 5 };
    if (world_open(&w)) {
        const weft_session_desc desc = { .devices = &w.device, .n_devices = 1, .hidden = -1 };
        if (CHECK_OK(weft_session_create(w.m, &desc, &s, &err), err)) {
            OOM_LOOP(n)
            {
                weft_generated r;
                weft_generate_desc g = { .max_tokens = 20, .n_logprobs = 2, .ignore_eos = true };
                weft_status status = weft_session_truncate(s, 0, 0, &err);
                if (status == WEFT_OK) status = weft_generate(s, 0, prompt, 5, &g, &r, &err);
                OOM_CHECK(status, err);
                if (status == WEFT_OK) {
                    CHECK_EQ_INT(r.n_tokens, 20);
                    weft_generated_free(&r);
                }
            }
            weft_session_destroy(s);
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
        const weft_session_desc desc = { .devices = &w.device, .n_devices = 1, .n_sequences = 2, .hidden = -1 };
        if (CHECK_OK(weft_session_create(w.m, &desc, &s, &err), err)) {
            oom_arm(-1);
            for (int32_t i = 0; i < 30; i++) {
                const weft_batch_token t[] = { { i, 0, false }, { 36 - i, 1, false }, { i / 2, 0, true } };
                CHECK_OK(weft_session_eval(s, t, i % 2 ? 3 : 1, logits, &err), err);
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
    { "making a session", making_a_session },
    { "generating", generating },
    { "evaluation allocates nothing", evaluation_allocates_nothing },
};
TEST_MAIN(tests)
