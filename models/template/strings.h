/* strings.h: what methods and filters of texts share. */
#ifndef WEFT_TEMPLATE_STRINGS_H
#define WEFT_TEMPLATE_STRINGS_H

#include "jinja.h"

/* t without the characters (NULL: white space) at its left ('l'), right ('r') or both ends ('b'). */
const jinja_text *jinja_strip(jinja_run *r, const jinja_text *t, const jinja_text *chars, char side);
/* count < 0: all. */
const jinja_text *jinja_replace(jinja_run *r, const jinja_text *t, const jinja_text *old, const jinja_text *by,
                                int64_t count);
/* n characters of padding, spread as str.center does: 'l' left, 'r' right, 'b' both sides of the text. */
const jinja_text *jinja_pad(jinja_run *r, const jinja_text *t, int64_t width, const char *fill, char side);
jinja_list *jinja_lines(jinja_run *r, const jinja_text *t, bool keep);
const jinja_text *jinja_capitalize(jinja_run *r, const jinja_text *t);
/* The first place of what in s..end; NULL: none. what is not empty. */
const char *jinja_find(jinja_run *r, const char *s, const char *end, const jinja_text *what);
/* What int(text, base) and float(text) of Python take; false: they refuse it. */
bool jinja_parse_int(jinja_run *r, const jinja_text *t, int64_t base, int64_t *out);
bool jinja_parse_float(jinja_run *r, const jinja_text *t, double *out);
jinja_value jinja_format(jinja_run *r, const jinja_text *t, const jinja_args *args); /* "{}".format(...) */

#endif
