/* http.c: connections by libmicrohttpd: one thread, epoll. A request that is here whole is suspended and handed on;
 * its answer resumes it. Nothing in this thread takes long.
 *
 * The library's own time limit is one of silence; what comes a byte at a time is ended by http_keep_time, which knows
 * of every connection since when its next request is awaited. */
#include "tools/serve/http.h"
#include "tools/serve/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct peer {
    struct peer *next, *previous;
    struct http *http;
    int socket;
    double since; /* when its next request was first awaited; 0: it has one that is worked on */
} peer;

struct http {
    server *server;
    struct MHD_Daemon *daemon;
    http_desc desc;
    int listening; /* the socket, once no new connections are accepted; else -1 */
    uint16_t port;
    bool loopback;
    pthread_mutex_t lock; /* of the peers */
    peer *peers;
    unsigned n_peers, n_busy;
};

void http_resume(struct MHD_Connection *c)
{
    MHD_resume_connection(c);
}

/* ---- peers ---- */

static void meet(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
    http *h = cls;
    pthread_mutex_lock(&h->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        peer *p = calloc(1, sizeof *p);
        *context = p;
        if (p) {
            *p = (peer){ .next = h->peers, .http = h, .since = weft__seconds(),
                         .socket = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd };
            if (h->peers) h->peers->previous = p;
            h->peers = p;
        }
        h->n_peers++;
    } else {
        peer *p = *context;
        if (p && p->next) p->next->previous = p->previous;
        if (p && p->previous) p->previous->next = p->next;
        else if (p) h->peers = p->next;
        free(p);
        h->n_peers--;
    }
    pthread_mutex_unlock(&h->lock);
}

static void set_waiting(http *h, struct MHD_Connection *c, bool waiting)
{
    peer *p = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!p) return;
    pthread_mutex_lock(&h->lock);
    p->since = waiting ? weft__seconds() : 0;
    pthread_mutex_unlock(&h->lock);
}

void http_keep_time(http *h)
{
    double now = weft__seconds();
    pthread_mutex_lock(&h->lock);
    for (peer *p = h->peers; p; p = p->next)
        if (p->since > 0 && now - p->since > h->desc.timeout) shutdown(p->socket, SHUT_RDWR);
    pthread_mutex_unlock(&h->lock);
}

unsigned http_connections(const http *h)
{
    http *shared = (http *)(uintptr_t)h;
    pthread_mutex_lock(&shared->lock);
    unsigned n = h->n_peers;
    pthread_mutex_unlock(&shared->lock);
    return n;
}

bool http_is_quiet(http *h)
{
    pthread_mutex_lock(&h->lock);
    bool quiet = !h->n_busy;
    pthread_mutex_unlock(&h->lock);
    return quiet;
}

/* ---- answers ---- */

/* What there is of a stream; where there is nothing the connection is suspended until there is. */
static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t most)
{
    exchange *x = cls;
    ssize_t n = 0;
    (void)pos;
    pthread_mutex_lock(&x->lock);
    size_t left = x->n_out - x->at;
    if (x->gone) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (left) {
        n = (ssize_t)(left < most ? left : most);
        memcpy(out, x->out + x->at, (size_t)n);
        x->at += (size_t)n;
        if (x->at == x->n_out) x->at = x->n_out = 0;
    } else if (x->ended) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        x->suspended = true;
        MHD_suspend_connection(x->connection);
    }
    pthread_mutex_unlock(&x->lock);
    return n;
}

static void release_stream(void *cls)
{
    exchange_release(cls);
}

