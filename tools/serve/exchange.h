/* exchange.h: one HTTP request and its answer. The thread that speaks HTTP (http.c) reads the request and sends what is
 * there of the answer; other threads write the answer, whole or as a stream of events. An exchange lives as long as
 * anybody holds it: who works on it when its client has gone writes into the void and is told so. */
#ifndef WEFT_SERVE_EXCHANGE_H
#define WEFT_SERVE_EXCHANGE_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "graph/base.h"

struct server;
struct route;
struct served;
struct MHD_Connection;

typedef struct exchange {
    struct server *server;
    const struct route *route;
    char *path;
    char *body; /* of the request; complete when the route's function is called */
    size_t n_body, cap_body;
    uint64_t client; /* stands for who asks: by key, or by address */
    double began;
    bool anthropic; /* errors are in the form of its API */
    struct exchange *next; /* in the desk's queue, or among those that wait for a model */
    struct served *model;  /* that it holds; NULL: none. Its own until it is handed to another thread */

    atomic_uint holders;
    pthread_mutex_t lock; /* of all below */
    struct MHD_Connection *connection;
    int socket;
    bool suspended; /* HTTP waits for the answer, or for more of it */
    bool stream, ended, gone;
    bool received; /* the whole request is here */
    unsigned status; /* 0: not decided */
    const char *type;
    char *out; /* what was not sent yet: from `at` to n_out */
    size_t n_out, cap_out, at;
} exchange;

exchange *exchange_create(struct server *s, struct MHD_Connection *c, int socket);
void exchange_hold(exchange *x);
void exchange_release(exchange *x);

/* The answer, once: a body. `json` is taken over; NULL: there was no memory for it. */
void exchange_answer(exchange *x, unsigned status, json_t *json);
void exchange_answer_text(exchange *x, unsigned status, const char *type, const char *text, size_t n);
/* An error in OpenAI's form, or Anthropic's; code and param may be NULL. In a stream that has begun it is an event,
 * which ends it. */
void exchange_error(exchange *x, unsigned status, const char *code, const char *param, const char *fmt, ...)
    WEFT_PRINTF(5, 6);

/* 400 for a field: what is wrong with it, or what was expected. False, to be returned. */
bool exchange_refuse(exchange *x, const char *field, const char *why);
bool exchange_expected(exchange *x, const char *field, const char *what);

/* The answer is a stream of events (text/event-stream). False: nobody reads it any more. */
void exchange_stream(exchange *x);
bool exchange_event(exchange *x, json_t *json); /* taken over */
bool exchange_event_named(exchange *x, const char *name, json_t *json); /* name NULL: without */
void exchange_end(exchange *x, const char *last); /* `last` is the data of one more event; NULL: none */

/* Whether the client has closed its side; asks the socket where nothing is being sent. */
bool exchange_gone(exchange *x);
bool exchange_answered(exchange *x);

#endif
