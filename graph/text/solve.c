/* solve.c: which parameters and counters values follow, and by what kind of expression: a form (forms.c), one value or
 * another by a condition (truth.c), a list. */
#include "graph/text/problem.h"

#include <string.h>

/* ---- atoms ---- */

static double *add_atom(weft__problem *p, weft__expr *e, bool whole, int32_t param, int32_t other)
{
    double *at = e && p->n_atoms < WEFT__MAX_ATOMS ? weft__fold_scratch(p->s->f, p->n, sizeof *at) : NULL;
    if (at) p->atoms[p->n_atoms++] = (weft__atom){ e, at, whole, param, other };
    return at;
}

static void add_counters(weft__problem *p)
{
    for (uint32_t k = 0; k < p->depth; k++) {
        double *at = add_atom(p, weft__expr_name(p->s->f, p->s->counter[p->depth - 1 - k]), true, -1, -1);
        for (uint32_t i = 0; at && i < p->n; i++) at[i] = (double)p->places[i]->counter[k];
    }
}

static void add_param(weft__problem *p, uint32_t m)
{
    const weft__param *q = &p->s->params[m];
    if (q->kind > PARAM_FLOAT || q->literal) return;
    double *at = add_atom(p, weft__expr_name(p->s->f, q->name), q->kind == PARAM_WHOLE, (int32_t)m, -1);
    for (uint32_t i = 0; at && i < p->n; i++) at[i] = q->numbers[p->places[i]->sample];
}

/* Whether a parameter moves another one, whose value without a key follows it. */
static bool moves_param(const weft__problem *p, uint32_t by, uint32_t m)
{
    const weft__param *q = &p->s->params[m];
    for (uint32_t k = 1; k < p->s->n_samples; k++) {
        const weft__sample *x = &p->s->samples[k];
        if (x->changed == (int32_t)by && q->kind <= PARAM_FLOAT && q->numbers[k] != q->numbers[x->like]) return true;
    }
    return false;
}

/* Those that move the values; then those that do it by another: both may cancel each other. */
static void add_params(weft__problem *p)
{
    for (uint32_t m = 0; m < p->s->n_params; m++)
        if (p->moves[m]) add_param(p, m);
    for (uint32_t by = 0; by < p->s->n_params; by++) {
        bool too = false;
        for (uint32_t m = 0; m < p->s->n_params && !p->moves[by]; m++)
            too = too || (p->moves[m] && moves_param(p, by, m));
        if (too) add_param(p, by);
    }
}

/* Quotients that are whole everywhere, such as a head's width. */
static void add_ratios(weft__problem *p)
{
    const uint32_t n = p->n_atoms;
    for (uint32_t x = 0; x < n; x++)
        for (uint32_t y = 0; y < n; y++) {
            const weft__atom *a = &p->atoms[x], *b = &p->atoms[y];
            bool even = x != y && a->whole && b->whole && a->param >= 0 && b->param >= 0;
            for (uint32_t i = 0; even && i < p->n; i++) even = b->at[i] != 0 && weft__is_whole(a->at[i] / b->at[i]);
            if (!even) continue;
            weft__expr *e = weft__problem_binary(p, "/", a->expr, b->expr);
            double *at = add_atom(p, e, true, a->param, b->param);
            for (uint32_t i = 0; at && i < p->n; i++) at[i] = p->atoms[x].at[i] / p->atoms[y].at[i];
        }
}

/* ---- what moves values ---- */

/* Which of two places comes first in its graph, whatever the graph. */
static int by_counters(const weft__place *a, const weft__place *b, uint32_t depth)
{
    while (depth--)
        if (a->counter[depth] != b->counter[depth]) return a->counter[depth] < b->counter[depth] ? -1 : 1;
    return 0;
}

typedef bool same_fn(const void *values, uint32_t i, uint32_t j);

bool weft__slots_equal(const weft__slot *a, const weft__slot *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == SLOT_WORD) return !strcmp(a->word, b->word);
    return a->kind == SLOT_WHOLE ? a->whole == b->whole : !memcmp(&a->number, &b->number, sizeof a->number);
}

static bool same_slots(const void *values, uint32_t i, uint32_t j)
{
    const weft__slot *v = values;
    return weft__slots_equal(&v[i], &v[j]);
}

static bool same_truths(const void *values, uint32_t i, uint32_t j)
{
    const bool *v = values;
    return v[i] == v[j];
}

/* Where the places of each sample begin, which stand together; [n_samples] is the end. */
static uint32_t *find_begins(const weft__problem *p)
{
    uint32_t *begin = weft__fold_scratch(p->s->f, (size_t)p->s->n_samples + 1, sizeof *begin), i = 0;
    for (uint32_t k = 0; begin && k <= p->s->n_samples; k++) {
        while (i < p->n && p->places[i]->sample < k) i++;
        begin[k] = i;
    }
    return begin;
}

