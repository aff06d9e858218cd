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

/* Puts `to` in the place of every use of `from`, whatever that does to the order. */
static inline void test_replace(weft_graph *g, weft_ref from, weft_ref to)
{
    for (uint32_t i = 0; i < g->n_order; i++) {
        const weft_node *n = g->nodes[g->order[i]];
        weft_ref *in = (weft_ref *)(uintptr_t)n->in; /* the graph's own, const for readers */
        for (uint32_t j = 0; j < n->n_in; j++)
            if (in[j].id == from.id) in[j] = to;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i].ref.id == from.id) g->outputs[i].ref = to;
}

/* Takes a node out of the order, and its values away. */
static inline void test_remove(weft_graph *g, const weft_node *n)
{
    uint32_t at = 0, id = n->id;
    while (at < g->n_order && g->order[at] != id) at++;
    if (!CHECK(at < g->n_order)) return;
    memmove(g->order + at, g->order + at + 1, (g->n_order - at - 1) * sizeof *g->order);
    g->n_order--;
    for (uint32_t i = 0; i < n->n_out; i++) g->values[n->out[i].id] = (weft_value){ 0 };
    g->nodes[id] = NULL;
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
