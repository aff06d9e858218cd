/* match_impl.h: where texts stand in a grammar.
 *
 * A place is one of the automaton's states with the states to return to, a stack; equal stacks are one. What a text may
 * be read as is a set of places, and equal sets are one, too: a set has a number, and what follows it byte by byte is
 * found once. So the sets make an automaton without stacks that grows as texts come, and the mask of a set is kept with
 * it. */
#ifndef WEFT_GRAMMAR_MATCH_IMPL_H
#define WEFT_GRAMMAR_MATCH_IMPL_H

#include <pthread.h>

#include "grammar_impl.h"

/* ---- tokens ---- */

/* Nodes stand in the order of their bytes, each before those below it. */
typedef struct trie_node {
    int32_t token; /* -1: none ends here */
    uint32_t skip; /* the first node that is not below */
    uint32_t parent;
    uint16_t depth; /* 1: the first byte */
    uint8_t byte;
    uint8_t below; /* the depth of the deepest token at or below it; 255: that or more */
} trie_node;

struct weft_token_trie {
    trie_node *nodes;
    int32_t *next_same; /* [n_vocab] another token of the same bytes; -1 */
    uint8_t *kinds;     /* [n_vocab] */
    char *bytes;        /* of all tokens, one after the other */
    uint32_t *bytes_at; /* [n_vocab + 1] */
    int32_t *ends;
    int32_t *by_length; /* [n_by_length] tokens, the longest first */
    uint32_t n_by_length;
    uint32_t n_nodes, n_vocab, n_ends, longest;
};
static inline uint32_t grammar_words(const weft_token_trie *t) /* of a mask */
{
    return (t->n_vocab + 31) / 32;
}
static inline bool grammar_has_bit(const uint32_t *bits, int32_t token)
{
    return bits[token / 32] >> token % 32 & 1;
}
enum { TRIE_NONE, TRIE_TEXT, TRIE_END };

/* ---- places ---- */

enum {
    SET_NONE = 0,  /* no place: the text is not allowed */
    SET_ENDED = 1, /* the text has ended */
    SET_FIRST = 2,
    SET_UNKNOWN = UINT32_MAX,
    STACK_EMPTY = 0, /* nothing to return to: the text may end */
    STACK_OPEN = 1,  /* what there is to return to is not known: for masks of a rule by itself */
    STACK_FIRST = 2,
};

typedef struct grammar_place { uint32_t stack, state; } grammar_place;
typedef struct grammar_stack {
    uint32_t state, below, depth;
    uint32_t same; /* the stack that allows the same tokens: of the states' `same` */
} grammar_stack;

typedef struct grammar_set {
    size_t first; /* places, by stack and state */
    uint32_t n;
    bool ends;      /* the text may end */
    bool returns;   /* STACK_OPEN was popped */
    uint32_t *next; /* [n_classes] sets; NULL: none is known */
    uint32_t *mask; /* [words], without the tokens that end texts */
    uint32_t *open; /* of a set of STACK_OPEN: trie nodes below which the mask depends on what there is to return to */
    uint32_t n_open, same; /* the set that has the same mask, perhaps itself; SET_UNKNOWN */
} grammar_set;

typedef struct grammar_table { uint32_t *slots, n_slots, used; } grammar_table;

typedef struct grammar_pool {
    grammar_stack *stacks;
    grammar_place *places;
    grammar_set *sets;
    size_t n_stacks, n_places, n_sets, stack_capacity, place_capacity, set_capacity;
    grammar_table stack_table, set_table;
    size_t bytes, collect_at; /* of all this, about; see grammar_collect */
    uint32_t work;            /* of the call under way */
    /* of the step under way */
    grammar_place *found, *todo;
    size_t n_found, n_todo, found_capacity, todo_capacity;
    grammar_table seen;
    uint32_t *marks; /* [seen.n_slots] steps that slots of `seen` are of */
    uint32_t mark;
} grammar_pool;

struct weft_grammar {
    const weft_token_trie *trie;
    grammar_automaton a;
    char *name;
    pthread_mutex_t lock;
    bool locks;
    grammar_pool pool;
    uint32_t start;
    uint32_t *along; /* [longest + 2] sets along a walk */
    weft_matcher *matchers;
};

struct weft_matcher {
    weft_grammar *g;
    weft_matcher *next, *before;
    uint32_t *sets; /* [n] after each step, the beginning first */
    size_t n, capacity;
    uint32_t *bits;  /* of weft_matcher_step */
    bool may, must;  /* end, here */
    bool has_ended;
};

weft_status grammar_pool_begin(weft_grammar *g, weft_error *err); /* finds g->start */
void grammar_pool_free(grammar_pool *p);
/* The set after one byte more. */
weft_status grammar_step(weft_grammar *g, uint32_t set, uint8_t byte, uint32_t *out, weft_error *err);
/* The set of these places, of one stack each or several, sorted; equal ones are one. */
weft_status grammar_set_of(weft_grammar *g, const grammar_place *places, size_t n, bool ends, bool returns,
                           uint32_t *out, weft_error *err);
int grammar_by_stack(const void *a, const void *b); /* the order of a set's places */
weft_status grammar_stack_of(weft_grammar *g, uint32_t state, uint32_t below, uint32_t *out, weft_error *err);
/* Before a call's work: what no matcher stands at goes, if there is much. */
weft_status grammar_collect(weft_grammar *g, weft_error *err);

/* Counts steps of the call under way: LIMIT. */
weft_status grammar_work(weft_grammar *g, uint32_t steps, weft_error *err);

/* A set's mask, without the tokens that end texts; lent until the next call. */
weft_status grammar_mask(weft_grammar *g, uint32_t set, const uint32_t **out, weft_error *err);

#endif
