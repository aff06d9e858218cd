/* batch.c: one step: which tokens of which tasks are evaluated together, and what is done where that fails. A fault in
 * one task ends no other: a batch that fails is tried again task by task. */
#include "tools/serve/engine_impl.h"

#include <string.h>

static uint32_t pending(const task *t)
{
    return (uint32_t)t->n - t->done;
}

static bool generates(const task *t)
{
    return pending(t) == 1 && !t->pool;
}

/* Tokens of prompts that a step has room for beside n that generate, or beside another model's: as many as its time
 * allows. */
static uint32_t room_beside(const engine *e, uint32_t n)
{
    const uint32_t least = 8, most = weft_session_settled(e->d.session)->max_tokens;
    if (!n && !cores_are_shared(e->d.cores)) return most;
    if (e->alone <= 0 || e->each <= 0) return 4 * least; /* not measured yet */
    double room = ((double)e->d.pace - 1) * e->alone / e->each;
    if (room + n > most) return most > n + least ? most - n : least;
    return room > least ? (uint32_t)room : least;
}

/* What a step has taken tells how much the next may have; the newest eighth counts. Prompts by themselves are read
 * faster than a few of their tokens beside others, so they tell only where nothing else has. */
static void learn(engine *e, uint32_t n_generate, uint32_t n_prompt, double seconds)
{
    const double part = 0.125;
    double *what = n_prompt ? &e->each : &e->alone, beside = n_generate ? e->alone : 0;
    double x = n_prompt ? (seconds > beside ? seconds - beside : 0) / n_prompt : seconds;
    if (n_prompt && !n_generate && e->mixed) return;
    bool first = *what <= 0 || (n_prompt && n_generate && !e->mixed);
    e->mixed |= n_prompt && n_generate;
    *what = first ? x : *what + part * (x - *what);
}

/* One token for each task that generates, which are counted; of the rest of the step every prompt gets the same. */
static uint32_t share_out(engine *e)
{
    uint32_t n_generate = 0, n_prompts = 0;
    for (uint32_t i = 0; i < e->n_running; i++)
        if (generates(e->running[i])) n_generate++;
        else n_prompts++;
    uint32_t room = room_beside(e, n_generate), rows = e->n_rows - e->n_running; /* beside one for each task */
    if (room < n_prompts) room = n_prompts;
    for (uint32_t i = 0; i < e->n_running; i++) {
        task *t = e->running[i];
        if (generates(t)) {
            t->quota = 1;
            continue;
        }
        uint32_t part = room / n_prompts--;
        t->quota = pending(t) < part ? pending(t) : part;
        if (t->scores && t->quota > 1 + rows) t->quota = 1 + rows;
        if (t->scores) rows -= t->quota - 1;
        room -= t->quota;
    }
    return n_generate;
}

/* Token k of a step, of a task that wants hidden states, is one whose state counts. */
static bool is_pooled(const task *t, uint32_t k)
{
    const size_t i = t->done + k;
    return t->pool == TASK_POOL_MEAN || (t->pool == TASK_POOL_FIRST && !i) ||
           (t->pool == TASK_POOL_LAST && i + 1 == t->n);
}

/* Token k of a step is one whose row scores the next of the prompt, which was not told yet. */
static bool is_scored(const task *t, uint32_t k)
{
    const size_t next = t->done + k + 1;
    return t->scores && next < t->n_prompt && next >= t->n_scored;
}

static bool fill(engine *e, task *const *tasks, uint32_t n_tasks)
{
    e->n_batch = 0;
    for (uint32_t i = 0; i < n_tasks; i++) {
        task *t = tasks[i];
        t->n_rows = 0;
        if (!weft__grow(&e->batch, &e->cap_batch, e->n_batch + t->quota + t->draft.n, sizeof *e->batch)) return false;
        for (uint32_t k = 0; k < t->quota; k++) {
            const bool scored = is_scored(t, k);
            t->n_rows += scored;
            e->batch[e->n_batch++] = (weft_batch_token){ .id = t->ids[t->done + k], .sequence = t->sequence,
                                                         .wants = scored            ? WEFT_WANT_LOGITS
                                                                  : is_pooled(t, k) ? WEFT_WANT_HIDDEN : 0 };
        }
        if (!t->pool && t->done + t->quota == t->n) e->batch[e->n_batch - 1].wants = WEFT_WANT_LOGITS;
        for (uint32_t k = 0; k < t->draft.n; k++)
            e->batch[e->n_batch++] = (weft_batch_token){ t->draft.ids[k], t->sequence, WEFT_WANT_LOGITS };
    }
    return true;
}

/* Evaluates the quotas of some tasks; the rows of logits are in their order. */
static weft_status evaluate(engine *e, task *const *tasks, uint32_t n, weft_error *err)
{
    bool ok = fill(e, tasks, n) &&
              (!e->d.embeds || weft__grow(&e->hidden, &e->cap_hidden, e->n_batch * e->n_embed, sizeof *e->hidden));
    if (!ok) return WEFT_OOM_FAIL(err, "a batch");
    const weft_rows rows = { .logits = e->logits, .hidden = e->hidden };
    weft_status status = weft_session_eval(e->d.session, e->batch, e->n_batch, &rows, err);
    while (status == WEFT_LIMIT && engine_evict(e))
        status = weft_session_eval(e->d.session, e->batch, e->n_batch, &rows, err);
    for (uint32_t i = 0; i < n; i++) tasks[i]->done = weft_session_length(e->d.session, tasks[i]->sequence);
    return status;
}

