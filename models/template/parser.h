/* parser.h: what parse.c (statements) and parse_expression.c share (parser.c). */
#ifndef WEFT_TEMPLATE_PARSER_H
#define WEFT_TEMPLATE_PARSER_H

#include "lexer.h"

typedef struct jinja_parser {
    jinja_run *r;
    jinja_tokens tokens;
    size_t at;
    jinja_dict *names; /* interned */
    uint32_t lazy;     /* > 0: inside of an if, where a filter that there is not is only missed when it is reached */
    const jinja_node *unknown; /* the first filter or test elsewhere that there is not; NULL: none */
    const char *unknown_what;
    uint32_t loops;     /* > 0: inside of a for, in the same function */
    uint32_t mentioned; /* which of the special names (JINJA_SAYS_...) the macro read so far mentions */
} jinja_parser;

enum { JINJA_SAYS_VARARGS = 1, JINJA_SAYS_KWARGS = 2, JINJA_SAYS_CALLER = 4 };

static inline const jinja_token *jinja_now(const jinja_parser *p)
{
    return &p->tokens.v[p->at];
}
const jinja_token *jinja_next(jinja_parser *p); /* the current one; goes on */
bool jinja_is_word(const jinja_token *t, const char *word);
bool jinja_is_sign(const jinja_token *t, char sign);
bool jinja_skip_word(jinja_parser *p, const char *word); /* whether it stood there */
bool jinja_skip_sign(jinja_parser *p, char sign);
void jinja_expect_sign(jinja_parser *p, char sign);
_Noreturn void jinja_unexpected(jinja_parser *p, const char *wanted);
jinja_value jinja_expect_name(jinja_parser *p); /* interned */

jinja_node *jinja_node_new(jinja_parser *p, jinja_op op);
void jinja_add_node(jinja_parser *p, jinja_nodes *list, jinja_node *n);

/* An expression; without a condition `a if b else c` outside of brackets. */
jinja_node *jinja_parse_expression(jinja_parser *p, bool condition);
/* a, b, c: a tuple, or the one expression that there is. `end`: a word that ends it, too. */
jinja_node *jinja_parse_tuple(jinja_parser *p, bool condition, const char *end, bool in_brackets);
/* What is assigned to: a name, ns.name (`spaces`), or a tuple of them. */
jinja_node *jinja_parse_target(jinja_parser *p, bool spaces, const char *end);
/* |filter|filter behind n, which may be NULL; `inside`: the first has no '|' before it. */
jinja_node *jinja_parse_filters(jinja_parser *p, jinja_node *n, bool inside);

#endif
