/* eval.c: tokens appended to their sequences and run, chunk after chunk. */
#include "models/session_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- the batch ---- */

/* The sequences that the call concerned are as before. Of those whose recurrent states have gone on, or whose windows
 * have, over several runs, nothing is left. */
static void take_back(weft_session *s, bool ran)
{
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) {
        if (!s->fresh[i]) continue;
        bool gone = (s->recurrent && ran) || weft__group_without(s, i, s->before[i]);
        weft__groups_truncate(s, i, gone ? 0 : s->before[i]);
    }
}

static void end_call(weft_session *s)
{
    memset(s->fresh, 0, s->desc.n_sequences * sizeof *s->fresh);
    memset(s->running, 0, s->desc.n_sequences * sizeof *s->running);
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
    if (t->id < 0 || (uint32_t)t->id >= s->m->n_ids)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu: id %d is not below the vocabulary's %u", i, t->id,
                         s->m->n_ids);
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
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) s->before[i] = s->sequences[i].length;
    for (size_t i = 0; i < n && !status; i++) {
        status = check_token(s, &t[i], i, out, err);
        if (!status) s->fresh[t[i].sequence]++;
    }
    if (!status) status = weft__check_room(s, t, n, err);
    if (status) end_call(s);
    return status;
}

/* Cells for the n tokens of a run. */
static weft_status reserve(weft_session *s, const weft_batch_token *t, uint32_t n, weft_error *err)
{
    memset(s->running, 0, s->desc.n_sequences * sizeof *s->running);
    for (uint32_t i = 0; i < n; i++) s->running[t[i].sequence]++;
    for (uint32_t i = 0; i < s->desc.n_sequences; i++)
        for (uint32_t k = 0; s->running[i] && k < s->n_groups; k++) {
            weft__group *g = &s->groups[k];
            weft__page_copy copy;
            if (weft__pages_copies(&g->pages, i, &copy)) WEFT_TRY(weft__copy_cells(s, g, &copy, err));
            weft__pages_append(&g->pages, i, s->running[i]);
        }
    return WEFT_OK;
}

/* The run is over: what no token to come sees is given back. */
static void leave_behind(weft_session *s)
{
    for (uint32_t i = 0; i < s->desc.n_sequences; i++)
        if (s->running[i]) weft__groups_leave_behind(s, i);
}

static void place_token(weft_session *s, const weft_batch_token *t, uint32_t at)
{
    weft__sequence *q = &s->sequences[t->sequence];
    uint32_t pos = q->length++;
    q->tokens[pos] = t->id;
    weft__batch(s, WEFT__TOKENS)[at] = t->id;
    weft__batch(s, WEFT__POS)[at] = (int32_t)pos;
    weft__batch(s, WEFT__SEQUENCE)[at] = (int32_t)t->sequence;
    weft__batch(s, WEFT__RESET)[at] = pos == 0;
    weft__batch(s, WEFT__ADAPTER)[at] = q->adapter;
    for (uint32_t i = 0; i < s->n_groups; i++) {
        weft__group *g = &s->groups[i];
        g->cell[at] = weft__pages_cell(&g->pages, t->sequence, pos);
        g->first[at] = (int32_t)weft__first_seen(g, q->discarded, pos);
    }
}

/* Fills the arrays with a run's tokens. */
static void fill_batch(weft_session *s, const weft_batch_token *t, uint32_t n)
{
    int32_t *rows = weft__batch(s, WEFT__ROWS), *row_adapter = weft__batch(s, WEFT__ROW_ADAPTER);
    rows[0] = row_adapter[0] = 0; /* the graph computes at least one row */
    for (uint32_t i = 0, row = 0; i < n; i++) {
        place_token(s, &t[i], i);
        if (!(t[i].wants & WEFT__WANT_ROW)) continue;
        row_adapter[row] = s->sequences[t[i].sequence].adapter;
        rows[row++] = (int32_t)i;
    }
}

static weft_status write_ints(weft__runner *r, weft_ref port, const int32_t *v, uint32_t n, weft_error *err)
{
    return port.id ? weft_program_write(r->p, port, 0, v, n * sizeof *v, err) : WEFT_OK;
}

/* The pages of the run's sequences, from where their windows begin: the rows of others are not looked at. */
static weft_status write_table(weft_session *s, weft__runner *r, const weft__pages *p, weft_ref table, weft_error *err)
{
    for (uint32_t i = 0; table.id && i < s->desc.n_sequences; i++) {
        if (!s->running[i]) continue;
        const weft__page_list *l = &p->lists[i];
        uint32_t begin = l->begin / p->page, end = weft__pages_of(p->page, l->length);
        uint64_t at = (size_t)i * p->pages_each + begin, one = sizeof *p->table;
        WEFT_TRY(weft_program_write(r->p, table, at * one, p->table + at, (end - begin) * one, err));
    }
    return WEFT_OK;
}

static weft_status write_groups(weft_session *s, weft__runner *r, uint32_t n, weft_error *err)
{
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const weft__group *g = &s->groups[i];
        WEFT_TRY(write_ints(r, r->groups[i].cell, g->cell, n, err));
        WEFT_TRY(write_ints(r, r->groups[i].first, g->first, n, err));
        WEFT_TRY(write_table(s, r, &g->pages, r->groups[i].table, err));
    }
    return WEFT_OK;
}

