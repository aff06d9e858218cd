/* starcoder2.c: StarCoder 2. Lozhkov et al., arXiv:2402.19173; Hugging Face's Starcoder2 classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "use_bias");
    const weft_block_attention_desc attention = { &x->rotary, .window = weft_net_window(x), .bias = bias,
                                                  .out_bias = bias };
    (void)i;
    weft_ref y = weft_block_self_attention(x, weft_block_norm(x, in, "input_layernorm"), &attention);
    weft_ref r = weft_add(x->g, in, y);
    y = weft_block_mlp(x, weft_block_norm(x, r, "post_attention_layernorm"), "c_fc", "c_proj", bias);
    return weft_add(x->g, r, y);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "norm_epsilon");
    weft_net_grouped_heads(x);
    x->rotary = weft_block_rotary(x, x->D, 1);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(49152) }, { "hidden_size", NUMBER(3072) }, { "intermediate_size", NUMBER(12288) },
    { "num_hidden_layers", NUMBER(30) }, { "num_attention_heads", NUMBER(24) }, { "num_key_value_heads", NUMBER(2) },
    { "hidden_act", TEXT("gelu_pytorch_tanh") }, { "max_position_embeddings", NUMBER(4096) },
    { "norm_epsilon", NUMBER(1e-5) }, { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "use_bias", NUMBER(true) }, { "tie_word_embeddings", NUMBER(true) }, { "initializer_range", NUMBER(0.018042) },
    { "bos_token_id", NUMBER(50256) }, { "eos_token_id", NUMBER(50256) },
};

static const weft__gguf_key gguf_keys[] = {
    THERE("use_bias", "blk.0.attn_q.bias"),
};

const weft__arch weft__arch_starcoder2 = {
    .family = "Starcoder2", DECODER_CLASSES("Starcoder2"), .trunk = trunk, KEYS("starcoder2", keys),
    .gguf.arch = "starcoder2", GGUF_KEYS(gguf_keys), DECODER_NAMES
};
