/* test_session_oom.c: every allocation that fails while a folder is opened, or while text is generated, gives OOM,
 * leaks nothing, and leaves the sequence as it was. The model has one small layer, for each round does all of it. */
#include <stdlib.h>
#include <unistd.h>

#include "models/model.h"
#include "tests/oom.h"

static weft_error err;
static char folder[] = "session-oom-XXXXXX";

static const char config[] =
    "{ \"architectures\": [\"GPTNeoXForCausalLM\"], \"hidden_size\": 32, \"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 64, \"vocab_size\": 50, \"max_position_embeddings\": 32,"
    " \"bos_token_id\": 0, \"eos_token_id\": 0, \"rotary_pct\": 0.5 }";

static const char *in_folder(const char *name)
{
    static char path[2][600];
    static unsigned turn;
    char *p = path[turn++ % 2];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static bool make_model(void)
{
    if (!CHECK(mkdtemp(folder) != NULL)) return false;
    FILE *f = fopen(in_folder("c.json"), "w");
    if (!CHECK(f && fputs(config, f) >= 0)) return false;
    fclose(f);
    return CHECK_OK(weft_model_init(in_folder("c.json"), NULL, in_folder("m"), WEFT_F16, 1, 0, NULL, &err), err) &&
           CHECK(!symlink(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox/tokenizer.json",
                          in_folder("m/tokenizer.json")));
}

static void remove_model(void)
{
    static const char *const files[] = { "c.json", "m/config.json", "m/model.safetensors", "m/tokenizer.json" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(in_folder(files[i]));
    rmdir(in_folder("m"));
    rmdir(folder);
}

static void opening_a_model(void)
{
    OOM_LOOP(n)
    {
        weft_model *m = NULL;
        weft_status s = weft_model_open(in_folder("m"), NULL, &m, &err);
        OOM_CHECK(s, err);
        CHECK((m != NULL) == (s == WEFT_OK));
        weft_model_close(m);
    }
}

typedef struct world {
    weft_model *m;
    weft_backend *device;
    weft_session *s;
} world;

static bool open_world(world *w)
{
    *w = (world){ 0 };
    return CHECK_OK(weft_model_open(in_folder("m"), NULL, &w->m, &err), err) &&
           CHECK_OK(weft_backend_open("cpu,threads=2", &w->device, &err), err);
}

static void close_world(world *w)
{
    weft_session_destroy(w->s);
    weft_backend_close(w->device);
    weft_model_close(w->m);
}

static bool go_on(void *ctx, int32_t token, const char *text, size_t n)
{
    (void)token;
    *(size_t *)ctx += text ? n : 0;
    return true;
}

static void generating(void)
{
    world w;
    weft_session_desc d = { .n_devices = 1 };
    const char *const stop[] = { "no such words" };
    static const int32_t prompt[] = { 5, 6, 7 };
    if (open_world(&w)) {
        d.devices = &w.device;
        const weft_tokenizer *tok;
        size_t bytes = 0;
        CHECK_OK(weft_model_tokenizer(w.m, &tok, &err), err); /* reading it is not this test's */
        CHECK_OK(weft_session_create(w.m, &d, &w.s, &err), err);
        OOM_LOOP(n)
        {
            weft_generated r;
            const weft_generate_desc g = { .max_tokens = 12,
                                           .n_logprobs = 3,
                                           .stop = stop,
                                           .n_stop = 1,
                                           .ignore_eos = true,
                                           .on_token = go_on,
                                           .ctx = &bytes,
                                           .sampling = { .temperature = 1.0f, .repeat_penalty = 1.1f } };
            weft_status s = weft_generate(w.s, 0, prompt, 3, &g, &r, &err);
            OOM_CHECK(s, err);
            CHECK_EQ_INT(weft_session_length(w.s, 0), s ? 0 : 3 + 11);
            weft_generated_free(&r);
            CHECK_OK(weft_session_truncate(w.s, 0, 0, &err), err);
        }
    }
    close_world(&w);
}

static void all(void)
{
    if (make_model()) {
        opening_a_model();
        generating();
    }
    remove_model();
}

static const weft_test tests[] = {
    { "from a folder to text", all },
};
TEST_MAIN(tests)
