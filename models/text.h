/* text.h: a graph's text (graph/text.h) that is a model's definition: a description's, or a folder's model.weft. */
#ifndef WEFT_MODELS_TEXT_H
#define WEFT_MODELS_TEXT_H

#include "models/arch.h"

#define WEFT__TEXT_FILE "model.weft" /* a folder's */

/* What the text says of how files name and hold weights: `files` statements, by their words. They count before an
 * architecture's own. */
typedef struct weft__text_names {
    weft__spelling *spellings;
    weft__parts *parts;
    const char **transposed;
    size_t n_spellings, n_parts, n_transposed;
    size_t spelling_cap, parts_cap, transposed_cap;
    const char *embed, *head; /* weights that are one; NULL: it says nothing */
} weft__text_names;

typedef struct weft__model_text {
    weft_graph_text *tree; /* NULL: the model's definition is no text */
    const char *origin;
    const weft_graph_param *params;
    uint32_t n_params;
    bool says_head; /* what its head is; else its outputs show it */
    weft__text_names names;
    weft_model_definition definition; /* that builds it */
    uint64_t hash; /* of its bytes and the parameters: what other texts differ in */
    weft__arena arena;
} weft__model_text;

/* Keeps a description's parameters, and its text if it has one. */
weft_status weft__text_take(weft_model *m, const weft_model_desc *desc, weft_error *err);
/* Takes the folder's model.weft for the model's definition. *found: there is one. */
weft_status weft__text_take_folder(weft_model *m, bool *found, weft_error *err);
/* The folder's, to be freed; NULL: out of memory, or there is no folder. */
char *weft__text_folder_path(const weft_model *m);
void weft__text_clear(weft__model_text *t);

/* What is handed to blocks while a text becomes a graph. */
typedef struct weft__text_use {
    const weft_model *m;
    const weft_model_inputs *in;
    const weft_config *below; /* the model's */
    weft_config config;       /* with what the session answers: "session.context", "session.page" */
} weft__text_use;

/* text_use.c. From here on the use must not be moved. */
void weft__text_use_begin(weft__text_use *use);
/* weft_graph_text_desc.made. */
void weft__text_made(void *use, weft_graph *g, uint32_t node);
/* Whether sessions write an input of this name; else INVALID with those that they write. */
weft_status weft__input_check(const char *name, weft_error *err);

/* text_blocks.c: what texts use beside ops, with a weft__text_use as context. */
extern const weft_text_block weft__text_blocks[];
extern const uint32_t weft__text_block_count;

#endif
