/* gguf_names.h: what the weights of a graph are called in GGUF files, and how they lie there. llama.cpp, whose format
 * it is, has names of its own for all architectures, and for some of them its converter changes the tensors, too. Most
 * names follow from those of the checkpoint whatever the architecture: gguf_names.c has these. What an architecture has
 * for itself stands in its own file (arch.h). */
#ifndef WEFT_GGUF_NAMES_H
#define WEFT_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/gguf_keys.h"

typedef enum weft__gguf_form {
    WEFT__GGUF_SAME,
    WEFT__GGUF_MORE,   /* 1 is added to every element */
    WEFT__GGUF_PAIRS,  /* rows j and D/2 + j of a head, which turn together, are its rows 2j and 2j + 1 */
    WEFT__GGUF_GROUPS, /* all queries, then all keys, then all values; in the graph group by group */
    WEFT__GGUF_ROW,    /* name.J of the graph is row J of the file's one tensor */
    WEFT__GGUF_HALVES, /* two tensors: of each expert the first half of its rows, and the second */
    WEFT__GGUF_TURNS,  /* two tensors: of each expert every other row from the first on, and from the second on */
} weft__gguf_form;

/* Names without what stands before all of a model's, without layer, and without .weight or .bias unless the row is of
 * one of them alone. Of what has neither, the file's name is whole. */
typedef struct weft__gguf_name {
    const char *name, *in_file;
    weft__gguf_form form;
    const char *second; /* HALVES, TURNS: the other tensor */
} weft__gguf_name;

/* What an architecture's file says. */
typedef struct weft__gguf {
    const char *arch; /* general.architecture of its files; NULL: there are none */
    const char *also; /* another that some have; NULL: none */
    /* Of several with one name the one whose files have this key with a number above 0 (without the architecture in
     * front), else the first that asks for none. */
    const char *has;
    const weft__gguf_name *own; /* what others do not have, or call otherwise */
    size_t n_own;
    const weft__gguf_key *keys; /* they count before the usual ones */
    size_t n_keys;
    const char *rope; /* the group that rotary embeddings are asked for in; NULL: "rope" */
    bool may_not_turn; /* rope.scaling.finetuned = false says that nothing turns */
    int32_t window;    /* where nothing says it; 0: then all layers see all; -1: the file must say it */
    uint32_t period;   /* where nothing says it, the last of so many layers sees all, the others a window; 0: all do */
} weft__gguf;

typedef struct weft__gguf_place {
    char name[128], second[128]; /* second: the other of two */
    weft__gguf_form form;
    uint32_t row; /* ROW: which */
} weft__gguf_place;

/* Where the rows of a file's tensor are in the graph's: the file's row i, of H heads of queries and G of keys, of D. */
uint32_t weft__gguf_row(weft__gguf_form form, uint32_t H, uint32_t G, uint32_t D, uint32_t i);

/* ---- words for tables ---- */

#define GGUF(name, table)     .gguf.arch = name, .gguf.own = table, .gguf.n_own = sizeof(table) / sizeof *(table)
#define GGUF_KEYS(table)      .gguf.keys = table, .gguf.n_keys = sizeof(table) / sizeof *(table)
#define SAME(name, in_file)          { name, in_file, WEFT__GGUF_SAME, NULL }
#define MORE(name, in_file)          { name, in_file, WEFT__GGUF_MORE, NULL }
#define PAIRS(name, in_file)         { name, in_file, WEFT__GGUF_PAIRS, NULL }
#define GROUPS(name, in_file)        { name, in_file, WEFT__GGUF_GROUPS, NULL }
#define ROW(name, in_file)           { name, in_file, WEFT__GGUF_ROW, NULL }
#define HALVES(name, in_file, other) { name, in_file, WEFT__GGUF_HALVES, other }
#define TURNS(name, in_file, other)  { name, in_file, WEFT__GGUF_TURNS, other }
/* Queries and keys whose halves turn with each other, and in llama.cpp neighbours. */
#define GGUF_PAIRED PAIRS("self_attn.q_proj", "attn_q"), PAIRS("self_attn.k_proj", "attn_k")
/* Norms after the parts that are called so. */
#define GGUF_AFTER \
    SAME("post_attention_layernorm", "post_attention_norm"), SAME("post_feedforward_layernorm", "post_ffw_norm")
/* Norms on both sides, of gains that are stored less 1. */
#define GGUF_SANDWICH                                                                       \
    MORE("norm", "output_norm"), MORE("input_layernorm", "attn_norm"),                      \
    MORE("post_attention_layernorm", "post_attention_norm"),                                \
    MORE("pre_feedforward_layernorm", "ffn_norm"), MORE("post_feedforward_layernorm", "post_ffw_norm")

#endif
