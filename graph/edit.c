/* edit.c: the tools of passes: collected changes to nodes and values, and who reads what (pass.h). */
#include "graph/alias.h"
#include "graph/pass.h"

#include <stdlib.h>
#include <string.h>

const weft_node *weft__producer(const weft_graph *g, weft_ref r)
{
    const weft_value *v = weft_graph_value(g, r);
    return v ? weft_graph_node_by_id(g, v->node) : NULL;
}

static void free_tables(weft__edit *e)
{
    free(e->forward);
    free(e->place);
    free(e->gone);
    free(e->overwriter);
}

weft_status weft__edit_begin(weft_graph *g, weft__edit *e, weft_error *err)
{
    *e = (weft__edit){ g, g->n_order, g->value_limit, g->node_limit, NULL, NULL, NULL, NULL };
    e->forward = calloc(e->value_limit, sizeof *e->forward);
    e->place = calloc(e->node_limit, sizeof *e->place);
    e->gone = calloc(e->node_limit, sizeof *e->gone);
    e->overwriter = weft__overwriters(g);
    if (e->forward && e->place && e->gone && e->overwriter) return WEFT_OK;
    free_tables(e);
    return WEFT_OOM_FAIL(err, "a pass");
}

void weft__edit_forward(weft__edit *e, weft_ref from, weft_ref to)
{
    e->forward[from.id] = to.id;
}

void weft__edit_remove(weft__edit *e, const weft_node *n)
{
    e->gone[n->id] = true;
}

void weft__edit_swap(weft__edit *e, const weft_node *old, const weft_node *made)
{
    for (uint32_t i = 0; i < old->n_out; i++) weft__edit_forward(e, old->out[i], made->out[i]);
    e->place[old->id] = made->id;
    weft__edit_remove(e, old);
}

/* What a pass makes is not replaced by the same pass, so the chain ends. */
static weft_ref resolve(const weft__edit *e, weft_ref r)
{
    while (r.id < e->value_limit && e->forward[r.id]) r.id = e->forward[r.id];
    return r;
}

void weft__edit_inputs(const weft__edit *e, const weft_node *n)
{
    weft_ref *in = (weft_ref *)(uintptr_t)n->in; /* the graph's own, const for readers */
    for (uint32_t i = 0; i < n->n_in; i++) in[i] = resolve(e, in[i]);
}

bool weft__edit_is_old(const weft__edit *e, weft_ref value)
{
    uint32_t id = weft__behind_views(e->g, value).id;
    return id < e->value_limit && e->overwriter[id];
}

/* Takes node `id` out of the graph, apart from the order. */
static void forget(weft_graph *g, uint32_t id)
{
    const weft_node *n = g->nodes[id];
    for (uint32_t i = 0; i < n->n_out; i++) g->values[n->out[i].id] = (weft_value){ 0 };
    g->nodes[id] = NULL;
}

void weft__edit_end(weft__edit *e, bool *changed)
{
    weft_graph *g = e->g;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        uint32_t id = g->order[i], stays = e->gone[id] ? e->place[id] : id;
        if (e->gone[id]) forget(g, id);
        if (stays) g->order[kept++] = stays;
        *changed = *changed || e->gone[id];
    }
    g->n_order = kept; /* what was made has its place; what was made in vain before an error has none */
    for (uint32_t i = 0; i < kept; i++) weft__edit_inputs(e, g->nodes[g->order[i]]);
    for (uint32_t i = 0; i < g->n_outputs; i++) g->outputs[i].ref = resolve(e, g->outputs[i].ref);
    free_tables(e);
}

weft_status weft__readers_create(const weft_graph *g, weft__readers *r, weft_error *err)
{
    r->limit = weft_graph_value_limit(g);
    r->count = weft__graph_uses(g);
    r->node = calloc(r->limit, sizeof *r->node);
    if (!r->count || !r->node) {
        weft__readers_destroy(r);
        return WEFT_OOM_FAIL(err, "a pass");
    }
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        for (uint32_t k = 0; k < n->n_in; k++) r->node[n->in[k].id] = n->id;
    }
    return WEFT_OK;
}

void weft__readers_destroy(weft__readers *r)
{
    free(r->count);
    free(r->node);
    *r = (weft__readers){ 0 };
}

const weft_node *weft__only_reader(const weft__edit *e, const weft__readers *r, weft_ref value)
{
    if (value.id >= r->limit || r->count[value.id] != 1) return NULL;
    const weft_node *n = weft_graph_node_by_id(e->g, r->node[value.id]);
    return n && !e->gone[n->id] ? n : NULL;
}
