/* serve.c: the life of the server: loading, listening, and ending: at SIGTERM or SIGINT it takes no more requests and
 * finishes those that it has; at a second one it ends at once. */
#include "tools/serve/serve.h"
#include "tools/serve/http.h"
#include "tools/serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 16, SLOTS = 16, QUEUE = 256, CONNECTIONS = 2048, TIMEOUT = 60, BODY = 8 << 20, PORT = 8080 };

/* ---- the model ---- */

static char *name_of(const cli_args *a)
{
    char text[256];
    snprintf(text, sizeof text, "%s", cli_text(a, "name", a->named));
    size_t n = strlen(text);
    while (n > 1 && text[n - 1] == '/') text[--n] = 0;
    const char *slash = cli_has(a, "name") ? NULL : strrchr(text, '/');
    return strdup(slash && slash[1] ? slash + 1 : text);
}

/* How long texts may be, and for how many tokens there is room. */
static int read_sizes(const cli_args *a, const weft_model *m, weft_session_desc *desc)
{
    weft_model_info info = *weft_model_info_get(m);
    uint32_t slots = cli_u32(a, "slots", SLOTS), context = cli_u32(a, "context", info.context);
    uint32_t contexts = slots < 4 ? slots : 4;
    uint64_t cells = cli_u64(a, "cells", (uint64_t)contexts * context);
    desc->n_sequences = slots + KEPT;
    if (cells < context) cells = context;
    desc->cells = cells < UINT32_MAX / 2 ? (uint32_t)cells : UINT32_MAX / 2;
    bool embeds = cli_has(a, "embeddings"), logits = info.head == WEFT_HEAD_LOGITS;
    desc->outputs = (logits ? WEFT_WANT_LOGITS : 0) | (embeds ? WEFT_WANT_HIDDEN : 0);
    desc->layer = info.n_layer;
    desc->max_rows = slots < 8 ? 8 : slots;
    if (logits || (embeds && info.head == WEFT_HEAD_NONE)) return 0;
    return cli_fail("%s: no language model: it has no logits to pick tokens by%s", a->named,
                    info.head == WEFT_HEAD_NONE ? " (--embeddings serves its hidden states)" : "");
}

static int open_template(const cli_args *a, served *m)
{
    weft_error err;
    size_t n;
    const char *path = cli_text(a, "chat-template", NULL);
    char *text = path ? cli_read_file(path, &n) : NULL;
    if (path && !text) return 1;
    weft_status status = text ? weft_chat_template_parse(text, n, path, &m->chat, &err)
                              : weft_chat_template_open(a->model, NULL, &m->chat, &err);
    free(text);
    if (status == WEFT_NOT_FOUND && !path) status = WEFT_OK; /* a model that continues texts */
    return status ? cli_report(&err) : 0;
}

static int start_engine(const cli_args *a, served *m, const cli_run *run)
{
    weft_error err;
    if (weft_model_tokenizer(run->model, &m->tokenizer, &err)) return cli_report(&err);
    m->model = run->model;
    m->adapters = &run->adapters;
    m->session = run->session;
    m->slots = cli_u32(a, "slots", SLOTS);
    m->generates = weft_session_settled(run->session)->outputs & WEFT_WANT_LOGITS;
    m->embeds = weft_session_settled(run->session)->outputs & WEFT_WANT_HIDDEN;
    m->context = weft_session_context(run->session);
    m->n_vocab = weft_session_n_vocab(run->session);
    m->cells = weft_session_cells_free(run->session);
    m->since = time(NULL);
    int32_t eos[16];
    uint32_t n_eos = 0;
    while (n_eos < 16 && (eos[n_eos] = weft_model_eos(m->model, n_eos)) >= 0) n_eos++;
    if (m->n_vocab && weft_token_trie_create(m->tokenizer, m->n_vocab, eos, n_eos, &m->trie, &err))
        return cli_report(&err);
    weft_backend_info(run->devices.device[0], &m->device);
    engine_desc d = { .model = m->model, .session = m->session, .tokenizer = m->tokenizer, .slots = m->slots,
                      .kept = KEPT, .embeds = m->embeds,
                      .queue = cli_u32(a, "queue", QUEUE), .pace = cli_f32(a, "pace", 2.5f) };
    if (engine_start(&d, &m->engine, &err)) return cli_report(&err);
    return 0;
}

static int open_model(const cli_args *a, server *s, cli_run *run)
{
    served *m = &s->models[0];
    weft_session_desc desc = { 0 };
    m->name = name_of(a);
    int status = m->name ? cli_model_open(a, &run->model) : cli_fail("out of memory");
    if (!status) status = read_sizes(a, run->model, &desc);
    if (!status) status = open_template(a, m);
    if (!status) status = cli_run_open(a, desc, run);
    if (!status) status = start_engine(a, m, run);
    if (!status) s->n_models = 1;
    return status;
}

/* ---- keys ---- */

