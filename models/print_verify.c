/* print_verify.c: a printed text is read back and built for every configuration that was tried, and for sessions of
 * other lengths. */
#include "models/print.h"

#include "graph/same.h"

#include <string.h>

/* ---- trials ---- */

static bool is_absent(const weft__trial *t, const char *key)
{
    for (uint32_t k = 0; k < t->n_said; k++)
        if (t->said[k].kind == SAID_ABSENT && (!key || !strcmp(t->said[k].key, key))) return true;
    return false;
}

/* Whether a trial lacks a key, or has another value of one that the text requires. */
static bool is_odd(const weft__printing *p, const weft__trial *t)
{
    bool odd = is_absent(t, NULL);
    for (uint32_t m = 0; m < p->x.n; m++)
        for (uint32_t k = 0; k < t->n_said && p->x.params[m].literal; k++)
            odd = odd || !strcmp(t->said[k].key, p->x.at[m].key);
    return odd;
}

/* The text gives the graph of a trial; where that has other statements, or is odd, it may refuse. */
static bool holds(weft__printing *p, const weft_graph_text *t, size_t i, weft_error *err)
{
    const weft__trial *trial = &p->x.trials[i];
    const weft__sample *s = &p->x.general.samples[trial->sample];
    bool may_refuse = i && (!trial->sample || s->left_out || is_odd(p, trial));
    weft_graph *g;
    p->x.probe.said = trial->said;
    p->x.probe.n_said = trial->n_said;
    weft_status built = weft__probe_build(&p->x.probe, t, &g, err);
    weft_status same = built ? built : weft__graph_same(trial->graph, g, err);
    if (!built) weft_graph_destroy(g);
    if (same == WEFT_OOM) p->f->failed = true;
    return same == WEFT_OK || (built && may_refuse);
}

/* Makes literal what a trial changed in which the text does not hold; what was absent in it has no default first. */
static bool blame(weft__printing *p, size_t i)
{
    const weft__trial *trial = &p->x.trials[i];
    bool any = false;
    for (uint32_t m = 0; m < p->x.n; m++) {
        bool said = false;
        for (uint32_t k = 0; k < trial->n_said; k++) said = said || !strcmp(trial->said[k].key, p->x.at[m].key);
        const bool absent = is_absent(trial, p->x.at[m].key), other = is_absent(trial, NULL) && !absent;
        if (!said || other || p->x.params[m].literal) continue;
        if (!absent && trial->changed >= 0 && (uint32_t)trial->changed != m) continue;
        if (absent && p->x.at[m].absence == ABSENT_SAME) p->x.at[m].absence = ABSENT_OTHER;
        else p->x.params[m].literal = true;
        any = true;
    }
    return any;
}

/* Whether the text holds for sessions of n tokens. */
static bool holds_for(weft__printing *p, const weft_graph_text *t, uint32_t n)
{
    const weft__said said = { .key = WEFT__SESSION_CONTEXT, .kind = SAID_NUMBER, .number = n };
    weft_graph *want = NULL, *got = NULL;
    weft_error err = { .status = WEFT_OK };
    p->x.probe.said = &said;
    p->x.probe.n_said = 1;
    bool same = !weft__probe_build(&p->x.probe, NULL, &want, &err) && !weft__probe_build(&p->x.probe, t, &got, &err) &&
                !weft__graph_same(want, got, &err);
    if (!same && err.status == WEFT_OOM) p->f->failed = true;
    weft_graph_destroy(want);
    weft_graph_destroy(got);
    return same;
}

/* The last length from `good` towards `bad` for which it does. */
static uint32_t last_good(weft__printing *p, const weft_graph_text *t, uint32_t good, uint32_t bad)
{
    if (good == bad || holds_for(p, t, bad)) return bad;
    while ((good > bad ? good - bad : bad - good) > 1 && !p->f->failed) {
        const uint32_t middle = good / 2 + bad / 2 + (good % 2 + bad % 2) / 2;
        if (holds_for(p, t, middle)) good = middle;
        else bad = middle;
    }
    return good;
}

/* What a session's length decides is not said, but for which lengths it is as it is. Whether this was found now. */
static bool find_limits(weft__printing *p, const weft_graph_text *t)
{
    uint32_t now = p->x.probe.m->info.context;
    bool found = false;
    for (uint32_t m = 0; m < p->x.n; m++) {
        if (!weft__print_is_session(p, m) || !p->x.params[m].literal || p->most || !now) continue;
        p->least = last_good(p, t, now, 1);
        p->most = last_good(p, t, now, now < WEFT__MOST_TOKENS ? WEFT__MOST_TOKENS : now);
        found = true;
    }
    return found;
}

bool weft__print_verify(weft__printing *p, const char *text, size_t n, bool *again, weft_error *err)
{
    weft_graph_text *t;
    bool ok = true;
    *again = false;
    if (weft_graph_text_read(text, n, "the printed text", &t, err)) return false;
    for (size_t i = 0; i < p->x.n_trials && !p->f->failed; i++) {
        if (i >= p->x.n_alone && !ok) break; /* of several changes the guilty one is known first */
        if (holds(p, t, i, err)) continue;
        ok = false;
        *again = (i && blame(p, i)) || *again;
    }
    if (find_limits(p, t)) {
        *again = true;
        ok = false;
    }
    weft_graph_text_destroy(t);
    return ok;
}
