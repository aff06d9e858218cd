/* fit.c: what fits on the devices. --fit chooses context and cache (and, with the plan, layers and the length of runs)
 * so that a session does; where one does not, a hint says what would help. The same programs are planned again and
 * again for that: nothing is guessed, and no weight is read. */
#include "tools/cli.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum {
    LEAST_CONTEXT = 128,
    SHORT_RUN = 32,          /* below that prompts are slow: rather less context */
    OWN_BYTES = 8 << 20,     /* what the process comes to take beside a session: code, the programs themselves */
    COMPILER_BYTES = 256 << 20, /* of a driver that is the processor: lavapipe's, measured in docs/memory-plan.md */
    PARTS_OF_CONTEXT = 32    /* a context is chosen to that fraction of the whole */
};

/* One try: what would be asked for, and what it takes. */
typedef struct attempt {
    weft_dtype weights, kv; /* WEFT_ANY: as it is asked for now */
    uint32_t context, run;  /* run: what the plan settles on; asked for if it is not 0 */
    uint64_t bytes;         /* on all devices */
    uint64_t each[CLI_MAX_DEVICES];
    uint32_t layers[CLI_MAX_DEVICES];
    bool planned, fits;
} attempt;

typedef struct hint {
    weft_model *model;
    weft_session_desc desc; /* as it is asked for now; its progress is not told */
    uint64_t own;           /* bytes of the processor's memory that are the process's own */
} hint;

static weft_device_info device(const hint *h, uint32_t k)
{
    weft_device_info info;
    weft_backend_info(h->desc.devices[k], &info);
    return info;
}

/* What else comes out of a device's memory: where that is the process's, the process, and a driver's compiler. */
static uint64_t beside(const hint *h, const weft_device_info *info)
{
    if (!h->own || (info->type != WEFT_DEVICE_CPU && info->type != WEFT_DEVICE_SOFTWARE)) return 0;
    return h->own + (info->type == WEFT_DEVICE_SOFTWARE ? COMPILER_BYTES : 0);
}

static bool has_room(const hint *h, const attempt *t)
{
    for (uint32_t k = 0; k < h->desc.n_devices; k++) {
        const weft_device_info info = device(h, k);
        const uint64_t more = beside(h, &info);
        if (more && info.memory_known && t->each[k] + more > info.memory) return false;
    }
    return true;
}

/* False: it could not be planned. A context of 0 becomes the one that it means. */
static bool plan(const hint *h, attempt *t)
{
    weft_session_desc d = h->desc;
    weft_session_plan *p;
    if (t->weights != WEFT_ANY) d.weights = t->weights;
    if (t->kv != WEFT_ANY) d.kv = d.kv_values = t->kv;
    if (t->run) d.max_tokens = t->run;
    d.context = t->context;
    if (weft_session_plan_create(h->model, &d, &p, NULL)) return false;
    t->context = weft_session_plan_desc(p)->context;
    t->run = weft_session_plan_desc(p)->max_tokens;
    t->bytes = 0;
    for (uint32_t k = 0; k < d.n_devices; k++) {
        t->each[k] = weft_session_plan_bytes(p, k);
        t->layers[k] = weft_program_split(weft_session_plan_program(p, SIZE_MAX), k);
        t->bytes += t->each[k];
    }
    t->planned = true;
    t->fits = !weft_session_plan_check(p, NULL) && has_room(h, t);
    weft_session_plan_destroy(p);
    return true;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

/* ---- weights that would be smaller ---- */

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
        if (info->class_ != WEFT_DTYPE_BLOCK || !weft_dtype_quantizes(t) || bytes_of(t) >= than) continue;
        if (best == WEFT_ANY || bytes_of(t) > bytes_of(best)) best = t;
    }
    return best;
}

/* What somebody quantised is not quantised again to make it fit. */
static bool is_quantised(const weft_model *m)
{
    const weft_checkpoint *files = weft_model_checkpoint(m);
    const weft_tensor_info *t;
    for (size_t k = 0; files && (t = weft_checkpoint_tensor(files, k)); k++)
        if (weft_model_uses(m, k) && t->type != WEFT_ANY && weft_dtype_get(t->type)->class_ == WEFT_DTYPE_BLOCK)
            return true;
    return false;
}

/* The larger of the formats that make it fit; else the smallest that could be tried. */
static attempt smaller_weights(const hint *h, attempt like)
{
    attempt t = { 0 };
    if (is_quantised(h->model)) return t;
    bool blocks = weft_dtype_get(h->desc.weights)->class_ == WEFT_DTYPE_BLOCK;
    weft_dtype format = next_smaller(blocks ? bytes_of(h->desc.weights) : 4.0);
    for (; format != WEFT_ANY && !t.fits; format = next_smaller(bytes_of(format))) {
        attempt next = like;
        next.weights = format;
        if (plan(h, &next)) t = next;
    }
    return t;
}

/* ---- the hint ---- */

/* The longest context of those that halving comes to. */
static attempt shorter_context(const hint *h, uint32_t context, weft_dtype weights)
{
    attempt t = { .weights = weights, .context = context };
    while (!t.fits && t.context / 2 >= LEAST_CONTEXT) {
        t.context /= 2;
        t.run = 0;
        if (!plan(h, &t)) return (attempt){ 0 };
    }
    return t;
}