static int read_keys(const cli_args *a, server *s)
{
    size_t n;
    const char *path = cli_text(a, "api-key", NULL);
    char *text = path ? cli_read_file(path, &n) : NULL;
    if (!path) return 0;
    if (!text) return 1;
    char *rest = text, *line;
    bool ok = true;
    while (ok && (line = strsep(&rest, "\r\n"))) {
        if (!*line) continue;
        if (s->n_keys == SERVER_KEYS) break;
        ok = (s->keys[s->n_keys] = strdup(line)) != NULL;
        s->n_keys += ok;
    }
    free(text);
    if (!ok) return cli_fail("out of memory");
    if (line) return cli_fail("%s: more than %d keys", path, SERVER_KEYS);
    return s->n_keys ? 0 : cli_fail("%s: there is no key in it", path);
}

/* ---- running ---- */

static int listen_for(const cli_args *a, server *s)
{
    weft_error err;
    const http_desc d = { .host = cli_text(a, "host", "127.0.0.1"), .port = (uint16_t)cli_u32(a, "port", PORT),
                          .connections = cli_u32(a, "connections", CONNECTIONS),
                          .timeout = cli_u32(a, "timeout", TIMEOUT), .body = cli_u32(a, "max-body", BODY) };
    if (http_start(s, &d, &s->http, &err)) return cli_report(&err);
    if (!http_is_loopback(s->http) && !s->n_keys)
        fprintf(stderr, "note: others can reach this server, and no key is asked for (--api-key)\n");
    const char *bracket = strchr(d.host, ':') ? "[" : "";
    fprintf(stderr, "serving %s at http://%s%s%s:%u\n", s->models[0].name, bracket, d.host, *bracket ? "]" : "",
            http_port(s->http));
    return 0;
}

static int told_by[2] = { -1, -1 }; /* a pipe: a byte for each signal, whichever thread it came to */

static void on_signal(int number)
{
    int before = errno;
    if (write(told_by[1], &(char){ (char)number }, 1) < 0) errno = before;
    errno = before;
}

static int catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    if (pipe2(told_by, O_CLOEXEC | O_NONBLOCK)) return cli_fail("signals: %s", strerror(errno));
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return 0;
}

/* Waits up to a moment for a signal. */
static bool was_told(int milliseconds)
{
    struct pollfd p = { .fd = told_by[0], .events = POLLIN };
    char byte;
    return poll(&p, 1, milliseconds) > 0 && read(told_by[0], &byte, 1) == 1;
}

static bool is_idle(server *s)
{
    bool idle = http_is_quiet(s->http);
    for (unsigned i = 0; i < s->n_models; i++) idle &= engine_is_idle(s->models[i].engine);
    return idle;
}

/* What has begun is finished, unless there is a second signal. Requests that are not here yet, and readers of answers,
 * are waited for as long as a connection may take for either. */
static void drain(server *s, double timeout)
{
    bool told = false;
    double idle = 0; /* since when no text is under way */
    atomic_store(&s->state, SERVER_DRAINING);
    http_quiesce(s->http);
    while (!told && !is_idle(s)) {
        bool engines = false;
        for (unsigned i = 0; i < s->n_models; i++) engines |= !engine_is_idle(s->models[i].engine);
        if (engines) idle = 0;
        else if (idle == 0) idle = weft__seconds();
        if (!engines && weft__seconds() - idle > timeout) break;
        told = was_told(20);
        http_keep_time(s->http);
    }
}

/* Whoever still waits is told so. */
static void end(server *s)
{
    desk_stop();
    for (unsigned i = 0; i < s->n_models; i++) engine_close(s->models[i].engine, true);
    for (unsigned i = 0; i < s->n_models; i++) engine_destroy(s->models[i].engine);
    for (int i = 0; s->http && !http_is_quiet(s->http) && i < 50; i++) was_told(20); /* what was said last is sent */
    http_stop(s->http);
}

static int serve(const cli_args *a, server *s)
{
    atomic_store(&s->state, SERVER_READY);
    int status = desk_start() ? listen_for(a, s) : cli_fail("out of memory");
    if (status) return status;
    while (!was_told(250)) http_keep_time(s->http);
    drain(s, cli_u32(a, "timeout", TIMEOUT));
    return 0;
}

int serve_run(const cli_args *a)
{
    server s = { .began = weft__seconds() };
    cli_run run = { 0 };
    if (cli_has(a, "check")) return cli_misuse("serve: --check is for commands that have a text to run");
    json_object_seed(0);
    int status = read_keys(a, &s);
    if (!status) status = open_model(a, &s, &run);
    if (!status) status = catch_signals();
    if (!status) status = serve(a, &s);
    end(&s);
    weft_token_trie_destroy(s.models[0].trie);
    weft_chat_template_close(s.models[0].chat);
    free(s.models[0].name);
    for (unsigned i = 0; i < s.n_keys; i++) free(s.keys[i]);
    cli_run_close(&run);
    return status;
}
