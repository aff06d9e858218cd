/* serve.c: the life of the server: loading, listening, and ending: at SIGTERM or SIGINT it takes no more requests and
 * finishes those that it has; at a second one it ends at once. */
#include "backends/process_memory.h"
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

enum { CONNECTIONS = 2048, TIMEOUT = 60, BODY = 8 << 20, PORT = 8080 };

/* ---- models ---- */

static int read_models(const cli_args *a, server *s)
{
    if (cli_has(a, "name") && a->n_models > 1)
        return cli_misuse("serve: --name is for one model; of several: NAME=PATH");
    for (unsigned i = 0; i < a->n_models; i++) {
        served *m = &s->models[s->n_models++];
        int status = served_read(a, a->models[i], m);
        if (status) return status;
        for (const served *o = s->models; o < m; o++)
            if (!strcmp(o->name, m->name))
                return cli_misuse("serve: two models are called '%s': %s and %s; NAME=PATH gives one another name",
                                  m->name, o->args.model, m->args.model);
    }
    return 0;
}

/* The first, or all. The others have to be there. */
static int load_models(const cli_args *a, server *s)
{
    int status = 0;
    for (unsigned i = 0; i < s->n_models && !status; i++) {
        served *m = &s->models[i];
        if (!i || cli_has(a, "preload")) status = keeper_load(s, m);
        else if (access(m->args.model, R_OK)) status = cli_fail("%s: %s", m->args.model, strerror(errno));
    }
    return status;
}

static void count_cores(server *s)
{
    weft_device_info cpu;
    cores_init(&s->cores, weft_backend_list("cpu", 0, &cpu, NULL) ? 1 : cpu.threads);
}

static int read_memory(const cli_args *a, server *s)
{
    const char *text = cli_text(a, "memory", "auto");
    if (!strcmp(text, "auto") || (weft__parse_bytes(text, &s->memory) && s->memory)) return 0;
    return cli_misuse("--memory %s: expected a number of bytes (K, M, G may follow), or auto", text);
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
    fprintf(stderr, "serving %s%s at http://%s%s%s:%u\n", s->models[0].name,
            s->n_models > 1 ? " and others" : "", bracket, d.host, *bracket ? "]" : "",
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

/* Texts under way, or requests that wait for a model. */
static bool is_busy(server *s)
{
    bool busy = false;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n_models; i++) {
        const served *m = &s->models[i];
        busy |= m->n_waiting || (m->state == SERVED_LOADED && !engine_is_idle(m->engine));
    }
    pthread_mutex_unlock(&s->lock);
    return busy;
}

/* What has begun is finished, unless there is a second signal. Requests that are not here yet, and readers of answers,
 * are waited for as long as a connection may take for either. */
static void drain(server *s, double timeout)
{
    bool told = false;
    double idle = 0; /* since when no text is under way */
    atomic_store(&s->state, SERVER_DRAINING);
    http_quiesce(s->http);
    for (bool busy; !told && ((busy = is_busy(s)) || !http_is_quiet(s->http));) {
        if (busy) idle = 0;
        else if (idle == 0) idle = weft__seconds();
        if (!busy && weft__seconds() - idle > timeout) break;
        told = was_told(20);
        http_keep_time(s->http);
    }
}

/* Whoever still waits is told so. */
static void end(server *s)
{
    keeper_stop(s);
    desk_stop();
    for (unsigned i = 0; i < s->n_models; i++) {
        served *m = &s->models[i];
        pthread_mutex_lock(&s->lock);
        const bool loaded = m->state == SERVED_LOADED;
        m->state = loaded ? SERVED_UNLOADING : SERVED_UNLOADED;
        pthread_mutex_unlock(&s->lock);
        if (loaded) served_close(m);
    }
    for (int i = 0; s->http && !http_is_quiet(s->http) && i < 50; i++) was_told(20); /* what was said last is sent */
    http_stop(s->http);
}

static int serve(const cli_args *a, server *s)
{
    atomic_store(&s->state, SERVER_READY);
    int status = desk_start() && keeper_start(s) ? listen_for(a, s) : cli_fail("out of memory");
    if (status) return status;
    while (!was_told(250)) http_keep_time(s->http);
    drain(s, cli_u32(a, "timeout", TIMEOUT));
    return 0;
}

int serve_run(const cli_args *a)
{
    static server s;
    if (cli_has(a, "check")) return cli_misuse("serve: --check is for commands that have a text to run");
    s.began = weft__seconds();
    s.patience = cli_u32(a, "timeout", TIMEOUT);
    pthread_mutex_init(&s.lock, NULL);
    pthread_condattr_t attr; /* a clock that nobody sets */
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s.changed, &attr);
    pthread_condattr_destroy(&attr);
    count_cores(&s);
    json_object_seed(0);
    int status = read_keys(a, &s);
    if (!status) status = read_memory(a, &s);
    if (!status) status = read_models(a, &s);
    if (!status) status = load_models(a, &s);
    if (!status) status = catch_signals();
    if (!status) status = serve(a, &s);
    end(&s);
    for (unsigned i = 0; i < s.n_models; i++) served_forget(&s.models[i]);
    for (unsigned i = 0; i < s.n_keys; i++) free(s.keys[i]);
    return status;
}
