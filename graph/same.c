/* same.c: compares two graphs node by node. The values of one are those of the other by a map that grows with the nodes
 * gone through: what a node reads was made by a node before it. */
#include "graph/same.h"

#include <stdlib.h>
#include <string.h>

typedef struct pair {
    const weft_graph *a, *b;
    uint32_t *twin; /* by value id of a: the id in b; 0: not met yet */
    weft_error *err;
} pair;

static weft_status same_extents(const pair *p)
{
    if (p->a->n_extents != p->b->n_extents)
        return WEFT_FAIL(p->err, WEFT_INVALID, "%u extents, and %u", p->a->n_extents, p->b->n_extents);
    for (uint32_t i = 0; i < p->a->n_extents; i++) {
        const weft__extent_def *x = &p->a->extents[i], *y = &p->b->extents[i];
        if (strcmp(x->name, y->name) || x->bound != y->bound)
            return WEFT_FAIL(p->err, WEFT_INVALID, "extent '%s' %u, and '%s' %u", x->name, x->bound, y->name, y->bound);
    }
    return WEFT_OK;
}

static bool same_text(const char *x, const char *y)
{
    return x && y ? !strcmp(x, y) : x == y;
}

static bool same_data(const pair *p, const weft_node *x, const weft_node *y)
{
    if (!x->data || !y->data) return x->data == y->data;
    return !memcmp(x->data, y->data, (size_t)weft_value_bytes(p->a, x->out[0], NULL));
}

/* What differs apart from values; NULL: nothing. */
static const char *difference(const pair *p, const weft_node *x, const weft_node *y)
{
    if (x->op != y->op) return "op";
    if (!same_text(x->name, y->name)) return "name";
    if (!(weft_op_get(x->op)->traits & WEFT_TRAIT_SOURCE) && !same_text(x->scope, y->scope)) return "scope";
    if (!weft__attrs_equal(x->op, &x->attrs, &y->attrs)) return "attributes";
    if (x->n_in != y->n_in) return "number of inputs";
    for (uint32_t i = 0; i < x->n_in; i++)
        if (p->twin[x->in[i].id] != y->in[i].id) return "inputs";
    for (uint32_t i = 0; i < x->n_out; i++) {
        const weft_value *v = weft_graph_value(p->a, x->out[i]), *w = weft_graph_value(p->b, y->out[i]);
        if (v->dtype != w->dtype || !weft__dims_equal(&v->dims, &w->dims)) return "type";
    }
    return same_data(p, x, y) ? NULL : "data";
}

static weft_status same_nodes(const pair *p)
{
    for (uint32_t i = 0; i < p->a->n_order && i < p->b->n_order; i++) {
        const weft_node *x = p->a->nodes[p->a->order[i]], *y = p->b->nodes[p->b->order[i]];
        const char *what = difference(p, x, y);
        if (what)
            return WEFT_FAIL(p->err, WEFT_INVALID, "node %u: %s: %s '%s' in '%s', and %s '%s' in '%s'", i, what,
                             weft_op_get(x->op)->name, x->name ? x->name : "", x->scope, weft_op_get(y->op)->name,
                             y->name ? y->name : "", y->scope);
        for (uint32_t k = 0; k < x->n_out; k++) p->twin[x->out[k].id] = y->out[k].id;
    }
    if (p->a->n_order == p->b->n_order) return WEFT_OK;
    return WEFT_FAIL(p->err, WEFT_INVALID, "%u nodes, and %u", p->a->n_order, p->b->n_order);
}

static weft_status same_outputs(const pair *p)
{
    if (p->a->n_outputs != p->b->n_outputs)
        return WEFT_FAIL(p->err, WEFT_INVALID, "%u outputs, and %u", p->a->n_outputs, p->b->n_outputs);
    for (uint32_t i = 0; i < p->a->n_outputs; i++) {
        const weft_named *x = &p->a->outputs[i], *y = &p->b->outputs[i];
        if (strcmp(x->name, y->name) || p->twin[x->ref.id] != y->ref.id)
            return WEFT_FAIL(p->err, WEFT_INVALID, "output %u: '%s', and '%s' or another value", i, x->name, y->name);
    }
    return WEFT_OK;
}

weft_status weft__graph_same(const weft_graph *a, const weft_graph *b, weft_error *err)
{
    pair p = { a, b, calloc(a->value_limit, sizeof *p.twin), err };
    if (!p.twin) return WEFT_OOM_FAIL(err, "two graphs compared");
    weft_status s = same_extents(&p);
    if (s == WEFT_OK) s = same_nodes(&p);
    if (s == WEFT_OK) s = same_outputs(&p);
    free(p.twin);
    return s;
}
