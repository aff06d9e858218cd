/* step.c: a mask as a step of a sampler. */
#include "match_impl.h"

static uint32_t keep_allowed(void *ctx, weft_candidate *c, uint32_t n, const int32_t *history, size_t n_history)
{
    weft_matcher *m = ctx;
    uint32_t kept = 0;
    (void)history;
    (void)n_history;
    if (weft_matcher_mask(m, m->bits, NULL)) return 0;
    for (uint32_t i = 0; i < n; i++)
        if ((uint32_t)c[i].id < m->g->trie->n_vocab && grammar_has_bit(m->bits, c[i].id)) c[kept++] = c[i];
    return kept;
}

weft_sampler_step weft_matcher_step(weft_matcher *m)
{
    return (weft_sampler_step){ .kind = WEFT_STEP_CALL, .call = keep_allowed, .ctx = m };
}
