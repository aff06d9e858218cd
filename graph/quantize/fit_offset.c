/* fit_offset.c: groups that have a scale and a minimum: x is near S q - M, with levels q of 0..hi.
 *
 * The same in three parts as fit_scaled.c, for two numbers instead of one: the best S and M of each group by itself,
 * by least squares for candidates of the levels; the block's pair of scales, by what the rounding of S and M to whole
 * multiples costs where the error is a quadratic form around its least; then neighbours and least squares in turns. */
#include "graph/quantize/fit.h"

enum { STEPS = 16, BETTER = 3, ROUNDS = 3, DIVISORS = 6 };
static const float FIRST = -0.75f, STEP = 0.125f;

/* Sums over a group: w, w x, w x x, and with the levels that were chosen w q, w q q, w x q. */
typedef struct sums {
    float w, x, xx, q, qq, xq;
} sums;

/* A group's own S and M, and the sums that the error's quadratic form is made of. */
typedef struct group {
    float scale, min, error;
    sums t;
} group;

/* Levels are the nearest of (x + min) inverse. */
static void add_levels(const weft__fit_shape *s, const float *x, const float *w, float min, float inverse, sums *t)
{
    fit_vec sq = fit_all(0), sqq = sq, sxq = sq, by = fit_all(inverse), offset = fit_all(min);
    for (int i = 0; i < s->size; i += 4) {
        fit_vec v = fit_load(x + i), q = fit_whole((v + offset) * by, 0, (float)s->hi), wq = fit_load(w + i) * q;
        sq += wq;
        sqq += wq * q;
        sxq += wq * v;
    }
    t->q = fit_sum(sq);
    t->qq = fit_sum(sqq);
    t->xq = fit_sum(sxq);
}

static float error_at(const weft__fit_shape *s, const float *x, const float *w, float scale, float min)
{
    fit_vec e = fit_all(0), by = fit_all(fit_inverse(scale)), scales = fit_all(scale), offset = fit_all(min);
    for (int i = 0; i < s->size; i += 4) {
        fit_vec v = fit_load(x + i) + offset, r = v - scales * fit_whole(v * by, 0, (float)s->hi);
        e += fit_load(w + i) * r * r;
    }
    return fit_sum(e);
}

static bool is_free(const weft__fit_shape *s)
{
    return s->groups == 1;
}

/* The least squares of S and M for the levels in t. */
static group solve(const weft__fit_shape *s, const sums *t)
{
    group r = { .t = *t };
    float det = t->qq * t->w - t->q * t->q;
    if (det > 0) {
        r.scale = (t->xq * t->w - t->x * t->q) / det;
        r.min = (r.scale * t->q - t->x) / t->w;
    }
    if (det <= 0 || (r.min < 0 && !is_free(s))) {
        r.min = 0;
        r.scale = t->qq > 0 ? t->xq / t->qq : 0;
    }
    r.error = t->xx - 2 * r.scale * t->xq + 2 * r.min * t->x + r.scale * r.scale * t->qq -
              2 * r.scale * r.min * t->q + r.min * r.min * t->w;
    return r;
}

/* Levels that are nearest for the S and M so far, and S and M for them, as long as that helps. */
static group improve(const weft__fit_shape *s, const float *x, const float *w, group g)
{
    for (int i = 0; i < BETTER; i++) {
        sums t = g.t;
        add_levels(s, x, w, g.min, fit_inverse(g.scale), &t);
        group next = solve(s, &t);
        if (!(next.error < g.error)) break;
        g = next;
    }
    return g;
}

static group best_group(const weft__fit_shape *s, const float *x, const float *w)
{
    float low = x[0], high = x[0];
    sums t = { 0 };
    for (int i = 0; i < s->size; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
        t.w += w[i];
        t.x += w[i] * x[i];
        t.xx += w[i] * x[i] * x[i];
    }
    if (low > 0 && !is_free(s)) low = 0;
    group best = { .min = is_free(s) ? -low : fmaxf(0, -low), .error = INFINITY, .t = t };
    if (high <= low) return best;
    for (int i = 0; i < STEPS; i++) {
        add_levels(s, x, w, -low, ((float)s->hi + FIRST + STEP * (float)i) / (high - low), &t);
        group g = improve(s, x, w, solve(s, &t));
        if (g.error < best.error) best = g;
    }
    return best;
}

/* What it costs that a group's S and M are off. */
static float loss(const sums *t, float scale, float min)
{
    return scale * scale * t->qq - 2 * scale * min * t->q + min * min * t->w;
}

/* The nearest minimum that a block's m allows where a group's S is off by `off`. */
static int min_for(const weft__fit_shape *s, const group *g, float off, float m)
{
    float want = g->min + (g->t.w > 0 ? off * g->t.q / g->t.w : 0);
    return fit_clamp(m != 0 ? fit_round(want / m) : 0, is_free(s) ? 1 : 0, s->min_hi);
}

