/* eval.c: tokens appended to their sequences and run, chunk after chunk; what is asked of them read back. */
#include "models/finite.h"
#include "models/session_impl.h"

#include <math.h>
#include <stdio.h>
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

static weft_status check_token(const weft_session *s, const weft_batch_token *t, size_t i, weft_error *err)
{
    if (t->sequence >= s->desc.n_sequences)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu: sequence %u of %u", i, t->sequence, s->desc.n_sequences);
    if (t->id < 0 || (uint32_t)t->id >= s->m->info.n_vocab)
        return WEFT_FAIL(err, WEFT_INVALID, "token %zu: id %d is not below the vocabulary's %u", i, t->id,
                         s->m->info.n_vocab);
    if (s->before[t->sequence] + s->fresh[t->sequence] == s->desc.context)
        return WEFT_FAIL(err, WEFT_LIMIT, "sequence %u would have more than the context's %u tokens", t->sequence,
                         s->desc.context);
    return WEFT_OK;
}

/* Checks all tokens before any is run, and that the cache has room for them, so that what is refused changes
 * nothing. */
static weft_status check_batch(weft_session *s, const weft_batch_token *t, size_t n, weft_error *err)
{
    weft_status status = WEFT_OK;
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < s->desc.n_sequences; i++) s->before[i] = s->pages.sequences[i].length;
    for (size_t i = 0; i < n && !status; i++) {
        status = check_token(s, &t[i], i, err);
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
    uint32_t i = 0, max_rows = s->desc.hidden >= 0 ? r->max_tokens : r->max_rows;
    *n_rows = 0;
    for (; i < n && i < r->max_tokens && (!t[i].wanted || *n_rows < max_rows); i++) {
        place_token(s, &t[i], i);
        if (t[i].wanted) rows[(*n_rows)++] = (int32_t)i;
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
    if (s->desc.hidden >= 0 || !n_rows) n_rows = 1; /* rows are of logits; the extent is at least 1 */
    WEFT_TRY(weft_program_set_extent(r->p, "tokens", n, err));
    WEFT_TRY(weft_program_set_extent(r->p, "rows", n_rows, err));
    for (int i = WEFT__TOKENS; i < WEFT__ROWS; i++) WEFT_TRY(write_ints(r, ports[i], weft__batch(s, i), n, err));
    WEFT_TRY(write_table(s, r, err));
    return write_ints(r, r->rows, weft__batch(s, WEFT__ROWS), n_rows, err);
}

/* The wanted rows: of logits they are the first n_rows of the result, of hidden states they stand at their tokens. */
static weft_status read_rows(weft_session *s, weft__runner *r, uint32_t n_rows, float *out, weft_error *err)
{
    uint64_t bytes = s->width * sizeof *out;
    if (s->desc.hidden < 0) return n_rows ? weft_program_read(r->p, r->out, 0, out, n_rows * bytes, err) : WEFT_OK;
    const int32_t *rows = weft__batch(s, WEFT__ROWS);
    for (uint32_t i = 0; i < n_rows; i++)
        WEFT_TRY(weft_program_read(r->p, r->out, (uint64_t)rows[i] * bytes, out + (uint64_t)i * s->width, bytes, err));
    return WEFT_OK;
}

/* Row `row` of the run has no numbers: names its token, and the cache if that is why. */
static weft_status fail_row(weft_session *s, uint32_t row, const char *what, weft_error *err)
{
    int32_t at = weft__batch(s, WEFT__ROWS)[row], id = weft__batch(s, WEFT__TOKENS)[at];
    int32_t pos = weft__batch(s, WEFT__POS)[at], sequence = weft__batch(s, WEFT__SEQUENCE)[at];
    const char *state = weft__overflowed_state(s, (uint32_t)sequence);
    return WEFT_FAIL(err, WEFT_NOT_FINITE, "token %d at position %d of sequence %d: %s%s%s%s", id, pos, sequence,
                     what, state ? "; the cache '" : "",
                     state ? state : "", state ? "' was given a number beyond 65504, too large for f16: "
                                                 "bf16 and f32 (kv) hold it" : "");
}

static weft_status check_rows(weft_session *s, uint32_t n_rows, const float *out, weft_error *err)
{
    const char *what = s->desc.hidden >= 0 ? "numbers of the hidden state" : s->desc.scores ? "scores" : "logits";
    for (uint32_t i = 0; i < n_rows; i++) {
        const float *row = out + (size_t)i * s->width;
        char text[96];
        uint32_t first, n = weft__count_not_finite(row, s->width, &first);
        if (!n) continue;
        snprintf(text, sizeof text, "%u of %u %s are NaN or infinite, the first is number %u", n, s->width, what,
                 first);
        return fail_row(s, i, text, err);
    }
    return WEFT_OK;
}

/* A row's sum is finite where all of its logits are; NaN among them never become candidates. */
static weft_status check_sums(weft_session *s, weft__runner *r, uint32_t n_rows, weft_error *err)
{
    float *sums = (float *)(void *)(s->reduced + 2 * (size_t)s->desc.max_rows * s->width);
    WEFT_TRY(weft_program_read(r->p, r->sums, 0, sums, n_rows * sizeof *sums, err));
    uint32_t first, n = weft__count_not_finite(sums, n_rows, &first);
    return n ? fail_row(s, first, "logits are NaN or infinite", err) : WEFT_OK;
}

static weft_status read_candidates(weft_session *s, weft__runner *r, uint32_t n_rows, weft_candidate *out,
                                   weft_error *err)
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

static weft_status run_batch(weft_session *s, weft__runner *r, uint32_t n, uint32_t n_rows, void *out, weft_error *err)
{
    WEFT_TRY(write_batch(s, r, n, n_rows, err));
    WEFT_TRY(weft_program_run(r->p, err));
    if (!out) return WEFT_OK;
    if (s->desc.candidates) return read_candidates(s, r, n_rows, out, err);
    WEFT_TRY(read_rows(s, r, n_rows, out, err));
    return check_rows(s, n_rows, out, err);
}

static weft_status run_chunks(weft_session *s, const weft_batch_token *tokens, size_t n, unsigned char *out,
                              uint64_t row_bytes, size_t *done, weft_error *err)
{
    weft__task task;
    const weft_progress_sink *sink = n > s->prompt.max_tokens ? &s->desc.progress : NULL;
    WEFT_TRY(weft__task_begin(&task, sink, "evaluating", n, "tokens", err));
    WEFT_TRY(reserve(s, err));
    while (*done < n) {
        weft__runner *r = s->decode.p && n - *done <= s->decode.max_tokens ? &s->decode : &s->prompt;
        uint32_t n_rows, taken = fill_batch(s, r, tokens + *done, n - *done, &n_rows);
        *done += taken;
        WEFT_TRY(run_batch(s, r, taken, n_rows, out, err));
        WEFT_TRY(weft__task_reach(&task, *done, err));
        if (out) out += n_rows * row_bytes;
    }
    return WEFT_OK;
}

static weft_status eval(weft_session *s, const weft_batch_token *tokens, size_t n, unsigned char *out,
                        uint64_t row_bytes, weft_error *err)
{
    size_t done = 0;
    WEFT_TRY(check_batch(s, tokens, n, err));
    weft_status status = run_chunks(s, tokens, n, out, row_bytes, &done, err);
    if (status) take_back(s, done > 0);
    end_call(s);
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

static weft_status run_check(weft_session *s, const weft_batch_token *t, uint32_t n,
                             bool (*report)(void *ctx, const weft_check_node *node), void *ctx, weft_error *err)
{
    weft__runner *r = s->decode.p && n <= s->decode.max_tokens ? &s->decode : &s->prompt;
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
    if (!n) return WEFT_FAIL(err, WEFT_INVALID, "a check needs at least one token");
    if (n > s->prompt.max_tokens) n = s->prompt.max_tokens;
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM_FAIL(err, "a check");
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ .id = ids[i], .wanted = i + 1 == n };
    weft_status status = check_batch(s, t, n, err);
    if (!status) status = run_check(s, t, (uint32_t)n, report, ctx, err);
    free(t);
    return status;
}
