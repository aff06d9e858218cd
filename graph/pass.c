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

weft_status weft_graph_optimise(weft_graph *g, const char *const *names, uint32_t n,
                                weft_error *err)
{
    weft_error unread;
    if (!err) err = &unread; /* passes return the status that a failed weft__graph_add left in it */
    if (!g->sealed) return WEFT_FAIL(err, WEFT_INVALID, "optimise: the graph is not sealed");
    if (!names) names = weft_pass_names(&n);
    for (uint32_t i = 0; i < n; i++)
        if (!find_pass(names[i]))
            return WEFT_FAIL(err, WEFT_NOT_FOUND, "no pass is called '%s'", names[i]);
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

const weft_node *weft__only_reader(const weft_graph *g, const weft__readers *r, weft_ref value)
{
    if (value.id >= r->limit || r->count[value.id] != 1) return NULL;
    return weft_graph_node_by_id(g, r->node[value.id]);
}

uint32_t *weft__pass_order(const weft_graph *g)
{
    uint32_t *ids = calloc((size_t)g->n_order + 1, sizeof *ids);
    if (ids && g->n_order) memcpy(ids, g->order, g->n_order * sizeof *ids);
    return ids;
}

void weft__pass_swap(weft_graph *g, const weft_node *old, const weft_node *made)
{
    for (uint32_t i = 0; i < old->n_out; i++) weft__graph_replace(g, old->out[i], made->out[i]);
    uint32_t at = 0;
    while (g->order[at] != old->id) at++;
    g->order[at] = made->id;
    g->order[g->n_order - 1] = old->id;
    weft__graph_remove(g, g->nodes[old->id]);
}

void weft__pass_drop(weft_graph *g, const weft_node *old, weft_ref same)
{
    weft__graph_replace(g, old->out[0], same);
    weft__graph_remove(g, g->nodes[old->id]);
}
