/* answer.c: choices and their tasks. What is told of a task comes in its engine's thread, one call after the other, so
 * that nothing here needs a lock; the exchange has its own. */
#include "tools/serve/answer.h"
#include "tools/serve/answer_json.h"
#include "tools/serve/calls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Log-probabilities in an answer, each of some hundred bytes until it is sent; and grammars, each of some MiB. */
enum { LOGPROBS = 1 << 19, GRAMMARS = 32 };

/* ---- life ---- */

static void free_answer(answer *a)
{
    if (!a) return;
    for (uint32_t i = 0; a->choices && i < a->n_choices; i++) {
        weft_text_free(&a->choices[i].text);
        json_decref(a->choices[i].logprobs);
        json_decref(a->choices[i].calls);
    }
    free(a->choices);
    if (a->grammar) atomic_fetch_sub(&a->x->server->grammars, 1);
    weft_grammar_destroy(a->grammar);
    exchange_release(a->x);
    free(a);
}

static void name_answer(answer *a)
{
    unsigned char bytes[12] = { 0 };
    if (getrandom(bytes, sizeof bytes, 0) < 0) memcpy(bytes, &a, sizeof a); /* it need only be another */
    int n = snprintf(a->id, sizeof a->id, "%s-", a->chat ? "chatcmpl" : "cmpl");
    for (size_t i = 0; i < sizeof bytes; i++) n += snprintf(a->id + n, sizeof a->id - (size_t)n, "%02x", bytes[i]);
}

static answer *make_answer(exchange *x, const served *m, const params *p, bool chat, uint32_t n_choices)
{
    answer *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    *a = (answer){ .x = x, .m = m, .chat = chat, .stream = p->stream, .include_usage = p->include_usage,
                   .logprobs = p->logprobs, .tools = p->tools,
                   .narrowed = p->grammar_field || p->sampling.n_bias,
                   .n_choices = n_choices, .n_left = n_choices, .created = time(NULL) };
    exchange_hold(x);
    name_answer(a);
    snprintf(a->model, sizeof a->model, "%s", p->model ? p->model : m->name);
    a->choices = calloc(n_choices, sizeof *a->choices);
    for (uint32_t i = 0; a->choices && i < n_choices; i++) {
        choice *c = &a->choices[i];
        *c = (choice){ .a = a, .index = i, .logprobs = p->logprobs ? answer_logprobs_new(a) : NULL };
    }
    if (a->choices) return a;
    free_answer(a);
    return NULL;
}

/* ---- what tasks tell ---- */

static size_t characters(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (text[i] & 0xc0) != 0x80;
    return count;
}

static bool append(choice *c, const char *text, size_t n)
{
    weft_writer w = weft_text_writer(&c->text);
    return !n || w.write(w.ctx, text, n);
}

/* Of a stream that may have calls: what is certainly none of them is sent. */
static bool send_certain(answer *a, choice *c, bool last)
{
    const char *text = c->text.data + c->n_told;
    size_t left = c->text.size - c->n_told, n = last && !c->calls ? left : calls_begin(text, left);
    c->n_told += n;
    return !n || exchange_event(a->x, answer_chunk(a, c, text, n));
}

/* The text is whole: what stands behind its beginning may be calls. */
static void read_calls(answer *a, choice *c)
{
    if (!a->tools || !c->text.data) return;
    size_t at = calls_begin(c->text.data, c->text.size);
    c->calls = calls_read(c->text.data + at, c->text.size - at, a->id);
    if (a->stream) send_certain(a, c, true);
    if (!c->calls) return;
    c->text.size = at; /* what is left of the text */
    c->finish = "tool_calls";
    if (a->stream) exchange_event(a->x, answer_calls_chunk(a, c));
}

static bool on_token(void *ctx, const task_token *t)
{
    choice *c = ctx;
    answer *a = c->a;
    if (c->logprobs && t->logprobs) answer_logprobs_add(a, c, t);
    c->n_before += characters(t->text, t->n);
    if (a->tools && a->stream) return append(c, t->text, t->n) && (!c->text.data || send_certain(a, c, false));
    if (!a->stream) return append(c, t->text, t->n);
    bool something = t->n || (c->logprobs && t->logprobs);
    return !something || exchange_event(a->x, answer_chunk(a, c, t->text, t->n));
}

static bool is_gone(void *ctx)
{
    choice *c = ctx;
    return exchange_gone(c->a->x);
}

/* All choices have ended. */
static void finish(answer *a)
{
    if (a->failed) {
        exchange_error(a->x, a->status, a->code, NULL, "%s", a->fault.text);
    } else if (a->stream) {
        if (a->include_usage) exchange_event(a->x, answer_last_chunk(a));
        exchange_end(a->x, "[DONE]");
    } else {
        exchange_answer(a->x, 200, answer_object(a));
    }
    free_answer(a);
}

static void fail(answer *a, task_end how, const weft_error *err)
{
    if (a->failed) return;
    a->failed = true;
    /* for what cannot be done: a grammar that takes too long, bans that leave nothing */
    const bool asked = err && (err->status == WEFT_LIMIT || err->status == WEFT_INVALID ||
                               (err->status == WEFT_NOT_FINITE && a->narrowed));
    a->status = how != TASK_FAILED ? 503 : asked ? 422 : 500;
    a->code = how != TASK_FAILED ? "ended" : asked ? "beyond_limits" : "model_failed";
    a->fault = err ? *err : (weft_error){ .text = "the server is ending" };
}

