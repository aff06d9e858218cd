/* schedule.c: from a graph to a plan: where each node runs, with which kernel, and what must be copied for that.
 *
 * 1. place: each node goes to the first device that has a kernel for it; views and sources follow their data.
 * 2. legalise: where a value crosses devices a transfer is put in, where a kernel cannot read a layout a copy.
 *    New nodes are placed by another round; a round that puts nothing in ends the loop.
 * 3. plan: order, memory, barriers (graph/plan.h), then segments of steps per device. */
#include "backends/program.h"
#include "backends/selftest.h"
#include "graph/rewrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 8, MAX_JOINED = 8 };

const char *weft__node_text(const weft_node *n, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s %%%u", n->scope, *n->scope ? " " : "", weft_op_get(n->op)->name, n->out[0].id);
    return buf;
}

static uint32_t traits(const weft_node *n)
{
    return weft_op_get(n->op)->traits;
}

static const weft_node *maker(const weft_program *p, weft_ref r)
{
    return weft__maker(p->g, r);
}

weft_ref weft__behind_views(const weft_graph *g, weft_ref r)
{
    const weft_node *n;
    while (traits(n = weft__maker(g, r)) & WEFT_TRAIT_VIEW) r = n->in[0];
    return r;
}

/* The source or computing node behind a chain of views. */
static const weft_node *behind_views(const weft_program *p, weft_ref r)
{
    return maker(p, weft__behind_views(p->g, r));
}

bool weft__is_dense(const weft_graph *g, weft_ref r, const weft_slot *s, const int64_t *bounds)
{
    const weft_value *v = weft_graph_value(g, r);
    int64_t dims[WEFT_MAX_RANK], stride = 1;
    weft_dims_resolve(g, &v->dims, bounds, dims);
    for (uint32_t i = v->dims.rank; i-- > 0; stride *= dims[i])
        if (dims[i] != 1 && s->stride[i] != stride) return false;
    return true;
}

/* Weights and constants can be on several devices at once. */
static bool everywhere(const weft_node *n)
{
    return n->op == WEFT_OP_weight || n->op == WEFT_OP_constant;
}

/* ---- place ---- */

/* Every weight's layout on every device, from all its readers. */
static weft_status choose_layouts(weft_program *p, weft_error *err)
{
    p->value_limit = weft_graph_value_limit(p->g);
    uint32_t n_nodes = weft_graph_node_count(p->g), n_uses = 0;
    free(p->layouts);
    p->layouts = calloc((size_t)p->n_devices * p->value_limit, sizeof *p->layouts);
    /* readers of value v: start[v] .. start[v + 1] */
    uint32_t *start = calloc((size_t)p->value_limit + 2, sizeof *start);
    for (uint32_t i = 0; i < n_nodes; i++) n_uses += weft_graph_node(p->g, i)->n_in;
    const weft_node **readers = calloc(n_uses ? n_uses : 1, sizeof *readers);
    if (!p->layouts || !start || !readers) {
        free(start);
        free(readers);
        return WEFT_OOM_FAIL(err, "the schedule");
    }
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        for (uint32_t j = 0; j < n->n_in; j++) start[n->in[j].id + 2]++;
    }
    for (uint32_t v = 2; v < p->value_limit + 2; v++) start[v] += start[v - 1];
    for (uint32_t i = 0; i < n_nodes; i++) { /* filling moves start[v + 1] from the begin to the end of v's readers */
        const weft_node *n = weft_graph_node(p->g, i);
        for (uint32_t j = 0; j < n->n_in; j++) readers[start[n->in[j].id + 1]++] = n;
    }
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        if (n->op != WEFT_OP_weight) continue;
        uint32_t v = n->out[0].id;
        for (uint32_t d = 0; d < p->n_devices; d++)
            p->layouts[weft__at(p, d, v)] = p->devices[d]->vt->weight_layout(
                p->devices[d], p->g, n->out[0], readers + start[v], start[v + 1] - start[v]);
    }
    free(start);
    free(readers);
    return WEFT_OK;
}

static weft_place_reason try_device(const weft_program *p, const weft_node *n, uint32_t d, weft_kernel_choice *choice)
{
    weft_backend *b = p->devices[d];
    weft_layout layouts[WEFT_MAX_INPUTS];
    for (uint32_t i = 0; i < n->n_in; i++) layouts[i] = p->layouts[weft__at(p, d, n->in[i].id)];
    return b->vt->choose(b, &(weft_kernel_query){ p->g, n, p->bounds, layouts, p->exact }, choice);
}

