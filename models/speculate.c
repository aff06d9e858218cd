#include "models/speculate.h"

#include <math.h>

/* ---- what runs take ---- */

static const uint32_t widths[WEFT__WIDTHS] = { 1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192 };

void weft__timing_add(weft__timing *t, double seconds)
{
    const double most = 2 * t->seconds;
    if (!t->n) t->seconds = seconds;
    else if (t->n == 1) t->seconds = fmin(t->seconds, seconds);
    else if (seconds < t->seconds) t->seconds += 0.5 * (seconds - t->seconds);
    else t->seconds += 0.125 * ((seconds < most ? seconds : most) - t->seconds);
    if (t->n < UINT32_MAX) t->n++;
}

void weft__widths_add(weft__widths *w, uint32_t width, double seconds)
{
    const uint32_t most = widths[WEFT__WIDTHS - 1];
    if (width > most) seconds *= (double)most / width, width = most;
    for (uint32_t i = 0; i < WEFT__WIDTHS; i++)
        if (widths[i] == width) weft__timing_add(&w->at[i], seconds);
}

bool weft__widths_is_cold(const weft__widths *w, uint32_t width)
{
    for (uint32_t i = 0; i < WEFT__WIDTHS; i++)
        if (widths[i] == width) return !w->at[i].n;
    return false;
}

double weft__widths_get(const weft__widths *w, uint32_t width)
{
    const double each_more = 0.25, power = 0.8; /* what is hoped for */
    int before = -1, below = -1, above = -1;
    for (int i = 0; i < WEFT__WIDTHS; i++) {
        if (w->at[i].n < 2) continue;
        if (widths[i] <= width) before = below, below = i;
        else if (above < 0) above = i;
    }
    if (below < 0) return above < 0 ? 0 : w->at[above].seconds;
    const double t = w->at[below].seconds, at = widths[below];
    if (widths[below] == width) return t;
    if (above >= 0) return t + (w->at[above].seconds - t) * (width - at) / (widths[above] - at);
    if (before < 0) return t * (1 + each_more * (width - at));
    const double line = (t - w->at[before].seconds) / (at - widths[before]);
    return fmin(t + fmax(line, 0) * (width - at), t * pow(width / at, power));
}

/* ---- one text ---- */

/* How sure a kind is before it was tried: as if so many of its tokens had been right, and one wrong. */
static const double presumed[WEFT_DRAFT_KINDS] = { 1, 2, 3, 6 };

static double rate_of(const weft__pace *p, uint32_t kind)
{
    const double hits = p->hits[kind] + presumed[kind], rate = hits / (hits + p->misses[kind] + 1);
    return rate < 0.99 ? rate : 0.99;
}

static double best_rate(const weft__pace *p)
{
    double best = 0;
    for (uint32_t i = 0; i < WEFT_DRAFT_KINDS; i++) best = fmax(best, rate_of(p, i));
    return best;
}

/* What a draft of some length is expected to take and to give, beside what others take and are given. */
typedef struct outlook { uint32_t n; double seconds, tokens; } outlook;

/* The length that gives the most tokens per second, of those that cost `most` seconds at most where all is wrong. */
static outlook find_best(const weft__pace *p, const weft__widths *w, const weft__plain *plain, const weft__offer *o,
                         double read, double most)
{
    const double step = weft__widths_get(w, plain->width);
    const double rate = o->kind < WEFT_DRAFT_KINDS ? rate_of(p, o->kind) : best_rate(p);
    outlook best = { 0 };
    for (uint32_t i = 0; i < WEFT__WIDTHS; i++) {
        if (widths[i] <= plain->width || widths[i] - plain->width > o->most) continue;
        const uint32_t n = widths[i] - plain->width;
        const outlook x = { n, weft__widths_get(w, widths[i]) + n * o->each + read,
                            plain->others + (1 - pow(rate, n + 1)) / (1 - rate) };
        if (x.seconds - step > most) continue;
        if (!best.n || x.tokens * best.seconds > best.tokens * x.seconds) best = x;
    }
    return best;
}

static bool pays(const outlook *x, double token)
{
    const double margin = 1.05;
    return x->n && x->tokens * token > margin * x->seconds;
}

/* Whether what is left of the text repays what must be read first. */
static bool may_read(const weft__pace *p, const weft__plain *plain, const weft__offer *o, const outlook *x,
                     double token)
{
    const double part = 0.05, runs = o->left / (x->tokens - plain->others);
    return runs * (x->tokens * token - x->seconds) > o->read && p->read + o->read <= part * p->plain;
}

weft__choice weft__pace_choose(const weft__pace *p, const weft__widths *w, const weft__plain *plain,
                               const weft__offer *o)
{
    const double part = 0.01, start = 2;
    const double step = weft__widths_get(w, plain->width), token = step / (plain->others + 1.0);
    const double hopes = part * p->plain + start * token - p->lost, tries = part * p->plain - p->probed;
    if (step <= 0) return (weft__choice){ 0 };
    const outlook whole = find_best(p, w, plain, o, o->read, hopes), rest = find_best(p, w, plain, o, 0, hopes);
    if (pays(&whole, token)) return (weft__choice){ .n = whole.n };
    if (o->read > 0 && pays(&rest, token) && may_read(p, plain, o, &rest, token))
        return (weft__choice){ .n = rest.n, .reads = true };
    return (weft__choice){ .n = find_best(p, w, plain, o, o->read, tries).n, .probe = true };
}

void weft__pace_alone(weft__pace *p, double token_seconds)
{
    p->plain += token_seconds;
}

void weft__pace_prompt(weft__pace *p, double seconds)
{
    p->plain += seconds;
}

void weft__pace_read(weft__pace *p, double seconds)
{
    p->read += seconds;
}

void weft__pace_wasted(weft__pace *p, double seconds, bool probe)
{
    *(probe ? &p->probed : &p->lost) += seconds;
}

void weft__pace_checked(weft__pace *p, uint32_t kind, uint32_t drafted, uint32_t accepted, bool probe,
                        double extra_seconds, double token_seconds)
{
    const double keep = 0.9, most_gained = 8, loss = extra_seconds - accepted * token_seconds;
    p->hits[kind] = keep * p->hits[kind] + accepted;
    p->misses[kind] = keep * p->misses[kind] + (accepted < drafted);
    p->plain += (1 + accepted) * token_seconds;
    if (probe) {
        p->probed = fmax(p->probed + loss, 0);
        return;
    }
    p->lost = fmax(p->lost + loss, -most_gained * token_seconds); /* what was gained long ago is not lost again */
}
