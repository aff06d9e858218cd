/* verify.c: recomputes every fact of a graph and compares; nothing that a pass or a parser left behind is believed.
 *
 * The checks go from the ground up (ids, then values, then shapes, then states), so that each may rely on those
 * before. */
#include "graph/alias.h"
#include "graph/attr.h"
#include "graph/graph_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "node 12 (matmul_nt, layers.3): fault" */
static weft_status fault(const weft_node *n, weft_error *err, weft_status status, const char *text)
{
    const char *comma = n->scope && *n->scope ? ", " : "", *scope = n->scope ? n->scope : "";
    return WEFT_FAIL(err, status, "node %u (%s%s%.100s): %s", n->id, weft_op_get(n->op)->name, comma, scope, text);
}

/* Printable, and short enough for the text form. */
static bool clean_text(const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        if ((unsigned char)s[n] < ' ' || s[n] == 127 || n == WEFT__MAX_NAME) return false;
    return true;
}

/* ---- nodes and values by id ---- */

static weft_status check_node(const weft_graph *g, const weft_node *n, weft_error *err)
{
    if ((unsigned)n->op >= WEFT_OP_COUNT) return WEFT_FAIL(err, WEFT_INTERNAL, "node %u: no such op", n->id);
    const weft_op_info *op = weft_op_get(n->op);
    if (n->n_in < op->min_in || n->n_in > op->max_in) return fault(n, err, WEFT_INVALID, "wrong number of inputs");
    if (n->n_out != op->n_out) return fault(n, err, WEFT_INVALID, "wrong number of outputs");
    if (!n->scope || !clean_text(n->scope)) return fault(n, err, WEFT_INVALID, "its scope is not printable");
    bool constant = n->op == WEFT_OP_constant, named = (op->traits & WEFT_TRAIT_SOURCE) && !constant;
    if (named != (n->name && *n->name)) return fault(n, err, WEFT_INVALID, named ? "no name" : "a name");
    if (named && !clean_text(n->name)) return fault(n, err, WEFT_INVALID, "its name is not printable");
    if (constant != (n->data != NULL)) return fault(n, err, WEFT_INVALID, constant ? "no data" : "data");
    for (uint32_t i = 0; i < n->n_out; i++) {
        const weft_value *v = weft_graph_value(g, n->out[i]);
        if (!v || v->node != n->id || v->index != i)
            return fault(n, err, WEFT_INTERNAL, "an output that is another node's");
        weft_status s = weft__value_check(g, v->dtype, &v->dims, err);
        if (s != WEFT_OK) return weft__annotate(err, s, "node %u (%s)", n->id, op->name);
    }
    return WEFT_OK;
}

/* The order lists each live node once, after the nodes whose values it reads. */
static weft_status check_order(const weft_graph *g, bool *seen, weft_error *err)
{
    uint32_t live = 0, values = 0, live_values = 0;
    for (uint32_t id = 1; id < g->node_limit; id++) live += g->nodes[id] != NULL;
    for (uint32_t id = 1; id < g->value_limit; id++) live_values += g->values[id].node != 0;
    for (uint32_t i = 0; i < g->n_order; i++) {
        uint32_t id = g->order[i];
        const weft_node *n = weft_graph_node_by_id(g, id);
        if (!n || n->id != id) return WEFT_FAIL(err, WEFT_INTERNAL, "the order names node %u, which is not", id);
        if (seen[id]) return fault(n, err, WEFT_INTERNAL, "twice in the order");
        WEFT_TRY(check_node(g, n, err));
        for (uint32_t j = 0; j < n->n_in; j++) {
            const weft_value *v = weft_graph_value(g, n->in[j]);
            if (!v) return fault(n, err, WEFT_INTERNAL, "an input that is no value");
            if (v->node >= g->node_limit || !seen[v->node])
                return fault(n, err, WEFT_INTERNAL, "reads a value before it is made");
        }
        seen[id] = true;
        values += n->n_out;
    }
    if (live != g->n_order) return WEFT_FAIL(err, WEFT_INTERNAL, "%u nodes, but %u in the order", live, g->n_order);
    if (values != live_values)
        return WEFT_FAIL(err, WEFT_INTERNAL, "%u values, but the nodes have %u", live_values, values);
    return WEFT_OK;
}

/* ---- shapes ---- */

static weft_status check_source(const weft_graph *g, const weft_node *n, weft_error *err)
{
    const weft_value *v = weft_graph_value(g, n->out[0]);
    bool constant = n->op == WEFT_OP_constant, weight = n->op == WEFT_OP_weight;
    if (!weft__source_takes(n->op, v->dtype))
        return fault(n, err, WEFT_SHAPE, "a block type, which is for weights and states only");
    for (uint32_t i = 0; i < v->dims.rank; i++)
        if (v->dims.d[i].extent && (constant || weight))
            return fault(n, err, WEFT_SHAPE, "its dimensions must be plain numbers");
    if (!constant && weft__graph_source(g, n->op, n->name) != n)
        return fault(n, err, WEFT_INVALID, "its name is not unique");
    return WEFT_OK;
}

