/* schedule_legalise.c: what a placement needs besides the graph's own nodes: a transfer where a value crosses devices,
 * a copy where a kernel cannot read a layout, where it would write over what it reads, or where something outside is to
 * read a result. */
#include "backends/names.h"
#include "backends/schedule_impl.h"
#include "graph/rewrite.h"

#include <stdlib.h>
#include <string.h>

/* Weights and constants can be on several devices at once. */
static bool everywhere(const weft_node *n)
{
    return n->op == WEFT_OP_weight || n->op == WEFT_OP_constant;
}

bool weft__schedule_grow(weft__schedule *sch)
{
    uint32_t had = sch->node_limit, limit = weft_graph_node_limit(sch->g);
    void *d = realloc(sch->device_of, limit * sizeof *sch->device_of);
    if (d) sch->device_of = d;
    void *r = realloc(sch->reasons, limit * sizeof *sch->reasons);
    if (r) sch->reasons = r;
    void *c = realloc(sch->choices, limit * sizeof *sch->choices);
    if (c) sch->choices = c;
    if (!d || !r || !c) return false;
    memset(sch->device_of + had, 0, (limit - had) * sizeof *sch->device_of);
    memset(sch->reasons + had, 0, (limit - had) * sizeof *sch->reasons);
    memset(sch->choices + had, 0, (limit - had) * sizeof *sch->choices);
    sch->node_limit = limit;
    return true;
}

/* Whether the layout in which input r comes is one that the kernel reads. */
static bool readable(const weft__schedule *sch, weft_ref r, uint8_t need)
{
    weft_slot s;
    if (!weft_plan_view(sch->g, r, sch->bounds, &s)) return false;
    if (need == WEFT_NEED_DENSE) return weft__is_dense(sch->g, r, &s, sch->bounds);
    if (need != WEFT_NEED_ROWS) return true;
    const weft_value *v = weft_graph_value(sch->g, r);
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(sch->g, &v->dims, sch->bounds, dims);
    uint32_t rank = v->dims.rank;
    return !rank || dims[rank - 1] == 1 || s.stride[rank - 1] == 1;
}

/* What must stand before input i of n: a transfer, a copy, or nothing. */
static weft_op missing_op(const weft__schedule *sch, const weft_node *n, uint32_t i)
{
    const weft_node *from = weft__source_of(sch, n->in[i]);
    if (!everywhere(from) && sch->device_of[from->id] != sch->device_of[n->id] && n->op != WEFT_OP_transfer)
        return WEFT_OP_transfer;
    bool writes = weft__traits(n) & WEFT_TRAIT_STATE;
    if (writes && i > 0 && weft__behind_views(sch->g, n->in[i]).id == n->in[0].id)
        return WEFT_OP_copy; /* what it reads and what it writes are the same bytes */
    if (weft__traits(n) & WEFT_TRAIT_VIEW) {
        weft_slot s;
        return weft_plan_view(sch->g, n->out[0], sch->bounds, &s) ? WEFT_OP_input : WEFT_OP_copy;
    }
    if (weft__maker(sch->g, n->in[i])->op == WEFT_OP_weight) return WEFT_OP_input;
    uint8_t need = n->op == WEFT_OP_transfer ? WEFT_NEED_DENSE : sch->choices[n->id].needs[i];
    return readable(sch, n->in[i], need) ? WEFT_OP_input : WEFT_OP_copy;
}

/* Nodes put in during one round, so that readers of one value share them. */
typedef struct made { weft_ref from, to; weft_op op; uint32_t device; } made;
typedef struct made_list { made *items; size_t n, cap; } made_list;

static weft_ref find_made(const made_list *l, const made *m)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].from.id == m->from.id && l->items[i].op == m->op && l->items[i].device == m->device)
            return l->items[i].to;
    return (weft_ref){ 0 };
}

static weft_status remember(weft__schedule *sch, made_list *l, const made *m, weft_error *err)
{
    if (!weft__grow(&l->items, &l->cap, l->n + 1, sizeof *l->items) || !weft__schedule_grow(sch))
        return WEFT_OOM_FAIL(err, "the schedule");
    l->items[l->n++] = *m;
    sch->device_of[weft_graph_value(sch->g, m->to)->node] = m->device;
    return WEFT_OK;
}

static weft_status legalise_inputs(weft__schedule *sch, uint32_t id, made_list *l, weft_error *err)
{
    const weft_node *n = weft_graph_node_by_id(sch->g, id);
    for (uint32_t i = 0; i < n->n_in; i++) {
        weft_op op = missing_op(sch, n, i);
        if (op == WEFT_OP_input) continue;
        bool copied = weft__maker(sch->g, n->in[i])->op == WEFT_OP_copy;
        if (op == WEFT_OP_copy && weft__traits(n) & WEFT_TRAIT_VIEW && copied) {
            char name[80]; /* nor does a copy of the copy help */
            return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                             "%s joins an axis with an extent behind it: below the extent's bound its elements would "
                             "have gaps between them", weft__node_text(n, name, sizeof name));
        }
        bool before = n->op == WEFT_OP_transfer; /* what a transfer takes is put in order where it comes from */
        made m = { .from = n->in[i], .op = op,
                   .device = sch->device_of[before ? weft__source_of(sch, n->in[i])->id : id] };
        weft_ref known = m.to = find_made(l, &m);
        WEFT_TRY(weft__rewrite_insert(sch->g, op, id, i, &m.to, err));
        if (!known.id) WEFT_TRY(remember(sch, l, &m, err));
    }
    return WEFT_OK;
}

/* What can be read from outside is dense and no weight. */
static weft_status legalise_outputs(weft__schedule *sch, made_list *l, weft_error *err)
{
    uint32_t n_outputs;
    weft_graph_outputs(sch->g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++) {
        weft_ref r = weft_graph_outputs(sch->g, &n_outputs)[i].ref;
        const weft_node *from = weft__source_of(sch, r);
        if (!everywhere(from) && readable(sch, r, WEFT_NEED_DENSE)) continue;
        made m = { .from = r, .op = WEFT_OP_copy, .device = sch->device_of[from->id] };
        weft_ref known = m.to = find_made(l, &m);
        WEFT_TRY(weft__rewrite_output(sch->g, m.op, i, &m.to, err));
        if (!known.id) WEFT_TRY(remember(sch, l, &m, err));
    }
    return WEFT_OK;
}

weft_status weft__legalise(weft__schedule *sch, bool *changed, weft_error *err)
{
    made_list l = { 0 };
    weft_status s = WEFT_OK;
    uint32_t n_nodes = weft_graph_node_count(sch->g);
    uint32_t *ids = malloc((n_nodes ? n_nodes : 1) * sizeof *ids); /* the graph's order changes as nodes come in */
    if (!ids) return WEFT_OOM_FAIL(err, "the schedule");
    for (uint32_t i = 0; i < n_nodes; i++) ids[i] = weft_graph_node(sch->g, i)->id;
    for (uint32_t i = 0; i < n_nodes && !s; i++) s = legalise_inputs(sch, ids[i], &l, err);
    if (!s) s = legalise_outputs(sch, &l, err);
    *changed = l.n > 0;
    free(l.items);
    free(ids);
    return s ? s : *changed ? weft__rewrite_finish(sch->g, err) : WEFT_OK;
}
