/* generate.c: the loop that continues a sequence: evaluate, pick, decode, look for a reason to stop. */
#include "models/grammar/grammar.h"
#include "models/model_impl.h"
#include "models/sampler_impl.h"
#include "models/speculation.h"

#include <stdlib.h>
#include <string.h>

typedef struct generator {
    weft_session *s;
    weft_model *m;
    const weft_generate_desc *d;
    weft_generated *r;
    uint32_t sequence;
    float *logits, *masked; /* of each token of a run; masked: room for a grammar, where they are needed as they are */
    weft_candidate *candidates; /* instead of logits, where the session gives them */
    uint32_t n_candidates;
    uint32_t row, base; /* the row that is looked at; tokens that the sequence has up to the first one's */
    double began;       /* when the run did */
    weft__speculation speculation;
    weft_sampler *sampler;
    weft_token_stream *stream; /* NULL: no tokenizer */
    int32_t *history; /* prompt, then what was picked */
    size_t n_history, history_cap, token_cap, logprob_cap;
    weft_text text;
} generator;

const char *weft_stop_name(weft_stop s)
{
    static const char *const names[] = { "length", "eos", "stop", "cancelled", "context" };
    return (unsigned)s < sizeof names / sizeof *names ? names[s] : "?";
}

/* ---- text ---- */

static weft_status append(generator *g, const char *text, size_t n, weft_error *err)
{
    weft_writer w = weft_text_writer(&g->text);
    return !n || w.write(w.ctx, text, n) ? WEFT_OK : WEFT_OOM_FAIL(err, "generated text");
}

/* Adds to the text what a token makes certain, and at its end what was held back. */
static weft_status decode(generator *g, int32_t token, bool silent, bool last, weft_error *err)
{
    size_t n;
    if (!g->stream) return WEFT_OK;
    if (!silent) {
        const char *text = weft_token_stream_push(g->stream, token, &n);
        WEFT_TRY(append(g, text, n, err));
    }
    if (!last) return WEFT_OK;
    const char *text = weft_token_stream_finish(g->stream, &n);
    return append(g, text, n, err);
}

/* False: cancelled. */
static bool tell(const generator *g, int32_t token, size_t from)
{
    const char *text = g->text.data ? g->text.data + from : "";
    return !g->d->on_token || g->d->on_token(g->d->ctx, token, text, g->text.size - from);
}

/* ---- one step ---- */

static float *logits_now(const generator *g)
{
    return g->logits + (size_t)g->row * weft_session_n_vocab(g->s);
}

static weft_status keep_logprobs(generator *g, int32_t token, weft_error *err)
{
    uint32_t n = g->d->n_logprobs, width = 1 + n;
    size_t at = (size_t)g->r->n_tokens * width;
    int32_t *ids = malloc(width * sizeof *ids);
    float *values = malloc(width * sizeof *values);
    weft_status s = ids && values && weft__grow(&g->r->logprobs, &g->logprob_cap, at + width, sizeof *g->r->logprobs)
        ? WEFT_OK : WEFT_OOM_FAIL(err, "log-probabilities");
    if (!s) {
        ids[0] = token;
        weft__best_ids(logits_now(g), weft_session_n_vocab(g->s), n, ids + 1);
        weft_logprobs(logits_now(g), weft_session_n_vocab(g->s), ids, width, values);
        for (uint32_t i = 0; i < width; i++) g->r->logprobs[at + i] = (weft_logprob){ ids[i], values[i] };
    }
    free(ids);
    free(values);
    return s;
}

static weft_status pick_token(generator *g, int32_t *token, weft_error *err)
{
    if (g->candidates)
        return weft_sampler_pick_candidate(g->sampler, g->candidates + (size_t)g->row * g->n_candidates,
                                           g->n_candidates, g->history, g->n_history, token, err);
    if (!g->d->matcher)
        return weft_sampler_pick(g->sampler, logits_now(g), g->history, g->n_history, token, NULL, err);
    float *logits = g->masked ? g->masked : logits_now(g);
    if (g->masked) memcpy(g->masked, logits_now(g), weft_session_n_vocab(g->s) * sizeof *logits);
    return weft_matcher_pick(g->d->matcher, g->sampler, weft_sampling_may_pick_first(&g->d->sampling), logits,
                             g->history, g->n_history, token, err);
}

static weft_status pick(generator *g, int32_t *token, weft_error *err)
{
    WEFT_TRY(pick_token(g, token, err));
    if (g->d->n_logprobs) WEFT_TRY(keep_logprobs(g, *token, err));
    if (!weft__grow(&g->r->tokens, &g->token_cap, g->r->n_tokens + 1, sizeof *g->r->tokens) ||
        !weft__grow(&g->history, &g->history_cap, g->n_history + 1, sizeof *g->history))
        return WEFT_OOM_FAIL(err, "generated tokens");
    g->r->tokens[g->r->n_tokens++] = *token;
    g->history[g->n_history++] = *token;
    return WEFT_OK;
}

