/* support.h: what the tests of graph/ share: a graph per test, its text, and text compared with files. */
#ifndef TEST_GRAPH_SUPPORT_H
#define TEST_GRAPH_SUPPORT_H

#include <stdlib.h>

#include "graph/graph_impl.h"
#include "tests/test.h"

static inline weft_graph *test_graph(void)
{
    weft_error err;
    weft_graph *g;
    if (CHECK_OK(weft_graph_create(NULL, &g, &err), err)) return g;
    exit(1);
}

/* The text of a graph; free it. */
static inline char *test_print(const weft_graph *g)
{
    weft_error err;
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    CHECK_OK(weft_graph_print(g, &w, &err), err);
    return t.data;
}

/* Parses a text that must be right. NULL if it is not. */
static inline weft_graph *test_parse(const char *text)
{
    weft_error err;
    weft_graph *g;
    CHECK_OK(weft_graph_parse(text, strlen(text), "text", NULL, &g, &err), err);
    return g;
}

/* Seals a graph that must fail, checks status and a part of the text, and destroys it. */
static inline void test_fails(weft_graph *g, weft_status want, const char *part)
{
    weft_error err = { 0 };
    CHECK_STATUS(weft_graph_seal(g, &err), want, err);
    CHECK_CONTAINS(err.text, part);
    weft_graph_destroy(g);
}

#endif