static struct MHD_Response *make_response(exchange *x)
{
    enum { PIECE = 16384 };
    if (x->stream) {
        struct MHD_Response *r =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_stream, x, release_stream);
        if (r) exchange_hold(x);
        if (r) MHD_add_response_header(r, "Cache-Control", "no-cache");
        return r;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(x->n_out, x->n_out ? x->out : (char *)(uintptr_t) "",
                                                             x->n_out ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (r && x->n_out) x->out = NULL;
    return r;
}

static void add_headers(const exchange *x, struct MHD_Response *r)
{
    const char *methods = x->route ? route_method(x->route) : NULL;
    MHD_add_response_header(r, "Content-Type", x->type);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (!strncmp(x->type, "text/html", 9)) MHD_add_response_header(r, "X-Frame-Options", "DENY");
    if (x->status == 401) MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    if (x->status == 405 && methods) MHD_add_response_header(r, "Allow", methods);
    if (x->status == 429 || x->status == 503) MHD_add_response_header(r, "Retry-After", "1");
}

/* Queues the answer, if there is one. */
static enum MHD_Result send_answer(exchange *x, struct MHD_Connection *c)
{
    enum MHD_Result sent = MHD_NO;
    pthread_mutex_lock(&x->lock);
    struct MHD_Response *r = x->gone ? NULL : make_response(x);
    if (r) add_headers(x, r);
    unsigned status = x->status;
    pthread_mutex_unlock(&x->lock);
    if (r) sent = MHD_queue_response(c, status, r);
    if (r) MHD_destroy_response(r);
    return sent;
}

/* ---- requests ---- */

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u; /* FNV-1a */
    return h;
}

static uint64_t client_of(struct MHD_Connection *c, const char *key)
{
    const uint64_t start = 0xcbf29ce484222325u;
    if (key) return mix(start, key, strlen(key));
    const struct sockaddr *a = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (a->sa_family == AF_INET6) return mix(start, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 8);
    return mix(start, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
}

static const char *header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* What is wrong with a request before its body is read is decided here, and said when the body has been passed over. */
static exchange *begin(http *h, struct MHD_Connection *c, const char *url, const char *method)
{
    int fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    exchange *x = exchange_create(h->server, c, fd);
    if (!x) return NULL;
    x->path = strdup(url);
    request_head head = { .method = method, .path = url, .authorization = header(c, "Authorization"),
                          .key = header(c, "X-Api-Key"), .origin = header(c, "Origin"), .host = header(c, "Host"),
                          .site = header(c, "Sec-Fetch-Site"), .loopback = h->loopback };
    server_begin(h->server, x, &head);
    x->client = client_of(c, server_key(h->server, &head));
    pthread_mutex_lock(&h->lock);
    h->n_busy++;
    pthread_mutex_unlock(&h->lock);
    return x;
}

static bool announces_too_much(const http *h, struct MHD_Connection *c)
{
    const char *length = header(c, "Content-Length");
    return length && strtoull(length, NULL, 10) > h->desc.body;
}

static void too_large(const http *h, exchange *x)
{
    exchange_error(x, 413, "body_too_large", NULL, "the body is larger than %zu bytes", h->desc.body);
}

static void take_body(const http *h, exchange *x, const char *data, size_t n)
{
    if (exchange_answered(x)) return;
    if (x->n_body + n > h->desc.body) {
        too_large(h, x);
    } else if (!server_take_body(x->server, 0, n)) {
        exchange_error(x, 429, "too_much_at_once", NULL, "too many requests with large bodies are worked on");
    } else if (!weft__grow(&x->body, &x->cap_body, x->n_body + n, 1)) {
        server_take_body(x->server, n, 0);
        exchange_error(x, 503, NULL, NULL, "out of memory");
    } else {
        memcpy(x->body + x->n_body, data, n);
        x->n_body += n;
    }
}

/* The request is here. */
static enum MHD_Result hand_on(exchange *x, struct MHD_Connection *c)
{
    if (route_is_quick(x->route)) {
        route_run(x);
        return send_answer(x, c);
    }
    pthread_mutex_lock(&x->lock);
    x->suspended = true;
    MHD_suspend_connection(c);
    pthread_mutex_unlock(&x->lock);
    if (!desk_put(x)) exchange_error(x, 503, "not_ready", NULL, "the server is ending");
    return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *n, void **request)
{
    http *h = cls;
    exchange *x = *request;
    (void)version;
    if (!x) {
        x = *request = begin(h, c, url, method);
        if (!x) return MHD_NO;
        if (!announces_too_much(h, c)) return MHD_YES;
        if (!exchange_answered(x)) too_large(h, x);
        return send_answer(x, c); /* before its body: the connection is closed then */
    }
    if (*n) {
        take_body(h, x, data, *n);
        *n = 0;
        return MHD_YES;
    }
    set_waiting(h, c, false);
    pthread_mutex_lock(&x->lock);
    bool known = x->status || x->gone;
    pthread_mutex_unlock(&x->lock);
    return known ? send_answer(x, c) : hand_on(x, c);
}

static void complete(void *cls, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode why)
{
    http *h = cls;
    exchange *x = *request;
    if (!x) return;
    pthread_mutex_lock(&x->lock);
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK) x->gone = true;
    x->connection = NULL;
    x->suspended = false;
    pthread_mutex_unlock(&x->lock);
    set_waiting(h, c, true);
    pthread_mutex_lock(&h->lock);
    h->n_busy--;
    pthread_mutex_unlock(&h->lock);
    exchange_release(x);
    *request = NULL;
}

