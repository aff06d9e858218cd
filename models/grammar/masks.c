/* masks.c: the tokens that may follow a set of places.
 *
 * The places of a set that have the same stack are looked at by themselves first, as if nothing were known of the
 * stack: the tokens that stay within the rule are the same wherever the rule is called, and are found once. What
 * is left are the tokens that go on behind the end of the rule; for those the trie is walked again from where the rule
 * ended, with the stack that there is. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"

enum { NEAR = 8 }; /* bytes from which on near states are made use of */

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

/* Sets the bits of tokens that end at nodes first to end, where g->along has the sets up to there. short_: nodes below
 * which no token is longer are left out. */
static weft_status walk(weft_grammar *g, uint32_t first, uint32_t end, uint32_t short_, uint32_t *bits,
                        open_nodes *open, weft_error *err)
{
    const weft_token_trie *t = g->trie;
    uint32_t visited = 0;
    for (uint32_t i = first; i < end; visited++) {
        const trie_node *node = &t->nodes[i];
        uint32_t set;
        if (node->below <= short_) {
            i = node->skip;
            continue;
        }
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
    return grammar_work(g, visited, err);
}

static uint32_t *mask_new(weft_grammar *g)
{
    const uint32_t words = grammar_words(g->trie);
    g->pool.bytes += words * sizeof(uint32_t);
    return calloc(words, sizeof(uint32_t));
}

/* The mask of a set of STACK_OPEN, and its open nodes. */
static weft_status mask_rule(weft_grammar *g, uint32_t set, weft_error *err)
{
    open_nodes open = { 0 };
    if (g->pool.sets[set].mask) return WEFT_OK;
    uint32_t *bits = mask_new(g);
    weft_status status = bits ? WEFT_OK : WEFT_OOM_FAIL(err, "a grammar's mask");
    g->along[0] = set;
    if (!status) status = walk(g, 0, g->trie->n_nodes, 0, bits, &open, err);
    if (status) {
        free(bits);
        free(open.v);
        return status;
    }
    grammar_set *s = &g->pool.sets[set];
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

/* done: a bit of each open node from which the set was followed already; NULL: the rule is the only one. */
static weft_status add_rule(weft_grammar *g, uint32_t set, uint32_t rule, uint32_t *done, uint32_t *bits,
                            weft_error *err)
{
    const uint32_t words = grammar_words(g->trie);
    WEFT_TRY(mask_rule(g, rule, err));
    const uint32_t *mask = g->pool.sets[rule].mask, *open = g->pool.sets[rule].open, n = g->pool.sets[rule].n_open;
    for (uint32_t i = 0; i < words; i++) bits[i] |= mask[i];
    for (uint32_t i = 0; i < n; i++) {
        if (done && done[open[i] / 32] >> open[i] % 32 & 1) continue;
        if (done) done[open[i] / 32] |= UINT32_C(1) << open[i] % 32;
        WEFT_TRY(follow(g, set, open[i], err));
        WEFT_TRY(walk(g, open[i] + 1, g->trie->nodes[open[i]].skip, 0, bits, NULL, err));
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

/* The set of places[0..n), in any order. */
static weft_status set_like(weft_grammar *g, uint32_t set, grammar_place *places, uint32_t n, uint32_t *out,
                            weft_error *err)
{
    uint32_t kept = 1;
    qsort(places, n, sizeof *places, grammar_by_stack);
    for (uint32_t i = 1; i < n; i++)
        if (grammar_by_stack(&places[kept - 1], &places[i])) places[kept++] = places[i];
    return grammar_set_of(g, places, kept, g->pool.sets[set].ends, g->pool.sets[set].returns, out, err);
}

/* The place whose state and the one to return to first are those of the first turns; `reach`: for tokens up to that. */
static weft_status near_place(weft_grammar *g, grammar_place q, uint32_t *reach, grammar_place *out, weft_error *err)
{
    const grammar_state *s = &g->a.states[q.state];
    *out = q;
    if (s->near != q.state && s->reach >= NEAR) {
        out->state = s->near;
        *reach = s->reach < *reach ? s->reach : *reach;
    }
    if (q.stack < STACK_FIRST) return WEFT_OK;
    const grammar_stack top = g->pool.stacks[q.stack];
    s = &g->a.states[top.state];
    if (s->near == top.state || s->reach < NEAR) return WEFT_OK;
    *reach = s->reach < *reach ? s->reach : *reach;
    return grammar_stack_of(g, s->near, top.below, &out->stack, err);
}

/* What stands for a set: `same`, of the same mask; where that is itself `near`, which has the same tokens of up to
 * *reach bytes, perhaps itself, too. */
static weft_status find_like(weft_grammar *g, uint32_t set, uint32_t *same, uint32_t *near, uint32_t *reach,
                             weft_error *err)
{
    const uint32_t n = g->pool.sets[set].n;
    grammar_place *places = malloc((n + 1) * sizeof *places);
    if (!places) return WEFT_OOM_FAIL(err, "a grammar's mask");
    for (uint32_t i = 0; i < n; i++) {
        const grammar_place q = g->pool.places[g->pool.sets[set].first + i];
        places[i] = (grammar_place){ g->pool.stacks[q.stack].same, g->a.states[q.state].same };
    }
    weft_status status = set_like(g, set, places, n, same, err);
    *near = set;
    *reach = UINT32_MAX;
    for (uint32_t i = 0; !status && *same == set && i < n; i++)
        status = near_place(g, g->pool.places[g->pool.sets[set].first + i], reach, &places[i], err);
    if (!status && *same == set) status = set_like(g, set, places, n, near, err);
    free(places);
    return status;
}

/* The mask by that of a near set: its tokens of up to `reach` bytes, and of the longer ones those that may come. */
static weft_status mask_by_near(weft_grammar *g, uint32_t set, uint32_t near, uint32_t reach, uint32_t *bits,
                                weft_error *err)
{
    const weft_token_trie *t = g->trie;
    const uint32_t *mask;
    WEFT_TRY(grammar_mask(g, near, &mask, err));
    memcpy(bits, mask, grammar_words(t) * sizeof *bits);
    for (uint32_t i = 0; i < t->n_by_length; i++) {
        const int32_t id = t->by_length[i];
        if (t->bytes_at[id + 1] - t->bytes_at[id] <= reach) break;
        bits[id / 32] &= ~(UINT32_C(1) << id % 32);
    }
    g->along[0] = set;
    return walk(g, 0, t->n_nodes, reach < 254 ? reach : 254, bits, NULL, err);
}

static weft_status mask_anew(weft_grammar *g, uint32_t set, uint32_t *bits, weft_error *err)
{
    const uint32_t n = g->pool.sets[set].n;
    uint32_t *done = NULL;
    weft_status status = WEFT_OK;
    for (uint32_t i = 0; !status && i < n;) {
        uint32_t rule;
        status = rule_of(g, set, i, &i, &rule, err);
        if (!status && !done && i < n && !(done = calloc(g->trie->n_nodes / 32 + 1, sizeof *done)))
            status = WEFT_OOM_FAIL(err, "a grammar's mask");
        if (!status) status = add_rule(g, set, rule, done, bits, err);
    }
    free(done);
    return status;
}

/* Of a set that no other stands for. */
static weft_status mask_own(weft_grammar *g, uint32_t set, uint32_t near, uint32_t reach, weft_error *err)
{
    uint32_t *bits = mask_new(g);
    if (!bits) return WEFT_OOM_FAIL(err, "a grammar's mask");
    const weft_status status =
        near != set ? mask_by_near(g, set, near, reach, bits, err) : mask_anew(g, set, bits, err);
    if (status) free(bits);
    else g->pool.sets[set].mask = bits;
    return status;
}

weft_status grammar_mask(weft_grammar *g, uint32_t set, const uint32_t **out, weft_error *err)
{
    uint32_t same = g->pool.sets[set].same, near = set, reach = 0;
    if (same == SET_UNKNOWN) {
        same = set;
        if (g->a.has_turns && g->pool.sets[set].n) WEFT_TRY(find_like(g, set, &same, &near, &reach, err));
        if (same == set && !g->pool.sets[set].mask) WEFT_TRY(mask_own(g, set, near, reach, err));
        g->pool.sets[set].same = same;
    }
    if (same != set) return grammar_mask(g, same, out, err);
    *out = g->pool.sets[set].mask;
    return WEFT_OK;
}
