/* status.c: what the server says of itself: its page, /health, /ready, /metrics, /props, /v1/models. */
#include "tools/serve/http.h"
#include "tools/serve/page.h"
#include "tools/serve/server.h"

#include <stdlib.h>
#include <string.h>

static const char *state_name(const server *s)
{
    static const char *const names[] = { "loading", "ok", "ending" };
    return names[atomic_load(&s->state)];
}

void serve_front(exchange *x)
{
    exchange_answer_text(x, 200, "text/html; charset=utf-8", (const char *)serve_page, serve_page_size);
}

/* The process answers. */
void serve_health(exchange *x)
{
    exchange_answer(x, 200, json_pack("{s:s}", "status", "ok"));
}

/* It takes requests for text. */
void serve_ready(exchange *x)
{
    bool ready = atomic_load(&x->server->state) == SERVER_READY;
    exchange_answer(x, ready ? 200 : 503, json_pack("{s:s}", "status", state_name(x->server)));
}

/* ---- models ---- */

/* With its state as llama.cpp's router tells it; under the lock. */
static json_t *model_json(const served *m, const char *name)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:{s:s}}", "id", name, "object", "model", "created", (json_int_t)m->since,
                     "owned_by", "weft", "status", "value", served_state_name(m->state));
}

static void list_model(const served *m, json_t *list)
{
    char name[512];
    json_array_append_new(list, model_json(m, m->name));
    for (uint32_t i = 0; i < m->n_adapters; i++) {
        snprintf(name, sizeof name, "%s:%s", m->name, server_adapter_name(m, i));
        json_array_append_new(list, model_json(m, name));
    }
}

void serve_models(exchange *x)
{
    const char *name = x->path && strlen(x->path) > strlen("/v1/models/") ? x->path + strlen("/v1/models/") : NULL;
    server *s = x->server;
    const served *one = name ? server_find(s, name) : NULL;
    json_t *list = name ? NULL : json_array(), *json = NULL;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; list && i < s->n_models; i++) list_model(&s->models[i], list);
    if (one) json = model_json(one, name);
    pthread_mutex_unlock(&s->lock);
    if (!name) json = json_pack("{s:s, s:o}", "object", "list", "data", list);
    if (name && !one) exchange_error(x, 404, "model_not_found", "model", "there is no model '%.200s' here", name);
    else exchange_answer(x, 200, json);
}

/* ---- /props ---- */

static json_t *props_of(const served *m)
{
    const engine_counts *n = engine_count(m->engine);
    const weft_model_info *info = weft_model_info_get(m->model);
    size_t size = 0;
    const char *template = m->chat ? weft_chat_template_text(m->chat, false, &size) : NULL;
    const uint64_t draft = m->draft_session ? weft_session_bytes(m->draft_session) : 0;
    const struct { const char *name; uint64_t value; } numbers[] = {
        { "parameters", info->parameters }, { "context", m->context }, { "vocabulary", m->n_vocab },
        { "bytes", weft_session_bytes(m->session) + draft }, { "cells", m->cells }, { "slots", m->slots },
        { "running", atomic_load(&n->running) }, { "waiting", atomic_load(&n->waiting) },
        { "cells_free", atomic_load(&n->cells_free) },
    };
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:o}", "model", m->name, "architecture", info->architecture,
                             "device", m->device.name, "device_name", m->device.model, "chat_template",
                             template ? json_stringn(template, size) : json_null());
    json_object_set_new(json, "context_shift", json_boolean(m->shifts));
    const char *how = !m->speculates ? "off" : m->draft ? m->draft_name : "ngram";
    json_object_set_new(json, "speculate", json_string(how));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(json, numbers[i].name, json_integer((json_int_t)numbers[i].value));
    return json;
}

/* Of a model that is not loaded its name, its state, and how many requests wait for that. */
static json_t *props_or_state(const served *m)
{
    json_t *json = m->state == SERVED_LOADED ? props_of(m) : json_pack("{s:s, s:i}", "model", m->name, "waiting",
                                                                       (int)m->n_waiting);
    json_object_set_new(json, "state", json_string(served_state_name(m->state)));
    return json;
}

void serve_props(exchange *x)
{
    server *s = x->server;
    json_t *models = json_array();
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n_models; i++) json_array_append_new(models, props_or_state(&s->models[i]));
    pthread_mutex_unlock(&s->lock);
    exchange_answer(x, 200, json_pack("{s:s, s:s, s:o}", "version", weft_version(), "state", state_name(s), "models",
                                      models));
}

/* ---- /metrics ---- */

typedef struct metric { const char *name, *type, *help; size_t at; bool wide; } metric;
#define COUNTER(name, member, help) \
    { "weft_" name "_total", "counter", help, offsetof(engine_counts, member), true }
