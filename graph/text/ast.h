/* ast.h: a graph's text as a tree of statements and expressions (docs/graph-text.md has the grammar). Made by read.c
 * from a text and by fold.c from a graph; written by format.c, turned into nodes by expand.c.
 *
 * Everything lies in the tree's arena. Places are pointers into the text that was read, for errors; NULL in trees that
 * were made otherwise. */
#ifndef WEFT_TEXT_AST_H
#define WEFT_TEXT_AST_H

#include "graph/graph_impl.h"
#include "graph/text.h"

enum {
    WEFT__TEXT_DEPTH = 64,   /* bodies in bodies, brackets in brackets */
    WEFT__TEXT_HEIGHT = 256, /* of an expression: no function that walks it goes deeper */
    WEFT__TEXT_WORD = 63,    /* bytes of a word */
};

/* What an expression is. Its parts are `args`, n of them. */
typedef enum weft__expr_kind {
    EXPR_INT,    /* i; and f, where -0 keeps its sign. text: as it was spelled, NULL in made trees */
    EXPR_FLOAT,  /* f: a double; text as of EXPR_INT (an f32 is read from it, rounded once) */
    EXPR_BITS,   /* i: a float by its bits, of `digits` hexadecimal digits */
    EXPR_STRING, /* args: EXPR_TEXT and what stands in {braces}; one EXPR_TEXT, or none ("") if there are no braces */
    EXPR_TEXT,   /* text: characters of a string as they are */
    EXPR_NAME,   /* text: a parameter, a let, a counter, an extent, or a word of the field: f16, gelu, linear */
    EXPR_LIST,   /* [a, b] : dims, too */
    EXPR_TUPLE,  /* (1, 0, 2): the order of a permutation */
    EXPR_UNARY,  /* text: "-" or "not" */
    EXPR_BINARY, /* text: the operator */
    EXPR_COND,   /* args[0] ? args[1] : args[2] */
    EXPR_CALL,   /* text(args) */
    EXPR_INDEX,  /* args[0][args[1]] */
    EXPR_KINDS
} weft__expr_kind;

typedef struct weft__expr {
    weft__expr_kind kind;
    uint32_t n, digits, height; /* height: 1 without parts (set by the reader alone) */
    const char *at, *text;      /* at: its first character; of a binary one the operator */
    int64_t i;
    double f;
    struct weft__expr **args;
} weft__expr;

typedef enum weft__stmt_kind {
    STMT_MODEL,   /* model "name" head */
    STMT_FILES,   /* files: how checkpoints hold weights: words and strings */
    STMT_PARAM,   /* param name : type = expr in lo..hi from "key", .. */
    STMT_REQUIRE, /* require "key" = expr (or none); require "key" = none */
    STMT_LET,     /* let name = expr */
    STMT_EXTENT,  /* extent name expr */
    STMT_NODE,    /* results = word "name" inputs {attrs} : types data .. ; also %a = %b (word NULL) */
    STMT_OUTPUT,  /* output "name" = %value */
    STMT_SCOPE,   /* scope "name" { body } */
    STMT_REPEAT,  /* repeat name in lo..hi { body } */
    STMT_IF,      /* if expr { body } else { other } ; "else if" is an `other` of one STMT_IF */
    STMT_BLOCK,   /* block name(%in, .., attr, attr = expr) { body } */
    STMT_RETURN,  /* return inputs */
    STMT_FAIL,    /* fail "text" */
    STMT_KINDS
} weft__stmt_kind;

typedef struct weft__ident { const char *text, *at; } weft__ident; /* a value's: text without the '%', at with it */
typedef struct weft__named_expr { weft__ident name; weft__expr *value; } weft__named_expr; /* value NULL: no default */
typedef struct weft__type { weft__expr *dtype, *dims; } weft__type; /* dims: an EXPR_LIST */

/* Lines of comments, from the '#' on, without their end; a blank line is "". */
typedef struct weft__comments { const char *const *lines; uint32_t n; } weft__comments;

typedef struct weft__stmt {
    weft__stmt_kind kind;
    const char *at;
    weft__comments before;               /* comments above it */
    weft__comments body_end, other_end;  /* at the end of its bodies */
    const char *remark;                  /* the comment behind it on its line, from the '#' on; NULL: none */
    struct weft__stmt *next;

    weft__ident word;   /* op or block; MODEL: the head; PARAM: its type; FILES: what is said */
    bool list;          /* PARAM: a list of that type; REQUIRE: or none (without a value: none alone) */
    weft__ident name;   /* PARAM, LET, EXTENT, REPEAT, BLOCK */
    weft__expr *label;  /* the string of MODEL, NODE, OUTPUT, SCOPE, FAIL, REQUIRE (its key); without braces in MODEL,
                         * REQUIRE: weft__expr_plain */
    weft__expr *value;  /* of LET, PARAM (its default), EXTENT, IF (the condition), REQUIRE */
    weft__expr *lo, *hi; /* REPEAT; PARAM: its range */
    weft__expr *absent;  /* PARAM: what it is where a configuration has none of its keys; the name none: refused */
    weft__ident *results, *inputs; /* names of values without the '%': NODE, OUTPUT, RETURN, BLOCK (what it takes) */
    uint32_t n_results, n_inputs;
    weft__named_expr *attrs; /* NODE; BLOCK: what it takes besides */
    uint32_t n_attrs;
    weft__type *types;
    uint32_t n_types;
    weft__expr **items; /* NODE: elements of `data` */
    uint32_t n_items;
    const char *const *strings; /* PARAM: keys of `from`; FILES: what they are told */
    uint32_t n_strings;
    weft__expr *scope;  /* version 1: @ */
    uint32_t node_id, n_origins; /* version 1: `node`, 0 none; `from` */
    uint32_t *origins;
    struct weft__stmt *body, *other;
} weft__stmt;

struct weft_graph_text {
    weft__arena arena;
    uint32_t version;
    char *text; /* a copy of what was read, which places point into; NULL: it was made otherwise */
    size_t size;
    char *origin;
    weft__comments head; /* above the first line that is none, and behind that on its line */
    const char *head_remark;
    weft__stmt *body;   /* first statement */
    weft__comments end; /* behind the last statement */
};

/* The characters of a string without braces; NULL: it has some. */
const char *weft__expr_plain(const weft__expr *e);

#endif
