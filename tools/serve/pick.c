/* pick.c: from a row of logits to the next token of a task, its text, and whether it was the last. */
#include "models/sampler_impl.h"
#include "tools/serve/engine_impl.h"
#include "tools/serve/params.h"

#include <string.h>

void engine_score(engine *e, task *t, const float *logits, int32_t token)
{
    const uint32_t n_vocab = weft_session_n_vocab(e->d.session);
    int32_t ids[1 + PARAMS_TOP] = { token };
    float values[1 + PARAMS_TOP];
    weft__best_ids(logits, n_vocab, t->n_top, ids + 1);
    weft_logprobs(logits, n_vocab, ids, 1 + t->n_top, values);
    for (uint32_t i = 0; i <= t->n_top; i++) t->logprobs[i] = (weft_logprob){ ids[i], values[i] };
}

static bool is_eos(const weft_model *m, int32_t token)
{
    int32_t eos;
    for (uint32_t i = 0; (eos = weft_model_eos(m, i)) >= 0; i++)
        if (eos == token) return true;
    return false;
}

/* A special token that gives no text, though others of this task do. */
static bool is_mute(const engine *e, const task *t, int32_t token)
{
    if (!t->n_shown || !weft_tokenizer_is_special(e->d.tokenizer, token)) return false;
    for (uint32_t i = 0; i < t->n_shown; i++)
        if (t->shown[i] == token) return false;
    return true;
}

/* The text that is certain now; at the end also what was held back. */
static bool tell(const engine *e, task *t, task_token *told, bool hidden, bool last)
{
    bool going = true;
    if (!hidden) {
        if (!is_mute(e, t, told->id)) told->text = weft_token_stream_push(t->stream, told->id, &told->n);
        going = t->listener.token(t->listener.ctx, told);
    }
    if (!last) return going;
    task_token rest = { .id = -1 };
    rest.text = weft_token_stream_finish(t->stream, &rest.n);
    return rest.n ? t->listener.token(t->listener.ctx, &rest) : going;
}

/* The next token, of those that the grammar allows, where there is one; *own is the row as the model gave it. */
static weft_status pick(engine *e, task *t, float *logits, int32_t *token, const float **own, weft_error *err)
{
    size_t n;
    const int32_t *history = engine_history(e, t, &n);
    *own = logits;
    if (!t->matcher) return weft_sampler_pick(t->sampler, logits, history, n, token, NULL, err);
    if (t->logprobs) *own = memcpy(e->row, logits, weft_session_n_vocab(e->d.session) * sizeof *logits);
    return weft_matcher_pick(t->matcher, t->sampler, t->pick_first, logits, history, n, token, err);
}

task_end engine_pick(engine *e, task *t, float *logits, weft_error *err)
{
    task_token told = { .text = "" };
    const float *own;
    if (pick(e, t, logits, &told.id, &own, err)) return TASK_FAILED;
    if (t->logprobs) engine_score(e, t, own, told.id);
    told.logprobs = t->logprobs;
    told.n_top = t->n_top;
    if (engine_remember(e, t, told.id, err)) return TASK_FAILED;
    t->n_picked++;
    atomic_fetch_add(&e->counts.picked_tokens, 1);
    bool eos = !t->ignore_eos && is_eos(e->d.model, told.id);
    bool full = t->n > weft_session_context(e->d.session), length = t->n_picked == t->max_tokens || (full && !t->shift);
    bool whole = t->matcher && weft_matcher_must_end(t->matcher);
    bool going = tell(e, t, &told, eos, eos || length || whole);
    if (weft_token_stream_stopped(t->stream) >= 0) return TASK_STOP;
    return eos || whole ? TASK_EOS : length ? TASK_LENGTH : going ? TASK_GOING : TASK_CANCELLED;
}
