/* cohere2.c: Command R7B, Command A: parallel parts after one norm without bias; layers turn where they have a window.
 * Cohere, arXiv:2504.00698; Hugging Face's Cohere2 classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    bool bias = weft_config_bool(x->g, x->c, "attention_bias");
    uint32_t every = weft_config_u32(x->g, x->c, "sliding_window_pattern", 1, 4096);
    uint32_t window = weft_block_window(x, weft_net_window(x), i, (i + 1) % every != 0);
    const weft_block_attention_desc attention = { .rotary = window ? &x->rotary : NULL, .window = window, .bias = bias,
                                                  .out_bias = bias };
    return weft_block_parallel_layer(x, in, &attention);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_key_heads(x);
    x->norm.bias = false;
    x->head.scale = (float)weft_config_f64(g, c, "logit_scale", 1e-6, 1e6);
    x->rotary = weft_block_rotary(x, x->D, 1);
    x->rotary.interleaved = true;
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(256000) }, { "hidden_size", NUMBER(8192) }, { "intermediate_size", NUMBER(22528) },
    { "num_hidden_layers", NUMBER(40) }, { "num_attention_heads", NUMBER(64) }, { "hidden_act", TEXT("silu") },
    { "max_position_embeddings", NUMBER(8192) }, { "layer_norm_eps", NUMBER(1e-5) }, { "logit_scale", NUMBER(0.0625) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) }, { "attention_bias", NUMBER(false) },
    { "sliding_window", NUMBER(4096), OR_NULL }, { "sliding_window_pattern", NUMBER(4) },
    { "tie_word_embeddings", NUMBER(true) }, { "initializer_range", NUMBER(0.02) }, { "pad_token_id", NUMBER(0) },
    { "bos_token_id", NUMBER(5) }, { "eos_token_id", NUMBER(255001) },
};

static const weft__gguf_key gguf_keys[] = {
    TAKEN_OR("logit_scale", "logit_scale", 1),
};

const weft__arch weft__arch_cohere2 = {
    .family = "Cohere2", .trunk = trunk, KEYS("cohere2", keys),
    .gguf.arch = "cohere2", GGUF_KEYS(gguf_keys), .gguf.period = 4, .gguf.window = -1, DECODER_NAMES,
    .classes = { { "Cohere2ForCausalLM", WEFT_HEAD_LOGITS, NULL, false },
                 { "Cohere2Model", WEFT_HEAD_NONE, NULL, false } },
};