static weft_status write_batch(weft_session *s, const weft__cut *run, weft_error *err)
{
    weft__runner *r = run->r;
    uint32_t n = run->n, n_rows = run->n_rows ? run->n_rows : 1; /* the extent is at least 1 */
    const weft_ref ports[] = { [WEFT__TOKENS] = r->tokens, [WEFT__POS] = r->pos, [WEFT__SEQUENCE] = r->sequence,
                               [WEFT__RESET] = r->reset, [WEFT__ADAPTER] = r->adapter };
    WEFT_TRY(weft_program_set_extent(r->p, "tokens", n, err));
    WEFT_TRY(weft_program_set_extent(r->p, "rows", n_rows, err));
    for (int i = WEFT__TOKENS; i < WEFT__ROWS; i++) WEFT_TRY(write_ints(r, ports[i], weft__batch(s, i), n, err));
    WEFT_TRY(write_groups(s, r, n, err));
    WEFT_TRY(write_ints(r, r->row_adapter, weft__batch(s, WEFT__ROW_ADAPTER), n_rows, err));
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
    const weft_batch_token *next = c->tokens + c->done;
    c->run = weft__cut_run(s, next, c->n - c->done);
    WEFT_TRY(reserve(s, next, c->run.n, err));
    c->done += c->run.n;
    fill_batch(s, next, c->run.n);
    WEFT_TRY(write_batch(s, &c->run, err));
    return weft_program_submit(c->run.r->p, err);
}

/* Waits for the chunk that runs, and takes what its tokens want. */
static weft_status wait_chunk(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    const weft__cut *run = &c->run;
    WEFT_TRY(weft_program_wait(run->r->p, err));
    WEFT_TRY(weft__read_results(s, run->r, c->tokens + c->done - run->n, run->n, run->n_rows, &c->out, err));
    leave_behind(s);
    return weft__task_reach(&c->task, c->done, err);
}

/* After a failure nothing is left of what was begun. */
static weft_status finish(weft_session *s, weft_status status)
{
    if (status) take_back(s, s->call.done > 0);
    end_call(s);
    s->call.running = s->call.inside = false;
    weft__activity_end(s, s->call.began);
    return status;
}

static weft_status begin(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    const weft_progress_sink *sink = c->n > s->desc.max_tokens ? &s->desc.progress : NULL;
    WEFT_TRY(weft__task_begin(&c->task, sink, "evaluating", c->n, "tokens", err));
    return c->n ? submit_chunk(s, err) : WEFT_OK;
}

weft_status weft_session_submit(weft_session *s, const weft_batch_token *tokens, size_t n, const weft_rows *out,
                                weft_error *err)
{
    WEFT_TRY(weft__check_idle(s, err));
    WEFT_TRY(check_batch(s, tokens, n, out, err));
    s->call = (weft__call){ .running = true, .inside = true, .tokens = tokens, .n = n,
                            .out = out ? *out : (weft_rows){ 0 }, .began = weft__activity_begin(s) };
    weft_status status = begin(s, err);
    s->call.inside = false;
    return status ? finish(s, status) : WEFT_OK;
}

weft_status weft_session_wait(weft_session *s, weft_error *err)
{
    weft__call *c = &s->call;
    if (!c->running || c->inside) return WEFT_FAIL(err, WEFT_INVALID, "no evaluation is to be waited for");
    c->inside = true;
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

static weft_status run_visit(weft_session *s, const weft_batch_token *t, uint32_t n, weft__visit *visit, void *ctx,
                             weft_error *err)
{
    weft__cut c = weft__cut_run(s, t, n);
    weft_status status = reserve(s, t, c.n, err);
    bool reserved = !status;
    if (reserved) {
        fill_batch(s, t, c.n);
        status = write_batch(s, &c, err);
        if (!status) status = visit(ctx, c.r->p, err);
    }
    take_back(s, reserved);
    end_call(s);
    return status;
}

weft_status weft__session_visit(weft_session *s, const int32_t *ids, size_t n, weft__visit *visit, void *ctx,
                                weft_error *err)
{
    WEFT_TRY(weft__check_idle(s, err));
    if (!n) return WEFT_FAIL(err, WEFT_INVALID, "a check needs at least one token");
    if (n > s->desc.max_tokens) n = s->desc.max_tokens;
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a check");
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ .id = ids[i] };
    weft_status status = check_batch(s, t, n, NULL, err);
    if (!status) {
        s->call = (weft__call){ .running = true, .inside = true };
        status = run_visit(s, t, (uint32_t)n, visit, ctx, err);
        s->call.running = s->call.inside = false;
    }
    free(t);
    return status;
}

typedef struct check {
    weft_weight_source source;
    bool (*report)(void *ctx, const weft_check_node *node);
    void *ctx;
} check;

static weft_status check_program(void *ctx, weft_program *p, weft_error *err)
{
    const check *c = ctx;
    return weft_program_check(p, &c->source, c->report, c->ctx, err);
}

weft_status weft_session_check(weft_session *s, const int32_t *ids, size_t n,
                               bool (*report)(void *ctx, const weft_check_node *node), void *ctx, weft_error *err)
{
    check c = { { s, weft__session_find }, report, ctx };
    return weft__session_visit(s, ids, n, check_program, &c, err);
}
