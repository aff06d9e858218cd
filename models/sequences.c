/* sequences.c: what can be done with a session's sequences besides evaluating tokens: forgetting, forking, sharing. */
#include "models/adapter_impl.h"
#include "models/draft.h"
#include "models/session_impl.h"

weft_status weft__check_sequence(const weft_session *s, uint32_t sequence, weft_error *err)
{
    WEFT_TRY(weft__check_idle(s, err));
    if (sequence < s->desc.n_sequences) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_INVALID, "sequence %u of %u", sequence, s->desc.n_sequences);
}

weft_status weft__check_empty(const weft_session *s, uint32_t sequence, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    uint32_t n = s->sequences[sequence].length;
    return n ? WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens already", sequence, n) : WEFT_OK;
}

uint32_t weft_session_length(const weft_session *s, uint32_t sequence)
{
    return sequence < s->desc.n_sequences ? s->sequences[sequence].length : 0;
}

const int32_t *weft_session_tokens(const weft_session *s, uint32_t sequence)
{
    return sequence < s->desc.n_sequences ? s->sequences[sequence].tokens : NULL;
}

uint32_t weft_session_cells_free(const weft_session *s)
{
    const weft__group *widest = &s->groups[0]; /* the one that sees all, where there is one */
    for (uint32_t i = 1; i < s->n_groups; i++)
        if (widest->window && s->groups[i].window > widest->window) widest = &s->groups[i];
    return widest->pages.n_free * s->desc.page;
}

weft_status weft_session_truncate(weft_session *s, uint32_t sequence, uint32_t n, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    const weft__sequence *q = &s->sequences[sequence];
    if (n > q->length)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens, not %u", sequence, q->length, n);
    if (n && n < q->discarded)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u: the cells of its first %u tokens were given back: it cannot "
                         "end at %u", sequence, q->discarded, n);
    const weft__group *g = n && n < q->length ? weft__group_without(s, sequence, n) : NULL;
    if (g)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u: where layers see a window of %u tokens it has no cells of "
                         "the first %u any more: it cannot end at %u", sequence, g->window,
                         g->pages.lists[sequence].begin, n);
    if (n && n < q->length && s->recurrent)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "sequence %u: the model keeps one state of all its tokens, which "
                         "cannot go back to %u of %u", sequence, n, q->length);
    weft__groups_truncate(s, sequence, n);
    return WEFT_OK;
}

weft_status weft_session_check_rollback(const weft_session *s, uint32_t n, weft_error *err)
{
    if (s->recurrent)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s keeps one state of all its tokens, which cannot go back where a "
                         "draft was wrong", s->m->path);
    for (uint32_t i = 0; i < s->n_groups; i++)
        if (s->groups[i].window && n > s->desc.rollback)
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "layers of %s see a window of %u tokens, and the session can take "
                             "back %u tokens, not %u", s->m->path, s->groups[i].window, s->desc.rollback, n);
    return WEFT_OK;
}

weft_status weft_session_discard(weft_session *s, uint32_t sequence, uint32_t n, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, sequence, err));
    weft__sequence *q = &s->sequences[sequence];
    if (n > q->length)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens, not %u", sequence, q->length, n);
    uint32_t whole = n / s->desc.page * s->desc.page;
    if (whole > q->discarded) q->discarded = whole;
    weft__groups_leave_behind(s, sequence);
    return WEFT_OK;
}

weft_status weft_session_adapt(weft_session *s, uint32_t sequence, int32_t choice, weft_error *err)
{
    const weft__adapters *a = weft__plan_adapters(s->plan);
    const uint32_t n = a ? a->n_choices : 0;
    WEFT_TRY(weft__check_empty(s, sequence, err));
    if (choice < WEFT_ADAPTER_NONE || choice >= (int64_t)n)
        return WEFT_FAIL(err, WEFT_INVALID, "adapter %d of %u", choice, n);
    s->sequences[sequence].adapter = choice;
    return WEFT_OK;
}

int32_t weft_session_adapted(const weft_session *s, uint32_t sequence)
{
    return sequence < s->desc.n_sequences ? s->sequences[sequence].adapter : WEFT_ADAPTER_NONE;
}

weft_status weft_session_fork(weft_session *s, uint32_t from, uint32_t to, weft_error *err)
{
    WEFT_TRY(weft__check_sequence(s, from, err));
    WEFT_TRY(weft__check_empty(s, to, err));
    if (s->sequences[from].length) WEFT_TRY(weft__copy_rows(s, from, to, err));
    weft__groups_share(s, from, to, s->sequences[from].length);
    s->sequences[to].adapter = s->sequences[from].adapter;
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
        const weft__sequence *q = &s->sequences[i];
        if (q->adapter != s->sequences[sequence].adapter) continue;
        uint32_t k = q->discarded ? 0 : common(q, ids, n);
        if (s->recurrent && k < q->length) continue;  /* its state is of all its tokens */
        if (k && weft__group_without(s, i, k)) continue; /* nor would a shorter beginning have what its window sees */
        if (k > best) best = k, from = i;
    }
    if (!best) return WEFT_OK;
    WEFT_TRY(weft__copy_rows(s, from, sequence, err));
    weft__groups_share(s, from, sequence, best);
    *shared = best;
    return WEFT_OK;
}
