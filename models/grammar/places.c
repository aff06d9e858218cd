/* places.c: stacks, places and sets of them; see match_impl.h. */
#include <stdlib.h>
#include <string.h>

#include "match_impl.h"

static weft_status fail_oom(weft_error *err)
{
    return WEFT_OOM_FAIL(err, "the states of a grammar");
}

static uint32_t mix(uint32_t h, uint32_t v)
{
    h = (h ^ v) * 0x9E3779B1u;
    return h ^ h >> 15;
}

/* ---- tables of numbers, open, at most half full ---- */

static bool table_grow(grammar_pool *p, grammar_table *t, uint32_t (*hash)(const grammar_pool *p, uint32_t number))
{
    if (t->n_slots && t->used < t->n_slots / 2) return true;
    const uint32_t n = t->n_slots ? t->n_slots * 2 : 64;
    uint32_t *slots = calloc(n, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < t->n_slots; i++) {
        if (!t->slots[i]) continue;
        uint32_t at = hash(p, t->slots[i]) & (n - 1);
        while (slots[at]) at = (at + 1) & (n - 1);
        slots[at] = t->slots[i];
    }
    p->bytes += (n - t->n_slots) * sizeof *slots;
    free(t->slots);
    t->slots = slots;
    t->n_slots = n;
    return true;
}

static weft_status check_room(const weft_grammar *g, weft_error *err)
{
    if (g->pool.bytes <= WEFT_GRAMMAR_MAX_MEMORY) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_LIMIT, "%s: matching needs more than %d MiB", g->name, WEFT_GRAMMAR_MAX_MEMORY >> 20);
}

/* ---- stacks ---- */

static uint32_t stack_hash(const grammar_pool *p, uint32_t number)
{
    return mix(mix(1, p->stacks[number].state), p->stacks[number].below);
}

weft_status grammar_stack_of(weft_grammar *g, uint32_t state, uint32_t below, uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    if (!table_grow(p, &p->stack_table, stack_hash)) return fail_oom(err);
    uint32_t at = mix(mix(1, state), below) & (p->stack_table.n_slots - 1);
    for (; p->stack_table.slots[at]; at = (at + 1) & (p->stack_table.n_slots - 1)) {
        *out = p->stack_table.slots[at];
        if (p->stacks[*out].state == state && p->stacks[*out].below == below) return WEFT_OK;
    }
    if (!weft__grow(&p->stacks, &p->stack_capacity, p->n_stacks + 1, sizeof *p->stacks)) return fail_oom(err);
    const uint32_t made = (uint32_t)p->n_stacks++;
    p->stacks[made] = (grammar_stack){ state, below, p->stacks[below].depth + 1, made };
    p->bytes += sizeof *p->stacks;
    p->stack_table.slots[at] = *out = made;
    p->stack_table.used++;
    const uint32_t same = g->a.states[state].same, same_below = p->stacks[below].same;
    uint32_t other = made;
    if (same != state || same_below != below) WEFT_TRY(grammar_stack_of(g, same, same_below, &other, err));
    p->stacks[made].same = other;
    return check_room(g, err);
}

/* ---- sets ---- */

static uint32_t places_hash(const grammar_place *places, size_t n, bool ends, bool returns)
{
    uint32_t h = mix(7, (uint32_t)n << 2 | (uint32_t)ends << 1 | returns);
    for (size_t i = 0; i < n; i++) h = mix(mix(h, places[i].stack), places[i].state);
    return h;
}

static uint32_t set_hash(const grammar_pool *p, uint32_t number)
{
    const grammar_set *s = &p->sets[number];
    return places_hash(p->places + s->first, s->n, s->ends, s->returns);
}

weft_status grammar_set_of(weft_grammar *g, const grammar_place *places, size_t n, bool ends, bool returns,
                           uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    *out = SET_NONE;
    if (!n && !ends && !returns) return WEFT_OK;
    if (!table_grow(p, &p->set_table, set_hash)) return fail_oom(err);
    uint32_t at = places_hash(places, n, ends, returns) & (p->set_table.n_slots - 1);
    for (; p->set_table.slots[at]; at = (at + 1) & (p->set_table.n_slots - 1)) {
        const grammar_set *s = &p->sets[p->set_table.slots[at]];
        if (s->n == n && s->ends == ends && s->returns == returns &&
            (!n || !memcmp(p->places + s->first, places, n * sizeof *places))) {
            *out = p->set_table.slots[at];
            return WEFT_OK;
        }
    }
    if (!weft__grow(&p->places, &p->place_capacity, p->n_places + n, sizeof *p->places) ||
        !weft__grow(&p->sets, &p->set_capacity, p->n_sets + 1, sizeof *p->sets))
        return fail_oom(err);
    if (n) memcpy(p->places + p->n_places, places, n * sizeof *places);
    p->sets[p->n_sets] = (grammar_set){ .first = p->n_places, .n = (uint32_t)n, .ends = ends, .returns = returns,
                                        .same = SET_UNKNOWN };
    p->n_places += n;
    p->bytes += sizeof *p->sets + n * sizeof *places;
    p->set_table.slots[at] = *out = (uint32_t)p->n_sets++;
    p->set_table.used++;
    return check_room(g, err);
}

