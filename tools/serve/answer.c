/* answer.c: choices and their tasks. What is told of a task comes in its engine's thread, one call after the other, so
 * that nothing here needs a lock; the exchange has its own. */
#include "tools/serve/answer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Log-probabilities in an answer, each of some hundred bytes until it is sent; tokens of one that no context bounds;
 * and grammars, each of some MiB. */
enum { LOGPROBS = 1 << 19, SHIFTED = 1 << 22, GRAMMARS = 32 };

/* ---- life ---- */

static void free_answer(answer *a)
{
    if (!a) return;
    for (uint32_t i = 0; a->choices && i < a->n_choices; i++) {
        weft_text_free(&a->choices[i].text);
        weft_text_free(&a->choices[i].reasoning);
        form_free(&a->choices[i].reader);
        for (size_t k = 0; k < a->choices[i].n_runs; k++) weft_text_free(&a->choices[i].runs[k].text);
        free(a->choices[i].runs);
        json_decref(a->choices[i].logprobs);
        json_decref(a->choices[i].calls);
    }
    free(a->choices);
    if (a->grammar) atomic_fetch_sub(&a->x->server->grammars, 1);
    weft_grammar_destroy(a->grammar);
    json_decref(a->tools);
    json_decref(a->stops);
    free(a->shown);
    exchange_release(a->x);
    free(a);
}

static void name_answer(answer *a)
{
    unsigned char bytes[12] = { 0 };
    if (getrandom(bytes, sizeof bytes, 0) < 0) memcpy(bytes, &a, sizeof a); /* it need only be another */
    int n = snprintf(a->id, sizeof a->id, "%s", a->shape->prefix);
    for (size_t i = 0; i < sizeof bytes; i++) n += snprintf(a->id + n, sizeof a->id - (size_t)n, "%02x", bytes[i]);
}

