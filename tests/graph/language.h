/* language.h: what the tests of the language of graphs share: a text's tree, and the tree as text. */
#ifndef TEST_GRAPH_LANGUAGE_H
#define TEST_GRAPH_LANGUAGE_H

#include <stdlib.h>
#include <string.h>

#include "graph/text/ast.h"
#include "tests/test.h"

/* Reads a text that must be right; NULL if it is not. */
static inline weft_graph_text *language_read(const char *text)
{
    weft_error err = { 0 };
    weft_graph_text *t;
    if (!CHECK_OK(weft_graph_text_read(text, strlen(text), "t", &t, &err), err)) printf("%s\n", text);
    return t;
}

/* free it */
static inline char *language_format(const weft_graph_text *t)
{
    weft_error err;
    weft_text out = { 0 };
    weft_writer w = weft_text_writer(&out);
    CHECK_OK(weft_graph_text_format(t, &w, &err), err);
    return out.data;
}

/* A text reads, and is written as `want`, which is written as it is. */
static inline void language_check(const char *text, const char *want)
{
    weft_graph_text *t = language_read(text), *again;
    if (!t) return;
    char *once = language_format(t), *twice;
    CHECK_STR(once, want);
    again = language_read(once);
    twice = again ? language_format(again) : NULL;
    if (again) CHECK_STR(twice, once);
    free(once);
    free(twice);
    weft_graph_text_destroy(again);
    weft_graph_text_destroy(t);
}

#endif
