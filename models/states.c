/* states.c: which part of each state is a sequence's own, found in the graph; copies and walks through it. */
#include "models/session_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- how states are divided ---- */

static const weft__group *group_of(const weft_session *s, uint32_t extent)
{
    for (uint32_t i = 0; extent && i < s->n_groups; i++)
        if (s->groups[i].extent == extent) return &s->groups[i];
    return NULL;
}

static bool is_sequences(const weft_graph *g, uint32_t extent)
{
    return extent && !strcmp(weft_graph_extent(g, extent, NULL), "sequences");
}

/* The axis of a state that runs along a group's cells, else (*group NULL) along the sequences; the rank: none does. */
static uint32_t axis_of(const weft_session *s, const weft_graph *g, const weft_dims *dims, const weft__group **group)
{
    uint32_t i = 0;
    for (*group = NULL; i < dims->rank; i++)
        if ((*group = group_of(s, dims->d[i].extent))) return i;
    for (i = 0; i < dims->rank && !is_sequences(g, dims->d[i].extent); i++);
    return i;
}

static weft_status divide(const weft_session *s, const weft_graph *g, const weft_node *n, weft__division *d,
                          weft_error *err)
{
    const weft_dims *dims = &weft_graph_value(g, n->out[0])->dims;
    weft_state_info info;
    *d = (weft__division){ .state = weft_states_find(s->states, n->name), .outer = 1 };
    uint32_t axis = axis_of(s, g, dims, &d->group);
    if (axis == dims->rank || !weft_states_get(s->states, d->state, &info))
        return WEFT_FAIL(err, WEFT_INVALID, "state '%s' belongs to no sequence: none of its dims is the cells or the "
                         "sequences of a session", n->name);
    for (uint32_t i = 0; i < axis; i++) d->outer *= (uint64_t)info.dims[i];
    d->along = (uint64_t)info.dims[axis];
    d->inner = info.bytes / (d->outer * d->along);
    return WEFT_OK;
}

weft_status weft__divide_states(weft_session *s, weft_error *err)
{
    const weft_graph *g = weft_program_graph(s->runners[0].p);
    uint32_t count = weft_graph_node_count(g);
    uint64_t most = 1;
    s->divisions = calloc(count + 1, sizeof *s->divisions);
    if (!s->divisions) return WEFT_OOM_FAIL(err, "a session");
    for (uint32_t i = 0; i < count; i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op != WEFT_OP_state) continue;
        weft__division *d = &s->divisions[s->n_divisions++];
        WEFT_TRY(divide(s, g, n, d, err));
        s->recurrent = s->recurrent || !d->group;
        if (d->outer > most) most = d->outer;
    }
    s->spans = calloc(most, sizeof *s->spans);
    return s->spans ? WEFT_OK : WEFT_OOM_FAIL(err, "a session");
}

/* ---- copies ---- */

/* `n` of what lies along the state, from one place to another, in every outer row. */
static weft_status copy_along(weft_session *s, const weft__division *d, uint64_t from, uint64_t to, uint64_t n,
                              weft_error *err)
{
    for (uint64_t o = 0; o < d->outer; o++)
        s->spans[o] = (weft_state_span){ (o * d->along + from) * d->inner, (o * d->along + to) * d->inner,
                                         n * d->inner };
    return weft_states_copy(s->states, d->state, s->spans, (uint32_t)d->outer, err);
}

weft_status weft__copy_cells(weft_session *s, const weft__group *g, const weft__page_copy *copy, weft_error *err)
{
    uint64_t page = s->desc.page;
    for (uint32_t i = 0; i < s->n_divisions; i++)
        if (s->divisions[i].group == g)
            WEFT_TRY(copy_along(s, &s->divisions[i], (uint64_t)copy->from * page, (uint64_t)copy->to * page, copy->n,
                                err));
    return WEFT_OK;
}

weft_status weft__copy_rows(weft_session *s, uint32_t from, uint32_t to, weft_error *err)
{
    for (uint32_t i = 0; i < s->n_divisions; i++)
        if (!s->divisions[i].group) WEFT_TRY(copy_along(s, &s->divisions[i], from, to, 1, err));
    return WEFT_OK;
}

/* ---- parts ---- */

/* Outer rows first, then pages: the bytes come as a dense [outer, tokens, inner] would have them. */
static weft_status each_cell(weft_session *s, uint32_t sequence, const weft__division *d, uint32_t from,
                             weft__part_fn *visit, void *ctx, weft_error *err)
{
    uint32_t end = s->sequences[sequence].length, page = s->desc.page, n;
    for (uint64_t o = 0; o < d->outer; o++)
        for (uint32_t at = from; at < end; at += n) {
            uint64_t cell = (uint64_t)weft__pages_cell(&d->group->pages, sequence, at);
            n = page - at % page < end - at ? page - at % page : end - at;
            WEFT_TRY(visit(ctx, d, (o * d->along + cell) * d->inner, n * d->inner, err));
        }
    return WEFT_OK;
}

weft_status weft__each_part(weft_session *s, uint32_t sequence, bool needed, weft__part_fn *visit, void *ctx,
                            weft_error *err)
{
    const weft__sequence *q = &s->sequences[sequence];
    for (uint32_t i = 0; i < s->n_divisions; i++) {
        const weft__division *d = &s->divisions[i];
        for (uint64_t o = 0; !d->group && o < d->outer; o++)
            WEFT_TRY(visit(ctx, d, (o * d->along + sequence) * d->inner, d->inner, err));
        if (!d->group) continue;
        uint32_t from = needed ? weft__first_seen(d->group, q->discarded, q->length)
                               : d->group->pages.lists[sequence].begin;
        WEFT_TRY(each_cell(s, sequence, d, from, visit, ctx, err));
    }
    return WEFT_OK;
}
