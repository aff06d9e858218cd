/* graph.c: the graph's storage: nodes and values by id, their order, extents, outputs, the table of names, and the
 * first error of the builders.
 *
 * Every node comes into being in weft__graph_make, which checks it first and changes nothing when it fails. */
#include "graph/attr.h"
#include "graph/graph_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static weft_status copy_desc(weft_graph *g, const weft_graph_desc *desc, weft_error *err)
{
    g->desc = *desc;
    g->desc.bounds = NULL;
    if (!desc->n_bounds) return WEFT_OK;
    weft_bound *bounds = weft__arena_alloc(&g->arena, desc->n_bounds, sizeof *bounds);
    if (!bounds) return WEFT_OOM_FAIL(err, "a graph");
    for (uint32_t i = 0; i < desc->n_bounds; i++) {
        bounds[i].bound = desc->bounds[i].bound;
        bounds[i].extent = weft__arena_strdup(&g->arena, desc->bounds[i].extent);
        if (!bounds[i].extent) return WEFT_OOM_FAIL(err, "a graph");
    }
    g->desc.bounds = bounds;
    return WEFT_OK;
}

weft_status weft_graph_create(const weft_graph_desc *desc, weft_graph **out, weft_error *err)
{
    *out = NULL;
    weft_graph *g = calloc(1, sizeof *g);
    if (!g) return WEFT_OOM_FAIL(err, "a graph");
    g->node_limit = g->value_limit = 1;
    weft_status s = desc ? copy_desc(g, desc, err) : WEFT_OK;
    if (s != WEFT_OK) {
        weft_graph_destroy(g);
        return s;
    }
    *out = g;
    return WEFT_OK;
}

void weft_graph_destroy(weft_graph *g)
{
    if (!g) return;
    free(g->nodes);
    free(g->values);
    free(g->order);
    free(g->outputs);
    free(g->output_names);
    free(g->names);
    free(g->calls);
    weft__arena_free(&g->arena);
    free(g);
}

/* ---- names of sources ---- */

static uint32_t name_hash(weft_op op, const char *name)
{
    uint32_t h = 0x811c9dc5u ^ (uint32_t)op;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) h = (h ^ *p) * 0x01000193u;
    return h;
}

/* A removed node leaves its slot occupied by an id without a node; the next growth drops it. */
weft_node *weft__graph_source(const weft_graph *g, weft_op op, const char *name)
{
    if (!g->name_cap) return NULL;
    for (uint32_t i = name_hash(op, name);; i++) {
        uint32_t id = g->names[i & (g->name_cap - 1)];
        if (!id) return NULL;
        weft_node *n = g->nodes[id];
        if (n && n->op == op && !strcmp(n->name, name)) return n;
    }
}

static void put_name(uint32_t *table, uint32_t cap, const weft_node *n)
{
    uint32_t i = name_hash(n->op, n->name);
    while (table[i & (cap - 1)]) i++;
    table[i & (cap - 1)] = n->id;
}

/* Room for one more name with at most half of the slots taken. */
static bool reserve_name(weft_graph *g)
{
    if (2 * (g->n_names + 1) <= g->name_cap) return true;
    uint32_t cap = g->name_cap ? 2 * g->name_cap : 64;
    uint32_t *table = calloc(cap, sizeof *table);
    if (!table) return false;
    g->n_names = 0;
    for (uint32_t i = 0; i < g->name_cap; i++) {
        const weft_node *n = g->nodes[g->names[i]];
        if (!n) continue;
        put_name(table, cap, n);
        g->n_names++;
    }
    free(g->names);
    g->names = table;
    g->name_cap = cap;
    return true;
}

/* ---- names of outputs ---- */

/* The slot of an output by name, or the free one that it would have. */
static uint32_t *output_slot(const weft_graph *g, const char *name)
{
    for (uint32_t i = name_hash(WEFT_OP_COUNT, name);; i++) {
        uint32_t *slot = &g->output_names[i & (g->output_name_cap - 1)];
        if (!*slot || !strcmp(g->outputs[*slot - 1].name, name)) return slot;
    }
}

const weft_named *weft__graph_output(const weft_graph *g, const char *name)
{
    uint32_t at = g->output_name_cap ? *output_slot(g, name) : 0;
    return at ? &g->outputs[at - 1] : NULL;
}

void weft__graph_index_outputs(weft_graph *g)
{
    memset(g->output_names, 0, g->output_name_cap * sizeof *g->output_names);
    for (uint32_t i = 0; i < g->n_outputs; i++) *output_slot(g, g->outputs[i].name) = i + 1;
}

