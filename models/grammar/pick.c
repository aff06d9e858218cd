/* pick.c: picking among what may come. */
#include <math.h>

#include "match_impl.h"

weft_status weft_matcher_pick(weft_matcher *m, weft_sampler *s, bool pick_first, float *logits, const int32_t *history,
                              size_t n_history, int32_t *token, weft_error *err)
{
    bool allowed = false;
    if (pick_first) {
        WEFT_TRY(weft_sampler_pick(s, logits, history, n_history, token, NULL, err));
        WEFT_TRY(weft_matcher_allows(m, *token, &allowed, err));
    }
    if (!allowed) {
        WEFT_TRY(weft_matcher_mask(m, m->bits, err));
        for (uint32_t i = 0; i < m->g->trie->n_vocab; i++)
            if (!grammar_has_bit(m->bits, (int32_t)i)) logits[i] = -INFINITY;
        WEFT_TRY(weft_sampler_pick(s, logits, history, n_history, token, NULL, err));
    }
    return weft_matcher_accept(m, *token, err);
}