static bool differs(const weft__problem *p, const uint32_t *begin, uint32_t a, uint32_t b, const void *values,
                    same_fn *same)
{
    uint32_t i = begin[a], j = begin[b];
    while (i < begin[a + 1] && j < begin[b + 1]) {
        int order = by_counters(p->places[i], p->places[j], p->depth);
        if (!order && !same(values, i, j)) return true;
        i += order <= 0;
        j += order >= 0;
    }
    return false;
}

static void find_moves(weft__problem *p, const void *values, same_fn *same)
{
    uint32_t *begin = find_begins(p);
    p->moves = weft__fold_scratch(p->s->f, (size_t)p->s->n_params + 1, sizeof *p->moves);
    for (uint32_t k = 1; begin && p->moves && k < p->s->n_samples; k++) {
        const weft__sample *x = &p->s->samples[k];
        if (x->changed < 0 || (uint32_t)x->changed >= p->s->n_params || p->moves[x->changed]) continue;
        if (begin[k] == begin[k + 1]) continue; /* left out */
        p->moves[x->changed] = differs(p, begin, x->like, k, values, same);
    }
}

static void blame(weft__problem *p)
{
    weft__solver *s = p->s;
    for (uint32_t m = 0; m < s->n_params; m++) {
        uint32_t known = 0;
        while (known < s->n_culprits && s->culprit[known] != m) known++;
        if (p->moves[m] && known == s->n_culprits && known < sizeof s->culprit / sizeof *s->culprit)
            s->culprit[s->n_culprits++] = m;
    }
}

/* ---- wholes and floats ---- */

static weft__expr *constant(weft__problem *p, const weft__slot *v)
{
    for (uint32_t i = 1; i < p->n; i++)
        if (!same_slots(v, 0, i)) return NULL;
    if (v->kind == SLOT_WORD) return weft__expr_name(p->s->f, v->word);
    return v->kind == SLOT_WHOLE ? weft__expr_whole(p->s->f, v->whole) : weft__expr_float(p->s->f, v->number);
}

/* Values by a counter alone, as a list. */
static weft__expr *listed(weft__problem *p, const weft__slot *v)
{
    weft__expr *items[WEFT__MAX_MEMBERS];
    const weft__atom *x = NULL;
    for (uint32_t k = 0; !x && k < p->n_atoms; k++)
        if (p->atoms[k].param < 0) x = &p->atoms[k];
    if (!x || v->kind == SLOT_WORD) return NULL;
    double lo = x->at[0];
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t j = 0;
        while (j < i && x->at[j] != x->at[i]) j++;
        if (j < i && !same_slots(v, i, j)) return NULL;
        if (j < i) continue;
        if (x->at[i] != lo + n || n == WEFT__MAX_MEMBERS) return NULL;
        items[n++] = v->kind == SLOT_WHOLE ? weft__expr_whole(p->s->f, v[i].whole)
                                           : weft__expr_float(p->s->f, v[i].number);
    }
    weft__expr *at = lo == 0 ? x->expr : weft__problem_binary(p, "-", x->expr, weft__problem_number(p, lo));
    return weft__expr_many(p->s->f, EXPR_INDEX, NULL,
                           (weft__expr *[]){ weft__expr_many(p->s->f, EXPR_LIST, NULL, items, n), at }, 2);
}

static bool is_zero(const weft__slot *v)
{
    return v->kind == SLOT_WHOLE ? v->whole == 0 : v->kind == SLOT_FLOAT && v->number == 0;
}

/* Which places have the one of two values: not 0, or as the first of their sample. */
static bool split(const weft__problem *p, const weft__slot *v, bool *mask)
{
    bool any = false, all = true, zero = false;
    uint32_t first = 0;
    for (uint32_t i = 0; i < p->n; i++) zero = zero || is_zero(&v[i]);
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->places[i]->sample != p->places[first]->sample) first = i;
        mask[i] = zero ? !is_zero(&v[i]) : same_slots(v, i, first);
        any = any || mask[i];
        all = all && mask[i];
    }
    return any && !all;
}

static weft__expr *solve(weft__solver *s, const weft__place *const *places, uint32_t n, uint32_t depth,
                         const weft__slot *v, int level);

static weft__expr *part(weft__problem *p, const weft__slot *v, const bool *mask, bool of, int level)
{
    const weft__place **places = weft__fold_scratch(p->s->f, p->n, sizeof *places);
    weft__slot *values = weft__fold_scratch(p->s->f, p->n, sizeof *values);
    uint32_t n = 0;
    for (uint32_t i = 0; places && values && i < p->n; i++) {
        if (mask[i] != of) continue;
        places[n] = p->places[i];
        values[n++] = v[i];
    }
    return n && values ? solve(p->s, places, n, p->depth, values, level + 1) : NULL;
}

