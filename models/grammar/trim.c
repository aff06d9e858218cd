/* trim.c: what an automaton must be before it is run: from every state an end can be reached, and no rule begins with
 * itself, so that no step goes on without end. */
#include <stdio.h>
#include <string.h>

#include "grammar_impl.h"

/* Facts about states, spread from the ends of rules against the direction of edges. */
typedef struct trimmer {
    grammar_build *b;
    grammar_automaton *a;
    uint32_t *into, *into_first; /* edges by the state that they lead to; [n_states + 1] */
    uint32_t *from;              /* of an edge */
    uint32_t *calls, *calls_first; /* edges by the rule that they call; [n_rules + 1] */
    uint32_t *rule_of;           /* of a state that is a start: its rule; else UINT32_MAX */
    bool *reaches;               /* of a state: its rule's end */
    uint32_t *todo, n_todo;
} trimmer;

static void index_edges(trimmer *t)
{
    grammar_build *b = t->b;
    const grammar_automaton *a = t->a;
    t->into = grammar_alloc(b, a->n_edges, sizeof *t->into);
    t->from = grammar_alloc(b, a->n_edges, sizeof *t->from);
    t->calls = grammar_alloc(b, a->n_edges, sizeof *t->calls);
    t->into_first = grammar_alloc(b, (size_t)a->n_states + 2, sizeof *t->into_first);
    t->calls_first = grammar_alloc(b, (size_t)a->n_rules + 2, sizeof *t->calls_first);
    t->rule_of = grammar_alloc(b, a->n_states, sizeof *t->rule_of);
    for (uint32_t s = 0; s < a->n_states; s++)
        for (uint32_t i = a->states[s].first; i < a->states[s].first + a->states[s].n; i++) {
            t->into_first[a->edges[i].to + 2]++;
            if (a->edges[i].kind == GRAMMAR_CALLS) t->calls_first[a->edges[i].rule + 2]++;
        }
    for (uint32_t i = 2; i < a->n_states + 2; i++) t->into_first[i] += t->into_first[i - 1];
    for (uint32_t i = 2; i < a->n_rules + 2; i++) t->calls_first[i] += t->calls_first[i - 1];
    for (uint32_t s = 0; s < a->n_states; s++)
        for (uint32_t i = a->states[s].first; i < a->states[s].first + a->states[s].n; i++) {
            t->from[i] = s;
            t->into[t->into_first[a->edges[i].to + 1]++] = i;
            if (a->edges[i].kind == GRAMMAR_CALLS) t->calls[t->calls_first[a->edges[i].rule + 1]++] = i;
        }
    memset(t->rule_of, 0xFF, (a->n_states ? a->n_states : 1) * sizeof *t->rule_of);
    for (uint32_t i = 0; i < a->n_rules; i++) t->rule_of[a->starts[i]] = i;
}

static void reach(trimmer *t, uint32_t state)
{
    if (t->reaches[state]) return;
    t->reaches[state] = true;
    t->todo[t->n_todo++] = state;
}

/* Which states reach the end of their rule; bytes: also by reading. A call counts once its rule's start does. */
static void spread(trimmer *t, bool bytes)
{
    const grammar_automaton *a = t->a;
    memset(t->reaches, 0, a->n_states * sizeof *t->reaches);
    for (uint32_t s = 0; s < a->n_states; s++)
        if (a->states[s].ends) reach(t, s);
    while (t->n_todo) {
        const uint32_t s = t->todo[--t->n_todo], rule = t->rule_of[s];
        for (uint32_t i = t->into_first[s]; i < t->into_first[s + 1]; i++) {
            const grammar_edge *e = &a->edges[t->into[i]];
            const bool passes = e->kind == GRAMMAR_FREE || (e->kind == GRAMMAR_BYTES && bytes) ||
                                (e->kind == GRAMMAR_CALLS && t->reaches[a->starts[e->rule]]);
            if (passes) reach(t, t->from[t->into[i]]);
        }
        if (rule == UINT32_MAX) continue;
        for (uint32_t i = t->calls_first[rule]; i < t->calls_first[rule + 1]; i++)
            if (t->reaches[a->edges[t->calls[i]].to]) reach(t, t->from[t->calls[i]]);
    }
}

/* Edges that lead to no end, or through a rule without one, go. */
static void drop_edges(trimmer *t)
{
    grammar_automaton *a = t->a;
    for (uint32_t s = 0; s < a->n_states; s++) {
        grammar_state *state = &a->states[s];
        uint32_t n = 0;
        for (uint32_t i = 0; i < state->n; i++) {
            const grammar_edge e = a->edges[state->first + i];
            if (t->reaches[e.to] && (e.kind != GRAMMAR_CALLS || t->reaches[a->starts[e.rule]]))
                a->edges[state->first + n++] = e;
        }
        state->n = n;
    }
}

