/* guess.c: drafts by a smaller model, for all tasks that want some at once: its session has a sequence for each of the
 * engine's, with what it has read of that text. It reads a text when drafts for it are expected to pay, and forgets
 * what became another text. Where it fails, or has no room, there are no drafts. */
#include "tools/serve/engine_impl.h"

#include <stdlib.h>

/* ---- what it would take ---- */

/* Tokens that its sequence has in common with the text, all but the text's last at most. */
static uint32_t find_same(const engine *e, task *t)
{
    const int32_t *had = weft_session_tokens(e->guesser.session, t->sequence);
    const uint32_t n = weft_session_length(e->guesser.session, t->sequence), most = (uint32_t)t->n - 1;
    uint32_t same = t->n_same < n ? t->n_same : n;
    if (same > most) same = most;
    while (same < n && same < most && had[same] == t->ids[same]) same++;
    return t->n_same = same;
}

/* A task begins with what is known of others, as if little of it were its own. */
static void rate(const guesser *g, task *t)
{
    const double most = 8, sum = g->hits + g->misses, part = sum > most ? most / sum : 1;
    if (t->rated) return;
    t->rated = true;
    t->pace.hits[WEFT__DRAFT_OF_MODEL] = part * g->hits;
    t->pace.misses[WEFT__DRAFT_OF_MODEL] = part * g->misses;
}

/* Whether it has a token for each of the text's that it has not read. */
static bool knows_all(const engine *e, const task *t)
{
    for (size_t i = t->n_same; i < t->n; i++)
        if ((uint32_t)t->ids[i] >= weft_session_n_vocab(e->guesser.session)) return false;
    return true;
}

weft__offer engine_offer(engine *e, task *t, uint32_t most, uint32_t n)
{
    guesser *g = &e->guesser;
    const uint32_t context = weft_session_context(g->session), room = t->n > context ? 0 : context - (uint32_t)t->n + 1;
    const uint32_t behind = (uint32_t)t->n - find_same(e, t), asked = g->n_asked && g->n_asked < n ? g->n_asked : n;
    const double one = weft__widths_get(&g->widths, 1), all = weft__widths_get(&g->widths, behind);
    rate(g, t);
    weft__offer o = { .kind = WEFT__DRAFT_OF_MODEL, .most = most < room ? most : room, .left = most,
                      .each = weft__widths_get(&g->widths, asked) / asked, .read = all > one ? all - one : 0 };
    const uint32_t left = t->max_tokens - t->n_picked, place = weft_session_context(e->d.session) - (uint32_t)t->n;
    o.left = left < place ? left : place;
    if (!knows_all(e, t)) o.most = 0;
    return o;
}

/* ---- runs of it ---- */

/* The sequence of its that nothing has used for longest, and no task has. */
static bool evict(engine *e)
{
    uint32_t oldest = NO_SEQUENCE;
    for (uint32_t i = 0; i < e->n_sequences; i++) {
        if (e->sequences[i].t || !weft_session_length(e->guesser.session, i)) continue;
        if (oldest == NO_SEQUENCE || e->sequences[i].used < e->sequences[oldest].used) oldest = i;
    }
    return oldest != NO_SEQUENCE && !weft_session_truncate(e->guesser.session, oldest, 0, NULL);
}

static bool add(guesser *g, const task *t, const int32_t *ids, uint32_t n, bool wants)
{
    if (!weft__grow(&g->batch, &g->cap_batch, g->n_batch + n, sizeof *g->batch)) return false;
    for (uint32_t i = 0; i < n; i++)
        g->batch[g->n_batch++] = (weft_batch_token){ .id = ids[i], .sequence = t->sequence };
    if (wants) g->batch[g->n_batch - 1].wants = WEFT_WANT_CANDIDATES;
    return true;
}

/* What the batch has; its candidates are in the order of those that want some. */
static weft_status run(engine *e, weft_error *err)
{
    guesser *g = &e->guesser;
    const weft_rows rows = { .candidates = g->picks };
    const double began = weft__seconds();
    weft_status s = weft_session_eval(g->session, g->batch, g->n_batch, &rows, err);
    while (s == WEFT_LIMIT && evict(e)) s = weft_session_eval(g->session, g->batch, g->n_batch, &rows, err);
    if (s) return s;
    weft__widths_add(&g->widths, (uint32_t)g->n_batch, weft__seconds() - began);
    atomic_fetch_add(&e->counts.draft_model_tokens, g->n_batch);
    return WEFT_OK;
}

/* ---- reading ---- */

/* Tokens that it reads at most while others wait: as many as have time in a step by --pace. */
static uint32_t piece_of(const engine *e)
{
    enum { LEAST = 8, MOST = 512 };
    const double seconds = ((double)e->d.pace - 1) * weft__widths_get(&e->widths, e->n_running);
    uint32_t n = LEAST;
    while (n < MOST && weft__widths_get(&e->guesser.widths, 2 * n) <= seconds) n *= 2;
    return n;
}

static bool cut_back(engine *e, task *t)
{
    weft_session *s = e->guesser.session;
    const uint32_t same = find_same(e, t);
    if (same == weft_session_length(s, t->sequence) || !weft_session_truncate(s, t->sequence, same, NULL)) return true;
    t->n_same = 0;
    return !weft_session_truncate(s, t->sequence, 0, NULL); /* windows that it had left behind */
}