static void on_end(void *ctx, task_end how, const weft_error *err)
{
    choice *c = ctx;
    answer *a = c->a;
    c->finish = how == TASK_LENGTH ? "length" : "stop";
    a->prompt_tokens += c->counted ? 0 : task_prompt(c->task);
    a->cached_tokens += task_cached(c->task);
    a->picked_tokens += task_picked(c->task);
    if (how == TASK_FAILED || how == TASK_CANCELLED) fail(a, how, how == TASK_FAILED ? err : NULL);
    else read_calls(a, c);
    if (!a->failed && a->stream) exchange_event(a->x, answer_end_chunk(a, c));
    if (!--a->n_left) finish(a);
}

/* ---- beginning ---- */

static task_desc describe(const exchange *x, const params *p, const answer_prompt *prompt, choice *c)
{
    task_desc d = {
        .ids = prompt->tokens.ids, .n = prompt->tokens.n, .adapter = server_adapter(c->a->m, p->model),
        .sampling = p->sampling, .stop = p->stop, .n_stop = p->n_stop, .max_tokens = p->max_tokens,
        .ignore_eos = p->ignore_eos, .logprobs = p->logprobs, .n_top = p->n_top, .client = x->client,
        .grammar = c->a->grammar,
        .listener = { .token = on_token, .gone = is_gone, .end = on_end, .ctx = c },
    };
    d.sampling.seed += c->index; /* choices of one seed differ */
    return d;
}

/* What is held until the answer is sent, unless it is a stream, and what is compiled are bounded. False: an error has
 * been answered. */
static bool within_bounds(exchange *x, const served *m, const params *p, uint32_t n_choices)
{
    const uint64_t tokens = p->max_tokens && p->max_tokens < m->context ? p->max_tokens : m->context;
    if (!p->stream && p->logprobs && n_choices * tokens * (1 + p->n_top) > LOGPROBS)
        exchange_error(x, 400, "invalid_value", p->n_top ? "top_logprobs" : "logprobs",
                       "%u texts of %llu tokens with %u log-probabilities each are too many in one answer: ask for a "
                       "stream, or for fewer", n_choices, (unsigned long long)tokens, 1 + p->n_top);
    else if (p->grammar_field && atomic_load(&x->server->grammars) >= GRAMMARS)
        exchange_error(x, 429, "too_many_grammars", NULL, "%d requests with grammars are worked on", GRAMMARS);
    else
        return true;
    return false;
}

static weft_status make_tasks(answer *a, const params *p, const answer_prompt *prompts, task **tasks, weft_error *err)
{
    if (p->grammar_field) {
        WEFT_TRY(weft_grammar_parse(p->grammar_kind, p->grammar, p->n_grammar, p->grammar_field, a->m->trie,
                                    &a->grammar, err));
        atomic_fetch_add(&a->x->server->grammars, 1);
    }
    for (uint32_t i = 0; i < a->n_choices; i++) {
        choice *c = &a->choices[i];
        const answer_prompt *prompt = &prompts[i / p->n];
        const task_desc d = describe(a->x, p, prompt, c);
        c->counted = i % p->n != 0; /* a prompt is counted once, whatever is made of it */
        if (p->echo && !append(c, prompt->echo, prompt->n_echo)) return WEFT_OOM_FAIL(err, "a prompt");
        if (p->echo) c->n_before = characters(prompt->echo, prompt->n_echo);
        WEFT_TRY(task_create(a->m->engine, &d, &tasks[i], err));
        c->task = tasks[i];
    }
    return WEFT_OK;
}

/* What a stream begins with. Nothing of it may be sent after the tasks have begun to. */
static void open_stream(answer *a)
{
    exchange_stream(a->x);
    for (uint32_t i = 0; i < a->n_choices; i++) {
        choice *c = &a->choices[i];
        if (a->chat) exchange_event(a->x, answer_first_chunk(a, c));
        else if (c->text.size) exchange_event(a->x, answer_chunk(a, c, c->text.data, c->text.size));
    }
}

void answer_begin(exchange *x, served *m, const params *p, bool chat, const answer_prompt *prompts, size_t n_prompts)
{
    weft_error err;
    uint32_t n = (uint32_t)n_prompts * p->n;
    if (!within_bounds(x, m, p, n)) return;
    answer *a = make_answer(x, m, p, chat, n);
    task **tasks = calloc(n, sizeof(task *));
    weft_status status = a && tasks ? make_tasks(a, p, prompts, tasks, &err) : WEFT_OOM_FAIL(&err, "an answer");
    bool taken = !status && engine_reserve(m->engine, n);
    if (taken) {
        if (a->stream) open_stream(a);
        engine_submit(m->engine, tasks, n); /* which may have ended when this returns */
    } else {
        if (status == WEFT_OOM) exchange_error(x, 503, NULL, NULL, "%s", err.text);
        else if (status) exchange_error(x, 400, "invalid_value", NULL, "%s", err.text);
        else exchange_error(x, 429, "queue_full", NULL, "too many requests are waiting");
        for (uint32_t i = 0; tasks && i < n; i++) task_destroy(tasks[i]);
        free_answer(a);
    }
    free(tasks);
}
