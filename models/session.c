/* session.c: token sequences on the programs of a plan (plan.c), loaded over weights and states, the cache.
 *
 * The cache has one cell per token: sequence s owns the cells [s * context, (s + 1) * context), position p is cell
 * s * context + p, and a token sees the cells of its own sequence up to itself. */
#include "models/finite.h"
#include "models/model_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A loaded program and its ports; id 0 where the program has no such port. */
typedef struct runner {
    weft_program *p;
    weft_ref tokens, pos, cell, first, rows, out, ids, sums; /* ids, sums: of candidates; out: what is float */
    uint32_t max_tokens, max_rows;
} runner;

struct weft_session {
    weft_session_plan *plan; /* its own */
    weft_model *m;           /* the plan's */
    weft_session_desc desc;  /* the plan's, settled */
    weft_weights *weights;
    weft_states *states;
    runner prompt, decode; /* decode.p is NULL where one program serves both */
    weft_load_times times;
    uint32_t width;   /* floats per row of output, or candidates */
    uint32_t *reduced; /* candidates of max_rows: logits, then ids, then a sum per row */
    uint32_t *length; /* per sequence */
    int32_t *batch;   /* 5 arrays of max_tokens: tokens, pos, cell, first, rows */
};

/* ---- creation ---- */

static weft_status load_runner(weft_session *s, bool decode, runner *r, weft_error *err)
{
    uint32_t n_outputs;
    const char *const *outputs = weft_session_plan_outputs(s->plan, &n_outputs);
    double start = weft__seconds();
    r->p = weft__plan_program(s->plan, decode);
    r->max_tokens = decode ? s->desc.max_decode : s->desc.max_tokens;
    r->max_rows = s->desc.max_rows < r->max_tokens ? s->desc.max_rows : r->max_tokens;
    WEFT_TRY(weft_program_load(r->p, s->weights, s->states, err));
    s->times.load += weft__seconds() - start;
    const weft_graph *g = weft_program_graph(r->p);
    r->tokens = weft_graph_find(g, "tokens");
    r->pos = weft_graph_find(g, "pos");
    r->cell = weft_graph_find(g, "cell");
    r->first = weft_graph_find(g, "first");
    r->rows = weft_graph_find(g, "rows");
    r->ids = weft_graph_find(g, "candidate.id");
    r->sums = weft_graph_find(g, "candidate.sum");
    r->out = weft_graph_find(g, s->desc.candidates ? "candidate.logit" : outputs[0]);
    return WEFT_OK;
}

static weft_status load(weft_session *s, weft_error *err)
{
    uint32_t k = s->desc.candidates;
    const weft_model_info *info = &s->m->info;
    s->width = k ? k : s->desc.hidden >= 0 ? info->n_embed : s->desc.scores ? info->n_labels : info->n_vocab;
    if (k) s->reduced = calloc((2 * (size_t)k + 1) * s->desc.max_rows, sizeof *s->reduced);
    s->length = calloc(s->desc.n_sequences, sizeof *s->length);
    s->batch = calloc(5 * (size_t)s->desc.max_tokens, sizeof *s->batch);
    if (!s->length || !s->batch || (k && !s->reduced)) return WEFT_OOM_FAIL(err, "a session");
    WEFT_TRY(weft_session_plan_check(s->plan, err));
    weft_weight_source source = weft_model_weights(s->m);
    WEFT_TRY(weft_weights_create(&source, 1, &s->weights, err));
    WEFT_TRY(weft_states_create(&s->states, err));
    WEFT_TRY(load_runner(s, false, &s->prompt, err));
    bool two = weft__plan_program(s->plan, true) != s->prompt.p;
    return two ? load_runner(s, true, &s->decode, err) : WEFT_OK;
}

weft_status weft_session_open(weft_session_plan *plan, weft_session **out, weft_error *err)
{
    *out = NULL;
    weft_session *s = weft__plan_program(plan, false) ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        bool planned = weft__plan_program(plan, false) != NULL;
        weft_session_plan_destroy(plan);
        return planned ? WEFT_OOM_FAIL(err, "a session")
                       : WEFT_FAIL(err, WEFT_INVALID, "a session needs at least one device");
    }
    s->plan = plan;
    s->m = weft__plan_model(plan);
    s->desc = *weft_session_plan_desc(plan);
    s->times = weft__plan_times(plan);
    weft_status status = load(s, err);
    if (status) weft_session_destroy(s);
    else *out = s;
    return status;
}

