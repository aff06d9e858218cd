/* eval.c: tokens appended to their sequences and run, chunk after chunk. */
#include "models/session_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- the batch ---- */

/* The sequences that the call concerned are as before; of recurrent ones, whose states have gone on, nothing is
 * left. */
static void take_back(weft_session *s, bool ran)
{
    for (uint32_t i = 0; i < s->desc.n_sequences; i++)
        if (s->fresh[i]) weft__pages_truncate(&s->pages, i, s->recurrent && ran ? 0 : s->before[i]);
}

static void end_call(weft_session *s)
{
    memset(s->fresh, 0, s->desc.n_sequences * sizeof *s->fresh);
}

static weft_status check_wants(const weft_session *s, uint32_t wants, size_t i, const weft_rows *out, weft_error *err)
{
    uint32_t places = out ? (out->logits ? WEFT_WANT_LOGITS : 0) | (out->candidates ? WEFT_WANT_CANDIDATES : 0) |
                            (out->hidden ? WEFT_WANT_HIDDEN : 0) | (out->scores ? WEFT_WANT_SCORES : 0) : 0;
    if (wants & ~s->desc.outputs)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu wants %#x, but the session's outputs are %#x", i, wants,
                         s->desc.outputs);
    if (wants & ~places)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu wants %#x, for which there is no place", i, wants & ~places);
    return WEFT_OK;
}

static weft_status check_token(const weft_session *s, const weft_batch_token *t, size_t i, const weft_rows *out,
                               weft_error *err)
{
    if (t->sequence >= s->desc.n_sequences)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu: sequence %u of %u", i, t->sequence, s->desc.n_sequences);
    if (t->id < 0 || (uint32_t)t->id >= s->m->info.n_vocab)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu: id %d is not below the vocabulary's %u", i, t->id,
                         s->m->info.n_vocab);
    if (s->before[t->sequence] + s->fresh[t->sequence] == s->desc.context)
        return WEFT_FAIL(err, WEFT_LIMIT, "sequence %u would have more than the context's %u tokens", t->sequence,
                         s->desc.context);
    return check_wants(s, t->wants, i, out, err);
}

/* Checks all tokens before any is run, and that the cache has room for them, so that what is refused changes
 * nothing. */
static weft_status check_batch(weft_session *s, const weft_batch_token *t, size_t n, const weft_rows *out,
                               weft_error *err)
{
    weft_status status = WEFT_OK;
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) s->before[i] = s->pages.sequences[i].length;
    for (size_t i = 0; i < n && !status; i++) {
        status = check_token(s, &t[i], i, out, err);
        if (!status) s->fresh[t[i].sequence]++;
    }
    for (uint32_t i = 0; i < s->desc.n_sequences && !status; i++)
        wanted += weft__pages_wanted(&s->pages, i, s->fresh[i]);
    if (!status && wanted > s->pages.n_free)
        status = WEFT_FAIL(err, WEFT_LIMIT, "the cache of %u cells is full: %llu pages of %u are needed, %u are free",
                           s->desc.cells, (unsigned long long)wanted, s->desc.page, s->pages.n_free);
    if (status) end_call(s);
    return status;
}

static weft_status reserve(weft_session *s, weft_error *err)
{
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) {
        weft__page_copy copy;
        if (s->fresh[i] && weft__pages_reserve(&s->pages, i, s->fresh[i], &copy))
            WEFT_TRY(weft__copy_cells(s, &copy, err));
    }
    return WEFT_OK;
}

static void place_token(weft_session *s, const weft_batch_token *t, uint32_t at)
{
    weft__sequence *q = &s->pages.sequences[t->sequence];
    uint32_t pos = q->length++;
    q->tokens[pos] = t->id;
    weft__batch(s, WEFT__TOKENS)[at] = t->id;
    weft__batch(s, WEFT__POS)[at] = (int32_t)pos;
    weft__batch(s, WEFT__SEQUENCE)[at] = (int32_t)t->sequence;
    weft__batch(s, WEFT__RESET)[at] = pos == 0;
    weft__batch(s, WEFT__CELL)[at] = weft__pages_cell(&s->pages, t->sequence, pos);
    weft__batch(s, WEFT__FIRST)[at] = (int32_t)q->discarded;
}

