/* grammar.h: the words and signs of the language of graphs, for those who read and write it. docs/graph-text.md has the
 * whole grammar. */
#ifndef WEFT_TEXT_GRAMMAR_H
#define WEFT_TEXT_GRAMMAR_H

#include "graph/text/ast.h"

enum { WEFT__TEXT_VERSION = 2 }; /* the newest */

typedef struct weft__statement {
    const char *word; /* it begins with; "%" of nodes */
    bool flat;        /* version 1 has it, too */
    bool inner;       /* may stand in bodies */
    bool body;        /* has one */
} weft__statement;
const weft__statement *weft__statement_get(weft__stmt_kind k);
/* By its word; false: there is none. */
bool weft__statement_parse(const char *word, weft__stmt_kind *out);
const char *weft__statement_word(uint32_t i); /* NULL past the end */

/* How tightly parts of expressions are bound, the loosest first. */
typedef enum weft__level {
    LEVEL_COND, /* c ? a : b */
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE, /* does not chain */
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_MINUS,
    LEVEL_INDEX,
    LEVEL_ATOM,
} weft__level;
typedef struct weft__operator {
    const char *sign;
    weft__level level;
} weft__operator;
/* Operators between two operands; NULL past the end. Of two where one begins like the other the longer is first. */
const weft__operator *weft__operator_get(uint32_t i);
/* How tightly an expression of a tree is bound. */
weft__level weft__expr_level(const weft__expr *e);

/* Words that name nothing else: and, true, .. */
bool weft__is_reserved(const char *word);
/* Types of parameters; NULL past the end. */
const char *weft__param_type(uint32_t i);

/* What `files` says: its word, the word or sign between the first string and the second, how many strings. */
typedef struct weft__files_row {
    const char *word, *between;
    uint32_t min, max;
} weft__files_row;
/* NULL: no row is called so. */
const weft__files_row *weft__files_row_get(const char *word);
const char *weft__files_word(uint32_t i); /* NULL past the end */

#endif
