/* change.c: what is done to a whole graph or to nodes that exist: origins, cloning, keeping outputs. Passes replace and
 * remove nodes by a weft__edit (pass.h); sort.c restores the order. */
#include "graph/graph_impl.h"

#include <stdlib.h>
#include <string.h>

/* Enters an id, which is not 0, into a hash table with room; false: it was there. */
static bool enter_id(uint32_t *table, uint32_t mask, uint32_t id)
{
    uint32_t i = id * 0x9e3779b1u;
    while (table[i & mask] && table[i & mask] != id) i++;
    bool fresh = !table[i & mask];
    table[i & mask] = id;
    return fresh;
}

bool weft__graph_set_origin(weft_graph *g, weft_node *n, const uint32_t *ids, uint32_t count)
{
    uint32_t total = 0, made = 0, size = 16;
    for (uint32_t i = 0; i < count; i++) {
        const weft_node *o = weft_graph_node_by_id(g, ids[i]);
        total += o && o->n_origin ? o->n_origin : 1;
    }
    while (size < 2 * total) size *= 2;
    uint32_t *table = calloc(size, sizeof *table);
    uint32_t *origin = table ? weft__arena_alloc(&g->arena, total, sizeof *origin) : NULL;
    if (!origin) {
        free(table);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const weft_node *o = weft_graph_node_by_id(g, ids[i]);
        const uint32_t *from = o && o->n_origin ? o->origin : &ids[i];
        uint32_t n_from = o && o->n_origin ? o->n_origin : 1;
        for (uint32_t j = 0; j < n_from; j++)
            if (enter_id(table, size - 1, from[j])) origin[made++] = from[j];
    }
    free(table);
    n->origin = origin;
    n->n_origin = made;
    return true;
}

weft_status weft_graph_keep_outputs(weft_graph *g, const char *const *names, uint32_t n, weft_error *err)
{
    WEFT_TRY(weft__graph_broken(g, err));
    if (!g->sealed) return WEFT_FAIL(err, WEFT_INVALID, "the graph is not sealed");
    weft_named *kept = NULL;
    bool *seen = NULL;
    size_t cap = 0;
    uint32_t n_kept = 0;
    weft_status s = WEFT_OK;
    if (!n)
        s = WEFT_FAIL(err, WEFT_INVALID, "a graph needs at least one output");
    else if (!weft__grow(&kept, &cap, n, sizeof *kept) || !(seen = calloc(g->n_outputs, sizeof *seen)))
        s = WEFT_OOM_FAIL(err, "outputs");
    for (uint32_t i = 0; i < n && s == WEFT_OK; i++) {
        const weft_named *o = weft__graph_output(g, names[i]);
        if (!o)
            s = WEFT_FAIL(err, WEFT_NOT_FOUND, "no output is called '%s'", names[i]);
        else if (!seen[o - g->outputs])
            kept[n_kept++] = *o;
        if (o) seen[o - g->outputs] = true;
    }
    free(seen);
    if (s != WEFT_OK) {
        free(kept);
        return s;
    }
    free(g->outputs);
    g->outputs = kept;
    g->output_cap = cap;
    g->n_outputs = n_kept;
    weft__graph_index_outputs(g);
    return WEFT_OK;
}

/* ---- clone ---- */

static char *copy_text(weft_graph *c, const char *s, bool *ok)
{
    char *copy = s ? weft__arena_strdup(&c->arena, s) : NULL;
    if (s && !copy) *ok = false;
    return copy;
}

static void *copy_bytes(weft_graph *c, const void *from, size_t n, size_t size, bool *ok)
{
    void *copy = from ? weft__arena_alloc(&c->arena, n, size) : NULL;
    if (from && !copy) *ok = false;
    if (copy) memcpy(copy, from, n * size);
    return copy;
}

static void *copy_array(const void *from, size_t cap, size_t used, size_t size, bool *ok)
{
    void *copy = cap ? calloc(cap, size) : NULL;
    if (cap && !copy) *ok = false;
    if (copy) memcpy(copy, from, used * size);
    return copy;
}

static weft_node *copy_node(weft_graph *c, const weft_graph *g, const weft_node *n, bool *ok)
{
    weft_node *copy = copy_bytes(c, n, 1, sizeof *n, ok);
    if (!copy) return NULL;
    size_t bytes = n->data ? (size_t)weft_value_bytes(g, n->out[0], NULL) : 0;
    copy->in = copy_bytes(c, n->in, n->n_in, sizeof *n->in, ok);
    copy->scope = copy_text(c, n->scope, ok);
    copy->name = copy_text(c, n->name, ok);
    copy->data = copy_bytes(c, n->data, bytes, 1, ok);
    copy->origin = copy_bytes(c, n->origin, n->n_origin, sizeof *n->origin, ok);
    return copy;
}

/* Ids stay the same, those of removed nodes included, so that what is known by id holds for the copy. */
weft_status weft_graph_clone(const weft_graph *g, weft_graph **out, weft_error *err)
{
    weft_graph *c;
    *out = NULL;
    if (g->sealed) WEFT_TRY(weft__graph_broken(g, err)); /* one that is being built takes its error along */
    WEFT_TRY(weft_graph_create(&g->desc, out, err));
    c = *out;
    bool ok = true;
    c->nodes = copy_array(g->nodes, g->node_cap, 0, sizeof *g->nodes, &ok);
    c->values = copy_array(g->values, g->value_cap, g->value_cap, sizeof *g->values, &ok);
    c->order = copy_array(g->order, g->order_cap, g->n_order, sizeof *g->order, &ok);
    c->outputs = copy_array(g->outputs, g->output_cap, g->n_outputs, sizeof *g->outputs, &ok);
    c->output_names =
        copy_array(g->output_names, g->output_name_cap, g->output_name_cap, sizeof *g->output_names, &ok);
    c->names = copy_array(g->names, g->name_cap, g->name_cap, sizeof *g->names, &ok);
    c->node_cap = g->node_cap;
    c->node_limit = g->node_limit;
    c->value_cap = g->value_cap;
    c->value_limit = g->value_limit;
    c->order_cap = g->order_cap;
    c->n_order = g->n_order;
    c->output_cap = g->output_cap;
    c->n_outputs = g->n_outputs;
    c->output_name_cap = g->output_name_cap;
    c->name_cap = g->name_cap;
    c->n_names = g->n_names;
    c->n_extents = g->n_extents;
    memcpy(c->scope, g->scope, sizeof c->scope);
    memcpy(c->scope_ends, g->scope_ends, sizeof c->scope_ends);
    c->scope_depth = g->scope_depth;
    c->error = g->error;
    c->sealed = g->sealed;
    for (uint32_t i = 0; i < g->n_extents && ok; i++)
        c->extents[i] = (weft__extent_def){ copy_text(c, g->extents[i].name, &ok), g->extents[i].bound };
    for (uint32_t i = 0; i < g->n_outputs && ok; i++) c->outputs[i].name = copy_text(c, g->outputs[i].name, &ok);
    for (uint32_t i = 0; i < g->n_order && ok; i++) c->nodes[g->order[i]] = copy_node(c, g, g->nodes[g->order[i]], &ok);
    if (ok) return WEFT_OK;
    weft_graph_destroy(c);
    *out = NULL;
    return WEFT_OOM_FAIL(err, "a copy of a graph");
}
