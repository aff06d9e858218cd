/* test_submit.c: evaluations in two steps, what may be done in between, cancelling them, and which of a session's
 * programs runs how many tokens. */
#include "reference.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static weft_error err;

enum { LENGTH = 23 };

static int32_t token(uint32_t i)
{
    return (int32_t)((i * 2654435761u >> 8) % REF_VOCAB);
}

/* Two sequences in turn; the last token of each wants its logits. */
static void fill(weft_batch_token *t)
{
    for (uint32_t i = 0; i < LENGTH; i++)
        t[i] = (weft_batch_token){ token(i), i & 1, i + 2 >= LENGTH ? WEFT_WANT_LOGITS : 0 };
}

static void clear(weft_session *s)
{
    for (uint32_t i = 0; i < 2; i++) CHECK_OK(weft_session_truncate(s, i, 0, &err), err);
}

/* ---- in two steps ---- */

/* What a session refuses while an evaluation is under way. */
static void refuses(weft_session *s)
{
    weft_batch_token t = { 1, 0, 0 };
    weft_generated r;
    weft_tokens pending;
    uint32_t shared;
    int32_t id = 1;
    CHECK_STATUS(weft_session_eval(s, &t, 1, NULL, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "must be waited for");
    CHECK_STATUS(weft_session_submit(s, &t, 1, NULL, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_truncate(s, 0, 0, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_discard(s, 0, 0, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_fork(s, 0, 2, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_share(s, 2, &id, 1, &shared, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_save(s, 0, NULL, 0, "never.state", &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_load(s, 2, "never.state", &pending, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_check(s, &id, 1, NULL, NULL, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_generate(s, 2, &id, 1, &(weft_generate_desc){ 0 }, &r, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_program_write(weft_session_program(s, LENGTH), (weft_ref){ 1 }, 0, &id, 4, &err), WEFT_INVALID,
                 err);
}

static void two_steps(const char *device)
{
    bundled b;
    const weft_session_desc desc = { .n_sequences = 3, .max_tokens = 9, .context = 64 };
    float want[2 * REF_VOCAB], got[2 * REF_VOCAB] = { 0 };
    weft_batch_token t[LENGTH];
    fill(t);
    if (bundled_open(&b, device, &desc)) {
        CHECK_OK(weft_session_eval(b.s, t, LENGTH, &(weft_rows){ .logits = want }, &err), err);
        clear(b.s);
        CHECK_STATUS(weft_session_wait(b.s, &err), WEFT_INVALID, err);
        CHECK_OK(weft_session_submit(b.s, t, LENGTH, &(weft_rows){ .logits = got }, &err), err);
        refuses(b.s);
        CHECK_OK(weft_session_wait(b.s, &err), err);
        CHECK(!memcmp(got, want, sizeof want));
        CHECK_EQ_INT(weft_session_length(b.s, 0), LENGTH / 2 + 1);
        CHECK_STATUS(weft_session_wait(b.s, &err), WEFT_INVALID, err);
        clear(b.s);
        /* what is refused is refused at once, and leaves nothing to wait for */
        t[LENGTH - 1].id = REF_VOCAB;
        CHECK_STATUS(weft_session_submit(b.s, t, LENGTH, &(weft_rows){ .logits = got }, &err), WEFT_INVALID, err);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 0);
        CHECK_OK(weft_session_submit(b.s, t, 0, NULL, &err), err);
        CHECK_OK(weft_session_wait(b.s, &err), err);
        CHECK_OK(weft_session_submit(b.s, t, LENGTH - 2, NULL, &err), err); /* destroyed while it runs */
    }
    bundled_close(&b);
}

static weft_session *target;

/* What a session calls from within finds it busy, and changes nothing. */
static bool meddle(void *ctx, const weft_progress *p)
{
    const weft_batch_token t = { 1, 0, 0 };
    uint32_t *told = ctx;
    if (strcmp(p->what, "evaluating")) return true;
    ++*told;
    CHECK_STATUS(weft_session_truncate(target, 0, 0, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_eval(target, &t, 1, NULL, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_session_wait(target, &err), WEFT_INVALID, err);
    return true;
}

static void called_from_within(void)
{
    bundled b;
    uint32_t told = 0;
    const weft_session_desc desc = { .n_sequences = 2, .max_tokens = 9, .context = 64, .progress = { meddle, &told } };
    float want[2 * REF_VOCAB], got[2 * REF_VOCAB];
    weft_batch_token t[LENGTH];
    fill(t);
    if (bundled_open(&b, "cpu,threads=1", &desc)) {
        target = b.s;
        CHECK_OK(weft_session_eval(b.s, t, LENGTH, &(weft_rows){ .logits = want }, &err), err);
        CHECK(told > 3);
        clear(b.s);
        CHECK_OK(weft_session_submit(b.s, t, LENGTH, &(weft_rows){ .logits = got }, &err), err);
        CHECK_OK(weft_session_wait(b.s, &err), err);
        CHECK(!memcmp(got, want, sizeof want));
        CHECK_EQ_INT(weft_session_length(b.s, 0), LENGTH / 2 + 1);
    }
    bundled_close(&b);
}

/* ---- which program ---- */

/* Tokens run: 14 = 9 + 5, then 1, then 2; every program's launches tell whose turn it was. */
static void the_smallest_that_holds_them(const char *device)
{
    static const struct { uint32_t n; bool runs[3]; } turns[] = {
        { 14, { true, true, false } }, { 1, { false, false, true } }, { 2, { false, false, true } },
        { 3, { false, true, false } }, { 9, { true, false, false } },
    };
    static const size_t sizes[] = { 9, 5, 2 };
    bundled b;
    weft_batch_token t[14];
    const weft_session_desc desc = { .max_tokens = 9, .bounds = { 2, 5, 9, 70 }, .context = 64 };
    for (uint32_t i = 0; i < 14; i++) t[i] = (weft_batch_token){ token(i), 0, 0 };
    if (bundled_open(&b, device, &desc)) {
        const uint32_t *bounds = weft_session_settled(b.s)->bounds;
        CHECK(bounds[0] == 2 && bounds[1] == 5 && bounds[2] == 0);
        CHECK(weft_session_program(b.s, 1) == weft_session_program(b.s, 2));
        CHECK(weft_session_program(b.s, 6) == weft_session_program(b.s, SIZE_MAX));
        weft_session_plan *none;
        for (uint32_t i = 0; i < 2; i++) { /* a gap among them, and before them */
            const weft_session_desc gap = { .bounds = { 2 * i, 0, 5 } };
            CHECK_STATUS(weft_session_plan_create(b.m, &gap, &none, &err), WEFT_INVALID, err);
        }
        for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
            uint64_t before[3];
            for (int k = 0; k < 3; k++)
                before[k] = weft_program_counters(weft_session_program(b.s, sizes[k])).launches;
            CHECK_OK(weft_session_eval(b.s, t, turns[i].n, NULL, &err), err);
            for (int k = 0; k < 3; k++) {
                bool ran = weft_program_counters(weft_session_program(b.s, sizes[k])).launches > before[k];
                CHECK_EQ_INT(ran, turns[i].runs[k]);
            }
        }
    }
    bundled_close(&b);
}

/* ---- cancelling ---- */

static bool cancel_here(void *ctx, int32_t id, const char *text, size_t n)
{
    uint32_t *left = ctx;
    (void)id, (void)text, (void)n;
    if (!(*left)--) weft_session_cancel(target);
    return true;
}

static void generations(bundled *b)
{
    weft_generated r;
    uint32_t left = 3;
    const weft_generate_desc d = { .max_tokens = 20, .ignore_eos = true, .on_token = cancel_here, .ctx = &left };
    const int32_t prompt[] = { token(1), token(2) };
    target = b->s;
    if (CHECK_OK(weft_generate(b->s, 2, prompt, 2, &d, &r, &err), err)) {
        CHECK_EQ_INT(r.stop, WEFT_STOP_CANCELLED);
        CHECK_EQ_INT(r.n_tokens, 4);
        CHECK_EQ_INT(weft_session_length(b->s, 2), 2 + 3);
        weft_generated_free(&r);
    }
}

static void between_chunks(const char *device)
{
    bundled b;
    const weft_session_desc desc = { .n_sequences = 3, .max_tokens = 9, .context = 64 };
    float want[2 * REF_VOCAB], got[2 * REF_VOCAB] = { 0 };
    weft_batch_token t[LENGTH];
    fill(t);
    if (bundled_open(&b, device, &desc)) {
        weft_session_cancel(b.s); /* nothing is under way */
        CHECK_OK(weft_session_eval(b.s, t, LENGTH, &(weft_rows){ .logits = want }, &err), err);
        clear(b.s);
        CHECK_OK(weft_session_eval(b.s, t, 1, NULL, &err), err);
        CHECK_OK(weft_session_submit(b.s, t + 1, LENGTH - 1, &(weft_rows){ .logits = got }, &err), err);
        weft_session_cancel(b.s);
        CHECK_STATUS(weft_session_wait(b.s, &err), WEFT_CANCELLED, err);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 1);
        CHECK_EQ_INT(weft_session_length(b.s, 1), 0);
        CHECK_OK(weft_session_eval(b.s, t + 1, LENGTH - 1, &(weft_rows){ .logits = got }, &err), err);
        CHECK(relative_difference(got, want, REF_VOCAB) < 1e-4);
        generations(&b);
    }
    bundled_close(&b);
}

static atomic_bool ended;

static void *cancel_again_and_again(void *s)
{
    while (!atomic_load(&ended)) weft_session_cancel(s);
    return NULL;
}

/* Until one is hit, however the threads are scheduled; then none is any more. */
static void from_another_thread(void)
{
    bundled b;
    pthread_t thread;
    weft_batch_token t[LENGTH];
    const weft_session_desc desc = { .n_sequences = 3, .max_tokens = 1, .context = 64 };
    fill(t);
    if (bundled_open(&b, "cpu,threads=1", &desc) &&
        CHECK_EQ_INT(pthread_create(&thread, NULL, cancel_again_and_again, b.s), 0)) {
        weft_status s = WEFT_OK;
        while (!s) {
            clear(b.s);
            s = weft_session_eval(b.s, t, LENGTH - 2, NULL, &err);
        }
        CHECK_STATUS(s, WEFT_CANCELLED, err);
        CHECK_EQ_INT(weft_session_length(b.s, 0), 0);
        atomic_store(&ended, true);
        pthread_join(thread, NULL);
        CHECK_OK(weft_session_eval(b.s, t, LENGTH - 2, NULL, &err), err);
    }
    bundled_close(&b);
}

static void on_the_cpu(void)
{
    two_steps("cpu,threads=2");
    called_from_within();
    the_smallest_that_holds_them("cpu,threads=1");
    between_chunks("cpu,threads=2");
    from_another_thread();
}

static void on_vulkan(void)
{
    two_steps("vulkan:0");
    the_smallest_that_holds_them("vulkan:0");
    between_chunks("vulkan:0");
}

static const weft_test tests[] = { { "CPU", on_the_cpu }, { "Vulkan", on_vulkan } };
TEST_MAIN(tests)
