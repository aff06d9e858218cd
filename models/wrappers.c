/* wrappers.c: the table of wrappers.def, and which of its rows a configuration names. */
#include "models/arch.h"

#include <string.h>

#define OUTSIDE false
#define EITHER  true
/* The first that fits is what transformers saves, the others are older and newer. */
#define LANGUAGE_MODEL                                                                     \
    { { "model.", "language_model.model." }, { "model.", "model.language_model." },        \
      { "model.", "language_model." }, { "", "language_model." } }
#define TEXT_MODEL { { "model.", "model.text_model." }, { "model.", "text_model." } }

static const weft__wrapper wrappers[] = {
#define WEFT_WRAPPER(name, family, text, tied, whose, names)                                                           \
    { .config = { #name, { "tie_word_embeddings", NUMBER(tied) }, whose }, .text_type = text, .spellings = names,      \
      .classes = { { family "ForConditionalGeneration", WEFT_HEAD_LOGITS, NULL, false },                               \
                   { family "Model", WEFT_HEAD_NONE, NULL, false } } },
#include "models/wrappers.def"
#undef WEFT_WRAPPER
};
enum { N_WRAPPERS = sizeof wrappers / sizeof *wrappers };

const weft__wrapper *weft__wrapper_of_type(const char *type)
{
    for (size_t i = 0; type && i < N_WRAPPERS; i++)
        if (!strcmp(wrappers[i].config.type, type)) return &wrappers[i];
    return NULL;
}

const weft__wrapper *weft__wrapper_of_class(const char *name)
{
    for (size_t i = 0; name && i < N_WRAPPERS; i++)
        for (size_t k = 0; k < WEFT__WRAPPER_CLASSES; k++)
            if (!strcmp(wrappers[i].classes[k].name, name)) return &wrappers[i];
    return NULL;
}