/* Sees whether the token just picked ends the generation (*done); r->stop says why. */
static weft_status finish_token(generator *g, int32_t token, uint32_t limit, bool *done, weft_error *err)
{
    bool eos = weft__model_is_eos(g->m, token) && !g->d->ignore_eos;
    bool full = g->base + g->row == weft_session_context(g->s);
    bool over = g->d->matcher && weft_matcher_must_end(g->d->matcher);
    bool length = g->r->n_tokens == limit, last = eos || over || full || length;
    size_t before = g->text.size;
    WEFT_TRY(decode(g, token, eos, last, err));
    bool stopped = g->stream && weft_token_stream_stopped(g->stream) >= 0, going = tell(g, token, before);
    g->r->stop = stopped ? WEFT_STOP_STRING : !going ? WEFT_STOP_CANCELLED : eos || over ? WEFT_STOP_EOS
               : length ? WEFT_STOP_LENGTH : WEFT_STOP_CONTEXT;
    *done = stopped || !going || last;
    return WEFT_OK;
}

/* Between two tokens: what was generated stands. */
static weft_status stop_here(generator *g, weft_error *err)
{
    size_t n;
    g->r->stop = WEFT_STOP_CANCELLED;
    if (!g->stream) return WEFT_OK;
    const char *text = weft_token_stream_finish(g->stream, &n);
    return append(g, text, n, err);
}

/* ---- runs ---- */

/* Of n tokens the last `rows` tell what follows them. */
static weft_status evaluate(generator *g, const int32_t *ids, size_t n, size_t rows, weft_error *err)
{
    const weft_rows out = { .logits = g->logits, .candidates = g->candidates };
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a prompt");
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ .id = ids[i], .sequence = g->sequence };
    for (size_t i = n - rows; i < n; i++) t[i].wants = g->candidates ? WEFT_WANT_CANDIDATES : WEFT_WANT_LOGITS;
    weft_status s = weft_session_eval(g->s, t, n, &out, err);
    free(t);
    return s;
}

/* The last token, with what is drafted behind it. Where that fails with a draft it is tried without: a text must not
 * end because of tokens that it may never have. */
static weft_status go_on(generator *g, int32_t token, uint32_t limit, weft_error *err)
{
    int32_t ids[1 + WEFT_DRAFT_MOST] = { token };
    weft_draft *draft = &g->speculation.draft;
    uint32_t left = limit - g->r->n_tokens - 1, room = weft_session_context(g->s) - g->base - g->row - 1;
    const int32_t *fresh = g->history + g->n_history - g->row - 1; /* what the last run gave */
    WEFT_TRY(weft__speculation_next(&g->speculation, fresh, g->row + 1, left < room ? left : room, err));
    g->base += g->row + 1;
    g->began = weft__seconds();
    memcpy(ids + 1, draft->ids, draft->n * sizeof *ids);
    weft_status s = evaluate(g, ids, 1 + draft->n, 1 + draft->n, err);
    bool again = s && s != WEFT_CANCELLED && s != WEFT_OOM && draft->n;
    if (!again || weft_session_length(g->s, g->sequence) + 1 != g->base) return s;
    draft->n = 0;
    return evaluate(g, ids, 1, 1, err);
}

/* Looks at the rows of a run one by one, as long as the drafted tokens are those that are picked; those that are not
 * are forgotten. *token is the last that was picked. */
static weft_status take_rows(generator *g, uint32_t limit, int32_t *token, bool *done, weft_error *err)
{
    const weft_draft *draft = &g->speculation.draft;
    for (g->row = 0;; g->row++) {
        WEFT_TRY(pick(g, token, err));
        WEFT_TRY(finish_token(g, *token, limit, done, err));
        if (*done || g->row == draft->n || *token != draft->ids[g->row]) break;
    }
    if (g->row == draft->n) return WEFT_OK;
    return weft_session_truncate(g->s, g->sequence, g->base + g->row, err);
}

static weft_status loop(generator *g, const int32_t *prompt, size_t n_prompt, weft_error *err)
{
    uint32_t limit = g->d->max_tokens ? g->d->max_tokens : UINT32_MAX;
    double start = weft__seconds(), first = 0.0;
    WEFT_TRY(weft__speculation_begin(&g->speculation, g->s, g->sequence, prompt, n_prompt, g->d, err));
    WEFT_TRY(evaluate(g, prompt, n_prompt, 1, err));
    g->base = weft_session_length(g->s, g->sequence);
    for (;;) {
        int32_t token;
        bool done, of_prompt = !g->r->n_tokens;
        double ran = weft__seconds() - g->began;
        WEFT_TRY(take_rows(g, limit, &token, &done, err));
        if (of_prompt) {
            first = weft__seconds();
            g->r->prompt_seconds = first - start;
            weft__speculation_read(&g->speculation, first - start);
        } else {
            weft__speculation_ran(&g->speculation, g->row, ran);
        }
        g->r->decode_seconds = weft__seconds() - first;
        if (done) return WEFT_OK;
        weft_status s = go_on(g, token, limit, err);
        if (s == WEFT_CANCELLED) return stop_here(g, err);
        WEFT_TRY(s);
    }
}

