/* pass_fuse_norm.c: two layer norms of one value become one node with two results, which reads the
 * value and computes its mean and variance once. Parallel residual blocks have such pairs.
 *
 *     layer_norm(x, w0, b0) and layer_norm(x, w1, b1), same eps  ->  norm_pair(x, w0, b0, w1, b1)
 *
 * Weights and biases must be sources: were one computed from the other norm's result, the pair
 * would need itself. */
#include "graph/pass.h"

#include <stdlib.h>
#include <string.h>

static bool is_source(const weft_graph *g, weft_ref r)
{
    const weft_node *n = weft__producer(g, r);
    return n && weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE;
}

static bool can_pair(const weft_graph *g, const weft_node *n)
{
    return n->op == WEFT_OP_layer_norm && n->n_in == 3 && is_source(g, n->in[1]) && is_source(g, n->in[2]);
}

/* The scope that holds both: "layers.3.a" and "layers.3.b" give "layers.3". */
static void common_scope(const char *a, const char *b, char *buf, size_t size)
{
    size_t n = 0, dot = 0;
    for (; a[n] && a[n] == b[n] && n + 1 < size; n++)
        if (a[n] == '.') dot = n;
    bool whole = (!a[n] || a[n] == '.') && (!b[n] || b[n] == '.');
    if (!whole) n = dot;
    memcpy(buf, a, n);
    buf[n] = 0;
}

static weft_status pair(weft__edit *e, const weft_node *a, const weft_node *b, weft_error *err)
{
    char scope[WEFT__MAX_NAME + 1];
    uint32_t from[2] = { a->id, b->id };
    weft_ref in[5] = { a->in[0], a->in[1], a->in[2], b->in[1], b->in[2] };
    common_scope(a->scope, b->scope, scope, sizeof scope);
    weft_node *made = weft__graph_add(e->g, WEFT_OP_norm_pair, &a->attrs, in, 5, scope, NULL, err);
    if (!made) return err->status;
    if (!weft__graph_set_origin(e->g, made, from, 2)) return WEFT_OOM_FAIL(err, "a pass");
    weft__edit_swap(e, a, made);
    weft__edit_forward(e, b->out[0], made->out[1]);
    weft__edit_remove(e, b);
    return WEFT_OK;
}

weft_status weft__pass_fuse_norm(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    uint32_t *waiting = calloc(weft_graph_value_limit(g), sizeof *waiting); /* by x: a norm's id */
    weft_status s = waiting ? weft__edit_begin(g, &e, err) : WEFT_OOM_FAIL(err, "a pass");
    if (s != WEFT_OK) {
        free(waiting);
        return s;
    }
    for (uint32_t i = 0; i < e.count && s == WEFT_OK; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (!can_pair(g, n)) continue;
        uint32_t *slot = &waiting[n->in[0].id];
        const weft_node *first = weft_graph_node_by_id(g, *slot);
        bool fits = first && weft__attrs_equal(n->op, &first->attrs, &n->attrs);
        *slot = fits ? 0 : n->id;
        if (fits) s = pair(&e, first, n, err);
    }
    weft__edit_end(&e, changed);
    free(waiting);
    return s;
}
