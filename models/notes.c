/* notes.c: what a user should know of a model that is no error. */
#include "models/model_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

weft_status weft__model_add_note(weft_model *m, weft_error *err, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *copy = strdup(text);
    if (!copy || !weft__grow(&m->notes, &m->note_cap, m->n_notes + 1, sizeof *m->notes)) {
        free(copy);
        return WEFT_OOM_FAIL(err, "a note on the model");
    }
    m->notes[m->n_notes++] = copy;
    return WEFT_OK;
}

const char *weft_model_note(const weft_model *m, uint32_t i)
{
    return i < m->n_notes ? m->notes[i] : NULL;
}