weft_status weft_session_create(weft_model *m, const weft_session_desc *desc, weft_session **out, weft_error *err)
{
    weft_session_plan *plan;
    *out = NULL;
    WEFT_TRY(weft_session_plan_create(m, desc, &plan, err));
    return weft_session_open(plan, out, err);
}

void weft_session_destroy(weft_session *s)
{
    if (!s) return;
    weft_session_plan_destroy(s->plan); /* its programs go before what they are loaded with */
    weft_weights_destroy(s->weights);
    weft_states_destroy(s->states);
    free(s->length);
    free(s->batch);
    free(s->reduced);
    free(s);
}

weft_program *weft_session_program(const weft_session *s, bool decode)
{
    return weft__plan_program(s->plan, decode);
}

const weft_graph *weft_session_graph(const weft_session *s)
{
    return weft_session_plan_graph(s->plan);
}

weft_load_times weft_session_load_times(const weft_session *s)
{
    return s->times;
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
    uint64_t sum = weft_weights_bytes(s->weights) + weft_states_bytes(s->states);
    for (uint32_t d = 0; d < s->desc.n_devices; d++) {
        sum += weft_program_plan(s->prompt.p)->arena_bytes[d];
        if (s->decode.p) sum += weft_program_plan(s->decode.p)->arena_bytes[d];
    }
    return sum;
}

/* ---- evaluation ---- */

static void take_back(weft_session *s, const weft_batch_token *t, size_t n)
{
    for (size_t i = 0; i < n; i++) s->length[t[i].sequence]--;
}

/* Checks all tokens before any is run, so that a failure leaves the sequences as they were. */
static weft_status check_batch(weft_session *s, const weft_batch_token *t, size_t n, weft_error *err)
{
    weft_status status = WEFT_OK;
    for (size_t i = 0; i < n && !status; i++) {
        if (t[i].sequence >= s->desc.n_sequences)
            status =
                WEFT_FAIL(err, WEFT_INVALID, "token %zu: sequence %u of %u", i, t[i].sequence, s->desc.n_sequences);
        else if (t[i].id < 0 || (uint32_t)t[i].id >= s->m->info.n_vocab)
            status = WEFT_FAIL(err, WEFT_INVALID, "token %zu: id %d is not below the vocabulary's %u", i, t[i].id,
                               s->m->info.n_vocab);
        else if (s->length[t[i].sequence] == s->desc.context)
            status = WEFT_FAIL(err, WEFT_LIMIT, "sequence %u would have more than the context's %u tokens",
                               t[i].sequence, s->desc.context);
        if (status) n = i;
        else s->length[t[i].sequence]++;
    }
    take_back(s, t, n);
    return status;
}

/* Fills the batch arrays with as many tokens as one run takes; returns how many, and how many rows they want. */
static uint32_t fill_batch(weft_session *s, const runner *r, const weft_batch_token *t, size_t n, uint32_t *n_rows)
{
    int32_t *tokens = s->batch, *pos = tokens + s->desc.max_tokens, *cell = pos + s->desc.max_tokens;
    int32_t *first = cell + s->desc.max_tokens, *rows = first + s->desc.max_tokens;
    uint32_t i = 0, max_rows = s->desc.hidden >= 0 ? r->max_tokens : r->max_rows;
    *n_rows = 0;
    for (; i < n && i < r->max_tokens && (!t[i].wanted || *n_rows < max_rows); i++) {
        uint32_t start = t[i].sequence * s->desc.context, at = s->length[t[i].sequence]++;
        tokens[i] = t[i].id;
        pos[i] = (int32_t)at;
        first[i] = (int32_t)start;
        cell[i] = (int32_t)(start + at);
        if (t[i].wanted) rows[(*n_rows)++] = (int32_t)i;
    }
    if (!*n_rows) rows[0] = 0; /* the graph computes at least one row */
    return i;
}

static weft_status write_ints(runner *r, weft_ref port, const int32_t *v, uint32_t n, weft_error *err)
{
    return port.id ? weft_program_write(r->p, port, 0, v, n * sizeof *v, err) : WEFT_OK;
}

