/* qwen3_moe.c: Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder: Qwen3 with experts. Yang et al., arXiv:2505.09388; Hugging
 * Face's Qwen3Moe classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    const uint32_t window = weft_config_bool(x->g, x->c, "use_sliding_window") ? weft_net_window(x) : 0;
    const weft_block_attention_desc attention = { &x->rotary, .window = window, .bias = bias, .out_bias = bias,
                                                  .qk_norm = "norm" };
    if (!weft_net_is_sparse(x, i)) return weft_block_prenorm_layer(x, in, &attention, false);
    const weft_block_experts_desc experts = weft_net_experts(x);
    return weft_block_sparse_layer(x, in, &attention, &experts);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(151936) }, { "hidden_size", NUMBER(2048) }, { "intermediate_size", NUMBER(6144) },
    { "num_hidden_layers", NUMBER(24) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "num_key_value_heads", NUMBER(4) }, { "max_position_embeddings", NUMBER(32768) },
    { "rms_norm_eps", NUMBER(1e-6) }, { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "tie_word_embeddings", NUMBER(false) }, { "initializer_range", NUMBER(0.02) },
    { "attention_bias", NUMBER(false) }, { "use_sliding_window", NUMBER(false) },
    { "sliding_window", NUMBER(4096), OR_NULL }, { "num_experts", { "num_local_experts", "num_experts" }, NUMBER(128) },
    { "num_experts_per_tok", NUMBER(8) }, { "moe_intermediate_size", NUMBER(768) },
    { "norm_topk_prob", NUMBER(false) }, { "decoder_sparse_step", NUMBER(1) },
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_OR("norm_topk_prob", "expert_weights_norm", true),
};

const weft__arch weft__arch_qwen3_moe = {
    .family = "Qwen3Moe", DECODER_CLASSES("Qwen3Moe"), .trunk = trunk, KEYS("qwen3_moe", keys),
    .gguf.arch = "qwen3moe", GGUF_KEYS(gguf_keys), DECODER_NAMES,
    .parts = { EXPERT_PARTS },
};
