/* routes.c: which path means what, and who may ask. */
#include "tools/serve/server.h"

#include <string.h>
#include <strings.h>

typedef struct route {
    const char *method, *path;
    route_function *run;
    bool open;  /* needs no key */
    bool quick; /* answers at once, from memory */
} route;

static const route routes[] = {
    { "GET", "/", serve_front, true, true },
    { "GET", "/health", serve_health, true, true },
    { "GET", "/ready", serve_ready, true, true },
    { "GET", "/metrics", serve_metrics, false, true },
    { "GET", "/props", serve_props, false, true },
    { "GET", "/v1/models", serve_models, false, true },
    { "GET", "/v1/models/", serve_models, false, true }, /* and a name */
    { "GET", "/profile", serve_profile, false, false }, /* of the first model */
    { "GET", "/profile/", serve_profile, false, false }, /* and a name */
    { "POST", "/v1/completions", serve_completions, false, false },
    { "POST", "/v1/chat/completions", serve_chat, false, false },
    { "POST", "/v1/messages", serve_messages, false, false },
    { "POST", "/v1/messages/count_tokens", serve_count_tokens, false, false },
    { "POST", "/infill", serve_infill, false, false },
    { "POST", "/v1/responses", serve_responses, false, false },
    { "POST", "/v1/embeddings", serve_embeddings, false, false },
    { "POST", "/v1/rerank", serve_rerank, false, false },
    { "POST", "/rerank", serve_rerank, false, false },
    { "POST", "/tokenize", serve_tokenize, false, false },
    { "POST", "/detokenize", serve_detokenize, false, false },
    { "GET", "/models", serve_models, false, true }, /* as llama.cpp's router calls them */
    { "POST", "/models/load", serve_load, false, false },
    { "POST", "/models/unload", serve_unload, false, false },
};

static const route *find(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t k = strlen(routes[i].path);
        bool prefix = k > 1 && routes[i].path[k - 1] == '/' && n > k && !strncmp(path, routes[i].path, k);
        if (prefix || !strcmp(path, routes[i].path)) return &routes[i];
    }
    return NULL;
}

const char *route_method(const route *r)
{
    return !strcmp(r->method, "GET") && r->quick ? "GET, HEAD" : r->method;
}

bool route_is_quick(const route *r)
{
    return r->quick;
}

void route_run(exchange *x)
{
    x->route->run(x);
}

/* ---- who may ask ---- */

/* Takes as long for any key of this length. */
static bool is_key(const char *key, const char *given)
{
    size_t n = strlen(given), k = strlen(key);
    unsigned differs = n != k;
    for (size_t i = 0; i < n; i++) differs |= (unsigned char)given[i] ^ (unsigned char)key[k ? i % k : 0];
    return !differs;
}

const char *server_key(const server *s, const request_head *head)
{
    const char *given = head->key, *found = NULL;
    if (head->authorization && !strncasecmp(head->authorization, "Bearer ", 7)) given = head->authorization + 7;
    for (unsigned i = 0; given && i < s->n_keys; i++)
        if (is_key(s->keys[i], given)) found = s->keys[i];
    return found;
}

/* A page of another site in the user's own browser: it sends an Origin, which is not this server's. */
static bool is_foreign(const request_head *head)
{
    const char *host = head->origin ? strstr(head->origin, "://") : NULL;
    return head->origin && (!host || !head->host || strcasecmp(host + 3, head->host));
}

/* What a page of another site loads as a picture or a script has no Origin; it cannot read the answer, but could keep
 * the server busy. */
static bool is_embedded(const request_head *head)
{
    return head->site && strcasecmp(head->site, "same-origin") && strcasecmp(head->site, "none");
}

/* A server for this machine alone, without keys, is asked for by an address or as localhost; a name that somebody else
 * has let point here is how pages of other sites would read from it (DNS rebinding). */
static bool is_rebound(const server *s, const request_head *head)
{
    if (!head->loopback || s->n_keys || !head->host) return false;
    size_t n = strcspn(head->host, ":");
    bool local = n == 9 && !strncasecmp(head->host, "localhost", 9);
    return !local && *head->host != '[' && strspn(head->host, "0123456789.") < n;
}

void server_begin(server *s, exchange *x, const request_head *head)
{
    const route *r = x->route = find(head->path);
    x->anthropic = !strncmp(head->path, "/v1/messages", 12); /* an error is in the form that the client reads */
    bool reads = !strcmp(head->method, "HEAD") && r && r->quick && !strcmp(r->method, "GET");
    if (is_foreign(head) || is_rebound(s, head) || (r && !r->quick && is_embedded(head)))
        exchange_error(x, 403, "foreign_origin", NULL, "pages of other sites may not use this server");
    else if (!(r && r->open) && s->n_keys && !server_key(s, head))
        exchange_error(x, 401, "invalid_api_key", NULL, "a key is needed: Authorization: Bearer KEY");
    else if (!r)
        exchange_error(x, 404, "not_found", NULL, "there is no %.200s here", head->path);
    else if (strcmp(head->method, r->method) && !reads)
        exchange_error(x, 405, "method_not_allowed", NULL, "%s takes %s", r->path, route_method(r));
    else if (!r->quick && atomic_load(&s->state) != SERVER_READY)
        exchange_error(x, 503, "not_ready", NULL, "the server is %s",
                       atomic_load(&s->state) == SERVER_LOADING ? "loading" : "ending");
}

/* ---- what many routes need ---- */

json_t *request_json(exchange *x)
{
    json_error_t fault;
    json_t *root = json_loadb(x->body ? x->body : "", x->n_body, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &fault);
    if (!root) {
        exchange_error(x, 400, "invalid_json", NULL, "the body is no JSON: line %d, column %d: %.200s", fault.line,
                       fault.column, fault.text);
    } else if (!json_is_object(root)) {
        exchange_error(x, 400, "invalid_json", NULL, "the body is no JSON object");
        json_decref(root);
        root = NULL;
    }
    return root;
}
