/* arch.h: what a file of models/arch/ says of its architecture: the graph, the classes that Hugging Face has of it,
 * what their configuration's keys mean, and what its tensors are called. models.def has a row for each. */
#ifndef WEFT_ARCH_H
#define WEFT_ARCH_H

#include "models/blocks.h"
#include "models/config.h"
#include "models/config_keys.h"
#include "models/gguf_names.h"
#include "models/model.h"

/* A class: in `architectures` of config.json. */
typedef struct weft__class {
    const char *name;
    weft_head head;
    const char *scores; /* the weight of a head that classifies */
    bool bias;          /* that it has */
} weft__class;

/* How names may begin in files that begin otherwise in the graph. */
typedef struct weft__spelling { const char *name, *in_file; } weft__spelling;

/* A weight that files may have in other tensors: `name` ends its name in the graph, `of` theirs. Each holds equally
 * many of its rows, one after the other. "#" counts experts, as the weight's first dim does: [E, m, n] is E times
 * those of `of`, each [m or m / 2, n]. */
typedef struct weft__parts { const char *name, *of[2]; } weft__parts;

enum { WEFT__MAX_CLASSES = 6, WEFT__MAX_NAMES = 4, WEFT__TENSOR_NAME = 256 };

typedef struct weft__arch {
    const char *family; /* names of its classes are this, then "Model" or "For" and a task */
    /* Reads the configuration into x and emits the graph up to the last hidden state, which it returns: outputs
     * hidden.0 .. hidden.N. The head is added by its class. */
    weft_ref (*trunk)(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in);
    weft__class classes[WEFT__MAX_CLASSES]; /* the language model's first; those without name are none */
    weft__config_keys keys;
    const char *embed, *head; /* weights that are one where tie_word_embeddings is true */
    weft__spelling spellings[WEFT__MAX_NAMES];
    const char *transposed[WEFT__MAX_NAMES]; /* ends of the names of matrices that files hold as [in, out] */
    weft__parts parts[WEFT__MAX_NAMES];
    weft__gguf gguf;
    bool bounded; /* positions are learned: there are none beyond max_position_embeddings */
} weft__arch;

/* A model that sees or hears, of which the language model is run: wrappers.def. */
enum { WEFT__WRAPPER_CLASSES = 2 };
typedef struct weft__wrapper {
    weft__config_wrap config;
    const char *text_type; /* where text_config has no model_type */
    weft__class classes[WEFT__WRAPPER_CLASSES];
    weft__spelling spellings[WEFT__MAX_NAMES]; /* how the names of the language model begin in files */
} weft__wrapper;

#define WEFT_ARCH(type) extern const weft__arch weft__arch_##type;
#include "models/models.def"
#undef WEFT_ARCH

/* arch.c. NULL past the end; of a type; of a class by its name, whose architecture *of is. */
const weft__arch *weft__arch_at(size_t i);
const weft__arch *weft__arch_of_type(const char *type);
const weft__class *weft__class_find(const char *name, const weft__arch **of);
const weft__class *weft__class_of_head(const weft__arch *a, weft_head head);
/* The graph of a class; a wrapper's head is a product alone, without bias, scale or cap. */
void weft__arch_build(const weft__arch *a, const weft__class *k, bool wrapped, weft_graph *g, const weft_config *c,
                      const weft_model_inputs *in);

/* wrappers.c. NULL: there is none. */
const weft__wrapper *weft__wrapper_of_type(const char *type);
const weft__wrapper *weft__wrapper_of_class(const char *name);
const weft__wrapper *weft__config_wrapper(const weft_config_file *c); /* config_open.c: that a configuration is of */

/* gguf_names.c. What a weight of the graph is called in GGUF files; false: none has it. */
bool weft__gguf_place_of(const weft__arch *a, const char *weight, weft__gguf_place *out);

/* ---- words for tables ---- */

#define KEYS(type, table) .keys = { type, table, sizeof(table) / sizeof *(table), NULL }
/* The classes that a decoder has in transformers. */
#define DECODER_CLASSES(family)                                                              \
    .classes = { { family "ForCausalLM", WEFT_HEAD_LOGITS, NULL, false },                    \
                 { family "Model", WEFT_HEAD_NONE, NULL, false },                            \
                 { family "ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false }, \
                 { family "ForTokenClassification", WEFT_HEAD_TOKENS, "score", true } }
/* The classes of those that have one for tokens and one for spans besides, each with a bias. */
#define SPAN_CLASSES(family)                                                                     \
    .classes = { { family "ForCausalLM", WEFT_HEAD_LOGITS, NULL, false },                        \
                 { family "Model", WEFT_HEAD_NONE, NULL, false },                                \
                 { family "ForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },     \
                 { family "ForTokenClassification", WEFT_HEAD_TOKENS, "classifier", true },      \
                 { family "ForQuestionAnswering", WEFT_HEAD_SPAN, "qa_outputs", true } }
/* Names as GPT-2 has them, and as LLaMA does. */
#define GPT_NAMES \
    .embed = "transformer.wte.weight", .head = "lm_head.weight", .spellings = { { "transformer.", "" } }
/* Experts as most published files have them. */
#define EXPERT_PARTS                                                              \
    { ".mlp.experts.gate_up_proj",                                                \
      { ".mlp.experts.#.gate_proj.weight", ".mlp.experts.#.up_proj.weight" } },   \
    { ".mlp.experts.down_proj", { ".mlp.experts.#.down_proj.weight" } }
#define DECODER_NAMES \
    .embed = "model.embed_tokens.weight", .head = "lm_head.weight", .spellings = { { "model.", "" } }

#endif