/* ---- set-up ---- */

/* From candidates, where the session has enough of them for this sampling, or from logits, where it has those. */
static weft_status choose_source(generator *g, weft_error *err)
{
    uint32_t need = weft_sampling_candidates(&g->d->sampling), n_vocab = weft_session_n_vocab(g->s);
    uint32_t have = weft_session_candidates(g->s);
    bool enough = have == n_vocab || (have && need && have >= need);
    if (enough && !g->d->n_logprobs && !g->d->matcher) g->n_candidates = have;
    if (g->n_candidates || weft_session_settled(g->s)->outputs & WEFT_WANT_LOGITS) return WEFT_OK;
    if (enough)
        return WEFT_FAIL(err, WEFT_INVALID, "a session of candidates has no logits for log-probabilities or a grammar");
    return WEFT_FAIL(err, WEFT_INVALID, "the session gives %u candidates, but this sampling needs %u", have,
                     need ? need : n_vocab);
}

static weft_status prepare(generator *g, const int32_t *prompt, size_t n_prompt, weft_error *err)
{
    if (!n_prompt) return WEFT_FAIL(err, WEFT_INVALID, "generation needs a prompt of at least one token");
    if (!weft__session_logits(g->s))
        return WEFT_FAIL(err, WEFT_INVALID, "a session for hidden states or scores gives no logits");
    uint32_t n_vocab = weft_session_n_vocab(g->s);
    if (g->d->n_logprobs > n_vocab)
        return WEFT_FAIL(err, WEFT_INVALID, "%u log-probabilities of a vocabulary of %u", g->d->n_logprobs, n_vocab);
    if (g->d->matcher && weft_matcher_n_vocab(g->d->matcher) != n_vocab)
        return WEFT_FAIL(err, WEFT_INVALID, "a grammar for %u tokens, but the model gives %u logits",
                         weft_matcher_n_vocab(g->d->matcher), n_vocab);
    WEFT_TRY(choose_source(g, err));
    bool has_text = g->m->info.has_tokenizer;
    if (g->d->n_stop && !has_text)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "stop strings need a tokenizer, and %s has none", g->m->path);
    WEFT_TRY(weft_sampler_create(&g->d->sampling, n_vocab, &g->sampler, err));
    const size_t rows = g->d->drafter ? weft_session_settled(g->s)->max_rows : 1;
    if (g->n_candidates) g->candidates = malloc(rows * g->n_candidates * sizeof *g->candidates);
    else g->logits = malloc(rows * n_vocab * sizeof *g->logits);
    if (g->d->matcher && g->d->n_logprobs && !(g->masked = malloc(n_vocab * sizeof *g->masked)))
        return WEFT_OOM_FAIL(err, "generation");
    if ((!g->logits && !g->candidates) || !weft__grow(&g->history, &g->history_cap, n_prompt, sizeof *g->history))
        return WEFT_OOM_FAIL(err, "generation");
    memcpy(g->history, prompt, n_prompt * sizeof *prompt);
    g->n_history = n_prompt;
    if (!has_text) return WEFT_OK;
    const weft_tokenizer *tok;
    weft_token_stream_desc d = { .stop = g->d->stop, .n_stop = g->d->n_stop };
    WEFT_TRY(weft_model_tokenizer(g->m, &tok, err));
    return weft_token_stream_create(tok, &d, &g->stream, err);
}

weft_status weft_generate(weft_session *session, uint32_t sequence, const int32_t *prompt, size_t n_prompt,
                          const weft_generate_desc *desc, weft_generated *out, weft_error *err)
{
    *out = (weft_generated){ .n_logprobs = desc->n_logprobs };
    generator g = { .s = session, .m = weft__session_model(session), .d = desc, .r = out, .sequence = sequence };
    weft_status s = prepare(&g, prompt, n_prompt, err);
    uint32_t length = weft_session_length(session, sequence);
    bool began = weft__activity_begin(session);
    if (!s) s = loop(&g, prompt, n_prompt, err);
    weft__activity_end(session, began);
    out->drafted = g.speculation.drafted;
    out->accepted = g.speculation.accepted;
    out->text_size = g.text.size;
    out->text = g.text.data ? g.text.data : calloc(1, 1);
    if (!s && !out->text) s = WEFT_OOM_FAIL(err, "generated text");
    weft_sampler_destroy(g.sampler);
    weft_token_stream_destroy(g.stream);
    free(g.logits);
    free(g.masked);
    free(g.candidates);
    free(g.history);
    if (!s) return WEFT_OK;
    weft_generated_free(out);
    weft_status undone = weft_session_truncate(session, sequence, length, NULL);
    if (undone) undone = weft_session_truncate(session, sequence, 0, NULL); /* it does not go back: nothing is left */
    return undone && undone != WEFT_INVALID ? undone : s; /* INVALID: there is no such sequence, which s says */
}

void weft_generated_free(weft_generated *r)
{
    free(r->tokens);
    free(r->text);
    free(r->logprobs);
    *r = (weft_generated){ 0 };
}
