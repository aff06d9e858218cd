/* engine.c: an engine's life: its queue, which any thread may put tasks into, and its thread, which takes them out. */
#include "tools/serve/engine_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- tasks ---- */

void task_destroy(task *t)
{
    if (!t) return;
    weft_matcher_destroy(t->matcher);
    weft_sampler_destroy(t->sampler);
    weft_token_stream_destroy(t->stream);
    weft_ngrams_destroy(t->ngrams);
    free(t->expected);
    free(t->logprobs);
    free(t->sum);
    free(t->past);
    free(t->ids);
    free(t);
}

static weft_status fill_task(engine *e, const task_desc *d, task *t, weft_error *err)
{
    const weft_token_stream_desc stream = { .stop = d->stop, .n_stop = d->n_stop, .keep_special = d->n_shown };
    uint32_t n_vocab = weft_session_n_vocab(e->d.session);
    if (!weft__grow(&t->ids, &t->cap, d->n, sizeof *t->ids)) return WEFT_OOM_FAIL(err, "a prompt");
    memcpy(t->ids, d->ids, d->n * sizeof *d->ids);
    if (d->pool) {
        t->sum = calloc(e->n_embed, sizeof *t->sum);
        return t->sum ? WEFT_OK : WEFT_OOM_FAIL(err, "hidden states");
    }
    if (d->n_expected) {
        t->expected = malloc(d->n_expected * sizeof *t->expected);
        if (!t->expected) return WEFT_OOM_FAIL(err, "a prediction");
        memcpy(t->expected, d->expected, d->n_expected * sizeof *t->expected);
        t->n_expected = d->n_expected;
    }
    if (d->logprobs) {
        t->n_top = d->n_top < n_vocab ? d->n_top : n_vocab;
        t->logprobs = calloc(1 + t->n_top, sizeof *t->logprobs);
        if (!t->logprobs) return WEFT_OOM_FAIL(err, "log-probabilities");
    }
    if (d->grammar) WEFT_TRY(weft_matcher_create(d->grammar, &t->matcher, err));
    t->pick_first = weft_sampling_may_pick_first(&d->sampling);
    WEFT_TRY(weft_sampler_create(&d->sampling, n_vocab, &t->sampler, err));
    return weft_token_stream_create(e->d.tokenizer, &stream, &t->stream, err);
}

weft_status task_create(engine *e, const task_desc *d, task **out, weft_error *err)
{
    task *t = *out = calloc(1, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a request");
    *t = (task){ .e = e, .n = d->n, .n_prompt = (uint32_t)d->n,
                 .max_tokens = d->max_tokens ? d->max_tokens : UINT32_MAX, .sequence = NO_SEQUENCE,
                 .adapter = d->adapter, .pool = d->pool, .ignore_eos = d->ignore_eos, .client = d->client,
                 .shown = d->shown, .n_shown = d->n_shown,
                 .scores = d->scores && d->logprobs, .none = d->none,
                 .drafts = d->drafts && !d->none, .shift = d->shift, .n_keep = d->n_keep,
                 .listener = d->listener };
    weft_status status = fill_task(e, d, t, err);
    if (!status) return WEFT_OK;
    task_destroy(t);
    *out = NULL;
    return status;
}

task_tokens task_count(const task *t)
{
    return (task_tokens){ .prompt = t->n_prompt, .cached = t->n_cached, .picked = t->n_picked, .drafted = t->n_drafted,
                          .accepted = t->n_accepted, .dropped = t->n_dropped };
}

int task_stopped(const task *t)
{
    return t->stream ? weft_token_stream_stopped(t->stream) : -1;
}

/* ---- the queue ---- */

bool engine_reserve(engine *e, uint32_t n)
{
    pthread_mutex_lock(&e->lock);
    bool room = !e->closed && e->n_queue + e->n_reserved + n <= e->d.queue;
    if (room) e->n_reserved += n;
    pthread_mutex_unlock(&e->lock);
    return room;
}

void engine_submit(engine *e, task *const *t, uint32_t n)
{
    pthread_mutex_lock(&e->lock);
    for (uint32_t i = 0; i < n; i++) {
        t[i]->order = e->n_submitted++;
        *e->last = t[i];
        e->last = &t[i]->next;
    }
    e->n_queue += n;
    e->n_reserved -= n;
    atomic_store(&e->counts.waiting, e->n_queue);
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

void engine_put_back(engine *e, task *t)
{
    pthread_mutex_lock(&e->lock);
    t->next = e->queue;
    e->queue = t;
    if (!t->next) e->last = &t->next;
    e->n_queue++;
    pthread_mutex_unlock(&e->lock);
}

static task *take_out(engine *e, task **at)
{
    task *t = *at;
    *at = t->next;
    if (e->last == &t->next) e->last = at;
    t->next = NULL;
    e->n_queue--;
    return t;
}

static uint32_t running_of(const engine *e, uint64_t client)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->n_running; i++) n += e->running[i]->client == client;
    return n;
}

