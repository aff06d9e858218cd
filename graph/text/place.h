/* place.h: faults of a graph's text, told with their place: "origin:line:column: fault", below it the line itself and a
 * mark under the column. Columns count bytes, from 1.
 *
 * `at` points into the text that the tree keeps. Where it is NULL, or the tree was not read, the fault stands alone,
 * behind the origin if there is one. */
#ifndef WEFT_TEXT_PLACE_H
#define WEFT_TEXT_PLACE_H

#include "graph/text/ast.h"

/* The line of a place, from 1; 0: it has none. */
uint32_t weft__text_line(const weft_graph_text *t, const char *at);

/* A fault that is found here. */
weft_status weft__text_fail(const weft_graph_text *t, const char *at, weft_error *err, weft_status status,
                            const char *fmt, ...) WEFT_PRINTF(5, 6);
/* A fault that *err has from elsewhere (a builder, a shape rule) gets its place. Returns err's status, or `status` if
 * err is NULL. */
weft_status weft__text_locate(const weft_graph_text *t, const char *at, weft_error *err, weft_status status);

#endif