static int print_attempt(const attempt *t, bool context, char *out, size_t size)
{
    char length[32] = "";
    if (context) snprintf(length, sizeof length, "%s--context %u", t->weights ? " " : "", t->context);
    return snprintf(out, size, "`%s%s%s` (%.1f MiB)", t->weights ? "--weights " : "",
                    t->weights ? weft_dtype_get(t->weights)->name : "", length, mib(t->bytes));
}

void cli_fit_hint(weft_model *m, const weft_session_desc *desc, char *out, size_t size)
{
    hint h = { m, *desc, 0 };
    attempt now = { .context = desc->context };
    *out = 0;
    h.desc.progress = (weft_progress_sink){ 0 };
    if (!plan(&h, &now) || now.fits) return;
    attempt weights = smaller_weights(&h, (attempt){ .context = now.context });
    attempt context = shorter_context(&h, now.context, WEFT_ANY);
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

/* ---- --fit ---- */

/* What is chosen: the wish, and why it is not had. */
typedef struct choice {
    attempt wish, got;
    bool given_context, given_kv, given_run;
} choice;

/* Pages of this process that are there now, which no plan counts. */
static uint64_t own_bytes(void)
{
    unsigned long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%lu %lu", &all, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) + OWN_BYTES;
}

/* Whether it fits, in runs that are not too short; where the process itself is in the way, in shorter ones. */
static bool suits(const hint *h, attempt *t, uint32_t least_run)
{
    static const uint32_t shorter[] = { 0, 128, SHORT_RUN, 8, 1 };
    if (least_run > t->context && t->context) least_run = t->context;
    for (size_t k = 0; k < sizeof shorter / sizeof *shorter; k++) {
        if (k && shorter[k] >= t->run) continue;
        if (k && (h->desc.max_tokens || shorter[k] < least_run)) return false;
        t->run = shorter[k];
        if (!plan(h, t)) return false;
        if (t->fits) return h->desc.max_tokens || t->run >= least_run;
    }
    return false;
}

/* The longest context that does, in steps of a fraction of the whole. */
static bool longest(const hint *h, uint32_t whole, weft_dtype kv, uint32_t least_run, attempt *out)
{
    uint32_t step = whole / PARTS_OF_CONTEXT > 64 ? whole / PARTS_OF_CONTEXT / 64 * 64 : 64, low = 0;
    for (uint32_t n = whole / step, high = n + 1; low + 1 < high;) { /* low steps suit, high do not */
        uint32_t middle = low + (high - low) / 2;
        attempt t = { .kv = kv, .context = middle * step };
        if (suits(h, &t, least_run)) low = middle, *out = t;
        else high = middle;
    }
    return low * step >= LEAST_CONTEXT;
}

/* The least of everything that was not asked for. */
static attempt least(const hint *h, const choice *c)
{
    static const weft_dtype types[] = { WEFT_Q4_0, WEFT_Q8_0, WEFT_ANY };
    attempt t = { 0 };
    for (uint32_t k = c->given_kv ? 2 : 0; k < 3 && !t.planned; k++) {
        uint32_t context = c->given_context || c->wish.context < LEAST_CONTEXT ? c->wish.context : LEAST_CONTEXT;
        t = (attempt){ .kv = types[k], .context = context, .run = c->given_run ? 0 : 1 };
        plan(h, &t);
    }
    return t;
}

/* First all of the context, in a cache of q8_0 if need be, which costs next to nothing; then less of it; a cache of
 * q4_0, which is less exact, where that is too little. At last in runs however short. What was asked for stays. */
static bool choose(const hint *h, choice *c)
{
    static const weft_dtype types[] = { WEFT_ANY, WEFT_Q8_0, WEFT_Q4_0, WEFT_ANY }; /* at last: heads of no blocks */
    const uint32_t whole = c->wish.context;
    for (int any_run = 0; any_run < 2; any_run++) {
        const uint32_t run = any_run ? 1 : SHORT_RUN;
        for (uint32_t k = 0; k < (c->given_kv ? 1u : c->given_context ? 3u : 2u); k++) {
            c->got = (attempt){ .kv = types[k], .context = whole };
            if (suits(h, &c->got, run)) return true;
        }
        for (uint32_t k = c->given_kv ? 3 : 1; k < 4 && !c->given_context; k++)
            if (longest(h, whole, types[k], run, &c->got)) return true;
    }
    c->got = least(h, c);
    return c->got.fits;
}

static weft_dtype cache_of(const hint *h, const attempt *t)
{
    return t->kv ? t->kv : h->desc.kv ? h->desc.kv : h->desc.exact ? WEFT_F32 : WEFT_F16;
}

static void tell(const char *fmt, ...) WEFT_PRINTF(1, 2);
static void tell(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("fit: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static void tell_layers(const hint *h, const attempt *t)
{
    char text[512] = "";
    size_t at = 0;
    if (h->desc.n_devices < 2) return;
    for (uint32_t k = 0; k < h->desc.n_devices && at < sizeof text; k++) {
        char n[16] = "all";
        if (t->layers[k] != UINT32_MAX) snprintf(n, sizeof n, "%u", t->layers[k]);
        else if (k) snprintf(n, sizeof n, "none");
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s on %.60s", k ? ", " : "", n, device(h, k).name);
    }
    tell("layers: %s: %s", text, h->desc.split ? "as --split says" :
         t->layers[0] == UINT32_MAX ? "the first device holds all of them" :
                                      "each device has as many as its memory holds, in the order of --device");
}

static void tell_context(const choice *c)
{
    if (c->given_context) tell("context: %u tokens: as --context says", c->got.context);
    else if (c->got.context == c->wish.context) tell("context: %u tokens: all that the model has fits", c->got.context);
    else tell("context: %u tokens of the model's %u: with all of them it takes %.1f MiB", c->got.context,
              c->wish.context, mib(c->wish.bytes));
}

static void tell_cache(const hint *h, const choice *c)
{
    const char *name = weft_dtype_get(cache_of(h, &c->got))->name;
    const bool less = c->got.context < c->wish.context;
    if (c->given_kv) tell("cache: %s: as --kv says", name);
    else if (c->got.kv == WEFT_ANY && !less) tell("cache: %s: it fits with the usual type", name);
    else if (c->got.kv == WEFT_ANY) tell("cache: %s: no smaller type can hold this model's keys and values", name);
    else if (less) tell("cache: %s instead of %s: so there is room for more tokens", name,
                        weft_dtype_get(cache_of(h, &c->wish))->name);
    else tell("cache: %s instead of %s: with that %u tokens take %.1f MiB", name,
              weft_dtype_get(cache_of(h, &c->wish))->name, c->wish.context, mib(c->wish.bytes));
}

static void tell_choice(const hint *h, const choice *c)
{
    tell_layers(h, &c->got);
    tell_context(c);
    tell_cache(h, c);
    if (h->desc.weights) tell("weights: %s: as --weights says", weft_dtype_get(h->desc.weights)->name);
    else tell("weights: of the types that the files have: --fit changes none");
    if (!c->given_run && c->got.run < c->wish.run)
        tell("runs: of %u tokens at most: longer ones take more activations than there is room for", c->got.run);
    for (uint32_t k = 0; k < h->desc.n_devices; k++) {
        weft_device_info info = device(h, k);
        char own[96] = "";
        if (beside(h, &info))
            snprintf(own, sizeof own, ", and %.1f MiB for the process itself%s", mib(beside(h, &info)),
                     info.type == WEFT_DEVICE_SOFTWARE ? " and the driver's compiler" : "");
        if (info.memory_known)
            tell("memory: %.1f MiB on %s%s, which has %.1f MiB", mib(c->got.each[k]), info.name, own, mib(info.memory));
        else tell("memory: %.1f MiB on %s, of which it is not known what it has", mib(c->got.each[k]), info.name);
    }
}

/* What was tried last is the least: the budgets that would do. */
static int refuse(const hint *h, const choice *c)
{
    const attempt t = c->got;
    if (!t.planned) return cli_fail("fit: nothing that could be tried fits");
    char text[512] = "", help[64] = "";
    size_t at = 0;
    for (uint32_t k = 0; k < h->desc.n_devices && at < sizeof text; k++) {
        weft_device_info info = device(h, k);
        uint64_t need = t.each[k] + beside(h, &info);
        if (info.memory_known && need > info.memory)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%.0f MiB on %s, which has %.0f", at ? ", and " : "",
                                   mib(need) + 1, info.name, mib(info.memory));
    }
    attempt weights = h->desc.weights ? (attempt){ 0 } : smaller_weights(h, (attempt){ .kv = t.kv, .context = t.context,
                                                                                       .run = c->given_run ? 0 : 1 });
    if (weights.fits) snprintf(help, sizeof help, "; `--weights %s` would fit", weft_dtype_get(weights.weights)->name);
    return cli_fail("fit: nothing fits: a context of %u tokens, a cache of %s and runs of %u take %s: that is the "
                    "smallest budget that would do%s", t.context, weft_dtype_get(cache_of(h, &t))->name, t.run, text,
                    help);
}

int cli_fit(weft_model *m, weft_session_desc *desc)
{
    weft_error err;
    hint h = { m, *desc, own_bytes() };
    choice c = { .wish = { .context = desc->context }, .given_context = desc->context, .given_kv = desc->kv,
                 .given_run = desc->max_tokens };
    weft_session_plan *p;
    if (weft_session_plan_create(m, desc, &p, &err)) return cli_report(&err); /* which tests kernels, and tells of it */
    weft_session_plan_destroy(p);
    h.desc.progress = (weft_progress_sink){ 0 };
    if (!plan(&h, &c.wish)) return cli_fail("fit: the model could not be planned");
    if (!choose(&h, &c)) return refuse(&h, &c);
    cli_progress_end();
    tell_choice(&h, &c);
    desc->context = c.got.context;
    if (c.got.kv) desc->kv = desc->kv_values = c.got.kv;
    desc->max_tokens = c.got.run;
    return 0;
}
