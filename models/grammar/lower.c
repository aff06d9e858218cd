/* lower.c: rules to states. Each rule has states of its own, between its start and its end; edges are bytes (of UTF-8),
 * free, or go through another rule. */
#include <stdlib.h>
#include <string.h>

#include "grammar_impl.h"
#include "models/tokenizer/unicode.h"

/* An edge under way: a list for each state. */
typedef struct link { grammar_edge edge; uint32_t next; } link;

/* See grammar_state. */
typedef struct turn { uint32_t same, near, reach; } turn;

enum { MAX_EDGES = 4 * WEFT_GRAMMAR_MAX_STATES, NONE = 0 };

typedef struct lowering {
    grammar_build *b;
    uint32_t longest;
    uint32_t *head; /* of a state: its first link (from 1) */
    turn *turns;    /* of a state */
    link *links;
    size_t n_states, head_capacity, turn_capacity, n_links, link_capacity;
    bool has_turns;
} lowering;

static _Noreturn void fail_oom(lowering *l)
{
    free(l->head);
    free(l->turns);
    free(l->links);
    grammar_fail_oom(l->b);
}

static _Noreturn void fail_large(lowering *l)
{
    free(l->head);
    free(l->turns);
    free(l->links);
    grammar_fail(l->b, WEFT_LIMIT, "a grammar of more than %d states, repetitions written out",
                 WEFT_GRAMMAR_MAX_STATES);
}

static uint32_t state_new(lowering *l)
{
    if (l->n_states >= WEFT_GRAMMAR_MAX_STATES) fail_large(l);
    if (!weft__grow(&l->head, &l->head_capacity, l->n_states + 1, sizeof *l->head) ||
        !weft__grow(&l->turns, &l->turn_capacity, l->n_states + 1, sizeof *l->turns))
        fail_oom(l);
    l->head[l->n_states] = NONE;
    const uint32_t own = (uint32_t)l->n_states;
    l->turns[own] = (turn){ own, own, 0 };
    return (uint32_t)l->n_states++;
}

static void add_edge(lowering *l, uint32_t from, grammar_edge edge)
{
    if (l->n_links >= MAX_EDGES) fail_large(l);
    if (!weft__grow(&l->links, &l->link_capacity, l->n_links + 1, sizeof *l->links)) fail_oom(l);
    l->links[l->n_links] = (link){ edge, l->head[from] };
    l->head[from] = (uint32_t)++l->n_links;
}

static void add_bytes(lowering *l, uint32_t from, uint32_t to, uint32_t lo, uint32_t hi)
{
    add_edge(l, from, (grammar_edge){ .to = to, .kind = GRAMMAR_BYTES, .lo = (uint8_t)lo, .hi = (uint8_t)hi });
}

static void add_free(lowering *l, uint32_t from, uint32_t to)
{
    add_edge(l, from, (grammar_edge){ .to = to, .kind = GRAMMAR_FREE });
}

/* ---- classes ---- */

/* The states from which 1, 2 or 3 bytes that go on with a character lead to the end of a class. */
typedef struct tails { uint32_t state[4]; } tails;

static uint32_t tail_of(lowering *l, tails *t, uint32_t n)
{
    if (n && t->state[n] == UINT32_MAX) {
        const uint32_t next = tail_of(l, t, n - 1);
        t->state[n] = state_new(l);
        add_bytes(l, t->state[n], next, 0x80, 0xBF);
    }
    return t->state[n];
}

