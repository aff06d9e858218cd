/* prefix.c: which sequence of the session is whose. A task's sequence is kept when it ends, with the pages of its
 * text, until its place or its pages are needed; a task whose prompt begins as a kept or a running one begins with
 * those pages and evaluates the rest alone. What was of no use for longest goes first. */
#include "tools/serve/engine_impl.h"

static uint32_t common(const int32_t *a, size_t n, const int32_t *b, size_t m)
{
    uint32_t i = 0;
    while (i < n && i < m && a[i] == b[i]) i++;
    return i;
}

/* How many tokens of a prompt the sequences have now, and which of them has them. */
static uint32_t find_best(const engine *e, const task *t, uint32_t *best)
{
    uint32_t most = 0;
    *best = NO_SEQUENCE;
    for (uint32_t i = 0; i < e->n_sequences; i++) {
        if (weft_session_adapted(e->d.session, i) != t->adapter) continue;
        uint32_t n = common(weft_session_tokens(e->d.session, i), weft_session_length(e->d.session, i), t->ids, t->n);
        if (n > most) most = n, *best = i;
    }
    return most;
}

bool engine_should_wait(const engine *e, const task *t)
{
    enum { WORTH = 32 }; /* tokens */
    uint32_t soon = 0, best;
    if (t->pool || t->scores) return false; /* it needs what every token becomes */
    for (uint32_t i = 0; i < e->n_running; i++) {
        const task *o = e->running[i];
        if (o->done >= o->n_prompt || o->adapter != t->adapter) continue;
        uint32_t n = common(o->ids, o->n < o->n_prompt ? o->n : o->n_prompt, t->ids, t->n);
        if (n > soon) soon = n;
    }
    return soon >= WORTH && soon >= find_best(e, t, &best) + WORTH;
}

static uint32_t find_empty(const engine *e)
{
    for (uint32_t i = 0; i < e->n_sequences; i++)
        if (!e->sequences[i].t && !weft_session_length(e->d.session, i)) return i;
    return NO_SEQUENCE;
}

weft_status engine_clear(engine *e, uint32_t sequence, weft_error *err)
{
    if (e->guesser.session) WEFT_TRY(weft_session_truncate(e->guesser.session, sequence, 0, err));
    return weft_session_truncate(e->d.session, sequence, 0, err);
}

bool engine_evict(engine *e)
{
    uint32_t oldest = NO_SEQUENCE;
    for (uint32_t i = 0; i < e->n_sequences; i++) {
        const kept *k = &e->sequences[i];
        if (k->t || !weft_session_length(e->d.session, i)) continue;
        if (oldest == NO_SEQUENCE || k->used < e->sequences[oldest].used) oldest = i;
    }
    return oldest != NO_SEQUENCE && !engine_clear(e, oldest, NULL);
}

uint32_t engine_spare(engine *e)
{
    uint32_t q = find_empty(e);
    if (q == NO_SEQUENCE && engine_evict(e)) q = find_empty(e);
    if (q != NO_SEQUENCE) e->sequences[q].used = ++e->clock; /* others are given back before it */
    return q;
}

bool engine_spare_pages(engine *e)
{
    return engine_evict(e);
}

bool engine_seat(engine *e, task *t, weft_error *err)
{
    uint32_t best, shared = 0;
    const bool shares = !t->pool && !t->scores;
    if (shares && find_best(e, t, &best)) e->sequences[best].used = ++e->clock;
    uint32_t q = engine_spare(e);
    if (q == NO_SEQUENCE) return WEFT_FAIL(err, WEFT_LIMIT, "no sequence is free"), false;
    if (weft_session_adapt(e->d.session, q, t->adapter, err)) return false;
    if (shares && weft_session_share(e->d.session, q, t->ids, t->n - 1, &shared, err)) return false;
    if (e->guesser.session && t->drafts) /* without it the text is read: no failure */
        (void)!weft_session_share(e->guesser.session, q, t->ids, t->n - 1, &(uint32_t){ 0 }, NULL);
    e->sequences[q] = (kept){ .t = t, .used = ++e->clock };
    t->sequence = q;
    t->n_same = 0;
    t->done = shared;
    if (!t->counted) t->n_cached = shared;
    return true;
}

void engine_unseat(engine *e, task *t, bool keep)
{
    if (t->sequence == NO_SEQUENCE) return;
    e->sequences[t->sequence] = (kept){ .used = ++e->clock };
    if (!keep && engine_clear(e, t->sequence, NULL)) e->sequences[t->sequence].used = 0;
    t->sequence = NO_SEQUENCE;
    t->done = 0;
}
