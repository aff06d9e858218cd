/* read.h: what the files of the reader share (read.c: statements, read_expr.c: expressions). */
#ifndef WEFT_TEXT_READ_H
#define WEFT_TEXT_READ_H

#include "graph/text/grammar.h"
#include "graph/text/lex.h"

typedef struct weft__reader {
    weft__lex in;
    unsigned char *pile; /* elements of lists that are being read, the innermost last */
    size_t pile_cap, pile_size;
    uint32_t depth;      /* of bodies and brackets */
    bool in_block;
} weft__reader;

/* Lists of any element: note where the pile ends (`begin`), push each, pop all into the tree. */
weft_status weft__read_push(weft__reader *r, const void *element, size_t size);
weft_status weft__read_pop(weft__reader *r, size_t begin, size_t size, void *array, uint32_t *n);
/* LIMIT where it is too deep; every call that succeeds is followed by depth--. */
weft_status weft__read_deeper(weft__reader *r);

/* An expression that is bound at least as tightly. */
weft_status weft__read_expr(weft__reader *r, weft__level level, weft__expr **out);
weft_status weft__read_list(weft__reader *r, weft__expr **out); /* [a, b] */
weft_status weft__read_type_word(weft__reader *r, weft__expr **out); /* a word, or an expression in brackets */
weft_status weft__read_string(weft__reader *r, weft__expr **out);
/* A string without braces. */
weft_status weft__read_label(weft__reader *r, weft__expr **out);
weft_status weft__read_plain(weft__reader *r, const char **out);

#endif
