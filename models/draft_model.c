/* draft_model.c: drafts by a smaller model. Its session has the text, and behind it what it drafted last; where the
 * text went another way it is cut back. */
#include "models/sampler_impl.h"
#include "models/session_impl.h"

#include <stdlib.h>
#include <string.h>

struct weft_draft_model {
    weft_session *s;
    int32_t *ids; /* the text */
    size_t n, cap;
    size_t same; /* tokens of the session that are known to be the text's */
    weft_batch_token *batch;
    size_t cap_batch;
    float *logits;              /* [n_vocab] */
    weft_candidate *candidates; /* instead, where the session gives them */
    weft__widths widths;        /* what its runs take */
};

/* ---- the vocabulary ---- */

static weft_status check_token(weft_model *m, weft_model *target, const weft_tokenizer *a, const weft_tokenizer *b,
                               int32_t id, weft_error *err)
{
    size_t n = 0, n_b = 0;
    const char *x = weft_tokenizer_bytes(a, id, &n), *y = weft_tokenizer_bytes(b, id, &n_b);
    if (n == n_b && !x == !y && (!n || !memcmp(x, y, n))) return WEFT_OK;
    const char *name = weft_tokenizer_token(a, id), *name_b = weft_tokenizer_token(b, id);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s cannot draft for %s: its token %d is '%s', not '%s'", m->path,
                     target->path, id, name ? name : "", name_b ? name_b : "");
}

/* As llama.cpp compares them: the first five may be called as they like, and a few may be missing at the end. */
static weft_status check_tokens(weft_model *m, weft_model *target, weft_error *err)
{
    enum { FIRST = 5 };
    const weft_tokenizer *a, *b;
    WEFT_TRY(weft_model_tokenizer(m, &a, err));
    WEFT_TRY(weft_model_tokenizer(target, &b, err));
    uint32_t n = weft_tokenizer_size(a) < weft_tokenizer_size(b) ? weft_tokenizer_size(a) : weft_tokenizer_size(b);
    for (uint32_t i = FIRST; i < n; i++) WEFT_TRY(check_token(m, target, a, b, (int32_t)i, err));
    return WEFT_OK;
}

weft_status weft__draft_vocabulary_check(weft_model *m, weft_model *target, weft_error *err)
{
    enum { MOST_MISSING = 128 };
    uint32_t n = m->info.n_vocab, n_target = target->info.n_vocab;
    if ((n > n_target ? n - n_target : n_target - n) > MOST_MISSING)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s cannot draft for %s: it has a vocabulary of %u tokens, not %u",
                         m->path, target->path, n, n_target);
    if (m->info.eos != target->info.eos)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s cannot draft for %s: its texts end with token %d, not %d", m->path,
                         target->path, m->info.eos, target->info.eos);
    return m->info.has_tokenizer && target->info.has_tokenizer ? check_tokens(m, target, err) : WEFT_OK;
}

/* ---- drafting ---- */

static weft_status push(void *ctx, const int32_t *ids, size_t n, weft_error *err)
{
    weft_draft_model *d = ctx;
    if (!weft__grow(&d->ids, &d->cap, d->n + n, sizeof *d->ids)) return WEFT_OOM_FAIL(err, "drafts");
    if (n) memcpy(d->ids + d->n, ids, n * sizeof *ids);
    d->n += n;
    return WEFT_OK;
}

/* How many tokens the session has in common with the text, all but the text's last at most. */
static size_t find_same(weft_draft_model *d)
{
    const int32_t *had = weft_session_tokens(d->s, 0);
    size_t n = weft_session_length(d->s, 0), same = d->same < n ? d->same : n;
    if (same + 1 > d->n) same = d->n ? d->n - 1 : 0;
    while (same < n && same + 1 < d->n && had[same] == d->ids[same]) same++;
    return d->same = same;
}

/* The session keeps those. */
static weft_status cut_back(weft_draft_model *d, weft_error *err)
{
    const size_t n = weft_session_length(d->s, 0), same = find_same(d);
    if (same == n || !weft_session_truncate(d->s, 0, (uint32_t)same, NULL)) return WEFT_OK;
    d->same = 0;
    return weft_session_truncate(d->s, 0, 0, err); /* windows that it had left behind */
}