/* Where the results of the next task are. */
typedef struct results { float *logits; const float *hidden; } results;

static void take_hidden(engine *e, task *t, results *r)
{
    uint32_t rows = t->pool == TASK_POOL_MEAN ? t->quota
                    : t->pool == TASK_POOL_LAST ? t->done == t->n : t->done == t->quota;
    for (uint32_t i = 0; i < rows; i++, r->hidden += e->n_embed)
        for (uint32_t k = 0; k < e->n_embed; k++) t->sum[k] += (double)r->hidden[k];
    if (t->done < t->n) return;
    t->listener.vector(t->listener.ctx, t->sum, e->n_embed);
    engine_finish(e, t, TASK_LENGTH, NULL);
}

/* Tells what the model says of the prompt's tokens that this step has scored, and first of all that of the first it
 * says nothing. */
static void take_scores(engine *e, task *t, results *r)
{
    for (uint32_t i = t->n_scored ? 1 : 0; i <= t->n_rows; i++) {
        task_token told = { .id = t->ids[t->n_scored++], .text = "", .n_top = t->n_top };
        if (i) {
            engine_score(e, t, r->logits, told.id);
            told.logprobs = t->logprobs;
            r->logits += weft_session_n_vocab(e->d.session);
        }
        t->listener.scored(t->listener.ctx, &told, t->n_scored == t->n_prompt);
    }
}

/* Picks from the row behind the task's last token, and as long as drafted tokens are what is picked, from theirs. */
static void take_logits(engine *e, task *t, results *r)
{
    weft_error err = { 0 };
    const uint32_t n = t->draft.n, width = weft_session_n_vocab(e->d.session);
    uint32_t i = 0;
    task_end how;
    for (;; i++) {
        how = engine_pick(e, t, r->logits + (size_t)i * width, &err);
        if (how != TASK_GOING || i == n || t->ids[t->n - 1] != t->draft.ids[i]) break;
    }
    r->logits += (size_t)(1 + n) * width;
    if (how != TASK_FAILED && engine_accept(e, t, i, &err)) how = TASK_FAILED;
    if (how == TASK_GOING && t->n > weft_session_context(e->d.session) && engine_shift(e, t, &err)) how = TASK_FAILED;
    if (how != TASK_GOING) engine_finish(e, t, how, &err);
}

/* What became of a task that was evaluated; it may be gone then. */
static void follow(engine *e, task *t, results *r)
{
    if (t->pool) {
        take_hidden(e, t, r);
        return;
    }
    if (t->scores && t->n_scored < t->n_prompt) take_scores(e, t, r);
    if (t->done < t->n) return;
    if (!t->none) {
        take_logits(e, t, r);
        return;
    }
    r->logits += weft_session_n_vocab(e->d.session);
    engine_finish(e, t, TASK_LENGTH, NULL);
}

/* The newest task gives its pages back and begins again later, with what it has picked. */
static bool preempt(engine *e)
{
    if (e->n_running < 2) return false;
    task *newest = e->running[--e->n_running];
    newest->draft.n = 0;
    engine_unseat(e, newest, false);
    if (newest->pool) memset(newest->sum, 0, e->n_embed * sizeof *newest->sum);
    engine_put_back(e, newest);
    e->held = true;
    atomic_fetch_add(&e->counts.preempted, 1);
    return true;
}

static void step_alone(engine *e, task *t)
{
    weft_error err;
    weft_status status = evaluate(e, &t, 1, &err);
    results r = { e->logits, e->hidden };
    if (status == WEFT_LIMIT) engine_finish(e, t, TASK_LENGTH, NULL); /* there are no more pages than it has */
    else if (status) engine_finish(e, t, TASK_FAILED, &err);
    else follow(e, t, &r);
}

/* What to do where a batch has failed: without drafts it may not, nor without the newest task. */
static bool try_again(engine *e, weft_status status, uint32_t n_drafted)
{
    if (status && n_drafted) return engine_undraft(e, status != WEFT_LIMIT), true;
    return status == WEFT_LIMIT && preempt(e);
}

static void learn_from(engine *e, uint32_t n_generate, uint32_t n_drafted, double seconds)
{
    const uint32_t n_prompt = (uint32_t)e->n_batch - n_generate - n_drafted;
    for (uint32_t i = 0; i < e->n_running; i++) {
        task *t = e->running[i];
        if (t->quota > 1) weft__pace_prompt(&t->pace, seconds * t->quota / (double)e->n_batch);
    }
    if (!n_drafted) learn(e, n_generate, n_prompt, seconds);
    if (!n_prompt) engine_timed(e, n_generate, n_drafted, seconds);
}

void engine_step(engine *e)
{
    task *tasks[ENGINE_SLOTS];
    weft_error err;
    weft_status status = WEFT_OK;
    uint32_t n, n_generate = 0, n_drafted = 0;
    double began;
    do {
        n = e->n_running;
        for (uint32_t i = 0; i < n; i++) tasks[i] = e->running[i];
        n_generate = share_out(e);
        n_drafted = status ? 0 : engine_draft(e, n_generate);
        began = weft__seconds();
        status = evaluate(e, tasks, n, &err);
    } while (try_again(e, status, n_drafted));
    if (!status) learn_from(e, n_generate, n_drafted, weft__seconds() - began);
    atomic_fetch_add(&e->counts.steps, 1);
    results r = { e->logits, e->hidden };
    for (uint32_t i = 0; i < n; i++)
        if (status) step_alone(e, tasks[i]);
        else follow(e, tasks[i], &r);
}
