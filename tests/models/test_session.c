/* test_session.c: what a failure leaves behind in a session, checks, continuing a generation, several end tokens, and
 * sizes that cannot be. */
#include "reference.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/contract.h"

static weft_error err;

static const int32_t story[] = { 424, 436, 260, 398 }; /* "Once upon a time" */

/* ---- a device that fails ---- */

static weft_backend_vt failing;
static const weft_backend_vt *real;
static int runs_left;

static weft_status submit(weft_exec *e, uint32_t first, uint32_t n, const int64_t *extents, uint64_t *ticket,
                          weft_error *error)
{
    if (!runs_left--) return WEFT_FAIL(error, WEFT_DEVICE_LOST, "the device is gone");
    return real->exec_submit(e, first, n, extents, ticket, error);
}

/* From now on `runs` runs succeed, then one fails. */
static void fail_after(bundled *b, int runs)
{
    real = &weft__backend_cpu;
    failing = *real;
    failing.exec_submit = submit;
    runs_left = runs;
    b->device->vt = &failing;
}

static void a_failed_call_leaves_sequences_as_they_were(void)
{
    bundled b;
    float want[REF_VOCAB], got[REF_VOCAB];
    const weft_session_desc desc = { .n_sequences = 2, .max_tokens = 4, .context = 64 };
    if (bundled_open(&b, "cpu,threads=1", &desc)) {
        weft_batch_token t[11];
        for (uint32_t i = 0; i < 11; i++) t[i] = (weft_batch_token){ story[i % 4], i & 1, i == 10 };
        CHECK_OK(weft_session_eval(b.s, t, 11, &(weft_rows){ .logits = want }, &err), err);
        CHECK_OK(weft_session_truncate(b.s, 0, 1, &err), err);
        CHECK_OK(weft_session_truncate(b.s, 1, 0, &err), err);
        for (int runs = 0; runs < 3; runs++) {
            fail_after(&b, runs);
            CHECK_STATUS(weft_session_eval(b.s, t + 1, 10, &(weft_rows){ .logits = got }, &err), WEFT_DEVICE_LOST, err);
            CHECK_EQ_INT(weft_session_length(b.s, 0), 1);
            CHECK_EQ_INT(weft_session_length(b.s, 1), 0);
        }
        b.device->vt = real;
        CHECK_OK(weft_session_eval(b.s, t + 1, 10, &(weft_rows){ .logits = got }, &err), err);
        CHECK(relative_difference(got, want, REF_VOCAB) < 1e-5);
    }
    bundled_close(&b);
}

static weft_status no_copy(weft_buf *buf, const weft_state_span *spans, uint32_t n, weft_error *error)
{
    (void)buf, (void)spans, (void)n;
    return WEFT_FAIL(error, WEFT_DEVICE_LOST, "the device is gone");
}

/* Two go on in a page that they have begun together, of which the copy fails. */
static void a_failed_copy_too(void)
{
    bundled b;
    float want[REF_VOCAB], got[REF_VOCAB];
    const weft_session_desc desc = { .n_sequences = 2, .context = 64 };
    if (bundled_open(&b, "cpu,threads=1", &desc)) {
        uint32_t cells = weft_session_cells_free(b.s);
        CHECK_OK(eval_tokens(b.s, 0, story, 4, false, want, &err), err);
        CHECK_OK(weft_session_truncate(b.s, 0, 3, &err), err);
        CHECK_OK(weft_session_fork(b.s, 0, 1, &err), err);
        fail_after(&b, 0);
        failing.buf_copy = no_copy;
        CHECK_STATUS(eval_tokens(b.s, 1, story + 3, 1, false, got, &err), WEFT_DEVICE_LOST, err);
        CHECK_EQ_INT(weft_session_length(b.s, 1), 3);
        b.device->vt = real;
        CHECK_OK(eval_tokens(b.s, 1, story + 3, 1, false, got, &err), err);
        CHECK(relative_difference(got, want, REF_VOCAB) < 1e-3);
        for (uint32_t i = 0; i < 2; i++) CHECK_OK(weft_session_truncate(b.s, i, 0, &err), err);
        CHECK_EQ_INT(weft_session_cells_free(b.s), cells);
    }
    bundled_close(&b);
}