static answer *make_answer(exchange *x, const served *m, const params *p, const answer_shape *shape,
                           uint32_t n_choices)
{
    answer *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    *a = (answer){ .x = x, .m = m, .shape = shape, .stream = p->stream, .include_usage = p->include_usage,
                   .logprobs = p->logprobs, .reads = p->forms.think || p->forms.call || p->kept,
                   .keep_reasoning = p->keep_reasoning, .truncated = p->truncated,
                   .narrowed = p->grammar_field || p->sampling.n_bias,
                   .n_choices = n_choices, .n_left = n_choices, .created = time(NULL) };
    exchange_hold(x);
    name_answer(a);
    snprintf(a->model, sizeof a->model, "%s", p->model ? p->model : m->name);
    a->choices = calloc(n_choices, sizeof *a->choices);
    for (uint32_t i = 0; a->choices && i < n_choices; i++) {
        choice *c = &a->choices[i];
        *c = (choice){ .a = a, .index = i, .logprobs = p->logprobs ? answer_logprobs_new(a) : NULL,
                        .stopped = -1 };
    }
    a->stops = json_array();
    for (uint32_t i = 0; i < p->n_stop; i++) json_array_append_new(a->stops, json_string(p->stop[i]));
    if (a->choices && json_array_size(a->stops) == p->n_stop) return a;
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

static bool append(weft_text *to, const char *text, size_t n)
{
    weft_writer w = weft_text_writer(to);
    return !n || w.write(w.ctx, text, n);
}

/* The empty line between two messages of one kind is none of an item's text. */
static bool begins_empty(const choice *c, form_part part, const char *text, size_t n)
{
    return c->n_runs > 1 && c->runs[c->n_runs - 1].part != part && n == 2 && !memcmp(text, "\n\n", 2);
}

static bool add_run(choice *c, form_part part, const char *text, size_t n)
{
    if (!n) return true;
    if (!c->n_runs || c->runs[c->n_runs - 1].part != part) {
        if (!weft__grow(&c->runs, &c->cap_runs, c->n_runs + 1, sizeof *c->runs)) return false;
        c->runs[c->n_runs++] = (text_run){ .part = part };
    }
    return append(&c->runs[c->n_runs - 1].text, text, n);
}

/* A piece of the answer or of the reasoning that is certain. */
static bool on_piece(void *ctx, form_part part, const char *text, size_t n)
{
    choice *c = ctx;
    answer *a = c->a;
    if (a->keep_reasoning) part = FORM_ANSWER;
    if (a->shape->items && begins_empty(c, part, text, n)) return true;
    if (a->shape->items && !add_run(c, part, text, n)) return false;
    if (a->stream) return a->shape->piece(a, c, part, text, n);
    return append(part == FORM_REASONING ? &c->reasoning : &c->text, text, n);
}

/* The text is whole: what was held back is told, or calls are made of it. A stop string is no end of the model's. */
static void read_rest(answer *a, choice *c)
{
    bool whole;
    if (!a->reads) return;
    form_finish(&c->reader, !strcmp(c->finish, "stop") && c->stopped < 0, &c->calls, &whole);
    if (c->calls && (whole || !strcmp(c->finish, "stop"))) c->finish = "tool_calls";
}

static bool on_token(void *ctx, const task_token *t)
{
    choice *c = ctx;
    answer *a = c->a;
    if (c->logprobs && t->logprobs) answer_logprobs_add(a, c, t);
    c->n_before += characters(t->text, t->n);
    if (a->reads) {
        bool thought = form_is_thinking(&c->reader), ok = form_push(&c->reader, t->text, t->n);
        if (t->id >= 0 && (thought || form_is_thinking(&c->reader))) c->n_reasoned++;
        return ok;
    }
    bool something = t->n || (c->logprobs && t->logprobs && a->stream);
    return !something || on_piece(c, FORM_ANSWER, t->text, t->n);
}

/* A token of the prompt, whose text is part of the echo. */
static void on_score(void *ctx, const task_token *t, bool last)
{
    choice *c = ctx;
    answer *a = c->a;
    size_t n, lead;
    const char *bytes = weft_tokenizer_bytes(a->m->tokenizer, t->id, &n);
    answer_logprobs_add(a, c, t);
    if (!weft_tokenizer_is_special(a->m->tokenizer, t->id)) {
        const size_t more = bytes ? characters(bytes, n) : 0;
        lead = c->n_lead < more ? c->n_lead : more;
        c->n_before += more - lead;
        c->n_lead -= lead;
    }
    if (!last) return;
    c->n_before = characters(c->text.data, c->text.size);
    if (a->stream) a->shape->piece(a, c, FORM_ANSWER, c->text.data, c->text.size);
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
        a->shape->finish(a);
    } else {
        exchange_answer(a->x, 200, a->shape->object(a));
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
    const task_tokens n = task_count(c->task);
    c->finish = how == TASK_LENGTH ? "length" : "stop";
    c->stopped = task_stopped(c->task);
    c->n_dropped = n.dropped;
    a->prompt_tokens += c->counted ? 0 : n.prompt;
    a->cached_tokens += n.cached;
    a->picked_tokens += n.picked;
    a->drafted_tokens += n.drafted;
    a->accepted_tokens += n.accepted;
    if (how == TASK_FAILED || how == TASK_CANCELLED) fail(a, how, how == TASK_FAILED ? err : NULL);
    else read_rest(a, c);
    a->reasoned_tokens += c->n_reasoned;
    if (!a->failed && a->stream) a->shape->end(a, c);
    if (!--a->n_left) finish(a);
}

/* ---- beginning ---- */

static bool shifts(const served *m, const params *p)
{
    return p->full == FULL_SHIFTS || (p->full == FULL_AS_MODEL && m->shifts);
}

/* What each text may have: where no end is said, as much as the context holds, also where that may be shifted. */
static uint32_t most_tokens(const served *m, const params *p)
{
    const bool said = p->max_tokens && (shifts(m, p) || p->max_tokens < m->context);
    return said ? p->max_tokens : m->context;
}

/* The tokens that a shift keeps: beside those asked for what the tokenizer puts before any text. */
static uint32_t kept(const served *m, const params *p, const weft_tokens *prompt)
{
    uint32_t i = 0;
    while (i < prompt->n && weft_tokenizer_before(m->tokenizer, i) == prompt->ids[i]) i++;
    return p->n_keep < prompt->n - i ? i + p->n_keep : (uint32_t)prompt->n;
}

static task_desc describe(const exchange *x, const params *p, const answer_prompt *prompt, const weft_tokens *expected,
                          choice *c)
{
    task_desc d = {
        .ids = prompt->tokens.ids, .n = prompt->tokens.n, .adapter = server_adapter(c->a->m, p->model),
        .sampling = p->sampling, .stop = p->stop, .n_stop = p->n_stop,
        .max_tokens = most_tokens(c->a->m, p), .shift = shifts(c->a->m, p),
        .n_keep = kept(c->a->m, p, &prompt->tokens),
        .ignore_eos = p->ignore_eos, .logprobs = p->logprobs, .n_top = p->n_top, .client = x->client,
        .scores = p->echo, .none = p->none,
        .grammar = c->a->grammar, .shown = c->a->shown, .n_shown = c->a->n_shown,
        .drafts = !p->no_drafts && (c->a->m->speculates || expected->n),
        .expected = expected->ids, .n_expected = expected->n,
        .listener = { .token = on_token, .scored = on_score, .gone = is_gone, .end = on_end, .ctx = c },
    };
    d.sampling.seed += c->index; /* choices of one seed differ */
    return d;
}

/* What is held until the answer is sent, unless it is a stream, and what is compiled are bounded. False: an error has
 * been answered. */
static bool within_bounds(exchange *x, const served *m, const params *p, uint32_t n_choices, uint64_t n_scored)
{
    const uint64_t tokens = p->none ? 0 : most_tokens(m, p);
    if ((!p->stream || n_scored) && p->logprobs &&
        ((p->stream ? 0 : n_choices * tokens) + n_scored) * (1 + p->n_top) > LOGPROBS)
        exchange_error(x, 400, "invalid_value", p->n_top ? "top_logprobs" : "logprobs",
                       "%u texts of %llu tokens with %u log-probabilities each are too many in one answer: ask for a "
                       "stream, or for fewer", n_choices, (unsigned long long)tokens, 1 + p->n_top);
    else if (shifts(m, p) && n_choices * tokens > SHIFTED)
        exchange_error(x, 400, "invalid_value", "max_tokens", "%u texts of %llu tokens are too many for one answer "
                       "where the context is shifted: at most %d in all", n_choices, (unsigned long long)tokens,
                       SHIFTED);
    else if (p->grammar_field && atomic_load(&x->server->grammars) >= GRAMMARS)
        exchange_error(x, 429, "too_many_grammars", NULL, "%d requests with grammars are worked on", GRAMMARS);
    else
        return true;
    return false;
}

/* Special tokens that marks consist of; the others of a text stay hidden. */
static bool find_shown(answer *a, const params *p)
{
    const char *marks[FORM_MARKS];
    const weft_tokenizer *tok = a->m->tokenizer;
    uint32_t n_marks = forms_marks(&(forms){ .think = p->kept ? p->kept : p->forms.think, .call = p->forms.call },
                                   marks);
    size_t cap = 0;
    int32_t id;
    for (uint32_t i = 0; (id = weft_tokenizer_added(tok, i)) >= 0; i++) {
        const char *text = weft_tokenizer_token(tok, id);
        bool in = false;
        for (uint32_t k = 0; k < n_marks && text && *text && weft_tokenizer_is_special(tok, id); k++)
            in |= strstr(marks[k], text) != NULL;
        if (in && !weft__grow(&a->shown, &cap, a->n_shown + 1, sizeof *a->shown)) return false;
        if (in) a->shown[a->n_shown++] = id;
    }
    return true;
}

/* Of texts that may have reasoning or calls. */
static weft_status make_readers(answer *a, const params *p, weft_error *err)
{
    a->tools = p->tools ? json_deep_copy(p->tools) : NULL;
    if ((p->tools && !a->tools) || !find_shown(a, p)) return WEFT_OOM_FAIL(err, "an answer");
    for (uint32_t i = 0; i < a->n_choices; i++) {
        choice *c = &a->choices[i];
        if (i) snprintf(c->name, sizeof c->name, "%s%u", a->id, i);
        else snprintf(c->name, sizeof c->name, "%s", a->id);
        c->reader = (form_reader){ .forms = p->forms, .tools = a->tools, .id = c->name, .sink = on_piece, .ctx = c };
        if (p->begun && !form_push(&c->reader, p->begun, strlen(p->begun))) return WEFT_OOM_FAIL(err, "an answer");
    }
    return WEFT_OK;
}

/* The text that the request expects, as tokens; no more of it than a context holds can come. */
static weft_status read_prediction(const served *m, const params *p, weft_tokens *out, weft_error *err)
{
    const weft_encode_desc on = { .bos = WEFT_BOS_OFF, .no_template = true };
    weft_text text = { 0 };
    if (!p->prediction || p->no_drafts) return WEFT_OK;
    weft_status status = params_prediction(p, &text) ? WEFT_OK : WEFT_OOM_FAIL(err, "a prediction");
    if (!status && text.size) status = weft_tokenizer_encode(m->tokenizer, text.data, text.size, &on, out, err);
    if (out->n > m->context) out->n = m->context;
    weft_text_free(&text);
    return status;
}

/* Characters that the tokens of a prompt have and its text has not: some put a space before it. */
static size_t find_lead(const served *m, const answer_prompt *prompt)
{
    const size_t text = characters(prompt->echo, prompt->n_echo);
    size_t sum = 0;
    for (size_t i = 0; i < prompt->tokens.n; i++) {
        size_t n;
        const char *bytes = weft_tokenizer_bytes(m->tokenizer, prompt->tokens.ids[i], &n);
        if (bytes && !weft_tokenizer_is_special(m->tokenizer, prompt->tokens.ids[i])) sum += characters(bytes, n);
    }
    return sum > text ? sum - text : 0;
}

static weft_status make_task(answer *a, const params *p, const answer_prompt *prompt, const weft_tokens *expected,
                             choice *c, weft_error *err)
{
    const task_desc d = describe(a->x, p, prompt, expected, c);
    if (p->echo && !append(&c->text, prompt->echo, prompt->n_echo)) return WEFT_OOM_FAIL(err, "a prompt");
    if (p->echo && !p->logprobs) c->n_before = characters(prompt->echo, prompt->n_echo);
    if (p->echo && p->logprobs) c->n_lead = find_lead(a->m, prompt);
    return task_create(a->m->engine, &d, &c->task, err);
}

static weft_status make_tasks(answer *a, const params *p, const answer_prompt *prompts, task **tasks, weft_error *err)
{
    weft_tokens expected = { 0 };
    if (p->grammar_field) {
        WEFT_TRY(weft_grammar_parse(p->grammar_kind, p->grammar, p->n_grammar, p->grammar_field, a->m->trie,
                                    &a->grammar, err));
        atomic_fetch_add(&a->x->server->grammars, 1);
    }
    if (a->reads) WEFT_TRY(make_readers(a, p, err));
    weft_status status = read_prediction(a->m, p, &expected, err);
    for (uint32_t i = 0; i < a->n_choices && !status; i++) {
        choice *c = &a->choices[i];
        c->counted = i % p->n != 0; /* a prompt is counted once, whatever is made of it */
        status = make_task(a, p, &prompts[i / p->n], &expected, c, err);
        tasks[i] = c->task;
    }
    weft_tokens_free(&expected);
    return status;
}

/* What a stream begins with. Nothing of it may be sent after the tasks have begun to. */
static void open_stream(answer *a)
{
    exchange_stream(a->x);
    for (uint32_t i = 0; i < a->n_choices; i++) a->shape->begin(a, &a->choices[i]);
}

void answer_begin(exchange *x, served *m, const params *p, const answer_shape *shape, const answer_prompt *prompts,
                  size_t n_prompts)
{
    weft_error err;
    uint32_t n = (uint32_t)n_prompts * p->n;
    uint64_t scored = 0;
    server_stay(x->server, m, p->stays ? p->keep_alive : m->keep_alive);
    for (size_t i = 0; p->echo && p->logprobs && i < n_prompts; i++) scored += (uint64_t)prompts[i].tokens.n * p->n;
    if (!within_bounds(x, m, p, n, scored)) return;
    answer *a = make_answer(x, m, p, shape, n);
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
