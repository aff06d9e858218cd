/* form_literals.h: calls that are written as source text. */
#ifndef WEFT_SERVE_FORM_LITERALS_H
#define WEFT_SERVE_FORM_LITERALS_H

#include "tools/serve/forms.h"

/* One call of CALL_LITERAL: where it ends; its name lies in the text, its arguments are the caller's. NULL: none. */
const char *form_literal(const call_form *f, const char *at, const char *end, const char **name, size_t *n,
                         json_t **arguments);

#endif