/* ---- life ---- */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* As many descriptors as the connections take, where the system lets us. */
static void raise_descriptors(unsigned connections)
{
    enum { OTHERS = 64 };
    struct rlimit r;
    rlim_t want = connections + OTHERS;
    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= want) return;
    r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max >= want ? want : r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static weft_status listen_at(http *h, const struct addrinfo *at, int *out, weft_error *err)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    const int on = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&bound, &size)) {
        weft_status failed = WEFT_FAIL(err, WEFT_IO, "%s, port %u: %s", h->desc.host, h->desc.port, strerror(errno));
        if (fd >= 0) close(fd);
        return failed;
    }
    h->loopback = is_loopback((const struct sockaddr *)&bound);
    h->port = ntohs(bound.ss_family == AF_INET ? ((const struct sockaddr_in *)(const void *)&bound)->sin_port
                                               : ((const struct sockaddr_in6 *)(const void *)&bound)->sin6_port);
    *out = fd;
    return WEFT_OK;
}

static weft_status open_socket(http *h, int *out, weft_error *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", h->desc.port);
    int fault = getaddrinfo(h->desc.host, port, &hints, &found);
    if (fault) return WEFT_FAIL(err, WEFT_INVALID, "--host %s: %s", h->desc.host, gai_strerror(fault));
    weft_status status = listen_at(h, found, out, err);
    freeaddrinfo(found);
    return status;
}

static weft_status start_daemon(http *h, int fd, weft_error *err)
{
    enum { HEAD = 32768 };
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, h, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, h->desc.connections, MHD_OPTION_CONNECTION_TIMEOUT,
                                 h->desc.timeout, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD,
                                 MHD_OPTION_NOTIFY_COMPLETED, complete, h, MHD_OPTION_NOTIFY_CONNECTION, meet, h,
                                 MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    return h->daemon ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "libmicrohttpd does not start (with %u connections)",
                                           h->desc.connections);
}

weft_status http_start(server *s, const http_desc *desc, http **out, weft_error *err)
{
    int fd = -1;
    http *h = *out = calloc(1, sizeof *h);
    if (!h) return WEFT_OOM_FAIL(err, "the server");
    *h = (http){ .server = s, .desc = *desc, .listening = -1 };
    pthread_mutex_init(&h->lock, NULL);
    raise_descriptors(desc->connections);
    weft_status status = open_socket(h, &fd, err);
    if (!status) status = start_daemon(h, fd, err);
    if (!status) return WEFT_OK;
    if (fd >= 0) close(fd);
    pthread_mutex_destroy(&h->lock);
    free(h);
    *out = NULL;
    return status;
}

uint16_t http_port(const http *h)
{
    return h->port;
}

bool http_is_loopback(const http *h)
{
    return h->loopback;
}

void http_quiesce(http *h)
{
    if (h->listening >= 0) return;
    h->listening = MHD_quiesce_daemon(h->daemon);
    if (h->listening >= 0) shutdown(h->listening, SHUT_RDWR); /* who connects now is refused and does not wait */
}

void http_stop(http *h)
{
    if (!h) return;
    MHD_stop_daemon(h->daemon);
    if (h->listening >= 0) close(h->listening);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
