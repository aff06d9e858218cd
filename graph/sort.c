/* sort.c: the order of a graph's nodes, restored after a pass or a scheduler has put in others.
 *
 * The order array lists the live nodes, each after the nodes whose values it reads, and a store after all that read the
 * state's old value (alias.h). */
#include "graph/alias.h"
#include "graph/graph_impl.h"

#include <stdlib.h>

enum { NEW, OPEN, DONE };

/* A node that reads an old value, in a list of those that the same store must wait for. */
typedef struct reader {
    uint32_t node, next; /* next: place + 1, 0: the last */
} reader;

/* Depth-first from the nodes in their present order: a node is put down after what must stand before it, just before
 * the first node that needs it. A node on the stack that is met again is on a cycle. */
typedef struct sorter {
    const weft_graph *g;
    unsigned char *mark;  /* by node id */
    uint32_t *next_in;    /* by node id: inputs already visited */
    uint32_t *waits;      /* by node id: the list of readers still to visit, place + 1 */
    reader *readers;
    uint32_t *stack, *sorted;
    uint32_t depth, n_sorted;
} sorter;

/* As weft__behind_views, in a graph whose views may form a circle or show what was removed: then 0. */
static uint32_t bytes_of(const weft_graph *g, weft_ref r)
{
    for (uint32_t steps = 0; steps <= g->n_order; steps++) {
        const weft_node *n = weft_graph_node_by_id(g, g->values[r.id].node);
        if (!n || !(weft_op_get(n->op)->traits & WEFT_TRAIT_VIEW)) return n ? r.id : 0;
        r = n->in[0];
    }
    return 0;
}

static bool create(sorter *s, const weft_graph *g)
{
    size_t n_in = 0;
    for (uint32_t i = 0; i < g->n_order; i++) n_in += g->nodes[g->order[i]]->n_in;
    *s = (sorter){ .g = g };
    s->mark = calloc(g->node_limit, 1);
    s->next_in = calloc(g->node_limit, sizeof *s->next_in);
    s->waits = calloc(g->node_limit, sizeof *s->waits);
    s->readers = calloc(n_in + 1, sizeof *s->readers);
    s->stack = calloc((size_t)g->n_order + 1, sizeof *s->stack);
    s->sorted = calloc(g->order_cap ? g->order_cap : 1, sizeof *s->sorted);
    return s->mark && s->next_in && s->waits && s->readers && s->stack && s->sorted;
}

/* All but `sorted`. */
static void destroy(sorter *s)
{
    free(s->mark);
    free(s->next_in);
    free(s->waits);
    free(s->readers);
    free(s->stack);
}

static bool list_readers(sorter *s)
{
    const weft_graph *g = s->g;
    uint32_t *overwriter = weft__overwriters(g), n = 0;
    for (uint32_t i = 0; overwriter && i < g->n_order; i++) {
        const weft_node *node = g->nodes[g->order[i]];
        for (uint32_t k = 0; k < node->n_in; k++) {
            uint32_t store = overwriter[bytes_of(g, node->in[k])];
            if (!store || store == node->id) continue;
            s->readers[n++] = (reader){ node->id, s->waits[store] };
            s->waits[store] = n;
        }
    }
    free(overwriter);
    return overwriter != NULL;
}

/* The next node that must stand before n, 0 if that was removed; false: there is no other. */
static bool next_before(sorter *s, const weft_node *n, uint32_t *before)
{
    if (s->next_in[n->id] < n->n_in) {
        *before = s->g->values[n->in[s->next_in[n->id]++].id].node;
        return true;
    }
    if (!s->waits[n->id]) return false;
    const reader *r = &s->readers[s->waits[n->id] - 1];
    *before = r->node;
    s->waits[n->id] = r->next;
    return true;
}

static weft_status put_down(sorter *s, uint32_t first, weft_error *err)
{
    if (s->mark[first] == NEW) s->stack[s->depth++] = first;
    while (s->depth) {
        uint32_t id = s->stack[s->depth - 1], before;
        const weft_node *n = s->g->nodes[id];
        s->mark[id] = OPEN;
        if (!next_before(s, n, &before)) {
            s->mark[id] = DONE;
            s->sorted[s->n_sorted++] = id;
            s->depth--;
        } else if (!before || s->mark[before] == OPEN) {
            return WEFT_FAIL(err, WEFT_INTERNAL, "node %u (%s) %s", id, weft_op_get(n->op)->name,
                             before ? "depends on itself" : "reads a removed value");
        } else if (s->mark[before] == NEW) {
            s->stack[s->depth++] = before;
        }
    }
    return WEFT_OK;
}

weft_status weft__graph_sort(weft_graph *g, weft_error *err)
{
    sorter s;
    bool room = create(&s, g) && list_readers(&s);
    weft_status status = room ? WEFT_OK : WEFT_OOM_FAIL(err, "sorting a graph");
    for (uint32_t i = 0; i < g->n_order && status == WEFT_OK; i++) status = put_down(&s, g->order[i], err);
    destroy(&s);
    if (status != WEFT_OK) {
        free(s.sorted);
        return status;
    }
    free(g->order);
    g->order = s.sorted;
    return WEFT_OK;
}
