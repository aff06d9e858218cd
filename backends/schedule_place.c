/* schedule_place.c: a device and a kernel for every node, from the layouts of weights and the devices' answers. */
#include "backends/names.h"
#include "backends/schedule_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* How a node uses its input number i, if that is a weight. */
static uint32_t use_of(const weft_node *n, uint32_t i)
{
    switch ((int)n->op) {
    case WEFT_OP_linear:
        return i == 1 || (i == 2 && n->attrs.linear.gated) ? WEFT_USE_MULTIPLIED : WEFT_USE_ELEMENTS;
    case WEFT_OP_matmul_nt: return i == 1 ? WEFT_USE_MULTIPLIED : WEFT_USE_ELEMENTS;
    case WEFT_OP_linear_select: return i == 1 ? WEFT_USE_SELECTED : WEFT_USE_ELEMENTS;
    case WEFT_OP_gather: return i == 0 ? WEFT_USE_GATHERED : WEFT_USE_ELEMENTS;
    default: return WEFT_USE_ELEMENTS;
    }
}

static void choose_layout(weft__schedule *sch, weft_ref weight, uint32_t uses)
{
    const weft_value *v = weft_graph_value(sch->g, weight);
    int64_t dims[WEFT_MAX_RANK];
    weft_dims_resolve(sch->g, &v->dims, sch->bounds, dims);
    for (uint32_t d = 0; d < sch->n_devices; d++)
        sch->layouts[weft__at(sch, d, weight.id)] =
            sch->devices[d]->vt->weight_layout(sch->devices[d], v->dtype, v->dims.rank, dims, uses);
}

/* Every weight's layout on every device, from all its uses. */
weft_status weft__choose_layouts(weft__schedule *sch, weft_error *err)
{
    sch->value_limit = weft_graph_value_limit(sch->g);
    uint32_t n_nodes = weft_graph_node_count(sch->g);
    free(sch->layouts);
    sch->layouts = calloc((size_t)sch->n_devices * sch->value_limit, sizeof *sch->layouts);
    uint32_t *uses = calloc(sch->value_limit, sizeof *uses);
    if (!sch->layouts || !uses) {
        free(uses);
        return WEFT_OOM_FAIL(err, "the schedule");
    }
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(sch->g, i);
        for (uint32_t j = 0; j < n->n_in; j++) uses[n->in[j].id] |= use_of(n, j);
    }
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(sch->g, i);
        if (n->op == WEFT_OP_weight) choose_layout(sch, n->out[0], uses[n->out[0].id]);
    }
    free(uses);
    return WEFT_OK;
}

weft_place_reason weft__try_device(const weft__schedule *sch, const weft_node *n, uint32_t d,
                                   weft_kernel_choice *choice)
{
    const weft_backend *b = sch->devices[d];
    weft_layout layouts[WEFT_MAX_INPUTS];
    for (uint32_t i = 0; i < n->n_in; i++) { /* what has come in since layouts were chosen is no weight */
        const uint32_t id = n->in[i].id;
        layouts[i] = id < sch->value_limit ? sch->layouts[weft__at(sch, d, id)] : WEFT_LAYOUT_PLAIN;
    }
    weft_kernel_query q = { sch->g, n, sch->bounds, layouts, sch->exact, sch->deterministic };
    return b->vt->choose(b, &q, choice);
}