/* ---- steps ---- */

weft_status grammar_work(weft_grammar *g, uint32_t steps, weft_error *err)
{
    g->pool.work += steps;
    if (g->pool.work <= WEFT_GRAMMAR_MAX_WORK) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_LIMIT, "%s: the grammar needs more than %d steps of work for one token", g->name,
                     WEFT_GRAMMAR_MAX_WORK);
}

/* Whether a place is new to this step. */
static weft_status see(weft_grammar *g, grammar_place place, bool *is_new, weft_error *err)
{
    grammar_pool *p = &g->pool;
    grammar_table *t = &p->seen;
    if (p->n_todo >= WEFT_GRAMMAR_MAX_WAYS * 4)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the grammar is too ambiguous: a text has more than %d readings", g->name,
                         WEFT_GRAMMAR_MAX_WAYS);
    uint32_t at = mix(mix(3, place.stack), place.state) & (t->n_slots - 1);
    *is_new = false;
    for (; p->marks[at] == p->mark; at = (at + 1) & (t->n_slots - 1)) {
        const grammar_place *q = &p->todo[t->slots[at]];
        if (q->stack == place.stack && q->state == place.state) return WEFT_OK;
    }
    if (!weft__grow(&p->todo, &p->todo_capacity, p->n_todo + 1, sizeof *p->todo)) return fail_oom(err);
    *is_new = true;
    p->marks[at] = p->mark;
    t->slots[at] = (uint32_t)p->n_todo;
    p->todo[p->n_todo++] = place;
    return WEFT_OK;
}

static weft_status add(weft_grammar *g, uint32_t state, uint32_t stack, weft_error *err)
{
    bool is_new;
    return see(g, (grammar_place){ stack, state }, &is_new, err);
}

/* Into a rule. A rule that ends with the call is done with: then there is nothing to return to but what it had. */
static weft_status call(weft_grammar *g, const grammar_edge *e, uint32_t stack, weft_error *err)
{
    uint32_t inner = stack;
    if (!g->a.states[e->to].only_ends) {
        if (g->pool.stacks[stack].depth >= WEFT_GRAMMAR_MAX_DEPTH) return WEFT_OK;
        WEFT_TRY(grammar_stack_of(g, e->to, stack, &inner, err));
    }
    return add(g, g->a.starts[e->rule], inner, err);
}

/* Follows what needs no byte, from the places that are there, and keeps those that read. */
static weft_status close_places(weft_grammar *g, bool *ends, bool *returns, weft_error *err)
{
    grammar_pool *p = &g->pool;
    for (size_t i = 0; i < p->n_todo; i++) {
        const grammar_place place = p->todo[i];
        const grammar_state *s = &g->a.states[place.state];
        WEFT_TRY(grammar_work(g, 4 + s->n, err));
        if (s->ends && place.stack == STACK_EMPTY)
            *ends = true;
        else if (s->ends && place.stack == STACK_OPEN)
            *returns = true;
        else if (s->ends)
            WEFT_TRY(add(g, p->stacks[place.stack].state, p->stacks[place.stack].below, err));
        for (uint32_t k = s->first; k < s->first + s->n; k++) {
            const grammar_edge *e = &g->a.edges[k];
            if (e->kind == GRAMMAR_FREE) WEFT_TRY(add(g, e->to, place.stack, err));
            if (e->kind == GRAMMAR_CALLS) WEFT_TRY(call(g, e, place.stack, err));
        }
        if (!s->reads) continue;
        if (p->n_found >= WEFT_GRAMMAR_MAX_WAYS)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s: the grammar is too ambiguous: a text has more than %d readings",
                             g->name, WEFT_GRAMMAR_MAX_WAYS);
        if (!weft__grow(&p->found, &p->found_capacity, p->n_found + 1, sizeof *p->found)) return fail_oom(err);
        p->found[p->n_found++] = place;
    }
    return WEFT_OK;
}

