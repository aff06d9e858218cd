/* exchange.c: the life of a request and the writing of its answer, from any thread. Nothing here blocks: what a slow
 * client has not read waits in memory, up to a bound, beyond which it counts as gone. */
#include "tools/serve/exchange.h"
#include "tools/serve/http.h"
#include "tools/serve/server.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_UNREAD = 4 << 20 };

exchange *exchange_create(server *s, struct MHD_Connection *c, int socket)
{
    exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->server = s;
    x->connection = c;
    x->socket = socket;
    x->began = weft__seconds();
    atomic_init(&x->holders, 1);
    pthread_mutex_init(&x->lock, NULL);
    return x;
}

void exchange_hold(exchange *x)
{
    atomic_fetch_add(&x->holders, 1);
}

void exchange_release(exchange *x)
{
    if (!x || atomic_fetch_sub(&x->holders, 1) != 1) return;
    server_take_body(x->server, x->n_body, 0);
    if (x->model) server_release(x->server, x->model);
    pthread_mutex_destroy(&x->lock);
    free(x->path);
    free(x->body);
    free(x->out);
    free(x);
}

/* ---- writing; under the lock ---- */

static void wake(exchange *x)
{
    if (!x->suspended) return;
    x->suspended = false;
    http_resume(x->connection);
}

static bool append(exchange *x, const char *text, size_t n)
{
    if (x->gone || !weft__grow(&x->out, &x->cap_out, x->n_out + n, 1)) return false;
    memcpy(x->out + x->n_out, text, n);
    x->n_out += n;
    return true;
}

static int append_json(const char *text, size_t n, void *ctx)
{
    return append(ctx, text, n) ? 0 : -1;
}

static void decide(exchange *x, unsigned status, const char *type)
{
    x->status = status;
    x->type = type;
    server_count(x->server, status, weft__seconds() - x->began);
}

void exchange_answer_text(exchange *x, unsigned status, const char *type, const char *text, size_t n)
{
    pthread_mutex_lock(&x->lock);
    if (!x->status && !x->gone) {
        decide(x, status, type);
        append(x, text, n);
        x->ended = true;
        wake(x);
    }
    pthread_mutex_unlock(&x->lock);
}

/* Reals of OpenAI's answers are log-probabilities and vectors, those of Anthropic's what a model has written. */
static size_t how_written(const exchange *x)
{
    return JSON_COMPACT | (x->anthropic ? JSON_REAL_PRECISION(17) : JSON_REAL_PRECISION(9));
}

void exchange_answer(exchange *x, unsigned status, json_t *json)
{
    pthread_mutex_lock(&x->lock);
    if (!x->status && !x->gone) {
        bool made = json && !json_dump_callback(json, append_json, x, how_written(x));
        if (!made) x->n_out = 0;
        decide(x, made ? status : 503, "application/json");
        x->ended = true;
        wake(x);
    }
    pthread_mutex_unlock(&x->lock);
    json_decref(json);
}

/* ---- errors ---- */

static const char *kind_of(unsigned status)
{
    return status == 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
}

static const char *anthropic_kind(unsigned status)
{
    static const struct { unsigned status; const char *kind; } kinds[] = {
        { 401, "authentication_error" }, { 403, "permission_error" }, { 404, "not_found_error" },
        { 413, "request_too_large" },    { 429, "rate_limit_error" }, { 503, "overloaded_error" },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].status == status) return kinds[i].kind;
    return status >= 500 ? "api_error" : "invalid_request_error";
}

static json_t *error_json(const exchange *x, unsigned status, const char *code, const char *param, const char *text)
{
    if (x->anthropic)
        return json_pack("{s:s, s:{s:s, s:s}}", "type", "error", "error", "type", anthropic_kind(status), "message",
                         text);
    return json_pack("{s:{s:s, s:s, s:s?, s:s?}}", "error", "message", text, "type", kind_of(status), "param", param,
                     "code", code);
}

void exchange_error(exchange *x, unsigned status, const char *code, const char *param, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_t *json = error_json(x, status, code, param, text);
    for (char *c = text; *c && !json; c++) /* it was cut within a character */
        if (*c & 0x80) *c = '?';
    if (!json) json = error_json(x, status, code, NULL, text);
    pthread_mutex_lock(&x->lock);
    bool stream = x->stream;
    pthread_mutex_unlock(&x->lock);
    if (!stream) {
        exchange_answer(x, status, json);
        return;
    }
    exchange_event_named(x, x->anthropic ? "error" : NULL, json);
    exchange_end(x, NULL);
}

/* Each API has its way to name a field. */
static bool refuse_field(exchange *x, const char *field, const char *expected, const char *why)
{
    const char *quote = x->anthropic ? "" : "'";
    exchange_error(x, 400, "invalid_value", field, "%s%s%s: %s%s", quote, field, quote, expected, why);
    return false;
}

bool exchange_refuse(exchange *x, const char *field, const char *why)
{
    return refuse_field(x, field, "", why);
}

bool exchange_expected(exchange *x, const char *field, const char *what)
{
    return refuse_field(x, field, "expected ", what);
}

/* ---- streams ---- */

void exchange_stream(exchange *x)
{
    pthread_mutex_lock(&x->lock);
    if (!x->status) {
        decide(x, 200, "text/event-stream");
        x->stream = true;
        wake(x);
    }
    pthread_mutex_unlock(&x->lock);
}

/* Gives back the place of what has been sent. */
static void compact(exchange *x)
{
    if (x->at <= x->n_out / 2) return;
    memmove(x->out, x->out + x->at, x->n_out - x->at);
    x->n_out -= x->at;
    x->at = 0;
}

bool exchange_event(exchange *x, json_t *json)
{
    return exchange_event_named(x, NULL, json);
}

/* The line before an event's data. */
static bool append_name(exchange *x, const char *name)
{
    return !name || (append(x, "event: ", 7) && append(x, name, strlen(name)) && append(x, "\n", 1));
}

bool exchange_event_named(exchange *x, const char *name, json_t *json)
{
    pthread_mutex_lock(&x->lock);
    compact(x);
    size_t before = x->n_out;
    bool ok = json && x->stream && !x->ended && x->n_out - x->at < MOST_UNREAD && append_name(x, name) &&
              append(x, "data: ", 6) &&
              !json_dump_callback(json, append_json, x, how_written(x)) && append(x, "\n\n", 2);
    if (!ok) {
        x->n_out = before;
        x->gone = true;
    }
    wake(x);
    pthread_mutex_unlock(&x->lock);
    json_decref(json);
    return ok;
}

void exchange_end(exchange *x, const char *last)
{
    pthread_mutex_lock(&x->lock);
    if (last && x->stream && !x->ended && append(x, "data: ", 6) && append(x, last, strlen(last)))
        append(x, "\n\n", 2);
    x->ended = true;
    wake(x);
    pthread_mutex_unlock(&x->lock);
}

/* ---- the client ---- */

bool exchange_gone(exchange *x)
{
    pthread_mutex_lock(&x->lock);
    if (!x->gone && x->suspended) { /* a suspended connection's socket stays open */
        struct pollfd p = { .fd = x->socket, .events = POLLRDHUP };
        if (poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR)) x->gone = true;
        if (x->gone) wake(x);
    }
    bool gone = x->gone;
    pthread_mutex_unlock(&x->lock);
    return gone;
}

bool exchange_answered(exchange *x)
{
    pthread_mutex_lock(&x->lock);
    bool answered = x->status != 0;
    pthread_mutex_unlock(&x->lock);
    return answered;
}
