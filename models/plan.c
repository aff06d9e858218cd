/* plan.c: what a session is going to run, decided and not yet loaded.
 *
 * One graph is scheduled for several bounds, from one token (decoding) to hundreds (prompts). Everybody who wants to
 * know what a session does with a model, the session first, asks here. */
#include "models/adapter_impl.h"
#include "models/draft.h"
#include "models/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TOKENS = 512, DEFAULT_ROWS = 8, MAX_DEVICES = 16 };

struct weft_session_plan {
    weft_model *m;
    weft_session_desc desc; /* settled; devices and split NULL: they were the caller's */
    char hidden[32];        /* the name of its layer's output */
    const char *outputs[6];
    uint32_t n_outputs;
    weft_graph *g;
    weft__adapters *adapters; /* in g; NULL: none */
    weft_program *programs[1 + WEFT_SESSION_BOUNDS]; /* from the largest bound down: they share its split and arena */
    uint32_t max_tokens[1 + WEFT_SESSION_BOUNDS], n_programs;
    bool fixed; /* max_tokens is what was asked for, whatever memory it takes */
    weft_load_times times;
};

/* ---- the description ---- */

/* Whole pages, no more than all sequences can fill. */
static weft_status settle_cells(weft_session_desc *d, weft_error *err)
{
    if (!d->page) d->page = weft__pages_usual(d->context);
    if (d->page < 16 || d->page > 256 || (d->page & (d->page - 1)))
        return WEFT_FAIL(err, WEFT_INVALID, "pages of %u cells: 16, 32, 64, 128 or 256 are possible", d->page);
    uint64_t pages = (uint64_t)weft__pages_of(d->page, d->context) * d->n_sequences;
    if (d->cells && weft__pages_of(d->page, d->cells) < pages) pages = weft__pages_of(d->page, d->cells);
    if (pages * d->page > INT32_MAX)
        return WEFT_FAIL(err, WEFT_LIMIT, "%u sequences of %u tokens are more cells than a cache can have",
                         d->n_sequences, d->context);
    d->cells = (uint32_t)pages * d->page;
    return WEFT_OK;
}

/* What may be asked of tokens, and whether the model can answer. */
static weft_status settle_outputs(weft_session_plan *p, weft_error *err)
{
    enum { ALL = WEFT_WANT_LOGITS | WEFT_WANT_CANDIDATES | WEFT_WANT_HIDDEN | WEFT_WANT_SCORES };
    weft_session_desc *d = &p->desc;
    const weft_model_info *info = &p->m->info;
    if (!d->outputs && d->candidates) d->outputs = WEFT_WANT_CANDIDATES;
    if (!d->outputs && info->head == WEFT_HEAD_NONE) d->outputs = WEFT_WANT_HIDDEN, d->layer = info->n_layer;
    if (!d->outputs) d->outputs = info->head == WEFT_HEAD_LOGITS ? WEFT_WANT_LOGITS : WEFT_WANT_SCORES;
    if (d->outputs & ~(uint32_t)ALL) return WEFT_FAIL(err, WEFT_INVALID, "a session has no outputs %#x", d->outputs);
    if (d->outputs & WEFT_WANT_HIDDEN && d->layer > info->n_layer)
        return WEFT_FAIL(err, WEFT_INVALID, "layer %u: the model has hidden states 0 to %u", d->layer, info->n_layer);
    if (!(d->outputs & WEFT_WANT_CANDIDATES) != !d->candidates)
        return WEFT_FAIL(err, WEFT_INVALID, "candidates are an output of a number above 0");
    if (d->candidates > info->n_vocab) d->candidates = info->n_vocab;
    if (d->outputs & (WEFT_WANT_LOGITS | WEFT_WANT_CANDIDATES)) WEFT_TRY(weft__model_need_logits(p->m, err));
    return d->outputs & WEFT_WANT_SCORES ? weft__model_need_scores(p->m, err) : WEFT_OK;
}

/* Those that are asked for, or the usual ones, below max_tokens. */
static weft_status settle_bounds(weft_session_desc *d, weft_error *err)
{
    static const uint32_t usual[WEFT_SESSION_BOUNDS] = { 1, 8, 32, 128 };
    for (uint32_t i = 1; i < WEFT_SESSION_BOUNDS; i++)
        if (d->bounds[i] && (!d->bounds[i - 1] || d->bounds[i] <= d->bounds[i - 1]))
            return WEFT_FAIL(err, WEFT_INVALID, "bounds ascend: %u follows %u", d->bounds[i], d->bounds[i - 1]);
    if (!d->bounds[0]) memcpy(d->bounds, usual, sizeof usual);
    for (uint32_t i = 0; i < WEFT_SESSION_BOUNDS; i++)
        if (d->bounds[i] >= d->max_tokens) d->bounds[i] = 0;
    return WEFT_OK;
}