#define GAUGE(name, member, help) { "weft_" name, "gauge", help, offsetof(engine_counts, member), false }
static const metric metrics[] = {
    COUNTER("prompt_tokens", prompt_tokens, "Tokens of prompts, cached ones among them"),
    COUNTER("cached_tokens", cached_tokens, "Tokens of prompts that did not need to be evaluated"),
    COUNTER("generated_tokens", picked_tokens, "Tokens picked"),
    COUNTER("drafted_tokens", drafted_tokens, "Tokens guessed"),
    COUNTER("accepted_tokens", accepted_tokens, "Tokens guessed right, generated ones among them"),
    COUNTER("draft_model_tokens", draft_model_tokens, "Tokens that the draft model has evaluated"),
    COUNTER("steps", steps, "Batches evaluated"),
    COUNTER("failures", failures, "Texts that ended with an error"),
    COUNTER("preemptions", preempted, "Texts that were set back for want of cache"),
    COUNTER("context_shifts", shifts, "Times that a text has filled the context and has gone on"),
    GAUGE("running", running, "Texts that are being continued"),
    GAUGE("waiting", waiting, "Texts that wait for a place"),
    GAUGE("cells_free", cells_free, "Tokens that the cache has room for, kept beginnings not counted as room"),
};

static unsigned long long value_of(const metric *m, const engine_counts *c)
{
    const char *at = (const char *)c + m->at;
    return m->wide ? atomic_load((const atomic_ullong *)(const void *)at)
                   : atomic_load((const atomic_uint *)(const void *)at);
}

/* What engines that are gone have counted is part of it. */
static unsigned long long sum_of(const metric *m, const served *of)
{
    return value_of(m, &of->before) + (of->state == SERVED_LOADED ? value_of(m, engine_count(of->engine)) : 0);
}

/* As Prometheus reads the value of a label. */
static void write_sample(const weft_writer *w, const char *name, const char *model, unsigned long long value)
{
    weft_writef(w, "%s{model=\"", name);
    for (const char *c = model; *c; c++) {
        if (*c == '\n') weft_writef(w, "\\n");
        else weft_writef(w, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    weft_writef(w, "\"} %llu\n", value);
}

static void write_models(server *s, const weft_writer *w)
{
    pthread_mutex_lock(&s->lock);
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
        const metric *m = &metrics[k];
        weft_writef(w, "# HELP %s %s.\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
        for (unsigned i = 0; i < s->n_models; i++)
            write_sample(w, m->name, s->models[i].name, sum_of(m, &s->models[i]));
    }
    weft_writef(w, "# HELP weft_loaded Whether the model is loaded.\n# TYPE weft_loaded gauge\n");
    for (unsigned i = 0; i < s->n_models; i++)
        write_sample(w, "weft_loaded", s->models[i].name, s->models[i].state == SERVED_LOADED);
    weft_writef(w, "# HELP weft_loads_total Times that the model was loaded.\n# TYPE weft_loads_total counter\n");
    for (unsigned i = 0; i < s->n_models; i++)
        write_sample(w, "weft_loads_total", s->models[i].name, s->models[i].loads);
    pthread_mutex_unlock(&s->lock);
}

static void write_metrics(server *s, const weft_writer *w)
{
    write_models(s, w);
    weft_writef(w, "# HELP weft_requests_total Requests answered, by HTTP status.\n"
                   "# TYPE weft_requests_total counter\n");
    for (unsigned i = 0; i < SERVER_STATUSES; i++) {
        unsigned long long n = atomic_load(&s->answers[i]);
        if (n) weft_writef(w, "weft_requests_total{code=\"%u\"} %llu\n", i, n);
    }
    weft_writef(w, "# HELP weft_connections Open connections.\n# TYPE weft_connections gauge\nweft_connections %u\n",
                http_connections(s->http));
}

void serve_metrics(exchange *x)
{
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    write_metrics(x->server, &w);
    exchange_answer_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", text.data ? text.data : "", text.size);
    weft_text_free(&text);
}

/* ---- counting ---- */

void server_count(server *s, unsigned status, double seconds)
{
    (void)seconds;
    if (status < SERVER_STATUSES) atomic_fetch_add(&s->answers[status], 1);
}

bool server_take_body(server *s, size_t back, size_t n)
{
    enum { MOST = 256 << 20 };
    if (back) atomic_fetch_sub(&s->body_bytes, back);
    if (!n || atomic_fetch_add(&s->body_bytes, n) + n <= MOST) return true;
    atomic_fetch_sub(&s->body_bytes, n);
    return false;
}