int grammar_by_stack(const void *a, const void *b)
{
    const grammar_place *x = a, *y = b;
    if (x->stack != y->stack) return x->stack < y->stack ? -1 : 1;
    return x->state < y->state ? -1 : x->state > y->state;
}

static void begin_step(grammar_pool *p)
{
    p->n_todo = p->n_found = 0;
    if (++p->mark) return;
    memset(p->marks, 0, p->seen.n_slots * sizeof *p->marks);
    p->mark = 1;
}

static weft_status end_step(weft_grammar *g, uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    bool ends = false, returns = false;
    WEFT_TRY(close_places(g, &ends, &returns, err));
    if (p->n_found) qsort(p->found, p->n_found, sizeof *p->found, grammar_by_stack);
    return grammar_set_of(g, p->found, p->n_found, ends, returns, out, err);
}

static weft_status step_anew(weft_grammar *g, uint32_t set, uint8_t byte, uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    begin_step(p);
    for (uint32_t i = 0; i < p->sets[set].n; i++) {
        const grammar_place place = p->places[p->sets[set].first + i];
        const grammar_state *s = &g->a.states[place.state];
        WEFT_TRY(grammar_work(g, 1 + s->n, err));
        for (uint32_t k = s->first; k < s->first + s->n; k++) {
            const grammar_edge *e = &g->a.edges[k];
            if (e->kind == GRAMMAR_BYTES && byte >= e->lo && byte <= e->hi) WEFT_TRY(add(g, e->to, place.stack, err));
        }
    }
    return end_step(g, out, err);
}

weft_status grammar_step(weft_grammar *g, uint32_t set, uint8_t byte, uint32_t *out, weft_error *err)
{
    grammar_pool *p = &g->pool;
    uint32_t *next = p->sets[set].next;
    const uint32_t class_ = g->a.class_of[byte];
    *out = SET_NONE;
    if (!p->sets[set].n) return WEFT_OK;
    if (!next) {
        const size_t size = g->a.n_classes * sizeof *next;
        next = malloc(size);
        if (!next) return fail_oom(err);
        memset(next, 0xFF, size);
        p->sets[set].next = next;
        p->bytes += size;
    }
    if (next[class_] == SET_UNKNOWN) {
        uint32_t found;
        WEFT_TRY(step_anew(g, set, byte, &found, err));
        next[class_] = found;
    }
    *out = next[class_];
    return WEFT_OK;
}

/* ---- begin and end ---- */

weft_status grammar_pool_begin(weft_grammar *g, weft_error *err)
{
    grammar_pool *p = &g->pool;
    enum { SEEN = 8 * WEFT_GRAMMAR_MAX_WAYS }; /* at most half full */
    p->seen.slots = calloc(SEEN, sizeof *p->seen.slots);
    p->marks = calloc(SEEN, sizeof *p->marks);
    p->seen.n_slots = SEEN;
    if (!p->seen.slots || !p->marks || !weft__grow(&p->stacks, &p->stack_capacity, STACK_FIRST, sizeof *p->stacks) ||
        !weft__grow(&p->sets, &p->set_capacity, SET_FIRST, sizeof *p->sets))
        return fail_oom(err);
    p->stacks[STACK_EMPTY] = (grammar_stack){ .same = STACK_EMPTY };
    p->stacks[STACK_OPEN] = (grammar_stack){ .same = STACK_OPEN };
    p->sets[SET_NONE] = p->sets[SET_ENDED] = (grammar_set){ .same = SET_UNKNOWN };
    p->n_stacks = STACK_FIRST;
    p->n_sets = SET_FIRST;
    begin_step(p);
    WEFT_TRY(add(g, g->a.starts[g->a.root], STACK_EMPTY, err));
    return end_step(g, &g->start, err);
}

void grammar_pool_free(grammar_pool *p)
{
    for (size_t i = 0; i < p->n_sets; i++) {
        free(p->sets[i].next);
        free(p->sets[i].mask);
        free(p->sets[i].open);
    }
    free(p->stacks);
    free(p->places);
    free(p->sets);
    free(p->stack_table.slots);
    free(p->set_table.slots);
    free(p->found);
    free(p->todo);
    free(p->seen.slots);
    free(p->marks);
    *p = (grammar_pool){ 0 };
}
