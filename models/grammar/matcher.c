/* matcher.c: a text that comes token by token. Each step's set of places is kept, so that steps can be taken back. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"

/* ---- where it stands ---- */

/* With the lock held. */
static void look(weft_matcher *m)
{
    const uint32_t set = m->sets[m->n - 1];
    m->has_ended = set == SET_ENDED;
    m->may = m->has_ended || m->g->pool.sets[set].ends;
    m->must = m->has_ended || !m->g->pool.sets[set].n;
}

static weft_status go_to(weft_matcher *m, uint32_t set, weft_error *err)
{
    if (!weft__grow(&m->sets, &m->capacity, m->n + 1, sizeof *m->sets)) return WEFT_OOM_FAIL(err, "a grammar's text");
    m->sets[m->n++] = set;
    look(m);
    return WEFT_OK;
}

/* ---- life ---- */

static weft_status create(weft_grammar *g, const weft_matcher *like, weft_matcher **out, weft_error *err)
{
    *out = NULL;
    weft_matcher *m = calloc(1, sizeof *m);
    if (m) m->bits = calloc(grammar_words(g->trie), sizeof *m->bits);
    if (!m || !m->bits) {
        free(m);
        return WEFT_OOM_FAIL(err, "a grammar's text");
    }
    m->g = g;
    pthread_mutex_lock(&g->lock);
    weft_status status = go_to(m, like ? like->sets[0] : g->start, err);
    for (size_t i = 1; !status && like && i < like->n; i++) status = go_to(m, like->sets[i], err);
    if (!status) {
        m->next = g->matchers;
        if (m->next) m->next->before = m;
        g->matchers = m;
        *out = m;
    }
    pthread_mutex_unlock(&g->lock);
    if (!status) return WEFT_OK;
    free(m->sets);
    free(m->bits);
    free(m);
    return status;
}

weft_status weft_matcher_create(weft_grammar *g, weft_matcher **out, weft_error *err)
{
    return create(g, NULL, out, err);
}

weft_status weft_matcher_fork(const weft_matcher *m, weft_matcher **out, weft_error *err)
{
    return create(m->g, m, out, err);
}

uint32_t weft_matcher_n_vocab(const weft_matcher *m)
{
    return m->g->trie->n_vocab;
}

void weft_matcher_destroy(weft_matcher *m)
{
    if (!m) return;
    pthread_mutex_lock(&m->g->lock);
    if (m->next) m->next->before = m->before;
    *(m->before ? &m->before->next : &m->g->matchers) = m->next;
    pthread_mutex_unlock(&m->g->lock);
    free(m->sets);
    free(m->bits);
    free(m);
}

/* ---- what may come ---- */

static void add_ends(const weft_token_trie *t, uint32_t *bits)
{
    for (uint32_t i = 0; i < t->n_ends; i++) bits[t->ends[i] / 32] |= UINT32_C(1) << t->ends[i] % 32;
}

static weft_status fill_mask(weft_matcher *m, uint32_t *bits, weft_error *err)
{
    weft_grammar *g = m->g;
    const uint32_t *mask;
    WEFT_TRY(grammar_collect(g, err));
    WEFT_TRY(grammar_mask(g, m->sets[m->n - 1], &mask, err));
    memcpy(bits, mask, grammar_words(g->trie) * sizeof *bits);
    if (m->may) {
        add_ends(g->trie, bits);
        return WEFT_OK;
    }
    for (uint32_t i = 0; i < grammar_words(g->trie); i++)
        if (bits[i]) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_LIMIT,
                     "%s: no token can go on with the text: the vocabulary has none for what must come, or rules would "
                     "be nested more than %d deep", g->name, WEFT_GRAMMAR_MAX_DEPTH);
}

weft_status weft_matcher_mask(weft_matcher *m, uint32_t *bits, weft_error *err)
{
    weft_status status = WEFT_OK;
    if (m->has_ended) {
        memset(bits, 0, grammar_words(m->g->trie) * sizeof *bits);
        return WEFT_OK;
    }
    pthread_mutex_lock(&m->g->lock);
    status = fill_mask(m, bits, err);
    pthread_mutex_unlock(&m->g->lock);
    return status;
}

/* The set after some bytes: SET_NONE where they may not come. */
static weft_status follow(weft_matcher *m, const char *bytes, size_t n, uint32_t *out, weft_error *err)
{
    uint32_t set = m->has_ended ? SET_NONE : m->sets[m->n - 1];
    for (size_t i = 0; i < n && set != SET_NONE; i++) WEFT_TRY(grammar_step(m->g, set, (uint8_t)bytes[i], &set, err));
    *out = set;
    return WEFT_OK;
}

static weft_status follow_token(weft_matcher *m, int32_t token, uint32_t *out, weft_error *err)
{
    const weft_token_trie *t = m->g->trie;
    *out = SET_NONE;
    if (token < 0 || (uint32_t)token >= t->n_vocab) return WEFT_OK;
    if (t->kinds[token] == TRIE_END && m->may && !m->has_ended) *out = SET_ENDED;
    if (t->kinds[token] != TRIE_TEXT) return WEFT_OK;
    WEFT_TRY(grammar_collect(m->g, err));
    return follow(m, t->bytes + t->bytes_at[token], t->bytes_at[token + 1] - t->bytes_at[token], out, err);
}

weft_status weft_matcher_allows(weft_matcher *m, int32_t token, bool *out, weft_error *err)
{
    uint32_t set = SET_NONE;
    pthread_mutex_lock(&m->g->lock);
    const weft_status status = follow_token(m, token, &set, err);
    pthread_mutex_unlock(&m->g->lock);
    *out = !status && set != SET_NONE;
    return status;
}

weft_status weft_matcher_accept(weft_matcher *m, int32_t token, weft_error *err)
{
    uint32_t set = SET_NONE;
    pthread_mutex_lock(&m->g->lock);
    weft_status status = follow_token(m, token, &set, err);
    if (!status && set == SET_NONE)
        status = WEFT_FAIL(err, WEFT_INVALID, "%s: token %d may not come here", m->g->name, token);
    if (!status) status = go_to(m, set, err);
    pthread_mutex_unlock(&m->g->lock);
    return status;
}

weft_status weft_matcher_accept_text(weft_matcher *m, const char *text, size_t n, weft_error *err)
{
    uint32_t set = SET_NONE;
    pthread_mutex_lock(&m->g->lock);
    weft_status status = grammar_collect(m->g, err);
    if (!status) status = follow(m, text, n, &set, err);
    if (!status && set == SET_NONE) status = WEFT_FAIL(err, WEFT_INVALID, "%s: the text may not come here", m->g->name);
    if (!status) status = go_to(m, set, err);
    pthread_mutex_unlock(&m->g->lock);
    return status;
}

void weft_matcher_rollback(weft_matcher *m, size_t n)
{
    pthread_mutex_lock(&m->g->lock);
    m->n -= n < m->n ? n : m->n - 1;
    look(m);
    pthread_mutex_unlock(&m->g->lock);
}

bool weft_matcher_may_end(const weft_matcher *m)
{
    return m->may;
}

bool weft_matcher_must_end(const weft_matcher *m)
{
    return m->must;
}
