/* fuzz_parse.c: any bytes as a graph's text. What is taken must print, parse back to the same text and survive the
 * passes. */
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
    if (!ok) abort();
}

static void print(const weft_graph *g, weft_text *t)
{
    weft_error err;
    weft_writer w = weft_text_writer(t);
    need(weft_graph_print(g, &w, &err) == WEFT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_error err;
    weft_graph *g, *back;
    weft_text first = { 0 }, second = { 0 };
    if (weft_graph_parse((const char *)data, size, "input", NULL, &g, &err) != WEFT_OK) {
        need(!g && err.text[0]);
        return 0;
    }
    print(g, &first);
    need(weft_graph_parse(first.data, first.size, "printed", NULL, &back, &err) == WEFT_OK);
    print(back, &second);
    need(first.size == second.size && !memcmp(first.data, second.data, first.size));
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) weft_node_cost(g, weft_graph_node(g, i), NULL);
    if (weft_graph_optimise(back, NULL, 0, &err) == WEFT_OK) need(weft_graph_verify(back, &err) == WEFT_OK);
    weft_graph_destroy(back);
    weft_graph_destroy(g);
    weft_text_free(&first);
    weft_text_free(&second);
    return 0;
}