/* Room for one more output, with at most half of the slots of the table taken. */
static bool reserve_output(weft_graph *g)
{
    uint32_t cap = g->output_name_cap ? 2 * g->output_name_cap : 16;
    if (!weft__grow(&g->outputs, &g->output_cap, (size_t)g->n_outputs + 1, sizeof *g->outputs)) return false;
    if (2 * (g->n_outputs + 1) <= g->output_name_cap) return true;
    uint32_t *table = calloc(cap, sizeof *table);
    if (!table) return false;
    free(g->output_names);
    g->output_names = table;
    g->output_name_cap = cap;
    weft__graph_index_outputs(g);
    return true;
}

weft_ref weft_graph_find(const weft_graph *g, const char *name)
{
    const weft_node *input = weft__graph_source(g, WEFT_OP_input, name);
    if (input) return input->out[0];
    const weft_named *output = weft__graph_output(g, name);
    return output ? output->ref : (weft_ref){ 0 };
}

/* ---- making nodes ---- */

static weft_status check_name(const char *what, const char *name, weft_error *err)
{
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 127)
            return WEFT_FAIL(err, WEFT_INVALID, "%s: a control character in the name", what);
        if (p - name >= WEFT__MAX_NAME)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s '%.40s...': the name is too long", what, name);
    }
    return WEFT_OK;
}

static weft_status check_source(const weft_graph *g, const weft__node_desc *d, weft_error *err)
{
    bool constant = d->op == WEFT_OP_constant;
    char text[160], what[WEFT__MAX_NAME + 40];
    const char *op = weft_op_get(d->op)->name, *name = d->name ? d->name : "";
    if (!constant && !*name) return WEFT_FAIL(err, WEFT_INVALID, "%s: the name is empty", op);
    if (constant && !d->data) return WEFT_FAIL(err, WEFT_INVALID, "constant: no data");
    WEFT_TRY(check_name(op, name, err));
    snprintf(what, sizeof what, constant ? "%s" : "%s '%s'", op, name);
    if (!constant && weft__graph_source(g, d->op, name))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: the name is taken", what);
    if (!weft__source_takes(d->op, d->dtype))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: type %s is for weights%s only", what, weft_dtype_get(d->dtype)->name,
                         weft_dtype_get(d->dtype)->encodes ? " and states" : "");
    weft_status s = weft__value_check(g, d->dtype, d->dims, err);
    if (s != WEFT_OK) return weft__annotate(err, s, "%s", what);
    for (uint32_t i = 0; i < d->dims->rank; i++)
        if (d->dims->d[i].extent && (constant || d->op == WEFT_OP_weight))
            return WEFT_FAIL(err, WEFT_SHAPE, "%s: %s must be plain numbers", what,
                             weft__dims_text(g, d->dims, text, sizeof text));
    return WEFT_OK;
}

static weft_status check_ids(const weft_graph *g, const weft__node_desc *d, weft_error *err)
{
    if (d->node_id && d->node_id < g->node_limit && g->nodes[d->node_id])
        return WEFT_FAIL(err, WEFT_INVALID, "node id %u is used twice", d->node_id);
    for (uint32_t i = 0; i < weft_op_get(d->op)->n_out; i++) {
        uint32_t id = d->value_id[i];
        if ((id && id < g->value_limit && g->values[id].node) || (i && id && id == d->value_id[i - 1]))
            return WEFT_FAIL(err, WEFT_INVALID, "value id %u is used twice", id);
    }
    return WEFT_OK;
}

/* Everything a node owns, in the arena; not yet part of the graph. NULL = OOM. */
static weft_node *alloc_node(weft_graph *g, const weft__node_desc *d, uint64_t data_bytes)
{
    weft_node *n = weft__arena_alloc(&g->arena, 1, sizeof *n);
    weft_ref *in = weft__arena_alloc(&g->arena, d->n_in, sizeof *in);
    if (!n || !in) return NULL;
    if (d->n_in) memcpy(in, d->in, d->n_in * sizeof *in);
    n->op = d->op;
    n->in = in;
    n->n_in = d->n_in;
    n->n_out = weft_op_get(d->op)->n_out;
    weft__attrs_copy(d->op, &n->attrs, d->attrs);
    /* Most nodes share the scope of the node before. */
    const char *scope = d->scope ? d->scope : "";
    const weft_node *last = g->n_order ? g->nodes[g->order[g->n_order - 1]] : NULL;
    n->scope = last && !strcmp(last->scope, scope) ? last->scope : weft__arena_strdup(&g->arena, scope);
    if (d->name) n->name = weft__arena_strdup(&g->arena, d->name);
    if (!n->scope || (d->name && !n->name)) return NULL;
    if (d->op == WEFT_OP_constant) {
        void *data = weft__arena_alloc(&g->arena, (size_t)data_bytes, 1);
        if (!data) return NULL;
        memcpy(data, d->data, (size_t)data_bytes);
        n->data = data;
    }
    return n;
}