/* The last n bytes of sequences from lo to hi, which agree in what comes before. */
static void add_sequences(lowering *l, uint32_t from, tails *t, const uint8_t *lo, const uint8_t *hi, uint32_t n)
{
    static const uint8_t least[3] = { 0x80, 0x80, 0x80 }, most[3] = { 0xBF, 0xBF, 0xBF };
    if (n == 1) {
        add_bytes(l, from, tail_of(l, t, 0), lo[0], hi[0]);
        return;
    }
    if (lo[0] == hi[0]) {
        const uint32_t next = state_new(l);
        add_bytes(l, from, next, lo[0], lo[0]);
        add_sequences(l, next, t, lo + 1, hi + 1, n - 1);
        return;
    }
    uint32_t first = lo[0], last = hi[0];
    if (memcmp(lo + 1, least, n - 1)) {
        const uint32_t next = state_new(l);
        add_bytes(l, from, next, first, first);
        add_sequences(l, next, t, lo + 1, most, n - 1);
        first++;
    }
    if (memcmp(hi + 1, most, n - 1)) {
        const uint32_t next = state_new(l);
        add_bytes(l, from, next, last, last);
        add_sequences(l, next, t, least, hi + 1, n - 1);
        last--;
    }
    if (first <= last) add_bytes(l, from, tail_of(l, t, n - 1), first, last);
}

static void lower_class(lowering *l, const grammar_node *node, uint32_t from, uint32_t to)
{
    /* Code points by their length in UTF-8, without surrogates. */
    static const grammar_range lengths[] = { { 0, 0x7F },        { 0x80, 0x7FF },      { 0x800, 0xD7FF },
                                             { 0xE000, 0xFFFF }, { 0x10000, 0x10FFFF } };
    tails t = { { to, UINT32_MAX, UINT32_MAX, UINT32_MAX } };
    for (uint32_t i = 0; i < node->n; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            const grammar_range *r = &node->ranges[i], *of = &lengths[k];
            char lo[4], hi[4];
            if (r->lo > of->hi || r->hi < of->lo) continue;
            const size_t n = weft__utf8_encode(r->lo > of->lo ? r->lo : of->lo, lo);
            weft__utf8_encode(r->hi < of->hi ? r->hi : of->hi, hi);
            add_sequences(l, from, &t, (const uint8_t *)lo, (const uint8_t *)hi, (uint32_t)n);
        }
}

/* ---- the others ---- */

static void lower_node(lowering *l, const grammar_node *node, uint32_t from, uint32_t to);

static void lower_text(lowering *l, const grammar_node *node, uint32_t from, uint32_t to)
{
    if (!node->n) add_free(l, from, to);
    for (uint32_t i = 0; i < node->n; i++) {
        const uint8_t byte = (uint8_t)node->text[i];
        const uint32_t next = i + 1 < node->n ? state_new(l) : to;
        add_bytes(l, from, next, byte, byte);
        from = next;
    }
}

static void lower_sequence(lowering *l, const grammar_node *node, uint32_t from, uint32_t to)
{
    if (!node->n) add_free(l, from, to);
    for (uint32_t i = 0; i < node->n; i++) {
        const uint32_t next = i + 1 < node->n ? state_new(l) : to;
        lower_node(l, node->part[i], from, next);
        from = next;
    }
}

/* A turn allows the tokens of up to `reach` bytes that the first one does of those whose bound is ahead, too: a turn is
 * a byte or more, so a token does not come to the bound. */
static turn turn_of(const lowering *l, const grammar_node *node, uint32_t i)
{
    const bool before = i < node->min;
    turn t = { i, before ? 0 : node->min, UINT32_MAX };
    if (before) t.reach = node->min - i - 1;
    else if (node->max != GRAMMAR_UNBOUNDED) t.reach = node->max - i - 1;
    if (t.reach >= l->longest) t.same = t.near;
    return t;
}

/* A state for each turn, and behind it those within the turn before. All turns are made alike. */
static void lower_repeat(lowering *l, const grammar_node *node, uint32_t from, uint32_t to)
{
    const bool bounded = node->max != GRAMMAR_UNBOUNDED;
    const uint32_t turns = bounded ? node->max : node->min, first = state_new(l);
    uint32_t at = first, stride = 0;
    add_free(l, from, first);
    for (uint32_t i = 0; i < turns; i++) {
        const uint32_t next = state_new(l);
        if (i >= node->min) add_free(l, at, to);
        lower_node(l, node->part[0], at, next);
        if (!i) stride = (uint32_t)l->n_states - next;
        at = next;
    }
    if (bounded) {
        add_free(l, at, to);
    } else {
        const uint32_t end = state_new(l);
        lower_node(l, node->part[0], at, end);
        add_free(l, end, at);
        add_free(l, at, to);
    }
    /* Turn i's state stands before the states within turn i - 1. */
    for (uint32_t i = 1; i < turns; i++) {
        const turn t = turn_of(l, node, i);
        for (uint32_t k = 0; t.near != i && k < stride; k++) {
            const uint32_t before = first + 1 + k;
            turn *of = &l->turns[before + (k ? i : i - 1) * stride];
            of->near = k ? before + t.near * stride : t.near ? before + (t.near - 1) * stride : first;
            of->reach = t.reach;
            if (t.same != i) of->same = of->near;
        }
        l->has_turns |= t.near != i;
    }
}

