/* grammar_impl.h: from a text to an automaton: expressions, which the readers of GBNF and of JSON schemas make, and the
 * states that they become. */
#ifndef WEFT_GRAMMAR_IMPL_H
#define WEFT_GRAMMAR_IMPL_H

#include <jansson.h>
#include <setjmp.h>

#include "grammar.h"

/* ---- expressions ---- */

typedef enum grammar_kind {
    GRAMMAR_CLASS,    /* one of n ranges of code points; none: no text matches */
    GRAMMAR_TEXT,     /* n bytes */
    GRAMMAR_SEQUENCE, /* n parts one after the other; none: the empty text */
    GRAMMAR_CHOICE,   /* one of n parts */
    GRAMMAR_REPEAT,   /* part[0], min to max times */
    GRAMMAR_RULE,     /* what the rule says */
} grammar_kind;

enum { GRAMMAR_UNBOUNDED = UINT32_MAX, GRAMMAR_MAX_CODE = 0x10FFFF };

typedef struct grammar_range { uint32_t lo, hi; } grammar_range;

typedef struct grammar_node {
    grammar_kind kind;
    uint32_t n, min, max, rule;
    uint32_t height; /* of what is within, rules aside */
    const grammar_range *ranges; /* ascending, apart */
    const char *text;
    const struct grammar_node **part;
} grammar_node;

typedef struct grammar_rule {
    const char *name;
    const grammar_node *body; /* NULL: not defined yet */
    const char *named_at;     /* in the grammar's text, first; NULL: not by it */
} grammar_rule;

/* A grammar under way. All memory is the arena's; a fault leaves through `back`. */
typedef struct grammar_build {
    weft__arena arena;
    jmp_buf back;
    weft_status status;
    weft_error *err;
    const char *origin;
    grammar_rule *rules;
    size_t n_rules, capacity;
    uint32_t root, depth;
    size_t n_nodes, n_flat, n_merged; /* n_flat: schemas that were made flat; n_merged: parts put together */
    json_t *kept;     /* an array of values that are to be released */
    uint32_t json[8]; /* rules of JSON by grammar_json_part, plus 1; 0: not made yet */
} grammar_build;

_Noreturn void grammar_fail(grammar_build *b, weft_status status, const char *fmt, ...) WEFT_PRINTF(3, 4);
_Noreturn void grammar_fail_oom(grammar_build *b);
void *grammar_alloc(grammar_build *b, size_t n, size_t size);
char *grammar_format(grammar_build *b, const char *fmt, ...) WEFT_PRINTF(2, 3);
void grammar_enter(grammar_build *b); /* one level deeper, which has a limit; depth-- leaves it */

uint32_t grammar_rule_new(grammar_build *b, const char *name);
void grammar_rule_set(grammar_build *b, uint32_t rule, const grammar_node *body);

/* Ranges may come in any order and touch; they are copied. */
const grammar_node *grammar_class(grammar_build *b, const grammar_range *ranges, size_t n, bool negated);
const grammar_node *grammar_text(grammar_build *b, const char *text, size_t n); /* copied */
const grammar_node *grammar_word(grammar_build *b, const char *text);           /* NUL-terminated */
const grammar_node *grammar_sequence(grammar_build *b, const grammar_node *const *part, size_t n);
const grammar_node *grammar_choice(grammar_build *b, const grammar_node *const *part, size_t n);
const grammar_node *grammar_repeat(grammar_build *b, const grammar_node *part, uint32_t min, uint32_t max);
const grammar_node *grammar_call(grammar_build *b, uint32_t rule);
#define GRAMMAR_SEQUENCE_OF(b, ...)                                                    \
    grammar_sequence((b), (const grammar_node *const[]){ __VA_ARGS__ },                \
                     sizeof((const grammar_node *const[]){ __VA_ARGS__ }) / sizeof(grammar_node *))
#define GRAMMAR_CHOICE_OF(b, ...)                                                    \
    grammar_choice((b), (const grammar_node *const[]){ __VA_ARGS__ },                \
                   sizeof((const grammar_node *const[]){ __VA_ARGS__ }) / sizeof(grammar_node *))

/* A list of nodes that grows. */
typedef struct grammar_list {
    const grammar_node **v;
    size_t n, capacity;
} grammar_list;
void grammar_push(grammar_build *b, grammar_list *l, const grammar_node *node);

/* The readers: they define rules and set b->root. */
void grammar_read_gbnf(grammar_build *b, const char *text, size_t n);
void grammar_read_schema(grammar_build *b, const char *text, size_t n);
void grammar_read_object(grammar_build *b);

/* ---- JSON (json.c) ---- */

typedef enum grammar_json_part {
    GRAMMAR_SPACE,   /* between parts of objects and arrays: nothing, a blank, or a new line with its indentation */
    GRAMMAR_CHAR,    /* a character of a string, in each of its spellings */
    GRAMMAR_STRING,
    GRAMMAR_INTEGER,
    GRAMMAR_NUMBER,
    GRAMMAR_VALUE,
    GRAMMAR_ARRAY,
    GRAMMAR_OBJECT,
} grammar_json_part;
const grammar_node *grammar_json(grammar_build *b, grammar_json_part part);
/* "open" space inside space "close", or without inside. */
const grammar_node *grammar_enclosed(grammar_build *b, const char *open, const grammar_node *inside, const char *close,
                                     bool may_be_empty);
/* A part, then as many more behind commas as min and max (of all) say; 1 <= max. */
const grammar_node *grammar_commas(grammar_build *b, const grammar_node *part, uint32_t min, uint32_t max);

/* ---- automata ---- */

typedef enum grammar_edge_kind { GRAMMAR_BYTES, GRAMMAR_FREE, GRAMMAR_CALLS } grammar_edge_kind;

typedef struct grammar_edge {
    uint32_t to, rule; /* rule: of CALLS */
    uint8_t kind, lo, hi;
} grammar_edge;

typedef struct grammar_state {
    uint32_t first, n; /* edges */
    uint32_t same;     /* a state that allows the same tokens: itself, or that of another turn of a repetition */
    uint32_t near;     /* a state that allows the same tokens of up to `reach` bytes: itself, or one of another turn */
    uint32_t reach;
    bool ends;         /* the rule may end here */
    bool only_ends;    /* ... and nothing else */
    bool reads;        /* has an edge of bytes */
} grammar_state;

typedef struct grammar_automaton {
    grammar_state *states;
    grammar_edge *edges;
    uint32_t *starts; /* [n_rules] */
    uint32_t n_states, n_edges, n_rules, root;
    uint8_t class_of[256]; /* bytes that no edge tells apart */
    uint32_t n_classes;
    bool has_turns; /* there are states whose `near` is another */
} grammar_automaton;

/* longest: bytes of the longest token. *out is freed in any case. */
void grammar_lower(grammar_build *b, uint32_t longest, grammar_automaton *out);
/* What no text needs goes, and what may not be is refused. */
void grammar_trim(grammar_build *b, grammar_automaton *a);
void grammar_automaton_free(grammar_automaton *a);

#endif
