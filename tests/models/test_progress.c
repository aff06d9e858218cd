/* test_progress.c: what opening a session, evaluating, checking and init tell, and what is left when they are cancelled
 * at any report. */
#include "tests/checkpoint/temp.h"
#include "tests/oom.h"
#include "tests/progress.h"

#include "models/model.h"

static weft_error err;
static temp_folder folder;

static const char config[] =
    "{ \"architectures\": [\"GPTNeoXForCausalLM\"], \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 256, \"vocab_size\": 20000, \"max_position_embeddings\": 64,"
    " \"bos_token_id\": 0, \"eos_token_id\": 0, \"rotary_pct\": 0.5 }";
enum { VOCAB = 20000, PROMPT = 10 };

/* Writes the folder "m" with the config above; nothing may be there. Its files are as many as n says. */
static weft_status init(const weft_progress_sink *sink)
{
    char from[TEMP_PATH];
    snprintf(from, sizeof from, "%s", temp_path(&folder, "c.json"));
    return weft_model_init(from, NULL, temp_path(&folder, "m"), WEFT_F16, 1, 2000000, sink, &err);
}

static void init_leaves_no_file(void)
{
    temp_write_text(&folder, "c.json", config);
    int64_t reports = 1;
    for (int64_t n = 0; n <= reports; n++) {
        progress_log log = { .cancel_at = n };
        weft_progress_sink sink = progress_sink(&log);
        int64_t live = oom_live();
        weft_status s = init(&sink);
        CHECK_EQ_INT(oom_live(), live);
        CHECK_EQ_INT(s, log.cancelled ? WEFT_CANCELLED : WEFT_OK);
        CHECK_EQ_INT(access(temp_path(&folder, "m"), F_OK), s ? -1 : 0);
        if (s) CHECK_STR(err.text, "cancelled while writing weights");
        else CHECK(progress_of(&log, "writing weights", 1) == reports && log.last.total > 5000000);
        if (s) reports = n + 1; /* one more than was reached */
    }
    CHECK(reports > 1 + 4); /* one per tensor, several for the embeddings */
}

typedef struct world {
    weft_model *m;
    weft_backend *b;
    weft_session *s;
    progress_log log;
} world;

static weft_status open_session(world *w, int64_t cancel_at)
{
    w->log = (progress_log){ .cancel_at = cancel_at };
    weft_session_desc d = { .devices = &w->b, .n_devices = 1, .weights = WEFT_Q4_0, .context = 32,
                            .max_tokens = 4, .progress = progress_sink(&w->log) };
    return weft_session_create(w->m, &d, &w->s, &err);
}

static void creating_a_session(world *w)
{
    int64_t reports = 1;
    for (int64_t n = 0; n <= reports; n++) {
        int64_t live = oom_live();
        weft_status s = open_session(w, n);
        CHECK_EQ_INT(s, w->log.cancelled ? WEFT_CANCELLED : WEFT_OK);
        CHECK((w->s == NULL) == (s != WEFT_OK));
        if (s) CHECK_EQ_INT(oom_live(), live);
        if (s) reports = n + 1;
        else CHECK_EQ_INT(progress_of(&w->log, "loading weights", 2), reports); /* the second finds all loaded */
        weft_session_destroy(w->s);
        w->s = NULL;
    }
    CHECK(reports > 20);
}

/* Ten tokens in runs of four: 0, 4, 8, 9, 10 (the last two as single tokens). */
static void evaluating(world *w)
{
    static float want[VOCAB], got[VOCAB];
    weft_batch_token t[PROMPT];
    for (int i = 0; i < PROMPT; i++) t[i] = (weft_batch_token){ 100 + i * 7, 0, i + 1 == PROMPT };
    CHECK_OK(open_session(w, -1), err);
    if (!w->s) return;
    w->log = (progress_log){ .cancel_at = -1 };
    CHECK_OK(weft_session_eval(w->s, t, PROMPT, &(weft_rows){ .logits = want }, &err), err);
    int64_t reports = progress_of(&w->log, "evaluating", 1);
    CHECK(reports >= 4 && w->log.last.total == PROMPT);
    for (int64_t n = 0; n < reports; n++) {
        CHECK_OK(weft_session_truncate(w->s, 0, 0, &err), err);
        w->log = (progress_log){ .cancel_at = -1 };
        CHECK_OK(weft_session_eval(w->s, t, 3, NULL, &err), err); /* as many as one run takes: nothing to tell */
        CHECK_EQ_INT(w->log.n, 0);
        CHECK_OK(weft_session_truncate(w->s, 0, 0, &err), err);
        w->log = (progress_log){ .cancel_at = n };
        CHECK_STATUS(weft_session_eval(w->s, t, PROMPT, &(weft_rows){ .logits = got }, &err), WEFT_CANCELLED, err);
        CHECK_EQ_INT(weft_session_length(w->s, 0), 0);
    }
    w->log = (progress_log){ .cancel_at = -1 };
    CHECK_OK(weft_session_eval(w->s, t, PROMPT, &(weft_rows){ .logits = got }, &err), err);
    CHECK(!memcmp(got, want, sizeof want));
}

static bool go_on(void *ctx, const weft_check_node *n)
{
    (void)ctx;
    (void)n;
    return true;
}

static void checking(world *w)
{
    static const int32_t ids[] = { 5, 6, 7 };
    int64_t reports = 1;
    for (int64_t n = -1; n < reports; n += 1 + reports / 16) {
        int64_t live = oom_live();
        w->log = (progress_log){ .cancel_at = n };
        CHECK_STATUS(weft_session_check(w->s, ids, 3, go_on, NULL, &err), n < 0 ? WEFT_OK : WEFT_CANCELLED, err);
        CHECK_EQ_INT(oom_live(), live);
        CHECK_EQ_INT(weft_session_length(w->s, 0), PROMPT);
        if (n < 0) reports = w->log.n;
    }
    CHECK(reports > 20);
}

static void sessions_tell_and_stop(void)
{
    world w = { 0 };
    if (access(temp_path(&folder, "m"), F_OK)) CHECK_OK(init(NULL), err);
    if (CHECK_OK(weft_model_open(temp_path(&folder, "m"), NULL, &w.m, &err), err) &&
        CHECK_OK(weft_backend_open("cpu,threads=2", &w.b, &err), err)) {
        creating_a_session(&w);
        evaluating(&w);
        if (w.s) checking(&w);
    }
    weft_session_destroy(w.s);
    weft_backend_close(w.b);
    weft_model_close(w.m);
}

static void all(void)
{
    folder = temp_make();
    init_leaves_no_file();
    sessions_tell_and_stop();
    temp_remove(&folder);
}

static const weft_test tests[] = { { "from a configuration to logits, cancelled anywhere", all } };
TEST_MAIN(tests)
