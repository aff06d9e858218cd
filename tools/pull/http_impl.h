/* http_impl.h: what http.c, headers.c and retry.c share. */
#ifndef WEFT_PULL_HTTP_IMPL_H
#define WEFT_PULL_HTTP_IMPL_H

#include "tools/pull/http.h"

/* Scheme, host and port of an address: who is spoken to. */
typedef struct pull_origin {
    char scheme[8], host[256], port[8];
} pull_origin;
weft_status pull_origin_of(const pull_curl *c, const char *url, pull_origin *out, weft_error *err);
bool pull_is_same_origin(const pull_origin *a, const pull_origin *b);

/* How a try has ended: why it failed is in err. */
typedef struct pull_try {
    bool passes;       /* what failed may succeed the next time */
    pull_origin asked; /* who gave the last answer */
} pull_try;
/* Asks once, and goes where it is sent. The answer's status may be any that is no redirect. */
weft_status pull_http_try(pull_http *h, const char *url, const pull_taker *t, uint64_t from, pull_answer *answer,
                          pull_try *how, weft_error *err);

/* ---- headers.c ---- */
void pull_answer_init(pull_answer *a);
/* One line as it came. false: more than a server may say. */
bool pull_answer_line(pull_answer *a, const char *line, size_t n);

#endif
