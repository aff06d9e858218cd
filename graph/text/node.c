/* node.c: a statement that makes a node: an op by the rows of op.def, or an activation by its name. And other names for
 * values. */
#include "graph/attr.h"
#include "graph/text/run.h"

#include <string.h>

/* ---- what a line says ---- */

static weft_status read_label(weft__run *r, const weft__stmt *s, weft__line *l)
{
    bool named = weft_op_get(l->d.op)->traits & WEFT_TRAIT_SOURCE && l->d.op != WEFT_OP_constant;
    if (!s->label && named)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "%s: a name is wanted", s->word.text);
    if (s->label && !named)
        return weft__run_fail(r, s->label->at, WEFT_FORMAT, "only inputs, weights and states have names");
    return s->label ? weft__eval_text(r, s->label, &l->d.name) : WEFT_OK;
}

static weft_status check_types(weft__run *r, const weft__stmt *s)
{
    if (!s->n_types || s->n_types == s->n_results) return WEFT_OK;
    return weft__run_fail(r, s->types[0].dtype->at, WEFT_FORMAT, "%s types than results",
                          s->n_types > s->n_results ? "more" : "fewer");
}

static weft_status read_types(weft__run *r, const weft__stmt *s, weft__line *l)
{
    bool source = weft_op_get(l->d.op)->traits & WEFT_TRAIT_SOURCE;
    if (source && !s->n_types) return weft__run_fail(r, s->word.at, WEFT_FORMAT, "a source needs a type");
    WEFT_TRY(check_types(r, s));
    for (uint32_t i = 0; i < s->n_types; i++)
        WEFT_TRY(weft__field_type(r, &s->types[i], &l->dtype[i], &l->dims[i]));
    return WEFT_OK;
}

weft_status weft__line_read(weft__run *r, const weft__stmt *s, weft_op op, weft__line *l)
{
    bool constant = op == WEFT_OP_constant;
    *l = (weft__line){ .d = { .op = op } };
    if (s->n_results != weft_op_get(op)->n_out)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "wrong number of results for '%s'", s->word.text);
    WEFT_TRY(read_label(r, s, l));
    WEFT_TRY(weft__field_attrs(r, s, op, &l->attrs));
    WEFT_TRY(read_types(r, s, l));
    l->d.attrs = &l->attrs;
    l->d.dtype = l->dtype[0];
    l->d.dims = &l->dims[0];
    if (!constant && s->n_items) return weft__run_fail(r, s->items[0]->at, WEFT_FORMAT, "data is for constants");
    if (constant && !s->n_items) return weft__run_fail(r, s->word.at, WEFT_FORMAT, "a constant needs data");
    if (constant) WEFT_TRY(weft__field_data(r, s, l->dtype[0], &l->dims[0]));
    l->d.data = constant ? r->data : NULL;
    return WEFT_OK;
}

static weft_status compare_type(weft__run *r, const weft__stmt *s, uint32_t i, weft_dtype dtype, const weft_dims *dims,
                                weft_ref out)
{
    char said[160], is[160];
    const weft_value *v = weft_graph_value(r->g, out);
    if (!v || (v->dtype == dtype && weft__dims_equal(&v->dims, dims))) return WEFT_OK;
    return weft__run_fail(r, s->at, WEFT_SHAPE, "%%%s is given as %s%s, but is %s%s", s->results[i].text,
                          weft_dtype_get(dtype)->name, weft__dims_text(r->g, dims, said, sizeof said),
                          weft_dtype_get(v->dtype)->name, weft__dims_text(r->g, &v->dims, is, sizeof is));
}

weft_status weft__line_compare(weft__run *r, const weft__stmt *s, const weft__line *l, const weft_ref *out)
{
    for (uint32_t i = 0; i < s->n_types; i++) WEFT_TRY(compare_type(r, s, i, l->dtype[i], &l->dims[i], out[i]));
    return WEFT_OK;
}

weft_status weft__node_compare(weft__run *r, const weft__stmt *s, const weft_ref *out)
{
    WEFT_TRY(check_types(r, s));
    for (uint32_t i = 0; i < s->n_types; i++) {
        weft_dtype dtype;
        weft_dims dims;
        WEFT_TRY(weft__field_type(r, &s->types[i], &dtype, &dims));
        WEFT_TRY(compare_type(r, s, i, dtype, &dims, out[i]));
    }
    return WEFT_OK;
}

/* ---- making nodes ---- */

weft_status weft__node_made(weft__run *r, const weft__stmt *s, weft_ref made)
{
    if (r->desc->made) r->desc->made(r->desc->ctx, r->g, weft_graph_value(r->g, made)->node);
    return weft__run_sticky(r, s->at);
}

/* An input that the graph had before the text is the text's, if it is of the same type. */
static weft_ref make_input(weft__run *r, const weft__line *l)
{
    char said[160], is[160];
    const weft_node *old = weft__graph_source(r->g, WEFT_OP_input, l->d.name);
    if (!old || old->id >= r->first_node) return weft_input(r->g, l->dtype[0], l->dims[0], l->d.name);
    const weft_value *v = weft_graph_value(r->g, old->out[0]);
    if (v->dtype == l->dtype[0] && weft__dims_equal(&v->dims, &l->dims[0])) return old->out[0];
    return WEFT__STICKY(r->g, WEFT_SHAPE, "input '%s' is %s%s, and what runs the graph gives %s%s", l->d.name,
                        weft_dtype_get(l->dtype[0])->name, weft__dims_text(r->g, &l->dims[0], said, sizeof said),
                        weft_dtype_get(v->dtype)->name, weft__dims_text(r->g, &v->dims, is, sizeof is));
}