/* Grows an array of ids' things so that `id` exists; what is new is zero. */
static bool grow_to(void *array, size_t *cap, uint32_t id, size_t size)
{
    size_t old = *cap;
    if (!weft__grow(array, cap, (size_t)id + 1, size)) return false;
    char *p;
    memcpy(&p, array, sizeof p);
    if (*cap > old) memset(p + old * size, 0, (*cap - old) * size);
    return true;
}

static uint64_t bytes_of(const weft_graph *g, weft_dtype t, const weft_dims *d)
{
    int64_t dims[WEFT_MAX_RANK], n = 1;
    weft_dims_resolve(g, d, NULL, dims);
    for (uint32_t i = 0; i < d->rank; i++) n *= dims[i];
    uint64_t bytes;
    return weft_dtype_row_bytes(t, n, &bytes) ? bytes : 0;
}

/* Gives the checked node its ids and puts it and its values (described by `r`) in. NULL = OOM. */
static weft_node *place(weft_graph *g, const weft__node_desc *d, const weft__shape_result *r)
{
    uint32_t id = d->node_id ? d->node_id : g->node_limit, values[WEFT_MAX_OUTPUTS];
    uint32_t n_out = weft_op_get(d->op)->n_out, next = g->value_limit;
    for (uint32_t i = 0; i < n_out; i++) {
        values[i] = d->value_id[i] ? d->value_id[i] : next;
        if (values[i] >= next) next = values[i] + 1;
    }
    weft_node *n = alloc_node(g, d, bytes_of(g, r->dtype[0], &r->dims[0]));
    if (!n || !grow_to(&g->nodes, &g->node_cap, id, sizeof *g->nodes) ||
        !grow_to(&g->values, &g->value_cap, next - 1, sizeof *g->values) ||
        !weft__grow(&g->order, &g->order_cap, (size_t)g->n_order + 1, sizeof *g->order) ||
        (d->name && !reserve_name(g)))
        return NULL;
    n->id = id;
    g->nodes[id] = n;
    if (id >= g->node_limit) g->node_limit = id + 1;
    for (uint32_t i = 0; i < n_out; i++) {
        g->values[values[i]] = (weft_value){ r->dtype[i], r->dims[i], id, i };
        n->out[i].id = values[i];
    }
    g->value_limit = next;
    g->order[g->n_order++] = id;
    if (n->name) {
        put_name(g->names, g->name_cap, n);
        g->n_names++;
    }
    return n;
}

static weft_status check_node(const weft_graph *g, const weft__node_desc *d, weft__shape_result *r, weft_error *err)
{
    if ((unsigned)d->op >= WEFT_OP_COUNT) return WEFT_FAIL(err, WEFT_INVALID, "no such op");
    WEFT_TRY(check_ids(g, d, err));
    weft_attrs attrs;
    weft__attrs_copy(d->op, &attrs, d->attrs);
    WEFT_TRY(weft__shape(g, d->op, &attrs, d->in, d->n_in, r, err));
    if (weft_op_get(d->op)->traits & WEFT_TRAIT_SOURCE) {
        WEFT_TRY(check_source(g, d, err));
        r->dtype[0] = d->dtype;
        r->dims[0] = *d->dims;
    }
    return WEFT_OK;
}

weft_node *weft__graph_make(weft_graph *g, const weft__node_desc *d, weft_error *err)
{
    weft__shape_result r = { 0 };
    weft_status s = check_node(g, d, &r, err);
    weft_node *n = s == WEFT_OK ? place(g, d, &r) : NULL;
    if (s == WEFT_OK && !n)
        WEFT_OOM_FAIL(err, "a graph's node");
    else if (s != WEFT_OK && d->scope && *d->scope)
        weft__annotate(err, s, "%s", d->scope);
    return n;
}

weft_node *weft__graph_add(weft_graph *g, weft_op op, const weft_attrs *attrs, const weft_ref *in, uint32_t n_in,
                           const char *scope, const char *name, weft_error *err)
{
    weft__node_desc d = { .op = op, .attrs = attrs, .in = in, .n_in = n_in, .scope = scope };
    d.name = name;
    return weft__graph_make(g, &d, err);
}

weft_node *weft__graph_add_source(weft_graph *g, weft_op op, weft_dtype t, const weft_dims *dims, const char *scope,
                                  const char *name, const void *data, weft_error *err)
{
    weft__node_desc d = { .op = op, .dtype = t, .dims = dims, .scope = scope, .name = name };
    d.data = data;
    return weft__graph_make(g, &d, err);
}

/* ---- extents, outputs, weights' types ---- */

static bool is_word(const char *s)
{
    if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_')) return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_'))
            return false;
    return true;
}

