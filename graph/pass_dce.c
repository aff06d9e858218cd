/* pass_dce.c: removes nodes that nothing depends on.
 *
 * What counts: outputs, writes into states (which the next run reads), and inputs, which callers
 * bind by name whether a graph reads them or not. Weights that feed nothing go, and are then never
 * loaded. */
#include "graph/pass.h"

#include <stdlib.h>

static void mark(const weft_graph *g, bool *live, weft_ref r)
{
    const weft_node *n = weft__producer(g, r);
    if (n) live[n->id] = true;
}

weft_status weft__pass_dce(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    bool *live = calloc(weft_graph_node_limit(g), sizeof *live);
    weft_status s = live ? weft__edit_begin(g, &e, err) : WEFT_OOM_FAIL(err, "a pass");
    if (s != WEFT_OK) {
        free(live);
        return s;
    }
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++) mark(g, live, outputs[i].ref);
    for (uint32_t i = e.count; i-- > 0;) { /* readers before what they read */
        const weft_node *n = weft_graph_node(g, i);
        bool effect = weft_op_get(n->op)->traits & WEFT_TRAIT_STATE || n->op == WEFT_OP_input;
        if (!live[n->id] && !effect) {
            weft__edit_remove(&e, n);
            continue;
        }
        for (uint32_t k = 0; k < n->n_in; k++) mark(g, live, n->in[k]);
    }
    weft__edit_end(&e, changed);
    free(live);
    return WEFT_OK;
}
