/* pass_support.h: what tests of passes share: one pass on one graph, and the text before and after as a golden. */
#ifndef TEST_PASS_SUPPORT_H
#define TEST_PASS_SUPPORT_H

#include <stdlib.h>

#include "golden.h"
#include "support.h"

static inline void seal(weft_graph *g)
{
    weft_error err = { 0 };
    CHECK_OK(weft_graph_seal(g, &err), err);
}

/* Seals if need be and runs one pass; NULL: the default list. */
static inline void run(weft_graph *g, const char *pass)
{
    weft_error err = { 0 };
    if (!g->sealed) seal(g);
    CHECK_OK(weft_graph_optimise(g, pass ? &pass : NULL, 1, &err), err);
}

static inline uint32_t count(const weft_graph *g, weft_op op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) n += weft_graph_node(g, i)->op == op;
    return n;
}

/* The one node of an op; fails if there are none or more. */
static inline const weft_node *only(const weft_graph *g, weft_op op)
{
    static const weft_node none;
    if (!CHECK_EQ_INT(count(g, op), 1)) return &none;
    for (uint32_t i = 0;; i++)
        if (weft_graph_node(g, i)->op == op) return weft_graph_node(g, i);
}

/* Text before and after the pass, compared with the golden; destroys g. */
static inline void golden(weft_graph *g, const char *pass, const char *name)
{
    if (!g->sealed) seal(g);
    char *before = test_print(g), *all = NULL;
    run(g, pass);
    char *after = test_print(g);
    if (asprintf(&all, "%s\n==== after %s\n\n%s", before, pass ? pass : "all passes", after) < 0) abort();
    check_golden(name, all);
    free(before);
    free(after);
    free(all);
    weft_graph_destroy(g);
}

#endif