static weft_status settle(weft_session_plan *p, weft_error *err)
{
    weft_session_desc *d = &p->desc;
    if (d->n_devices > MAX_DEVICES)
        return WEFT_FAIL(err, WEFT_LIMIT, "a session runs on at most %u devices", MAX_DEVICES);
    if (!d->n_sequences) d->n_sequences = 1;
    if (d->rollback > WEFT_DRAFT_MOST)
        return WEFT_FAIL(err, WEFT_INVALID, "a rollback of %u tokens: at most %d", d->rollback, WEFT_DRAFT_MOST);
    if (!d->context) d->context = p->m->info.context;
    if (p->m->info.context_limit && d->context > p->m->info.context_limit)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, p->m->bounded ?
                         "%s: a context of %u tokens: there are learned positions for %u" :
                         "%s: a context of %u tokens: rope_type dynamic turns all keys anew with each token beyond %u, "
                         "which a cache cannot follow", p->m->path, d->context, p->m->info.context_limit);
    WEFT_TRY(settle_outputs(p, err));
    WEFT_TRY(settle_cells(d, err));
    p->fixed = d->max_tokens != 0;
    if (!d->max_tokens) d->max_tokens = DEFAULT_TOKENS;
    if (d->max_tokens > d->cells) d->max_tokens = d->cells;
    if (!d->max_rows && d->outputs & WEFT_WANT_SCORES) d->max_rows = d->max_tokens; /* a row is short */
    if (!d->max_rows) d->max_rows = d->n_sequences > DEFAULT_ROWS ? d->n_sequences : DEFAULT_ROWS;
    if (d->max_rows > d->max_tokens) d->max_rows = d->max_tokens;
    WEFT_TRY(settle_bounds(d, err));
    if (d->kv == WEFT_ANY) d->kv = d->exact ? WEFT_F32 : WEFT_F16;
    if (d->kv_values == WEFT_ANY) d->kv_values = d->kv;
    return WEFT_OK;
}

static void name_outputs(weft_session_plan *p)
{
    uint32_t wants = p->desc.outputs;
    snprintf(p->hidden, sizeof p->hidden, "hidden.%u", p->desc.layer);
    if (wants & WEFT_WANT_LOGITS) p->outputs[p->n_outputs++] = "logits";
    if (wants & WEFT_WANT_SCORES) p->outputs[p->n_outputs++] = "scores";
    if (wants & WEFT_WANT_HIDDEN) p->outputs[p->n_outputs++] = p->hidden;
    if (!(wants & WEFT_WANT_CANDIDATES)) return;
    p->outputs[p->n_outputs++] = "candidate.id";
    p->outputs[p->n_outputs++] = "candidate.mean";
    if (p->desc.candidates > 1) p->outputs[p->n_outputs++] = "candidate.logit";
}

/* ---- programs ---- */

/* The others' layers are where the largest one's are: they share weights and cache. */
static const uint32_t *split_of(const weft_session_plan *p, const weft_session_desc *asked, uint32_t *split)
{
    if (!p->n_programs) return asked->split;
    for (uint32_t d = 0; d < asked->n_devices; d++) split[d] = weft_program_split(p->programs[0], d);
    return split[0] == UINT32_MAX ? NULL : split;
}

static weft_status add_program(weft_session_plan *p, const weft_session_desc *asked, uint32_t max_tokens,
                               weft_error *err)
{
    uint32_t split[MAX_DEVICES];
    weft_bound bounds[] = { { "tokens", max_tokens },
                            { "rows", p->desc.max_rows < max_tokens ? p->desc.max_rows : max_tokens } };
    weft_program_desc d = { .devices = asked->devices, .n_devices = asked->n_devices, .bounds = bounds, .n_bounds = 2,
                            .split = split_of(p, asked, split), .spread = asked->spread && !p->n_programs,
                            .outputs = p->outputs, .n_outputs = p->n_outputs, .strict = asked->strict,
                            .exact = asked->exact, .as_built = asked->as_built, .deterministic = asked->deterministic,
                            .progress = asked->progress };
    double start = weft__seconds();
    WEFT_TRY(weft_program_create(p->g, &d, &p->programs[p->n_programs], err));
    p->times.plan += weft__seconds() - start;
    p->max_tokens[p->n_programs++] = max_tokens;
    return WEFT_OK;
}

static weft_status replace_largest(weft_session_plan *p, const weft_session_desc *asked, weft_error *err)
{
    weft_program_destroy(p->programs[--p->n_programs]);
    return add_program(p, asked, p->desc.max_tokens, err);
}

