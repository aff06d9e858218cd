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
                              .clock = weft__seconds, .n_ids = weft__session_model(s)->n_ids };
    if (!p->drafter) return WEFT_OK;
    WEFT_TRY(settle_most(p, s, d->draft_tokens, err));
    WEFT_TRY(p->drafter->begin(p->drafter->ctx, weft_session_tokens(s, sequence), weft_session_length(s, sequence),
                               err));
    return p->drafter->push(p->drafter->ctx, prompt, n_prompt, err);
}

/* ---- a draft ---- */

/* Now and then a token comes alone, so that it is known what that takes. */
static weft__choice choose(const weft__speculation *p, const weft__offer *o)
{
    enum { FIRST = 2, OFTEN = 64 };
    const weft__plain plain = { .width = 1 };
    if (p->always) return (weft__choice){ .n = o->most };
    if (p->widths->at[0].n < FIRST || p->since_alone >= OFTEN) return (weft__choice){ 0 };
    return weft__pace_choose(&p->pace, p->widths, &plain, o);
}

static void check_ids(weft__speculation *p, uint32_t most)
{
    weft_draft *d = &p->draft;
    if (d->n > most) d->n = most;
    if (d->kind >= WEFT_DRAFT_KINDS) d->kind = 0;
    for (uint32_t i = 0; i < d->n; i++)
        if (d->ids[i] < 0 || (uint32_t)d->ids[i] >= p->n_ids) d->n = i;
}

/* Before anything is drafted. What hardly takes time is asked for however likely it is that it is right. */
static weft__offer offer(const weft__speculation *p, uint32_t room)
{
    weft__offer o = { .kind = WEFT_DRAFT_KINDS, .most = room < p->most ? room : p->most, .left = room,
                      .each = p->each.seconds };
    if (p->drafter->price) {
        const weft_draft_price price = p->drafter->price(p->drafter->ctx);
        o.kind = price.kind < WEFT_DRAFT_KINDS ? price.kind : 0;
        o.read = price.read;
        o.each = price.each;
    } else if (!p->always && !p->each.n && o.most > FIRST_DRAFT) {
        o.most = FIRST_DRAFT; /* it is not known what drafting takes */
    }
    return o;
}

/* What a draft of c.n tokens has taken, but for what was read for all that is left. */
static weft_status propose(weft__speculation *p, weft__choice c, double read, weft_error *err)
{
    const double start = p->clock();
    WEFT_TRY(p->drafter->propose(p->drafter->ctx, c.n, &p->draft, err));
    p->draft_seconds = p->clock() - start;
    check_ids(p, c.n);
    if (!c.reads) return WEFT_OK;
    if (read > p->draft_seconds) read = p->draft_seconds;
    weft__pace_read(&p->pace, read);
    p->draft_seconds -= read;
    return WEFT_OK;
}

weft_status weft__speculation_next(weft__speculation *p, const int32_t *ids, size_t n, uint32_t room, weft_error *err)
{
    p->draft = (weft_draft){ 0 };
    p->draft_seconds = 0;
    if (!p->drafter) return WEFT_OK;
    WEFT_TRY(p->drafter->push(p->drafter->ctx, ids, n, err));
    weft__offer o = offer(p, room);
    weft__choice c = o.most ? choose(p, &o) : (weft__choice){ 0 };
    if (!c.n) return WEFT_OK;
    WEFT_TRY(propose(p, c, o.read, err));
    p->probe = c.probe || !p->drafter->price;
    if (!p->draft.n || p->drafter->price) return WEFT_OK;
    weft__timing_add(&p->each, p->draft_seconds / p->draft.n);
    o.kind = p->draft.kind; /* it is known now */
    o.most = p->draft.n;
    c = choose(p, &o);
    p->draft.n = c.n;
    p->probe = c.probe;
    return WEFT_OK;
}

void weft__speculation_read(weft__speculation *p, double seconds)
{
    weft__pace_prompt(&p->pace, seconds);
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
    if (!n) weft__pace_wasted(&p->pace, p->draft_seconds, p->probe);
    if (!n) weft__pace_alone(&p->pace, token);
    else weft__pace_checked(&p->pace, p->draft.kind, n, accepted, p->probe, seconds + p->draft_seconds - token, token);
}
