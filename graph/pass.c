/* pass.c: the list of passes, running them, and their common tools. */
#include "graph/pass.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 8 }; /* of one pass; each that exists reaches its fixed point in two or three */

/* In the default order: what simplifies first, then what counts readers. */
#define PASS_LIST(X) X(eval) X(fold) X(cse) X(dce) X(fuse_norm) X(fuse_linear) X(fuse_rope)

static const struct {
    const char *name;
    weft__pass_fn *run;
} passes[] = {
#define X(name) { #name, weft__pass_##name },
    PASS_LIST(X)
#undef X
};

const char *const *weft_pass_names(uint32_t *n)
{
    static const char *const names[] = {
#define X(name) #name,
        PASS_LIST(X)
#undef X
    };
    *n = sizeof names / sizeof *names;
    return names;
}

static weft__pass_fn *find_pass(const char *name)
{
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        if (!strcmp(passes[i].name, name)) return passes[i].run;
    return NULL;
}

static weft_status run_pass(weft_graph *g, weft__pass_fn *run, weft_error *err)
{
    bool changed = true;
    for (int round = 0; changed && round < MAX_ROUNDS; round++) {
        changed = false;
        WEFT_TRY(run(g, &changed, err));
        if (!changed) break;
        WEFT_TRY(weft__graph_sort(g, err));
        WEFT_TRY(weft_graph_verify(g, err));
    }
    return WEFT_OK;
}

weft_status weft_graph_optimise(weft_graph *g, const char *const *names, uint32_t n, weft_error *err)
{
    weft_error unread;
    if (!err) err = &unread; /* passes return the status that a failed weft__graph_add left in it */
    WEFT_TRY(weft__graph_broken(g, err));
    if (!g->sealed) return WEFT_FAIL(err, WEFT_INVALID, "optimise: the graph is not sealed");
    if (!names) names = weft_pass_names(&n);
    for (uint32_t i = 0; i < n; i++)
        if (!find_pass(names[i])) return WEFT_FAIL(err, WEFT_NOT_FOUND, "no pass is called '%s'", names[i]);
    for (uint32_t i = 0; i < n; i++) {
        weft_status s = run_pass(g, find_pass(names[i]), err);
        if (s != WEFT_OK) return weft__annotate(err, s, "after pass %s", names[i]);
    }
    return WEFT_OK;
}

/* ---- tools of passes ---- */

const weft_node *weft__producer(const weft_graph *g, weft_ref r)
{
    const weft_value *v = weft_graph_value(g, r);
    return v ? weft_graph_node_by_id(g, v->node) : NULL;
}

weft_status weft__edit_begin(weft_graph *g, weft__edit *e, weft_error *err)
{
    *e = (weft__edit){ g, g->n_order, g->value_limit, g->node_limit, NULL, NULL, NULL };
    e->forward = calloc(e->value_limit, sizeof *e->forward);
    e->place = calloc(e->node_limit, sizeof *e->place);
    e->gone = calloc(e->node_limit, sizeof *e->gone);
    if (e->forward && e->place && e->gone) return WEFT_OK;
    free(e->forward);
    free(e->place);
    free(e->gone);
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
    free(e->forward);
    free(e->place);
    free(e->gone);
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
