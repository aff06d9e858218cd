/* sequences.c: what a session keeps of a sequence: which part of each state is its own, and forgetting, forking and
 * sharing of them. */
#include "models/session_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- how states are divided ---- */

/* The axis of a state that runs along an extent; the rank: none does. */
static uint32_t axis_of(const weft_graph *g, const weft_dims *dims, const char *extent)
{
    uint32_t i = 0;
    while (i < dims->rank && !(dims->d[i].extent && !strcmp(weft_graph_extent(g, dims->d[i].extent, NULL), extent)))
        i++;
    return i;
}

static weft_status divide(const weft_session *s, const weft_graph *g, const weft_node *n, weft__division *d,
                          weft_error *err)
{
    const weft_dims *dims = &weft_graph_value(g, n->out[0])->dims;
    weft_state_info info;
    uint32_t axis = axis_of(g, dims, "pages");
    *d = (weft__division){ .state = weft_states_find(s->states, n->name), .outer = 1 };
    d->by_sequence = axis == dims->rank;
    if (d->by_sequence) axis = axis_of(g, dims, "sequences");
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
        s->recurrent = s->recurrent || d->by_sequence;
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

weft_status weft__copy_cells(weft_session *s, const weft__page_copy *copy, weft_error *err)
{
    uint64_t page = s->desc.page;
    for (uint32_t i = 0; i < s->n_divisions; i++)
        if (!s->divisions[i].by_sequence)
            WEFT_TRY(copy_along(s, &s->divisions[i], (uint64_t)copy->from * page, (uint64_t)copy->to * page, copy->n,
                                err));
    return WEFT_OK;
}

static weft_status copy_rows(weft_session *s, uint32_t from, uint32_t to, weft_error *err)
{
    for (uint32_t i = 0; i < s->n_divisions; i++)
        if (s->divisions[i].by_sequence) WEFT_TRY(copy_along(s, &s->divisions[i], from, to, 1, err));
    return WEFT_OK;
}

/* ---- parts ---- */

/* Outer rows first, then pages: the bytes come as a dense [outer, tokens, inner] would have them. */
static weft_status each_cell(weft_session *s, uint32_t sequence, const weft__division *d, weft__part_fn *visit,
                             void *ctx, weft_error *err)
{
    const weft__sequence *q = &s->pages.sequences[sequence];
    uint32_t page = s->desc.page;
    for (uint64_t o = 0; o < d->outer; o++)
        for (uint32_t at = q->discarded; at < q->length; at += page) {
            uint64_t cell = (uint64_t)weft__pages_cell(&s->pages, sequence, at);
            uint32_t n = q->length - at < page ? q->length - at : page;
            WEFT_TRY(visit(ctx, d, (o * d->along + cell) * d->inner, n * d->inner, err));
        }
    return WEFT_OK;
}

weft_status weft__each_part(weft_session *s, uint32_t sequence, weft__part_fn *visit, void *ctx, weft_error *err)
{
    for (uint32_t i = 0; i < s->n_divisions; i++) {
        const weft__division *d = &s->divisions[i];
        if (!d->by_sequence) WEFT_TRY(each_cell(s, sequence, d, visit, ctx, err));
        for (uint64_t o = 0; d->by_sequence && o < d->outer; o++)
            WEFT_TRY(visit(ctx, d, (o * d->along + sequence) * d->inner, d->inner, err));
    }
    return WEFT_OK;
}

/* ---- the calls ---- */

weft_status weft__check_sequence(const weft_session *s, uint32_t sequence, weft_error *err)
{
    WEFT_TRY(weft__check_idle(s, err));
    if (sequence < s->desc.n_sequences) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_INVALID, "sequence %u of %u", sequence, s->desc.n_sequences);
}

weft_status weft__check_empty(const weft_session *s, uint32_t sequence, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    uint32_t n = s->pages.sequences[sequence].length;
    return n ? WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens already", sequence, n) : WEFT_OK;
}

uint32_t weft_session_length(const weft_session *s, uint32_t sequence)
{
    return sequence < s->desc.n_sequences ? s->pages.sequences[sequence].length : 0;
}

const int32_t *weft_session_tokens(const weft_session *s, uint32_t sequence)
{
    return sequence < s->desc.n_sequences ? s->pages.sequences[sequence].tokens : NULL;
}

uint32_t weft_session_cells_free(const weft_session *s)
{
    return s->pages.n_free * s->desc.page;
}

weft_status weft_session_truncate(weft_session *s, uint32_t sequence, uint32_t n, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    const weft__sequence *q = &s->pages.sequences[sequence];
    if (n > q->length)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens, not %u", sequence, q->length, n);
    if (n && n < q->discarded)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u: the cells of its first %u tokens were given back: it cannot "
                         "end at %u", sequence, q->discarded, n);
    if (n && n < q->length && s->recurrent)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "sequence %u: the model keeps one state of all its tokens, which "
                         "cannot go back to %u of %u", sequence, n, q->length);
    weft__pages_truncate(&s->pages, sequence, n);
    return WEFT_OK;
}

weft_status weft_session_discard(weft_session *s, uint32_t sequence, uint32_t n, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    if (n > s->pages.sequences[sequence].length)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens, not %u", sequence,
                         s->pages.sequences[sequence].length, n);
    weft__pages_discard(&s->pages, sequence, n);
    return WEFT_OK;
}

weft_status weft_session_fork(weft_session *s, uint32_t from, uint32_t to, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, from, err));
    WEFT_TRY(weft__check_empty(s, to, err));
    if (s->pages.sequences[from].length) WEFT_TRY(copy_rows(s, from, to, err));
    weft__pages_share(&s->pages, from, to, s->pages.sequences[from].length);
    return WEFT_OK;
}

static uint32_t common(const weft__sequence *q, const int32_t *ids, size_t n)
{
    uint32_t i = 0;
    while (i < q->length && i < n && q->tokens[i] == ids[i]) i++;
    return i;
}

weft_status weft_session_share(weft_session *s, uint32_t sequence, const int32_t *ids, size_t n, uint32_t *shared,
                               weft_error *err)
{
    uint32_t best = 0, from = 0;
    *shared = 0;
    WEFT_TRY(weft__check_empty(s, sequence, err));
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) {
        const weft__sequence *q = &s->pages.sequences[i];
        uint32_t k = q->discarded ? 0 : common(q, ids, n);
        if (s->recurrent && k < q->length) continue; /* its state is of all its tokens */
        if (k > best) best = k, from = i;
    }
    if (!best) return WEFT_OK;
    WEFT_TRY(copy_rows(s, from, sequence, err));
    weft__pages_share(&s->pages, from, sequence, best);
    *shared = best;
    return WEFT_OK;
}
