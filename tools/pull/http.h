/* http.h: GET from the hub: redirects, retries, the token, and what servers refuse in words. */
#ifndef WEFT_PULL_HTTP_H
#define WEFT_PULL_HTTP_H

#include "tools/hub.h"
#include "tools/pull/curl.h"

enum { PULL_MAX_URL = 16384, PULL_MAX_FIELD = 256 };

typedef struct pull_http {
    pull_curl curl;
    CURL *easy;
    const hub_settings *hub;
    const char *repository; /* in messages */
    unsigned retries;       /* after failures that may pass, without much coming in between */
    double wait;            /* seconds before the first; twice as many before each further one */
    bool answered;          /* some server has: so there is a network, and what fails is worth another try */
} pull_http;

/* What the headers of an answer say. Fields that are not there, or too long, are "". */
typedef struct pull_answer {
    long status;
    uint64_t length;       /* of what comes; UINT64_MAX: not said */
    uint64_t from, total;  /* Content-Range; UINT64_MAX: not said */
    char commit[PULL_MAX_FIELD];  /* X-Repo-Commit */
    char digest[PULL_MAX_FIELD];  /* X-Linked-Etag, else ETag, without quotes */
    char linked_size[PULL_MAX_FIELD];
    char error[PULL_MAX_FIELD], message[PULL_MAX_FIELD]; /* X-Error-Code, X-Error-Message */
    char location[PULL_MAX_URL], next[PULL_MAX_URL]; /* Location; the next page of a list (Link) */
    double retry_after;    /* seconds */
    size_t bytes;          /* of headers */
    bool own;              /* it is the hub's, not that of a server that it sends us on to */
} pull_answer;

/* Who takes what comes. A failure of theirs ends the request, and is not tried again. */
typedef struct pull_taker {
    void *ctx;
    const char *what; /* in messages: a file, "its list of files" */
    bool small;       /* an answer that is made at once: it has two minutes in all */
    /* Before each try: where it should begin. whole: the server has nothing from where the last one began. */
    weft_status (*begin)(void *ctx, bool whole, uint64_t *from, weft_error *err);
    /* The hub's own words before it sends us on to another server; may be NULL. */
    weft_status (*sent_on)(void *ctx, const pull_answer *a, weft_error *err);
    /* A part of the answer, whose status is 200, or 206 where `from` was not 0; first: nothing of it came before. */
    weft_status (*take)(void *ctx, const pull_answer *a, bool first, const void *data, size_t n, weft_error *err);
    /* The answer has ended as HTTP would have it. Of a failure, *again says whether another try may do. */
    weft_status (*end)(void *ctx, const pull_answer *a, bool *again, weft_error *err);
} pull_taker;

/* Opens libcurl, and looks at the endpoint's address. Close in any case. */
weft_status pull_http_open(pull_http *out, const hub_settings *hub, const char *repository, weft_error *err);
void pull_http_close(pull_http *h);
/* *answer is that of the last try. `url` is on the hub, or a page that it names. */
weft_status pull_http_get(pull_http *h, const char *url, const pull_taker *t, pull_answer *answer, weft_error *err);

/* For messages: what a server says, with '?' for what could disturb a terminal. Returns out. */
const char *pull_shown(const char *text, char *out, size_t size);
/* Appends to a URL of `size` bytes, with what has a meaning there in per cents; "/" too unless it is kept. false: there
 * is no room. */
bool pull_append_quoted(char *url, size_t size, const char *text, bool keep_slash);

#endif