static void a_failed_generation_too(void)
{
    bundled b;
    weft_generated r;
    if (bundled_open(&b, "cpu,threads=1", NULL)) {
        CHECK_OK(eval_tokens(b.s, 0, story, 1, false, NULL, &err), err);
        for (int runs = 0; runs < 5; runs++) {
            fail_after(&b, runs);
            const weft_generate_desc d = { .max_tokens = 8, .n_logprobs = 2 };
            CHECK_STATUS(weft_generate(b.s, 0, story + 1, 3, &d, &r, &err), WEFT_DEVICE_LOST, err);
            CHECK(!r.tokens && !r.text && !r.logprobs);
            CHECK_EQ_INT(weft_session_length(b.s, 0), 1);
        }
        b.device->vt = real;
        CHECK_STATUS(weft_generate(b.s, 7, story, 4, &(weft_generate_desc){ 0 }, &r, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "sequence 7");
    }
    bundled_close(&b);
}

/* ---- rows ---- */

/* Hidden states stand at their tokens in a run: of some tokens they are what they are among all, in other runs, too. */
static void hidden_states_of_some_tokens(void)
{
    bundled b;
    weft_model_info info;
    if (bundled_open(&b, "cpu,threads=1", &(weft_session_desc){ .outputs = WEFT_WANT_HIDDEN, .layer = 1,
                                                               .max_tokens = 3 })) {
        info = *weft_model_info_get(b.m);
        size_t width = info.n_embed;
        float *all = calloc(6 * width, sizeof *all), *some = all + 4 * width;
        weft_batch_token t[4];
        for (uint32_t i = 0; i < 4; i++) t[i] = (weft_batch_token){ story[i], 0, i & 1 ? WEFT_WANT_HIDDEN : 0 };
        CHECK_OK(eval_tokens(b.s, 0, story, 4, true, all, &err), err);
        CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
        CHECK_OK(weft_session_eval(b.s, t, 4, &(weft_rows){ .hidden = some }, &err), err);
        for (size_t i = 0; i < 2; i++)
            CHECK(relative_difference(some + i * width, all + (2 * i + 1) * width, width) < 1e-6);
        free(all);
    }
    bundled_close(&b);
}

/* ---- continuing ---- */

/* Two generations, the second prompt beginning with the token that the first left, are one. */
static void generations_go_on(void)
{
    bundled b;
    weft_generated whole, first, second;
    if (bundled_open(&b, "cpu,threads=1", NULL)) {
        CHECK_OK(weft_generate(b.s, 0, story, 4, &(weft_generate_desc){ .max_tokens = 20 }, &whole, &err), err);
        CHECK_OK(weft_session_truncate(b.s, 0, 0, &err), err);
        CHECK_OK(weft_generate(b.s, 0, story, 4, &(weft_generate_desc){ .max_tokens = 8 }, &first, &err), err);
        CHECK_OK(weft_generate(b.s, 0, &first.tokens[7], 1, &(weft_generate_desc){ .max_tokens = 12 }, &second, &err),
                 err);
        for (uint32_t i = 0; i < 20; i++) CHECK_EQ_INT(i < 8 ? first.tokens[i] : second.tokens[i - 8], whole.tokens[i]);
        weft_generated_free(&whole);
        weft_generated_free(&first);
        weft_generated_free(&second);
    }
    bundled_close(&b);
}

/* A list of end tokens in generation_config.json: each of them ends a text, not the first alone. */
static void every_end_token_ends(void)
{
    static const char *const files[] = { "config.json", "model.safetensors", "tokenizer.json" };
    char folder[] = "session-test-XXXXXX", path[600], target[600];
    bundled b = { 0 };
    weft_generated r;
    weft_model_info info;
    if (!CHECK(mkdtemp(folder) != NULL)) return;
    for (size_t i = 0; i < 3; i++) {
        snprintf(target, sizeof target, "%s/models/bundled/tiny-stories-neox/%s", WEFT_TEST_ROOT, files[i]);
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        CHECK(!symlink(target, path));
    }
    snprintf(path, sizeof path, "%s/generation_config.json", folder);
    FILE *f = fopen(path, "w");
    if (CHECK(f != NULL)) {
        fputs("{ \"eos_token_id\": [0, 284] }", f); /* 284: " was", the third token of the story */
        fclose(f);
    }
    weft_session_desc desc = { .devices = &b.device, .n_devices = 1 };
    if (CHECK_OK(weft_model_open(folder, NULL, &b.m, &err), err) &&
        CHECK_OK(weft_backend_open("cpu,threads=1", &b.device, &err), err) &&
        CHECK_OK(weft_session_create(b.m, &desc, &b.s, &err), err) &&
        CHECK_OK(weft_generate(b.s, 0, story, 4, &(weft_generate_desc){ .max_tokens = 9 }, &r, &err), err)) {
        info = *weft_model_info_get(b.m);
        CHECK_EQ_INT(info.eos, 0);
        CHECK_EQ_INT(r.stop, WEFT_STOP_EOS);
        CHECK_EQ_INT(r.n_tokens, 3);
        CHECK_STR(r.text, ", there");
        weft_generated_free(&r);
    }
    bundled_close(&b);
    unlink(path);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* ---- truncating ---- */

static void forgets_no_more_than_there_is(void)
{
    bundled b;
    const weft_session_desc desc = { .n_sequences = 2, .context = 8 };
    if (bundled_open(&b, "cpu,threads=1", &desc)) {
        CHECK_OK(eval_tokens(b.s, 1, story, 3, false, NULL, &err), err);
        CHECK_STATUS(weft_session_truncate(b.s, 1, 4, &err), WEFT_INVALID, err);
        CHECK_CONTAINS(err.text, "3 tokens, not 4");
        CHECK_STATUS(weft_session_truncate(b.s, 1, UINT32_MAX, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_session_truncate(b.s, 0, 1, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_session_truncate(b.s, 2, 0, &err), WEFT_INVALID, err);
        CHECK_EQ_INT(weft_session_length(b.s, 1), 3);
        CHECK_OK(weft_session_truncate(b.s, 1, 3, &err), err);
        CHECK_EQ_INT(weft_session_length(b.s, 1), 3);
        CHECK_OK(weft_session_truncate(b.s, 1, 0, &err), err);
        CHECK_EQ_INT(weft_session_length(b.s, 1), 0);
    }
    bundled_close(&b);
}

/* ---- checks ---- */

static bool count(void *ctx, const weft_check_node *n)
{
    unsigned *c = ctx;
    c[0]++;
    c[1] += n->failed;
    return true;
}

/* A check sees what a run would, takes what fits one run, and leaves the sequence alone. */
static void checks_leave_no_trace(void)
{
    bundled b;
    const weft_session_desc desc = { .max_tokens = 3 };
    unsigned counts[2] = { 0, 0 };
    if (bundled_open(&b, "cpu,threads=1", &desc)) {
        CHECK_OK(eval_tokens(b.s, 0, story, 1, false, NULL, &err), err);
        CHECK_OK(weft_session_check(b.s, story + 1, 3, count, counts, &err), err);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 1);
        CHECK_OK(weft_session_check(b.s, story, 4, count, counts, &err), err);
        CHECK(counts[0] > 50);
        CHECK_EQ_INT(counts[1], 0);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 1);
        CHECK_STATUS(weft_session_check(b.s, story, 0, count, counts, &err), WEFT_INVALID, err);
        CHECK_STATUS(weft_session_check(b.s, &(int32_t){ REF_VOCAB }, 1, count, counts, &err), WEFT_INVALID, err);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 1);
    }
    bundled_close(&b);
}

/* ---- sizes that cannot be ---- */

static void refuses_absurd_sizes(void)
{
    static const struct {
        weft_session_desc desc;
        bool possible;
    } cases[] = {
        { { .context = UINT32_MAX }, false },
        { { .context = INT32_MAX, .n_sequences = 2 }, false },
        { { .context = 1 << 16, .n_sequences = 1 << 16 }, false }, /* 2^32 cells: none if cut to 32 bits */
        { { .context = INT32_MAX }, false },                       /* the cache overflows no number but every memory */
        { { .context = 4, .max_tokens = UINT32_MAX, .max_rows = UINT32_MAX, .bounds = { UINT32_MAX } }, true },
        { { .context = 1, .n_sequences = 300 }, true },
        { { .weights = WEFT_I32 }, false },
        { { .kv = WEFT_I32 }, false },
        { { .kv_values = WEFT_I32 }, false },
        { { .kv = WEFT_Q4_0, .context = 20 }, true },
        { { .kv_values = WEFT_Q4_0, .context = 20 }, true },
        { { .outputs = WEFT_WANT_HIDDEN, .layer = 7 + 1 }, false },
        { { .outputs = WEFT_WANT_HIDDEN, .layer = UINT32_MAX }, false },
        { { .outputs = 16 }, false },
        { { .bounds = { 8, 8 } }, false },
        { { .bounds = { 8, 4 } }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bundled b = { 0 };
        weft_session_desc desc = cases[i].desc;
        desc.devices = &b.device;
        desc.n_devices = 1;
        if (CHECK_OK(weft_model_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", NULL, &b.m, &err), err) &&
            CHECK_OK(weft_backend_open("cpu,threads=1", &b.device, &err), err)) {
            weft_status s = weft_session_create(b.m, &desc, &b.s, &err);
            if (!CHECK((s == WEFT_OK) == cases[i].possible)) printf("  case %zu: %s\n", i, s ? err.text : "OK");
            CHECK((b.s != NULL) == (s == WEFT_OK));
        }
        bundled_close(&b);
    }
}

/* ---- a prefix that many share ---- */

/* Of all the session's programs. */
static uint64_t launches(const weft_session *s)
{
    static const size_t sizes[] = { 1, 8, 32, 128, 512 };
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        sum += weft_program_counters(weft_session_program(s, sizes[i])).launches;
    return sum;
}

/* 1,000 tokens for 16 sequences: once, in two runs; then one run for a token of each. */
static void a_shared_prefix_is_computed_once(void)
{
    enum { PREFIX = 1000, SHARING = 16 };
    static int32_t ids[PREFIX];
    static float got[SHARING * REF_VOCAB], want[REF_VOCAB];
    bundled b;
    weft_batch_token t[SHARING];
    const weft_session_desc desc = { .n_sequences = 1 + SHARING, .context = PREFIX + 8, .max_rows = SHARING };
    for (uint32_t i = 0; i < PREFIX; i++) ids[i] = story[i % 4] + (int32_t)(i / 4);
    if (bundled_open(&b, "cpu,threads=2", &desc)) {
        CHECK_EQ_INT(launches(b.s), 0);
        CHECK_OK(eval_tokens(b.s, 0, ids, PREFIX, false, NULL, &err), err);
        uint64_t whole = launches(b.s), free_cells = weft_session_cells_free(b.s);
        for (uint32_t i = 1; i <= SHARING; i++) {
            uint32_t shared;
            CHECK_OK(weft_session_share(b.s, i, ids, PREFIX, &shared, &err), err);
            CHECK_EQ_INT(shared, PREFIX);
            t[i - 1] = (weft_batch_token){ story[0], i, WEFT_WANT_LOGITS };
        }
        CHECK_EQ_INT(launches(b.s), whole);
        CHECK_EQ_INT(weft_session_cells_free(b.s), free_cells);
        CHECK_OK(weft_session_eval(b.s, t, SHARING, &(weft_rows){ .logits = got }, &err), err);
        uint64_t one_run = launches(b.s) - whole;
        CHECK_EQ_INT(whole, 2 * one_run); /* 512 and 488 tokens */
        CHECK_OK(eval_tokens(b.s, 0, story, 1, true, want, &err), err);
        for (int i = 0; i < SHARING; i++)
            CHECK(relative_difference(got + i * REF_VOCAB, want, REF_VOCAB) < 1e-3);
    }
    bundled_close(&b);
}

static const weft_test tests[] = {
    { "a failed call leaves sequences as they were", a_failed_call_leaves_sequences_as_they_were },
    { "a failed copy too", a_failed_copy_too },
    { "a failed generation too", a_failed_generation_too },
    { "hidden states of some tokens", hidden_states_of_some_tokens },
    { "generations go on", generations_go_on },
    { "every end token ends", every_end_token_ends },
    { "forgets no more than there is", forgets_no_more_than_there_is },
    { "checks leave no trace", checks_leave_no_trace },
    { "refuses absurd sizes", refuses_absurd_sizes },
    { "a shared prefix is computed once", a_shared_prefix_is_computed_once },
};
TEST_MAIN(tests)
