/* mixture.h: which type each tensor of a GGUF file gets: the mixtures that llama.cpp's users know by name (q4_K_M), in
 * which tensors that matter more have more bits, or one type for all. */
#ifndef WEFT_MIXTURE_H
#define WEFT_MIXTURE_H

#include "models/checkpoint/tensor.h"

typedef struct weft__mixture weft__mixture;

/* What a mixture's rules ask about a model. */
typedef struct weft__mixture_model {
    uint32_t layers;
    uint32_t queries;    /* heads of queries that share keys and values */
    uint32_t experts;    /* 0: none */
    bool tied;           /* no output.weight: token_embd.weight is that, too */
    bool importance;     /* is known */
} weft__mixture_model;

/* One of the rules' own: GLOB=TYPE, of which the first that fits counts. */
typedef struct weft__mixture_keep {
    const char *pattern; /* of tensor names in GGUF: * stands for anything, ? for one byte */
    size_t length;
    const weft__file_dtype *type;
} weft__mixture_keep;

/* By name, a mixture's or a type's, in either case; NULL: there is none. */
const weft__mixture *weft__mixture_find(const char *name);
/* All names, "q4_K_M, q4_K, ..", for messages and help. NULL past the end. */
const char *weft__mixture_name(size_t i);
uint32_t weft__mixture_file_type(const weft__mixture *m); /* general.file_type */

/* The number in "blk.7.attn_v.weight"; UINT32_MAX: there is none. */
uint32_t weft__mixture_layer(const char *name);

/* The type of a weight's tensor (name, rank, dims): the file's own where it stays as it is. A type whose blocks do not
 * divide the rows gives way to one of 32, or f16. */
const weft__file_dtype *weft__mixture_type(const weft__mixture *m, const weft__mixture_model *model,
                                           const weft__file_tensor *t);
/* "attn*=q6_K": INVALID, if there is no = or no such type that weights can be turned into. */
WEFT_MUST_USE weft_status weft__mixture_keep_parse(const char *text, weft__mixture_keep *out, weft_error *err);
bool weft__mixture_keeps(const weft__mixture_keep *k, const char *name);

#endif
