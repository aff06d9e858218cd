/* server.h: what the files of `weft serve` share: the server, its routes, and the functions behind them. */
#ifndef WEFT_SERVE_SERVER_H
#define WEFT_SERVE_SERVER_H

#include <time.h>

#include "models/template/template.h"
#include "tools/cli.h"
#include "tools/serve/engine.h"
#include "tools/serve/exchange.h"

/* What becomes of a model: a request wants it, the keeper (keeper.c) loads it and, when nobody needs it, gives it
 * back. */
typedef enum served_state {
    SERVED_UNLOADED, SERVED_WANTED, SERVED_LOADING, SERVED_LOADED, SERVED_UNLOADING, SERVED_STATES
} served_state;

/* A model that is served. */
typedef struct served {
    /* as long as the server lives */
    char *name;
    char *words;   /* what the command line says of it, cut into pieces that `args` points to */
    cli_args args; /* the command's, with what is said of this one */
    cli_args draft_args; /* of the model that guesses its tokens; its model NULL: there is none */
    const char *draft_name; /* the last part of its path */
    const char *adapter_names[CLI_MAX_VALUES]; /* requests may choose one: "NAME:FOLDER"; of them n_adapters */
    uint32_t n_adapters, queue;
    time_t since;
    double keep_alive; /* seconds that it stays loaded unused, where no request says so; below 0: for ever */

    /* under the server's lock */
    served_state state;
    bool unload;        /* asked for: when nobody uses it */
    bool leaving;       /* its room is waited for: who asks for it now waits, too, until it is loaded again */
    bool postponed;     /* WANTED, but there is no room yet: tried again when there may be some */
    double until;       /* when that is given up, with what was said last */
    uint64_t tried;     /* the server's n_freed then */
    weft_error why;
    unsigned users;     /* exchanges that hold it */
    double stays;       /* seconds that it stays now: the last request's word, or keep_alive */
    double used;        /* when the last of them let it go, or it was loaded */
    uint64_t order;     /* of being wanted */
    exchange *first, **last; /* that wait for it */
    uint32_t n_waiting;
    engine_counts before; /* of engines that it had */
    uint64_t loads;

    /* while it is loaded: for its users, or under the lock */
    cli_run run;
    weft_model *model;
    const weft_tokenizer *tokenizer;
    weft_token_trie *trie; /* for grammars */
    weft_chat_template *chat; /* NULL: it has none */
    weft_session *session;
    engine *engine;
    uint32_t context, n_vocab, slots, cells;
    bool generates, embeds; /* it continues texts, it gives vectors */
    bool shifts;            /* texts go on where the context is full, unless they say otherwise */
    bool speculates;        /* tokens are guessed for every text that does not say otherwise */
    weft_model *draft;      /* by this model; NULL: by lookup */
    weft_session *draft_session;
    weft_device_info device;
    uint64_t planned[CLI_MAX_DEVICES]; /* bytes on each of the devices below, by the plan; of one postponed, too */
    uint64_t most[CLI_MAX_DEVICES]; /* that all models may have there (room.c) */
    weft_device_info devices[CLI_MAX_DEVICES];
    uint32_t n_devices;
} served;

typedef enum server_state { SERVER_LOADING, SERVER_READY, SERVER_DRAINING } server_state;

enum { SERVER_MODELS = CLI_MAX_MODELS, SERVER_KEYS = 64, SERVER_STATUSES = 600 };
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
    uint64_t memory; /* bytes on each device that models may take by their plans; 0: what the device has left */
    double patience; /* seconds that a load waits for models in its way to be left */
    pthread_mutex_t lock;   /* of what becomes of the models */
    pthread_cond_t changed; /* something for the keeper to do */
    pthread_t keeper;
    bool keeping;     /* there is one */
    atomic_bool stopping; /* nothing is loaded any more */
    uint64_t n_wanted;
    uint64_t n_freed; /* times that a model was left by its last user, or given back */
    atomic_flag profiling; /* one at a time */
    cores cores; /* of the processor, that models on it share */
} server;