/* The task that is next; NULL: none, or all of them should wait for what others evaluate. */
static task *take_next(engine *e)
{
    task **best = NULL;
    uint32_t least = UINT32_MAX;
    pthread_mutex_lock(&e->lock);
    for (task **at = &e->queue; *at; at = &(*at)->next) {
        uint32_t n = running_of(e, (*at)->client);
        if (n >= least || engine_should_wait(e, *at)) continue;
        best = at;
        least = n;
    }
    task *t = best ? take_out(e, best) : NULL;
    atomic_store(&e->counts.waiting, e->n_queue);
    pthread_mutex_unlock(&e->lock);
    return t;
}

/* ---- the thread ---- */

static void end_task(task *t, task_end how, const weft_error *err)
{
    weft_matcher_destroy(t->matcher); /* its grammar may go with the last call */
    t->matcher = NULL;
    t->listener.end(t->listener.ctx, how, err);
    task_destroy(t);
}

void engine_finish(engine *e, task *t, task_end how, const weft_error *err)
{
    uint32_t i = 0;
    while (i < e->n_running && e->running[i] != t) i++;
    if (i < e->n_running) {
        memmove(e->running + i, e->running + i + 1, (e->n_running - i - 1) * sizeof *e->running);
        e->n_running--;
    }
    engine_unseat(e, t, how != TASK_FAILED);
    e->held = false;
    if (how == TASK_FAILED) atomic_fetch_add(&e->counts.failures, 1);
    end_task(t, how, err);
}

static void admit(engine *e)
{
    weft_error err;
    task *t;
    while (!e->held && e->n_running < e->d.slots && (t = take_next(e))) {
        if (!engine_seat(e, t, &err)) {
            end_task(t, TASK_FAILED, &err);
            continue;
        }
        e->running[e->n_running++] = t;
        if (!t->counted) atomic_fetch_add(&e->counts.cached_tokens, t->n_cached);
        if (!t->counted) atomic_fetch_add(&e->counts.prompt_tokens, t->n_prompt);
        t->counted = true;
    }
    atomic_store(&e->counts.running, e->n_running);
}

/* Tasks whose clients have gone, of those that run and those that wait. */
static void drop_gone(engine *e)
{
    enum { ALL = 64 };
    task *gone[ALL];
    uint32_t n = 0;
    double now = weft__seconds();
    if (now - e->asked < 0.1) return;
    e->asked = now;
    for (uint32_t i = e->n_running; i-- > 0;)
        if (e->running[i]->listener.gone(e->running[i]->listener.ctx))
            engine_finish(e, e->running[i], TASK_CANCELLED, NULL);
    pthread_mutex_lock(&e->lock);
    for (task **at = &e->queue; *at && n < ALL;)
        if ((*at)->listener.gone((*at)->listener.ctx)) gone[n++] = take_out(e, at);
        else at = &(*at)->next;
    pthread_mutex_unlock(&e->lock);
    for (uint32_t i = 0; i < n; i++) end_task(gone[i], TASK_CANCELLED, NULL);
}

static void drop_all(engine *e)
{
    while (e->n_running) engine_finish(e, e->running[0], TASK_CANCELLED, NULL);
    for (;;) {
        pthread_mutex_lock(&e->lock);
        task *t = e->queue ? take_out(e, &e->queue) : NULL;
        pthread_mutex_unlock(&e->lock);
        if (!t) return;
        end_task(t, TASK_CANCELLED, NULL);
    }
}

/* Waits for something to do. False: there will be nothing more. */
static bool await(engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->n_running && !e->queue && !e->between && !e->closed) pthread_cond_wait(&e->changed, &e->lock);
    bool at_once = e->at_once, more = e->n_running || e->queue || e->between;
    pthread_mutex_unlock(&e->lock);
    if (at_once) drop_all(e);
    return more && !at_once;
}