/* Reads tokens; the last tells what it thinks comes next, where `next` is given. */
static weft_status read_tokens(weft_draft_model *d, const int32_t *ids, size_t n, int32_t *next, weft_error *err)
{
    const weft_rows out = { .logits = d->logits, .candidates = d->candidates };
    if (!n) return WEFT_OK;
    if (!weft__grow(&d->batch, &d->cap_batch, n, sizeof *d->batch)) return WEFT_OOM_FAIL(err, "drafts");
    for (size_t i = 0; i < n; i++) d->batch[i] = (weft_batch_token){ .id = ids[i] };
    if (next) d->batch[n - 1].wants = d->candidates ? WEFT_WANT_CANDIDATES : WEFT_WANT_LOGITS;
    const double began = weft__seconds();
    WEFT_TRY(weft_session_eval(d->s, d->batch, n, &out, err));
    weft__widths_add(&d->widths, (uint32_t)n, weft__seconds() - began);
    if (!next) return WEFT_OK;
    if (d->candidates) *next = d->candidates[0].id;
    else weft__best_ids(d->logits, weft_session_n_vocab(d->s), 1, next);
    return WEFT_OK;
}

/* Tokens that it has not, if any, are at the end of the other's vocabulary: then it has no guess. */
static bool reads_all(const weft_draft_model *d)
{
    if (d->n > weft_session_context(d->s)) return false;
    for (size_t i = weft_session_length(d->s, 0); i < d->n; i++)
        if ((uint32_t)d->ids[i] >= weft__session_model(d->s)->n_ids) return false;
    return true;
}

static weft_status begin(void *ctx, const int32_t *ids, size_t n, weft_error *err)
{
    weft_draft_model *d = ctx;
    d->n = d->same = 0;
    return push(d, ids, n, err);
}

static weft_draft_price price(void *ctx)
{
    weft_draft_model *d = ctx;
    const double each = weft__widths_get(&d->widths, 1);
    const double all = weft__widths_get(&d->widths, (uint32_t)(d->n - find_same(d)));
    return (weft_draft_price){ .kind = WEFT__DRAFT_OF_MODEL, .read = all > each ? all - each : 0, .each = each };
}

static weft_status propose(void *ctx, uint32_t most, weft_draft *out, weft_error *err)
{
    weft_draft_model *d = ctx;
    WEFT_TRY(cut_back(d, err));
    if (!d->n || !reads_all(d)) return WEFT_OK;
    const size_t length = weft_session_length(d->s, 0), room = weft_session_context(d->s) - d->n;
    if (most > room + 1) most = (uint32_t)room + 1;
    out->kind = WEFT__DRAFT_OF_MODEL;
    WEFT_TRY(read_tokens(d, d->ids + length, d->n - length, &out->ids[0], err));
    for (out->n = 1; out->n < most; out->n++) {
        if (weft__model_is_eos(weft__session_model(d->s), out->ids[out->n - 1])) break;
        WEFT_TRY(read_tokens(d, &out->ids[out->n - 1], 1, &out->ids[out->n], err));
    }
    return WEFT_OK;
}

/* ---- life ---- */

/* What a run of one token takes and one of several, each twice: the first may have had to fetch what it works on. */
static weft_status measure(weft_draft_model *d, weft_error *err)
{
    static const int32_t ids[8] = { 0 };
    const uint32_t context = weft_session_context(d->s), several = context < 8 ? context : 8;
    for (int i = 0; i < 4; i++) {
        int32_t next;
        WEFT_TRY(weft_session_truncate(d->s, 0, 0, err));
        WEFT_TRY(read_tokens(d, ids, i < 2 ? 1 : several, &next, err));
    }
    return weft_session_truncate(d->s, 0, 0, err);
}

weft_status weft_draft_model_create(weft_session *s, weft_model *m, weft_draft_model **out, weft_error *err)
{
    *out = NULL;
    if (!weft__session_logits(s))
        return WEFT_FAIL(err, WEFT_INVALID, "a session for hidden states or scores drafts no tokens");
    WEFT_TRY(weft__draft_vocabulary_check(weft__session_model(s), m, err));
    WEFT_TRY(weft_session_check_rollback(s, 0, err));
    weft_draft_model *d = calloc(1, sizeof *d);
    if (!d) return WEFT_OOM_FAIL(err, "drafts");
    d->s = s;
    uint32_t n = weft_session_candidates(s);
    if (n) d->candidates = malloc(n * sizeof *d->candidates);
    else d->logits = malloc(weft_session_n_vocab(s) * sizeof *d->logits);
    weft_status status = d->candidates || d->logits ? measure(d, err) : WEFT_OOM_FAIL(err, "drafts");
    if (status) weft_draft_model_destroy(d);
    else *out = d;
    return status;
}

void weft_draft_model_destroy(weft_draft_model *d)
{
    if (!d) return;
    free(d->ids);
    free(d->batch);
    free(d->logits);
    free(d->candidates);
    free(d);
}

weft_drafter weft_draft_model_drafter(weft_draft_model *d)
{
    return (weft_drafter){ begin, push, propose, d, price };
}
