/* format.h: values in a width, with a precision and a sign, for % and str.format. */
#ifndef WEFT_TEMPLATE_FORMAT_H
#define WEFT_TEMPLATE_FORMAT_H

#include "jinja.h"

/* How one value is written. */
typedef struct jinja_spec {
    char type, align, sign; /* align: '<', '>', '^', '='; sign: '+', ' ' or 0 */
    char fill[5];
    bool alternate, commas;
    int64_t width, precision; /* precision -1: none */
} jinja_spec;

enum { JINJA_WIDEST = 1 << 20 };

int64_t jinja_read_width(jinja_run *r, const char **s, const char *end);
void jinja_put_number(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_spec *s);
void jinja_put_text(jinja_run *r, jinja_buffer *b, const jinja_text *t, const jinja_spec *s);

#endif