/* ---- rules that begin with themselves ---- */

typedef struct visit { uint32_t rule, state, edge; } visit;

/* The chain of calls that leads back to a rule. */
static _Noreturn void fail_left(trimmer *t, const visit *path, uint32_t n, uint32_t rule)
{
    grammar_build *b = t->b;
    char chain[300];
    size_t at = 0;
    uint32_t i = n;
    while (i && path[i - 1].rule != rule) i--;
    chain[0] = 0;
    for (uint32_t last = UINT32_MAX; i && i <= n && at < sizeof chain; i++) {
        if (path[i - 1].rule == last) continue;
        last = path[i - 1].rule;
        at += (size_t)snprintf(chain + at, sizeof chain - at, "%.60s -> ", b->rules[last].name);
    }
    grammar_fail(b, WEFT_INVALID,
                 "a rule begins with itself (left recursion): %s%.60s; put what repeats behind what it begins with, or "
                 "write it with *", chain, b->rules[rule].name);
}

/* Walks what each rule can begin with, without reading: states of the rule that is walked last, then of those that it
 * calls. `reaches` says which rules may be empty. */
static void check_left(trimmer *t)
{
    enum { NEW, OPEN, DONE };
    const grammar_automaton *a = t->a;
    uint8_t *rule_mark = grammar_alloc(t->b, a->n_rules, 1), *state_mark = grammar_alloc(t->b, a->n_states, 1);
    visit *path = grammar_alloc(t->b, (size_t)a->n_states + a->n_rules + 2, sizeof *path);
    for (uint32_t r = 0; r < a->n_rules; r++) {
        uint32_t n = 0;
        if (rule_mark[r] != NEW) continue;
        rule_mark[r] = OPEN;
        path[n++] = (visit){ r, a->starts[r], 0 };
        while (n) {
            visit *v = &path[n - 1];
            const grammar_state *s = &a->states[v->state];
            if (v->edge == s->n) {
                if (v->state == a->starts[v->rule]) rule_mark[v->rule] = DONE;
                n--;
                continue;
            }
            const grammar_edge *e = &a->edges[s->first + v->edge++];
            if (e->kind == GRAMMAR_CALLS && rule_mark[e->rule] == OPEN) fail_left(t, path, n, e->rule);
            const bool passes = e->kind == GRAMMAR_FREE ||
                                (e->kind == GRAMMAR_CALLS && t->reaches[a->starts[e->rule]]);
            if (passes && !state_mark[e->to]) {
                state_mark[e->to] = DONE;
                path[n++] = (visit){ v->rule, e->to, 0 };
            }
            if (e->kind == GRAMMAR_CALLS && rule_mark[e->rule] == NEW) {
                rule_mark[e->rule] = OPEN;
                path[n++] = (visit){ e->rule, a->starts[e->rule], 0 };
            }
        }
    }
}

/* ---- what steps need to know ---- */

/* States whose free edges lead to nothing but the end. Found backwards: one that has another way is unmarked, and with
 * it those that lead to it freely. */
static void find_only_ends(trimmer *t)
{
    grammar_automaton *a = t->a;
    t->n_todo = 0;
    for (uint32_t s = 0; s < a->n_states; s++) {
        grammar_state *state = &a->states[s];
        bool other = false;
        for (uint32_t i = state->first; i < state->first + state->n; i++) {
            state->reads |= a->edges[i].kind == GRAMMAR_BYTES;
            other |= a->edges[i].kind != GRAMMAR_FREE;
        }
        state->only_ends = !other;
        if (other) t->todo[t->n_todo++] = s;
    }
    while (t->n_todo) {
        const uint32_t s = t->todo[--t->n_todo];
        for (uint32_t i = t->into_first[s]; i < t->into_first[s + 1]; i++) {
            const uint32_t from = t->from[t->into[i]];
            if (!a->states[from].only_ends) continue;
            a->states[from].only_ends = false; /* all of its edges are free */
            t->todo[t->n_todo++] = from;
        }
    }
}

void grammar_trim(grammar_build *b, grammar_automaton *a)
{
    trimmer t = { .b = b, .a = a };
    t.reaches = grammar_alloc(b, a->n_states, sizeof *t.reaches);
    t.todo = grammar_alloc(b, a->n_states, sizeof *t.todo);
    index_edges(&t);
    spread(&t, true);
    if (!t.reaches[a->starts[a->root]])
        grammar_fail(b, WEFT_INVALID, "no text matches: the root goes on without end, or nothing is allowed");
    drop_edges(&t);
    index_edges(&t);
    spread(&t, false);
    check_left(&t);
    find_only_ends(&t);
}
