/* model_impl.h: an open model, shared by the files of this folder. */
#ifndef WEFT_MODEL_IMPL_H
#define WEFT_MODEL_IMPL_H

#include "models/arch.h"
#include "models/checkpoint/checkpoint_impl.h"
#include "models/config_impl.h"
#include "models/text.h"
#include "models/tokenizer/files.h"

/* What weft_model_setting gives. */
typedef struct weft__settings {
    weft_setting_info *list;
    size_t n, capacity;
    weft__arena texts;
    bool failed; /* out of memory */
} weft__settings;

struct weft_model {
    char *path, *folder; /* as given; the folder it means */
    weft_config_file *hf;
    bool unconfigured; /* there is no file of it: hf is empty */
    weft_config config;
    weft__settings settings;
    weft_checkpoint *checkpoint; /* NULL: configuration alone */
    weft_weight_source source;    /* of weft_model_set_weights; find NULL: the checkpoint */
    weft_tokenizer *tokenizer;   /* NULL until first used */
    weft_model_definition *own;  /* the caller's */
    uint32_t n_own;
    bool graph_alone;            /* own[0] is the model, whatever the configuration says */
    weft__model_text text;       /* that is the model */
    /* What the configuration names: one of own or the text, or a class of the library's. */
    const weft_model_definition *definition;
    const weft__arch *arch;      /* beside a text: whose names the files have */
    const weft__class *class_;
    const weft__wrapper *wrapper; /* whose language model it is; NULL: nobody's */
    weft_dtype default_dtype; /* of weights without files: what the configuration says */
    weft_model_info info;
    int32_t eos[16]; /* every token that ends a text; info.eos is the first */
    size_t n_eos;
    bool *used;               /* per tensor of the checkpoint */
    const void **parts;       /* of the weight that was asked for last */
    size_t parts_capacity;
    weft_weight_data unread;  /* of a GGUF file: what that one was read from, with its `done` */
    struct weft__made *made;  /* weights of a GGUF file that are other numbers there */
    bool tied;                /* input embeddings and head are one (weft__arch), by configuration and files */
    bool bounded;             /* info.context_limit is how many positions were learned */
    uint32_t n_ids;           /* that may be evaluated: the embedding's rows, at most info.n_vocab */
    uint32_t n_scores;        /* in a row of the head; 0: it gives none */
    char **labels;            /* their names: info.n_labels */
    char *no_logits;          /* why a language model's head is missing; NULL: no more to say than info.head */
    char **notes;
    size_t n_notes, note_cap;
};

/* definitions.c: keeps those of a description; finds what the configuration names (definition or arch and class_, the
 * head); emits its graph; its name. */
weft_status weft__take_definitions(weft_model *m, const weft_model_desc *desc, weft_error *err);
weft_status weft__find_definition(weft_model *m, weft_error *err);
/* Of another configuration than the model's, too. */
void weft__definition_build(const weft_model *m, weft_graph *g, const weft_config *c, const weft_model_inputs *in);
/* The inputs that a session of this description has. */
weft_model_inputs weft__model_inputs(weft_graph *g, const weft_model *m, const weft_model_graph_desc *d);
const char *weft__definition_name(const weft_model *m);
const char *weft__definition_origin(const weft_model *m); /* for messages: the text's file, or the model */
const weft__class *weft__definition_class(const weft_model *m, weft_head head); /* the library's; NULL: it has none */