/* The block's scales for the groups' best pairs. */
static void divisors(const weft__fit_shape *s, const group *groups, float *d, float *m)
{
    float scale = 0, min = 0, least = INFINITY;
    for (int g = 0; g < s->groups; g++) {
        scale = fmaxf(scale, groups[g].scale);
        min = is_free(s) ? groups[g].min : fmaxf(min, groups[g].min);
    }
    for (int i = 0; i < DIVISORS * DIVISORS; i++) {
        int scale_to = s->scale_hi - i / DIVISORS, min_to = s->min_hi - i % DIVISORS;
        if (scale_to <= 0 || min_to <= 0) continue;
        float by = scale / (float)scale_to, from = min / (float)min_to, total = 0;
        for (int g = 0; g < s->groups; g++) {
            const group *at = &groups[g];
            float off = (by > 0 ? by * (float)fit_clamp(fit_round(at->scale / by), 0, s->scale_hi) : 0) - at->scale;
            total += loss(&at->t, off, from * (float)min_for(s, at, off, from) - at->min);
        }
        if (total >= least) continue;
        least = total;
        *d = by;
        *m = from;
    }
}

/* A group's whole numbers for the block's scales, at or beside where its own S and M are. Returns the error. */
static float choose_group(const weft__fit_shape *s, const float *x, const float *w, const group *g, const weft__fit *f,
                          int *scale, int *min)
{
    float least = INFINITY;
    int middle = fit_clamp(f->d != 0 ? fit_round(g->scale / f->d) : 0, s->scale_lo, s->scale_hi);
    *scale = middle;
    *min = is_free(s);
    for (int to = middle - 1; to <= middle + 1; to++) {
        if (to < s->scale_lo || to > s->scale_hi) continue;
        int best = min_for(s, g, f->d * (float)to - g->scale, f->m);
        for (int from = best - 1; from <= best + 1; from++) {
            if (from < is_free(s) || from > s->min_hi) continue;
            float e = error_at(s, x, w, f->d * (float)to, f->m * (float)from);
            if (e >= least) continue;
            least = e;
            *scale = to;
            *min = from;
        }
    }
    return least;
}

static float choose(const weft__fit_shape *s, const weft__fit_input *in, const group *groups, weft__fit *f)
{
    float total = 0;
    for (int g = 0; g < s->groups; g++)
        total += choose_group(s, in->x + g * s->size, in->w + g * s->size, &groups[g], f, &f->scale[g], &f->min[g]);
    return total;
}

/* The block's scales that are best for whole numbers and the levels they bring about; and the groups as they are. */
static void refit(const weft__fit_shape *s, const weft__fit_input *in, group *groups, weft__fit *f)
{
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0; /* a: what d is multiplied with, b: m */
    for (int g = 0; g < s->groups; g++) {
        sums *t = &groups[g].t;
        double scale = f->scale[g], min = f->min[g];
        groups[g].scale = f->d * (float)f->scale[g];
        groups[g].min = f->m * (float)f->min[g];
        add_levels(s, in->x + g * s->size, in->w + g * s->size, groups[g].min, fit_inverse(groups[g].scale), t);
        aa += scale * scale * (double)t->qq;
        ab -= scale * min * (double)t->q;
        bb += min * min * (double)t->w;
        ax += scale * (double)t->xq;
        bx -= min * (double)t->x;
    }
    double det = aa * bb - ab * ab;
    if (det > 1e-12 * aa * bb) {
        f->d = (float)((ax * bb - bx * ab) / det);
        f->m = (float)((bx * aa - ax * ab) / det);
    } else if (aa > 0) {
        f->d = (float)(ax / aa);
    }
    f->d = fit_f16(in, f->d);
    f->m = fit_f16(in, f->m);
}

static void put_levels(const weft__fit_shape *s, const weft__fit_input *in, weft__fit *out)
{
    for (int i = 0; i < s->groups * s->size; i += 4) {
        int g = i / s->size;
        fit_vec by = fit_all(fit_inverse(out->d * (float)out->scale[g])), offset = fit_all(out->m * (float)out->min[g]);
        fit_vec q = fit_whole((fit_load(in->x + i) + offset) * by, 0, (float)s->hi);
        for (int j = 0; j < 4; j++) out->level[i + j] = (unsigned char)q[j];
    }
}

void weft__fit_offset(const weft__fit_shape *s, const weft__fit_input *in, weft__fit *out)
{
    group groups[FIT_GROUPS];
    weft__fit f = { 0 };
    float least = INFINITY;
    for (int g = 0; g < s->groups; g++) groups[g] = best_group(s, in->x + g * s->size, in->w + g * s->size);
    divisors(s, groups, &f.d, &f.m);
    f.d = fit_f16(in, f.d);
    f.m = fit_f16(in, f.m);
    for (int round = 0; round < ROUNDS; round++) {
        float e = choose(s, in, groups, &f);
        if (!(e < least)) break;
        least = e;
        *out = f;
        refit(s, in, groups, &f);
    }
    put_levels(s, in, out);
}
