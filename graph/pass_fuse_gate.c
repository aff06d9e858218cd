/* pass_fuse_gate.c: two products of one value, one of which gates the other, become one that writes what is left.
 *
 *     mul(linear(x, w, bias, act), linear(x, up, up_bias))  ->  linear(x, w, up, bias, up_bias, act), gated
 *
 * in either order. The matrices have one size and type, both products a bias or none, and the multiplication alone
 * reads them. Where neither has an activation, the first one counts as the gate. */
#include "graph/pass.h"

/* A product with nothing behind it but a bias and, if `gate`, an activation. */
static const weft_node *factor(const weft__edit *e, const weft__readers *readers, weft_ref r, bool gate)
{
    const weft_node *n = weft__producer(e->g, r);
    if (!n || n->op != WEFT_OP_linear || !weft__only_reader(e, readers, r)) return NULL;
    const weft_attr_linear *a = &n->attrs.linear;
    return a->gated || a->norm || a->n_residual || (a->act && !gate) ? NULL : n;
}

static bool alike(const weft_graph *g, weft_ref a, weft_ref b)
{
    const weft_value *x = weft_graph_value(g, a), *y = weft_graph_value(g, b);
    return x->dtype == y->dtype && weft__dims_equal(&x->dims, &y->dims);
}

static bool belong_together(const weft__edit *e, const weft_node *gate, const weft_node *up)
{
    return gate && up && gate != up && gate->in[0].id == up->in[0].id && alike(e->g, gate->in[1], up->in[1]) &&
           gate->attrs.linear.has_bias == up->attrs.linear.has_bias && !weft__edit_is_old(e, gate->in[0]);
}

static weft_status fuse(weft__edit *e, const weft_node *mul, const weft_node *gate, const weft_node *up,
                        weft_error *err)
{
    weft_attrs attrs = { .linear = gate->attrs.linear };
    weft_ref in[5] = { gate->in[0], gate->in[1], up->in[1] };
    uint32_t n = 3, from[3] = { gate->id, up->id, mul->id };
    attrs.linear.gated = 1;
    if (attrs.linear.has_bias) in[n++] = gate->in[2], in[n++] = up->in[2];
    weft_node *made = weft__graph_add(e->g, WEFT_OP_linear, &attrs, in, n, mul->scope, NULL, err);
    if (!made) return err->status;
    if (!weft__graph_set_origin(e->g, made, from, 3)) return WEFT_OOM_FAIL(err, "a pass");
    weft__edit_swap(e, mul, made);
    weft__edit_remove(e, gate);
    weft__edit_remove(e, up);
    return WEFT_OK;
}

weft_status weft__pass_fuse_gate(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    weft__readers readers;
    WEFT_TRY(weft__edit_begin(g, &e, err));
    weft_status s = weft__readers_create(g, &readers, err);
    for (uint32_t i = 0; i < e.count && s == WEFT_OK; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op != WEFT_OP_mul) continue;
        for (int k = 0; k < 2; k++) {
            const weft_node *gate = factor(&e, &readers, n->in[k], true);
            const weft_node *up = factor(&e, &readers, n->in[1 - k], false);
            if (!belong_together(&e, gate, up)) continue;
            s = fuse(&e, n, gate, up, err);
            break;
        }
    }
    weft__readers_destroy(&readers);
    weft__edit_end(&e, changed);
    return s;
}