/* Room for bodies of requests: gives back, then takes. False: there is none. */
bool server_take_body(server *s, size_t back, size_t n);
void server_count(server *s, unsigned status, double seconds);
/* ---- models (models.c) ---- */

/* The model that a request means, loaded; for text, one that continues texts. It stays loaded as long as the exchange
 * lives. name NULL: the first. NULL after an error has been answered, or where the model must be loaded first: then the
 * route's function is called again, from the beginning, when it is. So nothing may be answered before. */
served *server_model(exchange *x, const char *name);
served *server_text_model(exchange *x, const char *name);
served *server_loaded_model(exchange *x, const char *name); /* where it is loaded; else an error is answered */
/* The same without loading it or an answer: NULL where there is none. */
served *server_find(server *s, const char *name);
void server_stay(server *s, served *m, double seconds); /* from now on it stays loaded unused for so long */
void server_release(server *s, served *m); /* the exchange that held it has ended */
/* The adapter that a name has behind the model's, or WEFT_ADAPTER_NONE; and the name of adapter i, its folder's. */
int32_t server_adapter(const served *m, const char *name);
const char *server_adapter_name(const served *m, uint32_t i);
const char *served_state_name(served_state s); /* "unloaded" */
/* Under the lock: somebody wants it loaded, or given back. */
void served_want(server *s, served *m);
void served_unwant(server *s, served *m);
/* Under the lock: those whose clients have gone wait no longer; nobody is left who waits: false. */
bool served_is_awaited(served *m);

/* ---- what the command line says of models (words.c) ---- */
/* 0, or an exit status; forget in any case. */
int served_read(const cli_args *a, const char *word, served *out);
void served_forget(served *m);

/* ---- one model (served.c) ---- */
/* Makes room for what is planned. err says why there is none, perhaps, its status is 0 if there is; a failure: it need
 * not be tried. */
typedef weft_status served_room(void *ctx, served *m, const weft_session_plan *plan, weft_error *err);
/* 0, or an exit status after a message; what was opened is closed then. `why` has a reason where it is not a fault. */
int served_open(served *m, cores *shared, weft_progress_sink progress, served_room *room, void *ctx, weft_error *why);
void served_close(served *m); /* nobody uses it; of texts under way none goes on */

/* ---- its draft model (draft_open.c) ---- */
int draft_find(served *m); /* what the command line says of it. 0, or an exit status, as below */
/* Opens it, with what its session is to be like beside one of `of`. */
int draft_open(served *m, const weft_session_desc *of, weft_session_desc *desc);
weft_status draft_plan(served *m, const weft_session_desc *desc, weft_error *err); /* adds to what is planned */
int draft_create(served *m, const weft_session_desc *desc); /* of a model that is loaded: whether it speculates, too */
void draft_close(served *m);

/* ---- the keeper (keeper.c): a thread that loads models and gives them back ---- */
/* Loads a model before there is a keeper: of the command, which tells of its progress. */
int keeper_load(server *s, served *m);
bool keeper_start(server *s);
void keeper_stop(server *s); /* whoever waits for a model is told so; a load is given up */

/* ---- routes (routes.c) ---- */

typedef struct request_head {
    const char *method, *path, *authorization, *key, *origin, *host, *site; /* NULL: not there */
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
    serve_chat, serve_embeddings, serve_tokenize, serve_detokenize, serve_load, serve_unload, serve_profile;
route_function serve_messages, serve_count_tokens, serve_infill, serve_responses, serve_rerank;

/* ---- the desk (desk.c): a thread that reads requests, one after the other ---- */
bool desk_start(void);
bool desk_put(exchange *x); /* false: it has stopped */
void desk_stop(void); /* when all that was put has been read */

/* The body as an object; NULL after an error has been answered. */
json_t *request_json(exchange *x);

#endif
