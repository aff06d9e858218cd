/* stablelm.c: StableLM 3B, 2 1.6B and 12B, Stable Code. Bellagente et al., arXiv:2402.17834; Hugging Face's StableLm
 * classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const char *norm = weft_config_bool(x->g, x->c, "qk_layernorm") ? "layernorm" : NULL;
    const weft_block_attention_desc attention = { &x->rotary, .qk_norm = norm,
                                                  .bias = weft_config_bool(x->g, x->c, "use_qkv_bias") };
    (void)i;
    if (weft_config_bool(x->g, x->c, "use_parallel_residual")) return weft_block_parallel_layer(x, in, &attention);
    return weft_block_prenorm_layer(x, in, &attention, false);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_key_heads(x);
    x->gains = WEFT_GAINS_LISTED;
    x->rotary = weft_block_rotary(x, x->D, weft_config_f64(g, c, "partial_rotary_factor", 0, 1));
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50304) }, { "hidden_size", NUMBER(2560) }, { "intermediate_size", NUMBER(6912) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "num_key_value_heads", NUMBER(32) },
    { "hidden_act", TEXT("silu") }, { "max_position_embeddings", NUMBER(4096) }, { "layer_norm_eps", NUMBER(1e-5) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "partial_rotary_factor", ROPE_OR("partial_rotary_factor", "partial_rotary_factor"), NUMBER(0.25) },
    { "use_qkv_bias", NUMBER(false) }, { "qk_layernorm", NUMBER(false) }, { "use_parallel_residual", NUMBER(false) },
    { "tie_word_embeddings", NUMBER(false) }, { "initializer_range", NUMBER(0.02) }, { "bos_token_id", NUMBER(0) },
    { "eos_token_id", NUMBER(0) },
};

static const weft__gguf_name gguf[] = {
    ROW("self_attn.q_layernorm.norms", "attn_q_norm"),
    ROW("self_attn.k_layernorm.norms", "attn_k_norm"),
};

static const weft__gguf_key gguf_keys[] = {
    LACKS("use_parallel_residual", "blk.0.ffn_norm.weight"), THERE("use_qkv_bias", "blk.0.attn_q.bias"),
    THERE("qk_layernorm", "blk.0.attn_q_norm.weight"),
};

const weft__arch weft__arch_stablelm = {
    .family = "StableLm", DECODER_CLASSES("StableLm"), .trunk = trunk, KEYS("stablelm", keys),
    GGUF("stablelm", gguf), GGUF_KEYS(gguf_keys), DECODER_NAMES
};