static void call_between(engine *e)
{
    pthread_mutex_lock(&e->lock);
    void (*call)(void *ctx) = e->between;
    e->between = NULL;
    pthread_mutex_unlock(&e->lock);
    if (call) call(e->between_ctx);
}

bool engine_between(engine *e, void (*call)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&e->lock);
    const bool takes = !e->between && !e->closed;
    if (takes) {
        e->between = call;
        e->between_ctx = ctx;
        pthread_cond_signal(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    return takes;
}

/* The first run touches memory for the first time, which takes longer than the run: let it be none of a request. */
static void warm_up(engine *e)
{
    enum { TOKENS = 16 };
    weft_error err;
    weft_batch_token batch[TOKENS] = { { 0 } };
    const uint32_t context = weft_session_context(e->d.session), n = context < TOKENS ? context : TOKENS;
    if (!e->d.embeds) batch[n - 1].wants = WEFT_WANT_LOGITS;
    cores_take(e->d.cores, e->d.threads, e);
    weft_status status = weft_session_eval(e->d.session, batch, n, &(weft_rows){ .logits = e->logits }, &err);
    if (!status) status = weft_session_truncate(e->d.session, 0, 0, &err);
    (void)status; /* what fails here fails in requests, and says so there */
    cores_give(e->d.cores, e->d.threads);
}

static void *work(void *ctx)
{
    engine *e = ctx;
    warm_up(e);
    while (await(e)) {
        drop_gone(e);
        admit(e);
        cores_take(e->d.cores, e->d.threads, e);
        if (e->n_running) engine_step(e);
        call_between(e);
        cores_give(e->d.cores, e->d.threads);
        atomic_store(&e->counts.running, e->n_running);
        atomic_store(&e->counts.cells_free, weft_session_cells_free(e->d.session));
    }
    call_between(e); /* whoever asked late is told that it ends */
    return NULL;
}

/* ---- life ---- */

static void free_engine(engine *e)
{
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->changed);
    free(e->sequences);
    free(e->running);
    free(e->batch);
    free(e->logits);
    free(e->row);
    free(e->hidden);
    guesser_close(&e->guesser);
    free(e);
}

weft_status engine_start(const engine_desc *d, engine **out, weft_error *err)
{
    engine *e = *out = calloc(1, sizeof *e);
    if (!e) return WEFT_OOM_FAIL(err, "the server");
    e->d = *d;
    e->last = &e->queue;
    e->n_sequences = d->slots + d->kept;
    e->n_embed = weft_model_info_get(d->model)->n_embed;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    e->sequences = calloc(e->n_sequences, sizeof *e->sequences);
    e->running = calloc(d->slots, sizeof(task *));
    e->n_rows = weft_session_settled(d->session)->max_rows;
    e->n_draft = weft_session_check_rollback(d->session, ENGINE_DRAFT, NULL) ? 0 : ENGINE_DRAFT;
    e->logits = calloc(e->n_rows, (weft_session_n_vocab(d->session) + 1) * sizeof *e->logits);
    e->row = calloc(weft_session_n_vocab(d->session) + 1, sizeof *e->row);
    atomic_store(&e->counts.cells_free, weft_session_cells_free(d->session));
    const bool ok = e->row && e->sequences && e->running && e->logits;
    weft_status status = ok ? guesser_open(e, d, err) : WEFT_OOM_FAIL(err, "the server");
    if (!status && pthread_create(&e->thread, NULL, work, e)) status = WEFT_OOM_FAIL(err, "the server");
    if (!status) return WEFT_OK;
    free_engine(e);
    *out = NULL;
    return status;
}

void engine_close(engine *e, bool at_once)
{
    pthread_mutex_lock(&e->lock);
    e->closed = true;
    e->at_once |= at_once;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

bool engine_is_idle(engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool idle = !e->queue && !e->between && !atomic_load(&e->counts.running);
    pthread_mutex_unlock(&e->lock);
    return idle;
}

void engine_destroy(engine *e)
{
    if (!e) return;
    engine_close(e, false);
    pthread_join(e->thread, NULL);
    free_engine(e);
}

const engine_counts *engine_count(const engine *e)
{
    return &e->counts;
}