weft_status weft__graph_add_extent(weft_graph *g, const char *name, uint32_t bound, uint32_t *extent, weft_error *err)
{
    bool replaced = false;
    for (uint32_t i = 0; i < g->desc.n_bounds; i++) {
        if (strcmp(g->desc.bounds[i].extent, name)) continue;
        bound = g->desc.bounds[i].bound;
        replaced = true;
    }
    *extent = 0;
    if (!bound) return WEFT_FAIL(err, WEFT_INVALID, "extent '%s': the bound is 0", name);
    for (uint32_t i = 0; i < g->n_extents; i++) {
        if (strcmp(g->extents[i].name, name)) continue;
        if (!replaced && g->extents[i].bound != bound)
            return WEFT_FAIL(err, WEFT_INVALID, "extent '%s': bound %u, but %u before", name, bound,
                             g->extents[i].bound);
        *extent = i + 1;
        return WEFT_OK;
    }
    if (!is_word(name)) return WEFT_FAIL(err, WEFT_INVALID, "extent '%s': not a name of letters, digits and _", name);
    if (g->n_extents == WEFT_MAX_EXTENTS)
        return WEFT_FAIL(err, WEFT_LIMIT, "extent '%s': more than %u extents", name, WEFT_MAX_EXTENTS);
    char *copy = weft__arena_strdup(&g->arena, name);
    if (!copy) return WEFT_OOM_FAIL(err, "an extent");
    g->extents[g->n_extents++] = (weft__extent_def){ copy, bound };
    *extent = g->n_extents;
    return WEFT_OK;
}

weft_status weft__graph_add_output(weft_graph *g, weft_ref r, const char *name, weft_error *err)
{
    const weft_value *v = weft_graph_value(g, r);
    if (!*name) return WEFT_FAIL(err, WEFT_INVALID, "output: the name is empty");
    if (!v) return WEFT_FAIL(err, WEFT_INVALID, "output '%s': no value of this graph", name);
    if (weft__is_block_weight(g, r))
        return WEFT_FAIL(err, WEFT_SHAPE, "output '%s': a weight of a block type", name);
    WEFT_TRY(check_name("output", name, err));
    if (weft_graph_find(g, name).id) return WEFT_FAIL(err, WEFT_INVALID, "output '%s': the name is taken", name);
    char *copy = weft__arena_strdup(&g->arena, name);
    if (!copy || !reserve_output(g)) return WEFT_OOM_FAIL(err, "an output");
    *output_slot(g, copy) = g->n_outputs + 1;
    g->outputs[g->n_outputs++] = (weft_named){ copy, r };
    return WEFT_OK;
}

weft_status weft__graph_weight_dtype(weft_graph *g, const char *name, weft_dtype *t, weft_error *err)
{
    if (*t != WEFT_ANY) return WEFT_OK;
    const weft_weight_type *types = g->desc.weight_types;
    uint32_t count = g->desc.n_weight_types;
    if (!types) *t = WEFT_F32;
    for (uint32_t i = 0; i < count && *t == WEFT_ANY; i++) {
        const weft_weight_type *w = &types[(g->next_weight_type + i) % count];
        if (strcmp(w->name, name)) continue;
        g->next_weight_type = (g->next_weight_type + i + 1) % count;
        *t = w->type;
    }
    if (*t == WEFT_ANY || !weft_dtype_get(*t)->bytes)
        return WEFT_FAIL(err, WEFT_NOT_FOUND,
                         "weight '%s': its type is not said, and the graph's description does not name it", name);
    return WEFT_OK;
}

/* ---- sticky errors ---- */

/* Puts the open scope before the kept error; of a long one its end, which says most, so that the fault is seen, too. */
static void say_scope(weft_graph *g)
{
    enum { MOST = 200 };
    size_t n = strlen(g->scope);
    bool cut = n > MOST;
    if (g->scope_depth)
        weft__annotate(&g->error, g->error.status, "%s%s", cut ? "..." : "", g->scope + (cut ? n - MOST : 0));
}

weft_ref weft__graph_sticky(weft_graph *g, weft_status status, const char *file, int line, const char *fmt, ...)
{
    if (!g || g->error.status != WEFT_OK) return (weft_ref){ 0 };
    va_list args;
    va_start(args, fmt);
    weft__fail_v(&g->error, status, file, line, fmt, args);
    va_end(args);
    say_scope(g);
    return (weft_ref){ 0 };
}

void weft_graph_fail(weft_graph *g, weft_status status, const char *fmt, ...)
{
    if (!g || g->error.status != WEFT_OK) return;
    va_list args;
    va_start(args, fmt);
    weft__fail_v(&g->error, status == WEFT_OK ? WEFT_INVALID : status, __FILE__, __LINE__, fmt, args);
    va_end(args);
    say_scope(g);
}

weft_status weft__graph_broken(const weft_graph *g, weft_error *err)
{
    if (g->error.status != WEFT_OK && err) *err = g->error;
    return g->error.status;
}
