/* template_impl.h: what a chat template consists of. */
#ifndef WEFT_TEMPLATE_IMPL_H
#define WEFT_TEMPLATE_IMPL_H

#include <jansson.h>

#include "jinja.h"
#include "template.h"

/* A text that is parsed; its nodes lie in `arena`. */
typedef struct jinja_parsed {
    weft__arena arena;
    const jinja_nodes *body;
    char *text;
    size_t n;
} jinja_parsed;

struct weft_chat_template {
    jinja_parsed usual, tools; /* tools: body NULL: the usual one */
    char *origin;
    json_t *special; /* bos_token and the like, by name */
};

WEFT_MUST_USE weft_status jinja_parse_text(const char *text, size_t n, const char *origin, jinja_parsed *out,
                                           weft_error *err);
void jinja_parsed_free(jinja_parsed *p);

#endif
