/* pass_fuse_linear.c: a product with a weight matrix takes up what follows it.
 *
 *     matmul_nt(x, w) [+ bias] [activation] [+ residual] [+ residual]  ->  linear(x, w, bias, residuals)
 *
 * w is a weight of rank 2, the bias a weight [N]; additions may have their operands in either order, and the bias may
 * come after a residual where there is no activation. Each value on the way must be read by the next step alone. A bare
 * product becomes a linear, too, so that backends have one path for all of them. Products are visited last to first: of
 * two branches that are added, the later one takes the addition, and the earlier one's result is ready by then. A
 * product of a state's old value takes no residual, nor does one that has such a residual take another: the residual
 * may need the store. */
#include "graph/linear.h"
#include "graph/map.h"
#include "graph/pass.h"

#include <stdlib.h>

enum { MAX_RESIDUALS = WEFT__MAX_RESIDUALS, MAX_PARTS = 3 + MAX_RESIDUALS };

/* What has matched so far: the nodes from the product to the last one taken up. */
typedef struct chain {
    uint32_t part[MAX_PARTS], n_parts;
    const weft_node *last;
    bool reads_old; /* of a state (weft__edit_is_old) */
    weft_attr_linear attrs;
    weft_ref bias, residual[MAX_RESIDUALS];
} chain;

static bool is_weight(const weft_graph *g, weft_ref r, uint32_t rank)
{
    const weft_node *n = weft__producer(g, r);
    return n && n->op == WEFT_OP_weight && weft_graph_value(g, r)->dims.rank == rank;
}

static bool is_bias(const weft_graph *g, weft_ref r, const weft_value *result)
{
    if (!is_weight(g, r, 1)) return false;
    const weft_value *v = weft_graph_value(g, r);
    weft_dim last = result->dims.d[result->dims.rank - 1];
    return weft_dtype_get(v->dtype)->class_ == WEFT_DTYPE_FLOAT && v->dims.d[0].n == last.n &&
           v->dims.d[0].extent == last.extent;
}

static bool take_add(const weft__edit *e, const weft_node *n, chain *c)
{
    const weft_graph *g = e->g;
    weft_ref so_far = c->last->out[0];
    weft_ref other = n->in[0].id == so_far.id ? n->in[1] : n->in[0];
    const weft_value *result = weft_graph_value(g, so_far), *v = weft_graph_value(g, other);
    if (!c->attrs.has_bias && !c->attrs.act && is_bias(g, other, result)) {
        c->attrs.has_bias = 1;
        c->bias = other;
        return true;
    }
    if (c->attrs.n_residual == MAX_RESIDUALS || c->reads_old || v->dtype != WEFT_F32) return false;
    if (!weft__dims_equal(&v->dims, &result->dims)) return false;
    c->residual[c->attrs.n_residual++] = other;
    c->reads_old = weft__edit_is_old(e, other);
    return true;
}

static bool take_activation(const weft_node *n, chain *c)
{
    weft_act act = weft__act_of_op(n->op);
    if (c->attrs.act || c->attrs.n_residual || !act) return false;
    c->attrs.act = act;
    return true;
}

static chain match(const weft__edit *e, const weft__readers *readers, const weft_node *product)
{
    chain c = { .part = { product->id }, .n_parts = 1, .last = product };
    c.reads_old = weft__edit_is_old(e, product->in[0]);
    while (c.n_parts < MAX_PARTS) {
        const weft_node *n = weft__only_reader(e, readers, c.last->out[0]);
        if (!n || !(n->op == WEFT_OP_add ? take_add(e, n, &c) : take_activation(n, &c))) break;
        c.part[c.n_parts++] = n->id;
        c.last = n;
    }
    return c;
}

static weft_status fuse(weft__edit *e, const weft_node *product, const chain *c, weft_error *err)
{
    weft_ref in[2 + 1 + MAX_RESIDUALS] = { product->in[0], product->in[1] };
    uint32_t n = 2;
    if (c->attrs.has_bias) in[n++] = c->bias;
    for (int32_t i = 0; i < c->attrs.n_residual; i++) in[n++] = c->residual[i];
    weft_attrs attrs = { .linear = c->attrs };
    weft_node *made = weft__graph_add(e->g, WEFT_OP_linear, &attrs, in, n, product->scope, NULL, err);
    if (!made) return err->status;
    if (!weft__graph_set_origin(e->g, made, c->part, c->n_parts)) return WEFT_OOM_FAIL(err, "a pass");
    for (uint32_t i = 0; i < c->n_parts; i++) weft__edit_remove(e, weft_graph_node_by_id(e->g, c->part[i]));
    weft__edit_swap(e, c->last, made);
    return WEFT_OK;
}

/* A product, its depth (nodes that do work on the longest way to it) and its place in the order. */
typedef struct candidate {
    uint32_t id, depth, position;
} candidate;

static int deepest_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->depth != y->depth) return x->depth > y->depth ? -1 : 1;
    return x->position > y->position ? -1 : 1;
}

/* Fills `list` with the products with a weight matrix, and sorts it. `depth` is zeroed, by node id. */
static uint32_t find_products(const weft_graph *g, uint32_t *depth, candidate *list)
{
    uint32_t n_found = 0;
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        for (uint32_t k = 0; k < n->n_in; k++) {
            const weft_node *from = weft__producer(g, n->in[k]);
            if (from && depth[from->id] > depth[n->id]) depth[n->id] = depth[from->id];
        }
        depth[n->id] += !(weft_op_get(n->op)->traits & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW));
        if (n->op == WEFT_OP_matmul_nt && is_weight(g, n->in[1], 2))
            list[n_found++] = (candidate){ n->id, depth[n->id], i };
    }
    qsort(list, n_found, sizeof *list, deepest_first);
    return n_found;
}

static weft_status fuse_all(weft__edit *e, uint32_t *depth, candidate *products, weft_error *err)
{
    weft__readers readers;
    WEFT_TRY(weft__readers_create(e->g, &readers, err));
    uint32_t n = find_products(e->g, depth, products);
    weft_status s = WEFT_OK;
    for (uint32_t i = 0; i < n && s == WEFT_OK; i++) {
        const weft_node *product = weft_graph_node_by_id(e->g, products[i].id);
        chain c = match(e, &readers, product);
        s = fuse(e, product, &c, err);
    }
    weft__readers_destroy(&readers);
    return s;
}

weft_status weft__pass_fuse_linear(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    WEFT_TRY(weft__edit_begin(g, &e, err));
    uint32_t *depth = calloc(e.node_limit, sizeof *depth);
    candidate *products = calloc((size_t)e.count + 1, sizeof *products);
    weft_status s = depth && products ? fuse_all(&e, depth, products, err) : WEFT_OOM_FAIL(err, "a pass");
    weft__edit_end(&e, changed);
    free(products);
    free(depth);
    return s;
}
