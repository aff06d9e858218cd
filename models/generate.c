/* generate.c: the loop that continues a sequence: evaluate, pick, decode, look for a reason to stop. */
#include "models/model_impl.h"
#include "models/sampler.h"

#include <stdlib.h>
#include <string.h>

typedef struct generator {
    weft_session *s;
    weft_model *m;
    const weft_generate_desc *d;
    weft_generated *r;
    uint32_t sequence;
    float *logits;
    weft_candidate *candidates; /* instead of logits, where the session gives them */
    uint32_t n_candidates;
    weft_sampler *sampler;
    weft__token_stream stream;
    bool has_text;
    int32_t *history; /* prompt, then what was picked */
    size_t n_history, history_cap, token_cap, logprob_cap;
    weft_text text;
    size_t emitted; /* bytes of text given to the callback */
} generator;

const char *weft_stop_name(weft_stop s)
{
    static const char *const names[] = { "length", "eos", "stop", "cancelled", "context" };
    return (unsigned)s < sizeof names / sizeof *names ? names[s] : "?";
}

/* ---- text ---- */

/* Where the first stop string begins in the text; SIZE_MAX: nowhere. Only its new end can hold one. */
static size_t find_stop(const generator *g, size_t fresh)
{
    size_t found = SIZE_MAX;
    for (uint32_t i = 0; i < g->d->n_stop; i++) {
        size_t n = strlen(g->d->stop[i]), from = fresh >= n ? fresh - n + 1 : 0;
        for (size_t at = from; n && at + n <= g->text.size && at < found; at++)
            if (!memcmp(g->text.data + at, g->d->stop[i], n)) found = at;
    }
    return found;
}

/* Bytes at the text's end that could be the beginning of a stop string. */
static size_t held_back(const generator *g)
{
    size_t held = 0;
    for (uint32_t i = 0; i < g->d->n_stop; i++) {
        size_t n = strlen(g->d->stop[i]);
        for (size_t k = n < g->text.size + 1 ? n - (n > 0) : g->text.size; k > held; k--)
            if (!memcmp(g->text.data + g->text.size - k, g->d->stop[i], k)) held = k;
    }
    return held;
}

/* Moves `n` back to the start of a UTF-8 sequence, so that what is emitted is whole. */
static size_t whole(const generator *g, size_t n)
{
    while (n > g->emitted && n < g->text.size && ((unsigned char)g->text.data[n] & 0xC0) == 0x80) n--;
    return n;
}

static weft_status append(generator *g, const char *text, size_t n, weft_error *err)
{
    weft_writer w = weft_text_writer(&g->text);
    return !n || w.write(w.ctx, text, n) ? WEFT_OK : WEFT_OOM_FAIL(err, "generated text");
}

/* Cuts at a stop string (*stopped) and gives the callback what is certain. False: cancelled. */
static bool settle(generator *g, int32_t token, size_t fresh, bool last, bool *stopped)
{
    size_t cut = find_stop(g, fresh);
    *stopped = cut != SIZE_MAX;
    if (*stopped) {
        g->text.size = cut;
        g->text.data[cut] = 0;
    }
    size_t until = *stopped || last ? g->text.size : whole(g, g->text.size - held_back(g));
    const char *from = g->text.data ? g->text.data + g->emitted : "";
    size_t count = until - g->emitted;
    g->emitted = until;
    return !g->d->on_token || g->d->on_token(g->d->ctx, token, from, count);
}

/* ---- one step ---- */

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
        weft__best_ids(g->logits, weft_session_n_vocab(g->s), n, ids + 1);
        weft_logprobs(g->logits, weft_session_n_vocab(g->s), ids, width, values);
        for (uint32_t i = 0; i < width; i++) g->r->logprobs[at + i] = (weft_logprob){ ids[i], values[i] };
    }
    free(ids);
    free(values);
    return s;
}

static weft_status pick(generator *g, int32_t *token, weft_error *err)
{
    *token = g->candidates ? weft_sampler_pick_candidate(g->sampler, g->candidates, g->n_candidates, g->history,
                                                         g->n_history)
                           : weft_sampler_pick(g->sampler, g->logits, g->history, g->n_history);
    if (*token < 0) return WEFT_FAIL(err, WEFT_NOT_FINITE, "no token can be picked: the logits are NaN or all -inf");
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
    bool eos = weft__model_is_eos(g->m, token) && !g->d->ignore_eos, stopped;
    bool full = weft_session_length(g->s, g->sequence) == weft_session_context(g->s);
    bool length = g->r->n_tokens == limit, last = eos || full || length;
    size_t fresh = g->text.size, n;
    if (g->has_text && !eos) {
        const char *text = weft__token_stream_push(&g->stream, token, &n);
        WEFT_TRY(append(g, text, n, err));
    }
    if (g->has_text && last) { /* what the stream still holds */
        const char *text = weft__token_stream_flush(&g->stream, &n);
        WEFT_TRY(append(g, text, n, err));
    }
    bool going = settle(g, token, fresh, last, &stopped);
    g->r->stop = stopped ? WEFT_STOP_STRING : !going ? WEFT_STOP_CANCELLED : eos ? WEFT_STOP_EOS
               : length ? WEFT_STOP_LENGTH : WEFT_STOP_CONTEXT;
    *done = stopped || !going || last;
    return WEFT_OK;
}

