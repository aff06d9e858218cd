/* collect.c: what a grammar has learnt goes when there is too much of it, but for where its matchers stand. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"

enum { COLLECT_AT = 64 << 20 };

/* Old numbers to new ones; 0: not needed. */
typedef struct survivors { uint32_t *sets, *stacks; } survivors;

static void mark(const weft_grammar *g, const grammar_pool *old, survivors *s)
{
    for (const weft_matcher *m = g->matchers; m; m = m->next)
        for (size_t i = 0; i < m->n; i++) s->sets[m->sets[i]] = 1;
    for (size_t i = SET_FIRST; i < old->n_sets; i++)
        for (uint32_t k = 0; s->sets[i] && k < old->sets[i].n; k++)
            s->stacks[old->places[old->sets[i].first + k].stack] = 1;
    for (size_t i = old->n_stacks; i-- > STACK_FIRST;) /* what is below has a lower number */
        if (s->stacks[i]) s->stacks[old->stacks[i].below] = 1;
}

static weft_status move_set(weft_grammar *g, const grammar_pool *old, const survivors *s, uint32_t set, weft_error *err)
{
    const grammar_set *from = &old->sets[set];
    grammar_place *places = malloc((from->n + 1) * sizeof *places);
    if (!places) return WEFT_OOM_FAIL(err, "the states of a grammar");
    for (uint32_t i = 0; i < from->n; i++) {
        const grammar_place q = old->places[from->first + i];
        places[i] = (grammar_place){ s->stacks[q.stack], q.state };
    }
    qsort(places, from->n, sizeof *places, grammar_by_stack);
    const weft_status status = grammar_set_of(g, places, from->n, from->ends, from->returns, &s->sets[set], err);
    free(places);
    return status;
}

static weft_status move(weft_grammar *g, const grammar_pool *old, survivors *s, weft_error *err)
{
    WEFT_TRY(grammar_pool_begin(g, err));
    s->stacks[STACK_EMPTY] = STACK_EMPTY;
    s->stacks[STACK_OPEN] = STACK_OPEN;
    for (uint32_t i = STACK_FIRST; i < old->n_stacks; i++)
        if (s->stacks[i])
            WEFT_TRY(grammar_stack_of(g, old->stacks[i].state, s->stacks[old->stacks[i].below], &s->stacks[i], err));
    s->sets[SET_ENDED] = SET_ENDED;
    for (uint32_t i = SET_FIRST; i < old->n_sets; i++)
        if (s->sets[i]) WEFT_TRY(move_set(g, old, s, i, err));
    return WEFT_OK;
}

weft_status grammar_collect(weft_grammar *g, weft_error *err)
{
    g->pool.work = 0;
    grammar_pool old = g->pool;
    const uint32_t start = g->start;
    if (old.bytes < (old.collect_at ? old.collect_at : COLLECT_AT)) return WEFT_OK;
    survivors s = { calloc(old.n_sets, sizeof *s.sets), calloc(old.n_stacks, sizeof *s.stacks) };
    weft_status status = s.sets && s.stacks ? WEFT_OK : WEFT_OOM_FAIL(err, "the states of a grammar");
    if (!status) {
        g->pool = (grammar_pool){ 0 };
        mark(g, &old, &s);
        status = move(g, &old, &s, err);
        grammar_pool_free(status ? &g->pool : &old);
        if (status) g->pool = old, g->start = start;
    }
    if (!status) {
        for (weft_matcher *m = g->matchers; m; m = m->next)
            for (size_t i = 0; i < m->n; i++) m->sets[i] = s.sets[m->sets[i]];
        /* The more stays, the later it is looked at again. */
        g->pool.collect_at = COLLECT_AT + 2 * g->pool.bytes;
    }
    free(s.sets);
    free(s.stacks);
    return status;
}
