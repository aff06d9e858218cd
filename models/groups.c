#include "models/adapter.h"
#include "models/session_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static bool has_states(const weft_graph *g, uint32_t extent)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op != WEFT_OP_state) continue;
        const weft_dims *d = &weft_graph_value(g, n->out[0])->dims;
        for (uint32_t k = 0; k < d->rank; k++)
            if (d->d[k].extent == extent) return true;
    }
    return false;
}

/* In the order of the extents: that of all tokens is declared with the graph's other inputs, windows when they are
 * asked for. */
static weft_status find(weft_session *s, const weft_graph *g, weft_error *err)
{
    uint32_t all = 0, window;
    for (uint32_t e = 1; e <= weft_graph_extent_count(g); e++) {
        if (!weft__pages_extent(weft_graph_extent(g, e, NULL), &window)) continue;
        if (!window) all = e;
        if (!has_states(g, e)) continue;
        if (s->n_groups == WEFT__MAX_GROUPS)
            return WEFT_FAIL(err, WEFT_LIMIT, "the layers of the model see more than %d windows", WEFT__MAX_GROUPS - 1);
        s->groups[s->n_groups++] = (weft__group){ .window = window, .rollback = s->desc.rollback, .extent = e };
    }
    if (!s->n_groups) s->groups[s->n_groups++] = (weft__group){ .extent = all };
    return WEFT_OK;
}

static weft_status make(const weft_session *s, const weft_graph *graph, weft__group *g, weft_error *err)
{
    const weft_session_desc *d = &s->desc;
    uint32_t n = 0;
    (void)weft_graph_extent(graph, g->extent, &n);
    g->cell = calloc(2 * (size_t)d->max_tokens, sizeof *g->cell);
    if (!g->cell) return WEFT_OOM_FAIL(err, "a session");
    g->first = g->cell + d->max_tokens;
    WEFT_TRY(weft__pages_create(&g->pages, d->page, n, d->context, d->n_sequences, err));
    return g->window ? weft__pages_create(&g->trial, d->page, n, d->context, d->n_sequences, err) : WEFT_OK;
}

weft_status weft__groups_create(weft_session *s, const weft_graph *g, weft_error *err)
{
    const weft_session_desc *d = &s->desc;
    WEFT_TRY(find(s, g, err));
    s->sequences = calloc(d->n_sequences, sizeof *s->sequences);
    if (!s->sequences) return WEFT_OOM_FAIL(err, "the sequences of a session");
    for (uint32_t i = 0; i < d->n_sequences; i++) {
        s->sequences[i].adapter = d->n_adapters ? 0 : WEFT_ADAPTER_NONE;
        s->sequences[i].tokens = malloc(d->context * sizeof *s->sequences[i].tokens);
        if (!s->sequences[i].tokens) return WEFT_OOM_FAIL(err, "the sequences of a session");
    }
    for (uint32_t i = 0; i < s->n_groups; i++) WEFT_TRY(make(s, g, &s->groups[i], err));
    return WEFT_OK;
}

void weft__groups_destroy(weft_session *s)
{
    for (uint32_t i = 0; i < s->n_groups; i++) {
        weft__pages_destroy(&s->groups[i].pages);
        weft__pages_destroy(&s->groups[i].trial);
        free(s->groups[i].cell);
    }
    for (uint32_t i = 0; s->sequences && i < s->desc.n_sequences; i++) free(s->sequences[i].tokens);
    free(s->sequences);
}

static weft_ref port(const weft_graph *g, const char *name, uint32_t window)
{
    char full[32];
    snprintf(full, sizeof full, "%s_%u", name, window);
    return weft_graph_find(g, window ? full : name);
}

void weft__groups_find_ports(const weft_session *s, const weft_graph *g, weft__group_ports *ports)
{
    for (uint32_t i = 0; i < s->n_groups; i++) {
        uint32_t window = s->groups[i].window;
        ports[i] = (weft__group_ports){ port(g, "cell", window), port(g, "first", window), port(g, "table", window) };
    }
}

/* ---- sequences ---- */

const weft__group *weft__group_without(const weft_session *s, uint32_t sequence, uint32_t n)
{
    uint32_t discarded = s->sequences[sequence].discarded;
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const weft__group *g = &s->groups[i];
        if (g->pages.lists[sequence].begin > weft__first_seen(g, discarded, n)) return g;
    }
    return NULL;
}

void weft__groups_truncate(weft_session *s, uint32_t sequence, uint32_t n)
{
    for (uint32_t i = 0; i < s->n_groups; i++) weft__pages_truncate(&s->groups[i].pages, sequence, n);
    s->sequences[sequence].length = n;
    if (!n) s->sequences[sequence].discarded = 0;
}

void weft__groups_leave_behind(weft_session *s, uint32_t sequence)
{
    const weft__sequence *q = &s->sequences[sequence];
    for (uint32_t i = 0; i < s->n_groups; i++)
        weft__pages_discard(&s->groups[i].pages, sequence, weft__first_kept(&s->groups[i], q->discarded, q->length));
}

void weft__groups_share(weft_session *s, uint32_t from, uint32_t to, uint32_t n)
{
    const weft__sequence *a = &s->sequences[from];
    weft__sequence *b = &s->sequences[to];
    for (uint32_t i = 0; i < s->n_groups; i++)
        weft__pages_share(&s->groups[i].pages, from, to, weft__first_seen(&s->groups[i], a->discarded, n), n);
    memcpy(b->tokens, a->tokens, n * sizeof *b->tokens);
    b->length = n;
    b->discarded = a->discarded;
}
