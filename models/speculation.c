#include "models/speculation.h"

#include "models/session_impl.h"

enum { FIRST_DRAFT = 2 };

/* ---- how long it may be ---- */

static weft_status settle_most(weft__speculation *p, const weft_session *s, uint32_t asked, weft_error *err)
{
    enum { USUAL = 15 };
    if (asked > WEFT_DRAFT_MOST)
        return WEFT_FAIL(err, WEFT_INVALID, "drafts of %u tokens: at most %d", asked, WEFT_DRAFT_MOST);
    p->most = asked ? asked : USUAL;
    if (p->most > s->desc.max_rows - 1) p->most = s->desc.max_rows - 1;
    if (p->most > s->desc.max_tokens - 1) p->most = s->desc.max_tokens - 1;
    WEFT_TRY(weft_session_check_rollback(s, 1, err));
    if (weft_session_check_rollback(s, p->most, NULL)) p->most = s->desc.rollback;
    return WEFT_OK;
}

weft_status weft__speculation_begin(weft__speculation *p, weft_session *s, uint32_t sequence, const int32_t *prompt,
                                    size_t n_prompt, const weft_generate_desc *d, weft_error *err)
{
    *p = (weft__speculation){ .drafter = d->drafter, .always = d->draft_always, .widths = &s->widths,
                              .n_ids = weft__session_model(s)->n_ids };
    if (!p->drafter) return WEFT_OK;
    WEFT_TRY(settle_most(p, s, d->draft_tokens, err));
    WEFT_TRY(p->drafter->begin(p->drafter->ctx, weft_session_tokens(s, sequence), weft_session_length(s, sequence),
                               err));
    return p->drafter->push(p->drafter->ctx, prompt, n_prompt, err);
}

/* ---- a draft ---- */

/* Now and then a token comes alone, so that it is known what that takes. */
static weft__choice choose(const weft__speculation *p, uint32_t kind, uint32_t most)
{
    enum { FIRST = 2, OFTEN = 64 };
    const weft__plain plain = { .width = 1 };
    if (p->always) return (weft__choice){ most, false };
    if (p->widths->at[0].n < FIRST || p->since_alone >= OFTEN) return (weft__choice){ 0 };
    return weft__pace_choose(&p->pace, p->widths, &plain, kind, most, p->each.seconds);
}

static void check_ids(weft__speculation *p, uint32_t most)
{
    weft_draft *d = &p->draft;
    if (d->n > most) d->n = most;
    if (d->kind >= WEFT_DRAFT_KINDS) d->kind = 0;
    for (uint32_t i = 0; i < d->n; i++)
        if (d->ids[i] < 0 || (uint32_t)d->ids[i] >= p->n_ids) d->n = i;
}

weft_status weft__speculation_next(weft__speculation *p, const int32_t *ids, size_t n, uint32_t room, weft_error *err)
{
    p->draft = (weft_draft){ 0 };
    p->draft_seconds = 0;
    if (!p->drafter) return WEFT_OK;
    WEFT_TRY(p->drafter->push(p->drafter->ctx, ids, n, err));
    uint32_t most = room < p->most ? room : p->most;
    if (!p->always && !p->each.n && most > FIRST_DRAFT) most = FIRST_DRAFT; /* it is not known what drafting takes */
    most = choose(p, WEFT_DRAFT_KINDS, most).n;
    if (!most) return WEFT_OK;
    const double start = weft__seconds();
    WEFT_TRY(p->drafter->propose(p->drafter->ctx, most, &p->draft, err));
    p->draft_seconds = weft__seconds() - start;
    check_ids(p, most);
    if (!p->draft.n) return WEFT_OK;
    weft__timing_add(&p->each, p->draft_seconds / p->draft.n);
    const weft__choice c = choose(p, p->draft.kind, p->draft.n);
    p->draft.n = c.n;
    p->probe = c.probe;
    return WEFT_OK;
}

void weft__speculation_ran(weft__speculation *p, uint32_t accepted, double ran)
{
    double seconds = ran;
    const uint32_t n = p->draft.n;
    if (!p->drafter) return;
    const double expected = weft__widths_get(p->widths, 1 + n);
    if (n && weft__widths_is_cold(p->widths, 1 + n) && expected < seconds) seconds = expected;
    weft__widths_add(p->widths, 1 + n, ran);
    const double token = weft__widths_get(p->widths, 1);
    p->since_alone = n ? p->since_alone + 1 : 0;
    p->drafted += n;
    p->accepted += accepted;
    if (!n) weft__pace_wasted(&p->pace, p->draft_seconds);
    if (!n) weft__pace_alone(&p->pace, token);
    else weft__pace_checked(&p->pace, p->draft.kind, n, accepted, p->probe, seconds + p->draft_seconds - token, token);
}