static weft_status place_node(weft_program *p, const weft_node *n, weft_error *err)
{
    char name[256], type[64];
    weft_place_reason refused = WEFT_PLACE_REQUESTED;
    uint32_t first = p->first_device ? p->first_device[n->id] : 0;
    if (first) refused = p->by_memory ? WEFT_PLACE_MEMORY : WEFT_PLACE_SPLIT;
    for (uint32_t d = first; d < p->n_devices; d++) {
        weft_place_reason why = try_device(p, n, d, &p->choices[n->id]);
        if (why == WEFT_PLACE_REQUESTED && p->strict && p->choices[n->id].instead_of)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: kernel %s is disabled, and strict forbids another",
                             weft__node_text(n, name, sizeof name), p->choices[n->id].instead_of);
        if (why == WEFT_PLACE_REQUESTED) {
            p->device_of[n->id] = d;
            p->reasons[n->id] = refused;
            return WEFT_OK;
        }
        if (d == first) refused = why;
        if (p->strict) break;
    }
    weft_device_info info;
    weft_backend_info(p->devices[first], &info);
    snprintf(type, sizeof type, "%s", weft_dtype_get(weft_graph_value(p->g, n->out[0])->dtype)->name);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s (%s): %s cannot run it: %s (%s)%s",
                     weft__node_text(n, name, sizeof name), type, info.name, weft_place_sentence(refused),
                     weft_place_name(refused),
                     p->strict && p->n_devices > 1 ? ", and strict forbids another device" : "");
}

/* A copy is where legalising wanted it: on another device it would need a transfer, and that a copy again. */
static weft_status place_copy(weft_program *p, const weft_node *n, weft_error *err)
{
    char name[256];
    uint32_t d = p->device_of[n->id];
    p->reasons[n->id] = WEFT_PLACE_FOLLOWS;
    if (try_device(p, n, d, &p->choices[n->id]) == WEFT_PLACE_REQUESTED) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: device %u (%s) cannot copy it",
                     weft__node_text(n, name, sizeof name), d, p->devices[d]->vt->name);
}

/* Sources and views go where their first reader is; inputs nobody reads stay on the first device. */
static void place_followers(weft_program *p)
{
    for (uint32_t i = weft_graph_node_count(p->g); i-- > 0;) {
        const weft_node *n = weft_graph_node(p->g, i);
        uint32_t d = p->device_of[n->id];
        for (uint32_t j = 0; j < n->n_in; j++) {
            const weft_node *from = maker(p, n->in[j]);
            if (!(traits(from) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW))) continue;
            p->device_of[from->id] = d; /* an earlier reader overwrites this */
            p->reasons[from->id] = WEFT_PLACE_FOLLOWS;
        }
    }
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) { /* a view is where its data is */
        const weft_node *n = weft_graph_node(p->g, i);
        if (traits(n) & WEFT_TRAIT_VIEW) p->device_of[n->id] = p->device_of[maker(p, n->in[0])->id];
    }
}

static weft_status place(weft_program *p, weft_error *err)
{
    WEFT_TRY(choose_layouts(p, err));
    uint32_t n_nodes = weft_graph_node_count(p->g);
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        p->choices[n->id] = (weft_kernel_choice){ 0 };
        /* transfers and copies: device_of was set when they were put in */
        if (n->op == WEFT_OP_transfer) p->reasons[n->id] = WEFT_PLACE_FOLLOWS;
        else if (n->op == WEFT_OP_copy) WEFT_TRY(place_copy(p, n, err));
        else if (traits(n) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) p->device_of[n->id] = 0;
        else WEFT_TRY(place_node(p, n, err));
    }
    place_followers(p);
    return WEFT_OK;
}

/* A kernel that fails its test makes way for another, which is tested in its turn. */
static weft_status place_trusted(weft_program *p, weft_error *err)
{
    bool failed = true;
    while (failed) {
        WEFT_TRY(place(p, err));
        WEFT_TRY(weft__selftest(p, &failed, err));
    }
    return WEFT_OK;
}

/* ---- legalise ---- */

static bool grow_tables(weft_program *p)
{
    uint32_t had = p->node_limit, limit = weft_graph_node_limit(p->g);
    void *d = realloc(p->device_of, limit * sizeof *p->device_of);
    if (d) p->device_of = d;
    void *r = realloc(p->reasons, limit * sizeof *p->reasons);
    if (r) p->reasons = r;
    void *c = realloc(p->choices, limit * sizeof *p->choices);
    if (c) p->choices = c;
    if (!d || !r || !c) return false;
    memset(p->device_of + had, 0, (limit - had) * sizeof *p->device_of);
    memset(p->reasons + had, 0, (limit - had) * sizeof *p->reasons);
    memset(p->choices + had, 0, (limit - had) * sizeof *p->choices);
    p->node_limit = limit;
    return true;
}

