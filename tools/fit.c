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

bool cli_programs_fit(const cli_programs *p)
{
    for (uint32_t d = 0; d < p->devices.n; d++) {
        weft_device_info device;
        weft_backend_info(p->devices.device[d], &device);
        if (device.memory_known && cli_programs_bytes(p, d) > device.memory) return false;
    }
    return true;
}

/* False: it could not be planned. */
static bool plan(const cli_args *a, const cli_source *s, const cli_device_list *devices, attempt *t)
{
    weft_model_graph_desc d = s->desc;
    cli_source other = *s;
    cli_programs programs = { .devices = *devices };
    if (t->weights != WEFT_ANY) d.weights = t->weights;
    d.context = other.context = t->context;
    other.chunk = s->chunk < t->context ? s->chunk : t->context;
    if (weft_model_graph(s->model, &d, &other.graph, NULL)) return false;
    bool ok = !cli_programs_plan(a, &other, NULL, &programs, NULL);
    t->bytes = 0;
    for (uint32_t k = 0; ok && k < devices->n; k++) t->bytes += cli_programs_bytes(&programs, k);
    t->fits = ok && cli_programs_fit(&programs);
    programs.devices.n = 0; /* borrowed */
    cli_programs_close(&programs);
    weft_graph_destroy(other.graph);
    return ok;
}

/* The larger of the formats that make it fit; else the smallest that could be tried. */
static attempt smaller_weights(const cli_args *a, const cli_source *s, const cli_device_list *l, uint32_t context)
{
    static const weft_dtype formats[] = { WEFT_Q8_0, WEFT_Q4_0 };
    attempt t = { .context = context };
    for (int i = 0; i < 2 && !t.fits; i++) {
        bool asked = s->desc.weights == WEFT_Q4_0 || s->desc.weights == formats[i];
        if (asked) continue;
        attempt next = { .weights = formats[i], .context = context };
        if (plan(a, s, l, &next)) t = next;
    }
    return t;
}

/* The longest context of those that halving comes to. */
static attempt shorter_context(const cli_args *a, const cli_source *s, const cli_device_list *l, weft_dtype weights)
{
    attempt t = { .weights = weights, .context = s->context };
    while (!t.fits && t.context / 2 >= LEAST_CONTEXT) {
        t.context /= 2;
        if (!plan(a, s, l, &t)) return (attempt){ 0 };
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

void cli_fit_hint(const cli_args *a, const cli_source *s, const cli_device_list *l, char *out, size_t size)
{
    attempt now = { .context = s->context };
    *out = 0;
    if (!plan(a, s, l, &now) || now.fits) return;
    attempt weights = smaller_weights(a, s, l, s->context), context = shorter_context(a, s, l, WEFT_ANY);
    size_t at = 0;
    if (weights.fits || context.fits) {
        at += (size_t)snprintf(out, size, "it would fit with ");
        if (weights.fits) at += (size_t)print_attempt(&weights, false, out + at, size - at);
        if (weights.fits && context.fits) at += (size_t)snprintf(out + at, size - at, " or ");
        if (context.fits) print_attempt(&context, true, out + at, size - at);
        return;
    }
    attempt both = weights.weights ? shorter_context(a, s, l, weights.weights) : context;
    if (!both.bytes) return;
    at += (size_t)snprintf(out, size, both.fits ? "it would fit with " : "too large even with ");
    print_attempt(&both, true, out + at, size - at);
}
