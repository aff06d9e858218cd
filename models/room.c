/* room.c: how a call is cut into runs, and whether the caches have room for them. */
#include "models/session_impl.h"

#include <stdio.h>
#include <string.h>

weft__cut weft__cut_run(weft_session *s, const weft_batch_token *t, size_t n)
{
    weft__cut c = { .r = weft__runner_of(s, n) };
    for (; c.n < n && c.n < c.r->max_tokens; c.n++) {
        bool row = t[c.n].wants & WEFT__WANT_ROW;
        if (row && c.n_rows == c.r->max_rows) break;
        c.n_rows += row;
    }
    return c;
}

/* A run on the trial, if there are pages for it: then what its windows have left behind is free for the next. */
static bool try_run(weft_session *s, weft__group *g)
{
    weft__pages *p = &g->trial;
    if (weft__pages_wanted(p, s->running) > p->n_free) return false;
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) {
        if (!s->running[i]) continue;
        weft__pages_append(p, i, s->running[i]);
        weft__pages_discard(p, i, weft__first_kept(g, s->sequences[i].discarded, p->lists[i].length));
    }
    return true;
}

/* The call on a copy of the group's pages, run after run. */
static bool try_call(weft_session *s, weft__group *g, const weft_batch_token *t, size_t n)
{
    bool fits = true;
    weft__pages_copy(&g->trial, &g->pages);
    for (size_t done = 0; fits && done < n;) {
        weft__cut c = weft__cut_run(s, t + done, n - done);
        memset(s->running, 0, s->desc.n_sequences * sizeof *s->running);
        for (uint32_t i = 0; i < c.n; i++) s->running[t[done + i].sequence]++;
        fits = try_run(s, g);
        done += c.n;
    }
    return fits;
}

static weft_status fail_full(const weft_session *s, const weft__group *g, uint64_t wanted, weft_error *err)
{
    char of[64] = "";
    if (g->window) snprintf(of, sizeof of, " of layers that see %u tokens", g->window);
    return WEFT_FAIL(err, WEFT_LIMIT, "the cache%s of %u cells is full: %llu pages of %u are needed, %u are free", of,
                     g->pages.n_pages * s->desc.page, (unsigned long long)wanted, s->desc.page, g->pages.n_free);
}

weft_status weft__check_room(weft_session *s, const weft_batch_token *t, size_t n, weft_error *err)
{
    for (uint32_t i = 0; i < s->n_groups; i++) {
        weft__group *g = &s->groups[i];
        uint64_t wanted = weft__pages_wanted(&g->pages, s->fresh);
        if (wanted <= g->pages.n_free) continue;
        if (!g->window || !try_call(s, g, t, n)) return fail_full(s, g, wanted, err);
    }
    return WEFT_OK;
}
