/* fit.c: what would fit where a model does not: the same programs planned again with smaller weights and a shorter
 * context. Nothing is guessed, and no weight is read. */
#include "tools/cli.h"

#include <string.h>

enum { LEAST_CONTEXT = 128 };

/* One try: what would be asked for, and what it takes. */
typedef struct attempt {
    weft_dtype weights; /* WEFT_ANY: as it is asked for now */
    uint32_t context;
    uint64_t bytes; /* on all devices */
    bool fits;
} attempt;

typedef struct hint {
    weft_model *model;
    weft_session_desc desc; /* as it is asked for now; its progress is not told */
} hint;

/* False: it could not be planned. A context of 0 becomes the one that it means. */
static bool plan(const hint *h, attempt *t)
{
    weft_session_desc d = h->desc;
    weft_session_plan *p;
    if (t->weights != WEFT_ANY) d.weights = t->weights;
    d.context = t->context;
    if (weft_session_plan_create(h->model, &d, &p, NULL)) return false;
    t->context = weft_session_plan_desc(p)->context;
    t->bytes = 0;
    for (uint32_t k = 0; k < d.n_devices; k++) t->bytes += weft_session_plan_bytes(p, k);
    t->fits = !weft_session_plan_check(p, NULL);
    weft_session_plan_destroy(p);
    return true;
}

static double bytes_of(weft_dtype t)
{
    const weft_dtype_info *info = weft_dtype_get(t);
    return (double)info->bytes / info->block;
}

/* The largest format of blocks that takes less than so many bytes for a weight; ANY: there is none. */
static weft_dtype next_smaller(double than)
{
    weft_dtype best = WEFT_ANY;
    for (weft_dtype t = WEFT_ANY; t < WEFT_DTYPE_COUNT; t++) {
        const weft_dtype_info *info = weft_dtype_get(t);
        if (info->class_ != WEFT_DTYPE_BLOCK || !info->encodes || bytes_of(t) >= than) continue;
        if (best == WEFT_ANY || bytes_of(t) > bytes_of(best)) best = t;
    }
    return best;
}

/* The larger of the formats that make it fit; else the smallest that could be tried. */
static attempt smaller_weights(const hint *h, uint32_t context)
{
    attempt t = { .context = context };
    bool blocks = weft_dtype_get(h->desc.weights)->class_ == WEFT_DTYPE_BLOCK;
    weft_dtype format = next_smaller(blocks ? bytes_of(h->desc.weights) : 4.0);
    for (; format != WEFT_ANY && !t.fits; format = next_smaller(bytes_of(format))) {
        attempt next = { .weights = format, .context = context };
        if (plan(h, &next)) t = next;
    }
    return t;
}

/* The longest context of those that halving comes to. */
static attempt shorter_context(const hint *h, uint32_t context, weft_dtype weights)
{
    attempt t = { .weights = weights, .context = context };
    while (!t.fits && t.context / 2 >= LEAST_CONTEXT) {
        t.context /= 2;
        if (!plan(h, &t)) return (attempt){ 0 };
    }
    return t;
}

static int print_attempt(const attempt *t, bool context, char *out, size_t size)
{
    char length[32] = "";
    if (context) snprintf(length, sizeof length, "%s--context %u", t->weights ? " " : "", t->context);
    return snprintf(out, size, "`%s%s%s` (%.1f MiB)", t->weights ? "--weights " : "",
                    t->weights ? weft_dtype_get(t->weights)->name : "", length, (double)t->bytes / 1048576.0);
}

void cli_fit_hint(weft_model *m, const weft_session_desc *desc, char *out, size_t size)
{
    hint h = { m, *desc };
    attempt now = { .context = desc->context };
    *out = 0;
    h.desc.progress = (weft_progress_sink){ 0 };
    if (!plan(&h, &now) || now.fits) return;
    attempt weights = smaller_weights(&h, now.context), context = shorter_context(&h, now.context, WEFT_ANY);
    size_t at = 0;
    if (weights.fits || context.fits) {
        at += (size_t)snprintf(out, size, "it would fit with ");
        if (weights.fits) at += (size_t)print_attempt(&weights, false, out + at, size - at);
        if (weights.fits && context.fits) at += (size_t)snprintf(out + at, size - at, " or ");
        if (context.fits) print_attempt(&context, true, out + at, size - at);
        return;
    }
    attempt both = weights.weights ? shorter_context(&h, now.context, weights.weights) : context;
    if (!both.bytes) return;
    at += (size_t)snprintf(out, size, both.fits ? "it would fit with " : "too large even with ");
    print_attempt(&both, true, out + at, size - at);
}