/* It has no drafts in this step, and after a failure none at all; its pages are free. */
static void give_up(engine *e, task *t, bool for_good)
{
    t->wants = t->draft.n = 0;
    if (for_good) t->drafts = false;
    (void)!weft_session_truncate(e->guesser.session, t->sequence, 0, NULL);
}

/* Reads the text up to its last token, or where others wait a piece of it: then it has no draft in this step. */
static void read_text(engine *e, task *t, bool shared)
{
    guesser *g = &e->guesser;
    const double began = weft__seconds();
    const uint32_t from = t->n_same, all = (uint32_t)t->n - 1 - from, piece = shared ? piece_of(e) : all;
    const uint32_t n = all < piece ? all : piece;
    g->n_batch = 0;
    if (n && (!add(g, t, t->ids + from, n, false) || run(e, NULL))) give_up(e, t, true);
    else if (n < all) t->wants = 0;
    if (t->reads) weft__pace_read(&t->pace, weft__seconds() - began);
}

/* ---- drafts ---- */

static bool is_last(const engine *e, const task *t)
{
    const int32_t id = t->draft.ids[t->draft.n - 1];
    int32_t eos;
    if (t->draft.n == t->wants) return true;
    for (uint32_t i = 0; (eos = weft_model_eos(e->d.model, i)) >= 0; i++)
        if (id == eos) return true;
    return (uint32_t)id >= weft_session_n_vocab(e->guesser.session);
}

/* One more token for each of n tasks; how many go on. */
static uint32_t draft_one(engine *e, task **asks, uint32_t n)
{
    guesser *g = &e->guesser;
    uint32_t going = 0;
    bool ok = true;
    g->n_batch = 0;
    for (uint32_t i = 0; i < n && ok; i++) {
        const task *t = asks[i];
        const uint32_t behind = (uint32_t)t->n - t->n_same;
        ok = t->draft.n ? add(g, t, &t->draft.ids[t->draft.n - 1], 1, true)
                        : add(g, t, t->ids + t->n_same, behind, true);
    }
    const weft_status s = ok ? run(e, NULL) : WEFT_OOM;
    if (s == WEFT_LIMIT) give_up(e, asks[n - 1], false); /* the others may have room the next time */
    for (uint32_t i = 0; i < n; i++) {
        task *t = asks[i];
        if (s && s != WEFT_LIMIT) give_up(e, t, true);
        if (s) continue;
        const int32_t id = g->picks[i].id;
        if ((uint32_t)id >= weft_session_n_vocab(e->d.session)) continue; /* at the end of the longer vocabulary */
        t->draft.ids[t->draft.n++] = id;
        if (!is_last(e, t)) asks[going++] = t;
    }
    return going;
}

void engine_guess(engine *e, bool shared)
{
    task *asks[ENGINE_SLOTS];
    uint32_t n = 0, drafted = 0;
    bool read = false;
    for (uint32_t i = 0; i < e->n_running; i++) {
        task *t = e->running[i];
        if (!t->wants) continue;
        if (!cut_back(e, t)) give_up(e, t, true);
        else if (t->reads && read && shared) t->wants = 0; /* one at a time */
        else if (t->reads) read_text(e, t, shared), read = true;
        t->n_same = find_same(e, t);
        if (t->wants) asks[n++] = t;
    }
    const double began = weft__seconds();
    e->guesser.n_asked = n;
    while (n) n = draft_one(e, asks, n);
    const double seconds = weft__seconds() - began;
    for (uint32_t i = 0; i < e->n_running; i++)
        if (e->running[i]->wants) drafted += e->running[i]->draft.n;
    e->guesser.each = drafted ? seconds / drafted : 0;
    for (uint32_t i = 0; i < e->n_running; i++) {
        task *t = e->running[i];
        if (t->wants && !t->draft.n) weft__pace_wasted(&t->pace, seconds, t->probe);
    }
}

void engine_guessed(engine *e, uint32_t n, uint32_t accepted)
{
    guesser *g = &e->guesser;
    const double keep = 0.95;
    g->hits = keep * g->hits + accepted;
    g->misses = keep * g->misses + (accepted < n);
}

/* ---- life ---- */

/* What runs of it take is known before the first text: of one token, and of several, each twice, for the first may have
 * had to fetch what it works on. */
static weft_status measure(engine *e, weft_error *err)
{
    guesser *g = &e->guesser;
    const uint32_t context = weft_session_context(g->session), several = context < 8 ? context : 8;
    const task t = { .sequence = 0 };
    static const int32_t ids[8] = { 0 };
    for (int i = 0; i < 4; i++) {
        g->n_batch = 0;
        if (!add(g, &t, ids, i < 2 ? 1 : several, true)) return WEFT_OOM_FAIL(err, "drafts");
        WEFT_TRY(run(e, err));
        WEFT_TRY(weft_session_truncate(g->session, 0, 0, err));
    }
    atomic_store(&e->counts.draft_model_tokens, 0);
    return WEFT_OK;
}

weft_status guesser_open(engine *e, const engine_desc *d, weft_error *err)
{
    guesser *g = &e->guesser;
    if (!d->draft_session) return WEFT_OK;
    g->session = d->draft_session;
    g->picks = calloc(d->slots, sizeof *g->picks);
    return g->picks ? measure(e, err) : WEFT_OOM_FAIL(err, "drafts");
}

void guesser_close(guesser *g)
{
    free(g->batch);
    free(g->picks);
}