/* As weft_model_open, but of `path` only the configuration is looked at. */
weft_status weft__model_open_config(const char *path, const weft_model_desc *desc, weft_model **out, weft_error *err);
/* describe.c: what a graph shows of the model where the configuration does not say it, and which tensors it uses. */
weft_status weft__model_describe(weft_model *m, const weft_graph *g, weft_error *err);
weft_status weft__model_add_note(weft_model *m, weft_error *err, const char *fmt, ...) WEFT_PRINTF(3, 4);
/* NOT_FOUND, with the reason, if the head is no language model's, or gives no scores. */
weft_status weft__model_need_logits(const weft_model *m, weft_error *err);
weft_status weft__model_need_scores(const weft_model *m, weft_error *err);
weft_status weft__model_read_labels(weft_model *m, weft_error *err);
void weft__model_free_labels(weft_model *m);
/* What a weight of the graph is called in files that are written. Returns buf, or name. */
const char *weft__model_file_name(const weft_model *m, const char *name, char buf[WEFT__TENSOR_NAME]);
/* A weight's names: its own (*i is 0), then those that files may have it under; false: no more. */
bool weft__model_spelled(const weft_model *m, const char *name, size_t *i, char out[WEFT__TENSOR_NAME]);
/* What a weight is called where it is multiplied with: an embedding that is also the head is the head there. */
const char *weft__model_multiplied(const weft_model *m, const char *name);
/* How files hold a weight of the graph: in n tensors with these dims. */
typedef struct weft__held {
    const char *name;         /* the weight's */
    const weft__parts *parts; /* NULL: in one tensor of its name */
    uint32_t n, rank;
    uint64_t dims[WEFT_MAX_RANK];
} weft__held;
/* Of a weight with these dims: as the model's files have it, without files as they are published. */
weft__held weft__model_held(const weft_model *m, const char *name, const weft_dims *d);
bool weft__held_name(const weft__held *h, uint32_t i, char out[WEFT__TENSOR_NAME]); /* false: it is too long */
/* Tensor i of them, checked: weft__checkpoint_weight. */
weft_status weft__held_tensor(const weft_model *m, const weft__held *h, uint32_t i, const weft__file_tensor **out,
                              weft_error *err);
/* The files' tensor i for a weight of the graph, in whichever spelling; NULL: no more, or none. */
const weft__file_tensor *weft__model_tensor(const weft_model *m, const char *name, uint32_t i);
/* The files have a weight's tensors in the shapes that the graph says. */
weft_status weft__model_check_weight(const weft_model *m, const weft_graph *g, const weft_node *n, weft_error *err);
/* Whether files hold the weight with its last two dims the other way round. */
bool weft__model_is_transposed(const weft_model *m, const char *name);
/* shapes.c: who decides shapes, for messages; a tensor has not the dims that the graph makes. */
const char *weft__model_shaper(const weft_model *m);
weft_status weft__model_shape_fault(const weft_model *m, const weft__file_tensor *t, uint32_t rank,
                                    const uint64_t *dims, weft_error *err);
/* gguf_weights.c: the same three of GGUF files, whose tensors are found and put right by what the architecture's file
 * says of them. weft__gguf_free: what was made for them. */
const weft__file_tensor *weft__gguf_tensor(const weft_model *m, const char *name, uint32_t i);
weft_status weft__gguf_check_weight(const weft_model *m, const weft_node *n, const weft_dims *d, weft_error *err);
weft_status weft__gguf_weight(weft_model *m, const char *name, weft_weight_data *out, weft_error *err);
/* Room for the n numbers of a weight that is made of others, the same for each call; kept as long as the model. */
weft_status weft__gguf_make(weft_model *m, const char *name, int64_t n, float **out, weft_error *err);
void weft__gguf_free(struct weft__made *made);
/* Whether tie_word_embeddings holds for the files: as in transformers 5, not where they have both tensors and these
 * differ. Then definitions are told so, and there is a note. Reads both. */
weft_status weft__model_settle_tie(weft_model *m, weft_error *err);

/* Records what definitions ask of m->config, from here (anew) to there. */
void weft__settings_listen(weft_model *m);
const weft_setting_info *weft__setting_find(const weft_model *m, const char *key); /* NULL: it was not asked for */
weft_status weft__settings_finish(weft_model *m, weft_error *err);
void weft__settings_clear(weft__settings *s);

static inline bool weft__model_is_eos(const weft_model *m, int32_t token)
{
    for (size_t i = 0; i < m->n_eos; i++)
        if (m->eos[i] == token) return true;
    return false;
}

/* What a session takes from its plan. */
/* Programs from the largest bound down, with the number of tokens that each runs at most; NULL past the last. */
weft_program *weft__plan_program(const weft_session_plan *p, uint32_t i, uint32_t *max_tokens);
weft_model *weft__plan_model(const weft_session_plan *p);
weft_load_times weft__plan_times(const weft_session_plan *p); /* load is 0 */

/* The model that a session was made from. */
weft_model *weft__session_model(const weft_session *s);
/* What weft_session_cancel may end begins, where it is no part of something that has begun (false), and ends. */
bool weft__activity_begin(weft_session *s);
void weft__activity_end(weft_session *s, bool began);
bool weft__session_logits(const weft_session *s); /* its output is logits, not hidden states or scores */

#endif
