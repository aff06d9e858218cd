/* dump.h: the parts of a dump that graph/ writes and backends/ completes. docs/dump-format.md says what each field is.
 * All of it goes into a weft__json, which keeps the failure of a write. */
#ifndef WEFT_DUMP_H
#define WEFT_DUMP_H

#include "graph/graph_impl.h"
#include "graph/json.h"

/* One form of a graph. */
typedef struct weft__stage {
    const char *name; /* "built", "optimised", "planned" */
    const weft_graph *g;
    const int64_t *values; /* of the extents: sizes and costs are those at these; NULL: the bounds */
} weft__stage;
void weft__json_stage(weft__json *j, const weft__stage *s);
/* Its parts, for who has more to say of nodes and values: begin; all nodes; next; all values; end. The objects of nodes
 * and values are left open, and the caller ends them. */
void weft__json_stage_begin(weft__json *j, const weft__stage *s);
void weft__json_stage_next(weft__json *j);
void weft__json_stage_end(weft__json *j, const weft__stage *s);
void weft__json_node(weft__json *j, const weft__stage *s, const weft_node *n);
void weft__json_value(weft__json *j, const weft__stage *s, weft_ref r);

/* "format" to "title": what every document begins with. */
void weft__json_head(weft__json *j, const char *title);
/* bounds NULL: the graph's; values NULL: the bounds. */
void weft__json_extents(weft__json *j, const weft_graph *g, const int64_t *bounds, const int64_t *values);

/* What changed between two forms of a graph: one element of "passes". */
void weft__json_change(weft__json *j, const char *name, const weft_graph *before, const weft_graph *after);
/* Runs the default passes on g one at a time, and writes an element of "passes" for each. */
weft_status weft__json_passes(weft__json *j, weft_graph *g, weft_error *err);

/* A graph to be drawn: DOT and Model Explorer. */
typedef struct weft__note { const char *device, *kernel, *reason; } weft__note;
typedef struct weft__drawing {
    const char *name; /* "graph", or the program's */
    const weft_graph *g;
    const weft_dump_desc *desc;
    const int64_t *values;
    const weft__note *notes; /* by node id, where it runs (device NULL: it does not run); NULL: not planned */
} weft__drawing;
weft_status weft__draw_dot(const weft__drawing *d, const weft_writer *w, weft_error *err);
weft_status weft__draw_explorer(const weft__drawing *d, const weft_writer *w, weft_error *err);

/* An attribute as text, "gelu" or "[2, 0, 1]"; buf of 160 bytes is always enough; returns buf. */
const char *weft__attr_text(const weft_graph *g, const weft_node *n, const weft__attr_field *f, char *buf, size_t size);
/* "f16 [512, 256]"; buf of 192 bytes is always enough; returns buf. */
const char *weft__type_text(const weft_graph *g, weft_ref r, char *buf, size_t size);
/* An element of a constant, whatever its type (an i32 beyond 2^24 is rounded). */
float weft__constant_element(const weft_graph *g, const weft_node *n, size_t i);
/* The elements of a constant, at most `most` of them: "0.5, 2, ..."; returns buf. */
const char *weft__data_text(const weft_graph *g, const weft_node *n, uint32_t most, char *buf, size_t size);

#endif
