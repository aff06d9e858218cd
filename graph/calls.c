/* calls.c: see calls.h. */
#include "graph/calls.h"

#include <string.h>

static bool store(weft_graph *g, weft__call *c, const weft_ref *in, uint32_t n_in, const weft__call_attr *attrs)
{
    weft_ref *refs = weft__arena_alloc(&g->arena, n_in, sizeof *refs);
    weft__call_attr *copy = weft__arena_alloc(&g->arena, c->n_attrs, sizeof *copy);
    c->scope = weft__arena_strdup(&g->arena, g->scope);
    if (!refs || !copy || !c->scope) return false;
    for (uint32_t i = 0; i < n_in; i++)
        if (in[i].id) refs[c->n_in++] = in[i];
    if (c->n_attrs) memcpy(copy, attrs, c->n_attrs * sizeof *copy);
    c->in = refs;
    c->attrs = copy;
    return true;
}

void weft__call_begin(weft_graph *g, const char *name, const weft_ref *in, uint32_t n_in, const weft__call_attr *attrs,
                      uint32_t n_attrs)
{
    if (!g || g->error.status != WEFT_OK || g->sealed || g->call_depth++) return;
    weft__call c = { .name = name, .n_attrs = n_attrs, .begin = g->n_order };
    if (!weft__grow(&g->calls, &g->call_cap, (size_t)g->n_calls + 1, sizeof *g->calls) ||
        !store(g, &c, in, n_in, attrs)) {
        WEFT__STICKY(g, WEFT_OOM, "out of memory for a graph's calls");
        return;
    }
    g->calls[g->n_calls++] = c;
}

weft_ref weft__call_end(weft_graph *g, weft_ref out)
{
    if (!g || g->error.status != WEFT_OK || g->sealed || --g->call_depth) return out;
    g->calls[g->n_calls - 1].end = g->n_order;
    g->calls[g->n_calls - 1].out = out;
    return out;
}