/* Fills the arrays with as many tokens as one run takes; returns how many, and how many rows they want. */
static uint32_t fill_batch(weft_session *s, const weft__runner *r, const weft_batch_token *t, size_t n,
                           uint32_t *n_rows)
{
    int32_t *rows = weft__batch(s, WEFT__ROWS);
    uint32_t i = 0;
    *n_rows = 0;
    for (; i < n && i < r->max_tokens && (!(t[i].wants & WEFT__WANT_ROW) || *n_rows < r->max_rows); i++) {
        place_token(s, &t[i], i);
        if (t[i].wants & WEFT__WANT_ROW) rows[(*n_rows)++] = (int32_t)i;
    }
    if (!*n_rows) rows[0] = 0; /* the graph computes at least one row */
    return i;
}

static weft_status write_ints(weft__runner *r, weft_ref port, const int32_t *v, uint32_t n, weft_error *err)
{
    return port.id ? weft_program_write(r->p, port, 0, v, n * sizeof *v, err) : WEFT_OK;
}

/* The pages of the sequences that are concerned: the rows of others are not looked at. */
static weft_status write_table(weft_session *s, weft__runner *r, weft_error *err)
{
    for (uint32_t i = 0; r->table.id && i < s->desc.n_sequences; i++) {
        const weft__sequence *q = &s->pages.sequences[i];
        uint64_t row = s->pages.pages_each * sizeof *q->pages;
        uint64_t used = weft__pages_of(s->desc.page, q->length) * sizeof *q->pages;
        if (s->fresh[i] && used) WEFT_TRY(weft_program_write(r->p, r->table, i * row, q->pages, used, err));
    }
    return WEFT_OK;
}

static weft_status write_batch(weft_session *s, weft__runner *r, uint32_t n, uint32_t n_rows, weft_error *err)
{
    const weft_ref ports[] = { [WEFT__TOKENS] = r->tokens, [WEFT__POS] = r->pos, [WEFT__SEQUENCE] = r->sequence,
                               [WEFT__RESET] = r->reset, [WEFT__CELL] = r->cell, [WEFT__FIRST] = r->first };
    if (!n_rows) n_rows = 1; /* the extent is at least 1 */
    WEFT_TRY(weft_program_set_extent(r->p, "tokens", n, err));
    WEFT_TRY(weft_program_set_extent(r->p, "rows", n_rows, err));
    for (int i = WEFT__TOKENS; i < WEFT__ROWS; i++) WEFT_TRY(write_ints(r, ports[i], weft__batch(s, i), n, err));
    WEFT_TRY(write_table(s, r, err));
    return write_ints(r, r->rows, weft__batch(s, WEFT__ROWS), n_rows, err);
}

/* ---- what is under way ---- */

bool weft__activity_begin(weft_session *s)
{
    int idle = WEFT__IDLE;
    return atomic_compare_exchange_strong(&s->activity, &idle, WEFT__BUSY);
}

void weft__activity_end(weft_session *s, bool began)
{
    if (began) atomic_store(&s->activity, WEFT__IDLE);
}

void weft_session_cancel(weft_session *s)
{
    int busy = WEFT__BUSY;
    atomic_compare_exchange_strong(&s->activity, &busy, WEFT__CANCELLED);
}

/* ---- chunks ---- */

