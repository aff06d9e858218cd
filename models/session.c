/* session.c: the life of a session: the programs of a plan (plan.c), loaded over weights and states, which are the
 * cache. */
#include "backends/weights.h"
#include "models/adapter_impl.h"
#include "models/session_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- creation ---- */

static weft_status load_runner(weft_session *s, weft__runner *r, weft_error *err)
{
    char hidden[32];
    double start = weft__seconds();
    r->max_rows = s->desc.max_rows < r->max_tokens ? s->desc.max_rows : r->max_tokens;
    WEFT_TRY(weft_program_load(r->p, s->weights, s->states, err));
    s->times.load += weft__seconds() - start;
    const weft_graph *g = weft_program_graph(r->p);
    r->tokens = weft_graph_find(g, "tokens");
    r->pos = weft_graph_find(g, "pos");
    r->sequence = weft_graph_find(g, "sequence");
    r->reset = weft_graph_find(g, "reset");
    r->adapter = weft_graph_find(g, "adapter");
    r->rows = weft_graph_find(g, "rows");
    r->row_adapter = weft_graph_find(g, "row_adapter");
    weft__groups_find_ports(s, g, r->groups);
    r->ids = weft_graph_find(g, "candidate.id");
    r->means = weft_graph_find(g, "candidate.mean");
    r->values = weft_graph_find(g, "candidate.logit");
    r->logits = weft_graph_find(g, "logits");
    r->scores = weft_graph_find(g, "scores");
    snprintf(hidden, sizeof hidden, "hidden.%u", s->desc.layer);
    r->hidden = weft_graph_find(g, hidden);
    return WEFT_OK;
}

static weft_status make_buffers(weft_session *s, weft_error *err)
{
    uint32_t k = s->desc.candidates;
    if (k) s->reduced = calloc((2 * (size_t)k + 1) * s->desc.max_rows, sizeof *s->reduced);
    s->fresh = calloc(s->desc.n_sequences, sizeof *s->fresh);
    s->running = calloc(s->desc.n_sequences, sizeof *s->running);
    s->batch = calloc(WEFT__BATCH_ARRAYS * (size_t)s->desc.max_tokens, sizeof *s->batch);
    s->before = calloc(s->desc.n_sequences, sizeof *s->before);
    bool whole = s->fresh && s->running && s->before && s->batch && (!k || s->reduced);
    return whole ? WEFT_OK : WEFT_OOM_FAIL(err, "a session");
}

weft_status weft__session_find(void *session, const char *name, weft_weight_data *out, weft_error *err)
{
    const weft_session *s = session;
    weft__adapters *a = weft__plan_adapters(s->plan);
    const weft_weight_source of_adapters = weft__adapters_source(a), of_model = weft_model_weights(s->m);
    const weft_status status = a ? of_adapters.find(of_adapters.ctx, name, out, err) : WEFT_NOT_FOUND;
    if (status != WEFT_NOT_FOUND) return status;
    return of_model.find(of_model.ctx, name, out, err);
}

/* Its own, and over those that were given what its adapters have. */
static weft_status make_weights(weft_session *s, weft_error *err)
{
    weft__adapters *a = weft__plan_adapters(s->plan);
    const weft_weight_source of_adapters = weft__adapters_source(a), all = { s, weft__session_find };
    if (s->weights && !a) return WEFT_OK;
    if (!s->weights) WEFT_TRY(weft_session_plan_check(s->plan, err));
    WEFT_TRY(s->weights ? weft__weights_create_over(s->weights, &of_adapters, &s->own_weights, err)
                        : weft_weights_create(&all, 1, &s->own_weights, err));
    if (s->desc.cache_weights && !s->weights) WEFT_TRY(weft_weights_keep(s->own_weights, s->desc.cache_weights, err));
    s->weights = s->own_weights;
    return WEFT_OK;
}

/* Weights that others use may be loaded already: then each program's loading looks at what it lacks. */
static weft_status load(weft_session *s, weft_error *err)
{
    WEFT_TRY(make_buffers(s, err));
    WEFT_TRY(weft__groups_create(s, weft_program_graph(weft_session_plan_program(s->plan, 1)), err));
    WEFT_TRY(make_weights(s, err));
    WEFT_TRY(weft_states_create(&s->states, err));
    for (;; s->n_runners++) {
        weft__runner *r = &s->runners[s->n_runners];
        r->p = weft__plan_program(s->plan, s->n_runners, &r->max_tokens);
        if (!r->p) break;
        WEFT_TRY(load_runner(s, r, err));
    }
    return weft__divide_states(s, err);
}

weft_status weft_session_open(weft_session_plan *plan, weft_weights *weights, weft_session **out, weft_error *err)
{
    *out = NULL;
    bool planned = weft_session_plan_program(plan, 1) != NULL;
    weft_session *s = planned ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        weft_session_plan_destroy(plan);
        return planned ? WEFT_OOM_FAIL(err, "a session")
                       : WEFT_FAIL(err, WEFT_INVALID, "a session needs at least one device");
    }
    s->plan = plan;
    s->m = weft__plan_model(plan);
    s->weights = weights;
    s->desc = *weft_session_plan_desc(plan);
    s->times = weft__plan_times(plan);
    weft_status status = load(s, err);
    s->desc.cache_weights = NULL; /* lent no longer */
    if (status) weft_session_destroy(s);
    else *out = s;
    return status;
}

weft_status weft_session_create(weft_model *m, const weft_session_desc *desc, weft_session **out, weft_error *err)
{
    weft_session_plan *plan;
    *out = NULL;
    WEFT_TRY(weft_session_plan_create(m, desc, &plan, err));
    return weft_session_open(plan, NULL, out, err);
}

void weft_session_destroy(weft_session *s)
{
    if (!s) return;
    weft_session_plan_destroy(s->plan); /* its programs go before what they are loaded with */
    weft_weights_destroy(s->own_weights);
    weft_states_destroy(s->states);
    weft__groups_destroy(s);
    free(s->divisions);
    free(s->spans);
    free(s->fresh);
    free(s->running);
    free(s->before);
    free(s->batch);
    free(s->reduced);
    free(s);
}

weft_program *weft_session_program(const weft_session *s, size_t n)
{
    return weft__runner_of((weft_session *)s, n)->p;
}

const weft_graph *weft_session_graph(const weft_session *s)
{
    return weft_session_plan_graph(s->plan);
}

weft_load_times weft_session_load_times(const weft_session *s)
{
    return s->times;
}

const weft_session_desc *weft_session_settled(const weft_session *s)
{
    return &s->desc;
}

uint32_t weft_session_context(const weft_session *s)
{
    return s->desc.context;
}

uint32_t weft_session_n_vocab(const weft_session *s)
{
    return s->m->info.n_vocab;
}

uint64_t weft_session_bytes(const weft_session *s)
{
    return weft_weights_bytes(s->weights) + weft_states_bytes(s->states) + weft_states_arena_bytes(s->states);
}

uint32_t weft_session_candidates(const weft_session *s)
{
    return s->desc.candidates;
}

weft_model *weft__session_model(const weft_session *s)
{
    return s->m;
}

bool weft__session_logits(const weft_session *s)
{
    return s->desc.outputs & (WEFT_WANT_LOGITS | WEFT_WANT_CANDIDATES);
}