/* What is so where a parameter says it, and else otherwise: p > 0 ? one : other. */
static weft__expr *by_param(weft__problem *p, const weft__slot *v, int level)
{
    bool *mask = weft__fold_scratch(p->s->f, p->n, sizeof *mask);
    for (uint32_t a = 0; mask && level < 2 && a < p->n_atoms; a++) {
        const weft__atom *x = &p->atoms[a];
        bool any = false, all = true;
        for (uint32_t i = 0; i < p->n; i++) {
            mask[i] = x->at[i] > 0;
            any = any || mask[i];
            all = all && mask[i];
        }
        if (x->param < 0 || x->other >= 0 || !any || all) continue;
        weft__expr *one = part(p, v, mask, true, level), *other = one ? part(p, v, mask, false, level) : NULL;
        if (!other) continue;
        p->s->params[x->param].used = true;
        weft__expr *when = weft__problem_binary(p, ">", x->expr, weft__expr_whole(p->s->f, 0));
        return weft__expr_many(p->s->f, EXPR_COND, NULL, (weft__expr *[]){ when, one, other }, 3);
    }
    return NULL;
}

/* condition ? one : other */
static weft__expr *piecewise(weft__problem *p, const weft__slot *v, int level)
{
    bool *mask = weft__fold_scratch(p->s->f, p->n, sizeof *mask);
    if (!mask || level > 1 || !p->depth || !split(p, v, mask)) return NULL;
    weft__expr *when = weft__solve_truth(p->s, p->places, p->n, p->depth, mask);
    weft__expr *x = when ? part(p, v, mask, true, level) : NULL, *y = x ? part(p, v, mask, false, level) : NULL;
    return y ? weft__expr_many(p->s->f, EXPR_COND, NULL, (weft__expr *[]){ when, x, y }, 3) : NULL;
}

/* A word that a parameter has in all samples. */
static weft__expr *word(weft__problem *p, const weft__slot *v)
{
    for (uint32_t m = 0; m < p->s->n_params; m++) {
        weft__param *q = &p->s->params[m];
        if (!p->moves[m] || q->kind != PARAM_WORD || q->literal) continue;
        uint32_t i = 0;
        while (i < p->n && q->words[p->places[i]->sample] && !strcmp(q->words[p->places[i]->sample], v[i].word)) i++;
        if (i < p->n) continue;
        q->used = true;
        return weft__expr_name(p->s->f, q->name);
    }
    return NULL;
}

static bool begin(weft__problem *p, const void *values, same_fn *same)
{
    find_moves(p, values, same);
    if (p->s->f->failed) return false;
    add_counters(p);
    add_params(p);
    if (p->n_atoms <= 8) add_ratios(p);
    return !p->s->f->failed;
}

static weft__expr *solve(weft__solver *s, const weft__place *const *places, uint32_t n, uint32_t depth,
                         const weft__slot *v, int level)
{
    weft__problem p = { .s = s, .places = places, .n = n, .depth = depth };
    weft__expr *e = constant(&p, v);
    if (e || !begin(&p, v, same_slots)) return e;
    const bool whole = v->kind == SLOT_WHOLE;
    p.floats = v->kind == SLOT_FLOAT;
    if (v->kind == SLOT_WORD) e = word(&p, v);
    else e = weft__problem_form(&p, v);
    if (!e && whole) e = weft__problem_line(&p, v);
    if (!e) e = piecewise(&p, v, level);
    if (!e) e = by_param(&p, v, level);
    if (!e && !level) e = listed(&p, v);
    if (!e && !s->f->failed && !level) {
        blame(&p);
        if (v->kind != SLOT_WORD && !depth) weft__problem_mark_odd(&p, v);
    }
    return e;
}

weft__expr *weft__solve(weft__solver *s, const weft__place *const *places, uint32_t n, uint32_t depth,
                        const weft__slot *v)
{
    /* What is the same in all turns is looked at once for each sample. */
    const weft__place **few = weft__fold_scratch(s->f, n, sizeof *few);
    weft__slot *values = weft__fold_scratch(s->f, n, sizeof *values);
    uint32_t k = 0;
    bool turns = false;
    for (uint32_t i = 0; few && values && i < n; i++) {
        if (!k || places[i]->sample != few[k - 1]->sample) {
            few[k] = places[i];
            values[k++] = v[i];
        } else {
            values[k] = v[i];
            turns = turns || !same_slots(values, k - 1, k);
        }
    }
    if (s->f->failed) return NULL;
    return turns ? solve(s, places, n, depth, v, 0) : solve(s, few, k, 0, values, 0);
}

weft__expr *weft__solve_truth(weft__solver *s, const weft__place *const *places, uint32_t n, uint32_t depth,
                              const bool *values)
{
    weft__problem p = { .s = s, .places = places, .n = n, .depth = depth };
    if (!begin(&p, values, same_truths)) return NULL;
    weft__expr *e = weft__problem_truth(&p, values);
    if (!e && !s->f->failed) blame(&p);
    return e;
}

static bool same_data(const void *values, uint32_t i, uint32_t j)
{
    const weft__place *const *places = values;
    const weft_node *a = places[i]->node, *b = places[j]->node;
    return !memcmp(a->data, b->data, (size_t)weft_value_bytes(places[i]->g, a->out[0], NULL));
}

void weft__solve_blame(weft__solver *s, const weft__place *const *places, uint32_t n)
{
    weft__problem p = { .s = s, .places = places, .n = n };
    find_moves(&p, places, same_data);
    if (!s->f->failed) blame(&p);
}
