/* text_support.h: what the tests of built texts share: a text of version 2 beside the same graph written out. */
#ifndef TEST_GRAPH_TEXT_SUPPORT_H
#define TEST_GRAPH_TEXT_SUPPORT_H

#include "graph/same.h"
#include "graph/text.h"
#include "support.h"

#define V2 "weft-graph 2\n"

/* NULL, after a message, if the text is not right. */
static inline weft_graph *text_graph(const char *text, const weft_graph_text_desc *with)
{
    weft_error err = { 0 };
    weft_graph *g;
    if (!CHECK_OK(weft_graph_parse_with(text, strlen(text), "t", NULL, with, &g, &err), err)) printf("%s\n", text);
    return g;
}

/* The text means the graph that `flat`, of version 1, writes out. */
static inline void text_means(const char *text, const weft_graph_text_desc *with, const char *flat)
{
    weft_error err = { 0 };
    weft_graph *g = text_graph(text, with), *want = test_parse(flat);
    if (g && want && !CHECK_OK(weft__graph_same(g, want, &err), err)) {
        char *printed = test_print(g);
        printf("%s\nis\n%s", text, printed);
        free(printed);
    }
    weft_graph_destroy(g);
    weft_graph_destroy(want);
}

/* The text is refused with this status, and its error has this part. */
static inline void text_fails(const char *text, const weft_graph_text_desc *with, weft_status status, const char *part)
{
    weft_error err = { 0 };
    weft_graph *g;
    weft_status s = weft_graph_parse_with(text, strlen(text), "t", NULL, with, &g, &err);
    bool ok = CHECK_EQ_INT(s, status) && CHECK(strstr(err.text, part) != NULL);
    if (!ok) printf("%s\n  wanted %s\n  got    %s\n", text, part, err.text);
    CHECK(!g);
    weft_graph_destroy(g);
    CHECK_EQ_INT(weft_graph_parse_with(text, strlen(text), "t", NULL, with, &g, NULL), status);
}

#endif
