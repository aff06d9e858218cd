/* model_impl.h: an open model, shared by the files of this folder. */
#ifndef WEFT_MODEL_IMPL_H
#define WEFT_MODEL_IMPL_H

#include "models/checkpoint/checkpoint.h"
#include "models/config.h"
#include "models/model.h"
#include "models/tokenizer/tokenizer.h"

typedef void weft__build_fn(weft_graph *g, const weft_config *c, weft_dtype kv);

struct weft_model {
    char *path, *folder; /* as given; the folder it means */
    weft__hf_config *hf;
    weft_config config;
    weft__checkpoint *checkpoint; /* NULL: configuration alone */
    weft_weight_source source;    /* of weft_model_set_weights; find NULL: the checkpoint */
    weft__tokenizer *tokenizer;   /* NULL until first used */
    weft__build_fn *build;
    const char *architecture;
    weft_dtype default_dtype; /* of weights without files: what the configuration says */
    weft_model_info info;
    int32_t eos[16]; /* every token that ends a text; info.eos is the first */
    size_t n_eos;
    bool *used;               /* per tensor of the checkpoint */
    char **notes;
    size_t n_notes, note_cap;
};

/* As weft_model_open, but of `path` only the configuration is looked at. */
weft_status weft__model_open_config(const char *path, weft_model **out, weft_error *err);
/* Reads the tokenizer on first use. NOT_FOUND: the folder has none. */
weft_status weft__model_tokenizer(weft_model *m, const weft__tokenizer **out, weft_error *err);

static inline bool weft__model_is_eos(const weft_model *m, int32_t token)
{
    for (size_t i = 0; i < m->n_eos; i++)
        if (m->eos[i] == token) return true;
    return false;
}

/* The model that a session was made from. */
weft_model *weft__session_model(const weft_session *s);
bool weft__session_hidden(const weft_session *s); /* its output is hidden states, not logits */

#endif
