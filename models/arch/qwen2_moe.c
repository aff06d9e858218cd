/* qwen2_moe.c: Qwen1.5-MoE, Qwen2-57B-A14B: Qwen2 with experts, beside one that all tokens share. Yang et al.,
 * arXiv:2407.10671; Hugging Face's Qwen2Moe classes are the reference. */
#include "models/arch.h"

/* Every other layer of the lower ones has the window, if there is one. */
static uint32_t window(weft_net *x, uint32_t i)
{
    const bool wanted = weft_config_bool(x->g, x->c, "use_sliding_window");
    const bool lower = i < weft_config_u32(x->g, x->c, "max_window_layers", 0, 4096);
    return weft_block_window(x, wanted ? weft_net_window(x) : 0, i, i % 2 == 0 && lower);
}

/* The shared one, times a number that each token gives it. */
static weft_ref shared(weft_net *x, weft_ref in)
{
    const uint32_t width = weft_config_u32(x->g, x->c, "shared_expert_intermediate_size", 1, 1 << 24);
    weft_scope_begin(x->g, "mlp");
    weft_ref gate = weft_sigmoid(x->g, weft_block_linear(x, in, "shared_expert_gate", 1, false));
    return weft_scope_end(x->g, weft_mul(x->g, weft_block_gated_part(x, in, "shared_expert", width), gate));
}

static weft_ref feed_forward(weft_net *x, weft_ref in, uint32_t i)
{
    if (!weft_net_is_sparse(x, i)) return weft_block_gated_mlp(x, in, false);
    const weft_block_experts_desc experts = weft_net_experts(x);
    weft_ref y = shared(x, in);
    return weft_add(x->g, weft_block_experts(x, in, &experts), y);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    weft_block_attention_desc attention = { &x->rotary, .window = window(x, i) };
    attention.bias = weft_config_bool(x->g, x->c, "qkv_bias");
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), &attention);
    weft_ref h = weft_add(x->g, in, y);
    return weft_add(x->g, h, feed_forward(x, weft_block_norm(x, h, "post_attention_layernorm"), i));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(151936) }, { "hidden_size", NUMBER(2048) }, { "intermediate_size", NUMBER(5632) },
    { "num_hidden_layers", NUMBER(24) }, { "num_attention_heads", NUMBER(16) }, { "hidden_act", TEXT("silu") },
    { "num_key_value_heads", NUMBER(16) }, { "max_position_embeddings", NUMBER(32768) },
    { "rms_norm_eps", NUMBER(1e-6) }, { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "tie_word_embeddings", NUMBER(false) }, { "initializer_range", NUMBER(0.02) }, { "qkv_bias", NUMBER(true) },
    { "use_sliding_window", NUMBER(false) }, { "sliding_window", NUMBER(4096), OR_NULL },
    { "max_window_layers", NUMBER(28) }, { "num_experts", NUMBER(60) }, { "num_experts_per_tok", NUMBER(4) },
    { "moe_intermediate_size", NUMBER(1408) }, { "shared_expert_intermediate_size", NUMBER(5632) },
    { "norm_topk_prob", NUMBER(false) }, { "decoder_sparse_step", NUMBER(1) },
};

static const weft__gguf_name gguf[] = {
    SAME("mlp.shared_expert_gate", "ffn_gate_inp_shexp"), SAME("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
    SAME("mlp.shared_expert.up_proj", "ffn_up_shexp"), SAME("mlp.shared_expert.down_proj", "ffn_down_shexp"),
};

static const weft__gguf_key gguf_keys[] = {
    THERE("qkv_bias", "blk.0.attn_q.bias"),
    TAKEN("shared_expert_intermediate_size", "expert_shared_feed_forward_length"),
    TAKEN_OR("norm_topk_prob", "expert_weights_norm", false),
};

const weft__arch weft__arch_qwen2_moe = {
    .family = "Qwen2Moe", DECODER_CLASSES("Qwen2Moe"), .trunk = trunk, KEYS("qwen2_moe", keys),
    GGUF("qwen2moe", gguf), GGUF_KEYS(gguf_keys), DECODER_NAMES,
    .parts = { EXPERT_PARTS },
};
