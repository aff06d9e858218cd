/* truth.c: conditions of counters: by a parameter's list, by another parameter, by numbers. */
#include "graph/text/problem.h"

#include <math.h>
#include <string.h>

static weft__expr *compare(weft__problem *p, const char *op, weft__expr *x, int64_t y)
{
    return weft__problem_binary(p, op, x, weft__expr_whole(p->s->f, y));
}

/* x % m == r, x % m != r */
static weft__expr *try_modulus(weft__problem *p, const weft__atom *x, const bool *want)
{
    for (int64_t m = 2; m <= 64; m++)
        for (int64_t r = 0; r < m; r++)
            for (int negative = 0; negative < 2; negative++) {
                uint32_t i = 0;
                while (i < p->n && (((int64_t)x->at[i] % m == r) != negative) == want[i]) i++;
                if (i < p->n) continue;
                return compare(p, negative ? "!=" : "==",
                               weft__problem_binary(p, "%", x->expr, weft__expr_whole(p->s->f, m)), r);
            }
    return NULL;
}

/* x < c, x >= c, x == c, x != c for a number or another atom */
static weft__expr *try_threshold(weft__problem *p, const weft__atom *x, const bool *want)
{
    static const char *const ops[] = { "<", ">=", "==", "!=" };
    for (uint32_t k = 0; k < p->n; k++)
        for (int op = 0; op < 4; op++) {
            uint32_t i = 0;
            const double c = x->at[k];
            for (; i < p->n; i++) {
                bool below = x->at[i] < c, equal = x->at[i] == c;
                if ((op == 0 ? below : op == 1 ? !below : op == 2 ? equal : !equal) != want[i]) break;
            }
            if (i == p->n) return compare(p, ops[op], x->expr, (int64_t)c);
        }
    return NULL;
}

static weft__expr *try_param_threshold(weft__problem *p, const weft__atom *x, const weft__atom *y, const bool *want)
{
    uint32_t below = 0, above = 0, turn = 0, other = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        below += (x->at[i] < y->at[i]) == want[i];
        above += (x->at[i] >= y->at[i]) == want[i];
        bool divides = y->at[i] > 0 && fmod(x->at[i] + 1, y->at[i]) == 0;
        turn += divides == want[i];
        other += !divides == want[i];
    }
    if (y->param >= 0 && (below == p->n || above == p->n || turn == p->n || other == p->n))
        p->s->params[y->param].used = true;
    if (below == p->n) return weft__problem_binary(p, "<", x->expr, y->expr);
    if (above == p->n) return weft__problem_binary(p, ">=", x->expr, y->expr);
    if (turn != p->n && other != p->n) return NULL;
    weft__expr *next = weft__problem_binary(p, "+", x->expr, weft__expr_whole(p->s->f, 1));
    return compare(p, turn == p->n ? "==" : "!=", weft__problem_binary(p, "%", next, y->expr), 0);
}

/* list[x] == word; x in list */
static weft__expr *try_list(weft__problem *p, const weft__atom *x, uint32_t m, const bool *want)
{
    const weft__param *q = &p->s->params[m];
    const weft__param_list *base = &q->lists[0];
    weft__expr *name = weft__expr_name(p->s->f, q->name), *args[] = { name, x->expr };
    for (uint32_t e = 0; e < base->n; e++) {
        uint32_t equal = 0;
        for (uint32_t i = 0; i < p->n; i++) {
            const weft__param_list *l = &q->lists[p->places[i]->sample];
            uint32_t at = (uint32_t)x->at[i];
            if (at >= l->n) break;
            bool same = base->words ? !strcmp(l->words[at], base->words[e]) : l->numbers[at] == base->numbers[e];
            equal += same == want[i];
        }
        if (equal < p->n) continue;
        p->s->params[m].used = true;
        weft__expr *word = base->words ? weft__expr_text(p->s->f, base->words[e])
                                       : weft__problem_number(p, base->numbers[e]);
        return weft__problem_binary(p, "==", weft__expr_many(p->s->f, EXPR_INDEX, NULL, args, 2), word);
    }
    for (int negative = 0; negative < 2 && base->numbers; negative++) {
        uint32_t fit = 0;
        for (uint32_t i = 0; i < p->n; i++) {
            const weft__param_list *l = &q->lists[p->places[i]->sample];
            bool in = false;
            for (uint32_t e = 0; e < l->n; e++) in = in || l->numbers[e] == x->at[i];
            fit += (in != negative) == want[i];
        }
        if (fit < p->n) continue;
        p->s->params[m].used = true;
        weft__expr *e = weft__problem_binary(p, "in", x->expr, name);
        return negative ? weft__expr_many(p->s->f, EXPR_UNARY, "not", &e, 1) : e;
    }
    return NULL;
}

/* x in [..]: the counter's values for which it holds, if it is the same for all samples. */
static weft__expr *try_members(weft__problem *p, const weft__atom *x, const bool *want)
{
    weft__expr *in[WEFT__MAX_MEMBERS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        bool known = false;
        for (uint32_t j = 0; j < i; j++) {
            if (x->at[j] != x->at[i]) continue;
            if (want[j] != want[i]) return NULL;
            known = true;
        }
        if (known || !want[i]) continue;
        if (n == WEFT__MAX_MEMBERS) return NULL;
        in[n++] = weft__problem_number(p, x->at[i]);
    }
    return weft__problem_binary(p, "in", x->expr, weft__expr_many(p->s->f, EXPR_LIST, NULL, in, n));
}

weft__expr *weft__problem_truth(weft__problem *p, const bool *want)
{
    weft__expr *e = NULL;
    for (uint32_t x = 0; x < p->n_atoms; x++) {
        const weft__atom *a = &p->atoms[x];
        if (a->param >= 0) continue; /* a counter */
        for (uint32_t m = 0; !e && m < p->s->n_params; m++)
            if (p->moves[m] && p->s->params[m].kind == PARAM_LIST && !p->s->params[m].literal)
                e = try_list(p, a, m, want);
        for (uint32_t y = 0; !e && y < p->n_atoms; y++)
            if (p->atoms[y].param >= 0 && p->atoms[y].other < 0) e = try_param_threshold(p, a, &p->atoms[y], want);
        if (!e) e = try_threshold(p, a, want);
        if (!e) e = try_modulus(p, a, want);
    }
    for (uint32_t x = 0; !e && x < p->n_atoms; x++)
        if (p->atoms[x].param < 0) e = try_members(p, &p->atoms[x], want);
    return e;
}