static weft_status write_batch(weft_session *s, runner *r, uint32_t n, uint32_t n_rows, weft_error *err)
{
    const int32_t *b = s->batch;
    size_t step = s->desc.max_tokens;
    if (s->desc.hidden >= 0 || !n_rows) n_rows = 1; /* rows are of logits; the extent is at least 1 */
    WEFT_TRY(weft_program_set_extent(r->p, "tokens", n, err));
    WEFT_TRY(weft_program_set_extent(r->p, "rows", n_rows, err));
    WEFT_TRY(write_ints(r, r->tokens, b, n, err));
    WEFT_TRY(write_ints(r, r->pos, b + step, n, err));
    WEFT_TRY(write_ints(r, r->cell, b + 2 * step, n, err));
    WEFT_TRY(write_ints(r, r->first, b + 3 * step, n, err));
    return write_ints(r, r->rows, b + 4 * step, n_rows, err);
}

/* The wanted rows: of logits they are the first n_rows of the result, of hidden states they stand at their tokens. */
static weft_status read_rows(weft_session *s, runner *r, uint32_t n_rows, float *out, weft_error *err)
{
    uint64_t bytes = s->width * sizeof *out;
    if (s->desc.hidden < 0) return n_rows ? weft_program_read(r->p, r->out, 0, out, n_rows * bytes, err) : WEFT_OK;
    const int32_t *rows = s->batch + 4 * (size_t)s->desc.max_tokens;
    for (uint32_t i = 0; i < n_rows; i++)
        WEFT_TRY(weft_program_read(r->p, r->out, (uint64_t)rows[i] * bytes, out + (uint64_t)i * s->width, bytes, err));
    return WEFT_OK;
}

/* Row `row` of the run has no numbers: names its token, and the cache if that is why. */
static weft_status fail_row(weft_session *s, const runner *r, uint32_t row, const char *what, weft_error *err)
{
    size_t step = s->desc.max_tokens;
    uint32_t at = (uint32_t)s->batch[4 * step + row];
    int32_t id = s->batch[at], pos = s->batch[step + at], start = s->batch[3 * step + at];
    uint32_t sequence = (uint32_t)start / s->desc.context;
    const char *state = weft__overflowed_state(r->p, start, s->length[sequence]);
    return WEFT_FAIL(err, WEFT_NOT_FINITE, "token %d at position %d of sequence %u: %s%s%s%s", id, pos, sequence,
                     what, state ? "; the cache '" : "",
                     state ? state : "", state ? "' was given a number beyond 65504, too large for f16: "
                                                 "bf16 and f32 (kv) hold it" : "");
}

static weft_status check_rows(weft_session *s, const runner *r, uint32_t n_rows, const float *out, weft_error *err)
{
    const char *what = s->desc.hidden >= 0 ? "numbers of the hidden state" : s->desc.scores ? "scores" : "logits";
    for (uint32_t i = 0; i < n_rows; i++) {
        const float *row = out + (size_t)i * s->width;
        char text[96];
        uint32_t first, n = weft__count_not_finite(row, s->width, &first);
        if (!n) continue;
        snprintf(text, sizeof text, "%u of %u %s are NaN or infinite, the first is number %u", n, s->width, what,
                 first);
        return fail_row(s, r, i, text, err);
    }
    return WEFT_OK;
}

/* A row's sum is finite where all of its logits are; NaN among them never become candidates. */
static weft_status check_sums(weft_session *s, runner *r, uint32_t n_rows, weft_error *err)
{
    float *sums = (float *)(void *)(s->reduced + 2 * (size_t)s->desc.max_rows * s->width);
    WEFT_TRY(weft_program_read(r->p, r->sums, 0, sums, n_rows * sizeof *sums, err));
    uint32_t first, n = weft__count_not_finite(sums, n_rows, &first);
    return n ? fail_row(s, r, first, "logits are NaN or infinite", err) : WEFT_OK;
}

static weft_status read_candidates(weft_session *s, runner *r, uint32_t n_rows, weft_candidate *out, weft_error *err)
{
    uint32_t n = n_rows * s->width, *ids = s->reduced + (size_t)s->desc.max_rows * s->width;
    if (!n) return WEFT_OK;
    WEFT_TRY(check_sums(s, r, n_rows, err));
    WEFT_TRY(weft_program_read(r->p, r->ids, 0, ids, n * sizeof *ids, err));
    if (r->out.id) WEFT_TRY(weft_program_read(r->p, r->out, 0, s->reduced, n * sizeof *s->reduced, err));
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (weft_candidate){ NAN, (int32_t)ids[i] };
        if (r->out.id) memcpy(&out[i].logit, &s->reduced[i], sizeof out[i].logit);
    }
    return WEFT_OK;
}