static weft_status place_node(weft__schedule *sch, const weft_node *n, weft_error *err)
{
    char name[256], type[64];
    weft_place_reason refused = WEFT_PLACE_REQUESTED;
    uint32_t first = sch->first_device ? sch->first_device[n->id] : 0;
    if (first) refused = sch->by_memory ? WEFT_PLACE_MEMORY : WEFT_PLACE_SPLIT;
    for (uint32_t d = first; d < sch->n_devices; d++) {
        weft_place_reason why = weft__try_device(sch, n, d, &sch->choices[n->id]);
        if (why == WEFT_PLACE_REQUESTED && sch->strict && sch->choices[n->id].instead_of)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: kernel %s is disabled, and strict forbids another",
                             weft__node_text(n, name, sizeof name), sch->choices[n->id].instead_of);
        if (why == WEFT_PLACE_REQUESTED) {
            sch->device_of[n->id] = d;
            sch->reasons[n->id] = refused;
            return WEFT_OK;
        }
        if (d == first) refused = why;
        if (sch->strict) break;
    }
    weft_device_info info;
    weft_backend_info(sch->devices[first], &info);
    snprintf(type, sizeof type, "%s", weft_dtype_get(weft_graph_value(sch->g, n->out[0])->dtype)->name);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s (%s): %s cannot run it: %s (%s)%s",
                     weft__node_text(n, name, sizeof name), type, info.name, weft_place_sentence(refused),
                     weft_place_name(refused),
                     sch->strict && sch->n_devices > 1 ? ", and strict forbids another device" : "");
}

/* A copy is where legalising wanted it: on another device it would need a transfer, and that a copy again. */
static weft_status place_copy(weft__schedule *sch, const weft_node *n, weft_error *err)
{
    char name[256];
    uint32_t d = sch->device_of[n->id];
    sch->reasons[n->id] = WEFT_PLACE_FOLLOWS;
    if (weft__try_device(sch, n, d, &sch->choices[n->id]) == WEFT_PLACE_REQUESTED) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: device %u (%s) cannot copy it",
                     weft__node_text(n, name, sizeof name), d, sch->devices[d]->vt->name);
}

/* A state is where it is stored to, whoever reads what was there before. */
static void place_states(weft__schedule *sch)
{
    for (uint32_t i = weft_graph_node_count(sch->g); i-- > 0;) {
        const weft_node *n = weft_graph_node(sch->g, i), *state = n;
        if (!(weft__traits(n) & WEFT_TRAIT_STATE)) continue;
        while (weft__traits(state) & WEFT_TRAIT_STATE) state = weft__maker(sch->g, state->in[0]);
        sch->device_of[state->id] = sch->device_of[n->id];
    }
}

/* Sources and views go where their first reader is; inputs nobody reads stay on the first device. */
static void place_followers(weft__schedule *sch)
{
    for (uint32_t i = weft_graph_node_count(sch->g); i-- > 0;) {
        const weft_node *n = weft_graph_node(sch->g, i);
        uint32_t d = sch->device_of[n->id];
        for (uint32_t j = 0; j < n->n_in; j++) {
            const weft_node *from = weft__maker(sch->g, n->in[j]);
            if (!(weft__traits(from) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW))) continue;
            sch->device_of[from->id] = d; /* an earlier reader overwrites this */
            sch->reasons[from->id] = WEFT_PLACE_FOLLOWS;
        }
    }
    place_states(sch);
    for (uint32_t i = 0; i < weft_graph_node_count(sch->g); i++) { /* a view is where its data is */
        const weft_node *n = weft_graph_node(sch->g, i);
        if (!(weft__traits(n) & WEFT_TRAIT_VIEW)) continue;
        sch->device_of[n->id] = sch->device_of[weft__maker(sch->g, n->in[0])->id];
    }
}

weft_status weft__place(weft__schedule *sch, weft_error *err)
{
    WEFT_TRY(weft__choose_layouts(sch, err));
    uint32_t n_nodes = weft_graph_node_count(sch->g);
    for (uint32_t i = 0; i < n_nodes; i++) {
        const weft_node *n = weft_graph_node(sch->g, i);
        sch->choices[n->id] = (weft_kernel_choice){ 0 };
        /* transfers and copies: device_of was set when they were put in */
        if (n->op == WEFT_OP_transfer) sch->reasons[n->id] = WEFT_PLACE_FOLLOWS;
        else if (n->op == WEFT_OP_copy) WEFT_TRY(place_copy(sch, n, err));
        else if (weft__traits(n) & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) sch->device_of[n->id] = 0;
        else WEFT_TRY(place_node(sch, n, err));
    }
    place_followers(sch);
    return WEFT_OK;
}
