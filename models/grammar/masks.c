/* masks.c: the tokens that may follow a set of places.
 *
 * The places of a set that have the same stack are looked at by themselves first, as if nothing were known of the
 * stack: the tokens that stay within the rule are the same wherever the rule is called, and are found once. What
 * is left are the tokens that go on behind the end of the rule; for those the trie is walked again from where the rule
 * ended, with the stack that there is. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"

/* Nodes of the trie behind which a walk left the rule. */
typedef struct open_nodes {
    uint32_t *v;
    size_t n, capacity;
    uint32_t covered; /* nodes before are below one that is there */
} open_nodes;

static inline weft_status step(weft_grammar *g, uint32_t set, uint8_t byte, uint32_t *out, weft_error *err)
{
    const uint32_t *next = g->pool.sets[set].next;
    if (next && (*out = next[g->a.class_of[byte]]) != SET_UNKNOWN) return WEFT_OK;
    return grammar_step(g, set, byte, out, err);
}

/* Sets the bits of tokens that end at nodes first to end, where g->along has the sets up to there. */
static weft_status walk(weft_grammar *g, uint32_t first, uint32_t end, uint32_t *bits, open_nodes *open,
                        weft_error *err)
{
    const weft_token_trie *t = g->trie;
    for (uint32_t i = first; i < end;) {
        const trie_node *node = &t->nodes[i];
        uint32_t set;
        WEFT_TRY(step(g, g->along[node->depth - 1], node->byte, &set, err));
        if (set == SET_NONE) {
            i = node->skip;
            continue;
        }
        g->along[node->depth] = set;
        for (int32_t token = node->token; token >= 0; token = t->next_same[token])
            bits[token / 32] |= UINT32_C(1) << token % 32;
        if (open && g->pool.sets[set].returns && node->skip > i + 1 && i >= open->covered) {
            if (!weft__grow(&open->v, &open->capacity, open->n + 1, sizeof *open->v))
                return WEFT_OOM_FAIL(err, "a grammar's mask");
            open->v[open->n++] = i;
            open->covered = node->skip;
        }
        i++;
    }
    return WEFT_OK;
}

static uint32_t *mask_new(weft_grammar *g)
{
    const uint32_t words = weft_token_trie_words(g->trie);
    g->pool.bytes += words * sizeof(uint32_t);
    return calloc(words, sizeof(uint32_t));
}

/* The mask of a set of STACK_OPEN, and its open nodes. */
static weft_status mask_rule(weft_grammar *g, uint32_t set, weft_error *err)
{
    open_nodes open = { 0 };
    if (g->pool.sets[set].masked) return WEFT_OK;
    uint32_t *bits = mask_new(g);
    weft_status status = bits ? WEFT_OK : WEFT_OOM_FAIL(err, "a grammar's mask");
    g->along[0] = set;
    if (!status) status = walk(g, 0, g->trie->n_nodes, bits, &open, err);
    if (status) {
        free(bits);
        free(open.v);
        return status;
    }
    grammar_set *s = &g->pool.sets[set];
    s->masked = true;
    s->mask = bits;
    s->open = open.v;
    s->n_open = (uint32_t)open.n;
    g->pool.bytes += open.n * sizeof *open.v;
    return WEFT_OK;
}

/* The sets along the bytes that lead to a node. */
static weft_status follow(weft_grammar *g, uint32_t set, uint32_t node, weft_error *err)
{
    const trie_node *nodes = g->trie->nodes;
    uint8_t *path = (uint8_t *)(g->along + g->trie->longest + 2);
    for (uint32_t i = node; i != UINT32_MAX; i = nodes[i].parent) path[nodes[i].depth] = nodes[i].byte;
    g->along[0] = set;
    for (uint32_t d = 1; d <= nodes[node].depth; d++) WEFT_TRY(step(g, g->along[d - 1], path[d], &g->along[d], err));
    return WEFT_OK;
}

static weft_status add_rule(weft_grammar *g, uint32_t set, uint32_t rule, uint32_t *bits, weft_error *err)
{
    const uint32_t words = weft_token_trie_words(g->trie);
    WEFT_TRY(mask_rule(g, rule, err));
    const uint32_t *mask = g->pool.sets[rule].mask, *open = g->pool.sets[rule].open, n = g->pool.sets[rule].n_open;
    for (uint32_t i = 0; i < words; i++) bits[i] |= mask[i];
    for (uint32_t i = 0; i < n; i++) {
        WEFT_TRY(follow(g, set, open[i], err));
        WEFT_TRY(walk(g, open[i] + 1, g->trie->nodes[open[i]].skip, bits, NULL, err));
    }
    return WEFT_OK;
}

/* All places from `first` on that have the first one's stack, as if of STACK_OPEN. */
static weft_status rule_of(weft_grammar *g, uint32_t set, uint32_t first, uint32_t *end, uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    const grammar_place *places = p->places + p->sets[set].first;
    uint32_t n = 0;
    while (first + n < p->sets[set].n && places[first + n].stack == places[first].stack) n++;
    grammar_place *own = malloc(n * sizeof *own);
    if (!own) return WEFT_OOM_FAIL(err, "a grammar's mask");
    for (uint32_t i = 0; i < n; i++) own[i] = (grammar_place){ STACK_OPEN, places[first + i].state };
    const weft_status status = grammar_set_of(g, own, n, false, false, out, err);
    free(own);
    *end = first + n;
    return status;
}

/* The set that has the same mask, and stands for all that do. */
static weft_status find_same(weft_grammar *g, uint32_t set, uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    const uint32_t n = p->sets[set].n;
    *out = set;
    if (!g->a.has_same || !n) return WEFT_OK;
    if (p->sets[set].same == SET_UNKNOWN) {
        grammar_place *places = malloc(n * sizeof *places);
        if (!places) return WEFT_OOM_FAIL(err, "a grammar's mask");
        for (uint32_t i = 0; i < n; i++) {
            const grammar_place q = p->places[p->sets[set].first + i];
            places[i] = (grammar_place){ p->stacks[q.stack].same, g->a.states[q.state].same };
        }
        qsort(places, n, sizeof *places, grammar_by_stack);
        uint32_t kept = 1, same;
        for (uint32_t i = 1; i < n; i++)
            if (grammar_by_stack(&places[kept - 1], &places[i])) places[kept++] = places[i];
        const weft_status status = grammar_set_of(g, places, kept, p->sets[set].ends, p->sets[set].returns, &same, err);
        free(places);
        WEFT_TRY(status);
        p->sets[set].same = same;
    }
    *out = p->sets[set].same;
    return WEFT_OK;
}

weft_status grammar_mask(weft_grammar *g, uint32_t set, const uint32_t **out, weft_error *err)
{
    WEFT_TRY(find_same(g, set, &set, err));
    if (!g->pool.sets[set].masked) {
        uint32_t *bits = mask_new(g);
        weft_status status = bits ? WEFT_OK : WEFT_OOM_FAIL(err, "a grammar's mask");
        for (uint32_t i = 0; !status && i < g->pool.sets[set].n;) {
            uint32_t rule;
            status = rule_of(g, set, i, &i, &rule, err);
            if (!status) status = add_rule(g, set, rule, bits, err);
        }
        if (status) {
            free(bits);
            return status;
        }
        g->pool.sets[set].mask = bits;
        g->pool.sets[set].masked = true;
    }
    *out = g->pool.sets[set].mask;
    return WEFT_OK;
}