static weft_status run_batch(weft_session *s, runner *r, uint32_t n, uint32_t n_rows, void *out, weft_error *err)
{
    WEFT_TRY(write_batch(s, r, n, n_rows, err));
    WEFT_TRY(weft_program_run(r->p, err));
    if (!out) return WEFT_OK;
    if (s->desc.candidates) return read_candidates(s, r, n_rows, out, err);
    WEFT_TRY(read_rows(s, r, n_rows, out, err));
    return check_rows(s, r, n_rows, out, err);
}

static weft_status eval(weft_session *s, const weft_batch_token *tokens, size_t n, unsigned char *out,
                        uint64_t row_bytes, weft_error *err)
{
    WEFT_TRY(check_batch(s, tokens, n, err));
    weft__task task;
    const weft_progress_sink *sink = n > s->prompt.max_tokens ? &s->desc.progress : NULL;
    weft_status status = weft__task_begin(&task, sink, "evaluating", n, "tokens", err);
    size_t done = 0;
    while (done < n && !status) {
        runner *r = s->decode.p && n - done <= s->decode.max_tokens ? &s->decode : &s->prompt;
        uint32_t n_rows, taken = fill_batch(s, r, tokens + done, n - done, &n_rows);
        done += taken;
        status = run_batch(s, r, taken, n_rows, out, err);
        if (!status) status = weft__task_reach(&task, done, err);
        if (out) out += n_rows * row_bytes;
    }
    if (status) take_back(s, tokens, done);
    return status;
}

weft_status weft_session_eval(weft_session *s, const weft_batch_token *tokens, size_t n, float *out, weft_error *err)
{
    if (s->desc.candidates && out) return WEFT_FAIL(err, WEFT_INVALID, "a session of candidates gives no logits");
    return eval(s, tokens, n, (unsigned char *)out, s->width * sizeof *out, err);
}

weft_status weft_session_eval_candidates(weft_session *s, const weft_batch_token *tokens, size_t n,
                                         weft_candidate *out, weft_error *err)
{
    if (!s->desc.candidates) return WEFT_FAIL(err, WEFT_INVALID, "the session was made without candidates");
    return eval(s, tokens, n, (unsigned char *)out, s->width * sizeof *out, err);
}

uint32_t weft_session_candidates(const weft_session *s)
{
    return s->desc.candidates;
}

uint32_t weft_session_length(const weft_session *s, uint32_t sequence)
{
    return sequence < s->desc.n_sequences ? s->length[sequence] : 0;
}

weft_status weft_session_truncate(weft_session *s, uint32_t sequence, uint32_t n, weft_error *err)
{
    if (sequence >= s->desc.n_sequences)
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u of %u", sequence, s->desc.n_sequences);
    if (n > s->length[sequence])
        return WEFT_FAIL(err, WEFT_INVALID, "sequence %u has %u tokens, not %u", sequence, s->length[sequence], n);
    s->length[sequence] = n;
    return WEFT_OK;
}

weft_status weft_session_check(weft_session *s, const int32_t *ids, size_t n,
                               bool (*report)(void *ctx, const weft_check_node *node), void *ctx, weft_error *err)
{
    if (!n) return WEFT_FAIL(err, WEFT_INVALID, "a check needs at least one token");
    if (n > s->prompt.max_tokens) n = s->prompt.max_tokens;
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a check");
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ .id = ids[i], .wanted = i + 1 == n };
    weft_status status = check_batch(s, t, n, err);
    runner *r = s->decode.p && n <= s->decode.max_tokens ? &s->decode : &s->prompt;
    uint32_t n_rows, taken = status ? 0 : fill_batch(s, r, t, n, &n_rows);
    if (!status) status = write_batch(s, r, taken, n_rows, err);
    weft_weight_source source = weft_model_weights(s->m);
    if (!status) status = weft_program_check(r->p, &source, report, ctx, err);
    take_back(s, t, taken);
    free(t);
    return status;
}

weft_model *weft__session_model(const weft_session *s)
{
    return s->m;
}

bool weft__session_logits(const weft_session *s)
{
    return s->desc.hidden < 0 && !s->desc.scores;
}
