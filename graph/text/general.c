/* general.c: see general.h. */
#include "graph/text/general.h"

#include <stdlib.h>
#include <string.h>

bool weft__general_begin(weft__general *x, weft__arena *arena, const weft_graph *g)
{
    *x = (weft__general){ .fold = { .arena = arena, .calls = true, .keeps_labels = true }, .first = g };
    x->list = weft__units_of(&x->fold, g, 0);
    if (x->list) weft__units_fold(&x->fold, &x->list);
    if (!weft__grow(&x->samples, &x->sample_cap, 1, sizeof *x->samples)) x->fold.failed = true;
    else x->samples[x->n_samples++] = (weft__sample){ .changed = -1 };
    x->extents = weft__fold_alloc(&x->fold, WEFT_MAX_EXTENTS + 1, sizeof *x->extents);
    return x->list && !x->fold.failed && weft__units_name(&x->fold, x->list);
}

void weft__general_end(weft__general *x)
{
    free(x->samples);
    x->samples = NULL;
    weft__arena_free(&x->fold.scratch);
}

/* Joins the list with that of a graph, whose units are gone after it. */
static bool join(weft__general *x, const weft_graph *g)
{
    weft__arena scratch = { 0 };
    weft__fold f = { .arena = &scratch, .calls = true };
    weft__unit *list = weft__units_of(&f, g, x->n_samples);
    if (list) weft__units_fold(&f, &list);
    bool joined = list && !f.failed && weft__units_fit(x->list, list, true) &&
                  weft__units_join(&x->fold, &x->list, list, false);
    x->fold.failed = x->fold.failed || f.failed;
    weft__arena_free(&scratch);
    return joined && !x->fold.failed;
}

uint32_t weft__general_add(weft__general *x, const weft_graph *g, uint32_t like, int32_t changed)
{
    if (!weft__grow(&x->samples, &x->sample_cap, (size_t)x->n_samples + 1, sizeof *x->samples)) {
        x->fold.failed = true;
        return 0;
    }
    if (!join(x, g)) return 0;
    x->samples[x->n_samples] = (weft__sample){ .like = like, .changed = changed };
    return x->n_samples++;
}

/* ---- writing ---- */

bool weft__param_is_derived(const weft__param *p, uint32_t n_samples)
{
    if (p->kind > PARAM_FLOAT || !p->given || p->given[0]) return false;
    for (uint32_t k = 1; k < n_samples; k++)
        if (!p->given[k] && p->numbers[k] != p->numbers[0]) return true;
    return false;
}

static bool differs_in(const weft__param *p, uint32_t a, uint32_t b, uint32_t n_samples)
{
    if (p->given && weft__param_is_derived(p, n_samples)) return p->given[b];
    if (p->kind == PARAM_WORD) return strcmp(p->words[a], p->words[b]) != 0;
    if (p->kind != PARAM_LIST) return p->numbers[a] != p->numbers[b];
    const weft__param_list *x = &p->lists[a], *y = &p->lists[b];
    if (x->n != y->n) return true;
    for (uint32_t i = 0; i < x->n; i++)
        if (x->words ? strcmp(x->words[i], y->words[i]) != 0 : x->numbers[i] != y->numbers[i]) return true;
    return false;
}

/* Samples in which a literal parameter is another than in the first do not count, nor those that were dropped. */
static void leave_out(weft__general *x, const weft__param *params, uint32_t n)
{
    for (uint32_t k = 1; k < x->n_samples; k++) {
        x->samples[k].left_out = x->samples[k].dropped;
        for (uint32_t m = 0; m < n; m++)
            if (params[m].literal && !params[m].idle && differs_in(&params[m], 0, k, x->n_samples))
                x->samples[k].left_out = true;
    }
}

static weft__solver solver(weft__general *x, weft__param *params, uint32_t n)
{
    weft__solver s = { .f = &x->fold, .params = params, .n_params = n, .samples = x->samples };
    s.n_samples = x->n_samples;
    s.odd = weft__fold_alloc(&x->fold, x->n_samples, sizeof *s.odd);
    weft__name_counters(&s, x->first);
    return s;
}

/* How much could not be said. */
static uint32_t write(weft__general *x, weft__param *params, uint32_t n, weft__solver *s, weft__stmt **out)
{
    leave_out(x, params, n);
    for (uint32_t m = 0; m < n; m++) params[m].used = false;
    memset(x->extents, 0, (WEFT_MAX_EXTENTS + 1) * sizeof *x->extents);
    *s = solver(x, params, n);
    weft__writing w = { .f = &x->fold, .s = s, .g = x->first, .extents = x->extents };
    *out = weft__write_units(&w, x->list);
    return w.unsolved;
}

/* Whether a parameter is another in some sample that counts. */
static bool is_known(const weft__general *x, uint32_t m)
{
    for (uint32_t k = 1; k < x->n_samples; k++)
        if (x->samples[k].changed == (int32_t)m && !x->samples[k].left_out) return true;
    return false;
}

/* Drops the samples that are odd, such as a width that rotation cannot take; false: there are none. */
static bool drop_odd(weft__general *x, const weft__solver *s)
{
    bool any = false;
    for (uint32_t k = 1; k < x->n_samples; k++) {
        any = any || (s->odd[k] && !x->samples[k].dropped);
        x->samples[k].dropped = x->samples[k].dropped || s->odd[k];
    }
    return any;
}

weft__stmt *weft__general_write(weft__general *x, weft__param *params, uint32_t n)
{
    for (uint32_t tries = 0; tries <= n + x->n_samples; tries++) {
        weft__solver s;
        weft__stmt *list;
        uint32_t unsolved;
        leave_out(x, params, n);
        for (uint32_t m = 0; m < n; m++) params[m].literal = params[m].literal || !(params[m].idle || is_known(x, m));
        unsolved = write(x, params, n, &s, &list);
        if (!unsolved || x->fold.failed) return x->fold.failed ? NULL : list;
        if (drop_odd(x, &s)) continue;
        if (!s.n_culprits) return NULL; /* nobody's: it cannot be */
        for (uint32_t c = 0; c < s.n_culprits; c++) params[s.culprit[c]].literal = true;
    }
    return NULL;
}

weft__expr *weft__general_default(weft__general *x, weft__param *params, uint32_t n, uint32_t m, const bool *given)
{
    const weft__place **places = weft__fold_alloc(&x->fold, x->n_samples, sizeof *places);
    weft__place *at = weft__fold_alloc(&x->fold, x->n_samples, sizeof *at);
    weft__slot *values = weft__fold_alloc(&x->fold, x->n_samples, sizeof *values);
    uint32_t k = 0;
    if (!places || !at || !values || params[m].kind > PARAM_FLOAT) return NULL;
    for (uint32_t i = 0; i < x->n_samples; i++) {
        if (given[i] || x->samples[i].left_out) continue;
        at[k].sample = i;
        places[k] = &at[k];
        const double v = params[m].numbers[i];
        if (params[m].kind == PARAM_WHOLE) values[k++] = (weft__slot){ .kind = SLOT_WHOLE, .whole = (int64_t)v };
        else values[k++] = (weft__slot){ .kind = SLOT_FLOAT, .number = (float)v };
    }
    weft__solver s = solver(x, params, m);
    (void)n;
    return k ? weft__solve(&s, places, k, 0, values) : NULL;
}