/* The largest program, which decides what memory the session needs: that of a smaller bound where nobody asked for this
 * one, the devices do not hold it, and they hold that. */
static weft_status add_largest(weft_session_plan *p, const weft_session_desc *asked, weft_error *err)
{
    weft_session_desc *d = &p->desc, usual = *d;
    uint32_t n = 0;
    while (n < WEFT_SESSION_BOUNDS && d->bounds[n]) n++;
    WEFT_TRY(add_program(p, asked, d->max_tokens, err));
    if (p->fixed || !weft_session_plan_check(p, NULL)) return WEFT_OK;
    while (n && weft_session_plan_check(p, NULL)) {
        d->max_tokens = d->bounds[--n];
        d->bounds[n] = 0;
        if (d->max_rows > d->max_tokens) d->max_rows = d->max_tokens;
        WEFT_TRY(replace_largest(p, asked, err));
    }
    if (!weft_session_plan_check(p, NULL)) return WEFT_OK;
    *d = usual; /* which is what does not fit */
    return replace_largest(p, asked, err);
}

static weft_status create(weft_session_plan *p, const weft_session_desc *asked, weft_error *err)
{
    WEFT_TRY(settle(p, err));
    name_outputs(p);
    const weft_session_desc *d = &p->desc;
    weft_model_graph_desc g = { .weights = d->weights, .kv = d->kv, .kv_values = d->kv_values,
                                .max_tokens = d->max_tokens, .context = d->context, .n_sequences = d->n_sequences,
                                .cells = d->cells, .page = d->page, .rollback = d->rollback,
                                .max_rows = d->max_rows, .candidates = d->candidates };
    double start = weft__seconds();
    WEFT_TRY(weft_model_graph(p->m, &g, &p->g, err));
    WEFT_TRY(weft__adapters_create(p->m, p->g, d, &p->adapters, err));
    p->times.graph = weft__seconds() - start;
    if (!asked->n_devices) return WEFT_OK;
    WEFT_TRY(add_largest(p, asked, err));
    for (uint32_t i = WEFT_SESSION_BOUNDS; i-- > 0;)
        if (d->bounds[i]) WEFT_TRY(add_program(p, asked, d->bounds[i], err));
    return WEFT_OK;
}

/* ---- the object ---- */

weft_status weft_session_plan_create(weft_model *m, const weft_session_desc *desc, weft_session_plan **out,
                                     weft_error *err)
{
    *out = NULL;
    weft_session_plan *p = calloc(1, sizeof *p);
    if (!p) return WEFT_OOM_FAIL(err, "a session");
    p->m = m;
    p->desc = *desc;
    p->desc.devices = NULL;
    p->desc.split = NULL;
    weft_status s = create(p, desc, err);
    p->desc.adapters = NULL;
    if (s) weft_session_plan_destroy(p);
    else *out = p;
    return s;
}

void weft_session_plan_destroy(weft_session_plan *p)
{
    if (!p) return;
    while (p->n_programs) weft_program_destroy(p->programs[--p->n_programs]);
    weft__adapters_destroy(p->adapters);
    weft_graph_destroy(p->g);
    free(p);
}

const weft_session_desc *weft_session_plan_desc(const weft_session_plan *p)
{
    return &p->desc;
}

const weft_graph *weft_session_plan_graph(const weft_session_plan *p)
{
    return p->g;
}

const char *const *weft_session_plan_outputs(const weft_session_plan *p, uint32_t *n)
{
    *n = p->n_outputs;
    return p->outputs;
}

weft_program *weft__plan_program(const weft_session_plan *p, uint32_t i, uint32_t *max_tokens)
{
    if (i >= p->n_programs) return NULL;
    *max_tokens = p->max_tokens[i];
    return p->programs[i];
}

const weft_program *weft_session_plan_program(const weft_session_plan *p, size_t n)
{
    uint32_t i = p->n_programs;
    while (i > 1 && p->max_tokens[i - 1] < n) i--;
    return i ? p->programs[i - 1] : NULL;
}

weft_model *weft__plan_model(const weft_session_plan *p)
{
    return p->m;
}

weft__adapters *weft__plan_adapters(const weft_session_plan *p)
{
    return p->adapters;
}

weft_load_times weft__plan_times(const weft_session_plan *p)
{
    return p->times;
}

/* ---- what it takes ---- */

uint64_t weft_session_plan_bytes(const weft_session_plan *p, uint32_t device)
{
    return weft_programs_bytes((const weft_program *const *)p->programs, p->n_programs, device);
}

weft_status weft_session_plan_check(const weft_session_plan *p, weft_error *err)
{
    return weft_programs_check_memory((const weft_program *const *)p->programs, p->n_programs, err);
}
