/* results.c: what tokens want of a run that is over, read back and looked at: nothing that is no number leaves here. */
#include "models/finite.h"
#include "models/session_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what is no number ---- */

/* Token `at` of the run has no numbers: names it, and the cache if that is why. */
static weft_status fail_token(weft_session *s, uint32_t at, const char *what, weft_error *err)
{
    int32_t id = weft__batch(s, WEFT__TOKENS)[at], pos = weft__batch(s, WEFT__POS)[at];
    int32_t sequence = weft__batch(s, WEFT__SEQUENCE)[at];
    weft_state_info state;
    char cause[256] = "";
    if (weft__overflowed_state(s, (uint32_t)sequence, &state))
        snprintf(cause, sizeof cause,
                 "; the cache '%s' was given a number %stoo large for %s: bf16 and f32 (kv) hold it", state.name,
                 state.dtype == WEFT_F16 ? "beyond 65504, " : "", weft_dtype_get(state.dtype)->name);
    return WEFT_FAIL(err, WEFT_NOT_FINITE, "token %d at position %d of sequence %d: %s%s", id, pos, sequence, what,
                     cause);
}

static weft_status check_row(weft_session *s, uint32_t at, const float *row, uint32_t width, const char *what,
                             weft_error *err)
{
    char text[96];
    uint32_t first, n = weft__count_not_finite(row, width, &first);
    if (!n) return WEFT_OK;
    snprintf(text, sizeof text, "%u of %u %s are NaN or infinite, the first is number %u", n, width, what, first);
    return fail_token(s, at, text, err);
}

/* ---- rows of floats ---- */

/* One kind of result. Its rows stand in the order of the run's rows, or at their tokens. */
typedef struct kind {
    uint32_t want;
    weft_ref port;
    uint32_t width;
    bool by_token;
    const char *what;
} kind;

/* The rows of tokens that follow each other are read at once. */
static weft_status read_kind(weft_session *s, weft__runner *r, const kind *k, const weft_batch_token *t, uint32_t n,
                             float **out, weft_error *err)
{
    uint64_t bytes = k->width * sizeof **out;
    uint32_t row = 0, begin = 0, count = 0; /* rows [begin, begin + count) are to be read */
    for (uint32_t i = 0; i <= n; i++) {
        bool takes = i < n && t[i].wants & k->want, is_row = i < n && t[i].wants & WEFT__WANT_ROW;
        if (takes) {
            if (!count++) begin = k->by_token ? i : row;
        } else if (count && (i == n || k->by_token || is_row)) {
            WEFT_TRY(weft_program_read(r->p, k->port, begin * bytes, *out, count * bytes, err));
            for (uint32_t c = 0; c < count; c++, *out += k->width) {
                uint32_t at = k->by_token ? begin + c : (uint32_t)weft__batch(s, WEFT__ROWS)[begin + c];
                WEFT_TRY(check_row(s, at, *out, k->width, k->what, err));
            }
            count = 0;
        }
        row += is_row;
    }
    return WEFT_OK;
}

/* ---- candidates ---- */

/* A row's mean is finite where all of its logits are; NaN among them never become candidates. */
static weft_status check_means(weft_session *s, weft__runner *r, const weft_batch_token *t, uint32_t n_rows,
                              weft_error *err)
{
    float *means = (float *)(void *)(s->reduced + 2 * (size_t)s->desc.max_rows * s->desc.candidates);
    WEFT_TRY(weft_program_read(r->p, r->means, 0, means, n_rows * sizeof *means, err));
    for (uint32_t row = 0; row < n_rows; row++) {
        uint32_t at = (uint32_t)weft__batch(s, WEFT__ROWS)[row];
        if (t[at].wants & WEFT_WANT_CANDIDATES && !isfinite(means[row]))
            return fail_token(s, at, "logits are NaN or infinite", err);
    }
    return WEFT_OK;
}

/* A few numbers a row: those of all rows are read, whether a token wants them or its logits. */
static weft_status read_candidates(weft_session *s, weft__runner *r, const weft_batch_token *t, uint32_t n_rows,
                                   weft_candidate **out, weft_error *err)
{
    uint32_t k = s->desc.candidates, n = n_rows * k, *ids = s->reduced + (size_t)s->desc.max_rows * k;
    WEFT_TRY(check_means(s, r, t, n_rows, err));
    WEFT_TRY(weft_program_read(r->p, r->ids, 0, ids, n * sizeof *ids, err));
    if (r->values.id) WEFT_TRY(weft_program_read(r->p, r->values, 0, s->reduced, n * sizeof *s->reduced, err));
    for (uint32_t i = 0; i < n; i++) {
        if (!(t[weft__batch(s, WEFT__ROWS)[i / k]].wants & WEFT_WANT_CANDIDATES)) continue;
        **out = (weft_candidate){ NAN, (int32_t)ids[i] };
        if (r->values.id) memcpy(&(*out)->logit, &s->reduced[i], sizeof(*out)->logit);
        ++*out;
    }
    return WEFT_OK;
}

weft_status weft__read_results(weft_session *s, weft__runner *r, const weft_batch_token *t, uint32_t n,
                               uint32_t n_rows, weft_rows *out, weft_error *err)
{
    const weft_model_info *info = &s->m->info;
    const kind logits = { WEFT_WANT_LOGITS, r->logits, info->n_vocab, false, "logits" };
    const kind scores = { WEFT_WANT_SCORES, r->scores, info->n_labels, false, "scores" };
    const kind hidden = { WEFT_WANT_HIDDEN, r->hidden, info->n_embed, true, "numbers of the hidden state" };
    bool candidates = n_rows && s->desc.outputs & WEFT_WANT_CANDIDATES && out->candidates;
    WEFT_TRY(read_kind(s, r, &logits, t, n, &out->logits, err));
    WEFT_TRY(read_kind(s, r, &scores, t, n, &out->scores, err));
    WEFT_TRY(read_kind(s, r, &hidden, t, n, &out->hidden, err));
    return candidates ? read_candidates(s, r, t, n_rows, &out->candidates, err) : WEFT_OK;
}
