/* server.h: what the files of `weft serve` share: the server, its routes, and the functions behind them. */
#ifndef WEFT_SERVE_SERVER_H
#define WEFT_SERVE_SERVER_H

#include <time.h>

#include "models/template/template.h"
#include "tools/cli.h"
#include "tools/serve/engine.h"
#include "tools/serve/exchange.h"

/* A model that is served. */
typedef struct served {
    char *name;
    weft_model *model;
    const weft_tokenizer *tokenizer;
    weft_token_trie *trie; /* for grammars */
    weft_chat_template *chat; /* NULL: it has none */
    weft_session *session;
    engine *engine;
    time_t since;
    uint32_t context, n_vocab, slots, cells;
    const cli_adapters *adapters; /* requests may choose one: "NAME:FOLDER" */
    bool generates, embeds; /* it continues texts, it gives vectors */
    weft_device_info device;
} served;

typedef enum server_state { SERVER_LOADING, SERVER_READY, SERVER_DRAINING } server_state;

enum { SERVER_MODELS = 16, SERVER_KEYS = 64, SERVER_STATUSES = 600 };
typedef struct server {
    served models[SERVER_MODELS];
    unsigned n_models;
    char *keys[SERVER_KEYS]; /* of which a request must have one; none: no request needs any */
    unsigned n_keys;
    atomic_int state; /* server_state */
    atomic_size_t body_bytes;
    atomic_uint grammars; /* compiled, of requests that wait or run */
    atomic_ullong answers[SERVER_STATUSES]; /* by HTTP status */
    struct http *http;
    double began;
} server;

/* Room for bodies of requests: gives back, then takes. False: there is none. */
bool server_take_body(server *s, size_t back, size_t n);
void server_count(server *s, unsigned status, double seconds);
/* The model that a request means; for text, one that continues texts. NULL after an error has been answered. name NULL:
 * the first. */
served *server_model(exchange *x, const char *name);
served *server_text_model(exchange *x, const char *name);
/* The adapter that a name has behind the model's, or WEFT_ADAPTER_NONE; and the name of adapter i, its folder's. */
int32_t server_adapter(const served *m, const char *name);
const char *server_adapter_name(const served *m, uint32_t i);

/* ---- routes (routes.c) ---- */

typedef struct request_head {
    const char *method, *path, *authorization, *key, *origin, *host; /* NULL: not there */
    bool loopback;
} request_head;
/* Finds the route, and refuses what need not be read further: x is answered then. */
void server_begin(server *s, exchange *x, const request_head *head);
/* The key that a request gives, of those that are asked for; NULL: none of them. */
const char *server_key(const server *s, const request_head *head);
const char *route_method(const struct route *r);
bool route_is_quick(const struct route *r); /* its function may run in the thread of HTTP */
void route_run(exchange *x);

/* What routes do. All answer x, at once or later. */
typedef void route_function(exchange *x);
route_function serve_front, serve_health, serve_ready, serve_metrics, serve_models, serve_props, serve_completions,
    serve_chat, serve_embeddings, serve_tokenize, serve_detokenize;

/* ---- the desk (desk.c): a thread that reads requests, one after the other ---- */
bool desk_start(void);
bool desk_put(exchange *x); /* false: it has stopped */
void desk_stop(void); /* when all that was put has been read */

/* The body as an object; NULL after an error has been answered. */
json_t *request_json(exchange *x);

#endif
