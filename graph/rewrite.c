/* rewrite.c: copies and transfers put in by schedulers, products taken apart by them. */
#include "graph/rewrite.h"

#include <string.h>

#include "graph/graph_impl.h"
#include "graph/linear.h"

static weft_status insert(weft_graph *g, weft_op op, const char *scope, weft_ref *at, weft_ref *made, weft_error *err)
{
    if (!made->id) {
        weft_attrs none = { 0 };
        weft_error local;
        weft_node *copy = weft__graph_add(g, op, &none, at, 1, scope, NULL, err ? err : &local);
        if (!copy) return err ? err->status : local.status;
        *made = copy->out[0];
    }
    *at = *made;
    return WEFT_OK;
}

weft_status weft__rewrite_insert(weft_graph *g, weft_op op, uint32_t node, uint32_t input, weft_ref *made,
                                 weft_error *err)
{
    const weft_node *n = g->nodes[node];
    weft_ref *in = (weft_ref *)(uintptr_t)&n->in[input]; /* the graph's own, const for readers */
    return insert(g, op, n->scope, in, made, err);
}

weft_status weft__rewrite_output(weft_graph *g, weft_op op, uint32_t output, weft_ref *made, weft_error *err)
{
    return insert(g, op, "", &g->outputs[output].ref, made, err);
}

weft_status weft__rewrite_finish(weft_graph *g, weft_error *err)
{
    WEFT_TRY(weft__graph_sort(g, err));
    return weft_graph_verify(g, err);
}

/* ---- products made of several nodes, taken apart ---- */

/* A node that stands for a part of n, in the scope of the weight that it reads as input 1. */
static weft_node *add_part(weft_graph *g, const weft_node *n, weft_op op, const weft_attrs *attrs, const weft_ref *in,
                           uint32_t n_in, weft_error *err)
{
    const weft_node *weight = weft_graph_node_by_id(g, weft_graph_value(g, in[1])->node);
    weft_node *made = weft__graph_add(g, op, attrs, in, n_in, weight->scope, NULL, err);
    if (!made) return NULL;
    if (weft__graph_set_origin(g, made, &n->id, 1)) return made;
    (void)WEFT_OOM_FAIL(err, "a part of a product");
    return NULL;
}

weft_status weft__rewrite_part_norm(weft_graph *g, uint32_t node, weft_ref *made, weft_error *err)
{
    weft_error unread;
    weft_node *n = g->nodes[node];
    weft_attr_linear *a = &n->attrs.linear;
    const uint32_t gain = weft__linear_inputs_of(a).gain;
    if (!err) err = &unread;
    if (!made->id) {
        const weft_ref in[2] = { n->in[0], n->in[gain] };
        const weft_attrs attrs = { .norm = { .eps = a->eps, .one_plus = a->one_plus } };
        const weft_node *norm = add_part(g, n, WEFT_OP_rms_norm, &attrs, in, 2, err);
        if (!norm) return err->status;
        *made = norm->out[0];
    }
    weft_ref *in = (weft_ref *)(uintptr_t)n->in; /* the graph's own, const for readers */
    in[0] = *made;
    memmove(in + gain, in + gain + 1, (n->n_in - gain - 1) * sizeof *in);
    n->n_in--;
    a->norm = a->one_plus = 0;
    a->eps = 0;
    return WEFT_OK;
}

weft_status weft__rewrite_part_gate(weft_graph *g, uint32_t node, weft_error *err)
{
    weft_error unread;
    weft_node *n = g->nodes[node];
    const weft__linear_inputs at = weft__linear_inputs_of(&n->attrs.linear);
    weft_attrs attrs = { .linear = { .has_bias = n->attrs.linear.has_bias, .act = n->attrs.linear.act } };
    if (!err) err = &unread;
    const uint32_t n_in = attrs.linear.has_bias ? 3 : 2;
    const weft_ref of_gate[3] = { n->in[0], n->in[1], n->in[at.bias] };
    const weft_ref of_up[3] = { n->in[0], n->in[at.up], n->in[at.up_bias] };
    const weft_node *gate = add_part(g, n, WEFT_OP_linear, &attrs, of_gate, n_in, err);
    if (!gate) return err->status;
    attrs.linear.act = WEFT_ACT_NONE;
    const weft_node *up = add_part(g, n, WEFT_OP_linear, &attrs, of_up, n_in, err);
    if (!up) return err->status;
    weft_ref *in = (weft_ref *)(uintptr_t)n->in;
    in[0] = gate->out[0];
    in[1] = up->out[0];
    n->op = WEFT_OP_mul;
    n->n_in = 2;
    n->attrs = (weft_attrs){ 0 };
    return WEFT_OK;
}
