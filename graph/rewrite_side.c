/* rewrite_side.c: what adapters add to products, tables and biases (rewrite.h). */
#include "graph/rewrite.h"

#include <stdlib.h>

#include "graph/graph_impl.h"

typedef struct sides {
    weft_graph *g;
    weft_error *err;
    uint32_t values;   /* those below were there before */
    uint32_t *instead; /* by their ids: what is read for them; 0: they themselves */
    bool *adds;        /* by node id: its first input stays what it is */
    size_t capacity;
} sides;

static const weft_node *make(const sides *s, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n,
                             const char *scope)
{
    return weft__graph_add(s->g, op, attrs, in, n, scope, NULL, s->err);
}

static const weft_node *declare(const sides *s, const char *name, const weft_dims *dims, const char *scope)
{
    const weft_node *known = weft__graph_source(s->g, WEFT_OP_weight, name);
    return known ? known
                 : weft__graph_add_source(s->g, WEFT_OP_weight, WEFT_F32, dims, scope, name, NULL, s->err);
}

static const weft_node *reshape(const sides *s, weft_ref r, weft_dims dims, const char *scope)
{
    const weft_attrs as = { .shape.dims = dims };
    return make(s, WEFT_OP_reshape, &as, &r, 1, scope);
}

/* The row of the table of all choices that a row of x names: one outside of it where nothing is chosen. */
static const weft_node *index_of(const sides *s, const weft__side *d, const char *scope)
{
    const int32_t rows = (int32_t)d->rows;
    const weft_dims one = WEFT_DIMS(1);
    const weft_node *n = weft__graph_add_source(s->g, WEFT_OP_constant, WEFT_I32, &one, scope, NULL, &rows, s->err);
    if (n) n = make(s, WEFT_OP_mul, NULL, (weft_ref[]){ d->ids, n->out[0] }, 2, scope);
    return n ? make(s, WEFT_OP_add, NULL, (weft_ref[]){ n->out[0], d->x }, 2, scope) : NULL;
}

/* A x: [T, r], or [T, 1, r]. */
static const weft_node *first(const sides *s, const weft__side *d, weft_ref ids, const char *scope)
{
    const weft_dims *x = &weft_graph_value(s->g, d->x)->dims;
    const weft_dims table = WEFT_DIMS((int64_t)d->choices * d->rows, d->rank);
    const weft_dims each = WEFT_DIMS(d->choices, d->rank, x->d[x->rank - 1].n);
    const weft_node *a = declare(s, d->a, d->rows ? &table : &each, scope);
    if (!a) return NULL;
    if (!d->rows) return make(s, WEFT_OP_linear_select, NULL, (weft_ref[]){ d->x, a->out[0], ids }, 3, scope);
    const weft_node *index = index_of(s, d, scope);
    return index ? make(s, WEFT_OP_gather, NULL, (weft_ref[]){ a->out[0], index->out[0] }, 2, scope) : NULL;
}

/* B A x, with the dims of the value. */
static const weft_node *product(const sides *s, const weft__side *d, const weft_dims *dims, const char *scope)
{
    weft_dims one = weft_graph_value(s->g, d->ids)->dims;
    one.d[one.rank++] = (weft_dim){ .n = 1 };
    const weft_node *ids = reshape(s, d->ids, one, scope);
    const weft_node *a = ids ? first(s, d, ids->out[0], scope) : NULL;
    const weft_dims each = WEFT_DIMS(d->choices, dims->d[dims->rank - 1].n, d->rank);
    const weft_node *b = a ? declare(s, d->b, &each, scope) : NULL;
    if (!b) return NULL;
    b = make(s, WEFT_OP_linear_select, NULL, (weft_ref[]){ a->out[0], b->out[0], ids->out[0] }, 3, scope);
    return b ? reshape(s, b->out[0], *dims, scope) : NULL;
}

static const weft_node *bias(const sides *s, const weft__side *d, const weft_dims *dims, const char *scope)
{
    const weft_dims each = WEFT_DIMS(d->choices, dims->d[dims->rank - 1].n);
    const weft_node *table = declare(s, d->bias, &each, scope);
    return table ? make(s, WEFT_OP_gather, NULL, (weft_ref[]){ table->out[0], d->ids }, 2, scope) : NULL;
}

/* Of what is read for `value` so far and `more`. */
static weft_status join(sides *s, weft_ref value, const weft_node *more, const char *scope)
{
    if (!more) return s->err->status;
    const uint32_t so_far = s->instead[value.id] ? s->instead[value.id] : value.id;
    const weft_node *n = make(s, WEFT_OP_add, NULL, (weft_ref[]){ { so_far }, more->out[0] }, 2, scope);
    if (!n) return s->err->status;
    const size_t before = s->capacity;
    if (!weft__grow(&s->adds, &s->capacity, (size_t)n->id + 1, sizeof *s->adds))
        return WEFT_OOM_FAIL(s->err, "adapters of a graph");
    for (size_t i = before; i < s->capacity; i++) s->adds[i] = false;
    s->adds[n->id] = true;
    s->instead[value.id] = n->out[0].id;
    return WEFT_OK;
}

static weft_status add(sides *s, const weft__side *d)
{
    const weft_dims dims = weft_graph_value(s->g, d->value)->dims;
    const char *scope = weft_graph_node_by_id(s->g, weft_graph_value(s->g, d->value)->node)->scope;
    if (d->a) WEFT_TRY(join(s, d->value, product(s, d, &dims, scope), scope));
    return d->bias ? join(s, d->value, bias(s, d, &dims, scope), scope) : WEFT_OK;
}

static void read_instead(const sides *s)
{
    weft_graph *g = s->g;
    for (uint32_t i = 0; i < g->node_limit; i++) {
        weft_ref *in = g->nodes[i] ? (weft_ref *)(uintptr_t)g->nodes[i]->in : NULL; /* the graph's own */
        const uint32_t kept = i < s->capacity && s->adds[i];
        for (uint32_t k = kept; in && k < g->nodes[i]->n_in; k++)
            if (in[k].id < s->values && s->instead[in[k].id]) in[k].id = s->instead[in[k].id];
    }
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        weft_ref *out = &g->outputs[i].ref;
        if (out->id < s->values && s->instead[out->id]) out->id = s->instead[out->id];
    }
}

weft_status weft__rewrite_sides(weft_graph *g, const weft__side *list, uint32_t n, weft_error *err)
{
    weft_error unread;
    sides s = { .g = g, .err = err ? err : &unread, .values = g->value_limit };
    s.instead = calloc(s.values, sizeof *s.instead);
    weft_status status = s.instead ? WEFT_OK : WEFT_OOM_FAIL(err, "adapters of a graph");
    for (uint32_t i = 0; !status && i < n; i++) status = add(&s, &list[i]);
    if (!status) read_instead(&s);
    free(s.instead);
    free(s.adds);
    return status ? status : weft__rewrite_finish(g, err);
}

weft_status weft__rewrite_input(weft_graph *g, const char *name, weft_dim n, weft_ref *out, weft_error *err)
{
    weft_error unread;
    const weft_dims dims = WEFT_DIMS(n);
    const weft_node *known = weft__graph_source(g, WEFT_OP_input, name);
    if (!err) err = &unread;
    if (!known) known = weft__graph_add_source(g, WEFT_OP_input, WEFT_I32, &dims, "", name, NULL, err);
    if (!known) return err->status;
    *out = known->out[0];
    return WEFT_OK;
}
