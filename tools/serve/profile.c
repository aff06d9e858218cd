/* profile.c: /profile: where the time of a loaded model goes, as the page of `weft profile --format html`. Measured in
 * the engine's thread between two steps, for a second or so, of which texts under way know: they wait. */
#include "tools/profile.h"

#include "tools/page.h"
#include "tools/serve/server.h"

#include <stdlib.h>
#include <string.h>

enum { PROMPT = 16, WARM_UP = 2, RUNS = 32, LONGEST_RUN = 128, LEAST = 8 }; /* tokens; LEAST: of a context */
static const double part_seconds = 0.3; /* of the prompt, and of decoding */

typedef struct job {
    exchange *x;
    served *m;
    uint32_t sequence;
    weft_session *session; /* that is measured now: the model's, or its draft model's */
    profile_set set;
    float *row; /* of logits, or of hidden states */
    weft_batch_token batch[LONGEST_RUN];
} job;

/* Runs the first n tokens of the batch; the last one gives what the model's texts ask for. */
static weft_status run(job *j, uint32_t n, weft_error *err)
{
    weft_candidate best;
    const weft_rows rows = { .logits = j->row, .hidden = j->row, .candidates = &best };
    weft_session *s = j->session;
    for (uint32_t i = 0; i < n; i++)
        j->batch[i] = (weft_batch_token){ .id = (int32_t)((i * 7919u + 1) % j->m->n_vocab), .sequence = j->sequence };
    j->batch[n - 1].wants = s == j->m->draft_session ? WEFT_WANT_CANDIDATES
                          : j->m->generates          ? WEFT_WANT_LOGITS : WEFT_WANT_HIDDEN;
    weft_status status = weft_session_eval(s, j->batch, n, &rows, err);
    while (status == WEFT_LIMIT && engine_spare_pages(j->m->engine))
        status = weft_session_eval(s, j->batch, n, &rows, err);
    return status;
}

static weft_status clear(job *j, weft_error *err)
{
    return weft_session_truncate(j->session, j->sequence, 0, err);
}

/* A run of n tokens whose time counts. */
static weft_status run_counted(job *j, profile_entry *e, uint32_t n, weft_error *err)
{
    const weft_session *s = j->session;
    weft_program_spans_clear(e->program);
    const uint64_t begin = weft_profile_now();
    WEFT_TRY(run(j, n, err));
    return profile_add(e, begin, weft_session_length(s, j->sequence), weft_session_settled(s)->page, err);
}

static weft_status measure_decoding(job *j, const char *name, weft_error *err)
{
    weft_session *s = j->session;
    profile_entry *e;
    const uint32_t context = weft_session_context(s), prompt = context / 4 < PROMPT ? context / 4 : PROMPT;
    const uint32_t left = context - prompt, runs = left < WARM_UP + RUNS ? left - WARM_UP : RUNS;
    if (context < LEAST) return WEFT_FAIL(err, WEFT_UNSUPPORTED, "a context of %u tokens is too short", context);
    WEFT_TRY(clear(j, err));
    WEFT_TRY(run(j, prompt, err));
    WEFT_TRY(profile_begin(&j->set, name, weft_session_program(s, 1), weft_session_graph(s), 1, &e, err));
    const double began = weft__seconds();
    for (int i = 0; i < WARM_UP; i++) WEFT_TRY(run(j, 1, err));
    for (uint32_t i = 0; i < runs && (i < 3 || weft__seconds() - began < part_seconds); i++)
        WEFT_TRY(run_counted(j, e, 1, err));
    return profile_end(e, err);
}

/* As long a run as has time to be repeated. */
static weft_status choose_length(job *j, uint32_t *out, weft_error *err)
{
    const uint32_t context = j->m->context < LONGEST_RUN ? j->m->context : LONGEST_RUN;
    for (uint32_t n = context < 8 ? context : 8;; n = 4 * n < context ? 4 * n : context) {
        WEFT_TRY(clear(j, err));
        const double began = weft__seconds();
        WEFT_TRY(run(j, n, err));
        *out = n;
        if (n == context || 4 * (weft__seconds() - began) > part_seconds / 4) return WEFT_OK;
    }
}

