/* curl.h: libcurl, opened when it is needed: linking it would load thirty libraries before each command. */
#ifndef WEFT_PULL_CURL_H
#define WEFT_PULL_CURL_H

#include <curl/curl.h>

#include "graph/base.h"

#define PULL_CURL(X)                                                                                        \
    X(global_init) X(easy_init) X(easy_setopt) X(easy_perform) X(easy_getinfo) X(easy_reset) X(easy_cleanup) \
    X(easy_strerror) X(slist_append) X(slist_free_all) X(url) X(url_set) X(url_get) X(url_cleanup) X(free)

/* Its functions, without "curl_"; as in <curl/curl.h>. */
typedef struct pull_curl {
    void *library;
#define X(name) __typeof__(curl_##name) *name;
    PULL_CURL(X)
#undef X
} pull_curl;

/* Stays open to the end of the process. */
weft_status pull_curl_open(pull_curl *out, weft_error *err);

#endif
