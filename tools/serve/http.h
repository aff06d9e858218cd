/* http.h: what the server needs of HTTP. One thread speaks it for all connections (libmicrohttpd with epoll); it reads
 * requests, hands them to the desk and sends what is written of their answers. */
#ifndef WEFT_SERVE_HTTP_H
#define WEFT_SERVE_HTTP_H

#include "tools/serve/exchange.h"

typedef struct http http;

/* Limits. Header lines: 32 KiB (431). */
typedef struct http_desc {
    const char *host; /* an address or a name */
    uint16_t port;    /* 0: any that is free */
    unsigned connections;
    unsigned timeout; /* seconds in which a connection's next request must be here whole, and in which some of an answer
                         must be taken */
    size_t body;      /* bytes of a request's body */
} http_desc;

/* Begins to accept. The address is in use, the host is none: INVALID, IO. */
weft_status http_start(struct server *s, const http_desc *desc, http **out, weft_error *err);
uint16_t http_port(const http *h);
bool http_is_loopback(const http *h); /* nobody on another machine can connect */
unsigned http_connections(const http *h);
/* Closes connections whose request has not come in time; to be called about once a second. */
void http_keep_time(http *h);
void http_quiesce(http *h); /* no new connections */
bool http_is_quiet(http *h); /* every answer has been sent */
void http_stop(http *h);    /* every exchange must be answered */
void http_resume(struct MHD_Connection *c);

#endif