static weft_status make_source(weft__run *r, const weft__stmt *s, const weft__line *l, weft_ref *out)
{
    if (s->n_inputs)
        return weft__run_fail(r, s->at, WEFT_INVALID, "%s: %u inputs, needs 0 to 0", s->word.text, s->n_inputs);
    switch (l->d.op) {
    case WEFT_OP_input: *out = make_input(r, l); break;
    case WEFT_OP_weight: *out = weft_weight(r->g, l->dtype[0], l->dims[0], l->d.name); break;
    case WEFT_OP_state: *out = weft_state(r->g, l->dtype[0], l->dims[0], l->d.name); break;
    default: *out = weft_constant(r->g, l->dtype[0], l->dims[0], l->d.data); break;
    }
    return weft__run_sticky(r, s->at);
}

static weft_status make_op(weft__run *r, const weft__stmt *s, weft_op op, const weft_ref *in, weft_ref *out)
{
    weft__line l;
    WEFT_TRY(weft__line_read(r, s, op, &l));
    if (weft_op_get(op)->traits & WEFT_TRAIT_SOURCE) {
        WEFT_TRY(make_source(r, s, &l, out));
        return weft__node_made(r, s, out[0]);
    }
    l.d.in = in;
    l.d.n_in = s->n_inputs;
    l.d.scope = r->g->scope;
    const weft_node *n = weft__graph_make(r->g, &l.d, r->err);
    if (!n) return weft__run_locate(r, s->at, r->err->status);
    memcpy(out, n->out, n->n_out * sizeof *out);
    WEFT_TRY(weft__node_made(r, s, out[0]));
    return weft__line_compare(r, s, &l, out);
}

/* The op of an activation; the value itself, if it is none. */
static weft_status make_activation(weft__run *r, const weft__stmt *s, const weft_ref *in, weft_ref *out)
{
    weft_act act;
    if (s->n_inputs != 1 || s->n_results != 1 || s->n_attrs != 1 || strcmp(s->attrs[0].name.text, "act"))
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "an activation is written %%y = activation %%x {act = ..}");
    WEFT_TRY(weft__field_act(r, s->attrs[0].value, &act));
    *out = weft_activation(r->g, in[0], act);
    WEFT_TRY(weft__run_sticky(r, s->at));
    if (act != WEFT_ACT_NONE) WEFT_TRY(weft__node_made(r, s, *out));
    return weft__node_compare(r, s, out);
}

/* The text's blocks are guessed first. */
weft_status weft__node_unknown(weft__run *r, const weft__stmt *s)
{
    enum { BLOCKS = 64 };
    const char *names[BLOCKS + WEFT_OP_COUNT + 1];
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->blocks.n && n < BLOCKS; i++) names[n++] = r->blocks.entries[i].name;
    for (uint32_t i = 0; i < r->desc->n_blocks && n < BLOCKS; i++) names[n++] = r->desc->blocks[i].name;
    for (unsigned op = 0; op < WEFT_OP_COUNT; op++) names[n++] = weft_op_get((weft_op)op)->name;
    names[n++] = "activation";
    return weft__run_unknown(r, &s->word, r->t->version == 1 ? "no op is called" : "no op or block is called", names, n,
                             sizeof *names);
}

/* ---- statements ---- */

weft_status weft__node_inputs(weft__run *r, const weft__stmt *s, weft_ref *in)
{
    if (s->n_inputs > WEFT_MAX_INPUTS)
        return weft__run_fail(r, s->inputs[WEFT_MAX_INPUTS].at, WEFT_FORMAT, "too many inputs");
    for (uint32_t i = 0; i < s->n_inputs; i++) WEFT_TRY(weft__run_value(r, &s->inputs[i], &in[i]));
    return WEFT_OK;
}

weft_status weft__node_bind(weft__run *r, const weft__stmt *s, const weft_ref *out)
{
    if (s->n_results > WEFT_MAX_INPUTS)
        return weft__run_fail(r, s->results[WEFT_MAX_INPUTS].at, WEFT_FORMAT, "too many results");
    for (uint32_t i = 0; i < s->n_results; i++) WEFT_TRY(weft__run_bind_value(r, &s->results[i], out[i]));
    return WEFT_OK;
}

weft_status weft__node_rename(weft__run *r, const weft__stmt *s, const weft_ref *in)
{
    if (s->n_inputs != s->n_results)
        return weft__run_fail(r, s->at, WEFT_FORMAT, "%u name%s for %u value%s", s->n_results,
                              s->n_results == 1 ? "" : "s", s->n_inputs, s->n_inputs == 1 ? "" : "s");
    WEFT_TRY(weft__node_compare(r, s, in));
    return weft__node_bind(r, s, in);
}

weft_status weft__node_count(weft__run *r, const weft__stmt *s)
{
    if (r->nodes++ == WEFT__TEXT_NODES)
        return weft__run_fail(r, s->at, WEFT_LIMIT, "the text makes more than %d nodes", (int)WEFT__TEXT_NODES);
    return weft__run_step(r, s->at, s->n_items);
}

weft_status weft__node_make(weft__run *r, const weft__stmt *s, const weft_ref *in, weft_ref *out)
{
    weft_op op;
    if (weft__op_parse(s->word.text, &op)) return make_op(r, s, op, in, out);
    return strcmp(s->word.text, "activation") ? weft__node_unknown(r, s) : make_activation(r, s, in, out);
}
