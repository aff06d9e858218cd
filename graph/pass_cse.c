/* pass_cse.c: computes equal things once.
 *
 * Two nodes with the same op, attributes and inputs give the same values, so the later one is
 * dropped. add and mul also compare with their inputs exchanged. Sources are unique by name; writes
 * into states are effects. Both stay. */
#include "graph/pass.h"

#include <stdlib.h>

static bool commutes(const weft_node *n)
{
    return n->op == WEFT_OP_add || n->op == WEFT_OP_mul;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 0x9e3779b97f4a7c15u ^ (h >> 29);
}

static uint64_t hash_node(const weft_node *n)
{
    uint64_t h = mix(weft__attrs_hash(n->op, &n->attrs), (uint64_t)n->op);
    if (commutes(n)) /* the same for both orders */
        return mix(mix(h, (uint64_t)n->in[0].id + n->in[1].id), (uint64_t)n->in[0].id * n->in[1].id);
    for (uint32_t i = 0; i < n->n_in; i++) h = mix(h, n->in[i].id);
    return h;
}

static bool same_node(const weft_node *a, const weft_node *b)
{
    if (a->op != b->op || a->n_in != b->n_in || !weft__attrs_equal(a->op, &a->attrs, &b->attrs)) return false;
    if (commutes(a) && a->in[0].id == b->in[1].id && a->in[1].id == b->in[0].id) return true;
    for (uint32_t i = 0; i < a->n_in; i++)
        if (a->in[i].id != b->in[i].id) return false;
    return true;
}

/* The first node equal to n, or n itself, which is then entered. `table` holds node ids, 0 is free. */
static const weft_node *find_or_add(const weft_graph *g, const weft_node *n, uint32_t *table, size_t size)
{
    for (size_t i = hash_node(n);; i++) {
        uint32_t *slot = &table[i & (size - 1)];
        if (!*slot) *slot = n->id;
        const weft_node *there = weft_graph_node_by_id(g, *slot);
        if (same_node(there, n)) return there;
    }
}

/* Nodes that are dropped for an equal one, as lists: by node id the next node of the list, and by the id of a list's
 * first node its last; 0 is none. */
typedef struct merges {
    uint32_t *next, *last;
} merges;

static void merge(weft__edit *e, merges *m, const weft_node *first, const weft_node *n)
{
    uint32_t *last = &m->last[first->id];
    m->next[*last ? *last : first->id] = n->id;
    *last = n->id;
    for (uint32_t i = 0; i < n->n_out; i++) weft__edit_forward(e, n->out[i], first->out[i]);
    weft__edit_remove(e, n);
}

/* A node that others were dropped for comes from all of them. `ids` has room for all nodes. */
static weft_status set_origins(weft__edit *e, const merges *m, uint32_t *ids, weft_error *err)
{
    for (uint32_t i = 0; i < e->count; i++) {
        uint32_t first = weft_graph_node(e->g, i)->id, n = 0;
        if (!m->last[first]) continue;
        for (uint32_t id = first; id; id = m->next[id]) ids[n++] = id;
        if (!weft__graph_set_origin(e->g, e->g->nodes[first], ids, n)) return WEFT_OOM_FAIL(err, "a pass");
    }
    return WEFT_OK;
}

static weft_status merge_all(weft__edit *e, uint32_t *table, size_t size, weft_error *err)
{
    uint32_t *room = calloc(3 * (size_t)e->node_limit, sizeof *room);
    if (!room) return WEFT_OOM_FAIL(err, "a pass");
    merges m = { room, room + e->node_limit };
    for (uint32_t i = 0; i < e->count; i++) {
        const weft_node *n = weft_graph_node(e->g, i), *first;
        if (weft_op_get(n->op)->traits & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_STATE)) continue;
        weft__edit_inputs(e, n); /* what it reads may have been merged */
        first = find_or_add(e->g, n, table, size);
        if (first != n) merge(e, &m, first, n);
    }
    weft_status s = set_origins(e, &m, room + 2 * (size_t)e->node_limit, err);
    free(room);
    return s;
}

weft_status weft__pass_cse(weft_graph *g, bool *changed, weft_error *err)
{
    size_t size = 16;
    while (size < 2 * (size_t)weft_graph_node_count(g)) size *= 2;
    uint32_t *table = calloc(size, sizeof *table);
    weft__edit e;
    weft_status s = table ? weft__edit_begin(g, &e, err) : WEFT_OOM_FAIL(err, "a pass");
    if (s != WEFT_OK) {
        free(table);
        return s;
    }
    s = merge_all(&e, table, size, err);
    weft__edit_end(&e, changed);
    free(table);
    return s;
}