/* Whether the layout in which input r comes is one that the kernel reads. */
static bool readable(const weft_program *p, weft_ref r, uint8_t need)
{
    weft_slot s;
    if (!weft_plan_view(p->g, r, p->bounds, &s)) return false;
    if (need == WEFT_NEED_DENSE) return weft__is_dense(p->g, r, &s, p->bounds);
    if (need != WEFT_NEED_ROWS) return true;
    const weft_value *v = weft_graph_value(p->g, r);
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(p->g, &v->dims, p->bounds, dims);
    uint32_t rank = v->dims.rank;
    return !rank || dims[rank - 1] == 1 || s.stride[rank - 1] == 1;
}

/* What must stand before input i of n: a transfer, a copy, or nothing. */
static weft_op missing_op(const weft_program *p, const weft_node *n, uint32_t i)
{
    const weft_node *from = behind_views(p, n->in[i]);
    if (!everywhere(from) && p->device_of[from->id] != p->device_of[n->id] && n->op != WEFT_OP_transfer)
        return WEFT_OP_transfer;
    if (traits(n) & WEFT_TRAIT_VIEW) {
        weft_slot s;
        return weft_plan_view(p->g, n->out[0], p->bounds, &s) ? WEFT_OP_input : WEFT_OP_copy;
    }
    if (maker(p, n->in[i])->op == WEFT_OP_weight) return WEFT_OP_input;
    uint8_t need = n->op == WEFT_OP_transfer ? WEFT_NEED_DENSE : p->choices[n->id].needs[i];
    return readable(p, n->in[i], need) ? WEFT_OP_input : WEFT_OP_copy;
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

static weft_status remember(weft_program *p, made_list *l, const made *m, weft_error *err)
{
    if (!weft__grow(&l->items, &l->cap, l->n + 1, sizeof *l->items) || !grow_tables(p))
        return WEFT_OOM_FAIL(err, "the schedule");
    l->items[l->n++] = *m;
    p->device_of[weft_graph_value(p->g, m->to)->node] = m->device;
    return WEFT_OK;
}

static weft_status legalise_inputs(weft_program *p, uint32_t id, made_list *l, weft_error *err)
{
    const weft_node *n = weft_graph_node_by_id(p->g, id);
    for (uint32_t i = 0; i < n->n_in; i++) {
        weft_op op = missing_op(p, n, i);
        if (op == WEFT_OP_input) continue;
        if (op == WEFT_OP_copy && traits(n) & WEFT_TRAIT_VIEW && maker(p, n->in[i])->op == WEFT_OP_copy) {
            char name[80]; /* nor does a copy of the copy help */
            return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                             "%s joins an axis with an extent behind it: below the extent's bound its elements would "
                             "have gaps between them", weft__node_text(n, name, sizeof name));
        }
        bool before = n->op == WEFT_OP_transfer; /* what a transfer takes is put in order where it comes from */
        made m = { .from = n->in[i], .op = op,
                   .device = p->device_of[before ? behind_views(p, n->in[i])->id : id] };
        weft_ref known = m.to = find_made(l, &m);
        WEFT_TRY(weft__rewrite_insert(p->g, op, id, i, &m.to, err));
        if (!known.id) WEFT_TRY(remember(p, l, &m, err));
    }
    return WEFT_OK;
}

/* What can be read from outside is dense and no weight. */
static weft_status legalise_outputs(weft_program *p, made_list *l, weft_error *err)
{
    uint32_t n_outputs;
    weft_graph_outputs(p->g, &n_outputs);
    for (uint32_t i = 0; i < n_outputs; i++) {
        weft_ref r = weft_graph_outputs(p->g, &n_outputs)[i].ref;
        const weft_node *from = behind_views(p, r);
        if (!everywhere(from) && readable(p, r, WEFT_NEED_DENSE)) continue;
        made m = { .from = r, .op = WEFT_OP_copy, .device = p->device_of[from->id] };
        weft_ref known = m.to = find_made(l, &m);
        WEFT_TRY(weft__rewrite_output(p->g, m.op, i, &m.to, err));
        if (!known.id) WEFT_TRY(remember(p, l, &m, err));
    }
    return WEFT_OK;
}

