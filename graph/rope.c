/* rope.c: see rope.h. */
#include "graph/rope.h"

#include <math.h>
#include <string.h>

static const double two_pi = 6.283185307179586476925286766559;

static const char *const names[WEFT_ROPE_COUNT] = {
#define WEFT_ROPE(id, name) [WEFT_ROPE_##id] = name,
#include "rope.def"
#undef WEFT_ROPE
};

const char *weft__rope_name(weft_rope_kind kind)
{
    return (unsigned)kind < WEFT_ROPE_COUNT ? names[kind] : "?";
}

bool weft__rope_parse(const char *name, weft_rope_kind *out)
{
    for (unsigned k = 0; k < WEFT_ROPE_COUNT; k++) {
        if (strcmp(names[k], name)) continue;
        *out = (weft_rope_kind)k;
        return true;
    }
    return false;
}

/* Long waves are slowed down by the factor, short ones stay, those between go from the one to the other. */
static double by_bands(const weft_attr_rope_table *a, double w)
{
    double waves = (double)a->original * w / two_pi; /* in the original length */
    if (waves > (double)a->high) return w;
    if (waves < (double)a->low) return w / (double)a->factor;
    double s = (waves - (double)a->low) / ((double)a->high - (double)a->low);
    return (1 - s) * w / (double)a->factor + s * w;
}

/* The pair, as a real number, that makes so many turns within the original length. */
static double pair_of_turns(const weft_attr_rope_table *a, double turns)
{
    return a->n_rot * log((double)a->original / (turns * two_pi)) / (2 * log((double)a->theta));
}

/* Pairs up to `from` stay, those from `to` on are slowed down by the factor, with a ramp between. */
static void yarn(const weft_attr_rope_table *a, double *w)
{
    double from = pair_of_turns(a, a->high > 0 ? (double)a->high : 32);
    double to = pair_of_turns(a, a->low > 0 ? (double)a->low : 1);
    if (!a->untruncated) {
        from = floor(from);
        to = ceil(to);
    }
    from = fmax(from, 0);
    to = fmin(to, a->n_rot - 1);
    if (from == to) to += 0.001;
    for (int32_t i = 0; i < a->n_rot / 2; i++) {
        double ramp = fmin(fmax((i - from) / (to - from), 0), 1);
        w[i] = w[i] * (1 - ramp) + w[i] / (double)a->factor * ramp;
    }
}

void weft__rope_frequencies(const weft_attr_rope_table *a, double *out)
{
    int32_t turning = a->pairs ? a->pairs : a->n_rot / 2;
    for (int32_t i = 0; i < a->n_rot / 2; i++) {
        out[i] = i < turning ? pow((double)a->theta, -2.0 * i / a->n_rot) : 0;
        if (a->kind == WEFT_ROPE_LINEAR) out[i] /= (double)a->factor;
        if (a->kind == WEFT_ROPE_BANDS) out[i] = by_bands(a, out[i]);
    }
    if (a->kind == WEFT_ROPE_YARN) yarn(a, out);
}

double weft__rope_scale(const weft_attr_rope_table *a)
{
    if (a->scale > 0) return (double)a->scale;
    if (!(a->factor > 1)) return 1;
    if (a->kind == WEFT_ROPE_YARN) return 0.1 * log((double)a->factor) + 1;
    if (a->kind == WEFT_ROPE_LONGROPE) return sqrt(1 + log((double)a->factor) / log((double)a->original));
    return 1;
}

double weft__rope_stretch(const weft_attr_rope_table *a, double length)
{
    if (a->kind != WEFT_ROPE_DYNAMIC || !(length > (double)a->original)) return 1;
    return (double)a->factor * length / (double)a->original - ((double)a->factor - 1);
}
