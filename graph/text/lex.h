/* lex.h: a cursor over a graph's text: characters, words, numbers, names of values, ends of lines.
 *
 * Everything that is taken may stand behind blanks. A line goes on in the next one while a bracket is open. Comments
 * that are passed are kept, for the statement that is being read. */
#ifndef WEFT_TEXT_LEX_H
#define WEFT_TEXT_LEX_H

#include "graph/text/ast.h"

/* Lines that were met and belong to no statement yet. */
typedef struct weft__remarks {
    const char **lines;
    size_t capacity;
    uint32_t n;
} weft__remarks;

typedef struct weft__lex {
    weft_graph_text *t;
    const char *at, *end;
    uint32_t open;  /* brackets around the cursor */
    bool in_string; /* in the braces of one, which end on its line */
    bool oom;       /* a comment was lost: told by weft__lex_end_line */
    weft__remarks above;
    weft_error *err;
} weft__lex;

/* FORMAT, at the cursor or at a place. */
weft_status weft__lex_fail(weft__lex *l, const char *text);
weft_status weft__lex_fail_at(const weft__lex *l, const char *at, const char *text);
weft_status weft__lex_fail_word(const weft__lex *l, const char *at, const char *text, const char *word);
weft_status weft__lex_oom(const weft__lex *l);

/* Memory of the tree. copy: n bytes of the text, as a string. NULL: none is left. */
void *weft__lex_alloc(weft__lex *l, size_t n, size_t size);
const char *weft__lex_copy(weft__lex *l, const char *from, size_t n);

void weft__lex_blanks(weft__lex *l);
int weft__lex_peek(weft__lex *l); /* the next character behind blanks; -1 at the end */
bool weft__lex_is(weft__lex *l, const char *sign); /* whether these characters are next; a word as a whole */
bool weft__lex_accept(weft__lex *l, const char *sign);
weft_status weft__lex_expect(weft__lex *l, char c);
/* Brackets: between them lines go on. *opened: the place of the opening one, for the error of the other. */
weft_status weft__lex_open(weft__lex *l, char c, const char **opened);
bool weft__lex_accept_close(weft__lex *l, char c);
weft_status weft__lex_close(weft__lex *l, char c, const char *opened);

bool weft__lex_is_digit(int c);
bool weft__lex_is_letter(int c); /* an underscore, too */
/* wanted: the error where there is none. */
weft_status weft__lex_word(weft__lex *l, const char *wanted, weft__ident *out);
weft_status weft__lex_value(weft__lex *l, weft__ident *out); /* %name */
weft_status weft__lex_whole(weft__lex *l, uint32_t *out);    /* 1 or more: ids of version 1 */
/* A number without a sign before it, or with one that was taken before and stands at `start`. */
weft_status weft__lex_number(weft__lex *l, const char *start, bool minus, weft__expr *out);

/* The end of a statement's line; *remark is the comment there, or NULL. */
bool weft__lex_at_line_end(weft__lex *l);
weft_status weft__lex_end_line(weft__lex *l, const char **remark);

/* Passes blank lines and comments, which are kept; begin: of a body, blank lines there are not. */
weft_status weft__lex_above(weft__lex *l, bool begin);
/* A comment that has no place of its own joins them. NULL: none. */
weft_status weft__lex_keep(weft__lex *l, const char *comment);
/* Hands them over; end: without blank lines at the end. */
weft_status weft__lex_take(weft__lex *l, bool end, weft__comments *out);

#endif
