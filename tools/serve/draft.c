/* draft.c: tokens that are guessed for a task (models/draft.h): by a draft model (guess.c) where there is one and the
 * request expects nothing, else by lookup in its text and in what its request expects.
 * Drafts are rows of a step more; those that are not what is picked are forgotten, so that no text is another one for
 * them. There are none beside prompts, nor where a step would last longer than other texts may wait. */
#include "tools/serve/engine_impl.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = 2, OFTEN = 64 }; /* steps without drafts, which tell what those take */

/* What cannot be had is done without. */
static bool prepare(task *t)
{
    if (!t->drafts || t->ngrams) return t->drafts;
    t->drafts = !weft_ngrams_create(t->expected, t->n_expected, &t->ngrams, NULL);
    free(t->expected);
    t->expected = NULL;
    return t->drafts;
}

/* Tokens that may come behind the next, beside n rows of the step. */
static uint32_t room_for(const engine *e, const task *t, uint32_t n_rows)
{
    const uint32_t left = t->max_tokens - t->n_picked - 1, rows = e->n_rows - n_rows;
    uint32_t room = weft_session_context(e->d.session) - (uint32_t)t->n;
    if (room > left) room = left;
    if (room > rows) room = rows;
    return room < ENGINE_DRAFT ? room : ENGINE_DRAFT;
}

static weft__choice choose(const engine *e, const task *t, const weft__plain *plain, const weft__offer *o)
{
    weft__choice c = weft__pace_choose(&t->pace, &e->widths, plain, o);
    const double step = weft__widths_get(&e->widths, plain->others + 1), longest = (double)e->d.pace * step;
    if (e->d.draft_always) c = (weft__choice){ .n = o->most, .reads = true };
    if (e->d.draft_always || !plain->others) return c;
    while (c.n && weft__widths_get(&e->widths, plain->width + c.n) + c.n * o->each > longest) c.n--;
    if (o->read <= longest - step) return c;
    if (c.probe) c.n = 0;
    c.reads = true; /* a piece at a time */
    return c;
}

/* By lookup. */
static void look_up(engine *e, task *t, weft__plain *plain)
{
    if (!prepare(t)) return;
    const weft_drafter d = weft_ngrams_drafter(t->ngrams);
    const uint32_t most = room_for(e, t, plain->width);
    bool failed = d.push(d.ctx, t->ids + t->n_told, t->n - t->n_told, NULL) != WEFT_OK;
    t->n_told = t->n;
    t->draft = (weft_draft){ 0 };
    if (!failed && most) failed = d.propose(d.ctx, most, &t->draft, NULL) != WEFT_OK;
    const weft__offer o = { .kind = t->draft.kind, .most = t->draft.n, .left = most };
    const weft__choice c = choose(e, t, plain, &o);
    t->draft.n = failed ? 0 : c.n;
    t->probe = c.probe;
    t->drafts = !failed;
    plain->width += t->draft.n;
}

/* How many tokens the draft model is to guess. */
static void ask(engine *e, task *t, weft__plain *plain)
{
    t->draft = (weft_draft){ .kind = WEFT__DRAFT_OF_MODEL };
    const weft__offer o = engine_offer(e, t, room_for(e, t, plain->width), e->n_running);
    const weft__choice c = choose(e, t, plain, &o);
    t->wants = c.n;
    t->probe = c.probe;
    t->reads = c.reads;
    plain->width += c.n;
}

uint32_t engine_draft(engine *e, uint32_t n_generate)
{
    weft__plain plain = { .width = n_generate, .others = n_generate - 1 };
    uint32_t n = 0;
    bool asked = false;
    if (n_generate != e->n_running || n_generate >= e->n_rows || !e->n_draft) return 0;
    if (!e->d.draft_always && (e->n_alone < FIRST || e->since_alone >= OFTEN)) return 0;
    for (uint32_t i = 0; i < e->n_running; i++) {
        task *t = e->running[i];
        const bool by_model = e->guesser.session && !t->expected && !t->ngrams;
        t->wants = 0;
        if (!by_model) look_up(e, t, &plain);
        else if (t->drafts) ask(e, t, &plain);
        asked |= t->wants > 0;
    }
    if (asked) engine_guess(e, plain.others);
    for (uint32_t i = 0; i < e->n_running; i++) n += e->running[i]->draft.n;
    return n;
}

void engine_undraft(engine *e, bool for_good)
{
    for (uint32_t i = 0; i < e->n_running; i++) {
        task *t = e->running[i];
        if (t->draft.n && for_good) t->drafts = false;
        t->draft.n = 0;
    }
}

void engine_timed(engine *e, uint32_t n_generate, uint32_t n_drafted, double seconds)
{
    const double expected = weft__widths_get(&e->widths, n_generate + n_drafted);
    const bool cold = n_drafted && weft__widths_is_cold(&e->widths, n_generate + n_drafted);
    weft__widths_add(&e->widths, n_generate + n_drafted, seconds);
    if (cold && expected < seconds) seconds = expected;
    const double alone = weft__widths_get(&e->widths, n_generate);
    e->since_alone = n_drafted ? e->since_alone + 1 : 0;
    if (!n_drafted && e->n_alone < FIRST) e->n_alone++;
    e->token_seconds = alone / n_generate;
    e->draft_seconds = n_drafted ? (seconds - alone) / n_drafted : 0;
}

weft_status engine_accept(engine *e, task *t, uint32_t accepted, weft_error *err)
{
    const uint32_t n = t->draft.n;
    t->draft.n = 0;
    if (!n) {
        weft__pace_alone(&t->pace, e->token_seconds);
        return WEFT_OK;
    }
    const bool guessed = t->wants > 0;
    const double each = e->draft_seconds + (guessed ? e->guesser.each : 0);
    if (guessed) engine_guessed(e, n, accepted);
    weft__pace_checked(&t->pace, t->draft.kind, n, accepted, t->probe, each * n, e->token_seconds);
    t->n_drafted += n;
    t->n_accepted += accepted;
    atomic_fetch_add(&e->counts.drafted_tokens, n);
    atomic_fetch_add(&e->counts.accepted_tokens, accepted);
    t->done -= n - accepted;
    return accepted < n ? weft_session_truncate(e->d.session, t->sequence, t->done, err) : WEFT_OK;
}