static weft_status legalise(weft_program *p, bool *changed, weft_error *err)
{
    made_list l = { 0 };
    weft_status s = WEFT_OK;
    uint32_t n_nodes = weft_graph_node_count(p->g);
    uint32_t *ids = malloc((n_nodes ? n_nodes : 1) * sizeof *ids); /* the graph's order changes as nodes come in */
    if (!ids) return WEFT_OOM_FAIL(err, "the schedule");
    for (uint32_t i = 0; i < n_nodes; i++) ids[i] = weft_graph_node(p->g, i)->id;
    for (uint32_t i = 0; i < n_nodes && !s; i++) s = legalise_inputs(p, ids[i], &l, err);
    if (!s) s = legalise_outputs(p, &l, err);
    *changed = l.n > 0;
    free(l.items);
    free(ids);
    return s ? s : *changed ? weft__rewrite_finish(p->g, err) : WEFT_OK;
}

/* ---- plan ---- */

static weft_status find_residents(weft_program *p, weft_error *err)
{
    p->resident = calloc((size_t)p->n_devices * p->value_limit, sizeof *p->resident);
    if (!p->resident) return WEFT_OOM_FAIL(err, "the schedule");
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        if (traits(n) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        uint32_t d = p->device_of[n->id];
        for (uint32_t j = 0; j < n->n_in; j++) {
            const weft_node *from = behind_views(p, n->in[j]);
            if (from->op != WEFT_OP_weight && from->op != WEFT_OP_state && from->op != WEFT_OP_constant) continue;
            p->resident[weft__at(p, d, from->out[0].id)] = true;
        }
    }
    return WEFT_OK;
}

static weft_status make_plan(weft_program *p, weft_error *err)
{
    weft_plan_node *nodes = calloc(p->node_limit, sizeof *nodes);
    if (!nodes) return WEFT_OOM_FAIL(err, "the schedule");
    uint32_t alignment = 1;
    for (uint32_t d = 0; d < p->n_devices; d++) {
        uint32_t a = p->devices[d]->vt->alignment(p->devices[d]);
        if (a > alignment) alignment = a;
    }
    for (uint32_t id = 1; id < p->node_limit; id++)
        nodes[id] = (weft_plan_node){ p->device_of[id], p->choices[id].scratch_bytes, p->choices[id].inplace };
    weft_status s = weft_plan_create(p->g, &(weft_plan_desc){ .bounds = p->bounds, .nodes = nodes, .keep = p->keep,
                                                              .n_devices = p->n_devices, .alignment = alignment },
                                     &p->plan, err);
    free(nodes);
    return s;
}

/* Which steps share a launch with the one before them, and how many launches that leaves. */
static void join_steps(weft_program *p)
{
    const weft_kernel_choice *launch[MAX_JOINED];
    uint32_t n = 0, device = UINT32_MAX;
    for (uint32_t i = 0; i < p->plan->n_steps; i++) {
        weft_step *s = &p->plan->steps[i];
        const weft_kernel_choice *c = &p->choices[s->node];
        const weft_backend *b = p->devices[s->device];
        if (!c->kernel) continue; /* a transfer */
        bool near = n && n < MAX_JOINED && s->device == device && !s->barrier;
        s->joined = near && b->vt->joins && b->vt->joins(b, launch, n, c);
        if (!s->joined) {
            n = 0;
            p->plan->n_launches += c->launches ? c->launches : 1;
        }
        launch[n++] = c;
        device = s->device;
    }
}

static weft_status make_segments(weft_program *p, weft_error *err)
{
    const weft_plan *plan = p->plan;
    size_t cap = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const weft_step *step = &plan->steps[i];
        bool transfer = weft_graph_node_by_id(p->g, step->node)->op == WEFT_OP_transfer;
        weft__segment *last = p->n_segments ? &p->segments[p->n_segments - 1] : NULL;
        if (last && !transfer && !last->transfer && last->device == step->device) {
            last->n++;
            continue;
        }
        if (!weft__grow(&p->segments, &cap, p->n_segments + 1, sizeof *p->segments))
            return WEFT_OOM_FAIL(err, "the schedule");
        p->segments[p->n_segments++] = (weft__segment){ i, 1, step->device, transfer };
    }
    return WEFT_OK;
}

weft_status weft__schedule(weft_program *p, weft_error *err)
{
    if (!grow_tables(p)) return WEFT_OOM_FAIL(err, "the schedule");
    bool changed = true;
    for (uint32_t round = 0; changed; round++) {
        if (round == MAX_ROUNDS)
            return WEFT_FAIL(err, WEFT_INTERNAL, "the schedule still needs copies after %u rounds", round);
        WEFT_TRY(place_trusted(p, err));
        WEFT_TRY(legalise(p, &changed, err));
    }
    WEFT_TRY(find_residents(p, err));
    WEFT_TRY(make_plan(p, err));
    join_steps(p);
    return make_segments(p, err);
}
