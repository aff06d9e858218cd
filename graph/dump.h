/* dump.h: the parts of a dump that graph/ writes and backends/ completes. docs/dump-format.md says what each field is.
 * All of it goes into a weft__json, which keeps the failure of a write. */
#ifndef WEFT_DUMP_H
#define WEFT_DUMP_H

#include "graph/graph.h"
#include "graph/json.h"

/* One form of a graph. `node` and `value` add fields that only a planned graph has; NULL: none. */
typedef struct weft__stage {
    const char *name; /* "built", "optimised", "planned" */
    const weft_graph *g;
    const int64_t *values; /* of the extents: sizes and costs are those at these; NULL: the bounds */
    void *ctx;
    void (*node)(void *ctx, weft__json *j, const weft_node *n);
    void (*value)(void *ctx, weft__json *j, weft_ref r);
} weft__stage;
void weft__json_stage(weft__json *j, const weft__stage *s);

/* "format" to "title": what every document begins with. */
void weft__json_head(weft__json *j, const char *title);
/* bounds NULL: the graph's; values NULL: the bounds. */
void weft__json_extents(weft__json *j, const weft_graph *g, const int64_t *bounds, const int64_t *values);

/* What changed between two forms of a graph: one element of "passes". */
void weft__json_change(weft__json *j, const char *name, const weft_graph *before, const weft_graph *after);
/* Runs the default passes on g one at a time, and writes an element of "passes" for each. */
weft_status weft__json_passes(weft__json *j, weft_graph *g, weft_error *err);

/* values[i] of extent i + 1 from desc->extents; what it does not name gets bounds[i], or the graph's if NULL. */
weft_status weft__dump_extents(const weft_graph *g, const weft_dump_desc *desc, const int64_t *bounds, int64_t *values,
                               weft_error *err);

#endif
