/* pass_fuse_reading.c: products take up the norm of what they read.
 *
 *     n = rms_norm(x, gain)                     linear(x, w, .., gain, norm)
 *     linear(n, w, ..), linear(n, v, ..)   ->   linear(x, v, .., gain, norm)
 *
 * where products alone read the norm, as x, and the gain is a source. Each computes it again, which is little beside a
 * product of few rows, and saves a launch and a wait; where a backend has no kernel that does, schedules take it out
 * again (rewrite.h). */
#include "graph/linear.h"
#include "graph/pass.h"

#include <stdlib.h>
#include <string.h>

/* Whether a product can take the norm of its input 0. */
static bool takes_norm(const weft__edit *e, const weft_node *n)
{
    if (n->op != WEFT_OP_linear || n->attrs.linear.norm) return false;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (n->in[i].id == n->in[0].id || weft__edit_is_old(e, n->in[i])) return false;
    return true;
}

static bool can_go(const weft__edit *e, const weft_node *n)
{
    const weft_graph *g = e->g;
    if (!n || n->op != WEFT_OP_rms_norm || n->n_in != 2 || n->attrs.norm.group) return false;
    const weft_node *gain = weft__producer(g, n->in[1]);
    return weft_op_get(gain->op)->traits & WEFT_TRAIT_SOURCE && weft_graph_value(g, n->in[0])->dtype == WEFT_F32 &&
           !weft__edit_is_old(e, n->in[0]) && !weft__edit_is_old(e, n->in[1]);
}

static weft_status fuse(weft__edit *e, const weft_node *product, const weft_node *norm, weft_error *err)
{
    weft_attrs attrs = { .linear = product->attrs.linear };
    attrs.linear.norm = 1;
    attrs.linear.eps = norm->attrs.norm.eps;
    attrs.linear.one_plus = norm->attrs.norm.one_plus;
    const uint32_t gain = weft__linear_inputs_of(&attrs.linear).gain;
    weft_ref in[WEFT_MAX_INPUTS];
    memcpy(in, product->in, gain * sizeof *in);
    in[0] = norm->in[0];
    in[gain] = norm->in[1];
    memcpy(in + gain + 1, product->in + gain, (product->n_in - gain) * sizeof *in);
    uint32_t from[2] = { norm->id, product->id };
    weft_node *made = weft__graph_add(e->g, WEFT_OP_linear, &attrs, in, product->n_in + 1, product->scope, NULL, err);
    if (!made) return err->status;
    if (!weft__graph_set_origin(e->g, made, from, 2)) return WEFT_OOM_FAIL(err, "a pass");
    weft__edit_swap(e, product, made);
    return WEFT_OK;
}

/* takers: by value id, how many products could take it up as a norm. */
static weft_status fuse_all(weft__edit *e, const weft__readers *readers, uint32_t *takers, weft_error *err)
{
    const weft_graph *g = e->g;
    for (uint32_t i = 0; i < e->count; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (takes_norm(e, n)) takers[n->in[0].id]++;
    }
    for (uint32_t i = 0; i < e->count; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (!takes_norm(e, n) || takers[n->in[0].id] != readers->count[n->in[0].id]) continue;
        const weft_node *norm = weft__producer(g, n->in[0]);
        if (!can_go(e, norm)) continue;
        WEFT_TRY(fuse(e, n, norm, err));
        weft__edit_remove(e, norm);
    }
    return WEFT_OK;
}

weft_status weft__pass_fuse_reading(weft_graph *g, bool *changed, weft_error *err)
{
    weft__edit e;
    weft__readers readers;
    WEFT_TRY(weft__edit_begin(g, &e, err));
    weft_status s = weft__readers_create(g, &readers, err);
    uint32_t *takers = calloc(e.value_limit, sizeof *takers);
    if (!s && !takers) s = WEFT_OOM_FAIL(err, "a pass");
    if (!s) s = fuse_all(&e, &readers, takers, err);
    free(takers);
    weft__readers_destroy(&readers);
    weft__edit_end(&e, changed);
    return s;
}