static weft_status evaluate(generator *g, const int32_t *ids, size_t n, weft_error *err)
{
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a prompt");
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ ids[i], g->sequence, i + 1 == n };
    weft_status s = g->candidates ? weft_session_eval_candidates(g->s, t, n, g->candidates, err)
                                  : weft_session_eval(g->s, t, n, g->logits, err);
    free(t);
    return s;
}

static weft_status loop(generator *g, const int32_t *prompt, size_t n_prompt, weft_error *err)
{
    uint32_t limit = g->d->max_tokens ? g->d->max_tokens : UINT32_MAX;
    double start = weft__seconds(), first = 0.0;
    WEFT_TRY(evaluate(g, prompt, n_prompt, err));
    for (;;) {
        int32_t token;
        WEFT_TRY(pick(g, &token, err));
        if (g->r->n_tokens == 1) {
            first = weft__seconds();
            g->r->prompt_seconds = first - start;
        }
        bool done;
        WEFT_TRY(finish_token(g, token, limit, &done, err));
        g->r->decode_seconds = weft__seconds() - first;
        if (done) return WEFT_OK;
        WEFT_TRY(evaluate(g, &token, 1, err));
    }
}

/* ---- set-up ---- */

static weft_status check_candidates(generator *g, weft_error *err)
{
    uint32_t need = weft_sampling_candidates(&g->d->sampling), n_vocab = weft_session_n_vocab(g->s);
    uint32_t have = g->n_candidates = weft_session_candidates(g->s);
    if (have && g->d->n_logprobs)
        return WEFT_FAIL(err, WEFT_INVALID, "a session of candidates gives no log-probabilities");
    if (have && have < n_vocab && (!need || have < need))
        return WEFT_FAIL(err, WEFT_INVALID, "the session gives %u candidates, but this sampling needs %u", have,
                         need ? need : n_vocab);
    return WEFT_OK;
}

static weft_status prepare(generator *g, const int32_t *prompt, size_t n_prompt, weft_error *err)
{
    if (!n_prompt) return WEFT_FAIL(err, WEFT_INVALID, "generation needs a prompt of at least one token");
    if (!weft__session_logits(g->s))
        return WEFT_FAIL(err, WEFT_INVALID, "a session for hidden states or scores gives no logits");
    uint32_t n_vocab = weft_session_n_vocab(g->s);
    if (g->d->n_logprobs > n_vocab)
        return WEFT_FAIL(err, WEFT_INVALID, "%u log-probabilities of a vocabulary of %u", g->d->n_logprobs, n_vocab);
    WEFT_TRY(check_candidates(g, err));
    g->has_text = g->m->info.has_tokenizer;
    if (g->d->n_stop && !g->has_text)
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "stop strings need a tokenizer, and %s has none", g->m->path);
    WEFT_TRY(weft_sampler_create(&g->d->sampling, n_vocab, &g->sampler, err));
    if (g->n_candidates) g->candidates = malloc(g->n_candidates * sizeof *g->candidates);
    else g->logits = malloc(n_vocab * sizeof *g->logits);
    if ((!g->logits && !g->candidates) || !weft__grow(&g->history, &g->history_cap, n_prompt, sizeof *g->history))
        return WEFT_OOM_FAIL(err, "generation");
    memcpy(g->history, prompt, n_prompt * sizeof *prompt);
    g->n_history = n_prompt;
    if (!g->has_text) return WEFT_OK;
    const weft__tokenizer *tok;
    WEFT_TRY(weft__model_tokenizer(g->m, &tok, err));
    return weft__token_stream_init(&g->stream, tok, true, err);
}

weft_status weft_generate(weft_session *session, uint32_t sequence, const int32_t *prompt, size_t n_prompt,
                          const weft_generate_desc *desc, weft_generated *out, weft_error *err)
{
    *out = (weft_generated){ .n_logprobs = desc->n_logprobs };
    generator g = { .s = session, .m = weft__session_model(session), .d = desc, .r = out, .sequence = sequence };
    weft_status s = prepare(&g, prompt, n_prompt, err);
    uint32_t length = weft_session_length(session, sequence);
    if (!s) s = loop(&g, prompt, n_prompt, err);
    out->text_size = g.text.size;
    out->text = g.text.data ? g.text.data : calloc(1, 1);
    if (!s && !out->text) s = WEFT_OOM_FAIL(err, "generated text");
    weft_sampler_destroy(g.sampler);
    weft__token_stream_free(&g.stream);
    free(g.logits);
    free(g.candidates);
    free(g.history);
    if (!s) return WEFT_OK;
    weft_generated_free(out);
    weft_status undone = weft_session_truncate(session, sequence, length, NULL);
    return undone && undone != WEFT_INVALID ? undone : s; /* INVALID: there is no such sequence, which s says */
}

void weft_generated_free(weft_generated *r)
{
    free(r->tokens);
    free(r->text);
    free(r->logprobs);
    *r = (weft_generated){ 0 };
}
