/* lexer.h: a template's text as tokens. */
#ifndef WEFT_TEMPLATE_LEXER_H
#define WEFT_TEMPLATE_LEXER_H

#include "jinja.h"

typedef enum jinja_token_kind {
    JINJA_T_END, /* of the template */
    JINJA_T_DATA,
    JINJA_T_BEGIN,  /* {% */
    JINJA_T_FINISH, /* %} */
    JINJA_T_SHOW,   /* {{ */
    JINJA_T_SHOWN,  /* }} */
    JINJA_T_WORD,
    JINJA_T_TEXT,
    JINJA_T_INT,
    JINJA_T_FLOAT,
    JINJA_T_SIGN /* an operator */
} jinja_token_kind;

/* Operators of two characters have a letter of their own. */
enum { JINJA_S_POW = 'p', JINJA_S_FLOOR = 'f', JINJA_S_EQ = 'e', JINJA_S_NE = 'n', JINJA_S_LE = 'l', JINJA_S_GE = 'g' };

typedef struct jinja_token {
    jinja_token_kind kind;
    char sign;
    uint32_t line;
    const char *s; /* as it stands in the template */
    size_t n;
    jinja_value value; /* TEXT, INT, FLOAT */
} jinja_token;

typedef struct jinja_tokens {
    jinja_token *v;
    size_t n, capacity;
} jinja_tokens;

/* text: with '\n' alone for ends of lines. */
jinja_tokens jinja_lex(jinja_run *r, const char *text, size_t n);

#endif