static weft_status submit_chunk(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    if (atomic_load(&s->activity) == WEFT__CANCELLED) return WEFT_FAIL(err, WEFT_CANCELLED, "evaluating: cancelled");
    c->r = weft__runner_of(s, c->n - c->done);
    c->taken = fill_batch(s, c->r, c->tokens + c->done, c->n - c->done, &c->n_rows);
    c->done += c->taken;
    WEFT_TRY(write_batch(s, c->r, c->taken, c->n_rows, err));
    return weft_program_submit(c->r->p, err);
}

/* Waits for the chunk that runs, and takes what its tokens want. */
static weft_status wait_chunk(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    WEFT_TRY(weft_program_wait(c->r->p, err));
    WEFT_TRY(weft__read_results(s, c->r, c->tokens + c->done - c->taken, c->taken, c->n_rows, &c->out, err));
    return weft__task_reach(&c->task, c->done, err);
}

/* After a failure nothing is left of what was begun. */
static weft_status finish(weft_session *s, weft_status status)
{
    if (status) take_back(s, s->call.done > 0);
    end_call(s);
    weft__activity_end(s, s->call.began);
    return status;
}

static weft_status begin(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    const weft_progress_sink *sink = c->n > s->desc.max_tokens ? &s->desc.progress : NULL;
    WEFT_TRY(weft__task_begin(&c->task, sink, "evaluating", c->n, "tokens", err));
    WEFT_TRY(reserve(s, err));
    return c->n ? submit_chunk(s, err) : WEFT_OK;
}

weft_status weft_session_submit(weft_session *s, const weft_batch_token *tokens, size_t n, const weft_rows *out,
                                weft_error *err)
{
    WEFT_TRY(weft__check_idle(s, err));
    WEFT_TRY(check_batch(s, tokens, n, out, err));
    s->call = (weft__call){ .tokens = tokens, .n = n, .out = out ? *out : (weft_rows){ 0 },
                            .began = weft__activity_begin(s) };
    weft_status status = begin(s, err);
    if (status) return finish(s, status);
    s->call.running = true;
    return WEFT_OK;
}

weft_status weft_session_wait(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    if (!c->running) return WEFT_FAIL(err, WEFT_INVALID, "no evaluation is under way");
    c->running = false;
    weft_status status = c->n ? wait_chunk(s, err) : WEFT_OK;
    while (!status && c->done < c->n) {
        status = submit_chunk(s, err);
        if (!status) status = wait_chunk(s, err);
    }
    return finish(s, status);
}

weft_status weft_session_eval(weft_session *s, const weft_batch_token *tokens, size_t n, const weft_rows *out,
                              weft_error *err)
{
    WEFT_TRY(weft_session_submit(s, tokens, n, out, err));
    return weft_session_wait(s, err);
}

/* ---- checking ---- */

static weft_status run_check(weft_session *s, const weft_batch_token *t, uint32_t n,
                             bool (*report)(void *ctx, const weft_check_node *node), void *ctx, weft_error *err)
{
    weft__runner *r = weft__runner_of(s, n);
    weft_weight_source source = weft_model_weights(s->m);
    weft_status status = reserve(s, err);
    uint32_t n_rows, taken = status ? 0 : fill_batch(s, r, t, n, &n_rows);
    if (!status) status = write_batch(s, r, taken, n_rows, err);
    if (!status) status = weft_program_check(r->p, &source, report, ctx, err);
    take_back(s, taken > 0);
    end_call(s);
    return status;
}

weft_status weft_session_check(weft_session *s, const int32_t *ids, size_t n,
                               bool (*report)(void *ctx, const weft_check_node *node), void *ctx, weft_error *err)
{
    WEFT_TRY(weft__check_idle(s, err));
    if (!n) return WEFT_FAIL(err, WEFT_INVALID, "a check needs at least one token");
    if (n > s->desc.max_tokens) n = s->desc.max_tokens;
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a check");
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ .id = ids[i] };
    weft_status status = check_batch(s, t, n, NULL, err);
    if (!status) status = run_check(s, t, (uint32_t)n, report, ctx, err);
    free(t);
    return status;
}
