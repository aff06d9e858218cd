/* rewrite.c: copies and transfers put in by schedulers. */
#include "graph/rewrite.h"

#include "graph/graph_impl.h"

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