static weft_status measure_prompts(job *j, weft_error *err)
{
    weft_session *s = j->session;
    profile_entry *e;
    uint32_t n = 0;
    WEFT_TRY(choose_length(j, &n, err));
    if (weft_session_program(s, n) == weft_session_program(s, 1)) return WEFT_OK; /* that is decoding */
    WEFT_TRY(profile_begin(&j->set, "prompt", weft_session_program(s, n), weft_session_graph(s), n, &e, err));
    const double began = weft__seconds();
    for (int i = 0; i < RUNS && (i < 3 || weft__seconds() - began < part_seconds); i++) {
        WEFT_TRY(clear(j, err));
        if (i) WEFT_TRY(run_counted(j, e, n, err));
        else WEFT_TRY(run(j, n, err)); /* warm */
    }
    return profile_end(e, err);
}

/* A token of the draft model, whose session has nothing of this sequence. */
static weft_status measure_draft(job *j, weft_error *err)
{
    j->session = j->m->draft_session;
    weft_status status = measure_decoding(j, "draft", err);
    weft_status cleared = clear(j, status ? NULL : err);
    j->session = j->m->session;
    return status ? status : cleared;
}

static weft_status measure(job *j, weft_error *err)
{
    conditions_begin(&j->set.conditions, &j->m->run.devices, (weft_progress_sink){ 0 });
    WEFT_TRY(weft_session_adapt(j->m->session, j->sequence, WEFT_ADAPTER_NONE, err));
    WEFT_TRY(conditions_turn(&j->set.conditions, err));
    WEFT_TRY(measure_prompts(j, err));
    WEFT_TRY(measure_decoding(j, "decode", err));
    if (j->m->draft_session) WEFT_TRY(measure_draft(j, err));
    return profile_finish(&j->set, err);
}

static weft_status make_page(job *j, weft_text *out, weft_error *err)
{
    weft_text json = { 0 };
    weft_writer to_json = weft_text_writer(&json), to_page = weft_text_writer(out);
    weft_status status = profile_json(&j->set, j->m->name, &to_json, err);
    if (!status) status = cli_page_make(j->m->name, json.data, json.size, NULL, 0, &to_page, err);
    weft_text_free(&json);
    return status;
}

static void end_job(job *j)
{
    for (uint32_t i = 0; i < j->set.n; i++) {
        if (j->set.entry[i].program) (void)!weft_program_profile(j->set.entry[i].program, WEFT_PROFILE_OFF, NULL);
        weft_profile_destroy(j->set.entry[i].profile);
    }
    atomic_flag_clear(&j->x->server->profiling);
    free(j->row);
    exchange_release(j->x);
    free(j);
}

/* In the engine's thread. */
static void work(void *ctx)
{
    job *j = ctx;
    weft_error err = { 0 };
    weft_text page = { 0 };
    weft_status status = WEFT_OK;
    j->sequence = engine_spare(j->m->engine);
    if (atomic_load(&j->x->server->stopping)) status = WEFT_FAIL(&err, WEFT_CANCELLED, "the server is ending");
    else if (j->sequence == UINT32_MAX) status = WEFT_FAIL(&err, WEFT_LIMIT, "no sequence is free");
    else status = measure(j, &err);
    if (j->sequence != UINT32_MAX && clear(j, &err) && !status) status = err.status;
    if (!status) status = make_page(j, &page, &err);
    if (!status) exchange_answer_text(j->x, 200, "text/html; charset=utf-8", page.data, page.size);
    else exchange_error(j->x, status == WEFT_UNSUPPORTED ? 501 : 503, "no_profile", NULL, "%s", err.text);
    weft_text_free(&page);
    end_job(j);
}

void serve_profile(exchange *x)
{
    const char *name = strlen(x->path) > strlen("/profile/") ? x->path + strlen("/profile/") : NULL;
    served *m = server_loaded_model(x, name); /* a GET changes nothing */
    if (!m) return;
    if (atomic_flag_test_and_set(&x->server->profiling)) {
        exchange_error(x, 429, "profiling", NULL, "a profile is being measured already");
        return;
    }
    const uint32_t width = weft_model_info_get(m->model)->n_embed;
    job *j = calloc(1, sizeof *j);
    float *row = calloc(m->n_vocab > width ? m->n_vocab : width, sizeof *row);
    if (j && row) {
        *j = (job){ .x = x, .m = m, .session = m->session, .row = row, .set.mode = WEFT_PROFILE_SCHEDULED };
        exchange_hold(x);
        if (engine_between(m->engine, work, j)) return;
        exchange_error(x, 503, "not_ready", NULL, "the server is ending");
        end_job(j);
        return;
    }
    atomic_flag_clear(&x->server->profiling);
    exchange_error(x, 503, NULL, NULL, "out of memory");
    free(j);
    free(row);
}