static weft_status check_shape(const weft_graph *g, const weft_node *n, weft_error *err)
{
    weft__shape_result want;
    if (weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) return check_source(g, n, err);
    weft_status s = weft__shape(g, n->op, &n->attrs, n->in, n->n_in, &want, err);
    if (s != WEFT_OK) return weft__annotate(err, s, "node %u", n->id);
    for (uint32_t i = 0; i < n->n_out; i++) {
        const weft_value *v = weft_graph_value(g, n->out[i]);
        char have_text[160], want_text[160];
        if (v->dtype == want.dtype[i] && weft__dims_equal(&v->dims, &want.dims[i])) continue;
        return WEFT_FAIL(err, WEFT_SHAPE, "node %u (%s): output %u is %s%s, must be %s%s", n->id,
                         weft_op_get(n->op)->name, i, weft_dtype_get(v->dtype)->name,
                         weft__dims_text(g, &v->dims, have_text, sizeof have_text), weft_dtype_get(want.dtype[i])->name,
                         weft__dims_text(g, &want.dims[i], want_text, sizeof want_text));
    }
    return WEFT_OK;
}

/* ---- extents, outputs, states ---- */

static weft_status check_extents(const weft_graph *g, weft_error *err)
{
    for (uint32_t i = 0; i < g->n_extents; i++) {
        if (!g->extents[i].bound)
            return WEFT_FAIL(err, WEFT_INVALID, "extent '%s': the bound is 0", g->extents[i].name);
        for (uint32_t j = 0; j < i; j++)
            if (!strcmp(g->extents[i].name, g->extents[j].name))
                return WEFT_FAIL(err, WEFT_INVALID, "extent '%s' is there twice", g->extents[i].name);
    }
    return WEFT_OK;
}

static weft_status check_outputs(const weft_graph *g, weft_error *err)
{
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const weft_named *o = &g->outputs[i];
        const weft_value *v = weft_graph_value(g, o->ref);
        if (!v) return WEFT_FAIL(err, WEFT_INTERNAL, "output '%s' is no value", o->name);
        if (weft__is_block_weight(g, o->ref))
            return WEFT_FAIL(err, WEFT_SHAPE, "output '%s' is a weight of a block type", o->name);
        if (weft__graph_source(g, WEFT_OP_input, o->name) || weft__graph_output(g, o->name) != o)
            return WEFT_FAIL(err, WEFT_INVALID, "output '%s': the name is taken", o->name);
    }
    return WEFT_OK;
}

/* The state whose bytes a value is. */
static const char *state_name(const weft_graph *g, weft_ref r)
{
    while (weft__is_alias(g, r)) r = weft__maker(g, r)->in[0];
    return weft__maker(g, r)->name;
}

/* What reads a state's old value stands before the store that replaces it: nothing that follows from the store can then
 * come into it. Also what reads it by chance: a definition that forgot to take the store's result. `stored` is zeroed,
 * by value id: the node that has replaced its bytes so far. */
static weft_status check_readers(const weft_graph *g, uint32_t *stored, weft_error *err)
{
    char text[160];
    for (uint32_t i = 0; i < g->n_order; i++) {
        const weft_node *n = g->nodes[g->order[i]];
        for (uint32_t k = 0; k < n->n_in; k++) {
            uint32_t by = stored[weft__behind_views(g, n->in[k]).id];
            if (!by) continue;
            snprintf(text, sizeof text, "it reads the value from before node %u (%s), which stands before it; "
                     "it must take that one's result, or stand before it", by, weft_op_get(g->nodes[by]->op)->name);
            return weft__annotate(err, fault(n, err, WEFT_INVALID, text), "state '%s'", state_name(g, n->in[k]));
        }
        if (weft_op_get(n->op)->traits & WEFT_TRAIT_STATE) stored[n->in[0].id] = n->id;
    }
    return WEFT_OK;
}

/* Outputs are read after the run. */
static weft_status check_kept(const weft_graph *g, const uint32_t *stored, weft_error *err)
{
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        uint32_t by = stored[weft__behind_views(g, g->outputs[i].ref).id];
        if (!by) continue;
        return WEFT_FAIL(err, WEFT_INVALID, "output '%s' is the value of state '%s' from before node %u (%s), which is "
                         "gone after the run", g->outputs[i].name, state_name(g, g->outputs[i].ref), by,
                         weft_op_get(g->nodes[by]->op)->name);
    }
    return WEFT_OK;
}

static weft_status check_states(const weft_graph *g, weft_error *err)
{
    uint32_t *stored = calloc(g->value_limit, sizeof *stored);
    weft_status s = stored ? check_readers(g, stored, err) : WEFT_OOM_FAIL(err, "verifying a graph");
    if (s == WEFT_OK) s = check_kept(g, stored, err);
    free(stored);
    return s;
}

weft_status weft_graph_verify(const weft_graph *g, weft_error *err)
{
    bool *seen = calloc(g->node_limit, sizeof *seen);
    weft_status s = seen ? check_extents(g, err) : WEFT_OOM_FAIL(err, "verifying a graph");
    if (s == WEFT_OK) s = check_order(g, seen, err);
    free(seen);
    for (uint32_t i = 0; i < g->n_order && s == WEFT_OK; i++) s = check_shape(g, g->nodes[g->order[i]], err);
    if (s == WEFT_OK) s = check_outputs(g, err);
    return s == WEFT_OK ? check_states(g, err) : s;
}
