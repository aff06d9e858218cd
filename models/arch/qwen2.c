/* qwen2.c: Qwen2, Qwen2.5, QwQ: LLaMA with biases of queries, keys and values, and a window in the upper layers if it
 * is asked for. Yang et al., arXiv:2407.10671; Hugging Face's Qwen2 classes are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const weft_block_attention_desc attention = { &x->rotary, .window = weft_block_upper_window(x, i), .bias = true };
    return weft_block_prenorm_layer(x, in, &attention, false);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(151936) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(22016) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "num_key_value_heads", NUMBER(32), OR_NULL }, { "max_position_embeddings", NUMBER(32768) },
    { "rms_norm_eps", NUMBER(1e-6) }, { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(10000) },
    { "tie_word_embeddings", NUMBER(false) }, { "initializer_range", NUMBER(0.02) },
    { "use_sliding_window", NUMBER(false) }, { "sliding_window", NUMBER(4096), OR_NULL },
    { "max_window_layers", NUMBER(28) },
};

const weft__arch weft__arch_qwen2 = {
    .family = "Qwen2", DECODER_CLASSES("Qwen2"), .trunk = trunk, KEYS("qwen2", keys),
    .gguf.arch = "qwen2", DECODER_NAMES
};
