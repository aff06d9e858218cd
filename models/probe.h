/* probe.h: the graph that a model's definition makes of other values than its configuration has (follow.h). */
#ifndef WEFT_PROBE_H
#define WEFT_PROBE_H

#include "models/model_impl.h"

/* What a session decides (models/text.h), not the configuration. */
#define WEFT__SESSION_CONTEXT "session.context"

/* What is said of a key instead of the configuration. */
typedef enum weft__said_kind { SAID_NUMBER, SAID_TEXT, SAID_LIST, SAID_ABSENT } weft__said_kind;
typedef struct weft__said {
    const char *key;
    weft__said_kind kind;
    double number;
    const char *text;
    const double *numbers; /* of a list, whose entries are key.0, key.1 .. */
    const char *const *texts;
    uint32_t n;
} weft__said;

/* What a definition asked for, and was told. */
typedef struct weft__asked {
    const char *key;
    bool told;        /* the value is what the definition got, by itself or the configuration */
    bool found;       /* by the configuration */
    bool truth;
    int as_number, as_text; /* as weft_config's functions say; -2: nobody asked */
    double number;
    const char *text; /* NULL: a number */
} weft__asked;

typedef struct weft__probe {
    const weft_model *m;
    weft__arena *arena;  /* for what is kept */
    const weft__said *said;
    uint32_t n_said;
    weft__asked *asked;  /* by the last build, in order */
    size_t n_asked, cap;
    bool failed;         /* out of memory */
} weft__probe;

/* The last that is said of a key; *entry: of a list. NULL: nothing. */
const weft__said *weft__probe_said(const weft__probe *p, const char *key, uint32_t *entry);
/* The configuration with what is said; valid as long as p. */
weft_config weft__probe_config(weft__probe *p);
/* The sealed graph of that by the model's definition, or by a text. */
weft_status weft__probe_build(weft__probe *p, const weft_graph_text *t, weft_graph **out, weft_error *err);
const weft__asked *weft__probe_asked(const weft__probe *p, const char *key); /* NULL: it was not */
void weft__probe_free(weft__probe *p);

/* A key's list: the key in front of ".N", N being a number. 0: it is no entry of one. */
size_t weft__list_key(const char *key, uint32_t *entry);

#endif
