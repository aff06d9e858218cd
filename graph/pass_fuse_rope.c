/* pass_fuse_rope.c: rotated keys go to the cache in one step.
 *
 *     store(state, rope(x, angles), index), axis 0                   state [C, G, D], x [T, G, D]
 *     store(state, permute(rope(x, angles), 1 0 2), index), axis 1   state [G, C, D]
 *         ->  rope_store(state, x, angles, index)
 *
 * The rotated value and its permutation must be read by the next node alone. What rotates is no old value of a state,
 * which the store may have to follow. */
#include "graph/pass.h"

#include <stdlib.h>

/* The rope whose result, or its exchange of the first two axes (then *permuted is set), is the
 * store's rows. */
static const weft_node *rotated_rows(const weft__edit *e, const weft__readers *readers, const weft_node *store,
                                     const weft_node **permuted)
{
    const weft_graph *g = e->g;
    *permuted = NULL;
    if (!weft__only_reader(e, readers, store->in[1])) return NULL;
    const weft_node *n = weft__producer(g, store->in[1]);
    if (n->op == WEFT_OP_permute) {
        const weft_perm *p = &n->attrs.permute.order;
        if (p->rank != 3 || p->axis[0] != 1 || p->axis[1] != 0) return NULL;
        if (!weft__only_reader(e, readers, n->in[0])) return NULL;
        *permuted = n;
        n = weft__producer(g, n->in[0]);
    }
    return n->op == WEFT_OP_rope && weft_graph_value(g, n->in[0])->dims.rank == 3 ? n : NULL;
}

static weft_status fuse(weft__edit *e, const weft_node *store, const weft_node *permuted, const weft_node *rope,
                        weft_error *err)
{
    weft_ref in[4] = { store->in[0], rope->in[0], rope->in[1], store->in[2] };
    weft_attrs attrs = { .rope_store = { .interleaved = rope->attrs.rope.interleaved,
                                         .axis = store->attrs.axis.axis } };
    weft_node *made = weft__graph_add(e->g, WEFT_OP_rope_store, &attrs, in, 4, store->scope, NULL, err);
    if (!made) return err->status;
    uint32_t from[3] = { rope->id, store->id, permuted ? permuted->id : 0 };
    if (!weft__graph_set_origin(e->g, made, from, permuted ? 3 : 2)) return WEFT_OOM_FAIL(err, "a pass");
    weft__edit_swap(e, store, made);
    if (permuted) weft__edit_remove(e, permuted);
    weft__edit_remove(e, rope);
    return WEFT_OK;
}

weft_status weft__pass_fuse_rope(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    weft__readers readers;
    WEFT_TRY(weft__edit_begin(g, &e, err));
    weft_status s = weft__readers_create(g, &readers, err);
    for (uint32_t i = 0; i < e.count && s == WEFT_OK; i++) {
        const weft_node *n = weft_graph_node(g, i), *permuted;
        if (n->op != WEFT_OP_store) continue;
        const weft_value *state = weft_graph_value(g, n->in[0]);
        const weft_node *rope = rotated_rows(&e, &readers, n, &permuted);
        if (rope && (weft__edit_is_old(&e, rope->in[0]) || weft__edit_is_old(&e, rope->in[1]))) continue;
        if (rope && n->attrs.axis.axis == (permuted ? 1 : 0) &&
            weft_dtype_get(state->dtype)->class_ == WEFT_DTYPE_FLOAT)
            s = fuse(&e, n, permuted, rope, err);
    }
    weft__readers_destroy(&readers);
    weft__edit_end(&e, changed);
    return s;
}
