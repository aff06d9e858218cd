/* fit_scaled.c: groups that have a scale and no minimum.
 *
 * First the best scale of each group by itself: candidates around that which spreads its largest magnitude over all
 * levels, of both signs, each improved by least squares. Then the block's scale, of which the groups' are whole
 * multiples: for some divisors the loss is estimated from how curved each group's error is at its best scale. Last,
 * in turns: each group's whole number against its neighbours, by the true error; and the block's scale by least
 * squares. */
#include "graph/quantize/fit.h"

/* Steps of a group's search, in levels: where the largest magnitude lies beyond the highest level. */
enum { STEPS = 15, ROUNDS = 3, DIVISORS = 12 };
static const float FIRST = -0.6f, STEP = 0.15f;

/* Sums over a group whose levels are q: w x q, w q q. */
typedef struct sums {
    float xq, qq;
} sums;

static sums sums_at(const weft__fit_shape *s, const float *x, const float *w, float inverse)
{
    fit_vec xq = fit_all(0), qq = fit_all(0), by = fit_all(inverse);
    for (int i = 0; i < s->size; i += 4) {
        fit_vec v = fit_load(x + i), q = fit_snap(s, v * by), wq = fit_load(w + i) * q;
        xq += wq * v;
        qq += wq * q;
    }
    return (sums){ fit_sum(xq), fit_sum(qq) };
}

static float error_at(const weft__fit_shape *s, const float *x, const float *w, float scale)
{
    fit_vec e = fit_all(0), by = fit_all(fit_inverse(scale)), scales = fit_all(scale);
    for (int i = 0; i < s->size; i += 4) {
        fit_vec v = fit_load(x + i), r = v - scales * fit_snap(s, v * by);
        e += fit_load(w + i) * r * r;
    }
    return fit_sum(e);
}

/* The best scale of a group, and how curved the error is there; 0 if the group is zeros. */
static float best_scale(const weft__fit_shape *s, const float *x, const float *w, float *curve)
{
    float most = 0, gain = 0, scale = 0;
    float ends[2] = { s->table ? s->table[0] : (float)s->lo, s->table ? s->table[FIT_TABLE - 1] : (float)s->hi };
    for (int i = 0; i < s->size; i++) most = fmaxf(most, fabsf(x[i]));
    *curve = 0;
    if (most == 0) return 0;
    float unit = s->table ? (ends[1] - ends[0]) / FIT_TABLE : 1; /* of a step */
    for (int i = 0; i < 2 * STEPS; i++) {
        float reach = (fmaxf(-ends[0], ends[1]) + (FIRST + STEP * (float)(i / 2)) * unit) / most;
        sums t = sums_at(s, x, w, i % 2 ? -reach : reach);
        if (t.qq <= 0 || t.xq * t.xq <= gain * t.qq) continue;
        gain = t.xq * t.xq / t.qq;
        scale = t.xq / t.qq;
        *curve = t.qq;
    }
    for (int i = 0; i < 2 && scale != 0; i++) {
        sums t = sums_at(s, x, w, fit_inverse(scale));
        if (t.qq <= 0 || t.xq * t.xq <= gain * t.qq) break;
        gain = t.xq * t.xq / t.qq;
        scale = t.xq / t.qq;
        *curve = t.qq;
    }
    return scale;
}

/* The block's scale for the groups' best ones. */
static float divisor(const weft__fit_shape *s, const float *scales, const float *curves)
{
    float largest = 0, best = 0, least = INFINITY;
    for (int g = 0; g < s->groups; g++)
        if (fabsf(scales[g]) > fabsf(largest)) largest = scales[g];
    for (int i = 0; i < DIVISORS; i++) {
        int to = i % 2 ? s->scale_hi - i / 2 : s->scale_lo < 0 ? s->scale_lo + i / 2 : s->scale_hi - i / 2;
        if (to == 0 || (to > 0) != (i % 2 || s->scale_lo > 0)) continue;
        float d = largest / (float)to, loss = 0;
        for (int g = 0; g < s->groups; g++) {
            float off = d * (float)fit_clamp(fit_round(scales[g] / d), s->scale_lo, s->scale_hi) - scales[g];
            loss += curves[g] * off * off;
        }
        if (loss >= least) continue;
        least = loss;
        best = d;
    }
    return best;
}

/* Each group's whole number for the block's scale: that of `near`, or a neighbour. Returns the error. */
static float choose(const weft__fit_shape *s, const weft__fit_input *in, float d, const float *near, int *scale)
{
    float total = 0;
    for (int g = 0; g < s->groups; g++) {
        const float *x = in->x + g * s->size, *w = in->w + g * s->size;
        int middle = fit_clamp(fit_round(near[g]), s->scale_lo, s->scale_hi);
        float least = INFINITY;
        scale[g] = middle;
        for (int to = middle - 1; to <= middle + 1; to++) {
            if (to < s->scale_lo || to > s->scale_hi) continue;
            float e = error_at(s, x, w, d * (float)to);
            if (e >= least) continue;
            least = e;
            scale[g] = to;
        }
        total += least;
    }
    return total;
}

/* The block's scale that is best for whole numbers and the levels they bring about. */
static float refit(const weft__fit_shape *s, const weft__fit_input *in, float d, const int *scale)
{
    float up = 0, down = 0;
    for (int g = 0; g < s->groups; g++) {
        float whole = (float)scale[g];
        sums t = sums_at(s, in->x + g * s->size, in->w + g * s->size, fit_inverse(d * whole));
        up += whole * t.xq;
        down += whole * whole * t.qq;
    }
    return down > 0 ? up / down : d;
}

static void put_levels(const weft__fit_shape *s, const weft__fit_input *in, weft__fit *out)
{
    for (int i = 0; i < s->groups * s->size; i += 4) {
        fit_vec by = fit_all(fit_inverse(out->d * (float)out->scale[i / s->size]));
        fit_vec q = fit_snap(s, fit_load(in->x + i) * by);
        for (int j = 0; j < 4; j++) out->level[i + j] = fit_index(s, q[j]);
    }
}

void weft__fit_scaled(const weft__fit_shape *s, const weft__fit_input *in, weft__fit *out)
{
    float scales[FIT_GROUPS], curves[FIT_GROUPS], near[FIT_GROUPS], least = INFINITY;
    int scale[FIT_GROUPS];
    for (int g = 0; g < s->groups; g++)
        scales[g] = best_scale(s, in->x + g * s->size, in->w + g * s->size, &curves[g]);
    float d = fit_f16(in, divisor(s, scales, curves));
    for (int g = 0; g < s->groups; g++) near[g] = scales[g] / d;
    out->m = 0;
    for (int round = 0; round < ROUNDS; round++) {
        float e = choose(s, in, d, near, scale);
        if (e < least) {
            least = e;
            out->d = d;
            for (int g = 0; g < s->groups; g++) out->scale[g] = scale[g];
        } else {
            break;
        }
        float next = fit_f16(in, refit(s, in, d, scale));
        if (next == d) break;
        d = next;
        for (int g = 0; g < s->groups; g++) near[g] = (float)scale[g];
    }
    put_levels(s, in, out);
}
