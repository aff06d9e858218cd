/* forms.h: Unicode's normal forms. */
#ifndef WEFT_TOKENIZER_FORMS_H
#define WEFT_TOKENIZER_FORMS_H

#include "unicode.h"

typedef enum weft__form {
    WEFT__FORM_D,
    WEFT__FORM_C, /* bit 0: composed */
    WEFT__FORM_KD, /* bit 1: compatibility decompositions, too */
    WEFT__FORM_KC,
} weft__form;

/* True if a quick look proves that valid UTF-8 is in the form; false says nothing. */
bool weft__form_quick(weft__form form, const char *text, size_t n);

/* Appends the form of valid UTF-8, in time linear in n (but for sorting marks). False = out of memory. */
bool weft__form_append(weft__bytes *out, weft__form form, const char *text, size_t n);

#endif
