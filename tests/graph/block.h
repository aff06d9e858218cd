/* block.h: a decoder of transformer blocks for tests of passes and plans: layer norms, one matrix for query, key and
 * value, rotary embedding, key-value states, attention, a feed-forward part with gelu, and two ways to add it all up.
 * T tokens, E width, H heads of D, C cells, V vocabulary. */
#ifndef WEFT_TEST_BLOCK_H
#define WEFT_TEST_BLOCK_H

#include "graph/graph.h"

typedef struct block_desc {
    uint32_t layers, bound; /* most tokens per run */
    int64_t E, H, C, V;
    weft_dtype weights;
    bool parallel; /* x + attention(norm x) + mlp(norm x), or one after the other */
} block_desc;

static inline weft_ref block_linear(weft_graph *g, weft_ref x, const block_desc *b, const char *name, int64_t n_out,
                                    int64_t n_in)
{
    weft_scope_begin(g, "%s", name);
    weft_ref y = weft_matmul_nt(g, x, weft_weight(g, b->weights, WEFT_DIMS(n_out, n_in), "weight"));
    return weft_scope_end(g, weft_add(g, y, weft_weight(g, WEFT_F32, WEFT_DIMS(n_out), "bias")));
}

static inline weft_ref block_norm(weft_graph *g, weft_ref x, const block_desc *b, const char *name)
{
    weft_scope_begin(g, "%s", name);
    weft_ref w = weft_weight(g, WEFT_F32, WEFT_DIMS(b->E), "weight");
    weft_ref bias = weft_weight(g, WEFT_F32, WEFT_DIMS(b->E), "bias");
    return weft_scope_end(g, weft_layer_norm(g, x, w, bias, 1e-5f));
}

/* Inputs of the whole graph. */
typedef struct block_io {
    weft_dim T;
    weft_ref tokens, pos, cell, first, last;
} block_io;

static inline weft_ref block_attention(weft_graph *g, weft_ref x, const block_desc *b, const block_io *io)
{
    int64_t D = b->E / b->H;
    weft_ref qkv = block_linear(g, x, b, "attention.qkv", 3 * b->E, b->E);
    qkv = weft_reshape(g, qkv, WEFT_DIMS(io->T, b->H, 3, D));
    weft_ref angles = weft_rope_angles(g, io->pos, (uint32_t)D / 2, 10000.0f);
    weft_ref q = weft_rope(g, weft_select(g, qkv, 2, 0), angles, false);
    weft_ref k = weft_rope(g, weft_select(g, qkv, 2, 1), angles, false);
    weft_ref v = weft_select(g, qkv, 2, 2);
    weft_ref keys = weft_state(g, WEFT_F16, WEFT_DIMS(b->H, b->C, D), "keys");
    weft_ref values = weft_state(g, WEFT_F16, WEFT_DIMS(b->H, b->C, D), "values");
    keys = weft_store(g, keys, weft_transpose(g, k, 0, 1), io->cell, 1);
    values = weft_store(g, values, weft_transpose(g, v, 0, 1), io->cell, 1);
    weft_ref y = weft_attention(g, q, keys, values, io->first, io->last, 0.25f);
    return block_linear(g, weft_reshape(g, y, WEFT_DIMS(io->T, b->E)), b, "attention.dense", b->E, b->E);
}

static inline weft_ref block_layer(weft_graph *g, weft_ref x, const block_desc *b, const block_io *io, uint32_t i)
{
    weft_scope_begin(g, "layers.%u", i);
    weft_ref r = weft_add(g, x, block_attention(g, block_norm(g, x, b, "norm_1"), b, io));
    weft_ref m = block_norm(g, b->parallel ? x : r, b, "norm_2");
    m = weft_gelu(g, block_linear(g, m, b, "mlp.up", 4 * b->E, b->E));
    m = block_linear(g, m, b, "mlp.down", b->E, 4 * b->E);
    return weft_scope_end(g, weft_add(g, r, m));
}

/* Unsealed, so that a test can add to it; outputs "hidden" and "logits". */
static inline void block_build(weft_graph *g, const block_desc *b)
{
    block_io io = { .T = weft_extent(g, "tokens", b->bound) };
    io.tokens = weft_input(g, WEFT_I32, WEFT_DIMS(io.T), "tokens");
    io.pos = weft_input(g, WEFT_I32, WEFT_DIMS(io.T), "pos");
    io.cell = weft_input(g, WEFT_I32, WEFT_DIMS(io.T), "cell");
    io.first = weft_input(g, WEFT_I32, WEFT_DIMS(io.T), "first");
    io.last = weft_input(g, WEFT_I32, WEFT_DIMS(io.T), "last");
    weft_ref x = weft_gather(g, weft_weight(g, b->weights, WEFT_DIMS(b->V, b->E), "embed.weight"), io.tokens);
    for (uint32_t i = 0; i < b->layers; i++) x = block_layer(g, x, b, &io, i);
    x = weft_output(g, block_norm(g, x, b, "final_norm"), "hidden");
    weft_output(g, weft_matmul_nt(g, x, weft_weight(g, b->weights, WEFT_DIMS(b->V, b->E), "head.weight")), "logits");
}

#endif
