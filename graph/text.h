/* text.h: a graph as text: whole models with parameters, loops and blocks (docs/graph-text.md is the language).
 *
 *     weft_graph_text *t;
 *     weft_graph_text_read(text, n, "my.weft", &t, &err);                    // syntax
 *     weft_graph_text_build(t, &(weft_graph_text_desc){ .config = &c }, g, &err); // nodes, in a graph that is open
 *
 * weft_graph_parse (graph.h) does both and seals, for texts that need nothing from outside. A model folder's text is
 * opened with weft_model_open. */
#ifndef WEFT_TEXT_H
#define WEFT_TEXT_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_graph_text weft_graph_text;

/* Reads a text of any version, which need not outlive the call. FORMAT: "origin:line:column: fault", then the line and
 * a mark below the place. LIMIT: nested too deeply. Memory is bounded by the text's size. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_text_read(const char *text, size_t n, const char *origin,
                                                        weft_graph_text **out, weft_error *err);
WEFT_API void weft_graph_text_destroy(weft_graph_text *t); /* accepts NULL */

/* A value for a parameter, by the caller. */
typedef struct weft_graph_param {
    const char *name;
    const char *text; /* of a text, a type or an activation; NULL: a number, a truth as 0 or 1 */
    double number;
} weft_graph_param;

/* What a block that the caller has may be given besides values. */
typedef enum weft_text_kind {
    WEFT_TEXT_WHOLE, WEFT_TEXT_NUMBER, WEFT_TEXT_TRUTH, WEFT_TEXT_WORD, WEFT_TEXT_ACT
} weft_text_kind;
typedef struct weft_text_attr {
    const char *name;
    weft_text_kind kind;
    bool optional; /* 0, "" where it is not given */
} weft_text_attr;
typedef struct weft_text_value {
    int64_t whole;
    double number;
    const char *word;
    weft_act act;
    bool given;
} weft_text_value;

/* A block of the caller's, which texts use like an op: %y = cached_attention %q, %k, %v {scale = 0.125}. */
typedef struct weft_text_block {
    const char *name;
    uint32_t min_in, max_in, n_out;
    const weft_text_attr *attrs;
    uint32_t n_attrs;
    /* Makes its nodes with builders, whose first error is reported at the place of use. values: by attrs. */
    void (*emit)(void *ctx, weft_graph *g, const weft_ref *in, uint32_t n_in, const weft_text_value *values,
                 weft_ref *out);
} weft_text_block;

typedef struct weft_graph_text_desc {
    const weft_config *config;      /* where parameters are looked up by their keys; NULL: nowhere */
    bool undemanding;               /* what the text requires of a configuration is not looked at, for there is none */
    const weft_graph_param *params; /* count before the configuration */
    uint32_t n_params;
    const weft_text_block *blocks;
    uint32_t n_blocks;
    void *ctx; /* handed to blocks and `made` */
    /* Told of each node (its id) that a statement of the text has made or named (a weight that is named twice: again);
     * not of those of a caller's block. It may refuse one with weft_graph_fail, which is told at the statement's place
     * as any fault is. NULL: nobody. */
    void (*made)(void *ctx, weft_graph *g, uint32_t node);
} weft_graph_text_desc;

/* Emits the text's nodes into a graph that is not sealed. Extents and inputs that the graph has already are taken (an
 * input's type is compared). What a parameter is: the caller's value, else the configuration's, else the text's
 * default. desc may be NULL. A text of version 1 keeps its ids, and needs an empty graph (INVALID).
 * LIMIT: it would make more than a million nodes; that is found before the first is made. After a failure the graph
 * has the error, too, and is good for nothing. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_text_build(const weft_graph_text *t, const weft_graph_text_desc *desc,
                                                         weft_graph *g, weft_error *err);

/* Reads, builds and seals: weft_graph_parse for texts that need something from outside. desc and with may be NULL. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_parse_with(const char *text, size_t n, const char *origin,
                                                         const weft_graph_desc *desc, const weft_graph_text_desc *with,
                                                         weft_graph **out, weft_error *err);

/* The text of a sealed graph, in version 2: it becomes an equal graph (ids may differ, and in which scopes sources
 * stand). Layers that are alike become a repeat. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_text_of(const weft_graph *g, weft_graph_text **out, weft_error *err);

/* The text in its canonical form, comments kept: reading that and writing it again gives the same bytes. */
WEFT_API WEFT_MUST_USE weft_status weft_graph_text_format(const weft_graph_text *t, const weft_writer *w,
                                                          weft_error *err);

WEFT_API uint32_t weft_graph_text_version(const weft_graph_text *t); /* 1 or 2 */
/* `model "Name" head`; NULL: the text does not say. head may be NULL. Lent. */
WEFT_API const char *weft_graph_text_model(const weft_graph_text *t, const char **head);

/* What the text says of how files hold weights: the word of its i-th `files` statement, which is "spelled",
 * "transposed", "parts" or "tied", and its strings. NULL past the end. Lent. */
WEFT_API const char *weft_graph_text_files(const weft_graph_text *t, uint32_t i, const char *const **strings,
                                           uint32_t *n);

#ifdef __cplusplus
}
#endif
#endif
