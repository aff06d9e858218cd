/* gguf_scales.h: factors that GGUF files have beside matrices: of blk.0.attn_q.weight it is blk.0.attn_q.scale, one
 * number, and of a stack of experts one for each. They are part of NVFP4, whose blocks have scales in few bits. What is
 * multiplied with the matrix is multiplied with the factor, before a bias is added. */
#ifndef WEFT_GGUF_SCALES_H
#define WEFT_GGUF_SCALES_H

#include "models/model_impl.h"

/* Of one weight of a graph. */
typedef struct weft__gguf_scale {
    const weft__file_tensor *of[2]; /* beside the tensor that is the weight, or the two; NULL: there is none */
    bool joined, turns;             /* two: the rows of each expert one after the other, or by turns */
    uint64_t experts, each;         /* 0: it is no stack; rows of an expert in one tensor */
} weft__gguf_scale;

/* Every product with a weight that has factors is multiplied with them, which are a weight then, too: of q_proj.weight
 * q_proj.scale. Graphs that have such a weight themselves stay. */
WEFT_MUST_USE weft_status weft__gguf_scale_products(const weft_model *m, weft_graph *g, weft_error *err);

/* Whether a weight is factors, of which the file has no tensor of its name. */
bool weft__gguf_scale_of(const weft_model *m, const char *name, weft__gguf_scale *out);
const weft__file_tensor *weft__gguf_scale_tensor(const weft__gguf_scale *s, uint32_t i); /* NULL: no more */
WEFT_MUST_USE weft_status weft__gguf_scale_check(const weft_model *m, const weft__gguf_scale *s, weft_error *err);
WEFT_MUST_USE weft_status weft__gguf_scale_data(weft_model *m, const char *name, const weft__gguf_scale *s,
                                                weft_weight_data *out, weft_error *err);

#endif