static void lower_node(lowering *l, const grammar_node *node, uint32_t from, uint32_t to)
{
    switch (node->kind) {
    case GRAMMAR_CLASS: lower_class(l, node, from, to); break;
    case GRAMMAR_TEXT: lower_text(l, node, from, to); break;
    case GRAMMAR_SEQUENCE: lower_sequence(l, node, from, to); break;
    case GRAMMAR_CHOICE:
        for (uint32_t i = 0; i < node->n; i++) lower_node(l, node->part[i], from, to);
        break;
    case GRAMMAR_REPEAT: lower_repeat(l, node, from, to); break;
    case GRAMMAR_RULE:
        add_edge(l, from, (grammar_edge){ .to = to, .kind = GRAMMAR_CALLS, .rule = node->rule });
        break;
    }
}

/* ---- all rules ---- */

static void pack(lowering *l, const uint32_t *ends, grammar_automaton *a)
{
    a->states = calloc(l->n_states ? l->n_states : 1, sizeof *a->states);
    a->edges = calloc(l->n_links ? l->n_links : 1, sizeof *a->edges);
    if (!a->states || !a->edges) fail_oom(l);
    a->n_states = (uint32_t)l->n_states;
    for (uint32_t i = 0; i < a->n_states; i++) {
        grammar_state *s = &a->states[i];
        s->first = a->n_edges;
        s->same = l->turns[i].same;
        s->near = l->turns[i].near;
        s->reach = l->turns[i].reach;
        for (uint32_t k = l->head[i]; k; k = l->links[k - 1].next) a->edges[a->n_edges++] = l->links[k - 1].edge;
        s->n = a->n_edges - s->first;
    }
    for (uint32_t i = 0; i < a->n_rules; i++) a->states[ends[i]].ends = true;
    a->has_turns = l->has_turns;
}

/* Bytes between the same bounds of edges are of one class. */
static void find_classes(grammar_automaton *a)
{
    bool begins[257] = { [0] = true };
    for (uint32_t i = 0; i < a->n_edges; i++)
        if (a->edges[i].kind == GRAMMAR_BYTES) begins[a->edges[i].lo] = begins[a->edges[i].hi + 1] = true;
    for (uint32_t c = 0; c < 256; c++) {
        a->n_classes += begins[c];
        a->class_of[c] = (uint8_t)(a->n_classes - 1);
    }
}

void grammar_lower(grammar_build *b, uint32_t longest, grammar_automaton *a)
{
    lowering l = { .b = b, .longest = longest };
    uint32_t *ends = grammar_alloc(b, b->n_rules, sizeof *ends);
    a->starts = calloc(b->n_rules ? b->n_rules : 1, sizeof *a->starts);
    if (!a->starts) fail_oom(&l);
    a->n_rules = (uint32_t)b->n_rules;
    a->root = b->root;
    for (uint32_t i = 0; i < a->n_rules; i++) {
        a->starts[i] = state_new(&l);
        ends[i] = state_new(&l);
        lower_node(&l, b->rules[i].body, a->starts[i], ends[i]);
    }
    pack(&l, ends, a);
    free(l.head);
    free(l.turns);
    free(l.links);
    find_classes(a);
}

void grammar_automaton_free(grammar_automaton *a)
{
    free(a->states);
    free(a->edges);
    free(a->starts);
    *a = (grammar_automaton){ 0 };
}
